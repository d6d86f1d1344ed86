//! Access rules: `@authenticated`, `@requiresScopes` and `@allow`, combined at load into the rules of every field.
//!
//! A rule on a type holds for every field that returns it, and one on a root type for each of its fields. A rule on an
//! interface holds for every type that implements it, and one on a field of an interface for that field of each such
//! type. This is resolved here, so a field's list of rules is complete. Nothing is evaluated here.

mod allow;
mod callers;
mod needs;

pub(super) use callers::warn_without_callers;

use super::binding::Bindings;
use super::merge::Merged;
use super::requirement::Requirements;
use super::words::Words;
use super::{FieldSelection, ObjectType};
use crate::graphql::Name;
use crate::mapping::Mapping;
use crate::problem::Problem;
use crate::source::Argument;
use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, FieldDefinition};
use apollo_compiler::schema::ExtendedType;
use hashbrown::HashMap;
use needs::Placed;
use std::fmt;

/// Directives of this module.
pub(super) const DIRECTIVES: [&str; 3] = ["authenticated", "requiresScopes", "allow"];

/// Index of a rule in [`Guards`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuardId(pub u32);

/// One rule. Equal rules are stored once, except for those that use arguments or objects.
#[derive(Debug, Clone, PartialEq)]
pub enum Guard {
    /// The caller has a verified token.
    Authenticated,
    /// The token has all scopes of one of these lists (Apollo Federation, "`@requiresScopes`").
    Scopes(Vec<Vec<Name>>),
    Allow(Allow),
}

/// A rule as a mapping that must yield `true`.
#[derive(Debug, Clone, PartialEq)]
pub struct Allow {
    pub rule: Mapping,
    /// It uses the token, so an anonymous caller is always refused.
    pub names_claims: bool,
    /// It uses the arguments of its field.
    pub names_arguments: bool,
    /// Fields of the parent object that it uses.
    pub this: Vec<FieldSelection>,
}

/// Access rules of a graph.
#[derive(Debug, Default)]
pub struct Guards {
    list: Vec<Guard>,
    /// Rules of the list by their text, to find equal ones.
    by_text: HashMap<String, Vec<GuardId>>,
    /// By object type and field; only guarded fields.
    fields: HashMap<Name, HashMap<Name, Vec<GuardId>>>,
    /// By object type; only guarded types.
    types: HashMap<Name, Vec<GuardId>>,
}

impl Guards {
    #[must_use]
    pub fn get(&self, id: GuardId) -> &Guard {
        &self.list[id.0 as usize]
    }

    /// Returns all rules of a field of an object type, including those of its type. The caller sees the field only if
    /// all hold.
    #[must_use]
    pub fn of_field(&self, ty: &str, field: &str) -> &[GuardId] {
        let found = self.fields.get(ty).and_then(|fields| fields.get(field));
        found.map_or(&[], Vec::as_slice)
    }

    /// Returns all rules of an object type. The caller sees an object of it only if all hold.
    #[must_use]
    pub fn of_type(&self, ty: &str) -> &[GuardId] {
        self.types.get(ty).map_or(&[], Vec::as_slice)
    }

    fn id(&mut self, guard: Guard) -> GuardId {
        let alike = self.by_text.entry(guard.to_string()).or_default();
        if let Some(known) = alike.iter().find(|id| self.list[id.0 as usize] == guard) {
            return *known;
        }
        let id = GuardId(self.list.len() as u32);
        alike.push(id);
        self.list.push(guard);
        id
    }
}

impl Guard {
    /// Returns the rule if it uses the object of its field, so that it has to be evaluated for each object.
    #[must_use]
    pub fn of_object(&self) -> Option<&Allow> {
        match self {
            Self::Allow(allow) if !allow.this.is_empty() => Some(allow),
            _ => None,
        }
    }
}

impl fmt::Display for Guard {
    /// Writes it as a condition, for people.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authenticated => formatter.write_str("authenticated"),
            Self::Scopes(any) => {
                let all = |scopes: &Vec<Name>| scopes.join(" + ");
                let any: Vec<String> = any.iter().map(all).collect();
                write!(formatter, "scope {}", any.join(" or "))
            }
            Self::Allow(allow) => formatter.write_str(allow.rule.text()),
        }
    }
}

/// Reads the rules of every field and type.
pub(super) fn read(
    merged: &Merged,
    types: &HashMap<Name, ObjectType>,
    bindings: &Bindings,
    problems: &mut Vec<Problem>,
) -> Guards {
    let (guards, objects) = rules(merged, problems);
    let schema = &merged.schema;
    let mut placed = Placed::new();
    for (name, object) in Words(schema).objects() {
        for field in object.fields.keys() {
            for ty in std::iter::once(name).chain(interfaces(schema.types.get(name))) {
                if let Some(place) = objects.get(&(ty.into(), field.as_str().into())) {
                    placed.insert((name.into(), field.as_str().into()), place.clone());
                }
            }
        }
    }
    let found = {
        let requirements = &Requirements::new(schema, types, bindings, &guards);
        needs::Checking { types, requirements, placed: &placed }.problems()
    };
    problems.extend(found);
    guards
}

/// Returns the rules of every field and type, and the places of those over `$this`.
fn rules(merged: &Merged, problems: &mut Vec<Problem>) -> (Guards, Placed) {
    let (guards, placed) = (Guards::default(), Placed::new());
    let mut reading = Reading { merged, problems, guards, placed };
    let own = reading.own();
    let (mut guards, placed) = (reading.guards, reading.placed);
    let schema = &merged.schema;
    let of_type = |name: &str| {
        let mut all = Vec::new();
        for name in std::iter::once(name).chain(interfaces(schema.types.get(name))) {
            merge(&mut all, own.types.get(name));
        }
        all
    };
    for (name, object) in Words(schema).objects() {
        let whole = of_type(name);
        let is_root = Words(schema).root(name).is_some();
        let mut fields = HashMap::new();
        for field in object.fields.values() {
            let mut all = if is_root { whole.clone() } else { Vec::new() };
            let found = schema.types.get(name);
            for ty in std::iter::once(name).chain(interfaces(found)) {
                merge(&mut all, own.fields.get(&(ty, field.name.as_str())));
            }
            merge(&mut all, Some(&of_type(field.ty.inner_named_type())));
            if !all.is_empty() {
                fields.insert(field.name.as_str().into(), all);
            }
        }
        if !fields.is_empty() {
            guards.fields.insert(name.into(), fields);
        }
        if !whole.is_empty() {
            guards.types.insert(name.into(), whole);
        }
    }
    (guards, placed)
}

/// Returns all interfaces of a type. The type system requires each of them to be listed on the type.
fn interfaces(found: Option<&ExtendedType>) -> impl Iterator<Item = &str> {
    let names = match found {
        Some(ExtendedType::Object(object)) => Some(&object.implements_interfaces),
        Some(ExtendedType::Interface(interface)) => Some(&interface.implements_interfaces),
        _ => None,
    };
    names.into_iter().flatten().map(|name| name.name.as_str())
}

fn merge(all: &mut Vec<GuardId>, more: Option<&Vec<GuardId>>) {
    for id in more.into_iter().flatten() {
        if !all.contains(id) {
            all.push(*id);
        }
    }
}

/// Rules that are declared on types and fields themselves.
#[derive(Default)]
struct Own<'a> {
    types: HashMap<&'a str, Vec<GuardId>>,
    fields: HashMap<(&'a str, &'a str), Vec<GuardId>>,
}

struct Reading<'a> {
    merged: &'a Merged,
    problems: &'a mut Vec<Problem>,
    guards: Guards,
    placed: Placed,
}

/// Position of a rule.
#[derive(Clone, Copy)]
struct On<'a> {
    type_name: &'a str,
    /// `None` if it is on the type itself.
    field: Option<&'a FieldDefinition>,
}

impl<'a> Reading<'a> {
    fn own(&mut self) -> Own<'a> {
        let merged = self.merged;
        let mut own = Own::default();
        for (name, found) in merged.schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
            let type_name = name.as_str();
            let on_type = found.directives().iter().map(|directive| &directive.node);
            let guards = self.all(on_type, On { type_name, field: None });
            own.types.insert(type_name, guards);
            let fields = match found {
                ExtendedType::Object(object) => &object.fields,
                ExtendedType::Interface(interface) => &interface.fields,
                _ => continue,
            };
            for field in fields.values() {
                let on = On { type_name, field: Some(field) };
                let guards = self.all(field.directives.iter(), on);
                own.fields.insert((type_name, field.name.as_str()), guards);
            }
        }
        own
    }

    fn all<'d>(
        &mut self,
        directives: impl Iterator<Item = &'d Node<Directive>>,
        on: On<'_>,
    ) -> Vec<GuardId> {
        let mut all = Vec::new();
        for directive in directives.filter(|found| DIRECTIVES.contains(&found.name.as_str())) {
            self.refuse_hidden(directive, on);
            let guard = match directive.name.as_str() {
                "authenticated" => Some(Guard::Authenticated),
                "requiresScopes" => self.scopes(directive),
                _ => self.allow(directive, on),
            };
            if let Some(guard) = guard {
                let id = self.guards.id(guard);
                merge(&mut all, Some(&vec![id]));
            }
        }
        all
    }

    /// Refuses a rule on an `@internal` field. Clients cannot select such a field, so the rule would have no effect.
    fn refuse_hidden(&mut self, directive: &Node<Directive>, on: On<'_>) {
        let Some(field) = on.field.filter(|field| field.directives.has("internal")) else { return };
        let (ty, name) = (on.type_name, &field.name);
        let message =
            format!("`{ty}.{name}` is `@internal`, so `@{}` has no effect", directive.name);
        self.problems.push(
            Problem::error("misplaced-directive", message)
                .at(self.merged.places.of(directive.location()))
                .help("move the guard to the type that the lookup returns, or to the fields that use the lookup"),
        );
    }

    fn argument(&self, directive: &Directive, name: &str) -> Option<Argument> {
        self.merged.places.argument(name, directive.specified_argument_by_name(name)?)
    }

    fn scopes(&mut self, directive: &Directive) -> Option<Guard> {
        let argument = self.argument(directive, "scopes")?;
        let mut refuse = |argument: &Argument, message: &str, help: &str| {
            let problem = Problem::error("invalid-guard", message);
            self.problems.push(problem.at(argument.place.clone()).help(help));
        };
        if argument.elements().is_empty() {
            refuse(
                &argument,
                "`scopes` is empty, which refuses every caller",
                "write a list of lists, such as `[[\"read\"]]`",
            );
        }
        let mut any = Vec::new();
        for all in argument.elements() {
            if all.elements().is_empty() {
                let message =
                    "an empty inner list of scopes accepts every caller, even without a token";
                refuse(all, message, "name a scope, or use `@authenticated`");
            }
            for scope in all.elements() {
                let text = scope.text().unwrap_or_default();
                if text.is_empty() || text.contains(char::is_whitespace) {
                    let message = "a scope must be one word without spaces";
                    refuse(scope, message, "write two scopes as `[[\"read\", \"write\"]]`");
                }
            }
            any.push(all.elements().iter().filter_map(Argument::text).map(Name::from).collect());
        }
        Some(Guard::Scopes(any))
    }

    fn allow(&mut self, directive: &Directive, on: On<'_>) -> Option<Guard> {
        let text = self.argument(directive, "if")?;
        let words = Words(&self.merged.schema);
        let is_root = words.root(on.type_name).is_some();
        let allow = allow::read(words, on, is_root, &text, self.problems)?;
        if let Some(field) = on.field.filter(|_| !allow.this.is_empty()) {
            let coordinate = (on.type_name.into(), field.name.as_str().into());
            self.placed.insert(coordinate, text.place.clone());
        }
        Some(Guard::Allow(allow))
    }
}
