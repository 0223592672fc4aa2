//! Requests that are refused before anything is sent to a server.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::{Request, Response, send_raw};
use crate::problem::Problem;
use crate::upstream::{Upstream, servers};

/// The service before a server that must not be asked.
struct Gate {
    app: TestApp,
    upstream: Upstream,
}

impl Gate {
    fn new() -> Self {
        let upstream = Upstream::start(servers::toolbox);
        let mut config = config(&upstream, json!({}));
        config["gateway"] = json!({"limits": {"requestBytes": 1000}});
        Self {
            app: TestApp::spawn(&config),
            upstream,
        }
    }

    #[track_caller]
    fn refuses(&self, request: &Request, status: u16, code: &str) -> (Problem, Response) {
        let response = self.app.request(request);
        let problem = response.is_refused(status, code);
        assert_eq!(problem.text("origin"), "gateway");
        assert_eq!(
            self.upstream.order(),
            Vec::<String>::new(),
            "{} {}",
            request.method,
            request.target
        );
        (problem, response)
    }
}

fn echo(query: &str) -> Request {
    execute(SERVER, "echo", query)
}

#[test]
fn a_broken_percent_escape_is_400() {
    let gate = Gate::new();
    for segment in ["%zz", "%", "a%2", "%ff", "%C3%28", "%c0%af"] {
        for target in [
            format!("/api/mcp/s/tools/{segment}/execute"),
            format!("/api/mcp/{segment}/tools/echo/execute"),
            format!("/api/mcp/s/tools/echo/execute?sessionId={segment}"),
        ] {
            gate.refuses(&Request::post(&target).json("{}"), 400, "invalid_request");
        }
        gate.refuses(
            &Request::get(&format!("/api/mcp/s/tools/{segment}")),
            400,
            "invalid_request",
        );
        gate.refuses(
            &Request::get(&format!("/api/mcp/{segment}/tools")),
            400,
            "invalid_request",
        );
        gate.refuses(
            &Request::get(&format!("/api/mcp/s/tools?cursor={segment}")),
            400,
            "invalid_request",
        );
    }
}

#[test]
fn arguments_that_are_no_json_object_are_400() {
    let gate = Gate::new();
    for body in [
        "[1]",
        "\"x\"",
        "7",
        "null",
        "true",
        "{",
        "{\"a\":1}}",
        "{\"a\":1} x",
        "{a:1}",
        "{'a':1}",
        "{\"a\":01}",
        "{\"a\":NaN}",
        "{\"a\":1,}",
        "[",
        "<xml/>",
        "a=b",
    ] {
        gate.refuses(&echo("").json(body), 400, "invalid_request");
    }
    for body in [
        &b"{\"a\":\"\xff\"}"[..],
        b"\xef\xbb\xbf[]",
        b"\0",
        b"{\"a\":\"\n\"}",
    ] {
        let request = echo("")
            .header("content-type", "application/json")
            .body(body);
        gate.refuses(&request, 400, "invalid_request");
    }
}

#[test]
fn json_that_nests_deeply_harms_nobody() {
    let gate = Gate::new();
    let body = format!("{{\"a\":{}{}}}", "[".repeat(400), "]".repeat(400));
    let response = gate.app.request(&echo("").json(body));
    // Some server will not read it; what matters is that nobody falls over.
    assert!(response.status < 500, "{}", response.text());
    gate.app.echo().ok();
}

#[test]
fn an_envelope_that_is_not_one_is_400() {
    let gate = Gate::new();
    for envelope in [
        json!([]),
        json!({}),
        json!({"name": 7}),
        json!({"name": null}),
        json!({"name": "echo", "arguments": []}),
        json!({"name": "echo", "arguments": "x"}),
        json!({"name": "echo", "_meta": 1}),
        json!({"name": "echo", "timeoutMs": "x"}),
        json!({"name": "echo", "timeoutMs": 0}),
        json!({"name": "echo", "timeoutMs": -1}),
    ] {
        let request = Request::post(&path(SERVER, "call")).json(&envelope);
        gate.refuses(&request, 400, "invalid_request");
    }
    gate.refuses(
        &Request::post(&path(SERVER, "call")),
        400,
        "invalid_request",
    );
}

#[test]
fn parameters_that_are_repeated_or_malformed_are_400() {
    let gate = Gate::new();
    for query in [
        "?sessionId=a&sessionId=a",
        "?init=true&init=true",
        "?init=true&init=false",
        "?close=true&close=true",
        "?init=maybe",
        "?init=1",
        "?close=yes",
        "?toolErrors=perhaps",
        "?timeoutMs=abc",
        "?timeoutMs=0",
        "?timeoutMs=-5",
        "?timeoutMs=1&timeoutMs=1",
    ] {
        gate.refuses(&echo(query).json("{}"), 400, "invalid_request");
    }
    for query in ["?cursor=a&cursor=b", "?all=perhaps", "?all=true&all=true"] {
        gate.refuses(
            &Request::get(&path(SERVER, &format!("tools{query}"))),
            400,
            "invalid_request",
        );
    }
    let twice = echo("")
        .json("{}")
        .header("mcp-session-id", "a")
        .header("mcp-session-id", "b");
    gate.refuses(&twice, 400, "invalid_request");
}

#[test]
fn a_session_id_outside_visible_ascii_is_400() {
    let gate = Gate::new();
    for id in [
        "%0d%0aX-Evil:%201",
        "a%0ab",
        "%00",
        "%7F",
        "a%20b",
        "a+b+c%20",
        "%C3%BC",
        "%C2%85",
    ] {
        let (_, response) = gate.refuses(
            &echo(&format!("?sessionId={id}")).json("{}"),
            400,
            "invalid_request",
        );
        assert_eq!(response.header("x-evil"), None);
        let target = path(SERVER, &format!("tools?sessionId={id}"));
        gate.refuses(&Request::get(&target), 400, "invalid_request");
        let target = path(SERVER, &format!("session?sessionId={id}"));
        gate.refuses(&Request::delete(&target), 400, "invalid_request");
    }
    for id in [&b"\xc3\xbc"[..], b"\xff", b"a b", b"a\tb"] {
        gate.refuses(
            &echo("").json("{}").header("mcp-session-id", id),
            400,
            "invalid_request",
        );
    }
    let long = "a".repeat(5000);
    gate.refuses(
        &echo("").json("{}").header("mcp-session-id", &long),
        400,
        "invalid_request",
    );
}

#[test]
fn ending_a_session_needs_one() {
    let gate = Gate::new();
    gate.refuses(
        &Request::delete(&path(SERVER, "session")),
        400,
        "invalid_request",
    );
}

#[test]
fn a_wrong_method_is_405_and_names_the_right_one() {
    let gate = Gate::new();
    for (method, target, allowed) in [
        ("POST", "/api/list-servers", "GET"),
        ("GET", "/api/mcp/s/initialize", "POST"),
        ("POST", "/api/mcp/s/session", "DELETE"),
        ("DELETE", "/api/mcp/s/tools", "GET"),
        ("PUT", "/api/mcp/s/tools/echo", "GET"),
        ("PUT", "/api/mcp/s/tools/echo/execute", "GET"),
        ("DELETE", "/api/mcp/s/tools/echo/execute", "POST"),
        ("PATCH", "/api/mcp/s/call", "POST"),
        ("GET", "/api/mcp/s/ping", "POST"),
        ("POST", "/health", "GET"),
        ("DELETE", "/livez", "GET"),
        // Whether the server exists is not asked first.
        ("GET", "/api/mcp/nope/ping", "POST"),
    ] {
        let (problem, response) =
            gate.refuses(&Request::new(method, target), 405, "method_not_allowed");
        let allow = response.header("allow").unwrap_or_default();
        assert!(
            allow.split(',').any(|name| name.trim() == allowed),
            "{method} {target}: {allow}"
        );
        assert!(problem.0.get("server").is_none_or(Value::is_string));
    }
}

#[test]
fn a_body_that_does_not_say_it_is_json_is_415() {
    let gate = Gate::new();
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/json",
        "application/jsonp",
        "application/xml",
        "json",
        "application/json, text/plain",
        "*/*",
    ] {
        for target in ["/api/mcp/s/tools/echo/execute", "/api/mcp/s/call"] {
            let request = Request::post(target)
                .header("content-type", media_type)
                .body("{}");
            let (problem, _) = gate.refuses(&request, 415, "unsupported_media_type");
            problem.says("unsupported_media_type");
        }
    }
}

#[test]
fn json_types_and_no_type_at_all_pass() {
    let gate = Gate::new();
    let body = r#"{"message":"hi"}"#;
    for media_type in [
        "application/json",
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/vnd.api+json",
        "application/problem+json;x=y",
    ] {
        gate.app
            .request(&echo("").header("content-type", media_type).body(body))
            .ok();
    }
    gate.app.request(&echo("").body(body)).ok();
}

#[test]
fn a_body_over_the_limit_is_413() {
    let gate = Gate::new();
    let body = format!(r#"{{"message":"{}"}}"#, "x".repeat(1000));
    gate.refuses(&echo("").json(&body), 413, "payload_too_large");
    let body = format!(r#"{{"message":"{}"}}"#, "x".repeat(1_000_000));
    gate.refuses(&echo("").json(&body), 413, "payload_too_large");
}

#[test]
fn a_body_over_the_limit_is_413_without_a_length_too() {
    let gate = Gate::new();
    let mut bytes =
        b"POST /api/mcp/s/tools/echo/execute HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
        content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    bytes.extend_from_slice(b"e\r\n{\"message\":\"xx\r\n");
    for _ in 0..20 {
        bytes.extend_from_slice(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes());
    }
    bytes.extend_from_slice(b"2\r\n\"}\r\n0\r\n\r\n");
    send_raw(gate.app.address, &bytes).is_refused(413, "payload_too_large");
    assert_eq!(gate.upstream.order(), Vec::<String>::new());
}

#[test]
fn a_body_of_exactly_the_limit_passes() {
    let gate = Gate::new();
    let rest = r#"{"message":""}"#.len();
    let body = format!(r#"{{"message":"{}"}}"#, "x".repeat(1000 - rest));
    gate.app.request(&echo("").json(&body)).ok();
}

#[test]
fn an_unknown_route_is_404() {
    let gate = Gate::new();
    for target in [
        "/nope",
        "/api",
        "/api/mcp",
        "/api/mcp/s/nope",
        "/api/mcp/s/tools/echo/nope",
        "/api/mcp/s/tools/a/b/execute",
        "/API/list-servers",
        "/api/mcp/s/tools/echo/execute/more",
        "//api/list-servers",
        "/api/list-servers/x",
    ] {
        for method in ["GET", "POST"] {
            let (problem, _) = gate.refuses(&Request::new(method, target), 404, "not_found");
            assert_eq!(problem.text("title"), "Not found");
        }
    }
}

#[test]
fn a_trailing_slash_is_accepted() {
    let gate = Gate::new();
    gate.app.get("/api/list-servers/").ok();
    gate.app.get("/api/mcp/s/tools/").ok();
    gate.app
        .post("/api/mcp/s/tools/echo/execute/", &json!({"message": "hi"}))
        .ok();
    gate.app.get("/health/").ok();
}

#[test]
fn no_body_means_no_arguments() {
    let gate = Gate::new();
    gate.app.request(&echo("")).ok();
    gate.app
        .request(&echo("").header("content-type", "application/json"))
        .ok();
    for request in gate.upstream.received("tools/call") {
        assert_eq!(request.arguments(), &json!({}));
    }
}

#[test]
fn bytes_that_are_no_http_are_answered_and_harm_nobody() {
    let gate = Gate::new();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"POST /api HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    ] {
        let response = send_raw(gate.app.address, bytes);
        assert!(matches!(response.status, 400..=499), "{}", response.status);
    }
    gate.app.echo().ok();
}
