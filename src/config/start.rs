//! The whole configuration at once: flags over environment over the file over defaults, and the servers.
//!
//! [`read`] takes arguments and environment as values, and reads nothing of the process but the file.

#[cfg(test)]
mod tests;

use std::{ffi::OsString, path::Path};

use serde_json::{Map, Value};

use crate::config::command_line::{Command, CommandLine};
use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::expand::Environment;
use crate::config::file::{self, FILE_VARIABLE};
use crate::config::servers::read::Defaults;
use crate::config::servers::{Servers, read as servers};
use crate::config::settings::Settings;
use crate::config::settings::layers::Layers;

/// The name under which `--demo` serves the demo server.
pub const DEMO: &str = "demo";

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
    let file = match line.command {
        Command::Help | Command::Version => Map::new(),
        _ => read_file(&line, environment, &mut in_file),
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
        Command::Check | Command::Run => {
            start.add_servers(&file, environment, &mut in_file);
            check_exposure(&start.settings, &mut errors);
        }
    }
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

fn read_file(
    line: &CommandLine,
    environment: &Environment,
    errors: &mut ConfigErrors,
) -> Map<String, Value> {
    let variable = environment
        .get(FILE_VARIABLE)
        .filter(|path| !path.is_empty());
    let file = match line.file.as_deref().or(variable.map(Path::new)) {
        Some(named) => file::read(named, false, errors),
        None => file::read(Path::new(file::DEFAULT_NAME), line.demo, errors),
    };
    for key in file.keys() {
        if !matches!(key.as_str(), "mcpServers" | "gateway") {
            errors.add(
                key,
                "unknown key",
                "remove it; expected mcpServers or gateway",
            );
        }
    }
    file
}

impl Start {
    /// Adds the servers of the file. Where the demo server is served, there may be none.
    fn add_servers(
        &mut self,
        file: &Map<String, Value>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        let path = "mcpServers";
        let entries = match file.get(path) {
            Some(Value::Object(entries)) => entries,
            Some(other) => {
                let what = format!("expected an object, found {}", kind(other));
                let fix = r#"write {"My server": {"url": "https://host/mcp"}}"#;
                return errors.add(path, what, fix);
            }
            // An unreadable file is one error, not two.
            None if self.demo || !errors.is_empty() => return,
            None => {
                let fix = r#"add it: {"mcpServers": {"My server": {"url": "https://host/mcp"}}}"#;
                return errors.add(path, "is missing", fix);
            }
        };
        if self.demo && entries.contains_key(DEMO) {
            let what = "--demo serves a server of this name";
            let fix = "rename yours, or leave --demo out";
            errors.add(member(path, DEMO), what, fix);
        }
        if !self.demo && entries.is_empty() {
            let warning = format!("{path}: no server is configured");
            self.warnings.push(warning);
        }
        let defaults = Defaults {
            show_urls: self.settings.show_urls,
            in_flight: self.settings.limits.in_flight,
            retries: self.settings.retries,
        };
        self.servers = servers::read(entries, &defaults, environment, errors, &mut self.warnings);
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

fn check_healthcheck(settings: &Settings, errors: &mut ConfigErrors) {
    if settings.port == 0 {
        let what = "port 0 does not say where the service listens";
        let fix = "add --port with the port it listens on";
        errors.add("--healthcheck", what, fix);
    }
}
