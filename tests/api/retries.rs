//! What is sent again, and what is not: nothing may run twice, and no caller gets an error for what did not run.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::app::{SERVER, TestApp, config};
use crate::upstream::{Reply, Request, State, Upstream, servers};

#[test]
fn a_server_that_comes_back_in_time_is_reached() {
    // Has its port, and refuses connections until it listens.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any_port.into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let url = format!("http://{address}/mcp");
    let config = json!({"mcpServers": {SERVER: {"url": url, "protocol": "legacy", "retries": 10}}});
    let app = TestApp::spawn_with(&config, &["--log-level", "debug"], &[]);
    thread::scope(|scope| {
        let caller = scope.spawn(|| app.echo());
        app.wait_for_log("trying again");
        socket.listen(128).unwrap();
        let upstream = Upstream::start_on(socket.into(), servers::ts_v1_stateless);
        caller.join().unwrap().ok();
        assert_eq!(upstream.executions(), 1);
    });
}

#[test]
fn a_dead_server_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let held = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let url = format!("http://{}/mcp", held.local_addr().unwrap());
    for (retries, deadline, code) in [
        (0, "", "upstream_unreachable"),
        (2, "", "upstream_unreachable"),
        // What is left of the deadline counts.
        (10, "?timeoutMs=300", "upstream_timeout"),
    ] {
        let entry = json!({"url": url, "protocol": "legacy", "retries": retries});
        let app = TestApp::spawn_with(
            &json!({"mcpServers": {SERVER: entry}}),
            &["--log-level", "debug"],
            &[],
        );
        let response = app.execute_with(SERVER, "echo", deadline, &json!({}));
        let problem = response.problem();
        assert_eq!(problem.text("code"), code);
        if deadline.is_empty() {
            assert_eq!(problem.text("executed"), "no");
            let log = app.stop().stderr;
            assert_eq!(log.matches("trying again").count(), retries);
        }
    }
}

/// A server that closes every connection after an answer without saying so.
fn closes_silently(request: &Request, state: &State) -> Reply {
    servers::ts_v1_stateless(request, state).then_close()
}

#[test]
fn connections_that_the_server_closes_are_never_an_error() {
    let upstream = Upstream::start(closes_silently);
    // One worker, so that every call finds the connection of the one before.
    let app = TestApp::spawn_with(
        &config(&upstream, json!({"protocol": "legacy"})),
        &["--workers", "1"],
        &[],
    );
    let calls = 100;
    for call in 1..=calls {
        app.echo().ok();
        upstream.wait_until_closed(call);
    }
    assert_eq!(upstream.executions(), calls);
}

// === Tools that may run twice ===

/// A server whose tools fail the first time they are called.
fn fails_first(fault: fn() -> Reply) -> Upstream {
    let tools = json!([
        {"name": "read", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}},
        {"name": "set", "inputSchema": {"type": "object"}, "annotations": {"idempotentHint": true}},
        {"name": "echo", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false}},
    ]);
    let calls = AtomicUsize::new(0);
    Upstream::start(move |request, state| match request.rpc() {
        "tools/list" => {
            let list = request.result(&json!({"tools": tools}).to_string());
            Reply::json(200, list)
        }
        "tools/call" => {
            state.executed();
            if calls.fetch_add(1, Ordering::Relaxed) == 0 {
                return fault();
            }
            Reply::json(200, request.result(r#"{"content":[]}"#))
        }
        _ => servers::ts_v1_stateless(request, state),
    })
}

const FAULTS: [fn() -> Reply; 5] = [
    Reply::hang_up,
    || Reply::events(""),
    || Reply::empty(502),
    || Reply::empty(503),
    || Reply::empty(504),
];

fn over(upstream: &Upstream, members: &Value) -> TestApp {
    let mut entry = json!({"protocol": "legacy"});
    let more = members.as_object().unwrap().clone();
    entry.as_object_mut().unwrap().extend(more);
    TestApp::over_with(upstream, entry)
}

#[test]
fn a_tool_that_may_run_twice_is_called_again_where_that_is_configured() {
    for fault in FAULTS {
        for tool in ["read", "set"] {
            let upstream = fails_first(fault);
            let app = over(&upstream, &json!({"retryIdempotent": true}));
            app.execute(SERVER, tool, &json!({})).ok();
            assert_eq!(upstream.executions(), 2, "{tool}");
        }
    }
}

#[test]
fn any_other_is_called_once() {
    for fault in FAULTS {
        for (members, tool) in [
            (json!({"retryIdempotent": true}), "echo"),
            (json!({"retryIdempotent": true}), "unlisted"),
            (json!({"retryIdempotent": true, "retries": 0}), "read"),
            (json!({}), "read"),
        ] {
            let upstream = fails_first(fault);
            let app = over(&upstream, &members);
            app.execute(SERVER, tool, &json!({})).problem();
            assert_eq!(upstream.executions(), 1, "{members} {tool}");
        }
    }
}

#[test]
fn what_the_server_has_answered_is_not_asked_again() {
    for answer in [
        || Reply::empty(500),
        || Reply::empty(429),
        || Reply::json(200, "{}x"),
        || Reply::json(200, r#"{"id":null,"error":{"code":-32603,"message":"m"}}"#),
    ] {
        let upstream = fails_first(answer);
        let app = over(&upstream, &json!({"retryIdempotent": true}));
        app.execute(SERVER, "read", &json!({})).problem();
        assert_eq!(upstream.executions(), 1);
    }
}
