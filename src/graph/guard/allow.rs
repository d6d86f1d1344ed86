//! The text of `@allow`: one boolean expression over the token, the request, the field's arguments and its parent
//! object.

use super::{Allow, On};
use crate::graph::words::{Words, dotted, insert_path, is_list};
use crate::graph::{FieldSelection, alias};
use crate::graphql::Name;
use crate::mapping::{Expr, ExprKind, Kinds, Mapping, Method, Reference, Variable};
use crate::problem::{Problem, instead};
use crate::source::Argument;
use apollo_compiler::ast::Type;
use serde_json::Value;
use std::ops::Range;

/// Reads one rule; `None` if the text cannot be parsed. Other errors still give a rule, but then the load fails.
pub(super) fn read(
    words: Words<'_>,
    on: On<'_>,
    is_root: bool,
    text: &Argument,
    problems: &mut Vec<Problem>,
) -> Option<Allow> {
    let rule = match Mapping::parse(text.text()?) {
        Ok(rule) => rule,
        Err(errors) => {
            problems.extend(errors.into_iter().map(|error| text.problem("invalid-guard", error)));
            return None;
        }
    };
    let references = rule.references();
    let (this, enums) = (Vec::new(), Vec::new());
    let mut checking = Checking { words, on, is_root, text, this, enums, problems };
    checking.truth(rule.expr());
    for reference in &references {
        checking.reference(reference);
    }
    checking.comparisons(rule.expr());
    let names = |variable| references.iter().any(|reference| reference.variable == variable);
    let this = checking.this;
    Some(Allow {
        names_claims: names(Variable::Claims),
        names_arguments: names(Variable::Args),
        this,
        rule,
    })
}

struct Checking<'a> {
    words: Words<'a>,
    on: On<'a>,
    is_root: bool,
    text: &'a Argument,
    this: Vec<FieldSelection>,
    /// Positions of enums in the text, and their types.
    enums: Vec<(Range<usize>, Type)>,
    problems: &'a mut Vec<Problem>,
}

impl Checking<'_> {
    fn refuse(
        &mut self,
        code: &'static str,
        span: &Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        let problem = Problem::error(code, message).at(self.text.place_of(span));
        self.problems.push(match help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// Refuses an expression that can never be `true`, because it would deny every caller.
    fn truth(&mut self, expr: &Expr) {
        let found = match &expr.kind {
            ExprKind::Object(_) | ExprKind::Select { .. } => "an object",
            ExprKind::List(_) => "a list",
            ExprKind::Literal(Value::Bool(_)) => return,
            ExprKind::Literal(_) => "another kind of value",
            ExprKind::Current | ExprKind::At => "`$`, which a rule does not have",
            ExprKind::Method { .. } if expr.kinds() == Kinds::LIST => "a list",
            ExprKind::Method { .. } if expr.kinds() == Kinds::TEXT => "a string",
            ExprKind::Method { .. } if expr.kinds() == Kinds::NUMBER => "a number",
            ExprKind::Method { .. } if !expr.may_be_boolean() => "another kind of value",
            ExprKind::Optional { of } => return self.truth(of),
            ExprKind::Variable(_) => "a whole variable",
            ExprKind::Coalesce { left, right } => {
                self.truth(left);
                return self.truth(right);
            }
            ExprKind::Key { .. } | ExprKind::Method { .. } => return,
        };
        let message = format!("a rule must be true or false, but this is {found}");
        let help = "compare values, such as `$claims.sub->eq($this.id)`";
        self.refuse("invalid-guard", &expr.span, message, Some(help.into()));
    }

    fn reference(&mut self, reference: &Reference) {
        match reference.variable {
            Variable::Claims | Variable::RequestHeaders | Variable::RequestIp => {}
            Variable::Args => self.argument(reference),
            Variable::This => self.parent(reference),
            other => {
                let message = format!("`{}` is not available in a rule", other.as_str());
                let help = "a rule can use `$claims`, `$request`, `$args` and `$this`";
                self.refuse("misplaced-variable", &reference.span, message, Some(help.into()));
            }
        }
    }

    fn argument(&mut self, reference: &Reference) {
        let ty = self.on.type_name;
        let Some(field) = self.on.field else {
            let message = format!("the fields that return `{ty}` have different arguments");
            let help = "move the rule to the field whose `$args` it uses";
            return self.refuse("misplaced-variable", &reference.span, message, Some(help.into()));
        };
        let coordinate = format!("{ty}.{}", field.name);
        let Some((first, rest)) = reference.path.split_first() else {
            let message = "`$args` alone is not a value to compare".to_owned();
            let help = "name an argument, such as `$args.id`";
            return self.refuse("unknown-reference", &reference.span, message, Some(help.into()));
        };
        let Some(argument) = field.argument_by_name(first) else {
            let known: Vec<&str> =
                field.arguments.iter().map(|argument| argument.name.as_str()).collect();
            let help = instead(first, &known, "$args.");
            let message = format!("`{coordinate}` has no argument `{first}`");
            return self.refuse("unknown-reference", &reference.span, message, help);
        };
        if argument.directives.has("require") {
            let message = format!("`{first}` is filled from the parent object, not by the client");
            let help = "use the field of the parent object instead, with `$this`";
            return self.refuse("misplaced-variable", &reference.span, message, Some(help.into()));
        }
        let mut ty = (*argument.ty).clone();
        for name in rest {
            let inner = ty.inner_named_type().clone();
            if self.words.is_custom_scalar(&inner) {
                return;
            }
            let input = self.words.0.get_input_object(&inner);
            let Some(found) = input.and_then(|input| input.fields.get(&**name)) else {
                let message = format!("`{inner}` has no field `{name}`");
                return self.refuse("unknown-reference", &reference.span, message, None);
            };
            ty = (*found.ty).clone();
        }
        self.boolean(reference, &ty);
    }

    /// Returns the field whose parent `$this` is.
    fn guarded_field(&mut self, reference: &Reference) -> Option<String> {
        let ty = self.on.type_name;
        let (message, help) = match self.on.field {
            Some(field) if !self.is_root => return Some(format!("{ty}.{}", field.name)),
            Some(field) => (
                format!("`{ty}.{}` has no parent object, so there is no `$this`", field.name),
                "use `$args` or `$claims`",
            ),
            None => (
                format!(
                    "a rule on the type `{ty}` applies to every field that returns it, so it has no `$this`"
                ),
                "move the rule to the fields whose parent it needs",
            ),
        };
        self.refuse("misplaced-variable", &reference.span, message, Some(help.into()));
        None
    }

    fn parent(&mut self, reference: &Reference) {
        let Some(coordinate) = self.guarded_field(reference) else { return };
        let mut at = self.on.type_name.to_owned();
        let mut steps: Vec<Name> = Vec::new();
        let mut end: Option<Type> = None;
        for name in &reference.path {
            if self.words.is_custom_scalar(&at) {
                break;
            }
            let Ok(field) = self.words.0.type_field(&at, name) else {
                let help = instead(name, &self.words.fields(&at), "");
                let message = format!("`{at}` has no field `{name}`");
                return self.refuse("unknown-reference", &reference.span, message, help);
            };
            if field.arguments.iter().any(|argument| argument.is_required()) {
                let message =
                    format!("`{at}.{name}` has required arguments, which a rule cannot pass");
                return self.refuse("unknown-reference", &reference.span, message, None);
            }
            at = field.ty.inner_named_type().to_string();
            steps.push(Name::from(&**name));
            end = Some(field.ty.clone());
        }
        let Some(end) = end else {
            let message = "`$this` alone is not a value to compare".to_owned();
            let help = "name a field, such as `$this.id`";
            return self.refuse("unknown-reference", &reference.span, message, Some(help.into()));
        };
        if !self.words.is_leaf(&at) {
            let path = dotted(&steps);
            let message = format!("`$this.{path}` is an object");
            let help = format!("name one of its fields, such as `$this.{path}.id`");
            return self.refuse("not-scalar", &reference.span, message, Some(help));
        }
        if self
            .on
            .field
            .is_some_and(|field| steps.first().is_some_and(|first| **first == *field.name))
        {
            let message = format!("the rule of `{coordinate}` uses the field that it guards");
            let help = "use another field in the rule";
            return self.refuse("cyclic-requirement", &reference.span, message, Some(help.into()));
        }
        self.boolean(reference, &end);
        insert_path(&mut self.this, &steps);
    }

    /// Checks that an enum is compared with its own values, by their names in the schema. Any other value gives a rule
    /// that is always false, or always true.
    fn comparisons(&mut self, expr: &Expr) {
        expr.children().into_iter().for_each(|child| self.comparisons(child));
        let ExprKind::Method { of, method, arguments, .. } = &expr.kind else { return };
        if !matches!(method, Method::Eq | Method::Ne | Method::In | Method::Contains) {
            return;
        }
        let sides = || std::iter::once(&**of).chain(arguments);
        let ty = sides().find_map(|side| {
            let (_, ty) = self.enums.iter().find(|(span, _)| *span == side.span)?;
            Some(ty.inner_named_type().clone())
        });
        let Some(ty) = ty else { return };
        let Some(definition) = self.words.0.get_enum(&ty) else { return };
        let names: Vec<&str> =
            definition.values.keys().map(apollo_compiler::Name::as_str).collect();
        let literals = sides().flat_map(|side| match &side.kind {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(side),
        });
        for literal in literals {
            let ExprKind::Literal(Value::String(name)) = &literal.kind else { continue };
            if names.contains(&name.as_str()) {
                continue;
            }
            let message = format!("`{ty}` has no value `{name}`");
            let alias = definition.values.values().find(|value| alias::of(value) == Some(name));
            let help = match alias {
                Some(value) => Some(format!("rules use the name in the schema: `{}`", value.value)),
                None => instead(name, &names, ""),
            };
            self.refuse("invalid-guard", &literal.span, message, help);
        }
    }

    /// Checks that a path that is the whole rule is boolean.
    fn boolean(&mut self, reference: &Reference, ty: &Type) {
        let inner = ty.inner_named_type();
        if self.words.0.get_enum(inner).is_some() {
            self.enums.push((reference.span.clone(), ty.clone()));
        }
        let whole = reference.bare && reference.span == (0..self.text.text().map_or(0, str::len));
        if whole && (is_list(ty) || (inner != "Boolean" && !self.words.is_custom_scalar(inner))) {
            let message = format!("a rule must be true or false, but this is of type `{ty}`");
            let help = "compare values, such as `$claims.sub->eq($this.id)`";
            self.refuse("invalid-guard", &reference.span, message, Some(help.into()));
        }
    }
}
