//! Results reach the caller byte for byte.

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::{Request, Response};
use crate::upstream::{Part, Reply, Upstream, as_event, as_json, event, servers};

/// A stateless legacy server whose every tool gives this result.
fn giving(result: &'static str, frame: fn(&str) -> Reply) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => {
            state.executed();
            frame(&request.result(result))
        }
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// What a caller gets. JSON that Rust's own numbers cannot hold is left unchecked by the document.
fn got(upstream: &Upstream) -> Response {
    execute(SERVER, "echo", "")
        .json("{}")
        .send(TestApp::over(upstream).address)
}

#[test]
fn bytes_are_untouched() {
    for result in [
        r#"{"content":[],"structuredContent":{"price":1.10,"big":12345678901234567890123,"huge":1e400,"e":1.0E+2,"zero":-0.0}}"#,
        r#"{"z":1,"a":2,"content":[],"_meta":{"b":1,"a":2},"unknown":{"k":null}}"#,
        r#"{ "content" : [ ] , "a":	1.0 }"#,
        r#"{"content":[{"type":"text","text":"Grüße 日本 \u00e9 \ud83d\ude00 😀 \/ \u2028"}]}"#,
        r#"{"content":[],"twice":1,"twice":2}"#,
        r#"{"content":[],"result":{"id":"x","jsonrpc":"2.0"},"error":{"code":1}}"#,
        "{}",
    ] {
        for frame in [as_json, as_event] {
            let upstream = giving(result, frame);
            let response = got(&upstream);
            assert_eq!((response.status, response.text()), (200, result));
            assert_eq!(response.headers.media_type(), Some("application/json"));
            assert_eq!(upstream.executions(), 1);
        }
    }
}

#[test]
fn arguments_reach_the_server_as_they_were_written() {
    let upstream = Upstream::start(servers::toolbox);
    let app = TestApp::over(&upstream);
    let arguments = r#"{"z": 1.10,"a":12345678901234567890123,"u":"\u00e9ü","n":{"b":1,"a":2}}"#;
    execute(SERVER, "echo", "")
        .json(arguments)
        .send(app.address)
        .ok();
    assert!(upstream.only("tools/call").body.contains(arguments));
    let envelope = format!(r#"{{"arguments":{arguments},"name":"echo"}}"#);
    Request::post(&path(SERVER, "call"))
        .json(envelope)
        .send(app.address)
        .ok();
    assert!(upstream.received("tools/call")[1].body.contains(arguments));
}

#[test]
fn a_large_result_comes_through_whole() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let text = "ü".repeat(500_000);
            let message = request.result(&format!(
                r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#
            ));
            let chunks = event(&message)
                .into_bytes()
                .chunks(8191)
                .map(|part| Part::Bytes(part.to_vec()))
                .collect();
            Reply::stream(chunks)
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let body = TestApp::over(&upstream).echo().ok();
    assert_eq!(
        body["content"][0]["text"].as_str().unwrap().chars().count(),
        500_000
    );
}

#[test]
fn names_and_text_in_any_script_work() {
    for (name, row) in servers::STATELESS.into_iter().chain(servers::MODERN) {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for tool in ["a/b c", "grüße"] {
            let body = app
                .execute(SERVER, tool, &json!({"message": "日本 😀"}))
                .ok();
            assert_eq!(body["content"][0]["text"], "Echo: 日本 😀", "{name} {tool}");
            let body = app
                .call(
                    SERVER,
                    &json!({"name": tool, "arguments": {"message": "ü"}}),
                )
                .ok();
            assert_eq!(body["content"][0]["text"], "Echo: ü", "{name} {tool}");
        }
    }
}

#[test]
fn a_name_is_decoded_exactly_once() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    for (segment, name) in [("a%252Fb", "a%2Fb"), ("a+b", "a+b"), ("%E6%97%A5", "日")] {
        app.post(&format!("/api/mcp/s/tools/{segment}/execute"), &json!({}));
        assert_eq!(upstream.received("tools/call").last().unwrap().tool(), name);
    }
}

#[test]
fn a_tool_that_failed_is_a_result() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.execute(SERVER, "fail", &json!({}));
        let body = response.ok();
        assert_eq!(body["isError"], true, "{name}");
        assert_eq!(body["content"][0]["text"], "It failed", "{name}");
        assert_eq!(response.header("mcp-tool-error"), Some("true"), "{name}");
        assert_eq!(app.echo().header("mcp-tool-error"), None, "{name}");
        assert_eq!(upstream.executions(), 2, "{name}");
    }
}

#[test]
fn is_error_false_or_deeper_is_no_error() {
    for result in [
        r#"{"content":[],"isError":false}"#,
        r#"{"content":[],"structuredContent":{"isError":true}}"#,
        r#"{"content":[{"type":"text","text":"\"isError\":true"}]}"#,
    ] {
        let response = got(&giving(result, as_json));
        assert_eq!((response.status, response.text()), (200, result));
        assert_eq!(response.header("mcp-tool-error"), None);
    }
}

#[test]
fn a_tool_error_becomes_a_status_for_those_who_ask() {
    const RESULT: &str = r#"{"content":[{"type":"text","text":"no"}],"isError":true,"n":1.5}"#;
    let upstream = giving(RESULT, as_json);
    let asked =
        TestApp::over(&upstream).execute_with(SERVER, "fail", "?toolErrors=status", &json!({}));
    let configured = TestApp::spawn(&config(&upstream, json!({"toolErrors": "status"}))).execute(
        SERVER,
        "fail",
        &json!({}),
    );
    let servers = json!({
        SERVER: {"url": upstream.url()},
        "other": {"url": upstream.url(), "toolErrors": "result"},
    });
    let gateway =
        TestApp::spawn(&json!({"mcpServers": servers, "gateway": {"toolErrors": "status"}}));
    gateway.execute("other", "fail", &json!({})).ok();
    gateway
        .execute_with(SERVER, "fail", "?toolErrors=result", &json!({}))
        .ok();
    let of_all = gateway.execute(SERVER, "fail", &json!({}));
    for response in [asked, configured, of_all] {
        let problem = response.problem();
        assert_eq!(
            problem.text("detail"),
            "no (an error reported by tool 'fail' on server 's')"
        );
        assert_eq!(
            problem.facts(),
            (422, "tool_error", "upstream", "yes", false)
        );
        assert_eq!(problem.text("title"), "Tool execution failed");
        assert_eq!(
            problem.0["result"],
            serde_json::from_str::<serde_json::Value>(RESULT).unwrap()
        );
    }
}

#[test]
fn members_of_a_call_reach_the_server() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let meta = json!({"progressToken": "p", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    app.call(
        SERVER,
        &json!({"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": meta}),
    )
    .ok();
    app.call(SERVER, &json!({"name": "echo"})).ok();
    let calls = upstream.received("tools/call");
    assert_eq!(
        calls[0].message["params"],
        json!({"name": "add", "arguments": {"a": 1, "b": 2}, "_meta": meta})
    );
    assert_eq!(calls[1].arguments(), &json!({}));
}
