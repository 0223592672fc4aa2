//! Ping, health, and the headers that every response has.

use serde_json::json;

use crate::app::{SERVER, TestApp, execute, path};
use crate::http::Request;
use crate::upstream::{Upstream, servers};

#[test]
fn health_says_ok_and_when() {
    let app = TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}),
    );
    let body = app.get("/health").ok();
    assert_eq!(body["status"], "ok");
    let timestamp = body["timestamp"].as_str().unwrap();
    assert!(
        timestamp.starts_with("20") && timestamp.contains('T') && timestamp.ends_with('Z'),
        "{timestamp}"
    );
    for path in ["/livez", "/readyz"] {
        assert_eq!(app.get(path).status, 200, "{path}");
    }
}

#[test]
fn ping_reaches_every_server_and_runs_nothing() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.request(&Request::post(&path(SERVER, "ping")));
        assert_eq!((response.status, response.text()), (200, "{}"), "{name}");
        assert!(
            response
                .header("server-timing")
                .unwrap()
                .contains("upstream"),
            "{name}"
        );
        app.stop();
        assert_eq!(
            (upstream.executions(), upstream.open().len()),
            (0, 0),
            "{name}"
        );
    }
}

#[test]
fn ping_in_a_dead_session_is_410() {
    let upstream = Upstream::start(servers::server_everything);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    let ping = Request::post(&path(SERVER, "ping")).header("mcp-session-id", &id);
    app.request(&ping).ok();
    upstream.forget(&id);
    app.request(&ping).is_refused(410, "session_expired");
}

#[test]
fn a_request_id_is_kept_or_made() {
    let upstream = Upstream::start(servers::toolbox);
    let app = TestApp::over(&upstream);
    let with = |id: &str| {
        let response = app.request(
            &execute(SERVER, "echo", "")
                .json("{}")
                .header("x-request-id", id),
        );
        response.header("x-request-id").unwrap().to_owned()
    };
    let longest = "a".repeat(256);
    for id in ["a", "Abc_0-9", longest.as_str()] {
        assert_eq!(with(id), id);
    }
    let too_long = "a".repeat(257);
    for id in ["", "a b", "a/b", "ü", too_long.as_str()] {
        assert_ne!(with(id), id);
    }
    assert_ne!(with("a b"), with("a b"));
    let log = app.stop().stderr;
    assert!(log.contains("Abc_0-9") && log.contains(&longest), "{log}");
}

#[test]
fn errors_carry_the_request_id_too() {
    let app = TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}),
    );
    for target in ["/nope", "/api/mcp/nope/tools"] {
        let response = app.request(&Request::get(target).header("x-request-id", "mine"));
        assert_eq!(response.problem().text("requestId"), "mine");
    }
}

#[test]
fn the_time_a_call_took_is_split() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let response = app.echo();
    let timing = response.header("server-timing").unwrap();
    for part in ["handshake", "upstream", "gateway"] {
        let entry = timing
            .split(',')
            .find(|entry| entry.trim().starts_with(part));
        assert!(
            entry.is_some_and(|entry| entry.contains("dur=")),
            "{part} in {timing}"
        );
    }
    for response in [app.get("/health"), app.get("/nope")] {
        assert!(response.header("server-timing").is_some());
    }
}
