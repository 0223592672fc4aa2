//! The committed OpenAPI document is the served one, complete, and true to its own schemas.
//!
//! Whether the service's answers fit it is what `tests/api` checks, on every answer.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use mcp_rest::api;
use serde_json::{Map, Value};

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");

fn document() -> Value {
    serde_json::from_slice(&api::document::document().unwrap()).unwrap()
}

/// Every operation: method, path and object.
fn operations(document: &Value) -> impl Iterator<Item = (String, &str, &Map<String, Value>)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods.iter().map(move |(method, operation)| {
            (
                method.to_uppercase(),
                path.as_str(),
                operation.as_object().unwrap(),
            )
        })
    })
}

/// Every object in `value`, with where it is.
fn objects<'v>(value: &'v Value, place: &str, found: &mut Vec<(String, &'v Map<String, Value>)>) {
    match value {
        Value::Object(members) => {
            found.push((place.to_owned(), members));
            for (name, member) in members {
                objects(member, &format!("{place}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{place}/{index}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_committed_document_is_the_served_one() {
    let served = api::document::document().unwrap();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &served).unwrap();
    }
    let committed = std::fs::read(COMMITTED).unwrap_or_default();
    assert!(
        committed == served,
        "openapi/openapi.json is out of date: run UPDATE_OPENAPI=1 cargo test --test openapi"
    );
}

/// Swagger UI is an operation like any other, so that its 404 and its redirect are described too.
#[test]
fn routes_and_operations_are_the_same() {
    let document = document();
    let described: BTreeSet<(String, &str)> = operations(&document)
        .map(|(method, path, _)| (method, path))
        .collect();
    let routes: BTreeSet<(String, &str)> = api::routes::all()
        .map(|(method, path)| (method.to_owned(), path))
        .collect();
    assert_eq!(described, routes);
}

#[test]
fn every_operation_and_parameter_is_described() {
    let document = document();
    for (method, path, operation) in operations(&document) {
        assert!(operation["summary"].is_string(), "{method} {path}");
        for parameter in operation["parameters"].as_array().unwrap() {
            assert!(parameter["description"].is_string(), "{path}: {parameter}");
            let beside = parameter.get("example");
            let within = parameter["schema"].get("examples");
            // A choice says itself what there is.
            let choice = parameter["schema"]["$ref"]
                .as_str()
                .and_then(|reference| document.pointer(reference.strip_prefix('#')?)?.get("enum"));
            assert!(
                beside.or(within).or(choice).is_some(),
                "{path}: {parameter}"
            );
        }
    }
}

#[test]
fn operation_ids_are_stable() {
    let document = document();
    let ids: BTreeSet<&str> = operations(&document)
        .map(|(_, _, operation)| operation["operationId"].as_str().unwrap())
        .collect();
    let expected = [
        "batch",
        "callTool",
        "callTools",
        "complete",
        "describeServer",
        "docs",
        "docsOfServer",
        "endSession",
        "executeReadOnlyTool",
        "executeTool",
        "expandResourceTemplate",
        "findTools",
        "getPrompt",
        "getTool",
        "health",
        "home",
        "initialize",
        "listPrompts",
        "listResourceTemplates",
        "listResources",
        "listServers",
        "listTools",
        "livez",
        "openapi",
        "openapiOfAll",
        "openapiOfAllYaml",
        "openapiOfServer",
        "openapiOfServerYaml",
        "openapiYaml",
        "ping",
        "readResource",
        "readyz",
        "rpc",
        "swaggerUi",
    ];
    assert_eq!(ids, BTreeSet::from(expected));
}

#[test]
fn every_reference_leads_somewhere_and_every_component_is_used() {
    let document = document();
    let mut found = Vec::new();
    objects(&document, "", &mut found);
    let references: BTreeSet<&str> = found
        .iter()
        .filter_map(|(_, members)| members.get("$ref")?.as_str())
        .collect();
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for kind in ["schemas", "responses", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(reference.as_str()), "{reference}");
        }
    }
}

#[test]
fn every_body_has_examples_that_fit_its_schema() {
    let document = document();
    let mut found = Vec::new();
    objects(&document, "", &mut found);
    let mut bodies = 0;
    for (place, members) in found {
        let Some(content) = members.get("content").and_then(Value::as_object) else {
            continue;
        };
        if place.contains("/examples/") {
            continue;
        }
        let json = content.iter().filter(|(media_type, _)| {
            media_type.ends_with("/json") || media_type.ends_with("+json")
        });
        for (_, body) in json {
            let mut schema = body["schema"].clone();
            schema["components"] = document["components"].clone();
            let validator = jsonschema::draft202012::new(&schema).unwrap();
            let examples = body["examples"].as_object();
            for (name, example) in examples.unwrap_or_else(|| panic!("no example in {place}")) {
                if let Err(mistake) = validator.validate(&example["value"]) {
                    panic!("{place}, {name}: {mistake} at {}", mistake.instance_path());
                }
            }
            bodies += 1;
        }
    }
    assert!(bodies > 30, "only {bodies} bodies were found");
}
