//! The API schema: the bound schema without everything that is hidden from clients.
//!
//! Removed are bindings and all other built-in directives with their inputs, `@internal` fields, `@require`d arguments,
//! and types that only these use. Everything else stays as it was written, in its order.

use super::directive;
use super::merge::Merged;
use crate::problem::Problem;
use apollo_compiler::ast::{self, Type};
use apollo_compiler::parser::{FileId, SourceSpan};
use apollo_compiler::schema::{
    Component, ComponentName, ComponentOrigin, DirectiveList, ExtendedType, FieldDefinition,
};
use apollo_compiler::validation::Valid;
use apollo_compiler::{Name, Node, Schema};
use std::collections::HashSet;
use std::path::Path;

/// Builds the API schema of a valid bound schema.
pub(super) fn build(merged: &Merged) -> Result<Valid<Schema>, Vec<Problem>> {
    let bound = &merged.schema;
    let before = reachable(bound);
    let hidden = Hidden::of(bound);
    let mut schema = bound.clone();
    schema.directive_definitions.retain(|_, definition| !hidden.stands_in(definition.location()));
    schema.types.retain(|_, found| !hidden.stands_in(found.location()));
    strip_schema(&mut schema, &hidden);
    for found in schema.types.values_mut().filter(|found| !found.is_built_in()) {
        strip(found, &hidden);
    }
    let after = reachable(&schema);
    schema.types.retain(|name, found| {
        found.is_built_in() || !before.contains(name) || after.contains(name)
    });
    if let Some(query) = &schema.schema_definition.query
        && let Some(found) = schema.get_object(query).filter(|query| query.fields.is_empty())
    {
        let message = format!("`{}` has no field that clients can select", query.name);
        return Err(vec![
            Problem::error("invalid-schema", message)
                .at(merged.places.of(found.name.location()))
                .help("add at least one field that is not `@internal`"),
        ]);
    }
    add_is_one_of(&mut schema);
    schema.validate().map_err(|failed| {
        let problem = |message| Problem::error("invalid-schema", message);
        failed
            .errors
            .iter()
            .map(|error| {
                problem(format!(
                    "the schema without its `@internal` fields is invalid: {}",
                    error.error
                ))
            })
            .collect()
    })
}

/// Adds `__Type.isOneOf` (GraphQL spec, section 4.2.3), which the parser's own introspection lacks.
fn add_is_one_of(schema: &mut Schema) {
    let (Some(ExtendedType::Object(object)), Ok(name), Ok(boolean)) =
        (schema.types.get_mut("__Type"), Name::new("isOneOf"), Name::new("Boolean"))
    else {
        return;
    };
    let field = FieldDefinition {
        description: None,
        name: name.clone(),
        arguments: Vec::new(),
        ty: Type::Named(boolean),
        directives: ast::DirectiveList::new(),
    };
    object.make_mut().fields.entry(name).or_insert_with(|| Component::new(field));
}

/// Definitions of the built-in file and of the connectors.
struct Hidden {
    files: HashSet<FileId>,
    directives: HashSet<Name>,
}

impl Hidden {
    fn of(schema: &Schema) -> Self {
        let built_in =
            |(_, file): &(&FileId, &std::sync::Arc<apollo_compiler::parser::SourceFile>)| {
                file.path() == Path::new(directive::FILE)
            };
        let files: HashSet<FileId> =
            schema.sources.iter().filter(built_in).map(|(id, _)| *id).collect();
        let directives = schema
            .directive_definitions
            .iter()
            .filter(|(_, found)| found.location().is_some_and(|at| files.contains(&at.file_id())))
            .map(|(name, _)| name.clone())
            .collect();
        Self { files, directives }
    }

    fn stands_in(&self, location: Option<SourceSpan>) -> bool {
        location.is_some_and(|at| self.files.contains(&at.file_id()))
    }

    fn keep(&self, list: &ast::DirectiveList) -> ast::DirectiveList {
        list.iter().filter(|one| !self.directives.contains(&one.name)).cloned().collect()
    }

    fn keep_on_type(&self, list: &DirectiveList) -> DirectiveList {
        let kept = list.iter().filter(|one| !self.directives.contains(&one.name));
        kept.map(|one| Component::from(one.node.clone())).collect()
    }
}

fn strip_schema(schema: &mut Schema, hidden: &Hidden) {
    let definition = schema.schema_definition.make_mut();
    definition.directives = hidden.keep_on_type(&definition.directives);
    let roots = [&mut definition.query, &mut definition.mutation, &mut definition.subscription];
    for root in roots.into_iter().flatten() {
        root.origin = ComponentOrigin::Definition;
    }
}

fn strip(found: &mut ExtendedType, hidden: &Hidden) {
    match found {
        ExtendedType::Scalar(scalar) => {
            let scalar = scalar.make_mut();
            scalar.directives = hidden.keep_on_type(&scalar.directives);
        }
        ExtendedType::Object(object) => {
            let object = object.make_mut();
            object.directives = hidden.keep_on_type(&object.directives);
            object.implements_interfaces = names(&object.implements_interfaces);
            object.fields.retain(|_, field| !field.directives.has("internal"));
            object.fields.values_mut().for_each(|field| strip_field(field, hidden));
        }
        ExtendedType::Interface(interface) => {
            let interface = interface.make_mut();
            interface.directives = hidden.keep_on_type(&interface.directives);
            interface.implements_interfaces = names(&interface.implements_interfaces);
            interface.fields.values_mut().for_each(|field| strip_field(field, hidden));
        }
        ExtendedType::Union(union_) => {
            let union_ = union_.make_mut();
            union_.directives = hidden.keep_on_type(&union_.directives);
            union_.members = names(&union_.members);
        }
        ExtendedType::Enum(values) => {
            let values = values.make_mut();
            values.directives = hidden.keep_on_type(&values.directives);
            for value in values.values.values_mut() {
                value.origin = ComponentOrigin::Definition;
                let kept = hidden.keep(&value.directives);
                value.make_mut().directives = kept;
            }
        }
        ExtendedType::InputObject(input) => {
            let input = input.make_mut();
            input.directives = hidden.keep_on_type(&input.directives);
            for field in input.fields.values_mut() {
                field.origin = ComponentOrigin::Definition;
                let kept = hidden.keep(&field.directives);
                field.make_mut().directives = kept;
            }
        }
    }
}

fn strip_field(field: &mut Component<FieldDefinition>, hidden: &Hidden) {
    field.origin = ComponentOrigin::Definition;
    let field = field.make_mut();
    field.directives = hidden.keep(&field.directives);
    field.arguments.retain(|argument| !argument.directives.has("require"));
    for argument in &mut field.arguments {
        let kept = hidden.keep(&argument.directives);
        argument.make_mut().directives = kept;
    }
}

/// Returns the same names without the information which extension added them.
fn names(
    from: &apollo_compiler::collections::IndexSet<ComponentName>,
) -> apollo_compiler::collections::IndexSet<ComponentName> {
    from.iter().map(|name| ComponentName::from(&name.name)).collect()
}

/// Returns every type that is reachable from the roots and the directives.
fn reachable(schema: &Schema) -> HashSet<Name> {
    let implementers = schema.implementers_map();
    let mut seen = HashSet::new();
    let mut waiting: Vec<Name> = schema
        .schema_definition
        .iter_root_operations()
        .map(|(_, root)| root.name.clone())
        .collect();
    let mut arguments: Vec<&Node<ast::InputValueDefinition>> = Vec::new();
    for definition in schema.directive_definitions.values() {
        arguments.extend(&definition.arguments);
    }
    let named = |ty: &Type| ty.inner_named_type().clone();
    waiting.extend(arguments.iter().map(|argument| named(&argument.ty)));
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let fields = match schema.types.get(&name) {
            Some(ExtendedType::Object(object)) => {
                waiting.extend(object.implements_interfaces.iter().map(|one| one.name.clone()));
                &object.fields
            }
            Some(ExtendedType::Interface(interface)) => {
                waiting.extend(interface.implements_interfaces.iter().map(|one| one.name.clone()));
                waiting.extend(
                    implementers.get(&name).into_iter().flat_map(|found| found.iter().cloned()),
                );
                &interface.fields
            }
            Some(ExtendedType::Union(union_)) => {
                waiting.extend(union_.members.iter().map(|one| one.name.clone()));
                continue;
            }
            Some(ExtendedType::InputObject(input)) => {
                waiting.extend(input.fields.values().map(|field| named(&field.ty)));
                continue;
            }
            _ => continue,
        };
        for field in fields.values() {
            waiting.push(named(&field.ty));
            waiting.extend(field.arguments.iter().map(|argument| named(&argument.ty)));
        }
    }
    seen
}
