//! Nothing runs twice: a call that the server has read is not sent again, whatever the server does then, and no error says that
//! it did not run.

use std::sync::mpsc;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::http::Response;
use crate::upstream::raw::{self, Raw, Wire};
use crate::upstream::{Part, Reply, Request, State, Upstream, event, servers};

/// A service with one worker over a server that is known to be legacy, so that calls are all it is sent.
fn over(raw: &Raw) -> TestApp {
    let entry = json!({"url": raw.url(), "protocol": "legacy"});
    let config = json!({"mcpServers": {SERVER: entry}});
    TestApp::spawn_with(&config, &["--workers", "1"], &[])
}

#[track_caller]
fn may_have_run(response: &Response) {
    let problem = response.problem();
    assert_eq!(problem.text("executed"), "unknown", "{}", problem.0);
}

// === What the connection proves ===

/// Answers the first `whole` calls of a connection, and does this to the next one once it has run.
fn breaks_after(
    whole: usize,
    breaks: impl Fn(&mut Wire) -> std::io::Result<()> + Send + Sync + 'static,
) -> Raw {
    Raw::start(move |wire| {
        for _ in 0..whole {
            let request = wire.call()?;
            wire.answer(&request, "done")?;
        }
        wire.call()?;
        wire.run();
        breaks(wire)
    })
}

#[test]
fn a_server_that_runs_a_call_ends_and_resets_is_not_called_again() {
    for whole in [0, 1, 2] {
        let upstream = breaks_after(whole, Wire::end_and_reset);
        let app = over(&upstream);
        let mut calls = 0;
        for _ in 0..20 {
            for _ in 0..whole {
                app.echo().ok();
                calls += 1;
            }
            may_have_run(&app.echo());
            calls += 1;
            assert_eq!(upstream.runs(), calls, "after {whole}");
        }
    }
}

#[test]
fn neither_is_one_that_resets_at_once() {
    for whole in [0, 1] {
        let upstream = breaks_after(whole, Wire::reset);
        let app = over(&upstream);
        for round in 1..=20 {
            (0..whole).for_each(|_| drop(app.echo().ok()));
            may_have_run(&app.echo());
            assert_eq!(upstream.runs(), round * (whole + 1), "after {whole}");
        }
    }
}

#[test]
fn neither_is_one_that_answers_with_half_a_head() {
    let upstream = breaks_after(1, |wire| {
        wire.write("HTTP/1.1 200 OK\r\ncontent-ty")?;
        wire.end_and_reset()
    });
    let app = over(&upstream);
    app.echo().ok();
    may_have_run(&app.echo());
    assert_eq!(upstream.runs(), 2);
}

// === What a status proves ===

/// A server without sessions whose tool `fail` runs, and is then answered with what the call asks for.
fn fails_with_status(request: &Request, state: &State) -> Reply {
    if request.tool() != "fail" {
        return servers::ts_v1_stateless(request, state);
    }
    state.executed();
    let status = request.arguments()["status"].as_u64().unwrap_or_default();
    let body = match request.arguments()["code"].as_i64() {
        Some(code) => request.error(code, "no"),
        None => r#"{"error":"no"}"#.to_owned(),
    };
    Reply::json(u16::try_from(status).unwrap(), body)
}

/// Calls `fail` and gives what the caller is told.
fn fail(app: &TestApp, arguments: &Value) -> (Value, Value, Value) {
    let problem = app.execute(SERVER, "fail", arguments).problem();
    let told = |name: &str| problem.0[name].clone();
    (told("status"), told("code"), told("executed"))
}

#[test]
fn a_server_that_works_without_sessions_is_not_called_again_at_any_status() {
    for members in [json!({"protocol": "legacy"}), json!({})] {
        let upstream = Upstream::start(fails_with_status);
        let app = TestApp::over_with(&upstream, members);
        app.echo().ok();
        for (calls, status) in [400, 404, 405, 409, 410, 415, 418, 422]
            .into_iter()
            .enumerate()
        {
            for arguments in [
                json!({"status": status}),
                json!({"status": status, "code": -32000}),
            ] {
                let told = fail(&app, &arguments);
                let expected = (json!(502), json!("upstream_error"), json!("unknown"));
                assert_eq!(told, expected, "{arguments}");
            }
            assert_eq!(upstream.executions(), 1 + 2 * (calls + 1));
        }
        assert_eq!(upstream.count("initialize"), 0);
        app.echo().ok();
    }
}

#[test]
fn other_statuses_are_answers_from_the_first_call_on() {
    for status in [402, 405, 409, 410, 413, 415, 418] {
        let upstream = Upstream::start(fails_with_status);
        let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
        let told = fail(&app, &json!({"status": status}));
        let expected = (json!(502), json!("upstream_error"), json!("unknown"));
        assert_eq!(told, expected, "{status}");
        assert_eq!(upstream.order(), ["tools/call"], "{status}");
    }
}

#[test]
fn a_code_0_from_a_server_that_works_without_sessions_is_an_answer() {
    let upstream = Upstream::start(fails_with_status);
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    app.echo().ok();
    fail(&app, &json!({"status": 200, "code": 0}));
    assert_eq!(upstream.executions(), 2);
    assert_eq!(upstream.count("initialize"), 0);
}

#[test]
fn a_session_is_asked_for_without_the_call_where_one_has_come_to_be_wanted() {
    // Opens sessions for who wants one, and its tool runs before it fails.
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "initialize" | "notifications/initialized" | "" => servers::ts_v1_stateful(request, state),
        _ => fails_with_status(request, state),
    });
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    app.echo().ok();
    for calls in 1..=3 {
        assert_eq!(fail(&app, &json!({"status": 400})).2, "unknown");
        assert_eq!(upstream.executions(), calls + 1);
    }
    assert_eq!(
        (upstream.count("initialize"), upstream.count("tools/list")),
        (0, 3)
    );
}

// === What a code proves ===

const PROGRESS: &str = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#;
const UNSUPPORTED: &str = r#""error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28","2025-11-25"],"requested":"2026-07-28"}}"#;
const MISMATCH: &str = r#""error":{"code":-32020,"message":"m"}"#;

/// A server of both eras whose calls run, and are then answered with an error in this way.
fn refuses_late(error: &'static str, answer: fn(&str) -> Reply) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => {
            state.executed();
            answer(&request.reply(error))
        }
        _ => servers::ts_v2(request, state),
    })
}

#[test]
fn a_modern_refusal_counts_before_anything_else_alone() {
    let answers: [fn(&str) -> Reply; 4] = [
        |error| Reply::events(event(PROGRESS) + &event(error)),
        |error| Reply::events(event(error)),
        |error| Reply::json(200, error),
        |error| Reply::json(422, error),
    ];
    for protocol in ["modern", "auto", "legacy"] {
        for error in [UNSUPPORTED, MISMATCH] {
            for answer in answers {
                let upstream = refuses_late(error, answer);
                let app = TestApp::over_with(&upstream, json!({"protocol": protocol}));
                let query = if protocol == "legacy" {
                    "?init=true"
                } else {
                    ""
                };
                may_have_run(&app.execute_with(SERVER, "echo", query, &json!({})));
                assert_eq!(
                    upstream.executions(),
                    1,
                    "{protocol} {error}: {:?}",
                    upstream.order()
                );
            }
        }
    }
}

#[test]
fn an_error_after_a_notification_no_longer_says_that_nothing_ran() {
    for code in [-32600, -32602, -32603] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "tools/call" => {
                state.executed();
                let error = request.error(code, "m");
                Reply::stream(vec![
                    Part::Bytes(event(PROGRESS).into_bytes()),
                    Part::Bytes(event(&error).into_bytes()),
                ])
            }
            _ => servers::ts_v2(request, state),
        });
        let app = TestApp::over(&upstream);
        let executed = app.echo().problem().text("executed").to_owned();
        assert_ne!(executed, "no", "{code}");
        assert_eq!(upstream.executions(), 1);
    }
}

// === A call without its tool's headers ===

#[test]
fn a_call_goes_out_though_the_tools_cannot_be_listed() {
    let faults: [fn() -> Reply; 4] = [
        || Reply::empty(500),
        || Reply::empty(403),
        Reply::hang_up,
        || {
            Reply::json(
                200,
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"m"}}"#,
            )
        },
    ];
    for fault in faults {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "tools/list" => fault(),
            _ => servers::ts_v2(request, state),
        });
        TestApp::over(&upstream).echo().ok();
        assert_eq!(upstream.executions(), 1);
    }
}

#[test]
fn a_tool_that_needs_headers_gets_them_from_the_list_that_its_refusal_brings() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" if state.count("tools/list") == 1 => Reply::empty(500),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    app.execute(SERVER, "deploy", &json!({"region": "us"})).ok();
    let calls = upstream.received("tools/call");
    let regions: Vec<_> = calls
        .iter()
        .map(|call| call.header("mcp-param-region"))
        .collect();
    assert_eq!(regions, [None, Some("us")]);
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn connections_that_say_something_unasked_cost_no_call() {
    let (written, unasked) = mpsc::channel();
    let upstream = Raw::start(move |wire| {
        let request = wire.call()?;
        wire.answer(&request, "done")?;
        wire.write(raw::json(408, "{}"))?;
        // Nobody listens after the last call.
        let _ = written.send(());
        Ok(())
    });
    let app = over(&upstream);
    for calls in 1..=20 {
        app.echo().ok();
        unasked.recv().unwrap();
        assert_eq!(upstream.runs(), calls);
    }
}

// === What the era, and a redirect, prove ===

/// A server of both eras: it takes legacy calls without a word of sessions, and says that it is modern.
#[test]
fn a_server_of_both_eras_that_ran_a_call_in_a_session_is_not_called_again() {
    for status in [400, 404, 422] {
        let upstream = Upstream::start(move |request, state| {
            if request.tool() != "fail" {
                return servers::ts_v2(request, state);
            }
            state.executed();
            Reply::json(status, request.error(-32000, "it ran, and failed"))
        });
        let app = TestApp::over(&upstream);
        let arguments = json!({});
        let told = app.execute_in("abc", SERVER, "fail", &arguments);
        assert_eq!(upstream.executions(), 1, "{status}: {}", told.text());
        app.echo().ok();
        let known = upstream.executions();
        let told = app.execute_in("abc", SERVER, "fail", &arguments);
        assert_eq!(
            upstream.executions(),
            known + 1,
            "{status}: {}",
            told.text()
        );
    }
}

#[test]
fn a_redirect_that_asks_for_nothing_again_says_nothing_of_what_ran() {
    for status in [301, 302, 303] {
        let upstream = Upstream::start(move |request, state| {
            if request.tool() != "fail" {
                return servers::ts_v1_stateless(request, state);
            }
            state.executed();
            Reply::empty(status).header("location", "/mcp/done")
        });
        let app = TestApp::over(&upstream);
        may_have_run(&app.execute(SERVER, "fail", &json!({})));
        assert_eq!(upstream.executions(), 1);
    }
}
