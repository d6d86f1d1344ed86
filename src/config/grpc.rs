//! `grpc` of a source: the address of the service, and the descriptions of its methods and messages.

use super::section::Section;
use super::site;
use super::values::{self, Mistake};
use super::yaml::{Kind, Node};
use crate::connector::{DescriptorSource, Protocol};
use crate::problem::Place;
use std::path::{Path, PathBuf};

/// Sources of descriptors, of which exactly one is set.
const KINDS: [&str; 3] = ["protos", "descriptors", "reflection"];

/// Reads the section; `None` with problems added. `source` is the enclosing section.
pub(super) fn read(
    source: &Section<'_>,
    grpc: &Section<'_>,
    name: &str,
    base: &Path,
) -> Option<Protocol> {
    grpc.check_keys();
    let site = site::read(grpc, base, values::origin_url);
    let descriptors = descriptors(grpc, name, base);
    let failures = super::rules::failures(source);
    Some(Protocol::Grpc { site: site?, descriptors: descriptors?, failures })
}

/// Returns the places of the settings that name descriptors.
pub(super) fn places(grpc: &Section<'_>) -> Vec<Place> {
    let kind = KINDS.into_iter().find(|kind| grpc.get(kind).is_some());
    kind.map_or_else(Vec::new, |kind| grpc.places(kind))
}

fn descriptors(grpc: &Section<'_>, name: &str, base: &Path) -> Option<DescriptorSource> {
    let mut reflection = false;
    grpc.read("reflection", &mut reflection, values::boolean);
    let is_off = grpc.get("reflection").is_some() && !reflection;
    let given: Vec<(&str, &Node)> = KINDS
        .into_iter()
        .filter(|kind| !(is_off && *kind == "reflection"))
        .filter_map(|kind| Some((kind, grpc.get(kind)?)))
        .collect();
    let say = |code, node: &Node, message: String, help: String| {
        grpc.reading.problem(code, &node.span, Mistake { message, help: Some(help) });
    };
    if let [(first, _), (second, node), ..] = given[..] {
        let message = format!("source `{name}` has both `{first}` and `{second}`");
        let help = "keep one of `protos`, `descriptors` and `reflection: true`";
        say("wrong-value", node, message, help.to_owned());
        return None;
    }
    let roots = paths(grpc, "proto_paths");
    if let Some(node) = grpc.get("proto_paths").filter(|_| grpc.get("protos").is_none()) {
        let message = "`proto_paths` has no effect without `protos`".to_owned();
        say("wrong-value", node, message, "remove it, or add `protos`".to_owned());
    }
    let &(kind, node) = given.first().or_else(|| missing(grpc, name))?;
    if kind == "reflection" {
        return Some(DescriptorSource::Reflection);
    }
    let (entries, is_protos) = (paths(grpc, kind), kind == "protos");
    if entries.is_empty() {
        if matches!(&node.kind, Kind::List(elements) if elements.is_empty()) {
            let message = format!("`{kind}` of source `{name}` is empty");
            let help = if is_protos {
                "list the service's `.proto` files: `protos: [service.proto]`"
            } else {
                "add a compiled descriptor set: `descriptors: service.binpb`"
            };
            say("wrong-value", node, message, help.to_owned());
        }
        return None;
    }
    let below_base = |paths: Vec<PathBuf>| paths.iter().map(|path| base.join(path)).collect();
    Some(if is_protos {
        DescriptorSource::Protos { base: base.to_path_buf(), entries, roots: below_base(roots) }
    } else {
        DescriptorSource::Sets(below_base(entries))
    })
}

/// Reports that no setting names the descriptors, unless a key is misspelled.
fn missing<T>(grpc: &Section<'_>, name: &str) -> Option<T> {
    if !KINDS.into_iter().any(|kind| grpc.is_misspelt(kind)) {
        let message = format!("source `{name}` has no description of its methods");
        let help = "add one of `protos: [service.proto]` (files or folders), `descriptors: service.binpb` (a compiled descriptor set) and `reflection: true` (the service returns them)";
        let mistake = Mistake { message, help: Some(help.to_owned()) };
        grpc.reading.problem("missing-key", &grpc.span, mistake);
    }
    None
}

fn paths(grpc: &Section<'_>, key: &str) -> Vec<PathBuf> {
    let mut paths: Vec<String> = Vec::new();
    grpc.read_list(key, &mut paths, values::text);
    paths.into_iter().map(PathBuf::from).collect()
}
