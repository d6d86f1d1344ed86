//! Checks each reference against the schema.

use crate::graph::batch;
use crate::graph::binding::Bound;
use crate::graph::words::{Words, dotted, insert_path, list_depth};
use crate::graph::{Batch, FieldSelection, KeyPath};
use crate::graphql::Name;
use crate::mapping::{Position, Variable};
use crate::problem::{Problem, instead};
use crate::source::Placed;
use apollo_compiler::Schema;
use apollo_compiler::ast::{FieldDefinition, Type};
use apollo_compiler::schema::ExtendedType;

/// References of one binding.
pub(super) struct Checking<'a> {
    schema: &'a Schema,
    bound: &'a Bound,
    field: &'a FieldDefinition,
    is_root: bool,
    parent: Vec<FieldSelection>,
    asked: Vec<KeyPath>,
    problems: &'a mut Vec<Problem>,
}

/// End of a path.
struct End {
    ty: Type,
    nullable: bool,
    /// Nesting of lists.
    lists: usize,
}

impl<'a> Checking<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        bound: &'a Bound,
        field: &'a FieldDefinition,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let is_root = Words(schema).root(&bound.type_name).is_some();
        let (parent, asked) = (Vec::new(), Vec::new());
        Self { schema, bound, field, is_root, parent, asked, problems }
    }

    /// Returns the parent fields that the binding uses, and the batch rule of an entity field.
    pub(super) fn finish(mut self) -> (Vec<FieldSelection>, Option<Batch>) {
        let batch = self.batch();
        (self.parent, batch)
    }

    fn refuse(
        &mut self,
        code: &'static str,
        placed: &Placed,
        message: String,
        help: Option<String>,
    ) {
        let problem = Problem::error(code, message).at(placed.place.clone());
        self.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    pub(super) fn one(&mut self, placed: &Placed) {
        match placed.reference.variable {
            Variable::Args => self.args(placed),
            Variable::This => self.this(placed),
            Variable::Batch => self.in_batch(placed),
            _ => {}
        }
    }

    fn args(&mut self, placed: &Placed) {
        let path = &placed.reference.path;
        let coordinate = self.bound.coordinate();
        let Some((first, rest)) = path.split_first() else {
            if placed.reference.bare && placed.reference.position != Position::Mapping {
                let message = "`$args` is an object, but a scalar is required here".to_owned();
                self.refuse(
                    "not-scalar",
                    placed,
                    message,
                    Some("name an argument, such as `$args.id`".into()),
                );
            }
            return;
        };
        let Some(argument) = self.field.argument_by_name(first) else {
            let known: Vec<&str> =
                self.field.arguments.iter().map(|argument| argument.name.as_str()).collect();
            let help = instead(first, &known, "$args.");
            let message = format!("`{coordinate}` has no argument `{first}`");
            self.refuse("unknown-reference", placed, message, help);
            return;
        };
        let mut end = End {
            ty: (*argument.ty).clone(),
            nullable: !argument.ty.is_non_null(),
            lists: list_depth(&argument.ty),
        };
        for name in rest {
            let inner = end.ty.inner_named_type().clone();
            if Words(self.schema).is_custom_scalar(&inner) {
                return;
            }
            let input = self.schema.get_input_object(&inner);
            let Some(field) = input.and_then(|input| input.fields.get(&**name)) else {
                let known: Vec<&str> = input.map_or_else(Vec::new, |input| {
                    input.fields.keys().map(apollo_compiler::Name::as_str).collect()
                });
                let help = instead(name, &known, "");
                self.refuse(
                    "unknown-reference",
                    placed,
                    format!("`{inner}` has no field `{name}`"),
                    help,
                );
                return;
            };
            end.nullable |= !field.ty.is_non_null();
            end.lists += list_depth(&field.ty);
            end.ty = (*field.ty).clone();
        }
        self.position(placed, &end);
    }

    fn this(&mut self, placed: &Placed) {
        if self.is_root {
            let message = format!(
                "`{}` has no parent object, so there is no `$this`",
                self.bound.coordinate()
            );
            self.refuse(
                "misplaced-variable",
                placed,
                message,
                Some("use `$args` or `$claims`".into()),
            );
            return;
        }
        if let Some(end) = self.parent_path(placed) {
            self.position(placed, &end);
        }
    }

    fn in_batch(&mut self, placed: &Placed) {
        let coordinate = self.bound.coordinate();
        if self.is_root {
            let message = format!("`{coordinate}` has no parent objects, so there is no `$batch`");
            let help = "use a list argument for the keys of a lookup, such as `$args.ids`";
            self.refuse("misplaced-variable", placed, message, Some(help.into()));
            return;
        }
        if self.bound.batch.is_none() {
            let message = format!("`$batch` is used, but `{coordinate}` has no `batch`");
            let help = "add `batch: { … }`, or use `$this` for one call per object";
            self.refuse("misplaced-variable", placed, message, Some(help.into()));
            return;
        }
        let Some(end) = self.parent_path(placed) else { return };
        let inner = end.ty.inner_named_type();
        if end.lists > 0 || !Words(self.schema).is_leaf(inner) {
            let path = dotted(&placed.reference.path);
            let message = format!("`{path}` is of type `{}`, but keys must be scalars", end.ty);
            self.refuse("not-scalar", placed, message, None);
            return;
        }
        let path: KeyPath = placed.reference.path.iter().map(|name| Name::from(&**name)).collect();
        if !self.asked.contains(&path) {
            self.asked.push(path);
        }
        self.position(placed, &End { lists: 1, nullable: false, ty: end.ty });
    }

    /// Follows a path through the parent's fields, and adds it to the parent fields that the binding uses.
    fn parent_path(&mut self, placed: &Placed) -> Option<End> {
        let path = &placed.reference.path;
        let variable = if placed.reference.variable == Variable::This { "$this" } else { "$batch" };
        let mut at = self.bound.type_name.clone();
        let mut end: Option<End> = None;
        for name in path {
            let Some(field) = self.field_of(&at, name, placed) else {
                // A custom scalar may hold any value: its contents are unknown.
                if Words(self.schema).is_custom_scalar(&at) {
                    break;
                }
                return None;
            };
            end = Some(End {
                nullable: end.as_ref().is_some_and(|end| end.nullable) || !field.is_non_null(),
                lists: end.as_ref().map_or(0, |end| end.lists) + list_depth(&field),
                ty: field.clone(),
            });
            at = field.inner_named_type().to_string();
        }
        let Some(end) = end else {
            let message = format!("`{variable}` alone is not a scalar");
            let help = format!("name a field, such as `{variable}.id`");
            self.refuse("unknown-reference", placed, message, Some(help));
            return None;
        };
        if !Words(self.schema).is_leaf(&at) && self.schema.types.contains_key(at.as_str()) {
            let name = dotted(path);
            let message = format!("`{variable}.{name}` is an object");
            let help = format!("name one of its fields, such as `{variable}.{name}.id`");
            self.refuse("not-scalar", placed, message, Some(help));
            return None;
        }
        let known: Vec<Name> = self.known_steps(path);
        insert_path(&mut self.parent, &known);
        Some(end)
    }

    /// Returns the steps of a path that are fields of the schema.
    fn known_steps(&self, path: &[Box<str>]) -> Vec<Name> {
        let mut at = self.bound.type_name.clone();
        let mut steps = Vec::new();
        for name in path {
            let Ok(field) = self.schema.type_field(&at, name) else { break };
            steps.push(Name::from(&**name));
            at = field.ty.inner_named_type().to_string();
        }
        steps
    }

    fn field_of(&mut self, parent: &str, name: &str, placed: &Placed) -> Option<Type> {
        match self.schema.types.get(parent) {
            Some(ExtendedType::Object(_) | ExtendedType::Interface(_)) => {}
            Some(ExtendedType::Scalar(scalar)) if !scalar.is_built_in() => return None,
            None => return None,
            Some(_) => {
                self.refuse(
                    "unknown-reference",
                    placed,
                    format!("`{parent}` has no field `{name}`"),
                    None,
                );
                return None;
            }
        }
        let Ok(field) = self.schema.type_field(parent, name) else {
            let known = Words(self.schema).fields(parent);
            let help = instead(name, &known, "");
            self.refuse(
                "unknown-reference",
                placed,
                format!("`{parent}` has no field `{name}`"),
                help,
            );
            return None;
        };
        let ty = field.ty.clone();
        if field.arguments.iter().any(|argument| argument.is_required()) {
            let message =
                format!("`{parent}.{name}` has required arguments, which a binding cannot pass");
            self.refuse("unknown-reference", placed, message, None);
            return None;
        }
        Some(ty)
    }

    /// Checks the type of a bare path's value against its position.
    fn position(&mut self, placed: &Placed, end: &End) {
        let reference = &placed.reference;
        if !reference.bare || reference.position == Position::Mapping {
            return;
        }
        let inner = end.ty.inner_named_type();
        let found = self.schema.types.get(inner);
        let name = written(placed);
        if found.is_some_and(|found| !found.is_leaf()) {
            let message = format!("`{name}` is of type `{inner}`, but a scalar is required here");
            self.refuse("not-scalar", placed, message, Some("name one of its fields".into()));
        } else if end.lists > 0 && reference.position != Position::QueryValue {
            let message = format!("`{name}` is a list, but a scalar is required here");
            let help = format!(
                "join it, such as `{name}->joinNotNull(',')`; as the whole value of a query parameter, such as `?id={{{name}}}`, it repeats the parameter"
            );
            self.refuse("not-scalar", placed, message, Some(help));
        } else if end.lists > 1 {
            let message =
                format!("`{name}` is a list of lists, but a list of scalars is required here");
            self.refuse(
                "not-scalar",
                placed,
                message,
                Some("select or join one of its lists".into()),
            );
        } else if end.nullable && reference.position == Position::PathSegment {
            let message = format!("`{name}` may be null, but a path segment must not be empty");
            let help = format!("make it non-null in the schema, or add a default: `{name} ?? …`");
            self.refuse("nullable-in-path", placed, message, Some(help));
        }
    }

    /// Returns the batch rule of an entity field; lookups have theirs already.
    fn batch(&mut self) -> Option<Batch> {
        let rule = self.bound.batch.as_ref()?;
        let coordinate = self.bound.coordinate();
        let refusal = if self.is_root {
            let message = format!("`{coordinate}` is not a lookup, so it cannot be batched");
            // Without `@lookup`, these are reported themselves.
            let is_meant =
                ["lookup", "internal"].iter().any(|name| self.field.directives.has(name))
                    || self.field.arguments.iter().any(|argument| argument.directives.has("is"));
            (!is_meant).then_some((message, "add `@lookup`, or remove `batch`"))
        } else {
            let message =
                format!("`{coordinate}` has a `batch`, but its binding does not use `$batch`");
            let is_silent = self.asked.is_empty() && !self.names_batch();
            is_silent.then_some((message, "use `$batch` for the keys, such as `$batch.id`"))
        };
        if let Some((message, help)) = refusal {
            let problem = Problem::error("invalid-batch", message);
            self.problems.push(problem.at(rule.place.clone()).help(help));
        }
        if self.is_root || self.asked.is_empty() {
            return None;
        }
        let target =
            batch::Target { schema: self.schema, coordinate, ty: &self.field.ty, is_lookup: false };
        batch::read(rule, &target, std::mem::take(&mut self.asked), self.problems)
    }

    /// Returns `true` if a `$batch` was used and refused: its own problem is more precise than another one.
    fn names_batch(&self) -> bool {
        self.problems.iter().any(|problem| {
            problem.place.as_ref().is_some_and(|place| {
                std::sync::Arc::ptr_eq(&place.file, &self.bound.place.file)
                    && self.bound.place.span.contains(&place.span.start)
            })
        })
    }
}

fn written(placed: &Placed) -> String {
    let variable = match placed.reference.variable {
        Variable::This => "$this",
        Variable::Batch => "$batch",
        _ => "$args",
    };
    let mut text = variable.to_owned();
    for name in &placed.reference.path {
        text.push('.');
        text.push_str(name);
    }
    text
}
