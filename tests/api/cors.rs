//! Pages of other sites that may use the service (`gateway.cors`): preflights, and the headers of every response. Header by header here,
//! in Chromium in `other_sites`.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, execute, path, run};
use crate::http::{Request, Response};
use crate::upstream::{Upstream, servers};

const PAGE: &str = "https://app.example.com";
const KEY: &str = "a-key-of-one-page";

fn start(cors: &Value) -> (Upstream, TestApp) {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_with(
        &json!({
            "mcpServers": {SERVER: {"url": upstream.url()}},
            "gateway": {"auth": {"apiKeys": ["${KEY}"]}, "cors": cors},
        }),
        &[],
        &[("KEY", KEY)],
    );
    (upstream, app)
}

fn preflight(target: &str, origin: &str) -> Request {
    Request::new("OPTIONS", target)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,x-api-key")
}

fn call(origin: &str) -> Request {
    execute(SERVER, "echo", "")
        .header("origin", origin)
        .header("sec-fetch-site", "cross-site")
}

fn allowed(response: &Response) -> Option<&str> {
    response.header("access-control-allow-origin")
}

/// All values of `Vary`.
fn vary(response: &Response) -> String {
    response.headers.all("vary").join(", ")
}

#[test]
fn a_browser_asks_first_and_needs_no_key_for_that() {
    let (upstream, app) = start(&json!({"origins": [PAGE]}));
    let target = path(SERVER, "tools/echo/execute");
    // No operation of the document: browsers alone send it.
    let response = preflight(&target, PAGE).send(app.address);
    let found = |name| response.header(name);
    assert_eq!((response.status, response.body.len()), (204, 0));
    assert_eq!(allowed(&response), Some(PAGE));
    let methods = found("access-control-allow-methods").unwrap();
    assert!(
        methods.split(", ").any(|method| method == "POST"),
        "{methods}"
    );
    assert!(!methods.contains("DELETE"), "{methods}");
    assert_eq!(
        found("access-control-allow-headers"),
        Some("content-type, x-api-key")
    );
    assert_eq!(found("access-control-max-age"), Some("7200"));
    assert_eq!(found("access-control-allow-credentials"), None);
    assert_eq!(found("access-control-allow-private-network"), None);
    assert!(vary(&response).contains("Origin"));

    let private = preflight(&target, PAGE).header("access-control-request-private-network", "true");
    let private = private.send(app.address);
    let private = private.header("access-control-allow-private-network");
    assert_eq!(private, Some("true"));

    let session = preflight(&path(SERVER, "session"), PAGE).send(app.address);
    let methods = session.header("access-control-allow-methods");
    assert_eq!(methods, Some("DELETE"));

    let broken = Request::new("OPTIONS", &target)
        .header("origin", PAGE)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "a b");
    app.request(&broken).is_refused(400, "invalid_request");
    let nowhere = app.request(&preflight("/nowhere", PAGE));
    assert_eq!((nowhere.status, allowed(&nowhere)), (404, Some(PAGE)));
    assert_eq!(upstream.order(), Vec::<String>::new());
}

#[test]
fn an_origin_that_is_not_listed_is_refused() {
    let (upstream, app) = start(&json!({"origins": [PAGE, "https://*.example.org"]}));
    let target = path(SERVER, "tools/echo/execute");
    for origin in [
        "https://evil.test",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.evil.test",
        "https://example.org",
        "null",
    ] {
        let response = app.request(&preflight(&target, origin));
        let problem = response.is_refused(403, "forbidden");
        problem.says("forbidden_by_cors");
        assert_eq!(allowed(&response), None);
        let request = call(origin).header("x-api-key", KEY).json("{}");
        let response = app.request(&request);
        response.is_refused(403, "forbidden");
        assert_eq!(allowed(&response), None, "{origin}");
        assert_eq!(response.header("access-control-expose-headers"), None);
    }
    let twice = call(PAGE).header("origin", PAGE).header("x-api-key", KEY);
    app.request(&twice.json("{}")).is_refused(403, "forbidden");
    assert_eq!(upstream.executions(), 0);
    let sub = call("https://a.example.org").header("x-api-key", KEY);
    app.request(&sub.json("{}")).ok();
}

#[test]
fn every_answer_to_an_allowed_page_can_be_read() {
    let (upstream, app) = start(&json!({"origins": [PAGE], "credentials": true}));
    let keyed = |request: Request| request.header("x-api-key", KEY);
    let document = path(SERVER, "openapi.json");
    let tag = app.request(&keyed(Request::get(&document)));
    let tag = tag.header("etag").unwrap().to_owned();
    for (request, status) in [
        (keyed(call(PAGE)).json(r#"{"message":"hi"}"#), 200),
        (call(PAGE).json("{}"), 401),
        (keyed(call(PAGE)).json("[]"), 400),
        (keyed(call(PAGE)).header("content-type", "text/plain"), 415),
        (
            keyed(call(PAGE))
                .header("accept", "text/event-stream")
                .json("{}"),
            200,
        ),
        (Request::get("/nowhere").header("origin", PAGE), 404),
        (Request::new("PUT", "/health").header("origin", PAGE), 405),
        (Request::get("/health").header("origin", PAGE), 200),
        (
            keyed(Request::get(&document))
                .header("origin", PAGE)
                .header("if-none-match", tag),
            304,
        ),
    ] {
        let response = app.request(&request);
        assert_eq!(response.status, status, "{request:?}");
        assert_eq!(allowed(&response), Some(PAGE), "{status}");
        assert!(vary(&response).contains("Origin"), "{status}");
        let credentials = response.header("access-control-allow-credentials");
        assert_eq!(credentials, Some("true"));
        let exposed = response.header("access-control-expose-headers").unwrap();
        for name in [
            "Mcp-Session-Id",
            "Mcp-Tool-Error",
            "X-Request-Id",
            "WWW-Authenticate",
        ] {
            assert!(exposed.contains(name), "{name}");
        }
    }
    assert_eq!(upstream.executions(), 2);
    // A cache may keep it for pages too.
    let plain = app.request(&Request::get("/health"));
    assert_eq!((vary(&plain).as_str(), allowed(&plain)), ("Origin", None));
}

#[test]
fn all_origins_are_all_but_those_without_a_name() {
    let (_upstream, app) = start(&json!({"origins": ["*"]}));
    let with = |origin| app.request(&call(origin).header("x-api-key", KEY).json("{}"));
    assert_eq!(
        allowed(&with("http://any.test:81")),
        Some("http://any.test:81")
    );
    with("null").is_refused(403, "forbidden");
    let (_upstream, app) = start(&json!({"origins": ["null"]}));
    let response = app.request(&call("null").header("x-api-key", KEY).json("{}"));
    assert_eq!((response.status, allowed(&response)), (200, Some("null")));
}

#[test]
fn without_configuration_nothing_changes() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let response = app.request(&preflight(&path(SERVER, "tools/echo/execute"), PAGE));
    response.is_refused(405, "method_not_allowed");
    assert_eq!((vary(&response).as_str(), allowed(&response)), ("", None));
    let response = app.request(&call(PAGE).json("{}"));
    response.is_refused(403, "forbidden");
    assert_eq!((vary(&response).as_str(), allowed(&response)), ("", None));
}

#[test]
fn what_cannot_be_is_a_configuration_error() {
    for (cors, named) in [
        (
            json!({"origins": ["*"], "credentials": true}),
            "gateway.cors: ",
        ),
        (
            json!({"origins": [PAGE, "https://a.example/path"]}),
            "gateway.cors.origins[1]: ",
        ),
        (
            json!({"origins": "https://a.example"}),
            "gateway.cors.origins: ",
        ),
        (json!({"origin": [PAGE]}), "gateway.cors.origin: "),
    ] {
        let file = json!({"mcpServers": {}, "gateway": {"cors": cors}});
        let ended = run(&file, &["--check"], &[]);
        assert_eq!(ended.status.code(), Some(2), "{cors}");
        assert!(ended.stderr.contains(named), "{cors}: {}", ended.stderr);
    }
}
