//! The conversation with a legacy server before its reply: requests of the server, the session's own stream, resumed streams, and
//! the transport of 2024-11-05.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::upstream::{Part, Reply, Request, State, Upstream, event, servers};

/// What answers a call of these tests.
const RESULT: &str = r#"{"content":[{"type":"text","text":"done"}]}"#;

fn bytes(text: impl Into<String>) -> Part {
    Part::Bytes(text.into().into_bytes())
}

fn asks(id: &str, method: &str) -> Part {
    let message = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#);
    bytes(event(&message))
}

fn answers(request: &Request) -> Part {
    bytes(event(&request.result(RESULT)))
}

/// A service in which the server is known to be of the older kind.
fn app(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"protocol": "legacy"}))
}

/// The call that all of these tests make.
#[track_caller]
fn is_done(app: &TestApp, query: &str) {
    let response = app.execute_with(SERVER, "echo", query, &json!({}));
    assert_eq!(response.ok()["content"][0]["text"], "done");
}

/// The messages that are neither requests nor notifications.
fn replies(upstream: &Upstream) -> Vec<Request> {
    let mut posts = upstream.received("POST");
    posts.retain(|request| request.message.is_object());
    posts
}

// === Requests of the server ===

#[test]
fn what_the_server_asks_on_the_stream_is_answered() {
    let upstream = Upstream::start(|request, state| match (request.name(), request.rpc()) {
        (_, "tools/call") => Reply::stream(vec![
            asks("0", "ping"),
            asks("\"a b\"", "sampling/createMessage"),
            asks("1e2", "elicitation/create"),
            Part::Until("POST", 3),
            answers(request),
        ]),
        ("POST", "") => Reply::empty(202),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = app(&upstream);
    is_done(&app, "?init=true");

    let replies = replies(&upstream);
    let mut bodies: Vec<&str> = replies.iter().map(|reply| reply.body.as_str()).collect();
    bodies.sort_unstable();
    let unknown = r#""error":{"code":-32601,"message":"Method not found"}"#;
    assert_eq!(
        bodies,
        [
            format!(r#"{{"jsonrpc":"2.0","id":"a b",{unknown}}}"#),
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#.to_owned(),
            format!(r#"{{"jsonrpc":"2.0","id":1e2,{unknown}}}"#),
        ]
    );
    for reply in &replies {
        assert_eq!(
            reply.header("mcp-session-id"),
            Some(upstream.opened()[0].as_str())
        );
        assert_eq!(reply.header("mcp-protocol-version"), Some("2025-11-25"));
    }
    assert_eq!(upstream.count("tools/call"), 1);
}

#[test]
fn a_server_that_never_takes_an_answer_holds_nobody_up() {
    let upstream = Upstream::start(|request, state| match (request.name(), request.rpc()) {
        (_, "tools/call") => Reply::stream(vec![
            asks("0", "ping"),
            Part::Until("POST", 1),
            answers(request),
        ]),
        ("POST", "") => Reply::empty(202).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    is_done(&app(&upstream), "");
}

#[test]
fn a_server_that_asks_without_end_is_cut_off_by_the_deadline() {
    let upstream = Upstream::start(|request, state| match (request.name(), request.rpc()) {
        (_, "tools/call") => {
            let mut parts: Vec<Part> = (0..200).map(|id| asks(&id.to_string(), "ping")).collect();
            parts.push(Part::Stall);
            Reply::stream(parts)
        }
        ("POST", "") => Reply::empty(202).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let response = app(&upstream).execute_with(SERVER, "echo", "?timeoutMs=500", &json!({}));
    assert_eq!(response.problem().text("code"), "upstream_timeout");
    assert!(replies(&upstream).len() <= 16, "{:?}", upstream.order());
}

// === The session's own stream ===

/// A server that asks on its own stream, and answers a call only after that (Python SDK 1).
fn asks_beside(request: &Request, state: &State) -> Reply {
    let session = request.header("mcp-session-id").unwrap_or_default();
    match (request.name(), request.rpc()) {
        ("GET", _) => Reply::stream(vec![
            bytes(": ok\n\n"),
            Part::Until("tools/call", 1),
            asks("0", "roots/list"),
            Part::Stall,
        ]),
        (_, "tools/call") if state.is_initialized(session) => {
            Reply::stream(vec![Part::Until("POST", 1), answers(request)])
        }
        ("POST", "") => Reply::empty(202),
        _ => servers::python_v1_stateful(request, state),
    }
}

#[test]
fn what_the_server_asks_on_its_own_stream_is_answered() {
    for query in ["", "?init=true&close=true"] {
        let upstream = Upstream::start(asks_beside);
        let app = TestApp::over(&upstream);
        is_done(&app, query);
        let reply = upstream.only("POST");
        assert!(reply.body.contains("-32601"), "{}", reply.body);
        app.stop();
        assert_eq!(upstream.open(), Vec::<String>::new());
    }
    let upstream = Upstream::start(asks_beside);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    is_done(&app, &format!("?sessionId={id}"));
    let listened = upstream.only("GET");
    assert_eq!(listened.header("mcp-session-id"), Some(id.as_str()));
}

#[test]
fn the_streams_end_with_the_call() {
    let upstream = Upstream::start(|request, state| match request.method.as_str() {
        "GET" => Reply::stream(vec![bytes(": ok\n\n"), Part::Said]),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = app(&upstream);
    app.echo().ok();
    upstream.wait_until_no_session_is_left();
    assert_eq!(upstream.count("GET"), 1);
    drop(app);
}

#[test]
fn a_server_without_such_a_stream_is_not_asked_again() {
    for status in [404, 405, 501] {
        let upstream = Upstream::start(move |request, state| match request.method.as_str() {
            "GET" => Reply::empty(status),
            _ => servers::ts_v1_stateful(request, state),
        });
        let app = app(&upstream);
        for _ in 0..3 {
            app.echo().ok();
        }
        assert_eq!(upstream.count("GET"), 1, "{status}");
    }
}

#[test]
fn a_refusal_that_is_about_the_session_says_nothing_of_the_stream() {
    let upstream = Upstream::start(|request, state| {
        let id = request.header("mcp-session-id").unwrap_or_default();
        match request.method.as_str() {
            "GET" if !state.is_open(id) => Reply::empty(404),
            _ => asks_beside(request, state),
        }
    });
    let app = TestApp::over(&upstream);
    let dead = app.open_session();
    upstream.forget(&dead);
    app.execute_in(&dead, SERVER, "echo", &json!({}))
        .is_refused(410, "session_expired");
    is_done(&app, "");
}

#[test]
fn the_stream_can_be_switched_off() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over_with(&upstream, json!({"listen": "never"}));
    app.echo().ok();
    app.execute_with(SERVER, "echo", "?init=true", &json!({}))
        .ok();
    assert_eq!(upstream.count("GET"), 0);
}

#[test]
fn lists_and_pings_open_no_stream() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = app(&upstream);
    app.tools(SERVER).ok();
    app.post(&path(SERVER, "ping?init=true"), &json!({})).ok();
    assert_eq!(upstream.count("GET"), 0);
}

// === Resumption ===

/// A polling server (2025-11-25): every stream ends early, and `last` streams are needed.
fn polls(request: &Request, state: &State, last: usize) -> Reply {
    let priming = |number: usize| format!("id: event-{number}\ndata: \nretry: 20\n\n");
    match (request.method.as_str(), request.rpc()) {
        (_, "tools/call") => {
            state.executed();
            state.say(event(&request.result(RESULT)));
            Reply::events(priming(0))
        }
        ("GET", _) if request.header("last-event-id").is_none() => Reply::empty(405),
        ("GET", _) => {
            let number = state.count("GET");
            let from = request.header("last-event-id").unwrap_or_default();
            assert_eq!(from, format!("event-{}", number - 1));
            let mut parts = vec![bytes(priming(number))];
            if number == last {
                parts.push(Part::Said);
            }
            Reply::stream(parts)
        }
        _ => servers::ts_v1_stateless(request, state),
    }
}

#[test]
fn a_stream_that_ends_early_is_resumed() {
    let upstream = Upstream::start(|request, state| polls(request, state, 3));
    let app = app(&upstream);
    is_done(&app, "");
    assert_eq!((upstream.count("GET"), upstream.executions()), (3, 1));
    for resumed in upstream.received("GET") {
        assert_eq!(resumed.header("accept"), Some("text/event-stream"));
    }
}

#[test]
fn a_stream_that_breaks_is_resumed() {
    let upstream = Upstream::start(|request, state| match request.name() {
        "tools/call" => {
            state.say(event(&request.result(RESULT)));
            Reply::stream(vec![bytes("id: 7\ndata:\n\n"), Part::HangUp])
        }
        // Whatever stops the first attempts may pass.
        "GET" if state.count("GET") == 1 => Reply::empty(502),
        "GET" if state.count("GET") == 2 => Reply::hang_up(),
        "GET" => Reply::stream(vec![Part::Said]),
        _ => servers::ts_v1_stateless(request, state),
    });
    is_done(&app(&upstream), "");
    assert_eq!(upstream.count("tools/call"), 1);
    for resumed in upstream.received("GET") {
        assert_eq!(resumed.header("last-event-id"), Some("7"));
    }
}

#[test]
fn a_stream_that_cannot_be_resumed_is_no_answer() {
    for status in [400, 404, 405] {
        let upstream = Upstream::start(move |request, state| match request.name() {
            "tools/call" => Reply::events("id: 7\ndata:\n\n"),
            "GET" => Reply::empty(status),
            _ => servers::ts_v1_stateless(request, state),
        });
        let problem = app(&upstream).echo().problem();
        assert_eq!(
            problem.facts(),
            (
                502,
                "upstream_invalid_response",
                "upstream",
                "unknown",
                false
            )
        );
        assert_eq!(
            (upstream.count("GET"), upstream.count("tools/call")),
            (1, 1)
        );
    }
}

#[test]
fn resumption_comes_to_an_end() {
    // Every stream ends without a single event: five in a row are enough.
    let upstream = Upstream::start(|request, state| match request.name() {
        "tools/call" => Reply::events("id: 7\nretry: 0\ndata:\n\n"),
        "GET" => Reply::empty(503),
        _ => servers::ts_v1_stateless(request, state),
    });
    let problem = app(&upstream).echo().problem();
    assert_eq!(problem.text("code"), "upstream_invalid_response");
    assert_eq!(upstream.count("GET"), 5);
}

#[test]
fn a_stream_without_event_ids_is_not_resumed() {
    let upstream = Upstream::start(|request, state| match request.name() {
        "tools/call" => Reply::events(": nothing\n\n"),
        _ => servers::ts_v1_stateless(request, state),
    });
    let problem = app(&upstream).echo().problem();
    assert_eq!(problem.text("code"), "upstream_invalid_response");
    assert_eq!(upstream.count("GET"), 0);
}

#[test]
fn a_modern_stream_is_not_resumed() {
    let upstream = Upstream::start(|request, state| match request.name() {
        "tools/call" => Reply::events("id: 7\ndata:\n\n"),
        _ => servers::ts_v2(request, state),
    });
    let problem = TestApp::over(&upstream).echo().problem();
    assert_eq!(problem.text("code"), "upstream_invalid_response");
    assert_eq!(upstream.count("GET"), 0);
}

// === HTTP+SSE, 2024-11-05 ===

/// A server of 2024-11-05 whose first event names this endpoint.
fn http_sse(endpoint: &'static str) -> Upstream {
    Upstream::start(move |request, state| {
        let is_endpoint = request.path == "/messages/?session_id=SECRET";
        match (request.method.as_str(), request.rpc()) {
            ("GET", _) => Reply::stream(vec![
                bytes(format!("event: endpoint\r\ndata: {endpoint}\r\n\r\n")),
                Part::Said,
            ]),
            _ if !is_endpoint => Reply::typed(
                404,
                "text/html; charset=utf-8",
                "<pre>Cannot POST /mcp</pre>",
            ),
            (_, "notifications/initialized" | "") => Reply::typed(202, "text/plain", "Accepted"),
            (_, "tools/call") => {
                state.say(event(r#"{"jsonrpc":"2.0","id":0,"method":"ping"}"#));
                state.executed();
                state.say(event(&request.result(RESULT)));
                Reply::typed(202, "text/plain", "Accepted")
            }
            (_, method) => {
                let result = match method {
                    "initialize" => {
                        r#"{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{"name":"old","version":"1"}}"#
                    }
                    _ => r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#,
                };
                state.say(event(&request.result(result)));
                Reply::typed(202, "text/plain", "Accepted")
            }
        }
    })
}

/// How the same server may be configured: as what it is, or as what most are.
const KINDS: [&str; 2] = ["sse", "http"];

#[test]
fn a_server_of_2024_11_05_is_called() {
    for kind in KINDS {
        let upstream = http_sse("/messages/?session_id=SECRET");
        let app = TestApp::over_with(&upstream, json!({"type": kind}));
        for query in ["", "?init=true", "?sessionId=whatever"] {
            if kind == "http" && query.starts_with("?sessionId") {
                // Known to be of that kind by now.
                assert!(upstream.executions() > 0);
            }
            let response = app.execute_with(SERVER, "echo", query, &json!({}));
            assert_eq!(response.ok()["content"][0]["text"], "done", "{kind}");
            assert_eq!(response.session(), None);
        }
        assert_eq!(upstream.executions(), 3);
        assert_eq!(app.tools(SERVER).ok()["tools"][0]["name"], "echo");
        let body = app.initialize(SERVER).ok();
        assert_eq!(body["serverInfo"]["name"], "old");
        assert_eq!(body["sessionId"], Value::Null);
        let asked_in_vain = upstream
            .requests()
            .iter()
            .any(|request| request.method == "POST" && request.path == "/mcp");
        assert_eq!(asked_in_vain, kind == "http");
        let log = app.stop().stderr;
        assert!(!log.contains("SECRET"), "{log}");
    }
}

#[test]
fn a_broken_stream_is_opened_anew_for_a_tool_that_may_run_twice() {
    let upstream = Upstream::start(|request, state| match (request.name(), request.rpc()) {
        ("GET", _) => Reply::stream(vec![
            bytes("event: endpoint\ndata: /mcp\n\n"),
            Part::Said,
            Part::HangUp,
        ]),
        (_, "tools/call") if state.count("tools/call") == 1 => {
            // Another listener takes over, which ends this stream.
            state.end_streams();
            Reply::empty(202)
        }
        (_, "initialize" | "tools/list" | "tools/call") => {
            let result = match request.rpc() {
                "initialize" => {
                    r#"{"protocolVersion":"2024-11-05","capabilities":{},"serverInfo":{}}"#
                }
                "tools/list" => {
                    r#"{"tools":[{"name":"echo","annotations":{"readOnlyHint":true}}]}"#
                }
                _ => RESULT,
            };
            state.say(event(&request.result(result)));
            Reply::empty(202)
        }
        _ => Reply::empty(202),
    });
    let entry = json!({"type": "sse", "retryIdempotent": true});
    is_done(&TestApp::over_with(&upstream, entry), "");
    assert_eq!(upstream.count("tools/call"), 2);
    assert_eq!(upstream.count("initialize"), upstream.count("GET"));
}

#[test]
fn without_a_handshake_such_a_server_cannot_be_called() {
    for kind in KINDS {
        let upstream = http_sse("/messages/?session_id=SECRET");
        let app = TestApp::over_with(&upstream, json!({"type": kind}));
        app.execute_with(SERVER, "echo", "?init=false", &json!({}))
            .is_refused(400, "session_required");
        assert_eq!(upstream.executions(), 0);
    }
}

#[test]
fn an_endpoint_elsewhere_is_refused() {
    for endpoint in [
        "http://127.0.0.1:9/messages/",
        "http://localhost/messages/",
        "//evil.example/messages/",
        "https://127.0.0.1/messages/",
        "http://user@127.0.0.1:9/",
        "data:text/plain,x",
    ] {
        let upstream = http_sse(endpoint);
        let app = TestApp::over_with(&upstream, json!({"type": "sse"}));
        app.echo().is_refused(502, "upstream_invalid_response");
        assert_eq!(upstream.order(), ["GET"], "{endpoint}");
    }
}

#[test]
fn a_server_that_is_neither_keeps_its_first_refusal() {
    let upstream = Upstream::start(|_, _| Reply::empty(404));
    TestApp::over(&upstream)
        .echo()
        .is_refused(502, "upstream_error");
    assert_eq!(upstream.count("GET"), 1);
    let app = TestApp::over_with(&upstream, json!({"type": "sse"}));
    app.echo().is_refused(502, "upstream_invalid_response");
}

#[test]
fn the_session_s_own_stream_is_waited_for_where_another_holds_it() {
    let upstream = Upstream::start(|request, state| {
        let in_second_call = state.count("tools/call") > 0;
        match (request.name(), request.rpc()) {
            // Held by somebody else until the call is under way.
            ("GET", _) if !in_second_call => Reply::empty(409),
            ("GET", _) => Reply::stream(vec![asks("0", "ping"), Part::Stall]),
            (_, "tools/call") => Reply::stream(vec![Part::Until("POST", 1), answers(request)]),
            ("POST", "") => Reply::empty(202),
            _ => servers::python_v1_stateful(request, state),
        }
    });
    let app = app(&upstream);
    is_done(&app, "?init=true");
    is_done(&app, "?init=true");
    assert!(upstream.count("GET") >= 3, "{:?}", upstream.order());
}
