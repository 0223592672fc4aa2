//! Failures of the server, and what the caller gets.

use std::net::{TcpListener, TcpStream};

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::Response;
use crate::upstream::{Part, Reply, Upstream, as_json, servers};

/// A stateless legacy server that answers calls like this.
fn failing(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => reply(),
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// What a caller of a tool that may have an effect is told.
fn call(upstream: &Upstream) -> Response {
    let app = TestApp::over_with(upstream, json!({"protocol": "legacy"}));
    app.execute(SERVER, "add", &json!({"a": 1, "b": 2}))
}

#[test]
fn statuses_are_told_by_what_they_mean() {
    for (status, expected) in [
        (401, (401, "unauthorized", "upstream", "no", false)),
        (403, (403, "forbidden", "upstream", "no", false)),
        (429, (429, "rate_limited", "upstream", "no", true)),
        (500, (502, "upstream_error", "upstream", "unknown", false)),
        (502, (502, "upstream_error", "upstream", "unknown", false)),
        (503, (503, "overloaded", "upstream", "unknown", false)),
        (504, (502, "upstream_error", "upstream", "unknown", false)),
    ] {
        let upstream = failing(move || Reply::empty(status));
        let problem = call(&upstream).problem();
        assert_eq!(problem.facts(), expected, "{status}");
        assert_eq!(problem.0["upstream"]["status"], status);
        assert_eq!(
            (problem.text("server"), problem.text("tool")),
            (SERVER, "add")
        );
        let title = if status == 401 {
            "Authentication failed"
        } else {
            "Tool execution failed"
        };
        assert_eq!(problem.text("title"), title, "{status}");
        assert_eq!(upstream.count("tools/call"), 1, "{status}");
    }
}

#[test]
fn a_challenge_reaches_the_caller() {
    const CHALLENGE: &str = r#"Bearer error="invalid_token", resource_metadata="https://example.com/.well-known/oauth-protected-resource", scope="mcp:read""#;
    for status in [401, 403] {
        let upstream = Upstream::start(move |_, _| {
            Reply::json(
                status,
                r#"{"error":"invalid_token","error_description":"BODY-SECRET"}"#,
            )
            .header("www-authenticate", CHALLENGE)
        });
        let app = TestApp::over(&upstream);
        for response in [
            app.echo(),
            app.tools(SERVER),
            app.initialize(SERVER),
            app.get(&path(SERVER, "tools/echo")),
        ] {
            assert_eq!(response.status, status);
            assert_eq!(response.problem().text("origin"), "upstream");
            assert_eq!(response.header("www-authenticate"), Some(CHALLENGE));
            assert!(
                !response.text().contains("BODY-SECRET"),
                "{}",
                response.text()
            );
        }
        let id = app.execute_in("x", SERVER, "echo", &json!({}));
        assert_eq!(
            id.status,
            status,
            "a challenge is no dead session: {}",
            id.text()
        );
    }
}

#[test]
fn when_to_come_back_reaches_the_caller() {
    for (status, after) in [(429, "7"), (503, "Wed, 21 Oct 2026 07:28:00 GMT")] {
        let upstream = failing(move || Reply::empty(status).header("retry-after", after));
        let response = call(&upstream);
        assert_eq!(
            (response.status, response.header("retry-after")),
            (status, Some(after))
        );
    }
    // A default where the server sends none.
    assert!(
        call(&failing(|| Reply::empty(429)))
            .header("retry-after")
            .is_some()
    );
}

#[test]
fn pages_never_leak() {
    const PAGE: &str =
        "<!DOCTYPE html><h1>PAGE-SECRET</h1><pre>at Server.handle (/srv/app.js:1:1)</pre>";
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let status = request.arguments()["status"].as_u64().unwrap();
            let media_type = request.arguments()["type"].as_str().unwrap();
            Reply::typed(status.try_into().unwrap(), media_type, PAGE)
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    for status in [200, 400, 401, 403, 404, 418, 429, 500, 502, 503] {
        for media_type in ["text/html; charset=utf-8", "text/plain", "application/json"] {
            let arguments = json!({"status": status, "type": media_type});
            let response = app.execute(SERVER, "echo", &arguments);
            response.problem();
            assert!(
                !response.text().contains("PAGE-SECRET"),
                "{}",
                response.text()
            );
        }
    }
    let log = app.stop().stderr;
    assert!(!log.contains("PAGE-SECRET"), "{log}");
}

#[test]
fn an_error_of_the_protocol_is_passed_on_whole() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let error = r#"{"code":-32603,"message":"Grüße","data":{"b":1,"a":1.10}}"#;
            as_json(&request.reply(&format!("\"error\":{error}")))
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let response = call(&upstream);
    let problem = response.problem();
    assert_eq!(
        problem.facts(),
        (502, "upstream_error", "upstream", "yes", false)
    );
    assert_eq!(problem.text("title"), "Tool execution failed");
    let expected = json!({"status": 200, "jsonrpc": {"code": -32603, "message": "Grüße", "data": {"b": 1, "a": 1.1}}});
    assert_eq!(problem.0["upstream"], expected);
    assert!(response.text().contains("1.10"), "{}", response.text());
}

#[test]
fn an_answer_that_is_none_is_invalid() {
    let answers: [fn() -> Reply; 14] = [
        || Reply::empty(200),
        || Reply::empty(202),
        || Reply::json(200, ""),
        || Reply::json(200, "{"),
        || Reply::json(200, "[]"),
        || Reply::json(200, "null"),
        || Reply::json(200, "\"x\""),
        || Reply::json(200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#),
        || Reply::json(200, r#"{"result":{}}"#),
        || Reply::untyped(200, r#"{"result":{}}"#),
        || Reply::typed(200, "text/plain", "fine"),
        Reply::hang_up,
        || {
            Reply::raw(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\"",
            )
        },
        || Reply::raw("HTTP/1.1 2"),
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let upstream = failing(answer);
        let problem = call(&upstream).problem();
        let expected = (
            502,
            "upstream_invalid_response",
            "upstream",
            "unknown",
            false,
        );
        assert_eq!(problem.facts(), expected, "answer {index}: {}", problem.0);
        assert_eq!(upstream.count("tools/call"), 1, "answer {index}");
    }
}

#[test]
fn a_result_that_is_no_object_is_invalid() {
    for result in ["null", "7", "[]", "\"done\""] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "tools/call" => as_json(&request.reply(&format!("\"result\":{result}"))),
            _ => servers::ts_v1_stateless(request, state),
        });
        let problem = call(&upstream).problem();
        let (status, code, ..) = problem.facts();
        assert_eq!(
            (status, code),
            (502, "upstream_invalid_response"),
            "{result}"
        );
    }
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    // A port that is taken and does not listen, as long as the connection is held.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let held = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let url = format!("http://{}/mcp", held.local_addr().unwrap());
    for protocol in ["auto", "legacy", "modern"] {
        let app = TestApp::spawn(
            &json!({"mcpServers": {SERVER: {"type": "http", "url": url, "protocol": protocol}}}),
        );
        for (response, title) in [
            (app.echo(), "Tool execution failed"),
            (app.tools(SERVER), "Failed to list tools"),
            (app.initialize(SERVER), "Initialization failed"),
        ] {
            let problem = response.problem();
            assert_eq!(
                problem.facts(),
                (502, "upstream_unreachable", "upstream", "no", true)
            );
            assert_eq!(problem.text("title"), title);
        }
        app.execute_in("x", SERVER, "echo", &json!({}))
            .is_refused(502, "upstream_unreachable");
        // Nothing that could be told apart from a session that is gone already.
        assert!(matches!(app.end_session(SERVER, "x").status, 204 | 502));
    }
}

// === Deadlines ===

fn silent() -> Upstream {
    failing(|| Reply::empty(200).stalled())
}

#[test]
fn a_deadline_that_passes_is_504() {
    let upstream = silent();
    let expected = (504, "upstream_timeout", "upstream", "unknown", false);
    let add = json!({"a": 1, "b": 2});
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let query = app.execute_with(SERVER, "add", "?timeoutMs=200", &add);
    let prefer = app.request(
        &execute(SERVER, "add", "")
            .json(&add)
            .header("prefer", "wait=1"),
    );
    let envelope = app.call(
        SERVER,
        &json!({"name": "add", "arguments": add, "timeoutMs": 200}),
    );
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy", "timeoutMs": 200}));
    let configured = app.execute(SERVER, "add", &add);
    let raised = app.execute_with(SERVER, "add", "?timeoutMs=60000", &add);
    for response in [query, prefer, envelope, configured, raised] {
        let problem = response.problem();
        assert_eq!(problem.facts(), expected);
        assert_eq!(problem.text("title"), "Tool execution failed");
    }
    assert_eq!(upstream.count("tools/call"), 5);
}

#[test]
fn the_deadline_covers_the_stream() {
    let upstream = failing(|| Reply::stream(vec![Part::Bytes(b": ok\n\n".to_vec()), Part::Stall]));
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let response = app.execute_with(SERVER, "add", "?timeoutMs=300", &json!({}));
    assert_eq!(response.problem().text("code"), "upstream_timeout");
}

#[test]
fn a_deadline_that_passes_before_the_call_ran_nothing() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "server/discover" => Reply::empty(200).stalled(),
        _ => servers::ts_v2(request, state),
    });
    let response =
        TestApp::over(&upstream).execute_with(SERVER, "add", "?timeoutMs=200", &json!({}));
    assert_eq!(
        response.problem().facts(),
        (504, "upstream_timeout", "upstream", "no", true)
    );
    assert_eq!(upstream.order(), ["server/discover"]);
}

// === Redirects ===

#[test]
fn a_trailing_slash_that_the_server_wants_is_found() {
    for location in ["/mcp/", "http://HOST/mcp/"] {
        for status in [307, 308] {
            let upstream = Upstream::start(move |request, state| {
                if request.path == "/mcp" {
                    let host = request.header("host").unwrap_or_default();
                    return Reply::empty(status)
                        .header("location", &location.replace("HOST", host));
                }
                servers::python_v1_stateful(request, state)
            });
            let app = TestApp::over(&upstream);
            app.echo().ok();
            upstream.wait_until_no_session_is_left();
            assert_eq!(upstream.executions(), 1);
        }
    }
}

#[test]
fn other_redirects_are_not_followed() {
    for status in [301, 302, 303] {
        let upstream =
            Upstream::start(move |_, _| Reply::empty(status).header("location", "/other"));
        TestApp::over(&upstream)
            .echo()
            .is_refused(502, "upstream_error");
        assert!(
            upstream
                .requests()
                .iter()
                .all(|request| request.path == "/mcp")
        );
    }
    let upstream = Upstream::start(|_, _| Reply::empty(307).header("location", "/mcp"));
    TestApp::over(&upstream)
        .echo()
        .is_refused(502, "upstream_error");
}

#[test]
fn credentials_never_follow_a_redirect_to_another_host() {
    let other = Upstream::start(servers::toolbox);
    let location = other.url();
    let upstream = Upstream::start(move |_, _| Reply::empty(307).header("location", &location));
    let app = TestApp::over_with(&upstream, json!({"headers": {"Authorization": "Bearer x"}}));
    app.echo().is_refused(502, "upstream_error");
    assert_eq!(other.order(), Vec::<String>::new());
}

// === What is configured and what is secret ===

#[test]
fn configured_headers_are_sent_and_never_shown() {
    let upstream = Upstream::start(|request, state| match request.tool() {
        "add" => Reply::json(500, r#"{"error":"Bearer TOKEN-SECRET"}"#),
        _ => servers::ts_v1_stateful(request, state),
    });
    let headers = json!({"Authorization": "Bearer ${TOKEN}", "X-Tenant": "${TENANT:-acme}"});
    let config = config(&upstream, json!({"headers": headers}));
    let app = TestApp::spawn_with(&config, &[], &[("TOKEN", "TOKEN-SECRET")]);
    app.echo().ok();
    let shown = [
        app.execute(SERVER, "add", &json!({})),
        app.list_servers(),
        app.tools(SERVER),
    ];
    for request in upstream.requests() {
        assert_eq!(
            request.header("authorization"),
            Some("Bearer TOKEN-SECRET"),
            "{}",
            request.name()
        );
        assert_eq!(request.header("x-tenant"), Some("acme"));
    }
    let opened = upstream.opened();
    let ended = app.stop();
    for response in shown {
        assert!(
            !response.text().contains("TOKEN-SECRET"),
            "{}",
            response.text()
        );
    }
    assert!(!ended.stderr.contains("TOKEN-SECRET"), "{}", ended.stderr);
    assert!(
        opened.iter().all(|id| !ended.stderr.contains(id)),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_callers_own_headers_do_not_reach_the_server() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let request = execute(SERVER, "echo", "")
        .json("{}")
        .header("authorization", "Bearer CALLER-SECRET")
        .header("cookie", "a=b")
        .header("origin", format!("http://{}", app.address))
        .header("mcp-protocol-version", "1999-01-01")
        .header("accept", "application/json")
        .header("x-forwarded-host", "evil");
    app.request(&request).ok();
    for request in upstream.requests() {
        for name in ["authorization", "cookie", "origin", "x-forwarded-host"] {
            assert_eq!(request.header(name), None);
        }
        assert_ne!(request.header("mcp-protocol-version"), Some("1999-01-01"));
        assert_eq!(
            request.headers.all("accept"),
            ["application/json, text/event-stream"]
        );
        assert!(upstream.url().contains(request.header("host").unwrap()));
    }
    assert!(!app.stop().stderr.contains("CALLER-SECRET"));
}
