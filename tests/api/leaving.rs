//! Cancellation: when the caller disconnects, the deadline passes or the process shuts down, the server is told in the way of its
//! era, and no session is left. And the order of a shutdown.

use std::io::Write;
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, execute};
use crate::http::Request as Call;
use crate::upstream::{Part, Reply, Request, State, Upstream, servers};

/// A stateful server whose tool never comes to an end.
fn endless(request: &Request, state: &State) -> Reply {
    let session = request.header("mcp-session-id").unwrap_or_default();
    match request.rpc() {
        "tools/call" if state.is_initialized(session) => Reply::stream(vec![Part::Stall]),
        _ => servers::ts_v1_stateful(request, state),
    }
}

/// The same without sessions, and answering in JSON, if it answered.
fn endless_stateless(request: &Request, state: &State) -> Reply {
    match request.rpc() {
        "tools/call" => Reply::empty(200).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    }
}

fn legacy(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"protocol": "legacy"}))
}

/// Sends a request on a connection that is closed when the returned value is dropped.
fn begin(app: &TestApp, call: &Call) -> TcpStream {
    let mut caller = TcpStream::connect(app.address).unwrap();
    caller.write_all(&call.to_bytes(app.address)).unwrap();
    caller
}

/// The cancellation that the server got is that of the call it got, in the same session.
#[track_caller]
fn the_call_is_cancelled(upstream: &Upstream) {
    upstream.wait_for("notifications/cancelled", 1);
    let (call, cancelled) = (
        upstream.received("tools/call").pop().unwrap(),
        upstream.only("notifications/cancelled"),
    );
    assert_eq!(cancelled.message["params"]["requestId"], call.message["id"]);
    assert!(cancelled.message["params"]["reason"].is_string());
    assert_eq!(cancelled.message.get("id"), None::<&Value>);
    for header in ["mcp-session-id", "mcp-protocol-version"] {
        assert_eq!(cancelled.header(header), call.header(header));
    }
}

#[test]
fn a_caller_that_goes_away_cancels_its_call() {
    for query in ["", "?init=true", "?init=true&close=true"] {
        let upstream = Upstream::start(endless);
        let app = legacy(&upstream);
        let caller = begin(&app, &execute(SERVER, "echo", query).json("{}"));
        upstream.wait_for("GET", 1);
        upstream.wait_for("tools/call", if query.is_empty() { 2 } else { 1 });
        drop(caller);
        the_call_is_cancelled(&upstream);
        upstream.wait_until_no_session_is_left();
        let order = upstream.order();
        assert_eq!(
            order[order.len() - 2..],
            ["notifications/cancelled", "DELETE"]
        );
    }
}

#[test]
fn a_caller_that_goes_away_keeps_its_session() {
    let upstream = Upstream::start(endless);
    let app = legacy(&upstream);
    let id = app.open_session();
    let caller = begin(
        &app,
        &execute(SERVER, "echo", &format!("?sessionId={id}&close=true")).json("{}"),
    );
    upstream.wait_for("tools/call", 1);
    drop(caller);
    the_call_is_cancelled(&upstream);
    app.stop();
    assert_eq!(upstream.open(), [id]);
}

#[test]
fn a_deadline_cancels_the_call() {
    for behaviour in [endless, endless_stateless] {
        let upstream = Upstream::start(behaviour);
        let app = legacy(&upstream);
        let response = app.execute_with(SERVER, "echo", "?timeoutMs=300", &json!({}));
        assert_eq!(response.problem().text("code"), "upstream_timeout");
        the_call_is_cancelled(&upstream);
        app.stop();
        assert_eq!(upstream.open(), Vec::<String>::new());
    }
}

#[test]
fn a_call_that_is_answered_is_not_cancelled() {
    for reply in [
        || Reply::json(200, r#"{"id":null,"error":{"code":1,"message":"m"}}"#),
        || Reply::empty(500),
        || Reply::empty(400),
    ] {
        let upstream = Upstream::start(move |request, state| match request.tool() {
            "add" => reply(),
            _ => servers::ts_v1_stateful(request, state),
        });
        let app = legacy(&upstream);
        app.echo().ok();
        app.execute_with(SERVER, "add", "?init=true", &json!({}))
            .problem();
        app.stop();
        assert_eq!(upstream.count("notifications/cancelled"), 0);
    }
}

#[test]
fn an_answer_that_is_lost_is_cancelled() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::hang_up(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = legacy(&upstream);
    app.echo().problem();
    the_call_is_cancelled(&upstream);
}

#[test]
fn leaving_a_modern_server_closes_the_connection() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::stream(vec![Part::Repeat(b": still here\n\n")]),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    let caller = begin(&app, &execute(SERVER, "echo", "").json("{}"));
    upstream.wait_for("tools/call", 1);
    drop(caller);
    upstream.wait_until_nothing_is_answered();
    assert_eq!(upstream.count("notifications/cancelled"), 0);
    app.execute_with(SERVER, "echo", "?timeoutMs=100", &json!({}))
        .problem();
    upstream.wait_until_nothing_is_answered();
    assert_eq!(upstream.count("notifications/cancelled"), 0);
}

#[test]
fn a_caller_that_goes_away_during_the_handshake_leaves_no_session() {
    for phase in ["initialize", "notifications/initialized"] {
        let upstream = Upstream::start(move |request, state| {
            let reply = servers::ts_v1_stateful(request, state);
            if request.rpc() == phase && state.count(phase) == 1 {
                return reply.stalled();
            }
            reply
        });
        let app = legacy(&upstream);
        let caller = begin(&app, &execute(SERVER, "echo", "?init=true").json("{}"));
        upstream.wait_for(phase, 1);
        drop(caller);
        // The service has noticed once another call got through.
        app.echo().ok();
        upstream.release();
        upstream.wait_until_no_session_is_left();
        app.stop();
        assert_eq!(upstream.open(), Vec::<String>::new(), "{phase}");
        assert_eq!(upstream.count("notifications/cancelled"), 0, "{phase}");
        assert_eq!(upstream.executions(), 1, "{phase}");
    }
}

// === The end of the process ===

#[test]
fn the_end_of_the_process_cancels_what_still_runs() {
    let upstream = Upstream::start(endless);
    let app = TestApp::spawn_with(
        &config(&upstream, json!({"protocol": "legacy"})),
        &[],
        &[("MCP_REST_DRAIN_MS", "4000")],
    );
    let _caller = begin(&app, &execute(SERVER, "echo", "?init=true").json("{}"));
    upstream.wait_for("tools/call", 1);
    let ended = app.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
    the_call_is_cancelled(&upstream);
    assert_eq!(upstream.open(), Vec::<String>::new());
}

#[test]
fn a_handshake_outlives_its_caller_and_its_worker() {
    let upstream = Upstream::start(|request, state| {
        let reply = servers::ts_v1_stateful(request, state);
        match request.rpc() {
            "initialize" => reply.stalled(),
            _ => reply,
        }
    });
    let app = TestApp::spawn_with(
        &config(&upstream, json!({"protocol": "legacy"})),
        &[],
        &[("MCP_REST_DRAIN_MS", "4000")],
    );
    let caller = begin(&app, &execute(SERVER, "echo", "?init=true").json("{}"));
    upstream.wait_for("initialize", 1);
    drop(caller);
    thread::scope(|scope| {
        let ending = scope.spawn(|| app.stop());
        upstream.release();
        assert!(ending.join().unwrap().status.success());
    });
    assert_eq!((upstream.opened().len(), upstream.open().len()), (1, 0));
}

#[test]
fn calls_in_flight_are_finished() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => servers::ts_v1_stateless(request, state).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = legacy(&upstream);
    thread::scope(|scope| {
        let address = app.address;
        let call = execute(SERVER, "echo", "").json("{}");
        let caller = scope.spawn(move || call.send(address));
        upstream.wait_for("tools/call", 1);
        app.signal("TERM");
        app.wait_for_log("stopping");
        upstream.release();
        caller.join().unwrap().ok();
    });
    assert!(app.ended().status.success());
}

#[test]
fn readiness_goes_first() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &[],
        &[("MCP_REST_DRAIN_DELAY_MS", "600000")],
    );
    app.get("/readyz").ok();
    app.signal("TERM");
    app.wait_for_log("stopping");
    let response = app.get("/readyz");
    let problem = response.problem();
    assert_eq!(problem.facts(), (503, "overloaded", "gateway", "no", true));
    assert_eq!(response.header("retry-after"), Some("1"));
    app.get("/livez").ok();
    app.echo().ok();
    // A signal of another kind ends it at once.
    app.signal("INT");
    assert_eq!(app.ended().status.code(), Some(128 + 2));
}

#[test]
fn a_second_signal_ends_it_whatever_is_in_flight() {
    let upstream = Upstream::start(endless_stateless);
    let app = legacy(&upstream);
    let _caller = begin(&app, &execute(SERVER, "echo", "").json("{}"));
    upstream.wait_for("tools/call", 1);
    app.signal("INT");
    app.wait_for_log("stopping");
    app.signal_until_ended("INT");
    assert_eq!(app.ended().status.code(), Some(128 + 2));
}

#[test]
fn a_signal_that_is_repeated_at_once_is_one() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => servers::ts_v1_stateless(request, state).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = legacy(&upstream);
    thread::scope(|scope| {
        let address = app.address;
        let call = execute(SERVER, "echo", "").json("{}");
        let caller = scope.spawn(move || call.send(address));
        upstream.wait_for("tools/call", 1);
        app.signal("INT");
        app.signal("INT");
        app.wait_for_log("stopping");
        app.signal("INT");
        upstream.release();
        caller.join().unwrap().ok();
    });
    assert!(app.ended().status.success());
}
