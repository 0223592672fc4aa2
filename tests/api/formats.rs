//! The forms of documents: JSON and YAML, OpenAPI 3.1 and 3.0. What readers of others make of them is in `outside`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::Request;
use crate::upstream::{Reply, Upstream, servers};

const DOCUMENTS: [&str; 3] = ["/openapi", "/api/openapi", "/api/mcp/s/openapi"];

#[test]
fn every_document_is_there_as_yaml_and_in_both_versions() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for document in DOCUMENTS {
        let mut tags = BTreeSet::new();
        for (ending, media_type) in [("json", "application/json"), ("yaml", "application/yaml")] {
            for (query, version) in [
                ("", "3.1.0"),
                ("?openapi=3.1", "3.1.0"),
                ("?openapi=3.0", "3.0.3"),
            ] {
                let target = format!("{document}.{ending}{query}");
                let response = app.get(&target);
                assert_eq!(
                    (response.status, response.headers.media_type()),
                    (200, Some(media_type)),
                    "{target}"
                );
                let written = match ending {
                    "json" => response.json()["openapi"] == version,
                    _ => response
                        .text()
                        .starts_with(&format!("openapi: \"{version}\"\n")),
                };
                assert!(written, "{target}");
                let tag = response.header("etag").unwrap().to_owned();
                let again = app.request(&Request::get(&target).header("if-none-match", &tag));
                assert_eq!((again.status, again.body.len()), (304, 0), "{target}");
                tags.insert(tag);
            }
        }
        assert_eq!(tags.len(), 4, "{document}");
    }
}

#[test]
fn an_unknown_version_is_refused_before_a_server_is_asked() {
    let app = TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"url": "http://127.0.0.1:9/mcp", "retries": 0}}}),
    );
    for document in DOCUMENTS {
        for ending in ["json", "yaml"] {
            let response = app.get(&format!("{document}.{ending}?openapi=2.0"));
            response.is_refused(400, "invalid_request");
            let detail = &response.json()["detail"];
            assert_eq!(
                *detail, "The parameter 'openapi' must be 3.1 or 3.0",
                "{document}"
            );
        }
    }
}

#[test]
fn what_3_0_cannot_say_is_listed() {
    let tools = json!([{"name": "t", "inputSchema": {"type": "object", "properties": {
        "a": {"type": ["string", "null"], "const": "x"},
        "b": {"patternProperties": {"^x-": {"type": "string"}}},
    }}}]);
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(&json!({"tools": tools}).to_string())),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    let document = app.get(&path(SERVER, "openapi.json?openapi=3.0")).ok();
    let (name, input) = schema_with(&document, "b");
    let properties = &input["properties"];
    assert_eq!(
        properties["a"],
        json!({"type": "string", "nullable": true, "enum": ["x"]})
    );
    assert_eq!(properties["b"], json!({}));
    let pointer = format!("/components/schemas/{name}/properties/b");
    assert_eq!(
        document["x-mcp-lossy"],
        json!([{"pointer": pointer, "keyword": "patternProperties"}])
    );
}

/// The component with a property of that name.
fn schema_with<'d>(document: &'d Value, property: &str) -> (&'d str, &'d Value) {
    let mut schemas = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .iter();
    let found = schemas.find(|(_, schema)| schema["properties"].get(property).is_some());
    let (name, schema) = found.unwrap();
    (name, schema)
}
