//! Lookups that take one key.

use super::{Found, Reading, Taken};
use crate::graph::binding::Bound;
use crate::graph::words::leaf_paths;
use crate::graph::{BindingId, KeyPath, LookupArguments, ObjectType};
use crate::graphql::Name;
use crate::problem::Problem;

impl Reading<'_> {
    /// Adds a lookup for each declared key that the arguments cover, with one entity for each call.
    pub(super) fn one(
        &mut self,
        entity: &ObjectType,
        binding: BindingId,
        bound: &Bound,
    ) -> Vec<Found> {
        if let Some(rule) = &bound.batch {
            let message =
                format!("`{}` takes one key per call, so it cannot be batched", self.coordinate);
            let place = Some(rule.place.clone());
            self.problems.push(Problem::error("invalid-batch", message).at(place).help(
                "change the argument to a list of keys, and the type of the field to a list",
            ));
        }
        let before = self.problems.len();
        let arguments: Vec<Taken<'_>> = self
            .field
            .arguments
            .iter()
            .filter_map(|argument| self.taken(entity, argument))
            .collect();
        for taken in &arguments {
            self.check_single(entity, taken);
        }
        if self.problems.len() > before {
            return Vec::new();
        }
        let mut lookups = Vec::new();
        for key in &entity.keys {
            let key = leaf_paths(key);
            let taking: Vec<(Name, KeyPath)> = arguments
                .iter()
                .filter(|taken| key.contains(&taken.paths[0]))
                .map(|taken| (taken.argument.name.as_str().into(), taken.paths[0].clone()))
                .collect();
            let covers = key.iter().all(|path| taking.iter().any(|(_, taken)| taken == path));
            let spare_required = self.field.arguments.iter().any(|argument| {
                argument.is_required() && !taking.iter().any(|(name, _)| **name == *argument.name)
            });
            if covers && !spare_required {
                let lookup = self.lookup(entity, binding, LookupArguments::One(taking));
                lookups.push(Found { lookup, key });
            }
        }
        if lookups.is_empty() {
            self.refuse_uncovered(entity, &arguments);
        }
        lookups
    }

    fn check_single(&mut self, entity: &ObjectType, taken: &Taken<'_>) {
        let Taken { argument, paths } = taken;
        let place = self.merged.places.of(argument.location());
        if paths.len() != 1
            || self.merged.schema.get_input_object(argument.ty.inner_named_type()).is_some()
        {
            let message = format!("`{}` takes one key field, not {}", argument.name, paths.len());
            self.refuse(place, message, "add one argument for each key field");
        } else if argument.ty.is_list() {
            let message = format!(
                "`{}` takes a list of keys, but `{}` returns one `{}`",
                argument.name, self.coordinate, entity.name
            );
            self.refuse(place, message, "return a list, or take one key");
        } else {
            self.check_scalar(entity, argument, &paths[0]);
        }
    }
}
