//! `guards`: what happens if an operation requests something its caller may not see.

use super::section::Section;
use super::values::{Mistake, Read};
use super::yaml::Scalar;
use crate::engine::GuardMode;

pub(super) fn read(section: &Section<'_>, guards: &mut GuardMode) {
    section.check_keys();
    section.read("mode", guards, mode);
}

fn mode(scalar: &Scalar) -> Read<GuardMode> {
    match scalar.text.as_str() {
        "withhold" => Ok(GuardMode::Withhold),
        "reject" => Ok(GuardMode::Reject),
        _ => Err(Mistake {
            message: "this is not a mode of guards".to_owned(),
            help: Some("write `withhold` or `reject`".to_owned()),
        }),
    }
}
