//! Folders, patterns and sets.

mod reflection;

use super::*;
use crate::connector::grpc::Grpc;
use crate::connector::testing::{settings, shown, site};
use crate::connector::{FailureCodes, Protocol};
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use std::path::{Path, PathBuf};

const ORDER: &str = "syntax = \"proto3\"; package shop.v1; import \"shop/v1/money.proto\"; \
    import \"google/protobuf/timestamp.proto\"; \
    service Orders { rpc Get(Order) returns (Order); } \
    message Order { Money total = 1; google.protobuf.Timestamp made = 2; }";
const MONEY: &str = "syntax = \"proto3\"; package shop.v1; message Money { int64 cents = 1; }";
const FILES: [(&str, &str); 2] =
    [("proto/shop/v1/order.proto", ORDER), ("proto/shop/v1/money.proto", MONEY)];

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        write(folder.path(), name, text.as_bytes());
    }
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

fn source(url: &str, descriptors: DescriptorSource) -> SourceSettings {
    let (site, failures) = (site(url.parse().expect("a URL")), FailureCodes::default());
    settings("shop", Protocol::Grpc { site, descriptors, failures })
}

#[expect(clippy::needless_pass_by_value, reason = "tests make sources for this alone")]
fn loaded(descriptors: DescriptorSource) -> Result<DescriptorPool, Vec<String>> {
    let settings = source("http://shop.test", descriptors.clone());
    load(&settings, &descriptors, &Reflected::default()).map_err(|found| shown(&found))
}

fn protos(base: &Path, entries: &[&str], roots: &[&str]) -> Result<DescriptorPool, Vec<String>> {
    loaded(DescriptorSource::Protos {
        base: base.to_path_buf(),
        entries: entries.iter().map(PathBuf::from).collect(),
        roots: roots.iter().map(|root| base.join(root)).collect(),
    })
}

fn has_orders(pool: &DescriptorPool) -> bool {
    pool.get_service_by_name("shop.v1.Orders").is_some()
}

#[test]
fn an_entry_may_be_a_folder_or_a_pattern() {
    let folder = folder(&FILES);
    write(folder.path(), "proto/README.md", b"!");
    let check = |entry: &str| {
        let pool = protos(folder.path(), &[entry], &[]);
        assert!(has_orders(&pool.unwrap_or_else(|found| panic!("{entry} {found:?}"))), "{entry}");
    };
    ["proto/**/*.proto", "proto/shop/v?/*.proto"].into_iter().for_each(check);
    write(folder.path(), "proto/.hidden/broken.proto", b"!");
    ["proto", "proto/shop/v1"].into_iter().for_each(check);
    let none = protos(folder.path(), &["proto/x*.proto"], &[]).expect_err("nothing");
    assert!(none[0].contains("matches `proto/x*.proto`"), "{none:?}");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    let none = protos(folder.path(), &["empty"], &[]).expect_err("nothing");
    assert!(none[0].contains("the folder contains no `.proto` files"), "{none:?}");
}

#[test]
fn imports_begin_in_the_folders_that_are_named() {
    let folder = folder(&[("a/order.proto", ORDER), ("vendor/shop/v1/money.proto", MONEY)]);
    let without = protos(folder.path(), &["a/order.proto"], &[]).expect_err("no import");
    assert!(without[0].contains("shop/v1/money.proto"), "{without:?}");
    assert!(has_orders(&protos(folder.path(), &["a/order.proto"], &["vendor"]).expect("found")));
    let gone = protos(folder.path(), &["a/order.proto"], &["vendr"]).expect_err("does not exist");
    assert!(gone[0].contains("does not exist"), "{gone:?}");
}

fn set(with_imports: bool) -> Vec<u8> {
    let folder = folder(&FILES);
    let mut compiler = protox::Compiler::new([folder.path().join("proto")]).expect("a folder");
    compiler.include_imports(with_imports).include_source_info(true);
    compiler.open_file("shop/v1/order.proto").expect("it compiles");
    compiler.encode_file_descriptor_set()
}

fn of_set(bytes: &[u8]) -> Result<DescriptorPool, String> {
    let folder = folder(&[]);
    let path = write(folder.path(), "shop.binpb", bytes);
    loaded(DescriptorSource::Sets(vec![path])).map_err(|found| found.join("\n"))
}

#[test]
fn a_compiled_set_describes_a_service() {
    assert!(has_orders(&of_set(&set(true)).expect("a set")));
    // As written by `protoc` without imports; Google's own are built in.
    let file = FileDescriptorSet::decode(&*set(true)).expect("a set");
    let own = file.file.into_iter().filter(|file| !file.name().starts_with("google/"));
    assert!(has_orders(
        &of_set(&FileDescriptorSet { file: own.collect() }.encode_to_vec()).expect("a set")
    ));
    let folder = folder(&[]);
    let twice = ["a", "b"].map(|name| write(folder.path(), name, &set(true)));
    assert!(has_orders(&loaded(DescriptorSource::Sets(twice.to_vec())).expect("the same twice")));
}

#[test]
fn what_is_not_a_set_is_refused_with_what_to_do() {
    let folder = folder(&[]);
    let path = write(folder.path(), "shop.binpb", &set(false));
    let from = DescriptorSource::Sets(vec![path]);
    let found = load(&source("http://h", from.clone()), &from, &Reflected::default());
    let [problem] = &found.expect_err("no imports")[..] else { panic!("one problem") };
    assert!(problem.message.contains("`shop/v1/money.proto`, which `shop/v1/order.proto` imports"));
    assert!(problem.help.as_ref().is_some_and(|help| help.contains("--include_imports")));
    for (bytes, said) in [
        (&b"{ \"file\": [] }"[..], "is a descriptor set in JSON"),
        (b"syntax = \"proto3\";", "is a text"),
        (b"", "is empty"),
        (&[0x1f, 0x8b, 8, 0, 0, 0], "is compressed"),
        (&[0xff; 9], "is not a compiled descriptor set"),
    ] {
        let found = of_set(bytes).expect_err(said);
        assert!(found.contains(said), "{found}");
    }
    let gone = loaded(DescriptorSource::Sets(vec!["/gone.binpb".into()])).expect_err("gone");
    assert!(gone[0].contains("cannot be read"), "{gone:?}");
}

proptest! {
    /// Whatever descriptors contain, they give a pool or an error.
    #[test]
    fn no_descriptors_panic(at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>(), cuts: bool) {
        let mut bytes = set(true);
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(set) = FileDescriptorSet::decode(&*bytes) {
            let files = set.file.into_iter().map(|file| (file.name().to_owned(), file));
            let _ = pool(files.collect());
        }
    }
}
