//! Large graphs: they load in a time that grows with their size, or are refused for a chain that is too long,
//! independently of the order of their definitions.

use super::{all, brief, load};
use std::fmt::Write;

/// Returns a type whose field `f1` needs `f0`, `f2` needs `f1`, and so on.
fn chain(length: usize, link: impl Fn(usize, usize) -> String) -> String {
    let mut sdl = String::from(
        "type Query { t(id: ID!): T @lookup @rest(source: \"users\", GET: \"/{$args.id}\", select: \"id f0: x\") }\n\
         type T @key(fields: \"id\") { id: ID! f0: Int\n",
    );
    for at in 1..=length {
        let _ = writeln!(sdl, "{}", link(at, at - 1));
    }
    sdl + "}"
}

fn required(at: usize, before: usize) -> String {
    format!(
        "f{at}(w: Int @require(field: \"f{before}\")): Int @rest(source: \"users\", GET: \"/p?w={{$args.w}}\")"
    )
}

fn this(at: usize, before: usize) -> String {
    format!("f{at}: Int @rest(source: \"users\", GET: \"/p?w={{$this.f{before}}}\")")
}

fn batch(at: usize, before: usize) -> String {
    format!(
        "f{at}: Int @rest(source: \"users\", GET: \"/p?w={{$batch.f{before}->joinNotNull(',')}}\", batch: {{ reply: POSITIONAL }})"
    )
}

fn allow(at: usize, before: usize) -> String {
    format!(
        "f{at}: Int @allow(if: \"$this.f{before}->eq(1)\") @rest(source: \"users\", GET: \"/p/{at}\")"
    )
}

fn alternating(at: usize, before: usize) -> String {
    if at.is_multiple_of(2) { this(at, before) } else { allow(at, before) }
}

#[test]
fn a_chain_of_requirements_has_a_hundred_fields_at_most() {
    for link in [required, this, batch, allow, alternating] {
        assert!(load(&chain(100, link)).is_ok());
        for length in [101, 150] {
            let problems = all(&chain(length, link));
            assert_eq!(
                brief(&problems),
                "long-requirement at `f101`: `T.f101` needs a chain of more than 100 fields: `T.f100`, `T.f99`, `T.f98`, …"
            );
        }
    }
    assert_eq!(all(&chain(5_000, this)).len(), 1);
    assert_eq!(all(&chain(5_000, allow)).len(), 1);
}

/// Returns as many keys as lookups. Each lookup takes one key and yields the next one.
fn keys(count: usize) -> String {
    let mut sdl = String::from(
        "type Query { t: T @rest(source: \"users\", GET: \"/x\", select: \"k0: x\")\n",
    );
    for at in 0..count {
        let next = at + 1;
        let _ = writeln!(
            sdl,
            "l{at}(k{at}: Int!): T @lookup @internal @rest(source: \"users\", GET: \"/x?k={{$args.k{at}}}\", select: \"k{at}: x k{next}: x\")"
        );
    }
    sdl += "}\ntype T";
    (0..=count).for_each(|at| {
        let _ = write!(sdl, " @key(fields: \"k{at}\")");
    });
    sdl += "{";
    (0..=count).for_each(|at| {
        let _ = write!(sdl, " k{at}: Int");
    });
    sdl + "}"
}

#[test]
fn a_type_may_have_many_keys_but_not_a_hundred_lookups_one_after_the_other() {
    assert!(load(&keys(100)).is_ok());
    let problems = all(&keys(300));
    let found: Vec<_> = problems.iter().filter(|one| one.code == "long-requirement").collect();
    let [only] = found.as_slice() else { panic!("{}", brief(&problems)) };
    assert_eq!(only.message, "`Query.t` returns a `T` that needs a chain of more than 100 lookups");
}

#[test]
fn types_that_lead_to_each_other_are_as_many_as_there_are() {
    let count = 5_000;
    let mut sdl = String::from("type Query { a: T0 @rest(source: \"users\", GET: \"/x\") }\n");
    for at in 0..count {
        let _ = writeln!(sdl, "type T{at} {{ n: [T{}] x: Int }}", at + 1);
    }
    let _ = writeln!(
        sdl,
        "type T{count} {{ x: Int y: Int @rest(source: \"users\", GET: \"/y?x={{$this.x}}\") }}"
    );
    assert_eq!(brief(&all(&sdl)), "");
}
