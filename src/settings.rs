//! How this process runs: flags over environment over the `gateway` object of `mcp.servers.json` over defaults.
//!
//! One table names every setting in all its forms. Each layer is checked against the table where it is read, so that
//! all mistakes are known at once and none is coerced away; the `config` crate then lays the layers over each other.
//! The table is `settings/table.rs`, the layers are `settings/layers.rs`. [`read`] takes arguments and environment as values and touches nothing of the process but the file.

mod keys;
mod layers;
mod table;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use log::LevelFilter;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::{
    keys::ApiKeys,
    table::{help, settings_table},
};
use self::{
    layers::{Flags, Layer, merge},
    table::FILE_VARIABLE,
};
use crate::{
    config_file,
    mistakes::{kind, member},
    servers::{self, Servers},
};
pub use crate::{
    expand::Environment,
    mistakes::{Mistake, Mistakes},
};

/// The name under which `--demo` serves the demo server.
pub const DEMO: &str = "demo";

/// What the command line asks for. Of several, the one furthest down is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Command {
    /// Serve.
    #[default]
    Run,
    /// Validate the configuration and exit.
    Check,
    /// Ask a running service whether it lives, and exit.
    Healthcheck,
    /// Print [`help`].
    Help,
    /// Print the version.
    Version,
}

/// Everything a process needs to begin.
#[derive(Debug)]
pub struct Start {
    /// What to do.
    pub command: Command,
    /// How to run.
    pub settings: Settings,
    /// Which servers there are, without the demo server.
    pub servers: Servers,
    /// What is allowed but deserves a look; to be logged.
    pub warnings: Vec<String>,
}

/// How this process runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port to listen on; 0 picks a free one.
    pub port: u16,
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// Whether server URLs are shown with their paths.
    pub show_urls: bool,
    /// The deadline of one call, for servers without their own.
    pub timeout: Duration,
    /// What a call may cost.
    pub limits: Limits,
    /// Who may call.
    pub keys: ApiKeys,
    /// Whether anybody on the network may call without a key.
    pub allow_unauthenticated: bool,
    /// The least severe level that is logged.
    pub log_level: LevelFilter,
    /// Whether to serve the demo server too.
    pub demo: bool,
    /// How long calls in flight may take at shutdown.
    pub drain: Duration,
}

impl Settings {
    /// Where `--healthcheck` asks: this machine, also when the service listens on every address.
    pub fn healthcheck_url(&self) -> String {
        let host = match self.host {
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        format!("http://{}/livez", SocketAddr::new(host, self.port))
    }
}

/// Limits on what a call may cost.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of a request body.
    pub request_bytes: usize,
    /// Bytes of an upstream answer, decompressed.
    pub response_bytes: usize,
    /// Bytes of one event on a stream.
    pub event_bytes: usize,
    /// Events on one stream.
    pub events: usize,
    /// How deep JSON may nest, in requests and answers.
    pub depth: usize,
}

/// Reads the whole configuration. `args` come without the program's name.
///
/// # Errors
/// Everything that is wrong with flags, environment and file, at once.
pub fn read(
    args: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> Result<Start, Mistakes> {
    let mut mistakes = Mistakes::default();
    let mut in_file = Mistakes::default();
    let mut warnings = Vec::new();

    let flags = Flags::read(args, &mut mistakes);
    if matches!(flags.command, Command::Help | Command::Version) {
        return Ok(Start {
            command: flags.command,
            settings: merge(vec![Layer::of_defaults()])?,
            servers: Servers::default(),
            warnings,
        });
    }

    let file = read_file(&flags, environment, &mut in_file);
    let layers = vec![
        Layer::of_defaults(),
        Layer::of_file(&file, environment, &mut in_file),
        Layer::of_environment(environment, &mut mistakes, &mut warnings),
        Layer::of_flags(&flags, environment, &mut mistakes),
    ];
    let mut settings = merge(layers)?;
    settings.demo = flags.demo;

    let mut servers = Servers::default();
    if flags.command == Command::Healthcheck {
        // It must answer for the running service even when the file has since been broken.
        in_file = Mistakes::default();
        check_probe(&settings, &mut mistakes);
    } else {
        servers = read_servers(&file, &settings, environment, &mut in_file, &mut warnings);
        check_exposure(&settings, &mut mistakes);
    }
    in_file.append(mistakes);
    if !in_file.is_empty() {
        return Err(in_file);
    }
    Ok(Start {
        command: flags.command,
        settings,
        servers,
        warnings,
    })
}

/// The environment of this process. A variable that is not UTF-8 counts as not set.
pub fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn read_file(
    flags: &Flags,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Map<String, Value> {
    let variable = environment
        .get(FILE_VARIABLE)
        .filter(|path| !path.is_empty());
    let file = match flags.config.as_deref().or(variable.map(Path::new)) {
        Some(named) => config_file::read(named, false, mistakes),
        None => config_file::read(Path::new(config_file::DEFAULT_NAME), flags.demo, mistakes),
    };
    for key in file.keys() {
        if !matches!(key.as_str(), "mcpServers" | "gateway") {
            mistakes.add(
                key,
                "no such key",
                "remove it; there are mcpServers and gateway",
            );
        }
    }
    file
}

fn read_servers(
    file: &Map<String, Value>,
    settings: &Settings,
    environment: &Environment,
    mistakes: &mut Mistakes,
    warnings: &mut Vec<String>,
) -> Servers {
    let written = match file.get("mcpServers") {
        Some(Value::Object(written)) => written,
        Some(other) => {
            let what = format!("expected an object, found {}", kind(other));
            mistakes.add(
                "mcpServers",
                what,
                r#"write {"My server": {"url": "https://host/mcp"}}"#,
            );
            return Servers::default();
        }
        // An unreadable file is one mistake, not two.
        None if settings.demo || !mistakes.is_empty() => return Servers::default(),
        None => {
            let fix = r#"add it: {"mcpServers": {"My server": {"url": "https://host/mcp"}}}"#;
            mistakes.add("mcpServers", "is missing", fix);
            return Servers::default();
        }
    };
    if settings.demo && written.contains_key(DEMO) {
        let what = "--demo serves a server of this name";
        mistakes.add(
            member("mcpServers", DEMO),
            what,
            "rename yours, or leave --demo out",
        );
    }
    if !settings.demo && written.is_empty() {
        warnings.push("mcpServers: there is no server".to_owned());
    }
    servers::read(written, settings.show_urls, environment, mistakes, warnings)
}

fn check_exposure(settings: &Settings, mistakes: &mut Mistakes) {
    let local = settings.host.to_canonical().is_loopback();
    if !local && settings.keys.is_empty() && !settings.allow_unauthenticated {
        mistakes.add(
            "gateway.host",
            format!("{} can be reached from other machines, and no API key is configured", settings.host),
            "set gateway.auth.apiKeys (MCP_REST_AUTH_API_KEYS), or allow it with --allow-unauthenticated \
             (gateway.allowUnauthenticated, MCP_REST_ALLOW_UNAUTHENTICATED=true)",
        );
    }
}

fn check_probe(settings: &Settings, mistakes: &mut Mistakes) {
    if settings.port == 0 {
        let what = "port 0 says nothing about where the service listens";
        mistakes.add(
            "--healthcheck",
            what,
            "add --port with the port it listens on",
        );
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

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
        start.map_err(|mistakes| mistakes.to_string())
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
            (settings.workers, settings.show_urls, settings.demo),
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
            r#"{"host": "0.0.0.0", "port": 1, "workers": 2, "showUrls": false, "timeoutMs": 3, "drainMs": 4,
                "logLevel": "warn", "allowUnauthenticated": true, "auth": {"apiKeys": ["${KEY}"]},
                "limits": {"requestBytes": 5, "responseBytes": 6, "eventBytes": 7, "events": 8, "depth": 9}}"#,
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
            ("MCP_REST_ALLOW_UNAUTHENTICATED", "true"),
            ("MCP_REST_AUTH_API_KEYS", " ${KEY}, "),
            ("MCP_REST_LIMITS_REQUEST_BYTES", "5"),
            ("MCP_REST_LIMITS_RESPONSE_BYTES", "6"),
            ("MCP_REST_LIMITS_EVENT_BYTES", "7"),
            ("MCP_REST_LIMITS_EVENTS", "8"),
            ("MCP_REST_LIMITS_DEPTH", "9"),
            ("KEY", "k"),
        ];
        let from_environment = run(FILE, &variables, &[]).unwrap().settings;
        for settings in [from_file, from_environment] {
            assert!(settings.keys.accepts(b"k") && !settings.keys.accepts(b"${KEY}"));
            assert_eq!(
                format!("{settings:?}"),
                "Settings { host: 0.0.0.0, port: 1, workers: 2, show_urls: false, timeout: 3ms, limits: Limits { \
                 request_bytes: 5, response_bytes: 6, event_bytes: 7, events: 8, depth: 9 }, keys: ApiKeys(1), \
                 allow_unauthenticated: true, log_level: Warn, demo: false, drain: 4ms }"
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
        let from_flags = run(FILE, &[], &args).unwrap().settings;
        assert_eq!(
            (
                from_flags.host.to_string().as_str(),
                from_flags.workers,
                from_flags.log_level
            ),
            ("::1", 9, LevelFilter::Debug)
        );
        assert!(from_flags.allow_unauthenticated && from_flags.demo);
    }

    #[test]
    fn nothing_in_the_file_is_coerced() {
        for (gateway, expected) in [
            ("[]", "gateway: expected an object, found an array"),
            (
                r#"{"port": "8080"}"#,
                "gateway.port: expected a whole number from 0 to 65535, found a string",
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
                "gateway.showUrls: expected true or false, found a string",
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
                "gateway.logLevel: expected off, error",
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
                r#"gateway.limits["x y"]: no such setting; remove it; there are requestBytes, "#,
            ),
            (
                r#"{"limits.events": 1}"#,
                r#"gateway["limits.events"]: no such setting"#,
            ),
            (r#"{"Port": 1}"#, "gateway.Port: no such setting"),
            (
                r#"{"auth": {"apiKeys": "x"}}"#,
                "gateway.auth.apiKeys: expected an array of strings",
            ),
            (
                r#"{"auth": {"apiKeys": ["${NONE}"]}}"#,
                "gateway.auth.apiKeys[0]: the environment variable NONE",
            ),
        ] {
            let mistakes = run(&with_gateway(gateway), &[], &[]).unwrap_err();
            assert!(mistakes.contains(expected), "{gateway}: {mistakes}");
            assert_eq!(mistakes.lines().count(), 1, "{gateway}: {mistakes}");
        }
    }

    #[test]
    fn mistakes_in_environment_and_flags_are_named_by_them() {
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
                &[("MCP_REST_PROT", "1")],
                &[],
                "MCP_REST_PROT: no such variable",
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
            (&[], &["--nonsense"], "invalid option '--nonsense'"),
            (&[], &["-x"], "invalid option '-x'"),
            (&[], &["stray"], "unexpected argument \"stray\""),
        ] {
            let mistakes = run(FILE, variables, args).unwrap_err();
            assert!(mistakes.contains(expected), "{expected}: {mistakes}");
            assert_eq!(mistakes.lines().count(), 1, "{mistakes}");
            assert!(!mistakes.contains("sEcReT"));
        }
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let file =
            r#"{"mcpServers": {"a": {}, "b": {"url": "x"}}, "gateway": {"port": "1"}, "extra": 1}"#;
        let mistakes = run(
            file,
            &[("HOST", "x"), ("MCP_REST_X", "")],
            &["--nonsense", "--port=x"],
        )
        .unwrap_err();
        assert_eq!(mistakes.lines().count(), 8, "{mistakes}");
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
            if let Err(mistakes) = start {
                assert!(
                    mistakes.contains("apiKeys") && mistakes.contains("--allow-unauthenticated")
                );
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
                .starts_with("mcpServers.demo: ")
        );
        assert!(run("{}", &[], &["--demo"]).unwrap().servers.is_empty());
        assert!(
            run("{}", &[], &[])
                .unwrap_err()
                .starts_with("mcpServers: is missing")
        );
        assert!(
            run(r#"{"mcpServers": []}"#, &[], &[])
                .unwrap_err()
                .starts_with("mcpServers: expected")
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
            let mistakes = read(args.into_iter().map(OsString::from), &environment).unwrap_err();
            assert!(mistakes.iter().next().unwrap().path.ends_with("x.json"));
            assert_eq!(mistakes.iter().count(), 1, "{mistakes}");
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
        let mistakes = run(FILE, &[("PORT", "0")], &["--healthcheck"]).unwrap_err();
        assert!(mistakes.contains("add --port"), "{mistakes}");
    }

    #[test]
    fn the_example_is_valid() {
        let variables = [
            ("GITHUB_TOKEN", "a"),
            ("WIKI_KEY", "b"),
            ("MCP_GATEWAY_KEY", "c"),
        ];
        let example = include_str!("../mcp.servers.example.json");
        let start = run(example, &variables, &["--check"]).unwrap();
        assert_eq!(start.servers.len(), 4);
        assert!(start.warnings.is_empty(), "{:?}", start.warnings);
        assert_eq!(
            run(example, &[], &["--check"]).unwrap_err().lines().count(),
            3
        );
    }
}
