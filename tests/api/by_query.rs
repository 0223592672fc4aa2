//! `GET .../execute`: read-only tools, and no others, with arguments from the query.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::{Request, Response};
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers};

const TOOLS: &str = r#"{"tools":[
    {"name":"look","annotations":{"readOnlyHint":true},"inputSchema":{"type":"object","properties":{
        "text":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},"deep":{"type":"boolean"},
        "tags":{"type":"array","items":{"type":"string"}},"result":{"type":"string"}}}},
    {"name":"write","annotations":{"readOnlyHint":false}},
    {"name":"silent"},
    {"name":"hinted","annotations":{"readOnlyHint":"true","idempotentHint":true}}]}"#;

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateless),
    ("modern", servers::ts_v2),
];

fn upstream(behaviour: Behaviour) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(TOOLS)),
        "tools/call" => {
            state.executed();
            Reply::json(
                200,
                request.result(r#"{"content":[{"type":"text","text":"seen"}]}"#),
            )
        }
        _ => behaviour(request, state),
    })
}

fn get(app: &TestApp, rest: &str) -> Response {
    app.get(&path(SERVER, &format!("tools/{rest}")))
}

#[test]
fn arguments_come_from_the_query_as_the_schema_types_them() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
        let query = "look/execute?text=7&count=12345678901234567890&ratio=1.10&deep=true&tags=a&tags=b+c&timeoutMs=5000&arg.result=mcp";
        let response = get(&app, query);
        assert_eq!(response.ok()["content"][0]["text"], "seen", "{era}");
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let sent = upstream.only("tools/call");
        let arguments = r#""arguments":{"text":"7","count":12345678901234567890,"ratio":1.10,"deep":true,"tags":["a","b c"],"result":"mcp"}"#;
        assert!(sent.body.contains(arguments), "{era}: {}", sent.body);
    }
}

#[test]
fn forms_and_events_are_had_by_get_too() {
    let upstream = upstream(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    assert_eq!(get(&app, "look/execute?result=text").text(), "seen");
    // As a browser's EventSource asks.
    let target = path(SERVER, "tools/look/execute?text=x");
    let events = app.request(&Request::get(&target).header("accept", "text/event-stream"));
    assert!(
        events.text().starts_with("event: result\ndata: {"),
        "{}",
        events.text()
    );
}

#[test]
fn tools_that_do_not_say_so_have_post_alone() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = upstream(behaviour);
        let app = TestApp::over(&upstream);
        for tool in ["write", "silent", "hinted"] {
            let response = get(&app, &format!("{tool}/execute"));
            response.is_refused(405, "method_not_allowed");
            assert_eq!(response.header("allow"), Some("POST"), "{era} {tool}");
        }
        get(&app, "lok/execute").is_refused(404, "tool_not_found");
        assert_eq!(upstream.executions(), 0, "{era}");
    }
}

#[test]
fn a_server_that_does_not_list_its_tools_has_none_to_read() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.error(-32601, "Method not found")),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    get(&app, "echo/execute").is_refused(405, "method_not_allowed");
    assert_eq!(upstream.executions(), 0);
}

#[test]
fn what_has_no_place_in_the_schema_is_refused() {
    let upstream = upstream(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let unknown = get(&app, "look/execute?other=1").is_refused(400, "invalid_request");
    unknown.says("invalid_request_unknown_argument");
    let problem =
        get(&app, "look/execute?count=many&deep=yes").is_refused(422, "invalid_arguments");
    let errors: Vec<&Value> = problem.0["errors"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&errors[0]["pointer"], &errors[1]["pointer"]),
        (&json!("/count"), &json!("/deep"))
    );
    assert_eq!(problem.text("origin"), "gateway");
    let deep = format!("look/execute?tags={}{}", "[".repeat(200), "]".repeat(200));
    get(&app, &deep).is_refused(400, "invalid_request");
    let many = "&text=x".repeat(1000);
    get(&app, &format!("look/execute?text=x{many}")).is_refused(400, "invalid_request");
    assert_eq!(upstream.executions(), 0);
}

#[test]
fn a_session_is_opened_for_the_call_alone() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let response = get(&app, "echo/execute?message=hi&init=true");
    let id = response.session().unwrap().to_owned();
    assert_eq!(response.ok()["content"][0]["text"], "Echo: hi");
    let again = get(
        &app,
        &format!("echo/execute?message=ho&sessionId={id}&close=true"),
    );
    assert_eq!(again.ok()["content"][0]["text"], "Echo: ho");
    upstream.wait_until_no_session_is_left();
}
