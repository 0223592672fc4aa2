//! The service's own document and the page that shows it.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::http::Request;

fn app() -> TestApp {
    TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}),
    )
}

#[test]
fn the_document_is_served() {
    let document = app().get("/openapi.json").ok();
    assert!(
        document["openapi"].as_str().unwrap().starts_with("3.1"),
        "{}",
        document["openapi"]
    );
    assert!(document["paths"]["/api/mcp/{server}/tools/{tool}/execute"]["post"].is_object());
}

#[test]
fn every_operation_says_what_errors_look_like() {
    let document = app().get("/openapi.json").ok();
    let paths = document["paths"].as_object().unwrap();
    // Of a JSON-RPC request it is a JSON-RPC response.
    let paths = paths.iter().filter(|(path, _)| !path.ends_with("/rpc"));
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let answers = operation["responses"].as_object().unwrap();
            let errors = answers
                .iter()
                .filter(|(status, _)| status.as_str() >= "400");
            for (status, answer) in errors {
                let content = answer.get("content").or_else(|| {
                    let target = answer["$ref"].as_str()?.strip_prefix('#')?;
                    document.pointer(target)?.get("content")
                });
                let problem = content.and_then(|content| content.get("application/problem+json"));
                let schema = problem.map(|problem| &problem["schema"]);
                let expected = json!({"$ref": "#/components/schemas/Problem"});
                assert_eq!(schema, Some(&expected), "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let app = app();
    let page = Request::get("/swagger-ui/").send(app.address);
    assert_eq!(
        (page.status, page.headers.media_type()),
        (200, Some("text/html"))
    );
    for attribute in ["src=\"http", "href=\"http", "src=\"//", "href=\"//"] {
        assert!(!page.text().contains(attribute), "{}", page.text());
    }
    let script = Request::get("/swagger-ui/swagger-ui-bundle.js").send(app.address);
    assert_eq!(script.status, 200);
    assert!(script.body.len() > 100_000);
    let nothing = Request::get("/swagger-ui/no-such-file.js").send(app.address);
    assert_eq!(nothing.problem().0["status"], Value::from(404));
}
