//! Reading `@globalId` and `@node`: what they say, and what is wrong with it.

use super::{GlobalIds, IdPlace};
use crate::graph::lookup::Found;
use crate::graph::merge::Merged;
use crate::graph::words::{Root, Words, leaf_paths};
use crate::graph::{KeyPath, ListSize, LookupArguments, LookupElement, ObjectType};
use crate::graphql::Name;
use crate::problem::{Problem, instead};
use apollo_compiler::Node;
use apollo_compiler::ast::{Directive, FieldDefinition, InputValueDefinition, Type};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use hashbrown::{HashMap, HashSet};

const DIRECTIVE: &str = "globalId";

/// Reads the directives, and sets the lengths of the lists of `@node` fields.
pub(in crate::graph) fn read(
    merged: &Merged,
    types: &mut HashMap<Name, ObjectType>,
    lookups: &[Found],
    problems: &mut Vec<Problem>,
) -> GlobalIds {
    let mut reading = Reading { merged, ids: GlobalIds::default(), problems };
    reading.prefixes(types);
    reading.marked();
    reading.of_lookups(lookups);
    reading.inputs_of_inputs();
    reading.defaults();
    reading.nodes(types, lookups);
    reading.ids
}

struct Reading<'a> {
    merged: &'a Merged,
    ids: GlobalIds,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reading<'a> {
    fn refuse(&mut self, at: Option<SourceSpan>, message: String, help: &str) {
        let place = self.merged.places.of(at);
        self.problems.push(Problem::error("invalid-global-id", message).at(place).help(help));
    }

    /// Reads `@globalId(prefix: …)` on types.
    fn prefixes(&mut self, types: &HashMap<Name, ObjectType>) {
        for (name, object) in Words(&self.merged.schema).objects() {
            let Some(directive) = object.directives.get(DIRECTIVE) else { continue };
            let at = directive.location();
            let prefix = directive.specified_argument_by_name("prefix").and_then(|it| it.as_str());
            let key: KeyPath = vec!["id".into()];
            let has_key = types.get(name).is_some_and(|found| {
                found.keys.iter().any(|paths| leaf_paths(paths) == [key.clone()])
            });
            let is_id = object.fields.get("id").is_some_and(|field| is_id(&field.ty));
            let Some(prefix) = prefix.filter(|prefix| is_prefix(prefix)) else {
                let message = format!("`@globalId` on `{name}` has no valid `prefix`");
                let help = "write `@globalId(prefix: \"user\")`; a prefix has only letters, digits, `_`, `-` and `.`";
                self.refuse(at, message, help);
                continue;
            };
            if let Some(other) = self.ids.types.get(prefix) {
                let message =
                    format!("the IDs of `{other}` and `{name}` have the same prefix, `{prefix}`");
                self.refuse(at, message, "give each type a different prefix");
            } else if !has_key || !is_id {
                let message = format!("`{name}` has a global ID, but no key `id` of type `ID`");
                let help = "add `@key(fields: \"id\")` and `id: ID!`; if the service uses another name, rename it in `select`: `id: uid`";
                self.refuse(at, message, help);
            } else {
                let ty = Name::from(name);
                self.ids.prefixes.insert(ty.clone(), format!("{prefix}:").into());
                self.ids.types.insert(prefix.into(), ty.clone());
                self.ids.fields.entry(ty.clone()).or_default().insert("id".into(), ty);
            }
        }
    }

    /// Adds the arguments of lookups that take the `id` of a type with a prefix.
    fn of_lookups(&mut self, lookups: &[Found]) {
        let Some(query) = self.merged.schema.schema_definition.query.as_ref() else { return };
        let is_id = |path: &KeyPath| matches!(path.as_slice(), [id] if &**id == "id");
        for Found { lookup, .. } in lookups {
            if self.ids.prefix(&lookup.entity).is_none() {
                continue;
            }
            let place = IdPlace::Id(lookup.entity.clone());
            match &lookup.arguments {
                LookupArguments::One(arguments) => {
                    for (argument, _) in arguments.iter().filter(|(_, path)| is_id(path)) {
                        self.argument(query, &lookup.field, argument, &place);
                    }
                }
                LookupArguments::Many { argument, element: LookupElement::Scalar(path) } => {
                    if is_id(path) {
                        self.argument(query, &lookup.field, argument, &place);
                    }
                }
                LookupArguments::Many { argument, element: LookupElement::Object(fields) } => {
                    let field = self.merged.schema.type_field(query, &lookup.field).ok();
                    let input = field.and_then(|field| field.argument_by_name(argument));
                    let Some(input) = input.map(|input| input.ty.inner_named_type()) else {
                        continue;
                    };
                    for (name, _) in fields.iter().filter(|(_, path)| is_id(path)) {
                        self.input(input, name, place.clone());
                    }
                }
            }
        }
    }

    fn argument(&mut self, ty: &str, field: &str, argument: &str, place: &IdPlace) {
        let fields = self.ids.arguments.entry_ref(ty).or_default();
        let known = fields.entry_ref(field).or_default().insert(argument.into(), place.clone());
        if known.as_ref().is_some_and(|known| known != place) {
            let definition = self.merged.schema.type_field(ty, field).ok();
            let definition = definition.and_then(|field| field.argument_by_name(argument));
            let at = definition.and_then(Node::location);
            self.refuse_two_types(&format!("{ty}.{field}({argument}:)"), at);
        }
    }

    fn input(&mut self, ty: &str, field: &str, place: IdPlace) {
        let fields = self.ids.inputs.entry_ref(ty).or_default();
        match fields.iter().find(|(known, _)| &**known == field) {
            None => fields.push((field.into(), place)),
            Some((_, known)) if *known != place => {
                let input = self.merged.schema.get_input_object(ty);
                let at = input.and_then(|input| input.fields.get(field)?.location());
                self.refuse_two_types(&format!("{ty}.{field}"), at);
            }
            Some(_) => {}
        }
    }

    fn refuse_two_types(&mut self, coordinate: &str, at: Option<SourceSpan>) {
        let message = format!("`{coordinate}` has IDs of two types");
        let help =
            "a lookup's key is of the type that it returns: declare an input type for each lookup";
        self.refuse(at, message, help);
    }

    /// `@globalId(type: …)` on fields, arguments and input fields.
    fn marked(&mut self) {
        let merged = self.merged;
        for (name, found) in &merged.schema.types {
            match found {
                ExtendedType::Object(object) => {
                    for field in object.fields.values() {
                        self.field(name, field);
                    }
                }
                ExtendedType::InputObject(object) => {
                    for field in object.fields.values() {
                        let coordinate = format!("{name}.{}", field.name);
                        if let Some(ty) =
                            self.named(&coordinate, field.directives.get(DIRECTIVE), &field.ty)
                        {
                            self.input(name, &field.name, IdPlace::Id(ty));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn field(&mut self, ty: &str, field: &FieldDefinition) {
        let coordinate = format!("{ty}.{}", field.name);
        if let Some(of) = self.named(&coordinate, field.directives.get(DIRECTIVE), &field.ty) {
            self.ids.fields.entry_ref(ty).or_default().insert(field.name.as_str().into(), of);
        }
        for argument in &field.arguments {
            let coordinate = format!("{coordinate}({}:)", argument.name);
            if let Some(of) =
                self.named(&coordinate, argument.directives.get(DIRECTIVE), &argument.ty)
            {
                self.argument(ty, &field.name, &argument.name, &IdPlace::Id(of));
            }
        }
    }

    /// Returns the type that a directive on a field or argument with IDs names.
    fn named(
        &mut self,
        coordinate: &str,
        directive: Option<&Node<Directive>>,
        ty: &Type,
    ) -> Option<Name> {
        let directive = directive?;
        let at = directive.location();
        let of = directive.specified_argument_by_name("type").and_then(|of| of.as_str());
        let Some(of) = of else {
            let message = format!("`@globalId` on `{coordinate}` has no `type`");
            self.refuse(at, message, "add the type: `@globalId(type: \"User\")`");
            return None;
        };
        if ty.inner_named_type() != "ID" {
            let message =
                format!("`{coordinate}` is of type `{ty}`, but a global ID must be an `ID`");
            self.refuse(at, message, "change the type to `ID`, or to a list of `ID`");
            return None;
        }
        if self.ids.prefix(of).is_none() {
            // A type whose own directive is refused is reported there.
            let declares = self.merged.schema.get_object(of);
            if declares.is_none_or(|object| !object.directives.has(DIRECTIVE)) {
                let known: Vec<&str> = self.ids.prefixes.keys().map(|name| &**name).collect();
                let message =
                    format!("`{coordinate}` has global IDs of `{of}`, which has no prefix");
                let help = instead(of, &known, "").unwrap_or_else(|| {
                    format!("add the prefix: `type {of} @globalId(prefix: \"…\")`")
                });
                self.refuse(at, message, &help);
            }
            return None;
        }
        Some(of.into())
    }

    /// Adds arguments and input fields that contain IDs through input objects. Repeats until nothing is added.
    fn inputs_of_inputs(&mut self) {
        if self.ids.inputs.is_empty() {
            return;
        }
        let merged = self.merged;
        let mut used_by: HashMap<&str, Vec<(&str, &InputValueDefinition)>> = HashMap::new();
        for (name, found) in &merged.schema.types {
            let ExtendedType::InputObject(object) = found else { continue };
            for field in object.fields.values() {
                used_by.entry(field.ty.inner_named_type()).or_default().push((name, field));
            }
        }
        let mut open: Vec<Name> = self.ids.inputs.keys().cloned().collect();
        let mut seen: HashSet<Name> = open.iter().cloned().collect();
        while let Some(ty) = open.pop() {
            for (user, field) in used_by.get(&*ty).into_iter().flatten() {
                self.input(user, &field.name, IdPlace::Input(ty.clone()));
                if seen.insert((*user).into()) {
                    open.push((*user).into());
                }
            }
        }
        for (ty, object) in Words(&merged.schema).objects() {
            for field in object.fields.values() {
                for argument in &field.arguments {
                    let inner = argument.ty.inner_named_type().as_str();
                    if self.ids.inputs.contains_key(inner) {
                        let place = IdPlace::Input(inner.into());
                        self.argument(ty, &field.name, &argument.name, &place);
                    }
                }
            }
        }
    }

    /// Defaults have the prefixes of their IDs, like the values of clients.
    fn defaults(&mut self) {
        let merged = self.merged;
        for (ty, found) in &merged.schema.types {
            match found {
                ExtendedType::Object(object) => {
                    for field in object.fields.values() {
                        for argument in &field.arguments {
                            let place = self.ids.place(ty, &field.name, &argument.name).cloned();
                            self.default(place, argument);
                        }
                    }
                }
                ExtendedType::InputObject(object) => {
                    for field in object.fields.values() {
                        let places = self.ids.inputs.get(ty.as_str()).into_iter().flatten();
                        let mut places = places.filter(|(name, _)| **name == *field.name);
                        let place = places.next().map(|(_, place)| place.clone());
                        self.default(place, field);
                    }
                }
                _ => {}
            }
        }
    }

    fn default(&mut self, place: Option<IdPlace>, definition: &InputValueDefinition) {
        let (Some(place), Some(value)) = (place, &definition.default_value) else { return };
        if self.ids.fits_literal(&place, value) {
            return;
        }
        let types = self.ids.types_at(&place);
        let due = types.into_iter().filter_map(|ty| {
            Some(format!("an ID of `{ty}` begins with `{}`", self.ids.prefix(ty)?))
        });
        let due: Vec<String> = due.collect();
        let message =
            format!("the default of `{}` does not fit: {}", definition.name, due.join("; "));
        let at = self.merged.places.of(value.location());
        let help = "write the ID as clients do, with its prefix";
        self.problems.push(Problem::error("invalid-default", message).at(at).help(help));
    }

    /// `@node` on fields of `Query`.
    fn nodes(&mut self, types: &mut HashMap<Name, ObjectType>, lookups: &[Found]) {
        let merged = self.merged;
        let words = Words(&merged.schema);
        for (ty, object) in words.objects() {
            for field in object.fields.values() {
                let Some(directive) = field.directives.get("node") else { continue };
                let at = directive.location();
                if self.node(words.root(ty), ty, field, at) && self.has_lookups(field, at, lookups)
                {
                    self.ids.nodes.insert(field.name.as_str().into());
                    let argument = Name::from(field.arguments[0].name.as_str());
                    let field =
                        types.get_mut(ty).and_then(|ty| ty.fields.get_mut(field.name.as_str()));
                    let Some(field) = field else { continue };
                    let sized = || ListSize {
                        slicing_arguments: vec![vec![argument]],
                        ..ListSize::default()
                    };
                    field.list_size.get_or_insert_with(sized);
                }
            }
        }
    }

    fn node(
        &mut self,
        root: Option<Root>,
        ty: &str,
        field: &FieldDefinition,
        at: Option<SourceSpan>,
    ) -> bool {
        let coordinate = format!("{ty}.{}", field.name);
        if root != Some(Root::Query) {
            let place = self.merged.places.of(at);
            let message =
                format!("`{coordinate}` has `@node`, but is not a field of the query type");
            let help = "move it to the query type: `node(id: ID!): Node @node`";
            self.problems.push(Problem::error("misplaced-directive", message).at(place).help(help));
            return false;
        }
        let help =
            "declare it as `node(id: ID!): Node @node`, or as `nodes(ids: [ID!]!): [Node]! @node`";
        let is_list = field.ty.is_list();
        let object = if is_list { field.ty.item_type() } else { &field.ty };
        let fits = |argument: &Node<InputValueDefinition>| {
            let element = if is_list { argument.ty.item_type() } else { &argument.ty };
            argument.ty.is_list() == is_list
                && argument.ty.is_non_null()
                && !element.is_list()
                && element.is_non_null()
                && is_id(element)
        };
        let inner = field.ty.inner_named_type();
        let members = self.members(inner);
        if object.is_list() || object.is_non_null() {
            let message = format!(
                "`{coordinate}` must return nullable objects, because it is null for an unknown ID"
            );
            self.refuse(at, message, help);
        } else if !matches!(field.arguments.as_slice(), [only] if fits(only)) {
            let due =
                if is_list { "a list of IDs of type `[ID!]!`" } else { "one ID of type `ID!`" };
            self.refuse(at, format!("`{coordinate}` must have exactly one argument, {due}"), help);
        } else if self.merged.schema.get_object(inner).is_some() {
            let message = format!(
                "`{coordinate}` returns the object type `{inner}`, but `@node` needs an interface or a union"
            );
            self.refuse(
                at,
                message,
                "return an interface or a union, or make the field a lookup with a binding",
            );
        } else if !members.iter().any(|member| self.ids.prefix(member).is_some()) {
            // Types whose own directive is refused are reported there.
            let schema = &self.merged.schema;
            let declares = |member: &&str| {
                schema.get_object(member).is_some_and(|object| object.directives.has(DIRECTIVE))
            };
            if !members.iter().any(declares) {
                let message = format!(
                    "no type of `{inner}` has a global ID, so `{coordinate}` is always null"
                );
                self.refuse(at, message, "add a prefix to its types: `type User implements Node @globalId(prefix: \"user\")`");
            }
        } else {
            return true;
        }
        false
    }

    /// Checks that each type has a lookup, which completes its stubs.
    fn has_lookups(
        &mut self,
        field: &FieldDefinition,
        at: Option<SourceSpan>,
        lookups: &[Found],
    ) -> bool {
        let key: [KeyPath; 1] = [vec!["id".into()]];
        let takes_id =
            |ty: &str| lookups.iter().any(|found| &*found.lookup.entity == ty && found.key == key);
        let members = self.members(field.ty.inner_named_type()).into_iter();
        let with_prefix = members.filter(|member| self.ids.prefix(member).is_some());
        let lacking: Vec<&str> = with_prefix.filter(|member| !takes_id(member)).collect();
        for ty in &lacking {
            let message =
                format!("`{}` cannot return a `{ty}`: no lookup takes its `id`", field.name);
            let help = format!(
                "add a lookup to `Query`, such as `{}(id: ID!): {ty} @lookup @rest(…)`; `@internal` hides it from clients",
                ty.to_lowercase()
            );
            self.refuse(at, message, &help);
        }
        lacking.is_empty()
    }

    fn members(&self, ty: &str) -> Vec<&'a str> {
        let schema = &self.merged.schema;
        let objects = Words(schema).objects().map(|(name, _)| name);
        objects.filter(|name| schema.is_subtype(ty, name)).collect()
    }
}

fn is_id(ty: &Type) -> bool {
    ty.inner_named_type() == "ID" && !ty.is_list()
}

fn is_prefix(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    !text.is_empty() && text.chars().all(fits)
}
