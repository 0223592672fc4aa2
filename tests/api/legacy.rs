//! 2025-03-26 to 2025-11-25 on the wire.

use serde_json::json;

use crate::app::{SERVER, TestApp};
use crate::upstream::{Legacy, Reply, Upstream, servers};

/// A service that knows the server is of the older kind.
fn app(upstream: &Upstream) -> TestApp {
    TestApp::over_with(upstream, json!({"protocol": "legacy"}))
}

#[test]
fn a_one_shot_call_is_a_whole_life_in_order() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = app(&upstream);
    app.execute_with(
        SERVER,
        "echo",
        "?init=true&close=true",
        &json!({"message": "hi"}),
    )
    .ok();
    upstream.wait_until_no_session_is_left();
    assert_eq!(
        upstream.order(),
        [
            "initialize",
            "notifications/initialized",
            "GET",
            "tools/call",
            "DELETE"
        ]
    );
    let [initialize, initialized, listen, call, delete] = upstream.requests().try_into().unwrap();
    let id = &upstream.opened()[0];

    assert_eq!(initialize.header("mcp-session-id"), None);
    assert_eq!(initialize.header("mcp-protocol-version"), None);
    assert_eq!(
        initialize.message["params"]["protocolVersion"],
        "2025-11-25"
    );
    assert_eq!(initialize.message["params"]["capabilities"], json!({}));
    assert_eq!(
        initialize.message["params"]["clientInfo"]["name"],
        "mcp-rest"
    );
    assert!(initialize.message["params"]["clientInfo"]["version"].is_string());

    assert!(
        initialized.message.get("id").is_none(),
        "{}",
        initialized.body
    );
    assert_eq!(
        call.message["params"],
        json!({"name": "echo", "arguments": {"message": "hi"}})
    );
    assert_eq!(listen.header("accept"), Some("text/event-stream"));
    for request in [&initialized, &listen, &call] {
        assert_eq!(request.header("mcp-session-id"), Some(id.as_str()));
        assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
    }
    for request in [&initialize, &initialized, &call] {
        assert_eq!(
            request.header("accept"),
            Some("application/json, text/event-stream")
        );
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("mcp-method"), None);
        assert_eq!(request.path, "/mcp");
    }
    assert_eq!(delete.header("mcp-session-id"), Some(id.as_str()));
}

#[test]
fn the_version_is_the_one_the_server_chose() {
    for version in ["2025-06-18", "2025-03-26", "2024-11-05"] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "initialize" => {
                let result = format!(
                    r#"{{"protocolVersion":"{version}","capabilities":{{}},"serverInfo":{{"name":"x","version":"1"}}}}"#
                );
                Reply::json(200, request.result(&result))
                    .header("mcp-session-id", &state.open_session())
            }
            _ => servers::ts_v1_stateful(request, state),
        });
        let response =
            app(&upstream).execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}));
        response.ok();
        for name in ["notifications/initialized", "tools/call"] {
            assert_eq!(
                upstream.only(name).header("mcp-protocol-version"),
                Some(version)
            );
        }
    }
}

#[test]
fn a_version_nobody_knows_ends_the_handshake() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "initialize" => {
            let result = r#"{"protocolVersion":"1999-01-01","capabilities":{},"serverInfo":{"name":"x","version":"1"}}"#;
            Reply::json(200, request.result(result)).header("mcp-session-id", &state.open_session())
        }
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = app(&upstream);
    let problem = app
        .initialize(SERVER)
        .is_refused(502, "upstream_invalid_response");
    assert_eq!(problem.text("title"), "Initialization failed");
    app.stop();
    assert_eq!((upstream.opened().len(), upstream.open().len()), (1, 0));
}

#[test]
fn no_version_is_guessed_in_a_callers_session() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = app(&upstream);
    let id = app.open_session();
    app.execute_in(&id, SERVER, "echo", &json!({"message": "hi"}))
        .ok();
    assert_eq!(
        upstream.only("tools/call").header("mcp-protocol-version"),
        None
    );
}

#[test]
fn a_live_session_is_never_initialised_again() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    for _ in 0..3 {
        app.execute_in(&id, SERVER, "echo", &json!({"message": "hi"}))
            .ok();
    }
    assert_eq!(upstream.count("initialize"), 1);
    assert_eq!(upstream.count("server/discover"), 1);
}

#[test]
fn the_end_of_the_handshake_is_awaited() {
    let upstream = Upstream::start(|request, state| {
        let reply = servers::ts_v1_stateful(request, state);
        if request.rpc() == "notifications/initialized" {
            reply.stalled()
        } else {
            reply
        }
    });
    let app = app(&upstream);
    std::thread::scope(|scope| {
        let call = scope
            .spawn(|| app.execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"})));
        upstream.wait_for("notifications/initialized", 1);
        // A round trip of its own: time enough for a call that does not wait.
        app.get("/health").ok();
        let early = upstream.count("tools/call");
        upstream.release();
        call.join().unwrap().ok();
        assert_eq!((early, upstream.count("tools/call")), (0, 1));
    });
}

#[test]
fn any_success_is_an_answer_to_a_notification() {
    for status in [200, 202, 204] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "notifications/initialized" => {
                servers::ts_v1_stateful(request, state);
                Reply::empty(status)
            }
            _ => servers::ts_v1_stateful(request, state),
        });
        app(&upstream)
            .execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}))
            .ok();
    }
}

#[test]
fn ids_are_random_strings() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    // Two replicas that share a session.
    let (one, other) = (app(&upstream), app(&upstream));
    let id = one.open_session();
    for app in [&one, &other, &one, &other] {
        app.execute_in(&id, SERVER, "echo", &json!({"message": "hi"}))
            .ok();
    }
    let mut ids: Vec<String> = upstream
        .received("tools/call")
        .iter()
        .map(|call| call.message["id"].as_str().unwrap().to_owned())
        .collect();
    assert!(ids.iter().all(|id| id.len() >= 16), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[test]
fn a_handshake_that_is_refused_says_so() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "initialize" => Reply::json(200, request.error(-32603, "no room")),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = app(&upstream);
    let problem = app.initialize(SERVER).problem();
    assert_eq!(problem.text("title"), "Initialization failed");
    assert_eq!(problem.text("code"), "upstream_error");
    assert_eq!(
        problem.0["upstream"]["jsonrpc"],
        json!({"code": -32603, "message": "no room", "data": null})
    );
    app.echo().is_refused(502, "upstream_error");
}

#[test]
fn a_server_that_answers_the_call_only_after_a_handshake_without_a_session_gets_it() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if state.count("notifications/initialized") == 0 => Reply::empty(400),
        _ => Legacy::STATELESS.answer(request, state),
    });
    app(&upstream).echo().ok();
    assert_eq!(
        (upstream.count("tools/call"), upstream.executions()),
        (2, 1)
    );
}

#[test]
fn a_call_refused_twice_is_not_sent_a_third_time() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::empty(400),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = app(&upstream);
    assert_eq!(app.echo().status, 502);
    app.stop();
    assert_eq!(
        (upstream.count("tools/call"), upstream.open().len()),
        (2, 0)
    );
}
