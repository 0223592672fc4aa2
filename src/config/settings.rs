//! How this process runs: flags over environment over the `gateway` object of `mcp.servers.json` over defaults.
//!
//! One table names every setting in all its forms. Each layer is checked against the table where it is read, so that
//! all errors are known at once and none is coerced away; the `config` crate then lays the layers over each other.
//! The table is `settings/table.rs`, the layers are `settings/layers.rs`. [`read`] takes arguments and environment as values and touches nothing of the process but the file.

#[cfg(test)]
mod tests;

mod keys;
mod layers;
mod table;

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use ipnet::IpNet;
use log::LevelFilter;
use serde::Deserialize;
use serde_json::{Map, Value};

pub use crate::config::errors::{ConfigError, ConfigErrors};
use crate::config::errors::{kind, member};
pub use crate::config::expand::Environment;
use crate::config::servers::Servers;
pub use crate::config::settings::keys::ApiKeys;
use crate::config::settings::layers::{Flags, Layer, merge};
use crate::config::settings::table::FILE_VARIABLE;
pub use crate::config::settings::table::{help, is_prefix, settings_table};
use crate::config::{file, servers};

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
    /// The path that a proxy puts before ours; empty for none.
    pub base_path: String,
    /// Whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
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
    /// How long calls in flight and the ends of sessions may take at shutdown, together.
    pub drain: Duration,
    /// How long everything is still served after SIGTERM, while readiness is off.
    pub drain_delay: Duration,
    /// More attempts where it is certain that nothing has run, at servers without their own number.
    pub retries: u32,
    /// How long a call may wait for a place at its server.
    pub queue: Duration,
    /// How long a caller may take nothing of its answer.
    pub stall: Duration,
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
    /// Bytes of a list that this service itself looks into, all pages together.
    pub list_bytes: usize,
    /// How deep JSON may nest, in requests and answers.
    pub depth: usize,
    /// Bytes of all bodies together, of requests and answers, until their last piece is taken.
    pub buffered_bytes: usize,
    /// Calls in one batch.
    pub batch: usize,
    /// Calls in flight at the same time at a server without its own number.
    pub in_flight: usize,
    /// Calls that wait for a place at one server.
    pub queued: usize,
}

/// Reads the whole configuration. `args` come without the program's name.
///
/// # Errors
/// Everything that is wrong with flags, environment and file, at once.
pub fn read(
    args: impl Iterator<Item = OsString>,
    environment: &Environment,
) -> Result<Start, ConfigErrors> {
    let mut errors = ConfigErrors::default();
    let mut in_file = ConfigErrors::default();
    let mut warnings = Vec::new();

    let flags = Flags::read(args, &mut errors);
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
        Layer::of_environment(environment, &mut errors, &mut warnings),
        Layer::of_flags(&flags, environment, &mut errors),
    ];
    let mut settings = merge(layers)?;
    settings.demo = flags.demo;

    let mut servers = Servers::default();
    if flags.command == Command::Healthcheck {
        // It must answer for the running service even when the file has since been broken.
        in_file = ConfigErrors::default();
        check_probe(&settings, &mut errors);
    } else {
        servers = read_servers(&file, &settings, environment, &mut in_file, &mut warnings);
        check_exposure(&settings, &mut errors);
    }
    in_file.append(errors);
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
    errors: &mut ConfigErrors,
) -> Map<String, Value> {
    let variable = environment
        .get(FILE_VARIABLE)
        .filter(|path| !path.is_empty());
    let file = match flags.config.as_deref().or(variable.map(Path::new)) {
        Some(named) => file::read(named, false, errors),
        None => file::read(Path::new(file::DEFAULT_NAME), flags.demo, errors),
    };
    for key in file.keys() {
        if !matches!(key.as_str(), "mcpServers" | "gateway") {
            errors.add(
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
    errors: &mut ConfigErrors,
    warnings: &mut Vec<String>,
) -> Servers {
    let written = match file.get("mcpServers") {
        Some(Value::Object(written)) => written,
        Some(other) => {
            let what = format!("expected an object, found {}", kind(other));
            errors.add(
                "mcpServers",
                what,
                r#"write {"My server": {"url": "https://host/mcp"}}"#,
            );
            return Servers::default();
        }
        // An unreadable file is one error, not two.
        None if settings.demo || !errors.is_empty() => return Servers::default(),
        None => {
            let fix = r#"add it: {"mcpServers": {"My server": {"url": "https://host/mcp"}}}"#;
            errors.add("mcpServers", "is missing", fix);
            return Servers::default();
        }
    };
    if settings.demo && written.contains_key(DEMO) {
        let what = "--demo serves a server of this name";
        errors.add(
            member("mcpServers", DEMO),
            what,
            "rename yours, or leave --demo out",
        );
    }
    if !settings.demo && written.is_empty() {
        warnings.push("mcpServers: there is no server".to_owned());
    }
    let defaults = servers::Defaults {
        show_urls: settings.show_urls,
        in_flight: settings.limits.in_flight,
        retries: settings.retries,
    };
    servers::read(written, &defaults, environment, errors, warnings)
}

fn check_exposure(settings: &Settings, errors: &mut ConfigErrors) {
    let local = settings.host.to_canonical().is_loopback();
    if !local && settings.keys.is_empty() && !settings.allow_unauthenticated {
        errors.add(
            "gateway.host",
            format!("{} can be reached from other machines, and no API key is configured", settings.host),
            "set gateway.auth.apiKeys (MCP_REST_AUTH_API_KEYS), or allow it with --allow-unauthenticated \
             (gateway.allowUnauthenticated, MCP_REST_ALLOW_UNAUTHENTICATED=true)",
        );
    }
}

fn check_probe(settings: &Settings, errors: &mut ConfigErrors) {
    if settings.port == 0 {
        let what = "port 0 says nothing about where the service listens";
        errors.add(
            "--healthcheck",
            what,
            "add --port with the port it listens on",
        );
    }
}
