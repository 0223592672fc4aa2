//! The places settings come from, each checked against the table, and how they are laid over each other.

use std::{ffi::OsString, net::IpAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;
use log::LevelFilter;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::expand::Environment;
use crate::config::settings::table::{Form, SETTINGS, Setting};
use crate::config::settings::{ApiKeys, Command, Limits, Settings};

/// The command line, each value still as text.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) command: Command,
    pub(crate) config: Option<PathBuf>,
    pub(crate) demo: bool,
    settings: Vec<(&'static Setting, String)>,
}

impl Flags {
    pub(crate) fn read(args: impl Iterator<Item = OsString>, errors: &mut ConfigErrors) -> Self {
        let mut flags = Self::default();
        let mut parser = lexopt::Parser::from_args(args);
        loop {
            match flags.read_next(&mut parser) {
                Ok(true) => {}
                Ok(false) => return flags,
                Err(error) => errors.add("command line", error.to_string(), "see --help"),
            }
        }
    }

    /// Reads one flag with its value; `false` at the end.
    fn read_next(&mut self, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        use lexopt::Arg::{Long, Short};

        let Some(arg) = parser.next()? else {
            return Ok(false);
        };
        let command = match arg {
            Long("config") => {
                self.config = Some(parser.value()?.into());
                return Ok(true);
            }
            Long("demo") => {
                self.demo = true;
                return Ok(true);
            }
            Long("check") => Command::Check,
            Long("healthcheck") => Command::Healthcheck,
            Short('h') | Long("help") => Command::Help,
            Short('V') | Long("version") => Command::Version,
            Long(name) => {
                let known = SETTINGS.iter().find(|setting| setting.flag == Some(name));
                let Some(setting) = known else {
                    return Err(arg.unexpected());
                };
                let text = match setting.form {
                    Form::Switch => "true".to_owned(),
                    _ => parser.value()?.into_string()?,
                };
                self.settings.push((setting, text));
                return Ok(true);
            }
            other => return Err(other.unexpected()),
        };
        self.command = self.command.max(command);
        Ok(true)
    }
}

/// What one place says about the settings, checked: dotted paths to values.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layer(config::Map<String, config::Value>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    /// Adds what somebody has said. A list of keys without one is none: whoever has written it means the service to be guarded.
    fn add(
        &mut self,
        setting: &Setting,
        value: &Value,
        path: &str,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        if is_empty && matches!(setting.form, Form::Keys) {
            let fix = "put a key there, or remove it if everybody may call";
            errors.add(path, "holds no key", fix);
        } else if let Some(checked) = setting.check(value, path, environment, errors) {
            self.0.insert(setting.path.to_owned(), checked);
        }
    }

    pub(crate) fn of_defaults() -> Self {
        let mut layer = Self::default();
        let mut errors = ConfigErrors::default();
        for setting in SETTINGS {
            let value = setting.form.parse(setting.default);
            let nothing = Environment::new();
            if let Some(checked) = setting.check(&value, setting.path, &nothing, &mut errors) {
                layer.0.insert(setting.path.to_owned(), checked);
            }
        }
        layer
    }

    pub(crate) fn of_file(
        file: &Map<String, Value>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) -> Self {
        let mut layer = Self::default();
        match file.get("gateway") {
            None => {}
            Some(Value::Object(members)) => layer.add_group("", members, environment, errors),
            Some(other) => {
                let what = format!("expected an object, found {}", kind(other));
                errors.add("gateway", what, r#"write {"port": 8080}"#);
            }
        }
        layer
    }

    /// Adds the members of `gateway` (`prefix` empty), or of an object in it (`prefix` like `limits.`).
    fn add_group(
        &mut self,
        prefix: &str,
        members: &Map<String, Value>,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) {
        for (key, value) in members {
            let below = format!("{prefix}{key}");
            let group = format!("{below}.");
            let parent = format!("gateway.{prefix}");
            let path = member(parent.trim_end_matches('.'), key);
            // `"limits.events": 1` would otherwise pass for `"limits": {"events": 1}`.
            let dotted = key.contains('.');
            let known = SETTINGS
                .iter()
                .find(|setting| setting.path == below && !dotted);
            if let Some(setting) = known {
                self.add(setting, value, &path, environment, errors);
            } else if !SETTINGS
                .iter()
                .any(|setting| setting.path.starts_with(&group))
            {
                let fix = format!("remove it; there are {}", keys_below(prefix).join(", "));
                errors.add(path, "no such setting", fix);
            } else if let Value::Object(members) = value {
                self.add_group(&group, members, environment, errors);
            } else {
                let what = format!("expected an object, found {}", kind(value));
                errors.add(path, what, "put its settings in braces");
            }
        }
    }

    pub(crate) fn of_environment(
        environment: &Environment,
        errors: &mut ConfigErrors,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut layer = Self::default();
        for setting in SETTINGS {
            let mut names = [setting.variable]
                .into_iter()
                .chain(setting.common_variable);
            let Some((name, text)) = names.find_map(|name| variable(setting, name, environment))
            else {
                continue;
            };
            if name == "RUST_LOG" && text.parse::<LevelFilter>().is_err() {
                let warning = "RUST_LOG: only a level is understood here, so it is ignored";
                warnings.push(warning.to_owned());
                continue;
            }
            let value = setting.form.parse(text);
            layer.add(setting, &value, name, environment, errors);
        }
        for (name, value) in environment {
            let known = SETTINGS.iter().any(|setting| setting.variable == name);
            if name.starts_with("MCP_REST_") && !known && !is_service_link(name, value) {
                let fix = "unset it; --help lists the variables";
                errors.add(name, "no such variable", fix);
            }
        }
        layer
    }

    pub(crate) fn of_flags(
        flags: &Flags,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) -> Self {
        let mut layer = Self::default();
        for (setting, text) in &flags.settings {
            let path = format!("--{}", setting.flag.unwrap_or_default());
            layer.add(
                setting,
                &setting.form.parse(text),
                &path,
                environment,
                errors,
            );
        }
        layer
    }
}

/// The keys of the object at `prefix`, for whoever wrote another.
fn keys_below(prefix: &str) -> Vec<&'static str> {
    let paths = SETTINGS
        .iter()
        .filter_map(|setting| setting.path.strip_prefix(prefix));
    let mut keys: Vec<_> = paths.filter_map(|path| path.split('.').next()).collect();
    keys.dedup();
    keys
}

/// A variable that says something: an empty one counts as not set, as in `PORT=${PORT}` of a compose file. But not where keys
/// are expected: that a service is guarded must not hang on whether somebody has set what the variable was made of.
fn variable<'a>(
    setting: &Setting,
    name: &'a str,
    environment: &'a Environment,
) -> Option<(&'a str, &'a str)> {
    let says = |value: &&String| !value.is_empty() || matches!(setting.form, Form::Keys);
    let value = environment.get(name).filter(says)?;
    (!is_service_link(name, value)).then_some((name, value))
}

/// Kubernetes sets these in every pod beside a Service called `mcp-rest`: `MCP_REST_PORT=tcp://10.0.0.1:80` and more.
fn is_service_link(name: &str, value: &str) -> bool {
    name.starts_with("MCP_REST_SERVICE_")
        || name.starts_with("MCP_REST_PORT_")
        || (name == "MCP_REST_PORT" && value.contains("://"))
}

/// The settings as the layers spell them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Merged {
    host: IpAddr,
    port: u16,
    workers: usize,
    show_urls: bool,
    base_path: String,
    trusted_proxies: Vec<IpNet>,
    timeout_ms: u64,
    drain_ms: u64,
    drain_delay_ms: u64,
    retries: u32,
    queue_ms: u64,
    stall_ms: u64,
    log_level: String,
    allow_unauthenticated: bool,
    limits: Limits,
    auth: Auth,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Auth {
    api_keys: ApiKeys,
}

/// Lays the layers over each other, the later over the earlier.
pub(crate) fn merge(layers: Vec<Layer>) -> Result<Settings, ConfigErrors> {
    let mut builder = config::Config::builder();
    for layer in layers {
        builder = builder.add_source(layer);
    }
    let merged = builder
        .build()
        .and_then(config::Config::try_deserialize::<Merged>)
        .map_err(|error| {
            let mut errors = ConfigErrors::default();
            errors.add("gateway", error.to_string(), "correct it");
            errors
        })?;
    Ok(Settings {
        host: merged.host,
        port: merged.port,
        workers: merged.workers,
        show_urls: merged.show_urls,
        base_path: merged.base_path,
        trusted_proxies: merged.trusted_proxies,
        timeout: Duration::from_millis(merged.timeout_ms),
        limits: merged.limits,
        keys: merged.auth.api_keys,
        allow_unauthenticated: merged.allow_unauthenticated,
        log_level: merged.log_level.parse().unwrap_or(LevelFilter::Info),
        demo: false,
        drain: Duration::from_millis(merged.drain_ms),
        drain_delay: Duration::from_millis(merged.drain_delay_ms),
        retries: merged.retries,
        queue: Duration::from_millis(merged.queue_ms),
        stall: Duration::from_millis(merged.stall_ms),
    })
}
