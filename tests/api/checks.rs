//! Arguments that are checked against the tool's schema before they are sent (`argumentChecks`).

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, execute, path};
use crate::http::Request;
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers};

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateless),
    ("modern", servers::ts_v2),
];

fn checked(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"argumentChecks": "on"}))
}

#[test]
fn arguments_that_do_not_fit_are_not_sent() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = Upstream::start(behaviour);
        let app = checked(&upstream);
        let response = app.execute(SERVER, "add", &json!({"a": "hunter2", "x": 1}));
        let problem = response.is_refused(422, "invalid_arguments");
        assert_eq!(
            problem.facts(),
            (422, "invalid_arguments", "gateway", "no", false),
            "{era}"
        );
        let mut errors: Vec<Value> = problem.0["errors"].as_array().unwrap().clone();
        errors.sort_by_key(|error| error["pointer"].to_string());
        assert_eq!(
            (&errors[0]["pointer"], &errors[0]["keyword"]),
            (&json!(""), &json!("required"))
        );
        assert_eq!(
            (&errors[1]["pointer"], &errors[1]["keyword"]),
            (&json!("/a"), &json!("type"))
        );
        assert!(
            !problem.0.to_string().contains("hunter2"),
            "values are not repeated"
        );
        assert_eq!(
            app.execute(SERVER, "add", &json!({"a": 1, "b": 2})).ok()["structuredContent"]["sum"],
            3
        );
        assert_eq!(
            (upstream.executions(), upstream.count("tools/call")),
            (1, 1),
            "{era}"
        );
        assert_eq!(upstream.count("tools/list"), 1, "the list is kept");
    }
}

#[test]
fn every_way_to_call_a_tool_is_checked() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = checked(&upstream);
    let wrong = json!({"a": 1});
    let call = app.call(SERVER, &json!({"name": "add", "arguments": wrong}));
    call.is_refused(422, "invalid_arguments");
    let rpc = app.post(
        &path(SERVER, "rpc"),
        &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add", "arguments": wrong}}),
    );
    assert_eq!(
        (rpc.status, &rpc.json()["error"]["data"]["code"]),
        (422, &json!("invalid_arguments"))
    );
    let batch = app.post(
        "/api/batch",
        &json!({"calls": [{"server": SERVER, "tool": "add", "arguments": wrong}]}),
    );
    assert_eq!(
        batch.ok()["results"][0]["body"]["code"],
        "invalid_arguments"
    );
    let live = execute(SERVER, "add", "").header("accept", "text/event-stream");
    let live = app.request(&live.json(&wrong));
    assert!(live.text().contains("invalid_arguments"), "{}", live.text());
    app.get(&path(SERVER, "tools/echo/execute"))
        .is_refused(422, "invalid_arguments");
    assert_eq!(upstream.count("tools/call"), 0);
}

#[test]
fn checks_can_be_configured_for_all_servers() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let url = upstream.url();
    let app = TestApp::spawn(&json!({
        "mcpServers": {SERVER: {"url": url}, "unchecked": {"url": url, "argumentChecks": "off"}},
        "gateway": {"argumentChecks": "on"},
    }));
    app.execute(SERVER, "add", &json!({"a": "x"}))
        .is_refused(422, "invalid_arguments");
    app.execute("unchecked", "add", &json!({"a": "x"})).ok();
    assert_eq!(upstream.count("tools/call"), 1);
}

#[test]
fn nothing_is_checked_unless_the_entry_says_so() {
    for members in [json!({}), json!({"argumentChecks": "off"})] {
        let upstream = Upstream::start(servers::ts_v1_stateless);
        let app = TestApp::over_with(&upstream, members);
        app.execute(SERVER, "add", &json!({"a": "x"})).ok();
        assert_eq!(upstream.order(), ["server/discover", "tools/call"]);
    }
}

#[test]
fn the_tool_s_dialect_counts_and_what_cannot_be_checked_passes() {
    const TOOLS: &str = r##"{"tools":[
        {"name":"seven","inputSchema":{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{"type":"string"}]}}}},
        {"name":"newest","inputSchema":{"properties":{"a":{"$ref":"#/$defs/pair"}},"$defs":{"pair":{"prefixItems":[{"type":"string"}]}}}},
        {"name":"elsewhere","inputSchema":{"$ref":"https://example.com/schema"}},
        {"name":"broken","inputSchema":{"type":"nonsense"}},
        {"name":"none"}]}"##;
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(TOOLS)),
        "tools/call" => {
            state.executed();
            Reply::json(200, request.result(r#"{"content":[]}"#))
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = checked(&upstream);
    for tool in ["seven", "newest"] {
        let problem = app.execute(SERVER, tool, &json!({"a": [7]}));
        let problem = problem.is_refused(422, "invalid_arguments");
        assert_eq!(problem.0["errors"][0]["pointer"], "/a/0", "{tool}");
        app.execute(SERVER, tool, &json!({"a": ["x"]})).ok();
    }
    for tool in ["elsewhere", "broken", "none", "not in the list"] {
        app.execute(SERVER, tool, &json!({"a": 7})).ok();
    }
    assert_eq!(upstream.executions(), 6);
}

#[test]
fn a_server_that_cannot_be_asked_for_its_list_is_an_error() {
    let app = TestApp::spawn(&json!({"mcpServers": {SERVER: {
        "url": "http://127.0.0.1:9/mcp", "argumentChecks": "on", "retries": 0}}}));
    let request: Request = execute(SERVER, "echo", "").json("{}");
    app.request(&request)
        .is_refused(502, "upstream_unreachable");
}

/// The envelope of `/call` sent to `/execute`, as whoever knows only one of them does.
#[test]
fn wrapped_arguments_are_recognised() {
    const TOOLS: &str = r#"{"tools":[
        {"name":"plain","inputSchema":{"type":"object","properties":{"a":{"type":"number"}}}},
        {"name":"wrapping","inputSchema":{"type":"object","properties":{"arguments":{"type":"object"}}}}]}"#;
    let wrapped = json!({"arguments": {"a": 1, "b": 2}});
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = checked(&upstream);
    let problem = app.execute(SERVER, "add", &wrapped);
    let problem = problem.is_refused(422, "invalid_arguments");
    problem.says("invalid_arguments_wrapped");
    let stream = execute(SERVER, "add", "").header("accept", "text/event-stream");
    let stream = app.request(&stream.json(&wrapped));
    assert!(stream.text().contains("the arguments object itself"));
    // Not said of what is wrong otherwise.
    let problem = app.execute(SERVER, "add", &json!({"a": {}, "b": 2}));
    assert!(!problem.text().contains("the arguments object itself"));

    // Also where the server refuses them, or the tool itself does; but not where the tool has such an argument.
    for result in [None, Some(r#"{"content":[],"isError":true}"#)] {
        let upstream = Upstream::start(move |request, state| match (request.rpc(), result) {
            ("tools/list", _) => Reply::json(200, request.result(TOOLS)),
            ("tools/call", Some(result)) => Reply::json(200, request.result(result)),
            ("tools/call", None) => Reply::json(200, request.error(-32602, "Not so")),
            _ => servers::ts_v1_stateless(request, state),
        });
        let app = TestApp::over_with(&upstream, json!({"toolErrors": "status"}));
        for (tool, is_said) in [("plain", true), ("wrapping", false)] {
            let response = app.execute(SERVER, tool, &wrapped);
            assert_eq!(response.status, 422);
            let said = response.text().contains("the arguments object itself");
            assert_eq!(said, is_said, "{tool}: {}", response.text());
        }
    }
}

#[test]
fn arguments_that_cannot_be_checked_are_not_said_to_be_wrong() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = checked(&upstream);
    let call = execute(SERVER, "echo", "").json(r#"{"message":"a","b":1e400}"#);
    let problem = app.request(&call).is_refused(422, "invalid_arguments");
    assert!(!problem.text("detail").contains("do not match"));
    problem.says("invalid_arguments_not_checked");
    assert_eq!(upstream.count("tools/call"), 0);
}
