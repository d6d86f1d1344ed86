//! Namespaces of mutations: types that only `@const` fields of `Mutation` return, fields of their objects, or `@const`
//! fields without a value in the results of mutations.
//!
//! The fields of such a type are mutations: their calls are neither shared nor repeated. A type that other fields return
//! as well is a type like any other: its fields are reads, and none of them may change anything. A `PUT`, `PATCH` or
//! `DELETE` on a type to which only mutations lead is a mutation as well.

use super::merge::Merged;
use super::words::{Root, Words};
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::{Directive, FieldDefinition};
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

/// The methods of HTTP that change something. A `POST` may be a question.
const CHANGING: [&str; 3] = ["PUT", "PATCH", "DELETE"];

#[derive(Default)]
pub(super) struct Namespaces {
    types: HashSet<String>,
    /// Types to which only mutations lead.
    of_mutations: HashSet<String>,
    /// Types with mutations that would be namespaces if no other field returned them.
    shared: Vec<Shared>,
}

struct Shared {
    /// Coordinate of the field of `Mutation`, or of a namespace.
    by: String,
    type_name: String,
    /// Coordinate of another field that returns the type.
    other: String,
    /// Field of the type that has side effects.
    mutation: String,
}

/// A field that returns a type.
#[derive(Clone, Copy)]
struct Returning<'a> {
    parent: &'a str,
    field: &'a FieldDefinition,
}

impl Returning<'_> {
    fn coordinate(self) -> String {
        format!("{}.{}", self.parent, self.field.name)
    }
}

impl Namespaces {
    pub(super) fn of(schema: &Schema) -> Self {
        let words = Words(schema);
        let members = members(schema);
        let returning = returning(schema, &members);
        let Some(mutation) =
            words.objects().find(|(name, _)| words.root(name) == Some(Root::Mutation))
        else {
            return Self::default();
        };
        let is_candidate =
            |name: &str| schema.get_object(name).is_some() && words.root(name).is_none();
        let below = |name: &str, leads: &dyn Fn(&FieldDefinition) -> bool| -> Vec<&str> {
            let fields =
                schema.get_object(name).into_iter().flat_map(|found| found.fields.values());
            let inner = fields.filter(|field| leads(field));
            let inner = inner.map(|field| field.ty.inner_named_type().as_str());
            let objects = inner.flat_map(|name| members.of(name));
            objects.filter(|name| is_candidate(name)).collect()
        };
        let of_mutations = of_mutations(schema, &members);
        let mut waiting = below(mutation.0, &is_computed);
        for payload in &of_mutations {
            waiting.extend(below(payload, &is_empty));
        }
        let mut types: HashSet<&str> = HashSet::new();
        while let Some(name) = waiting.pop() {
            if types.insert(name) {
                waiting.extend(below(name, &|field| is_computed(field) || is_plain(field)));
            }
        }
        let mut shared = Vec::new();
        // Each round removes at least one.
        loop {
            let is_inside = |one: &Returning<'_>| {
                if types.contains(one.parent) {
                    return is_computed(one.field) || is_plain(one.field);
                }
                one.parent == mutation.0 && is_computed(one.field)
                    || of_mutations.contains(one.parent) && is_empty(one.field)
            };
            let other = types.iter().find_map(|name| {
                let all = returning.get(name)?;
                let other = all.iter().find(|one| !is_inside(one))?;
                let by = all.iter().find(|one| is_inside(one));
                Some((*name, by.copied(), *other))
            });
            let Some((name, by, other)) = other else { break };
            let change = by.and_then(|by| {
                Some((by, change_below(schema, &members, name, is_empty(by.field))?))
            });
            if let Some((by, mutation)) = change {
                shared.push(Shared {
                    by: by.coordinate(),
                    type_name: name.to_owned(),
                    other: other.coordinate(),
                    mutation,
                });
            }
            types.remove(name);
        }
        shared.sort_by(|one, next| one.by.cmp(&next.by));
        let owned = |names: HashSet<&str>| names.into_iter().map(str::to_owned).collect();
        Self { types: owned(types), of_mutations: owned(of_mutations), shared }
    }

    /// A call of a field of this type is a mutation: the type is a namespace, or only mutations lead to it and the method
    /// changes something.
    pub(super) fn is_mutation(&self, type_name: &str, binding: &Directive) -> bool {
        let changes = || {
            let has = |name: &str| binding.specified_argument_by_name(name).is_some();
            binding.name == "rest" && CHANGING.iter().any(|method| has(method)) && !has("batch")
        };
        self.types.contains(type_name) || self.of_mutations.contains(type_name) && changes()
    }

    /// Refuses a namespace of mutations that queries reach as well: its calls would be shared and repeated like reads.
    pub(super) fn refuse_shared(&self, merged: &Merged, problems: &mut Vec<Problem>) {
        for Shared { by, type_name, other, mutation } in &self.shared {
            let Some((parent, field)) = by.split_once('.') else { continue };
            let Ok(field) = merged.schema.type_field(parent, field) else { continue };
            let message = format!(
                "`{mutation}` changes data, but both the query `{other}` and the mutation `{by}` return `{type_name}`, so its calls count as reads"
            );
            problems.push(
                Problem::error("shared-namespace", message)
                    .at(merged.places.of(field.name.location()))
                    .help("use a separate type for the mutations, because reads may be shared and retried"),
            );
        }
    }
}

/// The first field that changes something, of a type or of those that its fields without a call lead to.
fn change_below<'a>(
    schema: &'a Schema,
    members: &Members<'a>,
    name: &'a str,
    below_empty: bool,
) -> Option<String> {
    let (mut seen, mut waiting) = (HashSet::new(), vec![(name, below_empty)]);
    while let Some((name, below_empty)) = waiting.pop() {
        if !seen.insert(name) {
            continue;
        }
        for field in schema.get_object(name).into_iter().flat_map(|found| found.fields.values()) {
            if changes(field, below_empty) {
                return Some(format!("{name}.{}", field.name));
            }
            if is_computed(field) || is_plain(field) {
                let below = members.of(field.ty.inner_named_type());
                waiting.extend(below.into_iter().map(|below| (below, is_empty(field))));
            }
        }
    }
    None
}

/// The types to which only mutations lead.
fn of_mutations<'a>(schema: &'a Schema, members: &Members<'a>) -> HashSet<&'a str> {
    let words = Words(schema);
    let reached = |is_root: &dyn Fn(Root) -> bool| {
        let roots = words.objects().map(|(name, _)| name);
        let mut waiting: Vec<&str> =
            roots.filter(|name| words.root(name).is_some_and(is_root)).collect();
        let mut reached = HashSet::new();
        while let Some(name) = waiting.pop() {
            if reached.insert(name) {
                let object = schema.get_object(name).into_iter();
                let fields = object.flat_map(|object| object.fields.values());
                waiting.extend(fields.flat_map(|field| members.of(field.ty.inner_named_type())));
            }
        }
        reached
    };
    let others = reached(&|root| root != Root::Mutation);
    let mut all = reached(&|root| root == Root::Mutation);
    all.retain(|name| !others.contains(name) && words.root(name).is_none());
    all
}

fn is_computed(field: &FieldDefinition) -> bool {
    field.directives.has("const")
}

/// The field is read from its parent's object.
fn is_plain(field: &FieldDefinition) -> bool {
    !["const", "rest", "grpc", "graphql", "amqp"].iter().any(|name| field.directives.has(name))
}

/// `@const(value: "{}")`: the field is there for the fields below it.
fn is_empty(field: &FieldDefinition) -> bool {
    let value = field.directives.get("const");
    let value = value.and_then(|value| value.specified_argument_by_name("value")?.as_str());
    value.is_some_and(|value| value.chars().all(|c| "{}$() \t\n".contains(c)))
}

/// Returns `true` if the field's call has side effects: by its method or, below an empty object, as far as its binding
/// shows it.
fn changes(field: &FieldDefinition, below_empty: bool) -> bool {
    let Some(rest) = field.directives.get("rest") else {
        return below_empty
            && ["grpc", "graphql", "amqp"].iter().any(|name| field.directives.has(name));
    };
    let is_changing = |name: &str| CHANGING.contains(&name) || below_empty && name == "POST";
    rest.arguments.iter().any(|argument| is_changing(&argument.name))
}

/// Object types of each interface and union.
struct Members<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Members<'a> {
    /// Returns the object types that a value of this type may have.
    fn of(&self, name: &'a str) -> Vec<&'a str> {
        self.0.get(name).cloned().unwrap_or_else(|| vec![name])
    }
}

fn members(schema: &Schema) -> Members<'_> {
    let mut members: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, found) in &schema.types {
        match found {
            ExtendedType::Object(object) => {
                for interface in &object.implements_interfaces {
                    members.entry(interface.as_str()).or_default().push(name);
                }
            }
            ExtendedType::Union(union_) => {
                let names = union_.members.iter().map(|member| member.as_str());
                members.entry(name.as_str()).or_default().extend(names);
            }
            _ => {}
        }
    }
    Members(members)
}

/// Returns the fields that return each object type, including those through interfaces and unions.
fn returning<'a>(
    schema: &'a Schema,
    members: &Members<'a>,
) -> HashMap<&'a str, Vec<Returning<'a>>> {
    let mut returning: HashMap<&str, Vec<Returning<'_>>> = HashMap::new();
    for (parent, object) in Words(schema).objects() {
        for field in object.fields.values() {
            let inner = field.ty.inner_named_type().as_str();
            let one = Returning { parent, field };
            for name in members.of(inner) {
                returning.entry(name).or_default().push(one);
            }
        }
    }
    returning
}
