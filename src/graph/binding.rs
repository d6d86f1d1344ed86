//! Bindings: passes every use of a binding directive to its connector.

mod several;

use super::merge::Merged;
use super::namespace::Namespaces;
use super::words::{Root, Words};
use super::{Binding, BindingId};
use crate::graphql::Name;
use crate::problem::{Place, Problem};
use crate::source::{Argument, ArgumentValue, BindingSpec, Call, Connector, Operation};
use apollo_compiler::ast::{Directive, FieldDefinition, Type};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Node, Schema};
use hashbrown::HashMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// All bindings of a graph, including those that failed to compile, so that later checks do not report their fields as
/// unfilled.
#[derive(Default)]
pub(super) struct Bindings {
    list: Vec<Binding>,
    /// In schema order.
    pub(super) bound: Vec<Bound>,
    index: HashMap<String, usize>,
}

/// A field with a binding directive.
pub(super) struct Bound {
    pub(super) type_name: String,
    pub(super) field: String,
    /// Place of the directive.
    pub(super) place: Place,
    /// `None` if it did not compile.
    pub(super) id: Option<BindingId>,
    pub(super) select: Option<Argument>,
    pub(super) batch: Option<Argument>,
}

impl Bound {
    pub(super) fn coordinate(&self) -> String {
        format!("{}.{}", self.type_name, self.field)
    }
}

impl Bindings {
    pub(super) fn get(&self, type_name: &str, field: &str) -> Option<&Bound> {
        self.index.get(&format!("{type_name}.{field}")).map(|at| &self.bound[*at])
    }

    pub(super) fn binding(&self, id: BindingId) -> &Binding {
        &self.list[id.0 as usize]
    }

    pub(super) fn binding_mut(&mut self, id: BindingId) -> &mut Binding {
        &mut self.list[id.0 as usize]
    }

    pub(super) fn into_list(self) -> Vec<Binding> {
        self.list
    }

    fn add(&mut self, bound: Bound) {
        self.index.insert(bound.coordinate(), self.bound.len());
        self.bound.push(bound);
    }
}

/// Compiles every binding of the schema.
pub(super) fn compile(
    merged: &Merged,
    connectors: &[Box<dyn Connector>],
    problems: &mut Vec<Problem>,
) -> Bindings {
    let namespaces = Namespaces::of(&merged.schema);
    namespaces.refuse_shared(merged, problems);
    let mut compiling = Compiling {
        merged,
        connectors,
        namespaces: &namespaces,
        refused: problems
            .iter()
            .filter_map(|problem| problem.place.as_ref())
            .map(|place| (Arc::as_ptr(&place.file) as usize, place.span.start))
            .collect(),
        bindings: Bindings::default(),
        problems,
    };
    let schema = &merged.schema;
    for (name, found) in schema.types.iter().filter(|(_, found)| !found.is_built_in()) {
        match found {
            ExtendedType::Object(object) => {
                for field in object.fields.values() {
                    compiling.field(name, field);
                }
            }
            ExtendedType::Interface(interface) => {
                for field in interface.fields.values() {
                    compiling.interface_field(name, field);
                }
            }
            _ => {}
        }
    }
    compiling.bindings
}

struct Compiling<'a> {
    merged: &'a Merged,
    connectors: &'a [Box<dyn Connector>],
    namespaces: &'a Namespaces,
    /// Places of type system errors: file and offset.
    refused: BTreeSet<(usize, usize)>,
    bindings: Bindings,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Compiling<'a> {
    fn connector(&self, directive: &str) -> Option<&'a dyn Connector> {
        self.connectors
            .iter()
            .map(AsRef::as_ref)
            .find(|connector| connector.directive() == directive)
    }

    fn uses<'d>(
        &self,
        field: &'d FieldDefinition,
    ) -> Vec<(&'d Node<Directive>, &'a dyn Connector)> {
        let connector = |name: &str| self.connector(name);
        field
            .directives
            .iter()
            .filter_map(|directive| Some((directive, connector(&directive.name)?)))
            .collect()
    }

    fn interface_field(&mut self, type_name: &str, field: &FieldDefinition) {
        for (directive, _) in self.uses(field) {
            self.problems.push(
                Problem::error(
                    "misplaced-directive",
                    format!(
                        "`{type_name}.{}` is a field of an interface, which cannot have a binding",
                        field.name
                    ),
                )
                .at(self.merged.places.of(directive.location()))
                .help("move the binding to the field of each type that implements the interface"),
            );
        }
    }

    fn field(&mut self, type_name: &str, field: &FieldDefinition) {
        let uses = self.uses(field);
        let root = Words(&self.merged.schema).root(type_name);
        let Some((directive, connector)) = uses.first() else {
            self.unknown(type_name, field);
            return;
        };
        let Some(place) = self.merged.places.of(directive.location()) else { return };
        let mut bound = Bound {
            type_name: type_name.to_owned(),
            field: field.name.to_string(),
            place,
            id: None,
            select: None,
            batch: None,
        };
        if uses.len() > 1 {
            // Two bindings of one kind break a rule of the type system as well, but this message is better.
            let uses: Vec<_> = uses.iter().map(|(directive, _)| *directive).collect();
            let places: Vec<_> =
                uses.iter().map(|directive| self.merged.places.of(directive.location())).collect();
            self.problems.retain(|problem| {
                !places.contains(&problem.place)
                    || !problem.message.starts_with("non-repeatable directive")
            });
            self.problems.push(several::refuse(self.merged, type_name, field, &uses));
        } else {
            self.call(&mut bound, directive, *connector, root);
        }
        self.bindings.add(bound);
    }

    /// Records a field with an unknown directive. The directive is reported, and may be a misspelt binding.
    fn unknown(&mut self, type_name: &str, field: &FieldDefinition) {
        let defined = &self.merged.schema.directive_definitions;
        let unknown = field.directives.iter().find(|found| !defined.contains_key(&found.name));
        let place = unknown.and_then(|unknown| self.merged.places.of(unknown.location()));
        let Some(place) = place else { return };
        self.bindings.add(Bound {
            type_name: type_name.to_owned(),
            field: field.name.to_string(),
            place,
            id: None,
            select: None,
            batch: None,
        });
    }

    fn call(
        &mut self,
        bound: &mut Bound,
        directive: &Directive,
        connector: &dyn Connector,
        root: Option<Root>,
    ) {
        if self.is_refused(&bound.place) {
            return;
        }
        let Some(mut spec) = self.spec(bound, directive, connector, root) else { return };
        spec.leaf = leaf(&self.merged.schema, bound);
        spec.nullable = is_nullable(&self.merged.schema, bound);
        bound.batch = take(&mut spec.arguments, "batch");
        let is_nested = root.is_none() && spec.operation == Operation::Mutation;
        if let Some(batch) = bound.batch.as_ref().filter(|_| is_nested) {
            let message = format!(
                "`{}` is a mutation, because its type is a namespace of mutations, and mutations cannot be batched",
                bound.coordinate()
            );
            let problem = Problem::error("invalid-batch", message).at(batch.place.clone());
            let help = "remove `batch`, and use `$this` for the parent object";
            self.problems.push(problem.help(help));
            return;
        }
        if let Some(batch) = bound.batch.take_if(|_| spec.operation == Operation::Subscription) {
            let message = format!(
                "`{}` is a subscription field, which cannot be batched",
                bound.coordinate()
            );
            self.problems.push(
                Problem::error("invalid-batch", message)
                    .at(batch.place)
                    .help("remove `batch`; fields below the subscription field can have batches"),
            );
        }
        let select = spec.argument("select").or_else(|| {
            // A value that is computed without a source is checked like a reply.
            spec.argument("value").filter(|_| !connector.has_source())
        });
        bound.select = select.cloned();
        match connector.compile(&spec) {
            Ok(call) => {
                self.stream(bound, &*call, spec.operation);
                self.problems.extend(call.warnings().iter().cloned());
                let id = u32::try_from(self.bindings.list.len()).ok().map(BindingId);
                bound.id = id;
                let coordinate = bound.coordinate().into();
                self.bindings.list.push(Binding {
                    coordinate,
                    changes: spec.operation == Operation::Mutation && call.computed().is_none(),
                    call,
                    is_one: is_one(&self.merged.schema, bound),
                    timeout: None,
                    null_on_error: false,
                    parent: Vec::new(),
                    batch: None,
                    cache: super::CacheHint::default(),
                });
            }
            Err(found) => self.problems.extend(found),
        }
    }

    fn spec(
        &self,
        bound: &Bound,
        directive: &Directive,
        connector: &dyn Connector,
        root: Option<Root>,
    ) -> Option<BindingSpec> {
        let places = &self.merged.places;
        let mut arguments: Vec<Argument> = directive
            .arguments
            .iter()
            .filter_map(|argument| places.argument(&argument.name, &argument.value))
            .collect();
        let (source, source_place) = if connector.has_source() {
            let source = take(&mut arguments, "source")?;
            (source.text()?.into(), source.place.clone())
        } else {
            (Name::from(""), bound.place.clone())
        };
        Some(BindingSpec {
            coordinate: bound.coordinate(),
            source,
            source_place,
            place: bound.place.clone(),
            operation: match root {
                Some(Root::Mutation) => Operation::Mutation,
                Some(Root::Subscription) => Operation::Subscription,
                None if self.namespaces.is_mutation(&bound.type_name, directive) => {
                    Operation::Mutation
                }
                Some(Root::Query) | None => Operation::Query,
            },
            leaf: None,
            nullable: true,
            arguments,
        })
    }

    /// Checks that a subscription field is filled by a stream of replies, and no other field is. Connectors with
    /// streams report that more precisely; this covers the others.
    fn stream(&mut self, bound: &Bound, call: &dyn Call, operation: Operation) {
        let wanted = operation == Operation::Subscription;
        if call.streams() == wanted {
            return;
        }
        let coordinate = bound.coordinate();
        let message = if wanted {
            format!("`{coordinate}` is a subscription field, but its binding is not a stream")
        } else {
            format!(
                "the binding of `{coordinate}` is a stream, but only subscription fields can have streams"
            )
        };
        self.problems.push(Problem::error("not-a-stream", message).at(bound.place.clone()));
    }

    /// Returns `true` if there is a type system error inside the directive. Its arguments may be invalid then.
    fn is_refused(&self, place: &Place) -> bool {
        let file = Arc::as_ptr(&place.file) as usize;
        let inside = (file, place.span.start)..(file, place.span.end);
        self.refused.range(inside).next().is_some()
    }
}

fn take(arguments: &mut Vec<Argument>, name: &str) -> Option<Argument> {
    let at = arguments.iter().position(|argument| &*argument.name == name)?;
    let argument = arguments.remove(at);
    (!matches!(argument.value, ArgumentValue::Null)).then_some(argument)
}

fn is_one(schema: &Schema, bound: &Bound) -> bool {
    let field = schema.type_field(&bound.type_name, &bound.field);
    field.is_ok_and(|field| !field.ty.is_list())
}

fn is_nullable(schema: &Schema, bound: &Bound) -> bool {
    let field = schema.type_field(&bound.type_name, &bound.field);
    field.is_ok_and(|field| !field.ty.is_non_null())
}

/// Returns the type of a field that is one scalar or enum value.
fn leaf(schema: &Schema, bound: &Bound) -> Option<Name> {
    let field = schema.type_field(&bound.type_name, &bound.field).ok()?;
    let (Type::Named(name) | Type::NonNullNamed(name)) = &field.ty else { return None };
    let is_leaf =
        matches!(schema.types.get(name)?, ExtendedType::Scalar(_) | ExtendedType::Enum(_));
    is_leaf.then(|| name.as_str().into())
}
