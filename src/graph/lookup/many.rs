//! Lookups that take a list of keys.

use super::{Found, Reading, Taken};
use crate::graph::binding::Bound;
use crate::graph::words::{dotted, leaf_paths, list_depth};
use crate::graph::{Batch, BindingId, LookupArguments, LookupElement, ObjectType, batch};

impl Reading<'_> {
    /// Adds a lookup with a list of keys for each call.
    pub(super) fn many(
        &mut self,
        entity: &ObjectType,
        binding: BindingId,
        bound: &Bound,
    ) -> Option<(Found, Batch)> {
        let before = self.problems.len();
        let arguments: Vec<Taken<'_>> = self
            .field
            .arguments
            .iter()
            .filter_map(|argument| self.taken(entity, argument))
            .collect();
        if self.problems.len() > before {
            return None;
        }
        let Some(taken) = arguments.iter().find(|taken| list_depth(&taken.argument.ty) == 1) else {
            self.refuse_uncovered(entity, &arguments);
            return None;
        };
        let key = entity.keys.iter().map(|key| leaf_paths(key)).find(|key| {
            key.len() == taken.paths.len() && key.iter().all(|path| taken.paths.contains(path))
        });
        let Some(key) = key else {
            self.refuse_uncovered(entity, &arguments);
            return None;
        };
        let spare = self
            .field
            .arguments
            .iter()
            .find(|argument| argument.is_required() && argument.name != taken.argument.name);
        if let Some(spare) = spare {
            let message =
                format!("the argument `{}` is not part of the key, but is required", spare.name);
            let place = self.merged.places.of(spare.location());
            self.refuse(place, message, "make it nullable, or add a default");
            return None;
        }
        let element = self.element(entity, taken)?;
        let asked = match &element {
            LookupElement::Scalar(path) => vec![path.clone()],
            LookupElement::Object(fields) => fields.iter().map(|(_, path)| path.clone()).collect(),
        };
        let Some(rule) = &bound.batch else {
            let message = format!("`{}` takes a list of keys, but has no `batch`", self.coordinate);
            self.refuse(
                Some(bound.place.clone()),
                message,
                "describe the reply, such as `batch: { reply: BY_KEY }`",
            );
            return None;
        };
        let target = batch::Target {
            schema: &self.merged.schema,
            coordinate: self.coordinate.clone(),
            ty: &self.field.ty,
            is_lookup: true,
        };
        let rule = batch::read(rule, &target, asked, self.problems)?;
        let argument = taken.argument.name.as_str().into();
        let lookup = self.lookup(entity, binding, LookupArguments::Many { argument, element });
        Some((Found { lookup, key }, rule))
    }

    fn element(&mut self, entity: &ObjectType, taken: &Taken<'_>) -> Option<LookupElement> {
        let argument = taken.argument;
        let Some(input) = self.merged.schema.get_input_object(argument.ty.inner_named_type())
        else {
            if taken.paths.len() == 1 {
                self.check_scalar(entity, argument, &taken.paths[0]);
                return Some(LookupElement::Scalar(taken.paths[0].clone()));
            }
            let place = self.merged.places.of(argument.location());
            let message = format!(
                "a `{}` cannot hold a key of {} fields",
                argument.ty.inner_named_type(),
                taken.paths.len()
            );
            self.refuse(place, message, "change the argument to a list of input objects");
            return None;
        };
        let named = self.input_paths(entity, argument).unwrap_or_default();
        let named: Vec<_> =
            named.into_iter().filter(|(_, path)| taken.paths.contains(path)).collect();
        let missing =
            taken.paths.iter().find(|path| !named.iter().any(|(_, known)| known == *path));
        let spare = input.fields.values().find(|field| {
            field.is_required() && !named.iter().any(|(name, _)| **name == *field.name)
        });
        let place = self.merged.places.of(argument.location());
        if let Some(path) = missing {
            let message = format!(
                "the input `{}` has no field for the key field `{}`",
                input.name,
                dotted(path)
            );
            self.refuse(
                place,
                message,
                "give an input field the name of the key field, or add `@is(field: …)` to it",
            );
            return None;
        }
        if let Some(spare) = spare {
            let message = format!(
                "the input field `{}.{}` is not part of the key, but is required",
                input.name, spare.name
            );
            self.refuse(place, message, "make it nullable, or add `@is(field: …)` to it");
            return None;
        }
        Some(LookupElement::Object(named))
    }
}
