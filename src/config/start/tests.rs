//! Every layer, every setting, every error.

use std::sync::atomic::{AtomicUsize, Ordering};

use std::time::Duration;

use log::LevelFilter;

use super::*;

const FILE: &str = r#"{"mcpServers": {"s": {"url": "https://h/mcp"}}}"#;

/// [`read`] with `text` as the named file.
fn run(text: &str, variables: &[(&str, &str)], args: &[&str]) -> Result<Start, String> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let name = format!("mcp-rest-settings-{}-{number}.json", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).unwrap();
    let mut environment = environment(variables);
    environment.insert(
        FILE_VARIABLE.to_owned(),
        path.to_string_lossy().into_owned(),
    );
    let start = read(args.iter().map(OsString::from), &environment);
    std::fs::remove_file(path).unwrap();
    start.map_err(|errors| errors.to_string())
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    variables.iter().map(owned).collect()
}

fn with_gateway(gateway: &str) -> String {
    format!(r#"{{"mcpServers": {{}}, "gateway": {gateway}}}"#)
}

#[test]
fn defaults() {
    let start = run(FILE, &[], &[]).unwrap();
    let settings = &start.settings;
    assert_eq!(start.command, Command::Run);
    assert_eq!(start.servers.len(), 1);
    assert!(start.warnings.is_empty());
    assert_eq!(
        (settings.host.to_string().as_str(), settings.port),
        ("127.0.0.1", 8080)
    );
    assert_eq!(
        (settings.workers, settings.show_urls, start.demo),
        (0, true, false)
    );
    assert_eq!(settings.timeout, Duration::from_secs(120));
    assert_eq!(settings.drain, Duration::from_secs(30));
    assert_eq!(settings.log_level, LevelFilter::Info);
    assert!(settings.keys.is_empty() && !settings.allow_unauthenticated);
    let limits = settings.limits;
    assert_eq!(
        (limits.request_bytes, limits.response_bytes),
        (4_194_304, 67_108_864)
    );
    assert_eq!((limits.event_bytes, limits.events), (67_108_864, 100_000));
}

#[test]
fn a_later_layer_wins() {
    let file = with_gateway(r#"{"port": 1}"#);
    for (variables, args, port) in [
        (&[][..], &[][..], 1),
        (&[("PORT", "2")], &[], 2),
        (&[("PORT", "2"), ("MCP_REST_PORT", "3")], &[], 3),
        (&[("PORT", "x"), ("MCP_REST_PORT", "3")], &[], 3),
        (
            &[("PORT", "2"), ("MCP_REST_PORT", "3")],
            &["--port", "4"],
            4,
        ),
        (&[], &["--port=4", "--port", "5"], 5),
        (&[("PORT", ""), ("MCP_REST_PORT", "")], &[], 1),
        (&[], &["--port=0"], 0),
    ] {
        assert_eq!(
            run(&file, variables, args).unwrap().settings.port,
            port,
            "{variables:?} {args:?}"
        );
    }
}

#[test]
fn every_setting_can_come_from_the_file_and_from_the_environment() {
    let file = with_gateway(
        r#"{"host": "0.0.0.0", "port": 1, "workers": 2, "showUrls": false, "basePath": "/b",
            "publicUrl": "https://h/", "trustedProxies": ["10.0.0.0/8", "192.0.2.7"], "cors": {"origins": ["https://A.example:443"], "credentials": true}, "timeoutMs": 3, "drainMs": 4,
            "drainDelayMs": 12, "result": "value", "toolErrors": "status", "argumentChecks": "on", "retries": 7, "queueMs": 13, "stallMs": 17018, "tls": {"caFile": ""}, "logLevel": "warn", "logFormat": "text", "allowUnauthenticated": true, "auth": {"apiKeys": ["${KEY}"]},
            "limits": {"requestBytes": 5, "responseBytes": 6, "eventBytes": 7, "events": 8, "listBytes": 16, "depth": 9, "bufferedBytes": 14,
                "batch": 15, "inFlight": 10, "queued": 11}}"#,
    );
    let from_file = run(&file, &[("KEY", "k")], &[]).unwrap().settings;
    let variables = [
        ("HOST", "0.0.0.0"),
        ("MCP_REST_PORT", "1"),
        ("MCP_REST_WORKERS", "2"),
        ("MCP_REST_SHOW_URLS", "false"),
        ("MCP_REST_TIMEOUT_MS", "3"),
        ("MCP_REST_DRAIN_MS", "4"),
        ("MCP_REST_LOG", "warn"),
        ("MCP_REST_LOG_FORMAT", "text"),
        ("MCP_REST_ALLOW_UNAUTHENTICATED", "true"),
        ("MCP_REST_AUTH_API_KEYS", " ${KEY}, "),
        ("MCP_REST_LIMITS_REQUEST_BYTES", "5"),
        ("MCP_REST_LIMITS_RESPONSE_BYTES", "6"),
        ("MCP_REST_LIMITS_EVENT_BYTES", "7"),
        ("MCP_REST_LIMITS_EVENTS", "8"),
        ("MCP_REST_LIMITS_LIST_BYTES", "16"),
        ("MCP_REST_LIMITS_DEPTH", "9"),
        ("MCP_REST_LIMITS_BUFFERED_BYTES", "14"),
        ("MCP_REST_LIMITS_BATCH", "15"),
        ("MCP_REST_PUBLIC_URL", "https://h"),
        ("MCP_REST_BASE_PATH", "/b"),
        ("MCP_REST_CORS_ORIGINS", "https://A.example:443"),
        ("MCP_REST_CORS_CREDENTIALS", "true"),
        ("MCP_REST_TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.7"),
        ("MCP_REST_LIMITS_IN_FLIGHT", "10"),
        ("MCP_REST_LIMITS_QUEUED", "11"),
        ("MCP_REST_DRAIN_DELAY_MS", "12"),
        ("MCP_REST_RESULT", "value"),
        ("MCP_REST_TOOL_ERRORS", "status"),
        ("MCP_REST_ARGUMENT_CHECKS", "on"),
        ("MCP_REST_RETRIES", "7"),
        ("MCP_REST_QUEUE_MS", "13"),
        ("MCP_REST_STALL_MS", "17018"),
        ("KEY", "k"),
    ];
    let from_environment = run(FILE, &variables, &[]).unwrap().settings;
    for settings in [from_file, from_environment] {
        assert!(settings.keys.accepts(b"k") && !settings.keys.accepts(b"${KEY}"));
        assert_eq!(
            format!("{settings:?}"),
            "Settings { host: 0.0.0.0, port: 1, workers: 2, allow_unauthenticated: true, keys: ApiKeys(1), log_level: Warn, log_format: Text, show_urls: false, \
             public_url: \"https://h\", base_path: \"/b\", trusted_proxies: [10.0.0.0/8, 192.0.2.7/32], \
             cors_origins: Origins([\"https://a.example\"]), cors_credentials: true, timeout: 3ms, drain: 4ms, drain_delay: 12ms, \
             result: Value, tool_errors: Status, argument_checks: On, retries: 7, queue: 13ms, ca_file: \"\", \
             stall: 17.018s, limits: Limits { request_bytes: 5, response_bytes: 6, event_bytes: 7, events: 8, list_bytes: 16, depth: 9, \
             buffered_bytes: 14, batch: 15, in_flight: 10, queued: 11 } }"
        );
    }
    let args = [
        "--host",
        "::1",
        "--workers=9",
        "--log-level",
        "debug",
        "--allow-unauthenticated",
        "--demo",
    ];
    let start = run(FILE, &[], &args).unwrap();
    let from_flags = start.settings;
    assert_eq!(
        (
            from_flags.host.to_string().as_str(),
            from_flags.workers,
            from_flags.log_level
        ),
        ("::1", 9, LevelFilter::Debug)
    );
    assert!(from_flags.allow_unauthenticated && start.demo);
}

#[test]
fn nothing_in_the_file_is_coerced() {
    for (gateway, expected) in [
        ("[]", "gateway: expected an object, found an array"),
        (
            r#"{"port": "8080"}"#,
            "gateway.port: expected a whole number from 0 to 65535, found '8080'; write it without quotes",
        ),
        (
            r#"{"port": 65536}"#,
            "gateway.port: expected a whole number from 0 to 65535, found 65536",
        ),
        (r#"{"port": -1}"#, "found -1"),
        (r#"{"port": 1.0}"#, "found 1.0"),
        (
            r#"{"port": null}"#,
            "gateway.port: expected a whole number from 0 to 65535, found null",
        ),
        (
            r#"{"showUrls": "true"}"#,
            "gateway.showUrls: expected true or false, found 'true'",
        ),
        (
            r#"{"showUrls": 1}"#,
            "gateway.showUrls: expected true or false, found 1",
        ),
        (
            r#"{"host": "example.com"}"#,
            "gateway.host: expected an IP address",
        ),
        (
            r#"{"logLevel": "loud"}"#,
            "gateway.logLevel: expected off, error, warn, info, debug or trace, found 'loud'",
        ),
        (
            r#"{"timeoutMs": 0}"#,
            "gateway.timeoutMs: expected a whole number from 1 to 3600000",
        ),
        (r#"{"timeoutMs": 3600001}"#, "gateway.timeoutMs: "),
        (r#"{"limits": {"events": 0}}"#, "gateway.limits.events: "),
        (r#"{"limits": 1}"#, "gateway.limits: expected an object"),
        (
            r#"{"limits": {"x y": 1}}"#,
            r#"gateway.limits["x y"]: unknown setting `x y`; expected one of requestBytes, "#,
        ),
        (
            r#"{"limits.events": 1}"#,
            r#"gateway["limits.events"]: unknown setting"#,
        ),
        (
            r#"{"Port": 1}"#,
            "gateway.Port: unknown setting `Port`; did you mean `port`?",
        ),
        (
            r#"{"auth": {"apiKeys": "x"}}"#,
            "gateway.auth.apiKeys: expected an array of strings",
        ),
        (
            r#"{"auth": {"apiKeys": []}}"#,
            "gateway.auth.apiKeys: holds no key; put a key there",
        ),
        (
            r#"{"auth": {"apiKeys": ["${NONE}"]}}"#,
            "gateway.auth.apiKeys[0]: the environment variable NONE",
        ),
    ] {
        let errors = run(&with_gateway(gateway), &[], &[]).unwrap_err();
        assert!(errors.contains(expected), "{gateway}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{gateway}: {errors}");
    }
}

#[test]
fn errors_in_environment_and_flags_are_named_by_them() {
    for (variables, args, expected) in [
        (
            &[("PORT", "x")][..],
            &[][..],
            "PORT: expected a whole number",
        ),
        (&[("MCP_REST_PORT", "-1")], &[], "MCP_REST_PORT: "),
        (
            &[("MCP_REST_SHOW_URLS", "yes")],
            &[],
            "MCP_REST_SHOW_URLS: expected true or false",
        ),
        (
            &[("MCP_REST_AUTH_API_KEYS", "sEcReT")],
            &[],
            "MCP_REST_AUTH_API_KEYS[0]: ",
        ),
        (
            &[("MCP_REST_AUTH_API_KEYS", "")],
            &[],
            "MCP_REST_AUTH_API_KEYS: holds no key; put a key there",
        ),
        (
            &[("MCP_REST_AUTH_API_KEYS", " , ,")],
            &[],
            "MCP_REST_AUTH_API_KEYS: holds no key; put a key there",
        ),
        (
            &[("MCP_REST_PROT", "1")],
            &[],
            "MCP_REST_PROT: unknown variable; did you mean MCP_REST_PORT?",
        ),
        (&[("MCP_REST_LOG", "a=b")], &[], "MCP_REST_LOG: "),
        (&[], &["--port", "x"], "--port: expected a whole number"),
        (&[], &["--workers=1025"], "--workers: "),
        (&[], &["--port"], "missing argument for option '--port'"),
        (
            &[],
            &["--check=1"],
            "unexpected argument for option '--check'",
        ),
        (
            &[],
            &["--nonsense"],
            "unknown flag '--nonsense'; see --help",
        ),
        (
            &[],
            &["--prot"],
            "unknown flag '--prot'; did you mean --port?",
        ),
        (&[], &["-x"], "unknown flag '-x'"),
        (&[], &["stray"], "unexpected argument \"stray\""),
    ] {
        let errors = run(FILE, variables, args).unwrap_err();
        assert!(errors.contains(expected), "{expected}: {errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(!errors.contains("sEcReT"));
    }
}

#[test]
fn all_errors_come_at_once() {
    let file =
        r#"{"mcpServers": {"a": {}, "b": {"url": "x"}}, "gateway": {"port": "1"}, "extra": 1}"#;
    let errors = run(
        file,
        &[("HOST", "x"), ("MCP_REST_X", "")],
        &["--nonsense", "--port=x"],
    )
    .unwrap_err();
    assert_eq!(errors.lines().count(), 8, "{errors}");
}

#[test]
fn foreign_variables_are_left_alone() {
    let variables = [
        ("MCP_REST_PORT", "tcp://10.0.0.1:80"),
        ("MCP_REST_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("MCP_REST_SERVICE_HOST", "10.0.0.1"),
        ("RUST_LOG", "hyper=debug"),
    ];
    let start = run(FILE, &variables, &[]).unwrap();
    assert_eq!(start.settings.port, 8080);
    assert_eq!(start.warnings.len(), 1);
    assert!(
        start
            .warnings
            .iter()
            .all(|warning| warning.starts_with("RUST_LOG"))
    );
    let start = run(FILE, &[("RUST_LOG", "trace")], &[]).unwrap();
    assert_eq!(start.settings.log_level, LevelFilter::Trace);
}

#[test]
fn other_machines_need_a_key_or_a_word() {
    let key = "ab".repeat(32);
    for (variables, args, refused) in [
        (&[][..], &["--host", "0.0.0.0"][..], true),
        (&[("HOST", "::")], &[], true),
        (&[("HOST", "10.0.0.1")], &[], true),
        (&[("HOST", "127.1.2.3")], &[], false),
        (&[("HOST", "::ffff:127.0.0.1")], &[], false),
        (&[("HOST", "localhost")], &[], false),
        (&[("HOST", "::")], &["--allow-unauthenticated"], false),
        (
            &[("HOST", "::"), ("MCP_REST_ALLOW_UNAUTHENTICATED", "1")],
            &[],
            false,
        ),
        (
            &[("HOST", "::"), ("MCP_REST_AUTH_API_KEYS", &key)],
            &[],
            false,
        ),
    ] {
        let start = run(FILE, variables, args);
        assert_eq!(start.is_err(), refused, "{variables:?} {args:?}");
        if let Err(errors) = start {
            assert!(errors.contains("apiKeys") && errors.contains("--allow-unauthenticated"));
        }
    }
}

#[test]
fn the_demo_server_keeps_its_name_to_itself() {
    let file = r#"{"mcpServers": {"demo": {"url": "https://h"}}}"#;
    assert!(run(file, &[], &[]).is_ok());
    assert!(
        run(file, &[], &["--demo"])
            .unwrap_err()
            .contains(".json: mcpServers.demo: ")
    );
    assert!(run("{}", &[], &["--demo"]).unwrap().servers.is_empty());
    assert!(
        run("{}", &[], &[])
            .unwrap_err()
            .contains(".json: mcpServers: is missing")
    );
    assert!(
        run(r#"{"mcpServers": []}"#, &[], &[])
            .unwrap_err()
            .contains(".json: mcpServers: expected")
    );
    assert_eq!(
        run(r#"{"mcpServers": {}}"#, &[], &[])
            .unwrap()
            .warnings
            .len(),
        1
    );
}

#[test]
fn a_named_file_must_be_there() {
    let absent = "no-such-directory/x.json";
    let named_by_variable = environment(&[(FILE_VARIABLE, absent)]);
    for (args, environment) in [
        (vec!["--demo"], named_by_variable),
        (vec!["--demo", "--config", absent], Environment::new()),
    ] {
        let errors = read(args.into_iter().map(OsString::from), &environment).unwrap_err();
        assert!(errors.iter().next().unwrap().path.ends_with("x.json"));
        assert_eq!(errors.iter().count(), 1, "{errors}");
    }
}

#[test]
fn some_commands_need_no_valid_file() {
    for (args, command) in [
        (&["--help", "--nonsense"][..], Command::Help),
        (&["-V"], Command::Version),
        (&["--healthcheck"], Command::Healthcheck),
    ] {
        assert_eq!(
            run("{", &[("HOST", "0.0.0.0")], args).unwrap().command,
            command
        );
    }
    assert!(
        run("{", &[], &["--check"])
            .unwrap_err()
            .contains(".json:1:1: not JSON")
    );
    assert_eq!(
        run(FILE, &[], &["--check"]).unwrap().command,
        Command::Check
    );
}

#[test]
fn a_healthcheck_asks_this_machine() {
    for (host, url) in [
        ("0.0.0.0", "http://127.0.0.1:9/livez"),
        ("::", "http://[::1]:9/livez"),
        ("10.0.0.1", "http://10.0.0.1:9/livez"),
    ] {
        let file = with_gateway(r#"{"port": 9, "host": 1}"#);
        let start = run(&file, &[("HOST", host)], &["--healthcheck"]).unwrap();
        assert_eq!(start.settings.healthcheck_url(), url);
    }
    let errors = run(FILE, &[("PORT", "0")], &["--healthcheck"]).unwrap_err();
    assert!(errors.contains("add --port"), "{errors}");
}

#[test]
fn the_example_is_valid() {
    let variables = [
        ("GITHUB_TOKEN", "a"),
        ("WIKI_KEY", "b"),
        ("MCP_GATEWAY_KEY", "c"),
    ];
    let example = include_str!("../../../mcp.servers.example.json");
    let start = run(example, &variables, &["--check"]).unwrap();
    assert_eq!(start.servers.len(), 4);
    assert!(start.warnings.is_empty(), "{:?}", start.warnings);
    assert_eq!(
        run(example, &[], &["--check"]).unwrap_err().lines().count(),
        3
    );
}

#[test]
fn both_keys_of_servers_are_read() {
    let file = r#"{"mcpServers": {"a": {"url": "https://h/a"}}, "servers": {"b": {"url": "https://h/b"}},
        "inputs": [{"id": "x"}], "$schema": "x"}"#;
    let start = run(file, &[], &[]).unwrap();
    assert_eq!(start.servers.len(), 2);
    assert_eq!(start.warnings.len(), 1, "{:?}", start.warnings);
    let twice = r#"{"mcpServers": {"a": {"url": "https://h/a"}}, "servers": {"a": {"url": "https://h/b"}}}"#;
    let errors = run(twice, &[], &[]).unwrap_err();
    assert!(
        errors.contains("servers.a: is in mcpServers too"),
        "{errors}"
    );
    for (file, expected) in [
        (
            r#"{"mcpServer": {}}"#,
            "mcpServer: unknown key `mcpServer`; did you mean `mcpServers`?",
        ),
        (
            r#"{"mcpServers": {}, "port": 1}"#,
            "port: unknown key `port`; did you mean `gateway.port`?",
        ),
        (
            r#"{"mcpServers": {}, "x": 1}"#,
            "x: unknown key `x`; expected one of mcpServers, servers, gateway",
        ),
    ] {
        let errors = run(file, &[], &[]).unwrap_err();
        assert!(errors.ends_with(expected), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
    }
}

#[test]
fn servers_of_the_command_line_are_added_or_replace() {
    let file =
        r#"{"mcpServers": {"a": {"url": "https://${NONE}/a"}, "b": {"url": "https://h/b"}}}"#;
    let args = ["--server", "a=https://h/new", "--header", "X: ${TOKEN}"];
    let start = run(file, &[("TOKEN", "t")], &args).unwrap();
    let names: Vec<_> = start.servers.iter().map(|server| &server.name).collect();
    assert_eq!(names, ["b", "a"]);
    let given = start.servers.get("a").unwrap();
    assert_eq!((given.url.path(), given.headers.len()), ("/new", 1));
    assert!(start.servers.get("b").unwrap().headers.is_empty());

    let args = ["--server", "a=h", "--header", "X: ${TOKEN}"];
    let errors = run(FILE, &[], &args).unwrap_err();
    let expected = "--server a.url: not a complete http or https URL; write it like https://host/mcp\n\
                    --server a.headers.X: the environment variable TOKEN is not set; set it, or write ${TOKEN:-default}";
    assert_eq!(errors, expected);
    let args = ["--demo", "--server", "demo=https://h/"];
    assert!(
        run("{}", &[], &args)
            .unwrap_err()
            .starts_with("--server demo: --demo serves")
    );
    assert_eq!(
        run("{}", &[], &["--server", "https://h/"])
            .unwrap()
            .servers
            .len(),
        1
    );
}
