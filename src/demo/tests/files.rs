//! Checks of the embedded graph and the examples that need no load.

use super::super::{CONFIG, DASHBOARD, FILES, Service, Settings, start};
use crate::mapping::{Mapping, Template};
use apollo_compiler::ast::{Definition, Document, FieldDefinition};
use std::path::Path;

fn documents() -> Vec<Document> {
    let sdl = FILES.iter().filter(|(name, _)| name.ends_with(".graphql"));
    sdl.map(|(name, text)| Document::parse(*text, *name).unwrap()).collect()
}

fn undocumented<'a>(
    owner: &'a str,
    fields: impl IntoIterator<Item = &'a FieldDefinition>,
) -> Vec<String> {
    let internal = |field: &FieldDefinition| field.directives.get("internal").is_some();
    let fields = fields.into_iter().filter(|field| !internal(field));
    fields
        .flat_map(|field| {
            let arguments = field.arguments.iter();
            let argument = |name: &str| format!("{owner}.{}({name}:)", field.name);
            let arguments = arguments
                .filter(|argument| argument.description.is_none())
                .map(|it| argument(&it.name));
            let own = field.description.is_none().then(|| format!("{owner}.{}", field.name));
            own.into_iter().chain(arguments).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn everything_a_client_sees_is_described() {
    let mut missing = Vec::new();
    for document in documents() {
        for definition in &document.definitions {
            let name = definition.name().map_or("", |name| name.as_str());
            let described = match definition {
                Definition::ObjectTypeDefinition(it) => {
                    missing.extend(undocumented(name, it.fields.iter().map(AsRef::as_ref)));
                    it.description.is_some()
                }
                Definition::ObjectTypeExtension(it) => {
                    missing.extend(undocumented(name, it.fields.iter().map(AsRef::as_ref)));
                    true
                }
                Definition::InterfaceTypeDefinition(it) => {
                    missing.extend(undocumented(name, it.fields.iter().map(AsRef::as_ref)));
                    it.description.is_some()
                }
                Definition::EnumTypeDefinition(it) => {
                    let bare = it.values.iter().filter(|value| value.description.is_none());
                    missing.extend(bare.map(|value| format!("{name}.{}", value.value)));
                    it.description.is_some()
                }
                Definition::InputObjectTypeDefinition(it) => {
                    let bare = it.fields.iter().filter(|field| field.description.is_none());
                    missing.extend(bare.map(|field| format!("{name}.{}", field.name)));
                    it.description.is_some()
                }
                Definition::ScalarTypeDefinition(it) => it.description.is_some(),
                _ => true,
            };
            if !described {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_dashboard_is_one_named_operation_with_a_default() {
    let document = Document::parse(DASHBOARD, "dashboard.graphql").unwrap();
    let [Definition::OperationDefinition(dashboard)] = &document.definitions[..] else {
        panic!("one operation");
    };
    assert_eq!(dashboard.name.as_deref(), Some("Dashboard"));
    assert!(dashboard.variables.iter().all(|variable| variable.default_value.is_some()));
}

#[tokio::test]
async fn the_configuration_names_each_service_and_its_variable() {
    let storefront = start(Settings::default()).await.unwrap();
    for service in Service::ALL {
        assert!(CONFIG.contains(&format!("{}:", service.name())));
        assert!(CONFIG.contains(&format!("${{{}:-", service.variable())));
        let address = storefront.variable(service.variable());
        assert_eq!(address, Some(format!("http://{}", storefront.address(service))));
    }
    assert_eq!(storefront.variable("PATH"), None);
}

#[test]
fn the_dashboard_is_the_file_that_an_editor_shows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema");
    let file = std::fs::read_to_string(folder.join("queries/dashboard.graphql")).unwrap();
    assert_eq!(file, DASHBOARD);
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| [".graphql", ".proto"].iter().any(|kind| name.ends_with(kind)))
        .collect();
    let mut embedded: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    there.sort_unstable();
    embedded.sort_unstable();
    assert_eq!(there, embedded, "every file is embedded");
}

/// Returns the mistakes in a binding's texts.
fn mistakes(field: &FieldDefinition) -> Vec<String> {
    let bindings = field.directives.iter().filter(|it| ["rest", "grpc"].contains(&&*it.name));
    let arguments = bindings.flat_map(|binding| &binding.arguments);
    let errors = arguments.flat_map(|argument| {
        let text = argument.value.as_str().unwrap_or_default();
        match argument.name.as_str() {
            "select" | "body" | "message" => Mapping::parse(text).err().unwrap_or_default(),
            "GET" | "POST" | "PATCH" => Template::parse_url(text).err().unwrap_or_default(),
            _ => Vec::new(),
        }
    });
    errors.map(|error| format!("{}: {error:?}", field.name)).collect()
}

#[test]
fn every_mapping_and_url_of_the_graph_and_the_examples_is_well_formed() {
    let mut documents = documents();
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path().join("schema.graphql");
        if let Ok(text) = std::fs::read_to_string(&path) {
            documents.push(Document::parse(text, &path).unwrap());
        }
    }
    assert!(documents.len() >= 4 + 6);
    let mut found = Vec::new();
    for definition in documents.iter().flat_map(|document| &document.definitions) {
        let fields = match definition {
            Definition::ObjectTypeDefinition(it) => &it.fields,
            Definition::ObjectTypeExtension(it) => &it.fields,
            _ => continue,
        };
        found.extend(fields.iter().flat_map(|field| mistakes(field)));
    }
    assert!(found.is_empty(), "{found:#?}");
}
