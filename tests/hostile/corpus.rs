//! What fuzzers found, and what they start from, through the same code again.

use portcullis::fuzzing::TARGETS;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes of the whole corpus.
const MOST: u64 = 1 << 20;

fn names(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn every_target_is_fuzzed_and_has_a_corpus() {
    let stems = |paths: Vec<PathBuf>| -> Vec<String> {
        paths.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let mut targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(stems(names("fuzz_targets")), targets);
    assert_eq!(stems(names("corpus")), targets);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/Cargo.toml");
    let manifest = std::fs::read_to_string(manifest).unwrap();
    assert!(targets.iter().all(|name| manifest.contains(&format!("name = \"{name}\""))));
}

/// In a thread of a test, with its 2 MiB of stack.
#[test]
fn the_corpus_does_no_harm() {
    let mut bytes = 0;
    for (name, target) in TARGETS {
        let inputs = names(&format!("corpus/{name}"));
        assert!(inputs.len() >= 2, "{name} has nothing to start from");
        for path in inputs {
            let input = std::fs::read(&path).unwrap();
            bytes += input.len() as u64;
            let started = Instant::now();
            target(&input);
            let took = started.elapsed();
            assert!(took < Duration::from_secs(10), "{}: {took:?}", path.display());
        }
    }
    assert!(bytes < MOST, "the corpus is {bytes} bytes: minimise it");
}
