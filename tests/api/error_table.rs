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

/// The response is this problem: the members given, those that follow from them, and no other.
#[track_caller]
fn is(response: &Response, mut expected: Value) {
    response.problem();
    let members = expected.as_object_mut().unwrap();
    members.insert(
        "type".into(),
        format!("urn:mcp-rest:{}", members["code"].as_str().unwrap()).into(),
    );
    members.insert("error".into(), members["title"].clone());
    members.insert("message".into(), members["detail"].clone());
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
        &send(&app, execute(SERVER, "echo", "").json("[1]")),
        json!({
            "status": 400, "code": "invalid_request", "title": "Invalid request",
            "detail": "The body must be a JSON object",
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
        &response,
        json!({
            "status": 401, "code": "unauthorized", "title": "Authentication failed",
            "detail": "This service wants an API key, in 'X-API-Key' or as 'Authorization: Bearer'",
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
        &send(&app, execute("S", "echo", "").json("{}")),
        json!({
            "status": 404, "code": "server_not_found", "title": "Server not found",
            "detail": "Server 'S' is not configured",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "S", "tool": "echo",
        }),
    );
}

#[test]
fn not_found() {
    let app = TestApp::over(&any());
    let nowhere = Request::get("/api/nowhere").header("x-request-id", REQUEST_ID);
    is(
        &nowhere.send(app.address),
        json!({
            "status": 404, "code": "not_found", "title": "Not found", "detail": "There is no such route",
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
        &response,
        json!({
            "status": 405, "code": "method_not_allowed", "title": "Method not allowed",
            "detail": "The header 'Allow' names the methods of this route",
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
        &response,
        json!({
            "status": 408, "code": "request_timeout", "title": "Request timeout",
            "detail": "The body had not come when the deadline of the call passed",
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
        &send(&app, call()),
        json!({
            "status": 413, "code": "payload_too_large", "title": "Payload too large",
            "detail": "The body is longer than 9 bytes",
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
        &send(&app, form),
        json!({
            "status": 415, "code": "unsupported_media_type", "title": "Unsupported media type",
            "detail": "The body must be JSON: send it with 'Content-Type: application/json'",
            "origin": "gateway", "executed": "no", "retryable": false,
        }),
    );
}

#[test]
fn unsupported_media_type_of_a_compressed_body() {
    let app = TestApp::over(&any());
    let response = send(&app, call().header("content-encoding", "br"));
    is(
        &response,
        json!({
            "status": 415, "code": "unsupported_media_type", "title": "Unsupported media type",
            "detail": "A body may be compressed with gzip alone: send it with 'Content-Encoding: gzip', or without",
            "origin": "gateway", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
        }),
    );
    assert_eq!(response.header("accept-encoding"), Some("gzip"));
}

#[test]
fn forbidden_to_other_sites() {
    let app = TestApp::over(&any());
    for (name, value, detail) in [
        (
            "sec-fetch-site",
            "cross-site",
            "A page of another site has a browser send this, says 'Sec-Fetch-Site': only pages of this service may, and \
             programs, which send no such header",
        ),
        (
            "origin",
            "null",
            "The page that 'Origin' names is of another site than 'Host': only pages of this service may send this, and \
             programs, which send no 'Origin'. A proxy before this service must pass on 'Host', or say 'X-Forwarded-Host' \
             and be one of 'gateway.trustedProxies'",
        ),
    ] {
        is(
            &send(&app, call().header(name, value)),
            json!({
                "status": 403, "code": "forbidden", "title": "Forbidden", "detail": detail,
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
        &response,
        json!({
            "status": 401, "code": "unauthorized", "title": "Authentication failed",
            "detail": "Server 's' refused the credential it was sent",
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
        &response,
        json!({
            "status": 403, "code": "forbidden", "title": "Tool execution failed",
            "detail": "Server 's' forbids this request",
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
        &send(&app, execute(SERVER, "ech", "").json("{}")),
        json!({
            "status": 404, "code": "tool_not_found", "title": "Tool not found",
            "detail": "Tool 'ech' not found on server 's'",
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
    let detail = "Server 's' wants a session: send the request with 'init=true', or open one with \
                  POST /api/mcp/{server}/initialize and send its id";
    let without = || execute(SERVER, "echo", "?init=false").json("{}");
    is(
        &send(&legacy(&upstream), without()),
        json!({
            "status": 400, "code": "session_required", "title": "Tool execution failed", "detail": detail,
            "origin": "upstream", "executed": "no", "retryable": false, "server": "s", "tool": "echo",
            "upstream": {
                "status": 400,
                "jsonrpc": {"code": -32000, "message": "Bad Request: No valid session ID provided", "data": null},
            },
        }),
    );
    let app = TestApp::over_with(&upstream, json!({"type": "sse"}));
    is(
        &send(&app, without()),
        json!({
            "status": 400, "code": "session_required", "title": "Tool execution failed", "detail": detail,
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
            &send(&legacy(&upstream), request),
            json!({
                "status": 410, "code": "session_expired", "title": "Tool execution failed",
                "detail": "Server 's' does not know this session any more: open a new one",
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
        &called(&upstream),
        json!({
            "status": 422, "code": "invalid_arguments", "title": "Tool execution failed",
            "detail": "Server 's' refused the arguments; 'upstream' holds what it said",
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
        &response,
        json!({
            "status": 422, "code": "tool_error", "title": "Tool execution failed",
            "detail": "Tool 'fail' on server 's' reported an error",
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
        &response,
        json!({
            "status": 409, "code": "input_required", "title": "Tool execution failed",
            "detail": "Server 's' wants input: repeat the call through POST /api/mcp/{server}/call with \
                       'inputResponses' and the same 'requestState'",
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
            &response,
            json!({
                "status": 429, "code": "rate_limited", "title": "Tool execution failed",
                "detail": "Server 's' is asked too often",
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
            &response,
            json!({
                "status": 503, "code": "overloaded", "title": "Tool execution failed",
                "detail": "Server 's' is not ready to answer",
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
                &response,
                json!({
                    "status": 503, "code": "overloaded", "title": "Tool execution failed",
                    "detail": "Too many calls to server 's' are in flight; nothing was sent to it",
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
            &response,
            json!({
                "status": 503, "code": "overloaded", "title": "Tool execution failed",
                "detail": "Too much is held in memory at the same time: there was no room for this answer",
                "origin": "gateway", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
            }),
        );
        assert_eq!(response.header("retry-after"), Some("1"));
        // What was held is given back.
        app.tools(SERVER).ok();
    }
}

#[test]
fn a_place_is_waited_for() {
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
        app.wait_for_log("waits for a place");
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
        &send(&legacy(&upstream), Request::get(&path(SERVER, "tools"))),
        json!({
            "status": 501, "code": "not_supported", "title": "Failed to list tools",
            "detail": "Server 's' does not support this method",
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
        &response,
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "detail": "Server 's' answered with JSON-RPC error -32603; 'upstream' holds what it said",
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
        &send(&TestApp::over(&upstream), call()),
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "detail": "Server 's' wants a client capability that was not declared; 'upstream' names it. A caller that \
                       can answer such requests declares it in '_meta' of POST /api/mcp/{server}/call, as \
                       'io.modelcontextprotocol/clientCapabilities'",
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
            &called(&upstream),
            json!({
                "status": 502, "code": "upstream_error",
                "title": "Tool execution failed",
                "detail": format!("Server 's' answered with HTTP status {status}"),
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
        &called(&upstream),
        json!({
            "status": 502, "code": "upstream_error", "title": "Tool execution failed",
            "detail": "Server 's' answered with a redirect that is not followed",
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
            "Server 's' answered with neither 'Content-Length' nor chunks, which this service cannot read",
        ),
        (
            |_| Reply::typed(200, "text/html", "<h1>PAGE</h1>"),
            "Server 's' answered with neither JSON nor an event stream",
        ),
        (
            |_| Reply::json(200, "{\"PAGE\""),
            "The answer of server 's' is not what the protocol says",
        ),
        (
            |_| Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
            "The answer of server 's' holds no reply to the request",
        ),
        (
            |_| Reply::events(": nothing\n\n"),
            "The answer of server 's' holds no reply to the request",
        ),
        (
            |_| Reply::hang_up(),
            "The connection to server 's' was lost before its answer was complete",
        ),
        (
            |_| Reply::json(200, "x".repeat(3000)),
            "The answer of server 's' goes over the limit of response bytes",
        ),
        (
            |_| Reply::events(format!("data: {}", "x".repeat(1500))),
            "The answer of server 's' goes over the limit of bytes of one event",
        ),
        (
            |_| Reply::events(":\n\n".repeat(20)),
            "The answer of server 's' goes over the limit of events of one stream",
        ),
        (
            |_| Reply::json(200, "{\"result\":[[[[[[[[[[[[]]]]]]]]]]]]}"),
            "The answer of server 's' goes over the limit of nesting depth",
        ),
    ];
    for (answer, detail) in answers {
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
            &send(&app, call()),
            json!({
                "status": 502, "code": "upstream_invalid_response", "title": "Tool execution failed",
                "detail": detail,
                "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "echo",
            }),
        );
        assert_eq!(upstream.count("tools/call"), 1, "{detail}");
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
        &send(&app, call()),
        json!({
            "status": 502, "code": "upstream_unreachable", "title": "Tool execution failed",
            "detail": "Server 's' cannot be reached",
            "origin": "upstream", "executed": "no", "retryable": true, "server": "s", "tool": "echo",
        }),
    );
}

#[test]
fn upstream_timeout() {
    let upstream = answering(|_, _| Reply::stream(vec![Part::Stall]));
    let request = execute(SERVER, "add", "?timeoutMs=200").json("{}");
    is(
        &send(&legacy(&upstream), request),
        json!({
            "status": 504, "code": "upstream_timeout", "title": "Tool execution failed",
            "detail": "Server 's' did not answer in time",
            "origin": "upstream", "executed": "unknown", "retryable": false, "server": "s", "tool": "add",
        }),
    );
}
