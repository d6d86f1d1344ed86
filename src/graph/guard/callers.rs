//! Warns about rules and texts that use the caller's token if the gateway verifies no tokens: every caller is anonymous
//! then.

use crate::graph::binding::Bindings;
use crate::graph::merge::Merged;
use crate::graph::reference;
use crate::mapping::Variable;
use crate::problem::{Place, Problem};
use apollo_compiler::Node;
use apollo_compiler::ast::Directive;
use apollo_compiler::schema::ExtendedType;

/// Reports the first one: all have the same cause.
pub(in crate::graph) fn warn_without_callers(
    merged: &Merged,
    bindings: &Bindings,
    problems: &mut Vec<Problem>,
) {
    let mut found = rules(merged);
    for placed in reference::everywhere(bindings) {
        if placed.reference.variable == Variable::Claims {
            let message = "`$claims` is always null: the configuration has no `auth`";
            found.push((message.to_owned(), Some(placed.place)));
        }
    }
    let more = found.len().saturating_sub(1);
    let Some((message, place)) = found.into_iter().next() else { return };
    let others = match more {
        0 => String::new(),
        1 => "; one more rule or text needs it".to_owned(),
        _ => format!("; {more} more rules and texts need it"),
    };
    let help = format!(
        "add the issuer of your tokens to the configuration: `auth: {{ providers: [{{ issuer: …, audience: …, jwks_url: … }}] }}`{others}"
    );
    problems.push(Problem::warning("no-callers", message).at(place).help(help));
}

/// Returns a message and a place for each rule that needs a token.
fn rules(merged: &Merged) -> Vec<(String, Option<Place>)> {
    let mut found = Vec::new();
    let mut add = |directive: &Node<Directive>| {
        if needs_token(directive) {
            let message = format!(
                "`@{}` refuses every caller: the configuration has no `auth`",
                directive.name
            );
            found.push((message, merged.places.of(directive.location())));
        }
    };
    for found in merged.schema.types.values().filter(|found| !found.is_built_in()) {
        found.directives().iter().for_each(|directive| add(&directive.node));
        let fields = match found {
            ExtendedType::Object(object) => &object.fields,
            ExtendedType::Interface(interface) => &interface.fields,
            _ => continue,
        };
        fields.values().flat_map(|field| field.directives.iter()).for_each(&mut add);
    }
    found
}

fn needs_token(directive: &Directive) -> bool {
    match directive.name.as_str() {
        "authenticated" | "requiresScopes" => true,
        "allow" => {
            let rule = directive.specified_argument_by_name("if");
            rule.and_then(|rule| rule.as_str()).is_some_and(|rule| rule.contains("$claims"))
        }
        _ => false,
    }
}
