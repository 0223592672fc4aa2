//! Configuration files that people have: those of other products, and those with mistakes in them.
//!
//! The files in `configurations/` are made after the documentation of the products they are named after.

use std::fs::read_to_string;
use std::path::Path;

use serde_json::json;

use crate::app::{Ended, TestApp, config, run};
use crate::problem::says;
use crate::upstream::{Reply, Upstream, as_json, faults, servers};

/// What the process has said, the file's own name left out.
fn told(ended: &Ended) -> String {
    let text = format!("{}{}", ended.stdout, ended.stderr);
    let named: Vec<_> = text.split(' ').map(without_folder).collect();
    named.join(" ")
}

/// `/tmp/.../servers-1.json:2:3:` as `FILE:2:3:`, wherever a line begins with it.
fn without_folder(word: &str) -> String {
    let (before, last) = match word.rsplit_once('\n') {
        Some((before, last)) => (format!("{before}\n"), last),
        None => (String::new(), word),
    };
    match last.rsplit_once("servers-") {
        Some((folder, rest)) if folder.starts_with('/') => {
            let (_, place) = rest.split_once(".json").unwrap();
            format!("{before}FILE{place}")
        }
        _ => word.to_owned(),
    }
}

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/configurations");
    read_to_string(folder.join(name)).unwrap()
}

#[test]
fn files_of_other_products_are_read_as_they_are() {
    for (name, servers) in [
        ("vscode.mcp.json", &["github", "internal api"][..]),
        ("claude-desktop.json", &[]),
        (
            "claude-code.mcp.json",
            &["api-server", "asana", "internal", "sign-in"],
        ),
        ("cursor.mcp.json", &["linear", "remote", "with-sign-in"]),
        ("windsurf.mcp_config.json", &["remote-http-mcp"]),
        (
            "gemini.settings.json",
            &["httpServer", "sseServer", "withDollar", "iap"],
        ),
        ("cline_mcp_settings.json", &["remote-server"]),
        ("roo.mcp.json", &["modern-remote-server"]),
        (
            "librechat.json",
            &["everything", "streamable-http-server", "per-user"],
        ),
        ("mcpo.config.json", &["mcp_sse", "mcp_streamable_http"]),
        ("copilot.mcp-config.json", &["sentry"]),
        ("fastmcp.mcp.json", &["weather"]),
    ] {
        let file = file(name);
        let env = [("TOKEN", "TOKEN-SECRET")];
        let checked = run(&file, &["--check"], &env);
        assert_eq!(checked.status.code(), Some(0), "{name}: {}", told(&checked));
        assert!(!told(&checked).contains("SECRET"), "{}", told(&checked));
        says(&format!("configuration_{name}"), &told(&checked));

        let app = TestApp::spawn_with(&file, &[], &env);
        let listed = app.list_servers().ok();
        let listed = listed["servers"].as_array().unwrap();
        let names: Vec<_> = listed
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, servers, "{name}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place_and_its_fix() {
    let file = r#"{
        "mcpServers": {
            "misspelt": {"ur1": "http://127.0.0.1/mcp"},
            "kind": {"type": "htp", "url": "http://127.0.0.1/mcp"},
            "no url": {"type": "http"},
            "two": {"url": "https://h/mcp", "serverUrl": "https://h/mcp"},
            "both": {"url": "https://h/mcp", "command": "npx"},
            "incomplete": {"url": "localhost:3000/mcp"},
            "scheme": {"url": "ftp://127.0.0.1/"},
            "unset": {"url": "http://127.0.0.1/", "headers": {"X": "${NOT_SET}"}},
            "asked": {"url": "http://127.0.0.1/", "headers": {"X": "Bearer ${input:KEY-SECRET}"}},
            "header": {"url": "http://u:USER-SECRET@127.0.0.1/?k=QUERY-SECRET", "header": {"X": "HEADER-SECRET"}},
            "a list": {"url": "http://127.0.0.1/", "headers": ["X: HEADER-SECRET"]},
            "late": {"url": "http://127.0.0.1/", "timeoutMs": "5000"},
            "pin": {"url": "http://127.0.0.1/", "protocol": "newest"},
            "text": "http://127.0.0.1/mcp",
        },
        "gateway": {"logLevel": "loud", "port": "8080", "limits": {"requestBites": 1}, "auth": {"apiKeys": ["KEY-SECRET"]}},
        "timeoutMs": 5,
    }"#;
    let args = ["--prot", "--server", "given=h", "--header", "oops"];
    let env = [("MCP_REST_PROT", "1"), ("MCP_REST_WORKERS", "many")];
    for more in [&["--check"][..], &[]] {
        let args: Vec<&str> = args.iter().chain(more).copied().collect();
        let ended = run(&file, &args, &env);
        assert_eq!(ended.status.code(), Some(2), "{}", told(&ended));
        assert!(ended.stdout.is_empty() && !ended.stderr.contains("SECRET"));
        assert!(told(&ended).starts_with("FILE: "), "{}", told(&ended));
        says("configuration_errors", &told(&ended));
    }
}

#[test]
fn where_a_file_stops_being_json_is_told_with_line_and_column() {
    let mut told_all = String::new();
    for text in [
        "{\n  // a comment\n  \"mcpServers\": {},,\n}",
        "{\n  \"mcpServers\": {\n  /* open\n}}",
        "{\"mcpServers\": {",
        "[]",
        "",
        "mcpServers:\n  s:\n    url: https://h/mcp",
    ] {
        let ended = run(&text, &["--check"], &[]);
        assert_eq!(ended.status.code(), Some(2), "{}", told(&ended));
        told_all.push_str(&told(&ended));
    }
    says("configuration_not_json", &told_all);
}

/// What may run although it is likely not meant.
#[test]
fn doubtful_values_are_warnings() {
    let file = r#"{"mcpServers": {
        "braces": {"url": "https://h/$TOKEN", "headers": {"Authorization": "Bearer $TOKEN"}},
        "empty": {"url": "https://h/mcp", "headers": {"Authorization": "Bearer ${EMPTY}"}},
        "plain": {"url": "http://h/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}},
    }}"#;
    let env = [("TOKEN", "TOKEN-SECRET"), ("EMPTY", "")];
    let ended = run(&file, &["--check"], &env);
    assert_eq!(ended.status.code(), Some(0), "{}", told(&ended));
    assert!(!ended.stderr.contains("SECRET"));
    says("configuration_doubts", &told(&ended));
}

// === --check --connect ===

#[test]
fn a_check_that_connects_says_what_each_server_is() {
    let modern = Upstream::start(servers::ts_v2);
    let stateful = Upstream::start(servers::server_everything);
    let page = Upstream::start(|request, _| faults::page(request));
    let silent = Upstream::start(|request, _| faults::silence(request));
    let locked = Upstream::start(|_, _| Reply::empty(401));
    let nobody = Upstream::start(servers::toolbox).url();
    let config = json!({"mcpServers": {
        "modern": {"url": modern.url()},
        "stateful": {"url": stateful.url()},
        "page": {"url": page.url()},
        "silent": {"url": silent.url(), "timeoutMs": 300},
        "locked": {"url": locked.url(), "headers": {"Authorization": "Bearer ${TOKEN}"}},
        "nobody": {"url": nobody, "retries": 0},
    }});
    let env = [("TOKEN", "TOKEN-SECRET")];
    let ended = run(&config, &["--check", "--connect"], &env);
    assert_eq!(ended.status.code(), Some(5), "{}", told(&ended));
    assert!(!told(&ended).contains("SECRET"));
    says("check_connect", &told(&ended));
    stateful.wait_until_no_session_is_left();
    assert!(!stateful.opened().is_empty());

    let args = [
        "--check",
        "--connect",
        "--server",
        &format!("given={}", modern.url()),
    ];
    let ended = run(&json!({"mcpServers": {}}), &args, &[]);
    assert_eq!(ended.status.code(), Some(0), "{}", told(&ended));
    assert!(ended.stdout.contains("up      given: modern 2026-07-28, "));
    // What cannot be read is not asked.
    let ended = run(&"{", &["--check", "--connect"], &[]);
    assert_eq!(ended.status.code(), Some(2), "{}", told(&ended));
}

#[test]
fn what_a_server_calls_itself_cannot_paint_on_the_terminal() {
    let upstream = Upstream::start(|request, state| {
        match request.rpc() {
        "initialize" => as_json(&request.result(
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"a\u001b[2J\nb","version":"1"}}"#,
        )),
        _ => servers::ts_v1_stateless(request, state),
    }
    });
    let ended = run(
        &config(&upstream, json!({})),
        &["--check", "--connect"],
        &[],
    );
    assert_eq!(ended.status.code(), Some(0), "{}", told(&ended));
    assert!(
        ended.stdout.contains("legacy 2025-06-18, 'a[2Jb' 1, "),
        "{}",
        ended.stdout
    );
}

#[test]
fn servers_can_be_given_on_the_command_line() {
    let upstream = Upstream::start(servers::toolbox);
    let url = upstream.url();
    let args = [
        "--server",
        &url,
        "--header",
        "Authorization: Bearer ${TOKEN}",
    ];
    let app = TestApp::spawn_with(&json!({}), &args, &[("TOKEN", "TOKEN-SECRET")]);
    app.execute("default", "echo", &json!({"message": "hi"}))
        .ok();
    let header =
        |request: &crate::upstream::Request| request.header("authorization").map(str::to_owned);
    let sent: Vec<_> = upstream.requests().iter().filter_map(header).collect();
    assert!(!sent.is_empty() && sent.iter().all(|value| value == "Bearer TOKEN-SECRET"));
    assert!(!app.stop().stderr.contains("SECRET"));
}
