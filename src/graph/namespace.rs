//! Namespaces of mutations: types that are returned only by `@const` fields of `Mutation`, or of another namespace.
//!
//! The fields of such a type are mutations: their calls are neither shared nor repeated. A type that other fields
//! return as well is an ordinary type: its fields are reads, and none of them may have side effects.

use super::merge::Merged;
use super::words::{Root, Words};
use crate::problem::Problem;
use apollo_compiler::Schema;
use apollo_compiler::ast::FieldDefinition;
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

#[derive(Default)]
pub(super) struct Namespaces {
    types: HashSet<String>,
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
        let below = |name: &str| -> Vec<&str> {
            let fields =
                schema.get_object(name).into_iter().flat_map(|found| found.fields.values());
            let computed = fields.filter(|field| field.directives.has("const"));
            let inner = computed.map(|field| field.ty.inner_named_type().as_str());
            let objects = inner.flat_map(|name| members.of(name));
            objects.filter(|name| is_candidate(name)).collect()
        };
        let mut types: HashSet<&str> = HashSet::new();
        let mut waiting = below(mutation.0);
        while let Some(name) = waiting.pop() {
            if types.insert(name) {
                waiting.extend(below(name));
            }
        }
        let mut shared = Vec::new();
        // Each round removes at least one.
        loop {
            let is_inside = |one: &Returning<'_>| {
                let parent = one.parent == mutation.0 || types.contains(one.parent);
                parent && one.field.directives.has("const")
            };
            let other = types.iter().find_map(|name| {
                let all = returning.get(name)?;
                let other = all.iter().find(|one| !is_inside(one))?;
                let by = all.iter().find(|one| is_inside(one));
                Some((*name, by.copied(), *other))
            });
            let Some((name, by, other)) = other else { break };
            let of_type =
                schema.get_object(name).into_iter().flat_map(|found| found.fields.values());
            let mutation = by.and_then(|by| {
                let is_empty = is_empty(by.field);
                of_type.clone().find(|field| changes(field, is_empty)).map(|field| (by, field))
            });
            if let Some((by, field)) = mutation {
                shared.push(Shared {
                    by: by.coordinate(),
                    type_name: name.to_owned(),
                    other: other.coordinate(),
                    mutation: format!("{name}.{}", field.name),
                });
            }
            types.remove(name);
        }
        shared.sort_by(|one, next| one.by.cmp(&next.by));
        Self { types: types.into_iter().map(str::to_owned).collect(), shared }
    }

    pub(super) fn has(&self, type_name: &str) -> bool {
        self.types.contains(type_name)
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

/// Returns `true` for `@const(value: "{}")`: the field exists only for the fields below it.
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
    let methods = if below_empty {
        &["PUT", "PATCH", "DELETE", "POST"][..]
    } else {
        &["PUT", "PATCH", "DELETE"]
    };
    rest.arguments.iter().any(|argument| methods.contains(&argument.name.as_str()))
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
