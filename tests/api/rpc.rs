//! `/rpc`: any request of MCP in, its JSON-RPC response out, with the HTTP status that other routes give.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::{Request, Response};
use crate::problem::says;
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers};

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateless),
    ("modern", servers::ts_v2),
];

fn send(app: &TestApp, body: impl ToString) -> Response {
    app.request(&Request::post(&path(SERVER, "rpc")).json(body.to_string()))
}

#[test]
fn a_tool_is_called_and_the_id_comes_back_as_it_was() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = Upstream::start(behaviour);
        let app = TestApp::over(&upstream);
        for id in ["7", "1e2", r#""a \u0022""#, "-1"] {
            let body = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"add","arguments":{{"a":1,"b":2}}}}}}"#
            );
            let response = send(&app, body);
            let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"#);
            assert!(
                response.text().starts_with(&start),
                "{era}: {}",
                response.text()
            );
            assert_eq!(
                response.ok()["result"]["structuredContent"],
                json!({"sum": 3})
            );
        }
    }
}

#[test]
fn any_method_goes_through_with_its_parameters() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "x-vendor/thing" => Reply::json(200, request.result(r#"{"n": 1.10}"#)),
            _ => behaviour(request, state),
        });
        let app = TestApp::over(&upstream);
        let response = send(
            &app,
            r#"{"jsonrpc":"2.0","id":1,"method":"x-vendor/thing","params":{"b":1.10,"a":[ ]}}"#,
        );
        assert_eq!(
            response.text(),
            r#"{"jsonrpc":"2.0","id":1,"result":{"n": 1.10}}"#,
            "{era}"
        );
        let sent = upstream.only("x-vendor/thing");
        assert!(sent.body.contains(r#""b":1.10,"a":[ ]"#), "{}", sent.body);
    }
}

#[test]
fn ping_is_answered_in_both_eras() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = Upstream::start(behaviour);
        let app = TestApp::over(&upstream);
        let response = send(&app, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        assert_eq!(
            response.text(),
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            "{era}"
        );
    }
}

#[test]
fn errors_are_the_server_s_own_with_the_status_of_the_table() {
    for (code, status) in [(-32601, 501), (-32602, 422), (-32603, 502), (7, 502)] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "x/y" => Reply::json(
                200,
                request.reply(&format!(
                    r#""error":{{"code":{code},"message":"no","data":{{"n":1.10}}}}"#
                )),
            ),
            _ => servers::ts_v1_stateless(request, state),
        });
        let app = TestApp::over(&upstream);
        let response = send(&app, r#"{"jsonrpc":"2.0","id":"q","method":"x/y"}"#);
        assert_eq!(response.status, status, "{code}");
        let expected = format!(
            r#"{{"jsonrpc":"2.0","id":"q","error":{{"code":{code},"message":"no","data":{{"n":1.10}}}}}}"#
        );
        assert_eq!(response.text(), expected);
        assert_eq!(response.headers.media_type(), Some("application/json"));
    }
}

#[test]
fn what_this_service_has_to_say_is_an_error_with_the_problem_in_it() {
    let app = TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"url": "http://127.0.0.1:9/mcp", "retries": 0}}}),
    );
    let response = send(&app, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(response.status, 502);
    let body = response.json();
    assert_eq!(
        (&body["id"], &body["error"]["code"]),
        (&json!(1), &json!(-32000))
    );
    assert_eq!(body["error"]["data"]["code"], "upstream_unreachable");
    assert_eq!(body["error"]["data"]["executed"], "no");
    let nowhere = app.post(
        &path("nope", "rpc"),
        &json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}),
    );
    assert_eq!(nowhere.status, 404);
    assert_eq!(nowhere.json()["error"]["data"]["code"], "server_not_found");
}

#[test]
fn what_is_no_request_is_refused_and_says_where_to_go() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    for (body, code, what) in [
        ("{", -32700, "not_json"),
        ("[]", -32600, "batch"),
        ("7", -32600, "not_an_object"),
        (r#"{"id":1,"method":"ping"}"#, -32600, "without_version"),
        (
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            -32600,
            "without_method",
        ),
        (r#"{"jsonrpc":"2.0","method":"ping"}"#, -32600, "without_id"),
        (
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            -32600,
            "without_id",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize"}"#,
            -32601,
            "initialize",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            -32600,
            "initialized",
        ),
        (
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            -32600,
            "cancelled",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#,
            -32602,
            "params_no_object",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            -32602,
            "without_tool",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"a\nb"}"#,
            -32600,
            "method_not_ascii",
        ),
    ] {
        let response = send(&app, body);
        assert_eq!(response.status, 400, "{body}");
        let error: Value = response.json()["error"].clone();
        assert_eq!(error["code"], code, "{body}");
        says(&format!("rpc_{what}"), error["message"].as_str().unwrap());
        assert_eq!(error["data"]["executed"], "no", "{body}");
    }
    assert_eq!(upstream.requests().len(), 0, "nothing is sent");
}

#[test]
fn sessions_are_as_everywhere() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let opened = app.post(&path(SERVER, "rpc?init=true"), &request);
    let id = opened.session().unwrap().to_owned();
    let inside = app.post(
        &path(SERVER, &format!("rpc?sessionId={id}&close=true")),
        &request,
    );
    assert!(inside.ok()["result"]["tools"].is_array());
    upstream.wait_until_no_session_is_left();
    let expired = app.post(&path(SERVER, &format!("rpc?sessionId={id}")), &request);
    assert_eq!(expired.status, 410);
    let without = app.post(&path(SERVER, "rpc?init=false"), &request);
    assert_eq!(without.status, 400);
    assert_eq!(
        without.json()["error"]["data"].get("code"),
        None,
        "it is the server's own error"
    );
}

#[test]
fn input_that_is_required_is_a_result_here() {
    let result = r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create"}},"requestState":"s"}"#;
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.result(result)),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    let response = send(
        &app,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}"#,
    );
    assert_eq!(
        response.text(),
        format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#)
    );
}

#[test]
fn a_tool_call_keeps_all_of_its_members() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = Upstream::start(behaviour);
        let app = TestApp::over(&upstream);
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","task":{"ttl":1.50},"arguments":{}}}"#;
        send(&app, body).ok();
        let sent = upstream.only("tools/call");
        assert!(
            sent.body.contains(r#""task":{"ttl":1.50}"#),
            "{era}: {}",
            sent.body
        );
    }
}

#[test]
fn whatever_is_asked_for_by_name_is_named_in_a_header() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "server/discover" => servers::ts_v2(request, state),
        _ => Reply::json(200, request.result("{}")),
    });
    let app = TestApp::over(&upstream);
    for (method, params, name) in [
        ("prompts/get", r#"{"name":"greet"}"#, Some("greet")),
        ("resources/read", r#"{"uri":"a://b"}"#, Some("a://b")),
        (
            "resources/subscribe",
            r#"{"x":1,"uri":"a://c"}"#,
            Some("a://c"),
        ),
        ("vendor/thing", r#"{"uri":"a://d","name":"e"}"#, Some("e")),
        ("tasks/get", r#"{"taskId":"t-1","name":"no"}"#, Some("t-1")),
        (
            "tasks/cancel",
            r#"{"taskId":"\u00fc"}"#,
            Some("=?base64?w7w=?="),
        ),
        ("tasks/list", r#"{"cursor":"x"}"#, None),
        ("vendor/other", r#"{"name":7,"taskId":"t"}"#, None),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        assert_eq!(send(&app, &body).status, 200, "{method}");
        let sent = upstream.only(method);
        assert_eq!(sent.header("mcp-name"), name, "{method}");
        // As it was written, before what the revision demands.
        let written = params.strip_suffix('}').unwrap();
        assert!(sent.body.contains(written), "{}", sent.body);
    }
}
