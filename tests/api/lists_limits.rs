//! Long lists, up to the limit and over it: the work is done off the workers, and is bounded.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, path, run};
use crate::http::Request as Call;
use crate::problem::says;
use crate::process::Ticks;
use crate::upstream::{Reply, Request, State, Upstream, servers};

/// As many tools as fit into 8 MiB, nearly.
const MANY: usize = 20_000;
/// For what takes a build without optimizations longer than a test waits.
const SOME: usize = 1500;

/// A page of so many tools, whose names, texts and schemas are what servers have.
fn page(tools: usize, more: &str) -> String {
    let tool = |number: usize| {
        format!(
            r#"{{"name":"read_item_{number:0>6}_of_the_collection","title":"Read item {number}","description":"Reads the item with the number {number} out of the collection, with all that belongs to it, and says when it was written, by whom, and what for","inputSchema":{{"type":"object","properties":{{"depth":{{"type":"integer"}},"path":{{"type":"string"}}}},"required":["path"]}},"annotations":{{"readOnlyHint":true}}}}"#
        )
    };
    let tools: Vec<String> = (0..tools).map(tool).collect();
    format!(r#"{{"tools":[{}]{more}}}"#, tools.join(","))
}

/// A server of the modern era with this for a list of tools.
fn with_list(list: String) -> Upstream {
    Upstream::start(
        move |request: &Request, state: &State| match request.rpc() {
            "tools/list" => Reply::json(200, request.result(&list)),
            _ => servers::ts_v2(request, state),
        },
    )
}

fn of_server(rest: &str) -> Call {
    Call::get(&path(SERVER, rest))
}

// === What it costs ===

/// Processor time that the worker has taken, and the whole process.
fn ticks(app: &TestApp) -> (Ticks, Ticks) {
    let process = app.process();
    (process.ticks_of_workers(), process.ticks())
}

/// The most memory that the process has ever held, in MiB.
fn peak(app: &TestApp) -> usize {
    app.process().peak_memory() >> 20
}

/// Each in turn, on a service of its own with one worker.
#[test]
fn thousands_of_tools_are_looked_through_beside_the_workers() {
    let many = page(MANY, "");
    assert!((7 << 20..8 << 20).contains(&many.len()), "{}", many.len());
    let (many, some) = (with_list(many), with_list(page(SOME, "")));
    let call = json!({"name": "read_item_000000_of_the_collektion", "arguments": {}});
    for (upstream, call, status) in [
        (&many, of_server("tools"), 200),
        (&many, of_server("tools?all=true"), 200),
        (
            &many,
            of_server("tools/read_item_019999_of_the_collection"),
            200,
        ),
        (
            &many,
            of_server("tools/read_item_000000_of_the_collektion"),
            404,
        ),
        (&some, of_server("openapi.json"), 200),
        (&some, Call::get("/api/openapi.json"), 200),
        (
            &many,
            Call::get("/api/tools?q=item+collection+written+1"),
            200,
        ),
        (&many, Call::post(&path(SERVER, "call")).json(call), 404),
    ] {
        let app = TestApp::spawn_with(&config(upstream, json!({})), &["--workers", "1"], &[]);
        app.get("/livez").ok();
        let before = ticks(&app);
        let answer = call.send(app.address);
        assert_eq!(answer.status, status, "{call:?}");
        app.get("/livez").ok();
        let after = ticks(&app);
        let (worker, all) = (after.0 - before.0, after.1 - before.1);
        assert!(2 * worker < all, "{}: {worker} of {all} ticks", call.target);
        assert!(peak(&app) < 128, "{}: {} MiB", call.target, peak(&app));
    }
}

#[test]
fn a_deadline_holds_while_a_list_is_looked_through() {
    let upstream = with_list(page(MANY, ""));
    let app = TestApp::over(&upstream);
    app.get("/api/tools?q=none").ok();
    let problem = app.get("/api/tools?q=item&timeoutMs=1").problem();
    assert_eq!(
        problem.facts(),
        (504, "upstream_timeout", "gateway", "no", true)
    );
    // The list itself was remembered.
    assert_eq!(upstream.count("tools/list"), 1);
}

#[test]
fn what_is_remembered_of_all_servers_together_is_bounded() {
    let text = "x".repeat(1 << 20);
    let tool = |number| format!(r#"{{"name":"t{number}","description":"{text}"}}"#);
    let tools: Vec<String> = (0..7).map(tool).collect();
    let upstream = with_list(format!(r#"{{"tools":[{}]}}"#, tools.join(",")));
    let entry = |number: usize| (format!("s{number}"), json!({"url": upstream.url()}));
    let servers: serde_json::Map<String, Value> = (0..40).map(entry).collect();
    let app = TestApp::spawn(&json!({"mcpServers": servers}));
    for number in 0..40 {
        let call = Call::post(&path(&format!("s{number}"), "call"));
        call.json(json!({"name": "echo", "arguments": {}}))
            .send(app.address);
    }
    assert_eq!(upstream.count("tools/list"), 40);
    assert!(peak(&app) < 200, "{} MiB", peak(&app));
}

#[test]
fn an_answer_to_a_search_holds_no_more_definitions_than_a_list_may() {
    let upstream = with_list(page(100, ""));
    let app = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &[],
        &[("MCP_REST_LIMITS_LIST_BYTES", "50000")],
    );
    let one = app.get("/api/tools?limit=1").ok();
    let definition = one["tools"][0]["tool"].to_string().len();
    let found = app.get("/api/tools?limit=1000").ok();
    assert_eq!(
        (&found["total"], &found["count"]),
        (&json!(100), &json!(100))
    );
    let two = json!({"mcpServers": {"a": {"url": upstream.url()}, "b": {"url": upstream.url()}}});
    let app = TestApp::spawn_with(&two, &[], &[("MCP_REST_LIMITS_LIST_BYTES", "50000")]);
    let found = app.get("/api/tools?limit=1000").ok();
    assert_eq!(found["total"], 200);
    let count = found["tools"].as_array().unwrap().len();
    assert_eq!(found["count"], count);
    assert!((50_000 / definition).abs_diff(count) < 10, "{count}");
}

// === Over the limit ===

#[test]
fn a_list_over_the_limit_is_an_error_that_names_it() {
    let cursor = |request: &Request| request.message["params"]["cursor"].is_string();
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/list" | "resources/list" | "prompts/list" => {
            let more = if cursor(request) {
                ""
            } else {
                r#","nextCursor":"1""#
            };
            let page = page(20, more);
            let other = page.replace("\"tools\":", "\"resources\":");
            let page = match request.rpc() {
                "tools/list" => page,
                "resources/list" => other,
                _ => page.replace("\"tools\":", "\"prompts\":"),
            };
            Reply::json(200, request.result(&page))
        }
        _ => servers::ts_v2(request, state),
    });
    let over = |bytes: &str| {
        let limit = [("MCP_REST_LIMITS_LIST_BYTES", bytes)];
        TestApp::spawn_with(&config(&upstream, json!({})), &[], &limit)
    };
    let app = over("10000");
    app.get(&path(SERVER, "tools")).ok();
    for of_server in [
        "tools?all=true",
        "resources?all=true",
        "prompts?all=true",
        "tools/read_item_000000_of_the_collection",
        "tools/read_item_000000_of_the_collection/execute?path=x",
        "openapi.json",
    ] {
        let problem = app.get(&path(SERVER, of_server)).problem();
        assert_eq!(
            problem.text("code"),
            "upstream_invalid_response",
            "{of_server}"
        );
        problem.says("upstream_invalid_response_over_list_bytes");
    }
    let found = app.get("/api/tools?q=item").ok();
    let failed = &found["failedServers"][0];
    assert_eq!(failed["code"], "upstream_invalid_response");
    says(
        "upstream_invalid_response_over_list_bytes",
        failed["detail"].as_str().unwrap(),
    );
    let document = app.get("/api/openapi.json").ok();
    let failed = &document["info"]["x-mcp-failed-servers"][0];
    assert_eq!(failed["code"], "upstream_invalid_response");
    // A page of a modern server is looked into, for tools that must not be used.
    let app = over("5000");
    let problem = app.get(&path(SERVER, "tools")).problem();
    problem.says("upstream_invalid_response_over_list_bytes");
    assert_eq!(of_server("resources").send(app.address).status, 200);
}

// === Depth ===

#[test]
fn errors_that_nest_too_deeply_are_not_looked_into() {
    for (depth, told) in [(100, true), (200, false)] {
        let data = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "tools/call" => {
                let error = format!(r#""error":{{"code":7,"message":"m","data":{data}}}"#);
                Reply::json(500, request.reply(&error))
            }
            _ => servers::ts_v1_stateless(request, state),
        });
        let problem = TestApp::over(&upstream).echo().problem();
        assert_eq!(problem.text("code"), "upstream_error");
        assert_eq!(
            problem.0["upstream"]["jsonrpc"].is_object(),
            told,
            "{problem:?}"
        );
    }
}

#[test]
fn depth_is_configured_within_reason() {
    let config = |depth: u64| json!({"mcpServers": {}, "gateway": {"limits": {"depth": depth}}});
    assert!(run(&config(1000), &["--check"], &[]).status.success());
    let ended = run(&config(1001), &["--check"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    for words in ["gateway.limits.depth", "from 1 to 1000", "correct it"] {
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}
