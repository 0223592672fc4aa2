//! Tools of many servers: search, descriptions with an example, and batches.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::Request;
use crate::upstream::{Reply, Upstream, servers};

const WEATHER: &str = r#"{"tools":[
    {"name":"getForecast","title":"Weather forecast","description":"For the days to come"},
    {"name":"history","description":"What the weather was; see getForecast for what it will be"},
    {"name":"weather"}]}"#;

/// Two servers that answer, and one that is not there.
fn three() -> (Upstream, Upstream, TestApp) {
    let weather = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(WEATHER)),
        _ => servers::ts_v2(request, state),
    });
    let stateful = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::spawn(&json!({"mcpServers": {
        "weather": {"url": weather.url()},
        SERVER: {"url": stateful.url()},
        "down": {"url": "http://127.0.0.1:9/mcp", "retries": 0},
    }}));
    (weather, stateful, app)
}

fn names(found: &Value) -> Vec<&str> {
    let tools = found["tools"].as_array().unwrap();
    tools
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect()
}

// === Finding ===

#[test]
fn all_tools_are_found_and_a_server_that_is_down_is_named() {
    let (_weather, stateful, app) = three();
    let found = app.get("/api/tools").ok();
    let all = [
        "getForecast",
        "history",
        "weather",
        "echo",
        "add",
        "fail",
        "a/b c",
        "grüße",
        "deploy",
    ];
    assert_eq!(names(&found), all);
    assert_eq!((&found["count"], &found["total"]), (&json!(9), &json!(9)));
    let failed = &found["failedServers"];
    assert_eq!(failed.as_array().unwrap().len(), 1);
    assert_eq!(
        (&failed[0]["server"], &failed[0]["code"]),
        (&json!("down"), &json!("upstream_unreachable"))
    );
    let odd = &found["tools"][6];
    assert_eq!(odd["path"], path(SERVER, "tools/a%2Fb%20c/execute"));
    assert_eq!(odd["tool"]["inputSchema"], json!({"type": "object"}));
    // Lists that are fresh are not asked for again. (The first request was refused for want of a session.)
    app.get("/api/tools?q=echo").ok();
    assert_eq!(stateful.count("tools/list"), 2);
}

#[test]
fn what_fits_best_comes_first() {
    let (_weather, _stateful, app) = three();
    for (query, expected) in [
        ("weather", &["weather", "getForecast", "history"][..]),
        ("forecast", &["getForecast", "history"]),
        ("get%20FORECAST", &["getForecast", "history"]),
        ("get-forecast", &["getForecast", "history"]),
        ("ech", &["echo"]),
        ("weather%20was", &["history"]),
        ("gr%C3%BC%C3%9Fe", &["grüße"]),
        ("nothing%20like%20it", &[]),
    ] {
        let found = app.get(&format!("/api/tools?q={query}")).ok();
        assert_eq!(names(&found), expected, "{query}");
    }
    let limited = app.get("/api/tools?q=weather&limit=1").ok();
    assert_eq!(
        (&limited["count"], &limited["total"]),
        (&json!(1), &json!(3))
    );
    let one = app.get("/api/tools?server=weather").ok();
    assert_eq!((names(&one).len(), &one["failedServers"]), (3, &json!([])));
}

#[test]
fn a_search_that_is_none_is_refused() {
    let (_weather, _stateful, app) = three();
    for query in ["limit=0", "limit=x", "limit=1001", "q=a&q=b"] {
        app.get(&format!("/api/tools?{query}"))
            .is_refused(400, "invalid_request");
    }
    app.get("/api/tools?server=nope")
        .is_refused(404, "server_not_found");
}

// === One tool ===

#[test]
fn a_tool_comes_with_a_call_that_works() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let described = app.get(&path(SERVER, "tools/add"));
    let tag = described.header("etag").unwrap().to_owned();
    let example = described.ok()["example"].clone();
    let url = format!(
        "http://{}{}",
        app.address,
        path(SERVER, "tools/add/execute")
    );
    assert_eq!(
        (&example["method"], &example["url"]),
        (&json!("POST"), &json!(url))
    );
    app.execute(SERVER, "add", &example["arguments"]).ok();
    let line = format!(
        "curl -X POST '{url}' -H 'Content-Type: application/json' -d '{{\"a\":1,\"b\":1}}'"
    );
    assert_eq!(example["curl"], line);
    let again = Request::get(&path(SERVER, "tools/add")).header("if-none-match", &tag);
    assert_eq!(app.request(&again).status, 304);
}

#[test]
fn an_example_names_a_key_without_telling_one() {
    let upstream = Upstream::start(servers::ts_v2);
    let config = json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": {"auth": {"apiKeys": ["${KEY}"]}}});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", "s3cret-key")]);
    let request = Request::get(&path(SERVER, "tools/add")).header("x-api-key", "s3cret-key");
    let described = app.request(&request);
    assert!(
        described.text().contains("X-API-Key: $API_KEY"),
        "{}",
        described.text()
    );
    assert!(!described.text().contains("s3cret"), "{}", described.text());
}

// === Many calls ===

#[test]
fn calls_run_side_by_side_and_each_has_its_own_answer() {
    // Each of the two answers only once the other has been asked.
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if request.tool() == "wait" => {
            state.executed();
            Reply::stream(vec![
                crate::upstream::Part::Until("tools/call", 2),
                crate::upstream::Part::Bytes(
                    crate::upstream::event(&request.result(r#"{"content":[],"n":1.10}"#))
                        .into_bytes(),
                ),
            ])
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::spawn(&json!({"mcpServers": {
        SERVER: {"url": upstream.url(), "protocol": "legacy"},
        "down": {"url": "http://127.0.0.1:9/mcp", "retries": 0},
    }}));
    let response = app.post(
        "/api/batch",
        &json!({"calls": [
            {"server": SERVER, "tool": "wait"},
            {"server": "down", "tool": "x"},
            {"server": SERVER, "name": "wait", "arguments": {"a": 1}, "_meta": {"k": "v"}},
            {"server": "nope", "tool": "x"},
            {"server": SERVER},
            {"server": SERVER, "tool": "wait", "arguments": []},
            7,
        ]}),
    );
    let results = response.ok()["results"].clone();
    let told: Vec<(u64, &str)> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            (
                it["status"].as_u64().unwrap(),
                it["body"]["code"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (200, ""),
            (502, "upstream_unreachable"),
            (200, ""),
            (404, "server_not_found"),
            (400, "invalid_request"),
            (400, "invalid_request"),
            (400, "invalid_request"),
        ]
    );
    assert_eq!(results[1]["body"]["server"], "down");
    assert!(
        response
            .text()
            .contains(r#"{"status":200,"body":{"content":[],"n":1.10}}"#)
    );
    let sent = upstream.received("tools/call");
    assert!(
        sent.iter()
            .any(|call| call.message["params"]["_meta"]["k"] == "v")
    );
}

#[test]
fn a_tool_s_own_error_is_marked_or_becomes_a_status() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let calls = json!({"calls": [{"server": SERVER, "tool": "fail"}]});
    let result = app.post("/api/batch", &calls).ok()["results"][0].clone();
    assert_eq!(
        (&result["status"], &result["toolError"]),
        (&json!(200), &json!(true))
    );
    let result = app.post("/api/batch?toolErrors=status", &calls).ok()["results"][0].clone();
    assert_eq!(
        (&result["status"], &result["body"]["code"]),
        (&json!(422), &json!("tool_error"))
    );
}

#[test]
fn one_deadline_covers_all() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if request.tool() == "slow" => Reply::json(200, "").stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let response = app.post(
        "/api/batch",
        &json!({"timeoutMs": 3000, "calls": [
            {"server": SERVER, "tool": "slow"},
            {"server": SERVER, "tool": "echo"},
            {"server": SERVER, "tool": "slow"},
        ]}),
    );
    let results = response.ok()["results"].clone();
    let statuses: Vec<u64> = (0..3)
        .map(|at| results[at]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [504, 200, 504]);
}

#[test]
fn calls_in_sessions_stay_in_them() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    let response = app.post(
        "/api/batch",
        &json!({"calls": [
            {"server": SERVER, "tool": "echo", "sessionId": id},
            {"server": SERVER, "tool": "echo"},
            {"server": SERVER, "tool": "echo", "sessionId": "gone"},
        ]}),
    );
    let results = response.ok()["results"].clone();
    let statuses: Vec<u64> = (0..3)
        .map(|at| results[at]["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 200, 410]);
    assert_eq!(app.end_session(SERVER, &id).status, 204);
    upstream.wait_until_no_session_is_left();
}

#[test]
fn a_batch_that_is_none_or_too_large_is_refused() {
    let upstream = Upstream::start(servers::ts_v2);
    let config = json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": {"limits": {"batch": 2}}});
    let app = TestApp::spawn(&config);
    let call = json!({"server": SERVER, "tool": "echo"});
    for wrong in [
        json!({}),
        json!([]),
        json!({"calls": {}}),
        json!({"calls": [], "more": 1}),
        json!({"calls": [], "timeoutMs": 0}),
        json!({"calls": [call, call, call]}),
    ] {
        app.post("/api/batch", &wrong)
            .is_refused(400, "invalid_request");
    }
    assert_eq!(
        app.post("/api/batch", &json!({"calls": []})).ok()["results"],
        json!([])
    );
    assert_eq!(upstream.executions(), 0);
}
