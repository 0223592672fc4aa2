//! The era of a server: found without running anything twice, cached, and corrected when it changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::app::{SERVER, TestApp};
use crate::upstream::modern::VERSION;
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers, unsupported_version};

/// A server that is one until it is told to be another.
fn changing(before: Behaviour, after: Behaviour) -> (Upstream, impl Fn()) {
    let changed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&changed);
    let upstream = Upstream::start(move |request, state| {
        if flag.load(Ordering::SeqCst) {
            after(request, state)
        } else {
            before(request, state)
        }
    });
    (upstream, move || changed.store(true, Ordering::SeqCst))
}

#[test]
fn every_server_is_called_exactly_once() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for calls in 1..=3 {
            let body = app.execute(SERVER, "add", &json!({"a": 2, "b": 3})).ok();
            assert_eq!(body["content"][0]["text"], "5", "{name}");
            assert_eq!(
                upstream.executions(),
                calls,
                "{name}: {:?}",
                upstream.order()
            );
        }
    }
}

#[test]
fn a_server_that_speaks_both_eras_is_spoken_to_in_the_newer() {
    for (name, row) in servers::MODERN {
        let upstream = Upstream::start(row);
        TestApp::over(&upstream).echo().ok();
        let call = upstream.only("tools/call");
        assert_eq!(call.header("mcp-protocol-version"), Some(VERSION), "{name}");
        assert_eq!(upstream.count("initialize"), 0, "{name}");
    }
}

#[test]
fn the_era_is_remembered() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        for _ in 0..3 {
            app.echo().ok();
        }
        assert_eq!(
            upstream.count("server/discover"),
            1,
            "{name}: {:?}",
            upstream.order()
        );
    }
}

#[test]
fn that_a_server_wants_a_session_is_remembered() {
    for (name, row) in servers::STATEFUL {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        app.echo().ok();
        upstream.wait_until_no_session_is_left();
        let before = upstream.order().len();
        app.echo().ok();
        upstream.wait_until_no_session_is_left();
        let second = &upstream.order()[before..];
        assert_eq!(
            second,
            [
                "initialize",
                "notifications/initialized",
                "tools/call",
                "DELETE"
            ],
            "{name}"
        );
    }
}

#[test]
fn a_server_that_was_modern_and_is_legacy_now_is_understood() {
    let after: [Behaviour; 3] = [
        servers::ts_v1_stateful,
        servers::python_v1_stateful,
        servers::ts_v1_stateless,
    ];
    for after in after {
        let (upstream, change) = changing(servers::ts_v2, after);
        let app = TestApp::over(&upstream);
        app.echo().ok();
        change();
        app.echo().ok();
        app.echo().ok();
        assert_eq!(upstream.executions(), 3, "{:?}", upstream.order());
    }
}

#[test]
fn a_server_that_was_legacy_and_is_modern_only_now_is_understood() {
    let before: [Behaviour; 2] = [servers::ts_v1_stateless, servers::ts_v1_stateful];
    for before in before {
        let (upstream, change) = changing(before, servers::ts_v2_legacy_reject);
        let app = TestApp::over(&upstream);
        app.echo().ok();
        change();
        app.echo().ok();
        app.echo().ok();
        assert_eq!(upstream.executions(), 3, "{:?}", upstream.order());
    }
}

#[test]
fn a_server_that_comes_to_want_sessions_gets_them() {
    let (upstream, change) = changing(servers::ts_v1_stateless, servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    app.echo().ok();
    change();
    // From a server that has worked without sessions, a refusal proves nothing: the call may have run.
    let problem = app.echo().problem();
    assert_eq!(
        (problem.text("code"), problem.text("executed")),
        ("upstream_error", "unknown")
    );
    assert_eq!(upstream.count("tools/call"), 2);
    app.echo().ok();
    upstream.wait_until_no_session_is_left();
    assert_eq!(
        (upstream.executions(), upstream.count("tools/call")),
        (2, 3)
    );
}

// === Pins ===

#[test]
fn pinned_legacy_is_never_probed() {
    let rows: [Behaviour; 4] = [
        servers::ts_v1_stateful,
        servers::ts_v1_stateless,
        servers::python_v2,
        servers::ts_v2,
    ];
    for row in rows {
        let upstream = Upstream::start(row);
        TestApp::over_with(&upstream, json!({"protocol": "legacy"}))
            .echo()
            .ok();
        assert_eq!(
            upstream.count("server/discover"),
            0,
            "{:?}",
            upstream.order()
        );
        assert!(
            upstream
                .requests()
                .iter()
                .all(|request| request.header("mcp-method").is_none())
        );
        assert_eq!(upstream.executions(), 1);
    }
}

#[test]
fn pinned_modern_is_never_probed_and_never_initialised() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over_with(&upstream, json!({"protocol": "modern"}));
    app.execute_in("whatever", SERVER, "echo", &json!({"message": "hi"}))
        .ok();
    assert_eq!(upstream.order(), ["tools/list", "tools/call"]);
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over_with(&upstream, json!({"protocol": "modern"}));
    let problem = app.echo().problem();
    assert_eq!(
        (problem.text("executed"), upstream.count("initialize")),
        ("unknown", 0)
    );
}

// === Replies to the probe that do not show the era ===

#[test]
fn a_probe_refused_for_want_of_credentials_is_no_fallback() {
    let upstream = Upstream::start(|_, _| {
        Reply::json(401, r#"{"error":"invalid_token"}"#)
            .header("www-authenticate", "Bearer error=\"invalid_token\"")
    });
    TestApp::over(&upstream)
        .echo()
        .is_refused(401, "unauthorized");
    assert_eq!(upstream.order(), ["server/discover"]);
}

#[test]
fn a_probe_that_meets_a_fault_is_no_fallback_and_nothing_is_remembered() {
    for status in [500, 502, 503, 504] {
        let broken = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&broken);
        let upstream = Upstream::start(move |request, state| {
            if flag.load(Ordering::SeqCst) {
                Reply::empty(status)
            } else {
                servers::ts_v2(request, state)
            }
        });
        let app = TestApp::over(&upstream);
        let problem = app.echo().problem();
        assert_eq!(problem.text("executed"), "no", "{status}");
        assert_eq!(
            upstream.count("initialize") + upstream.count("tools/call"),
            0,
            "{status}"
        );
        broken.store(false, Ordering::SeqCst);
        app.echo().ok();
    }
}

#[test]
fn a_server_that_wants_to_be_asked_again_is_asked_once_more() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "server/discover" if state.count("server/discover") == 1 => {
            unsupported_version(request, &[VERSION])
        }
        _ => servers::ts_v2(request, state),
    });
    TestApp::over(&upstream).echo().ok();
    assert_eq!(
        (upstream.count("server/discover"), upstream.executions()),
        (2, 1)
    );
}

#[test]
fn a_server_that_wants_to_be_asked_again_for_ever_is_given_up() {
    let upstream = Upstream::start(|request, _| unsupported_version(request, &[VERSION]));
    let problem = TestApp::over(&upstream).echo().problem();
    assert_eq!(problem.text("executed"), "no");
    assert!(upstream.order().len() < 10, "{:?}", upstream.order());
}

#[test]
fn a_server_of_2024_is_an_error_that_ran_nothing() {
    let upstream = Upstream::start(servers::http_sse_2024);
    let problem = TestApp::over(&upstream).echo().problem();
    assert_eq!(problem.text("executed"), "no");
    assert!(problem.0["status"].as_u64() >= Some(500), "{}", problem.0);
}
