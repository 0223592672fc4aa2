//! A tool is unknown only when the server's own list says so.

use serde_json::json;

use crate::app::{SERVER, TestApp, config};
use crate::upstream::{Reply, Upstream, error, servers};

#[test]
fn an_unknown_tool_is_404_in_every_form_servers_have_for_it() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for tool in ["ech", "no_such_tool_xyz"] {
            let problem = app
                .execute(SERVER, tool, &json!({}))
                .is_refused(404, "tool_not_found");
            assert_eq!(problem.text("title"), "Tool not found", "{name}");
            assert_eq!(
                (problem.text("server"), problem.text("tool")),
                (SERVER, tool),
                "{name}"
            );
            assert_eq!(
                problem.did_you_mean().contains(&"echo"),
                tool == "ech",
                "{name}: {}",
                problem.0
            );
        }
        assert_eq!(upstream.executions(), 0, "{name}");
    }
}

#[test]
fn an_unknown_tool_is_404_in_the_callers_session_and_in_an_envelope() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let id = app.open_session();
        app.execute_in(&id, SERVER, "no_such_tool_xyz", &json!({}))
            .is_refused(404, "tool_not_found");
        app.call(SERVER, &json!({"name": "no_such_tool_xyz"}))
            .is_refused(404, "tool_not_found");
        assert!(upstream.open().contains(&id), "{name}");
    }
}

#[test]
fn what_the_server_said_is_passed_on() {
    let upstream = Upstream::start(servers::ts_1_12_stateless);
    let problem = TestApp::over(&upstream)
        .execute(SERVER, "x", &json!({}))
        .problem();
    assert_eq!(
        problem.0["upstream"],
        json!({"status": 200, "jsonrpc": {"code": -32602, "message": "MCP error -32602: Tool x not found", "data": null}})
    );
}

#[test]
fn a_known_tool_that_speaks_like_an_unknown_one_is_believed() {
    const RESULT: &str =
        r#"{"content":[{"type":"text","text":"Unknown tool: echo"}],"isError":true}"#;
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.result(RESULT)),
        _ => servers::ts_v1_stateless(request, state),
    });
    let response = TestApp::over(&upstream).echo();
    assert_eq!((response.status, response.text()), (200, RESULT));
    assert_eq!(response.header("mcp-tool-error"), Some("true"));
}

/// A server whose every call ends in this error.
fn refusing(code: i64) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.reply(&error(code, "Tool echo not found"))),
        _ => servers::ts_v1_stateless(request, state),
    })
}

#[test]
fn wrong_arguments_of_a_known_tool_are_422() {
    let problem = TestApp::over(&refusing(-32602))
        .echo()
        .is_refused(422, "invalid_arguments");
    assert_eq!(problem.text("title"), "Tool execution failed");
    assert_eq!(problem.text("origin"), "upstream");
}

#[test]
fn a_method_that_a_server_does_not_have_is_501() {
    TestApp::over(&refusing(-32601))
        .echo()
        .is_refused(501, "not_supported");
}

#[test]
fn a_tool_that_a_fresh_list_has_is_not_unknown() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" if state.count("tools/list") == 1 => {
            Reply::json(200, request.result(r#"{"tools":[]}"#))
        }
        "tools/call" => Reply::json(200, request.error(-32602, "wrong")),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    app.tools(SERVER).ok();
    app.echo().is_refused(422, "invalid_arguments");
}

#[test]
fn without_a_list_the_servers_own_words_stand() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::empty(500),
        "tools/call" => Reply::json(200, request.error(-32602, "who knows")),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::spawn(&config(&upstream, json!({"protocol": "legacy"})));
    app.echo().is_refused(422, "invalid_arguments");
}
