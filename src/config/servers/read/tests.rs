//! Every key of a server, every error, and what is shown of it.

use std::sync::Arc;

use serde_json::json;

use super::*;

fn environment() -> Environment {
    [
        ("TOKEN", "sEcReT"),
        ("LINE", "a\nb"),
        ("BASE", "https://h.example/in"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

const DEFAULTS: Defaults = Defaults {
    show_urls: true,
    in_flight: 8,
    retries: 2,
    result: ResultForm::Mcp,
    tool_errors: ToolErrors::Result,
    argument_checks: ArgumentChecks::Off,
};

fn run(written: &Value) -> (Servers, String, Vec<String>) {
    let mut errors = ConfigErrors::default();
    let mut warnings = Vec::new();
    let servers = read(
        entries(written),
        &DEFAULTS,
        &environment(),
        &mut errors,
        &mut warnings,
    );
    (servers, errors.to_string(), warnings)
}

fn entries(written: &Value) -> impl Iterator<Item = Written<'_>> {
    let members = written.as_object().unwrap();
    members.iter().map(|(name, value)| Written {
        path: member("mcpServers", name),
        name,
        value,
    })
}

fn one(entry: &Value) -> Arc<Server> {
    let (servers, errors, _) = run(&json!({"s": entry}));
    assert_eq!(errors, "", "{entry}");
    Arc::clone(servers.get("s").unwrap())
}

fn errors_of(entry: &Value) -> String {
    let (_, errors, _) = run(&json!({"s": entry}));
    assert!(!errors.contains("sEcReT"), "{errors}");
    errors
}

#[test]
fn names_are_exact_and_in_file_order() {
    let entry = json!({"url": "https://h/"});
    let names = [
        "__proto__",
        "My Server",
        "my server",
        "zürich",
        "a/b",
        "constructor",
    ];
    let written: Map<_, _> = names
        .map(|name| (name.to_owned(), entry.clone()))
        .into_iter()
        .collect();
    let (mut servers, errors, _) = run(&written.into());
    assert_eq!(errors, "");
    assert!(servers.iter().map(|server| server.name.as_str()).eq(names));
    assert!(servers.get("MY SERVER").is_none() && servers.get("toString").is_none());
    assert!(!servers.push(Server::http("a/b", Uri::from_static("http://h/"))));
    assert!(servers.push(Server::http("demo", Uri::from_static("http://h/?k=v"))));
    assert_eq!(servers.len(), 7);
    assert_eq!(servers.get("demo").unwrap().shown_url, "http://h/?k=***");
    for name in ["", ".", ".."] {
        let (_, errors, _) = run(&json!({name: entry}));
        assert!(errors.contains("cannot be a path segment"), "{name}");
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let server = one(&json!({"url": "https://h/mcp"}));
    assert_eq!(server.transport, Transport::Http);
    assert_eq!(server.protocol, Protocol::Auto);
    assert_eq!(server.result, ResultForm::Mcp);
    assert_eq!(server.tool_errors, ToolErrors::Result);
    assert_eq!(server.timeout, None);
    assert!(server.headers.is_empty());
}

#[test]
fn every_word_is_understood() {
    for (word, transport) in TRANSPORTS {
        assert_eq!(
            one(&json!({"url": "https://h", "type": word})).transport,
            *transport
        );
    }
    for (word, protocol) in PROTOCOLS {
        assert_eq!(
            one(&json!({"url": "https://h", "protocol": word})).protocol,
            *protocol
        );
    }
    let server = one(&json!({"url": "https://h", "toolErrors": "status", "timeoutMs": 1}));
    assert_eq!(server.tool_errors, ToolErrors::Status);
    assert_eq!(server.timeout, Some(Duration::from_millis(1)));
}

#[test]
fn variables_are_filled_in_but_not_shown() {
    let entry = json!({"url": "${BASE}/${TOKEN}?k=${TOKEN}", "headers": {"Authorization": "Bearer ${TOKEN}"}});
    let server = one(&entry);
    assert_eq!(server.url, "https://h.example/in/sEcReT?k=sEcReT");
    assert_eq!(server.shown_url, "${BASE}/${TOKEN}?k=***");
    let (name, value) = server.headers.first().unwrap();
    assert_eq!(
        (name.as_str(), value.to_str().unwrap()),
        ("authorization", "Bearer sEcReT")
    );
    let shown = format!("{server:?} {:?}", server.headers);
    assert!(!shown.contains("sEcReT"), "{shown}");
}

#[test]
fn the_path_of_a_url_can_be_hidden() {
    let entry = json!({"url": "https://h/path", "hideUrl": true});
    assert_eq!(one(&entry).shown_url, "https://h");
    let written = json!({"s": {"url": "https://h/path"}});
    let (mut errors, mut warnings) = (ConfigErrors::default(), Vec::new());
    let servers = read(
        entries(&written),
        &Defaults {
            show_urls: false,
            ..DEFAULTS
        },
        &Environment::new(),
        &mut errors,
        &mut warnings,
    );
    assert_eq!(servers.get("s").unwrap().shown_url, "https://h");
}

/// A server with one member more.
fn with(key: &str, value: Value) -> Value {
    let url = ("url".to_owned(), json!("https://h/"));
    Value::Object([url, (key.to_owned(), value)].into_iter().collect())
}

#[track_caller]
fn are_named<const N: usize>(cases: [(Value, &str); N]) {
    for (entry, expected) in cases {
        let errors = errors_of(&entry);
        assert!(errors.contains(expected), "{entry}: {errors}");
    }
}

#[test]
fn each_error_is_named_with_its_path() {
    are_named([
        (json!("https://h"), "mcpServers.s: expected an object"),
        (json!({}), "mcpServers.s.url: is missing"),
        (
            with("url", json!(1)),
            "s.url: expected a string, found a number",
        ),
        (
            with("url", json!("https://${NONE}/")),
            "s.url: the environment variable NONE",
        ),
        (
            with("ur1", json!("")),
            "s.ur1: unknown key `ur1`; did you mean `url`?",
        ),
        (
            json!({"URL": "https://h/"}),
            "s.URL: unknown key `URL`; did you mean `url`?",
        ),
        (
            with("colour", json!("")),
            "s.colour: unknown key `colour`; expected one of transport, type, url, httpUrl",
        ),
        (
            with("serverUrl", json!("https://h/")),
            "s.serverUrl: `url` is given too; remove one of them",
        ),
        (
            with("tools", json!({"deny": ["x"]})),
            "s.tools: unknown key",
        ),
        (
            with("command", json!("npx")),
            "s.command: a server is either started as a command or has a url",
        ),
        (
            with("type", json!("htp")),
            "s.type: unknown type 'htp'; did you mean `http`?",
        ),
        (
            with("type", json!("ws")),
            "s.type: unknown type 'ws'; expected one of http",
        ),
        (with("type", json!(null)), "s.type: unknown type null"),
        (
            json!({"url": "https://h", "type": "http", "transport": "sse"}),
            "s.transport: does not say the same",
        ),
        (
            with("protocol", json!("2024-11-05")),
            "s.protocol: unknown protocol '2024-11-05'",
        ),
        (
            with("toolErrors", json!(true)),
            "s.toolErrors: unknown toolErrors true; expected one of result",
        ),
        (
            with("timeoutMs", json!(0)),
            "s.timeoutMs: expected a whole number",
        ),
        (
            with("timeoutMs", json!(3_600_001)),
            "s.timeoutMs: expected a whole number",
        ),
        (
            with("timeoutMs", json!(1.5)),
            "s.timeoutMs: expected a whole number",
        ),
        (
            with("timeoutMs", json!("1")),
            "s.timeoutMs: expected a whole number",
        ),
        (
            with("hideUrl", json!("true")),
            "s.hideUrl: expected true or false, found 'true'",
        ),
    ]);
}

#[test]
fn each_error_in_headers_is_named_with_its_path() {
    are_named([
        (with("headers", json!([])), "s.headers: expected an object"),
        (
            with("headers", json!({"A": 1})),
            "s.headers.A: expected a string",
        ),
        (
            with("headers", json!({"A b": ""})),
            r#"s.headers["A b"]: not a header name"#,
        ),
        (
            with("headers", json!({"A": "${LINE}"})),
            "s.headers.A: holds a line break",
        ),
        (
            with("headers", json!({"A": "sEcReTü"})),
            "s.headers.A: holds a line break or",
        ),
        (
            with("headers", json!({"A": "${NONE}"})),
            "s.headers.A: the environment variable",
        ),
        (
            with("headers", json!({"A": "1", "a": "2"})),
            "s.headers.a: is given twice",
        ),
    ]);
}

#[test]
fn headers_of_the_client_are_refused_in_any_case() {
    for name in [
        "Accept",
        "CONTENT-TYPE",
        "host",
        "Transfer-Encoding",
        "Connection",
        "Mcp-Session-Id",
        "MCP-Protocol-Version",
        "Mcp-Method",
        "Mcp-Name",
        "Mcp-Param-City",
        "Last-Event-ID",
        "TE",
    ] {
        let errors = errors_of(&json!({"url": "https://h", "headers": {name: "x"}}));
        assert!(
            errors.contains("set by the gateway itself; remove it"),
            "{name}"
        );
    }
}

#[test]
fn urls_must_be_complete_and_hold_no_credential() {
    for (url, expected) in [
        ("", "not a complete"),
        ("/mcp", "not a complete"),
        ("h:80", "not a complete"),
        ("ftp://h/", "not a complete"),
        ("https:///mcp", "not a complete"),
        ("https://h/#sEcReT", "holds a fragment"),
        ("https://h/ä", "percent-encode"),
        ("https://h/ b", "percent-encode"),
        ("https://h:99999/", "not a port"),
        ("https://h:0/", "not a port"),
    ] {
        let errors = errors_of(&json!({"url": url}));
        assert!(errors.contains(expected), "{url}: {errors}");
    }
    for url in [
        "http://localhost:3000/mcp",
        "HTTPS://h?k=v",
        "http://[::1]:80/",
        "https://h/%20/@x",
    ] {
        one(&json!({"url": url}));
    }
}

#[test]
fn headers_over_plain_http_to_another_host_are_a_warning() {
    for (url, warned) in [
        ("http://h/", true),
        ("http://10.0.0.1/", true),
        ("https://h/", false),
        ("http://localhost/", false),
        ("http://127.0.0.2:1/", false),
        ("http://[::1]/", false),
    ] {
        let (_, _, warnings) = run(&json!({"s": {"url": url, "headers": {"A": "${TOKEN}"}}}));
        assert_eq!(!warnings.is_empty(), warned, "{url}");
        assert!(run(&json!({"s": {"url": url}})).2.is_empty());
    }
}

#[test]
fn all_errors_come_at_once() {
    let (_, errors, _) = run(&json!({
        "a": {"type": "x", "url": "x", "headers": {"Host": "${NONE}"}},
        "b b": {"timeoutMs": -1},
    }));
    assert_eq!(errors.lines().count(), 6, "{errors}");
}

#[test]
fn a_user_in_the_url_becomes_basic_authentication() {
    let (url, basic) = split_userinfo("https://me:p%40ss@h:8443/mcp?a=b@c");
    assert_eq!(url, "https://h:8443/mcp?a=b@c");
    assert_eq!(basic.unwrap(), "Basic bWU6cEBzcw==");
    let (url, basic) = split_userinfo("https://h/mcp?to=me@h");
    assert_eq!((url.as_ref(), basic), ("https://h/mcp?to=me@h", None));
    let both = json!({"url": "https://u:p@h/", "headers": {"authorization": "x"}});
    assert!(errors_of(&both).contains("remove one of them"));
}

#[test]
fn keys_of_other_products_are_read_or_ignored() {
    let (servers, errors, warnings) = run(&json!({
        "gemini": {"httpUrl": "https://h/1", "trust": true, "timeout": 5000},
        "windsurf": {"serverUrl": "https://h/2", "disabledTools": ["x"], "alwaysAllow": [], "headers": {"A": "${env:TOKEN}"}},
        "fastmcp": {"transport": "streamable-http", "url": "https://h/3", "trust": true},
        "off": {"url": "${NONE}", "disabled": true},
        "off too": {"url": 1, "enabled": false},
        "on": {"url": "https://h/4", "disabled": false, "enabled": true},
        "local": {"command": "npx", "args": ["sEcReT"], "env": {"KEY": "sEcReT"}},
        "typed": {"type": "stdio", "command": "npx"},
    }));
    assert_eq!(errors, "");
    let names: Vec<_> = servers.iter().map(|server| &server.name).collect();
    assert_eq!(names, ["gemini", "windsurf", "fastmcp", "on"]);
    let expected = [
        "switched off in the file, and left out: off, off too",
        "left out, since servers that are started as a command (stdio) are not supported: local, typed; put a bridge",
        "gemini, fastmcp: `trust` (Gemini CLI) is ignored: ",
        "gemini: `timeout` (",
        "windsurf: `disabledTools` (",
    ];
    assert_eq!(warnings.len(), expected.len(), "{warnings:?}");
    for (warning, expected) in warnings.iter().zip(expected) {
        assert!(warning.starts_with(expected), "{warning}");
        assert!(!warning.contains("sEcReT"), "{warning}");
    }
}

#[test]
fn variables_that_are_likely_not_meant_are_a_warning() {
    let entry = json!({"url": "https://h/$TOKEN", "headers": {"A": "$TOKEN"}});
    let (_, errors, warnings) = run(&json!({"s": entry}));
    assert_eq!(errors, "");
    assert!(
        warnings
            .iter()
            .any(|it| it.starts_with("mcpServers.s.url: $TOKEN")),
        "{warnings:?}"
    );
    assert!(
        warnings
            .iter()
            .any(|it| it.starts_with("mcpServers.s.headers.A: $TOKEN"))
    );
}
