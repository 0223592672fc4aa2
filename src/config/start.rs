//! The whole configuration at once: flags over environment over the file over defaults, and the servers.
//!
//! [`read`] takes arguments and environment as values, and reads nothing of the process but the file.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::config::command_line::{Command, CommandLine, given};
use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::expand::Environment;
use crate::config::file::{self, FILE_VARIABLE};
use crate::config::nearest;
use crate::config::outbound::Outbound;
use crate::config::servers::foreign::Foreign;
use crate::config::servers::read::{Defaults, Written};
use crate::config::servers::{Servers, read as servers};
use crate::config::settings::layers::Layers;
use crate::config::settings::{self, Settings};

/// The name under which `--demo` serves the demo server.
pub const DEMO: &str = "demo";

/// The keys of the file below which servers stand: that of most products, and that of VS Code.
const SERVERS: [&str; 2] = ["mcpServers", "servers"];
/// The key of the settings.
const GATEWAY: &str = "gateway";

/// Everything a process needs to start.
#[derive(Debug)]
pub struct Start {
    /// What to do.
    pub command: Command,
    /// How to run.
    pub settings: Settings,
    /// The configured servers, without the demo server.
    pub servers: Servers,
    /// Whether to serve the demo server too.
    pub demo: bool,
    /// How to connect to servers.
    pub outbound: Outbound,
    /// What is allowed but likely not meant; to be logged.
    pub warnings: Vec<String>,
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

    let line = CommandLine::read(args, &mut errors);
    let named = line.named_file(environment);
    let is_optional = named.is_none() && (line.demo || !line.servers.is_empty());
    let path = named.unwrap_or_else(|| file::DEFAULT_NAME.into());
    let file = match line.command {
        Command::Help | Command::Version => Map::new(),
        _ => read_file(&path, is_optional, &mut in_file, &mut warnings),
    };
    let mut layers = Layers::new(environment);
    layers.add_file(file.get("gateway"), &mut in_file);
    layers.add_environment(&mut errors, &mut warnings);
    layers.add_flags(&line.settings, &mut errors);
    let mut start = Start {
        command: line.command,
        settings: layers.merge()?,
        servers: Servers::default(),
        demo: line.demo,
        outbound: Outbound::default(),
        warnings,
    };
    match start.command {
        // These two answer whatever else is wrong.
        Command::Help | Command::Version => return Ok(start),
        // It asks the running service, also when the file has been broken since that was started.
        Command::Healthcheck => {
            in_file = ConfigErrors::default();
            check_healthcheck(&start.settings, &mut errors);
        }
        Command::Check | Command::Connect | Command::Run => {
            let given = given::entries(&line.servers, &line.headers, &mut errors);
            start.add_file_servers(&file, &given, environment, &mut in_file);
            start.add_given_servers(&given, environment, &mut errors);
            if start.servers.is_empty() && !start.demo && in_file.is_empty() {
                start.warnings.push("no server is configured".to_owned());
            }
            check_exposure(&start.settings, &mut errors);
            let ca_file = &start.settings.ca_file;
            start.outbound = Outbound::read(ca_file, environment, &mut errors, &mut start.warnings);
            check_cors(&start.settings, &mut errors, &mut start.warnings);
            start.tell_proxied();
        }
    }
    in_file.locate(&path.display().to_string());
    in_file.append(errors);
    if in_file.is_empty() {
        Ok(start)
    } else {
        Err(in_file)
    }
}

/// The environment of this process. A variable that is not UTF-8 counts as not set.
pub fn process_environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl CommandLine {
    /// The file that is to be read, if one is named.
    fn named_file(&self, environment: &Environment) -> Option<PathBuf> {
        let variable = environment
            .get(FILE_VARIABLE)
            .filter(|path| !path.is_empty());
        self.file.clone().or(variable.map(PathBuf::from))
    }
}

/// The members of the file, and what is unknown beside its servers.
fn read_file(
    path: &Path,
    may_be_missing: bool,
    errors: &mut ConfigErrors,
    warnings: &mut Vec<String>,
) -> Map<String, Value> {
    let file = file::read(path, may_be_missing, errors);
    for (key, value) in &file {
        if SERVERS.contains(&key.as_str()) || key == GATEWAY {
            continue;
        }
        if let Some(foreign) = Foreign::of_file(key) {
            warnings.extend(foreign.matters(value).then(|| foreign.warning("the file")));
            continue;
        }
        let mut settings = settings::all().map(|setting| setting.path.split('.').next());
        let fix = if settings.any(|first| first == Some(key)) {
            format!("did you mean `{GATEWAY}.{key}`?")
        } else {
            nearest::fix(key, SERVERS.into_iter().chain([GATEWAY]))
        };
        errors.add(key, format!("unknown key `{key}`"), fix);
    }
    file
}

impl Start {
    /// The environment decides over proxies, and that must not go unnoticed.
    fn tell_proxied(&mut self) {
        let proxies = &self.outbound.proxies;
        let proxied = self
            .servers
            .iter()
            .filter(|server| proxies.to(&server.url).is_some());
        let names: Vec<_> = proxied.map(|server| server.name.as_str()).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            self.warnings.push(format!(
                "reached through the proxy of the environment (HTTPS_PROXY, HTTP_PROXY): {names}; NO_PROXY can name their hosts"
            ));
        }
    }

    /// Adds the servers of the file but those that are given on the command line too.
    fn add_file_servers(
        &mut self,
        file: &Map<String, Value>,
        given: &Map<String, Value>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        let mut written: Vec<Written<'_>> = Vec::new();
        for key in SERVERS {
            let entries = match file.get(key) {
                None => continue,
                Some(Value::Object(entries)) => entries,
                Some(other) => {
                    let what = format!("expected an object, found {}", kind(other));
                    let fix = r#"write {"My server": {"url": "https://host/mcp"}}"#;
                    errors.add(key, what, fix);
                    continue;
                }
            };
            for (name, value) in entries {
                let path = member(key, name);
                if written.iter().any(|other| other.name == name) {
                    errors.add(path, "is in mcpServers too", "remove or rename one of them");
                } else if !given.contains_key(name) {
                    written.push(Written { path, name, value });
                }
            }
        }
        let has_none = !SERVERS.iter().any(|key| file.contains_key(*key));
        // An unreadable file is one error, not two.
        if has_none && !self.demo && given.is_empty() && errors.is_empty() {
            let fix = r#"add it: {"mcpServers": {"My server": {"url": "https://host/mcp"}}}"#;
            errors.add("mcpServers", "is missing", fix);
        }
        self.add_servers(written, environment, errors);
    }

    /// Adds the servers of the command line.
    fn add_given_servers(
        &mut self,
        given: &Map<String, Value>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        let written = given.iter().map(|(name, value)| Written {
            path: format!("{} {name}", given::SERVER),
            name,
            value,
        });
        self.add_servers(written.collect(), environment, errors);
    }

    fn add_servers(
        &mut self,
        written: Vec<Written<'_>>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        if self.demo
            && let Some(demo) = written.iter().find(|server| server.name == DEMO)
        {
            let what = "--demo serves a server of this name";
            let fix = "rename yours, or leave --demo out";
            errors.add(&demo.path, what, fix);
        }
        let defaults = Defaults {
            show_urls: self.settings.show_urls,
            in_flight: self.settings.limits.in_flight,
            retries: self.settings.retries,
            result: self.settings.result,
            tool_errors: self.settings.tool_errors,
            argument_checks: self.settings.argument_checks,
        };
        let servers = servers::read(written, &defaults, environment, errors, &mut self.warnings);
        self.servers.append(servers);
    }
}

/// The bind rule: a service that other machines can reach asks for API keys, unless its configuration says that it shall not.
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

/// A browser sends no credentials to a service that every page may use; without keys, every page may then run tools.
fn check_cors(settings: &Settings, errors: &mut ConfigErrors, warnings: &mut Vec<String>) {
    let path = "gateway.cors";
    if !settings.cors_origins.allow_any() {
        return;
    }
    if settings.cors_credentials {
        let what = "\"origins\" holds *, and \"credentials\" is true";
        errors.add(
            path,
            what,
            "list the origins, or remove \"credentials\" (API keys need none)",
        );
    } else if settings.keys.is_empty() {
        warnings.push(format!(
            "{path}: without API keys, every page in a browser that reaches this service can call its tools; list the origins, or set \
             gateway.auth.apiKeys"
        ));
    }
}

fn check_healthcheck(settings: &Settings, errors: &mut ConfigErrors) {
    if settings.port == 0 {
        let what = "port 0 does not say where the service listens";
        let fix = "add --port with the port it listens on";
        errors.add("--healthcheck", what, fix);
    }
}
