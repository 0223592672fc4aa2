//! `GET /api/list-servers`, and servers that are not there.

use serde_json::json;

use crate::app::{TestApp, path};
use crate::http::Request;
use crate::upstream::{Upstream, servers};

#[test]
fn servers_are_listed_in_file_order_with_their_count() {
    let app = TestApp::spawn(&json!({"mcpServers": {
        "zeta": {"type": "http", "url": "http://127.0.0.1:9/mcp"},
        "My Server": {"type": "http", "url": "https://example.com/mcp"},
        "alpha": {"type": "http", "url": "http://localhost:9/"},
    }}));
    let body = app.list_servers().ok();
    assert_eq!(body["count"], 3);
    assert_eq!(
        body["servers"][1],
        json!({"name": "My Server", "url": "https://example.com/mcp", "type": "http"})
    );
    assert_eq!(
        (&body["servers"][0]["name"], &body["servers"][2]["name"]),
        (&json!("zeta"), &json!("alpha"))
    );
}

#[test]
fn urls_are_listed_as_written_without_what_is_secret() {
    let config = json!({"mcpServers": {
        "query": {"type": "http", "url": "https://example.com/mcp?apiKey=QUERY-SECRET&plain"},
        "variable": {"type": "http", "url": "https://example.com/${KEY}/mcp"},
        "default": {"type": "http", "url": "https://example.com/${UNSET:-DEFAULT-SECRET}/mcp"},
        "hidden": {"type": "http", "url": "https://example.com/PATH-SECRET/mcp", "hideUrl": true},
        "headers": {"type": "http", "url": "https://example.com/mcp", "headers": {"X-Key": "HEADER-SECRET"}},
    }});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", "VARIABLE-SECRET")]);
    let response = app.list_servers();
    let body = response.ok();
    assert_eq!(body["servers"][1]["url"], "https://example.com/${KEY}/mcp");
    assert_eq!(
        body["servers"][3]["url"]
            .as_str()
            .unwrap()
            .trim_end_matches('/'),
        "https://example.com"
    );
    let shown = format!("{}{}", response.text(), app.stop().stderr);
    for secret in ["QUERY", "VARIABLE", "PATH", "HEADER"] {
        assert!(!shown.contains(&format!("{secret}-SECRET")), "{shown}");
    }
}

#[test]
fn names_are_case_sensitive_and_may_hold_anything() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let entry = json!({"type": "http", "url": upstream.url()});
    let app = TestApp::spawn(&json!({"mcpServers": {"My Server/ü": entry}}));
    app.execute("My Server/ü", "echo", &json!({"message": "hi"}))
        .ok();
    app.tools("my server/ü").is_refused(404, "server_not_found");
}

#[test]
fn an_unknown_server_is_404_on_every_route() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    for name in ["nope", "__proto__", "constructor", "toString", "S", "s "] {
        for request in [
            Request::post(&path(name, "initialize")),
            Request::delete(&path(name, "session")).header("mcp-session-id", "x"),
            Request::get(&path(name, "tools")),
            Request::get(&path(name, "tools/echo")),
            Request::post(&path(name, "tools/echo/execute")).json("{}"),
            Request::post(&path(name, "call")).json(r#"{"name":"echo"}"#),
            Request::post(&path(name, "ping")),
        ] {
            let problem = app.request(&request).is_refused(404, "server_not_found");
            assert_eq!(problem.text("title"), "Server not found");
            assert_eq!(problem.text("origin"), "gateway");
            assert_eq!(problem.text("server"), name);
        }
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}
