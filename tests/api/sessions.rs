//! Sessions: who asks for one, who owns it, who ends it.

use std::io::Write;
use std::net::TcpStream;

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::Request;
use crate::upstream::legacy::PHANTOM;
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers, unsupported_version};

/// After the service has ended, exactly these sessions are open: the ones it handed out.
#[track_caller]
fn only_these_are_left(app: TestApp, upstream: &Upstream, handed_out: &[&str]) {
    app.stop();
    assert_eq!(upstream.open(), handed_out, "{:?}", upstream.order());
}

// === init absent, auto, true, false; close ===

#[test]
fn without_init_the_gateway_makes_a_session_where_one_is_needed_and_ends_it() {
    for (name, row) in servers::STATEFUL {
        for query in ["", "?init=auto"] {
            let upstream = Upstream::start(row);
            let app = TestApp::over(&upstream);
            let response = app.execute_with(SERVER, "echo", query, &json!({"message": "hi"}));
            assert_eq!(response.ok()["content"][0]["text"], "Echo: hi", "{name}");
            assert_eq!(response.session(), None, "{name}");
            upstream.wait_until_no_session_is_left();
            assert_eq!(
                (upstream.opened().len(), upstream.executions()),
                (1, 1),
                "{name}"
            );
        }
    }
}

#[test]
fn without_init_a_server_that_needs_no_session_gets_no_handshake() {
    for (name, row) in servers::STATELESS.into_iter().chain(servers::MODERN) {
        let upstream = Upstream::start(row);
        let response = TestApp::over(&upstream).echo();
        response.ok();
        assert_eq!(response.session(), None, "{name}");
        assert_eq!(
            upstream.count("initialize"),
            0,
            "{name}: {:?}",
            upstream.order()
        );
        assert_eq!(upstream.count("DELETE"), 0, "{name}");
    }
}

#[test]
fn with_init_true_the_session_is_the_callers() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}));
        response.ok();
        let id = response.session().unwrap();
        assert_eq!(upstream.opened(), [id], "{name}");
        app.execute_in(id, SERVER, "add", &json!({"a": 1, "b": 2}))
            .ok();
        assert_eq!(
            (upstream.count("initialize"), upstream.executions()),
            (1, 2),
            "{name}"
        );
        only_these_are_left(app, &upstream, &[id]);
    }
}

#[test]
fn with_init_true_a_server_without_sessions_gives_none() {
    for (name, row) in servers::STATELESS {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}));
        response.ok();
        assert_eq!(response.session(), None, "{name}");
        assert_eq!(upstream.executions(), 1, "{name}");
    }
}

#[test]
fn init_changes_nothing_on_a_modern_server() {
    for (name, row) in servers::MODERN {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for query in ["?init=true", "?init=false", "?init=auto", "?close=true"] {
            let response = app.execute_with(SERVER, "echo", query, &json!({"message": "hi"}));
            response.ok();
            assert_eq!(response.session(), None, "{name}");
        }
        assert_eq!(
            (upstream.count("initialize"), upstream.executions()),
            (0, 4),
            "{name}"
        );
    }
}

#[test]
fn with_init_false_a_server_that_wants_a_session_is_400() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for _ in 0..2 {
            let response = app.execute_with(SERVER, "add", "?init=false", &json!({"a": 1, "b": 2}));
            let problem = response.is_refused(400, "session_required");
            problem.says("session_required");
        }
        assert_eq!(
            (upstream.count("initialize"), upstream.executions()),
            (0, 0),
            "{name}"
        );
    }
}

#[test]
fn with_init_false_a_server_that_wants_none_is_just_called() {
    for (name, row) in servers::STATELESS {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        app.execute_with(SERVER, "echo", "?init=false", &json!({"message": "hi"}))
            .ok();
        assert_eq!(
            (upstream.count("initialize"), upstream.executions()),
            (0, 1),
            "{name}"
        );
    }
}

#[test]
fn close_ends_the_session_after_the_answer() {
    for (_, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        app.execute_with(
            SERVER,
            "echo",
            "?init=true&close=true",
            &json!({"message": "hi"}),
        )
        .ok();
        upstream.wait_until_no_session_is_left();
        let id = app.open_session();
        app.request(&execute(SERVER, "echo", &format!("?close=true&sessionId={id}")).json("{}"))
            .ok();
        upstream.wait_until_no_session_is_left();
        assert_eq!(upstream.opened().len(), 2);
    }
}

#[test]
fn tools_are_listed_under_the_same_rules() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        app.get(&path(SERVER, "tools?init=false"))
            .is_refused(400, "session_required");
        app.tools(SERVER).ok();
        upstream.wait_until_no_session_is_left();
        let response = app.get(&path(SERVER, "tools?init=true"));
        response.ok();
        let id = response.session().unwrap();
        assert_eq!(upstream.open(), [id], "{name}");
        let response = app.get(&path(SERVER, &format!("tools/echo?sessionId={id}")));
        assert_eq!(response.ok()["name"], "echo", "{name}");
        only_these_are_left(app, &upstream, &[id]);
    }
}

// === The caller's session id ===

#[test]
fn a_session_is_kept_over_calls_and_echoed() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let id = app.open_session();
        for _ in 0..2 {
            let response = app.execute_in(&id, SERVER, "echo", &json!({"message": "hi"}));
            response.ok();
            assert_eq!(response.session(), Some(id.as_str()), "{name}");
        }
        let calls = upstream.received("tools/call");
        assert!(
            calls
                .iter()
                .all(|call| call.header("mcp-session-id") == Some(&id)),
            "{name}"
        );
        assert_eq!(upstream.count("initialize"), 1, "{name}");
    }
}

#[test]
fn the_query_wins_over_the_header() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let (queried, headed) = (app.open_session(), app.open_session());
    let request = execute(SERVER, "echo", &format!("?sessionId={queried}"));
    let response = app.request(&request.json("{}").header("mcp-session-id", &headed));
    response.ok();
    assert_eq!(response.session(), Some(queried.as_str()));
    assert_eq!(
        upstream.only("tools/call").header("mcp-session-id"),
        Some(queried.as_str())
    );
}

#[test]
fn null_and_empty_mean_no_session() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    for request in [
        execute(SERVER, "echo", "?sessionId=null"),
        execute(SERVER, "echo", "?sessionId="),
        execute(SERVER, "echo", "?sessionId"),
        execute(SERVER, "echo", "").header("mcp-session-id", "null"),
        execute(SERVER, "echo", "").header("mcp-session-id", ""),
    ] {
        let response = app.request(&request.json("{}"));
        response.ok();
        assert_eq!(response.session(), None);
        upstream.wait_until_no_session_is_left();
    }
    for call in upstream.received("tools/call") {
        assert_ne!(call.header("mcp-session-id"), Some("null"));
    }
}

#[test]
fn a_dead_session_is_410_and_never_replaced() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let id = app.open_session();
        upstream.forget(&id);
        for response in [
            app.execute_in(&id, SERVER, "add", &json!({"a": 1, "b": 2})),
            app.execute_with(
                SERVER,
                "add",
                &format!("?sessionId={id}"),
                &json!({"a": 1, "b": 2}),
            ),
            app.get(&path(SERVER, &format!("tools?sessionId={id}"))),
        ] {
            let problem = response.is_refused(410, "session_expired");
            assert_eq!(problem.text("origin"), "upstream", "{name}");
            assert!(
                !problem.0.to_string().contains(&id),
                "{name}: {}",
                problem.0
            );
        }
        assert_eq!(
            (upstream.opened().len(), upstream.executions()),
            (1, 0),
            "{name}"
        );
    }
}

#[test]
fn an_id_a_server_does_not_care_about_does_no_harm() {
    for (name, row) in servers::STATELESS {
        let upstream = Upstream::start(row);
        TestApp::over(&upstream)
            .execute_in("whatever", SERVER, "echo", &json!({"message": "hi"}))
            .ok();
        assert_eq!(
            (upstream.count("server/discover"), upstream.executions()),
            (0, 1),
            "{name}"
        );
    }
}

#[test]
fn an_id_at_a_server_that_is_modern_only_is_ignored() {
    let upstream = Upstream::start(servers::ts_v2_legacy_reject);
    let app = TestApp::over(&upstream);
    let response = app.execute_in("whatever", SERVER, "echo", &json!({"message": "hi"}));
    response.ok();
    assert_eq!(response.session(), None);
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn phantom_ids_are_never_used() {
    let python: [Behaviour; 3] = [
        servers::python_v1_stateful,
        servers::python_1_13_stateful,
        servers::python_v2_legacy,
    ];
    for row in python {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.execute_with(SERVER, "add", "?init=false", &json!({}));
        assert_eq!(response.session(), None);
        app.echo().ok();
        app.stop();
        for request in upstream.requests() {
            assert_ne!(
                request.header("mcp-session-id"),
                Some(PHANTOM),
                "{}",
                request.name()
            );
        }
    }
}

// === initialize and DELETE ===

#[test]
fn initialize_gives_the_result_and_the_session() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let response = app.initialize(SERVER);
        let body = response.ok();
        assert_eq!(
            body["serverInfo"],
            json!({"name": "scripted", "version": "1.0"}),
            "{name}"
        );
        assert_eq!(body["instructions"], "Grüße", "{name}");
        assert_eq!(body["sessionId"].as_str(), response.session(), "{name}");
        assert_eq!(upstream.opened(), [response.session().unwrap()], "{name}");
    }
}

#[test]
fn initialize_without_a_session_says_null() {
    for (name, row) in servers::STATELESS.into_iter().chain(servers::MODERN) {
        let upstream = Upstream::start(row);
        let response = TestApp::over(&upstream).initialize(SERVER);
        let body = response.ok();
        assert!(
            body["sessionId"].is_null() && body.get("sessionId").is_some(),
            "{name}: {body}"
        );
        assert_eq!(response.session(), None, "{name}");
        assert_eq!(body["instructions"], "Grüße", "{name}");
    }
}

#[test]
fn ending_a_session_is_204_whatever_the_server_says() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let id = app.open_session();
        for _ in 0..2 {
            let response = app.end_session(SERVER, &id);
            assert_eq!((response.status, response.body.len()), (204, 0), "{name}");
        }
        assert_eq!(upstream.open(), Vec::<String>::new(), "{name}");
    }
    let upstream = Upstream::start(servers::ts_v1_stateless);
    assert_eq!(
        TestApp::over(&upstream).end_session(SERVER, "x").status,
        204
    );
}

#[test]
fn the_id_may_be_in_the_query_when_a_session_is_ended() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    let response = app.request(&Request::delete(&path(
        SERVER,
        &format!("session?sessionId={id}"),
    )));
    assert_eq!((response.status, upstream.open()), (204, vec![]));
}

// === Nothing is left behind ===

#[test]
fn a_call_that_fails_leaves_no_session() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        app.execute(SERVER, "no_such_tool_xyz", &json!({}))
            .is_refused(404, "tool_not_found");
        app.execute(SERVER, "fail", &json!({})).ok();
        app.stop();
        assert!(!upstream.opened().is_empty(), "{name}");
        assert_eq!(
            upstream.open(),
            Vec::<String>::new(),
            "{name}: {:?}",
            upstream.order()
        );
    }
}

#[test]
fn a_call_that_fails_after_init_true_leaves_only_what_it_handed_out() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::empty(500),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = TestApp::over(&upstream);
    let response = app.execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}));
    assert_eq!(response.status, 502);
    let handed_out: Vec<&str> = response.session().into_iter().collect();
    only_these_are_left(app, &upstream, &handed_out);
}

#[test]
fn a_handshake_that_breaks_off_leaves_no_session() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "notifications/initialized" => Reply::empty(500),
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = TestApp::over(&upstream);
    app.initialize(SERVER).is_refused(502, "upstream_error");
    app.echo().is_refused(502, "upstream_error");
    assert_eq!(upstream.executions(), 0);
    app.stop();
    assert_eq!((upstream.opened().len(), upstream.open().len()), (2, 0));
}

#[test]
fn a_call_that_takes_too_long_leaves_no_session() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call"
            if state.is_initialized(request.header("mcp-session-id").unwrap_or_default()) =>
        {
            Reply::empty(200).stalled()
        }
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = TestApp::over(&upstream);
    let response = app.execute_with(SERVER, "echo", "?timeoutMs=500", &json!({"message": "hi"}));
    assert_eq!(response.problem().text("code"), "upstream_timeout");
    upstream.wait_until_no_session_is_left();
}

#[test]
fn a_caller_that_goes_away_leaves_no_session() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call"
            if state.is_initialized(request.header("mcp-session-id").unwrap_or_default()) =>
        {
            Reply::empty(200).stalled()
        }
        _ => servers::ts_v1_stateful(request, state),
    });
    let app = TestApp::spawn(&config(&upstream, json!({"protocol": "legacy"})));
    let mut caller = TcpStream::connect(app.address).unwrap();
    caller
        .write_all(
            b"POST /api/mcp/s/tools/echo/execute HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
        )
        .unwrap();
    upstream.wait_for("notifications/initialized", 1);
    drop(caller);
    upstream.wait_until_no_session_is_left();
}

#[test]
fn sessions_are_ended_before_the_process_is() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    for _ in 0..10 {
        app.echo().ok();
    }
    only_these_are_left(app, &upstream, &[]);
    assert_eq!(upstream.opened().len(), upstream.count("DELETE"));
}

#[test]
fn a_server_that_speaks_nothing_known_is_an_error() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => unsupported_version(request, &["2099-01-01"]),
        _ => servers::ts_v1_stateless(request, state),
    });
    let response = TestApp::over(&upstream).echo();
    assert_eq!(response.status, 502, "{}", response.text());
    assert_eq!(upstream.executions(), 0);
}
