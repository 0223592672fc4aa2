//! The table of errors: one test a row, each with the whole body and the headers that belong to it.
//!
//! The rows that say which answers of which servers lead where are in `errors`, `sessions`, `unknown_tool` and `modern`;
//! the faults below HTTP are in `faults`. There is no row for `internal_error`: nothing that a caller or a server can do
//! leads there.

use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::{Request, Response, send_raw};
use crate::upstream::{Part, Reply, Request as Incoming, State, Upstream, event, servers};

/// The request id of every row.
const REQUEST_ID: &str = "row-1";

/// Sends a request with the id by which the body is known beforehand.
#[track_caller]
fn send(app: &TestApp, request: Request) -> Response {
    app.request(&request.header("x-request-id", REQUEST_ID))
}

fn call() -> Request {
    execute(SERVER, "echo", "").json(r#"{"message":"hi"}"#)
}

/// The response is this problem: the members given, those that follow from them, the sentence kept under `row`, and no other.
#[track_caller]
fn is(row: &str, response: &Response, mut expected: Value) {
    let problem = response.problem();
    problem.says(row);
    let members = expected.as_object_mut().unwrap();
    members.insert(
        "type".into(),
        format!("urn:mcp-rest:{}", members["code"].as_str().unwrap()).into(),
    );
    members.insert("error".into(), members["title"].clone());
    for sentence in ["detail", "message"] {
        members.insert(sentence.into(), problem.0["detail"].clone());
    }
    members.insert("requestId".into(), REQUEST_ID.into());
    assert_eq!(response.json(), expected);
    assert_eq!(expected["status"], response.status);
}

/// A server that answers calls with this, and everything else as it should.
fn answering(reply: impl Fn(&Incoming, &State) -> Reply + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => reply(request, state),
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// A service over such a server, and its answer to the call.
fn called(upstream: &Upstream) -> Response {
    send(&legacy(upstream), call())
}

fn legacy(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"protocol": "legacy"}))
}

fn any() -> Upstream {
    Upstream::start(servers::ts_v1_stateless)
}

// === Refused here ===

#[test]
fn invalid_request() {
    let app = TestApp::over(&any());
    is(
        "invalid_request",
        &send(&app, execute(SERVER, "echo", "").json("[1]")),
        json!({
            "status": 400, "code": "invalid_request", "title": "Invalid request",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
        }),
    );
}

#[test]
fn unauthorized_here() {
    let upstream = any();
    let key = ("MCP_REST_AUTH_API_KEYS", "${KEY}");
    let app = TestApp::spawn_with(&config(&upstream, json!({})), &[], &[key, ("KEY", "k")]);
    let response = send(&app, call());
    is(
        "unauthorized_here",
        &response,
        json!({
            "status": 401, "code": "unauthorized", "title": "Authentication failed",
            "origin": "gateway", "executed": "no", "retryable": false,
        }),
    );
    assert_eq!(
        response.header("www-authenticate"),
        Some("Bearer realm=\"mcp-rest\"")
    );
}

#[test]
fn server_not_found() {
    let app = TestApp::over(&any());
    is(
        "server_not_found",
        &send(&app, execute("S", "echo", "").json("{}")),
        json!({
            "status": 404, "code": "server_not_found", "title": "Server not found",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "S", "tool": "echo",
            "didYouMean": ["s"],
        }),
    );
}

#[test]
fn not_found() {
    let app = TestApp::over(&any());
    let nowhere = Request::get("/api/nowhere").header("x-request-id", REQUEST_ID);
    is(
        "not_found",
        &nowhere.send(app.address),
        json!({
            "status": 404, "code": "not_found", "title": "Not found",
            "origin": "gateway", "executed": "no", "retryable": false,
        }),
    );
}

#[test]
fn method_not_allowed() {
    let app = TestApp::over(&any());
    let put = Request::new("PUT", &path(SERVER, "call")).header("x-request-id", REQUEST_ID);
    let response = put.send(app.address);
    is(
        "method_not_allowed",
        &response,
        json!({
            "status": 405, "code": "method_not_allowed", "title": "Method not allowed",
            "origin": "gateway", "executed": "no", "retryable": false,
        }),
    );
    assert_eq!(response.header("allow"), Some("POST"));
}

#[test]
fn request_timeout() {
    let upstream = any();
    let app = TestApp::over(&upstream);
    let head = format!(
        "POST {}?timeoutMs=300 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-request-id: {REQUEST_ID}\r\n",
        path(SERVER, "tools/echo/execute")
    );
    let response = send_raw(
        app.address,
        (head + "content-length: 9\r\n\r\n{").as_bytes(),
    );
    is(
        "request_timeout",
        &response,
        json!({
            "status": 408, "code": "request_timeout", "title": "Request timeout",
            "origin": "gateway", "executed": "no", "retryable": true, "server": "s", "tool": "echo",
        }),
    );
    assert_eq!(response.header("connection"), Some("close"));
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn payload_too_large() {
    let limit = ("MCP_REST_LIMITS_REQUEST_BYTES", "9");
    let app = TestApp::spawn_with(&config(&any(), json!({})), &[], &[limit]);
    is(
        "payload_too_large",
        &send(&app, call()),
        json!({
            "status": 413, "code": "payload_too_large", "title": "Payload too large",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
        }),
    );
}

#[test]
fn unsupported_media_type() {
    let app = TestApp::over(&any());
    let form = execute(SERVER, "echo", "")
        .header("content-type", "application/x-www-form-urlencoded")
        .body("message=hi");
    is(
        "unsupported_media_type",
        &send(&app, form),
        json!({
            "status": 415, "code": "unsupported_media_type", "title": "Unsupported media type",
            "origin": "gateway", "executed": "no", "retryable": false,
        }),
    );
}

#[test]
fn unsupported_media_type_of_a_compressed_body() {
    let app = TestApp::over(&any());
    let response = send(&app, call().header("content-encoding", "br"));
    is(
        "unsupported_media_type_of_a_compressed_body",
        &response,
        json!({
            "status": 415, "code": "unsupported_media_type", "title": "Unsupported media type",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
        }),
    );
    assert_eq!(response.header("accept-encoding"), Some("gzip"));
}

#[test]
fn forbidden_to_other_sites() {
    let app = TestApp::over(&any());
    for (row, name, value) in [
        (
            "forbidden_by_sec_fetch_site",
            "sec-fetch-site",
            "cross-site",
        ),
        ("forbidden_by_origin", "origin", "null"),
    ] {
        is(
            row,
            &send(&app, call().header(name, value)),
            json!({
                "status": 403, "code": "forbidden", "title": "Forbidden",
                "origin": "gateway", "executed": "no", "retryable": false,
            }),
        );
    }
}

// === Refused there ===

#[test]
fn unauthorized_there() {
    const CHALLENGE: &str = "Bearer error=\"invalid_token\", resource_metadata=\"https://h/x\"";
    let upstream = answering(|_, _| {
        Reply::json(401, r#"{"error":"invalid_token"}"#)
            .header("www-authenticate", CHALLENGE)
            .header("www-authenticate", "Basic")
    });
    let response = called(&upstream);
    is(
        "unauthorized_there",
        &response,
        json!({
            "status": 401, "code": "unauthorized", "title": "Authentication failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {"status": 401},
        }),
    );
    assert_eq!(
        response.headers.all("www-authenticate"),
        [CHALLENGE, "Basic"]
    );
}

#[test]
fn forbidden() {
    let upstream = answering(|_, _| {
        Reply::json(403, r#"{"error":"insufficient_scope"}"#)
            .header("www-authenticate", "Bearer error=\"insufficient_scope\"")
    });
    let response = called(&upstream);
    is(
        "forbidden",
        &response,
        json!({
            "status": 403, "code": "forbidden", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {"status": 403},
        }),
    );
    assert_eq!(
        response.header("www-authenticate"),
        Some("Bearer error=\"insufficient_scope\"")
    );
}

#[test]
fn tool_not_found() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = legacy(&upstream);
    is(
        "tool_not_found",
        &send(&app, execute(SERVER, "ech", "").json("{}")),
        json!({
            "status": 404, "code": "tool_not_found", "title": "Tool not found",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "ech",
            "didYouMean": ["echo"],
            "upstream": {
                "status": 200, "jsonrpc": {"code": -32602, "message": "Tool ech not found", "data": null},
            },
        }),
    );
}

#[test]
fn session_required() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let without = || execute(SERVER, "echo", "?init=false").json("{}");
    is(
        "session_required",
        &send(&legacy(&upstream), without()),
        json!({
            "status": 400, "code": "session_required", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {
                "status": 400,
                "jsonrpc": {"code": -32000, "message": "Bad Request: No valid session ID provided", "data": null},
            },
        }),
    );
    let app = TestApp::over_with(&upstream, json!({"type": "sse"}));
    is(
        "session_required",
        &send(&app, without()),
        json!({
            "status": 400, "code": "session_required", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
        }),
    );
}

#[test]
fn session_expired() {
    type Answer = fn(&Incoming) -> Reply;
    let lost = |code: i64| json!({"code": code, "message": "Session not found", "data": null});
    let answers: [(Answer, Value); 7] = [
        (
            |request| Reply::json(404, request.error(-32001, "Session not found")),
            json!({"status": 404, "jsonrpc": lost(-32001)}),
        ),
        (
            |_| {
                Reply::json(
                    400,
                    r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Session not found"}}"#,
                )
            },
            json!({"status": 400, "jsonrpc": lost(-32000)}),
        ),
        (
            |_| {
                Reply::json(
                    404,
                    r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}"#,
                )
            },
            json!({"status": 404, "jsonrpc": lost(-32600)}),
        ),
        (
            |_| Reply::typed(404, "text/plain; charset=utf-8", "session not found\n"),
            json!({"status": 404}),
        ),
        (
            |_| Reply::untyped(400, "Bad Request: No valid session ID provided"),
            json!({"status": 400}),
        ),
        (
            |_| Reply::untyped(401, "Unauthorized: Session not found"),
            json!({"status": 401}),
        ),
        (
            |request| Reply::events(event(&request.error(0, "Session not found"))),
            json!({"status": 200, "jsonrpc": lost(0)}),
        ),
    ];
    for (answer, upstream_said) in answers {
        let upstream = answering(move |request, _| answer(request));
        let request = call().header("mcp-session-id", "dead-session");
        is(
            "session_expired",
            &send(&legacy(&upstream), request),
            json!({
                "status": 410, "code": "session_expired", "title": "Tool execution failed",
                "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
                "upstream": upstream_said,
            }),
        );
        assert_eq!(upstream.order(), ["GET", "tools/call"]);
    }
}

#[test]
fn invalid_arguments() {
    let upstream = answering(|request, _| Reply::json(400, request.error(-32602, "Not so")));
    is(
        "invalid_arguments",
        &called(&upstream),
        json!({
            "status": 422, "code": "invalid_arguments", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {"status": 400, "jsonrpc": {"code": -32602, "message": "Not so", "data": null}},
        }),
    );
}

#[test]
fn tool_error() {
    let upstream = any();
    let app = legacy(&upstream);
    let request = execute(SERVER, "fail", "?toolErrors=status").json("{}");
    let response = send(&app, request);
    let result = app.execute(SERVER, "fail", &json!({})).ok();
    is(
        "tool_error",
        &response,
        json!({
            "status": 422, "code": "tool_error", "title": "Tool execution failed",
            "origin": "upstream", "executed": "yes", "retryable": false, "server": "s", "tool": "fail",
            "result": result,
        }),
    );
}

#[test]
fn input_required() {
    let upstream = Upstream::start(|request, state| {
        match request.rpc() {
        "tools/call" => Reply::json(
            200,
            request.result(
                r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"n":1.10}}},"requestState":"s\/+\u00fc=="}"#,
            ),
        ),
        _ => servers::ts_v2(request, state),
    }
    });
    let response = send(&TestApp::over(&upstream), call());
    is(
        "input_required",
        &response,
        json!({
            "status": 409, "code": "input_required", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "inputRequests": {"a": {"method": "elicitation/create", "params": {"n": 1.1}}},
            "requestState": "s/+ü==",
        }),
    );
    // As it was written, not as it was read.
    assert!(response.text().contains(r#""requestState":"s\/+\u00fc==""#));
    assert!(response.text().contains(r#"{"n":1.10}"#));
}

#[test]
fn rate_limited() {
    for (said, given) in [(Some("7"), "7"), (None, "1")] {
        let upstream = answering(move |_, _| match said {
            Some(after) => Reply::empty(429).header("retry-after", after),
            None => Reply::empty(429),
        });
        let response = called(&upstream);
        is(
            "rate_limited",
            &response,
            json!({
                "status": 429, "code": "rate_limited", "title": "Tool execution failed",
                "origin": "upstream", "executed": "no", "retryable": true, "server": "s", "tool": "echo",
                "upstream": {"status": 429},
            }),
        );
        assert_eq!(response.header("retry-after"), Some(given));
        assert_eq!(upstream.count("tools/call"), 1);
    }
}

#[test]
fn overloaded_there() {
    for (said, given) in [(Some("120"), "120"), (None, "1")] {
        let upstream = answering(move |_, _| match said {
            Some(after) => Reply::empty(503).header("retry-after", after),
            None => Reply::empty(503),
        });
        let response = called(&upstream);
        is(
            "overloaded_there",
            &response,
            json!({
                "status": 503, "code": "overloaded", "title": "Tool execution failed",
                "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
                "upstream": {"status": 503},
            }),
        );
        assert_eq!(response.header("retry-after"), Some(given));
    }
}

#[test]
fn overloaded_here() {
    // Nobody may wait at all, or for a moment.
    for queued in ["0", "1"] {
        let stalled =
            |request: &Incoming, state: &State| servers::ts_v1_stateless(request, state).stalled();
        let (upstream, other) = (answering(stalled), any());
        let entry = json!({"url": upstream.url(), "protocol": "legacy", "inFlight": 1});
        let healthy = json!({"url": other.url(), "protocol": "legacy"});
        let app = TestApp::spawn_with(
            &json!({"mcpServers": {SERVER: entry, "other": healthy}}),
            &[],
            &[
                ("MCP_REST_LIMITS_QUEUED", queued),
                ("MCP_REST_QUEUE_MS", "1"),
            ],
        );
        thread::scope(|scope| {
            let first = scope.spawn(|| app.request(&call()));
            upstream.wait_for("tools/call", 1);
            let response = send(&app, call());
            is(
                "overloaded_here",
                &response,
                json!({
                    "status": 503, "code": "overloaded", "title": "Tool execution failed",
                    "origin": "gateway", "executed": "no", "retryable": true, "server": "s", "tool": "echo",
                }),
            );
            assert_eq!(response.header("retry-after"), Some("1"));
            app.execute("other", "echo", &json!({})).ok();
            upstream.release();
            first.join().unwrap().ok();
        });
        assert_eq!(upstream.count("tools/call"), 1);
    }
}

#[test]
fn overloaded_for_want_of_room() {
    type Answer = fn(&Incoming) -> Reply;
    let answers: [Answer; 2] = [
        |request| {
            Reply::json(
                200,
                request.result(&format!("{{\"x\":\"{}\"}}", "x".repeat(900_000))),
            )
        },
        |request| {
            let message = request.result(&format!("{{\"x\":\"{}\"}}", "x".repeat(900_000)));
            Reply::events(event(&message))
        },
    ];
    for answer in answers {
        let upstream = answering(move |request, _| answer(request));
        let app = TestApp::spawn_with(
            &config(&upstream, json!({"protocol": "legacy"})),
            &[],
            &[("MCP_REST_LIMITS_BUFFERED_BYTES", "300000")],
        );
        let response = send(&app, call());
        is(
            "overloaded_for_want_of_room",
            &response,
            json!({
                "status": 503, "code": "overloaded", "title": "Tool execution failed",
                "origin": "gateway", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
            }),
        );
        assert_eq!(response.header("retry-after"), Some("1"));
        // What was held is given back.
        app.tools(SERVER).ok();
    }
}

#[test]
fn a_permit_is_waited_for() {
    let upstream = answering(|request, state| servers::ts_v1_stateless(request, state).stalled());
    let app = TestApp::spawn_with(
        &config(&upstream, json!({"protocol": "legacy", "inFlight": 1})),
        &["--log-level", "debug"],
        &[("MCP_REST_QUEUE_MS", "600000")],
    );
    thread::scope(|scope| {
        let first = scope.spawn(|| app.request(&call()));
        upstream.wait_for("tools/call", 1);
        let second = scope.spawn(|| app.request(&call()));
        app.wait_for_log("waits for a permit");
        assert_eq!(upstream.count("tools/call"), 1);
        upstream.release();
        first.join().unwrap().ok();
        second.join().unwrap().ok();
    });
}

// === Everything else ===

#[test]
fn not_supported() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(404, request.error(-32601, "Method not found")),
        _ => servers::ts_v1_stateless(request, state),
    });
    is(
        "not_supported",
        &send(&legacy(&upstream), Request::get(&path(SERVER, "tools"))),
        json!({
            "status": 501, "code": "not_supported", "title": "Failed to list tools",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s",
            "upstream": {"status": 404, "jsonrpc": {"code": -32601, "message": "Method not found", "data": null}},
        }),
    );
}

#[test]
fn upstream_error_of_json_rpc() {
    let upstream = answering(|request, _| {
        let error = r#""error":{"code":-32603,"message":"Disk full","data":{"b":1.10,"a":[]}}"#;
        Reply::json(200, request.reply(error))
    });
    let response = called(&upstream);
    is(
        "upstream_error_of_json_rpc",
        &response,
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "origin": "upstream", "executed": "yes", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {
                "status": 200,
                "jsonrpc": {"code": -32603, "message": "Disk full", "data": {"b": 1.1, "a": []}},
            },
        }),
    );
    assert!(response.text().contains(r#"{"b":1.10,"a":[]}"#));
}

#[test]
fn upstream_error_for_want_of_a_capability() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let error = r#""error":{"code":-32021,"message":"Missing","data":{"requiredCapabilities":{"elicitation":{}}}}"#;
            Reply::json(400, request.reply(error))
        }
        _ => servers::ts_v2(request, state),
    });
    is(
        "upstream_error_for_want_of_a_capability",
        &send(&TestApp::over(&upstream), call()),
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {
                "status": 400,
                "jsonrpc": {
                    "code": -32021, "message": "Missing",
                    "data": {"requiredCapabilities": {"elicitation": {}}},
                },
            },
        }),
    );
    assert_eq!(upstream.count("tools/call"), 1);
}

#[test]
fn upstream_error_of_http() {
    for (status, executed) in [
        (402, "unknown"),
        (418, "unknown"),
        (500, "unknown"),
        (599, "unknown"),
    ] {
        let upstream = answering(move |_, _| Reply::typed(status, "text/html", "<h1>PAGE</h1>"));
        is(
            &format!("upstream_error_of_http_{status}"),
            &called(&upstream),
            json!({
                "status": 502, "code": "upstream_error",
                "title": "Tool execution failed",
                "origin": "upstream", "executed": executed, "retryable": false, "server": "s", "tool": "echo",
                "upstream": {"status": status},
            }),
        );
    }
}

#[test]
fn upstream_error_of_redirection() {
    let upstream = answering(|_, _| Reply::empty(302).header("location", "/elsewhere?key=SECRET"));
    is(
        "upstream_error_of_redirection",
        &called(&upstream),
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {"status": 302},
        }),
    );
}

#[test]
fn upstream_invalid_response() {
    type Answer = fn(&Incoming) -> Reply;
    let answers: [(Answer, &str); 10] = [
        (
            |request| {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
                Reply::raw(head.to_owned() + &request.result("{}"))
            },
            "without_length",
        ),
        (
            |_| Reply::typed(200, "text/html", "<h1>PAGE</h1>"),
            "neither_json_nor_events",
        ),
        (|_| Reply::json(200, "{\"PAGE\""), "malformed"),
        (
            |_| Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            "without_reply",
        ),
        (|_| Reply::events(": nothing\n\n"), "without_reply"),
        (|_| Reply::hang_up(), "connection_lost"),
        (
            |_| Reply::json(200, "x".repeat(3000)),
            "over_response_bytes",
        ),
        (
            |_| Reply::events(format!("data: {}", "x".repeat(1500))),
            "over_event_bytes",
        ),
        (|_| Reply::events(":\n\n".repeat(20)), "over_events"),
        (
            |_| Reply::json(200, "{\"result\":[[[[[[[[[[[[]]]]]]]]]]]]}"),
            "over_depth",
        ),
    ];
    for (answer, what) in answers {
        let upstream = answering(move |request, _| answer(request));
        let app = TestApp::spawn_with(
            &config(&upstream, json!({"protocol": "legacy"})),
            &[],
            &[
                ("MCP_REST_LIMITS_RESPONSE_BYTES", "2000"),
                ("MCP_REST_LIMITS_EVENT_BYTES", "1000"),
                ("MCP_REST_LIMITS_EVENTS", "10"),
                ("MCP_REST_LIMITS_DEPTH", "10"),
            ],
        );
        is(
            &format!("upstream_invalid_response_{what}"),
            &send(&app, call()),
            json!({
                "status": 502, "code": "upstream_invalid_response", "title": "Tool execution failed",
                "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
            }),
        );
        assert_eq!(upstream.count("tools/call"), 1, "{what}");
    }
}

#[test]
fn upstream_unreachable() {
    // A port that is taken and does not listen, as long as the connection is held.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let held = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let url = format!("http://{}/mcp", held.local_addr().unwrap());
    let app = TestApp::spawn(&json!({"mcpServers": {SERVER: {"url": url}}}));
    is(
        "upstream_unreachable",
        &send(&app, call()),
        json!({
            "status": 502, "code": "upstream_unreachable", "title": "Tool execution failed",
            "origin": "upstream", "executed": "no", "retryable": true, "server": "s", "tool": "echo",
        }),
    );
}

#[test]
fn upstream_timeout() {
    let upstream = answering(|_, _| Reply::stream(vec![Part::Stall]));
    let request = execute(SERVER, "add", "?timeoutMs=200").json("{}");
    is(
        "upstream_timeout",
        &send(&legacy(&upstream), request),
        json!({
            "status": 504, "code": "upstream_timeout", "title": "Tool execution failed",
            "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "add",
        }),
    );
}
