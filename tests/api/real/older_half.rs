//! The less common parts of the protocol with real servers: requests of the server, resumed streams, cancellation, the transport of
//! 2024-11-05, and, in the modern era, the repeated call with the input that the server asked for.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::{PATIENCE, Running, Server, everything, process, python_1, python_2, ts_1};
use crate::app::{SERVER, TestApp, execute};
use crate::http::Response;

/// A server that runs, and a service over it.
fn over(server: &Server, entry: &Value) -> (Running, TestApp) {
    let running = server.start();
    let path = entry["path"].as_str().unwrap_or("mcp");
    let mut members = json!({
        "url": format!("http://{}/{path}", running.address),
        "protocol": server.protocol,
        // A request of the server's that nobody answers would hang for good.
        "timeoutMs": 10_000,
    });
    let more = entry.as_object().unwrap().clone();
    members.as_object_mut().unwrap().extend(more);
    members.as_object_mut().unwrap().remove("path");
    let app = TestApp::spawn(&json!({"mcpServers": {SERVER: members}}));
    (running, app)
}

fn text(response: &Response) -> String {
    response.ok()["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// Calls `ask` without a session of the caller's, with one made for the call, and in one that it holds.
#[track_caller]
fn is_answered_in_every_session(app: &TestApp, arguments: &Value, expected: &str) {
    let id = app.open_session();
    for query in [
        String::new(),
        "?init=true&close=true".to_owned(),
        format!("?sessionId={id}"),
    ] {
        let response = app.execute_with(SERVER, "ask", &query, arguments);
        let said = text(&response);
        assert!(said.contains(expected), "{arguments} {query}: {said}");
    }
    assert_eq!(app.end_session(SERVER, &id).status, 204);
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn python_1_gets_answers_on_its_own_stream() {
    for flags in ["", "--json"] {
        let (running, app) = over(&python_1(flags), &json!({}));
        is_answered_in_every_session(&app, &json!({"what": "ping"}), "answered");
        for what in ["sampling", "roots"] {
            is_answered_in_every_session(&app, &json!({"what": what}), "Method not found");
        }
        assert!(running.lets_go_of_every_session(), "{flags}");
    }
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn ts_1_gets_answers_on_both_streams() {
    let (running, app) = over(&ts_1(""), &json!({}));
    for beside in [false, true] {
        let ping = json!({"what": "ping", "beside": beside});
        is_answered_in_every_session(&app, &ping, "answered");
        let roots = json!({"what": "roots", "beside": beside});
        is_answered_in_every_session(&app, &roots, "Method not found");
    }
    assert!(running.lets_go_of_every_session());
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn a_stream_that_ts_1_ends_is_resumed() {
    let (running, app) = over(&ts_1("--polling"), &json!({}));
    for query in ["", "?init=true&close=true"] {
        let response = app.execute_with(SERVER, "poll", query, &json!({}));
        assert_eq!(text(&response), "polled", "{query}");
    }
    assert!(running.lets_go_of_every_session());
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn servers_of_2024_11_05_are_called() {
    let servers = [
        (process("node", "everything.mjs", "sse"), "Echo: hi"),
        (python_1("--sse"), "hi"),
    ];
    for (server, expected) in servers {
        for kind in ["sse", "http"] {
            let entry = json!({"type": kind, "path": "sse"});
            let (_running, app) = over(&server, &entry);
            for query in ["", "?init=true"] {
                let response = app.execute_with(SERVER, "echo", query, &json!({"message": "hi"}));
                assert_eq!(text(&response), expected);
                assert_eq!(response.session(), None);
            }
            assert_eq!(app.initialize(SERVER).ok()["sessionId"], Value::Null);
            assert!(
                !app.tools(SERVER).ok()["tools"]
                    .as_array()
                    .unwrap()
                    .is_empty()
            );
        }
    }
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn python_1_over_2024_11_05_gets_answers() {
    let entry = json!({"type": "sse", "path": "sse"});
    let (_running, app) = over(&python_1("--sse"), &entry);
    let ask = |what| text(&app.execute(SERVER, "ask", &json!({"what": what})));
    assert_eq!(ask("ping"), "answered");
    assert!(ask("roots").contains("Method not found"));
}

/// A call is cancelled when its caller disconnects and when its deadline passes.
#[track_caller]
fn is_cancelled(name: &str, running: &Running, app: &TestApp) {
    let mut caller = TcpStream::connect(app.address).unwrap();
    let call = execute(SERVER, "wait", "").json("{}");
    caller.write_all(&call.to_bytes(app.address)).unwrap();
    // A second call goes the same way, so that the first has reached its tool.
    let late = app.execute_with(SERVER, "wait", "?timeoutMs=700", &json!({}));
    assert_eq!(late.problem().text("code"), "upstream_timeout", "{name}");
    drop(caller);
    let since = Instant::now();
    while running.count("cancelled") < 2 {
        assert!(since.elapsed() < PATIENCE, "{name}: not cancelled");
        thread::yield_now();
    }
    assert!(running.lets_go_of_every_session(), "{name}");
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn servers_of_both_eras_notice_that_nobody_waits() {
    for (name, server) in [
        ("ts_1", ts_1("")),
        ("ts_1 in JSON", ts_1("--json")),
        ("python_1", python_1("")),
        ("python_1 in JSON", python_1("--json")),
        ("python_2", python_2("")),
        ("python_2 as legacy", python_2("").pinned_to_legacy()),
    ] {
        let (running, app) = over(&server, &json!({}));
        is_cancelled(name, &running, &app);
    }
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn server_everything_answers_on_a_primed_stream() {
    let (running, app) = over(&everything(), &json!({}));
    let arguments = json!({"duration": 1, "steps": 2});
    let response = app.execute(SERVER, "trigger-long-running-operation", &arguments);
    assert!(text(&response).contains("completed"), "{}", response.text());
    assert!(running.lets_go_of_every_session());
}

#[test]
#[ignore = "needs the servers of tests/real: make test installs them"]
fn python_2_gets_what_it_asked_for() {
    let (_running, app) = over(&python_2(""), &json!({}));
    let mut envelope = json!({
        "name": "introduce",
        "_meta": {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}},
    });
    let asked = app.call(SERVER, &envelope);
    let problem = asked.is_refused(409, "input_required");
    assert_eq!(
        problem.0["inputRequests"]["who"]["method"],
        "elicitation/create"
    );
    envelope["requestState"] = problem.0["requestState"].clone();
    envelope["inputResponses"] = json!({"who": {"action": "accept", "content": {"name": "Ada"}}});
    let answered = app.call(SERVER, &envelope);
    assert_eq!(text(&answered), "Hello, Ada!");
}
