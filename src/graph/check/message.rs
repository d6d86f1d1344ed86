//! What an expression reads of a gRPC reply, held against a type.

use crate::graph::words::{Words, is_list};
use crate::mapping::{Expr, ExprKind, Method};
use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

/// A part of a reply.
#[derive(Clone)]
pub(super) struct Found {
    /// As problems show it, such as ``the field `rows` of `shop.v1.Reply` ``.
    shown: String,
    repeated: bool,
    kind: Kind,
    /// The repeated field to name instead, of a message.
    list: Option<String>,
}

impl Found {
    /// The whole reply.
    pub(super) fn message(message: MessageDescriptor) -> Self {
        let list = message.fields().find(FieldDescriptor::is_list);
        Self {
            shown: format!("the reply `{}`", message.full_name()),
            repeated: false,
            list: list.map(|field| field.name().to_owned()),
            kind: Kind::Message(message),
        }
    }

    /// One element, of what is repeated.
    pub(super) fn element(self) -> Self {
        Self { repeated: false, ..self }
    }

    /// Why it does not fit a type, and how to fix it.
    pub(super) fn misfit(
        &self,
        schema: &Schema,
        coordinate: &str,
        ty: &Type,
    ) -> Option<(String, String)> {
        let inner = ty.inner_named_type().as_str();
        if Words(schema).is_custom_scalar(inner) {
            return None;
        }
        let Self { shown, kind, .. } = self;
        match (self.repeated, is_list(ty)) {
            (true, false) => {
                let message = format!("{shown} is a list, but `{coordinate}` is of type `{ty}`");
                let help =
                    format!("change the type to `[{ty}]`, or select one element with `->first`");
                return Some((message, help));
            }
            (false, true) => {
                let message =
                    format!("{shown} is not a list, but `{coordinate}` is of type `{ty}`");
                let help = match &self.list {
                    Some(list) => format!("select the list inside it: `$.{list}`"),
                    None => format!("change the type to `{inner}`"),
                };
                return Some((message, help));
            }
            _ => {}
        }
        let is_leaf = Words(schema).is_leaf(inner);
        let (found, fits) = match kind {
            Kind::Message(_) => ("a message", !is_leaf),
            Kind::Enum(_) => ("an enum", is_leaf && !matches!(inner, "Float" | "Boolean")),
            Kind::Bool => {
                ("a bool", is_leaf && !matches!(inner, "Int" | "Float" | "String" | "ID"))
            }
            Kind::String | Kind::Bytes => {
                ("a string", is_leaf && !matches!(inner, "Int" | "Float" | "Boolean"))
            }
            Kind::Double | Kind::Float => {
                ("a number", is_leaf && !matches!(inner, "String" | "Boolean" | "ID"))
            }
            _ => ("a number", is_leaf && inner != "Boolean"),
        };
        let message = format!("{shown} is {found}, but `{coordinate}` is of type `{inner}`");
        let help = match kind {
            Kind::Message(message) => match message.fields().next() {
                Some(field) => format!("select a field of the message, such as `{}`", field.name()),
                None => "the message has no fields to select".to_owned(),
            },
            _ => "change the type of the field to match the message, or select another field"
                .to_owned(),
        };
        (!fits).then_some((message, help))
    }
}

/// What `expr` reads where `current` is at hand; `None` where that cannot be told.
pub(super) fn read(expr: &Expr, current: Option<&Found>) -> Option<Found> {
    match &expr.kind {
        ExprKind::Current => current.cloned(),
        ExprKind::Key { of, name, .. } => {
            let of = read(of, current)?;
            let Kind::Message(message) = &of.kind else { return None };
            let found = of_field(message, name)?;
            // A key of a list is read from each of its elements.
            Some(Found { repeated: found.repeated || of.repeated, ..found })
        }
        ExprKind::Select { of, .. } => read(of, current),
        ExprKind::Method { of, method: Method::First | Method::Last, .. } => {
            let found = read(of, current)?;
            found.repeated.then(|| found.element())
        }
        _ => None,
    }
}

/// A field of a message; none for maps and for well-known types, whose JSON form differs from their fields.
pub(super) fn of_field(message: &MessageDescriptor, name: &str) -> Option<Found> {
    let by_name = message.get_field_by_name(name);
    let field: FieldDescriptor = by_name.or_else(|| message.get_field_by_json_name(name))?;
    let is_well_known =
        |message: &MessageDescriptor| message.parent_file().package_name() == "google.protobuf";
    match field.kind() {
        Kind::Message(inner) if field.is_map() || is_well_known(&inner) => None,
        Kind::Enum(inner) if inner.full_name() == "google.protobuf.NullValue" => None,
        kind => Some(Found {
            shown: format!("the field `{}` of `{}`", field.name(), message.full_name()),
            repeated: field.is_list(),
            list: match &kind {
                Kind::Message(inner) => inner
                    .fields()
                    .find(FieldDescriptor::is_list)
                    .map(|list| format!("{}.{}", field.name(), list.name())),
                _ => None,
            },
            kind,
        }),
    }
}
