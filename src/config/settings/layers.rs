//! The layers that settings come from: defaults, file, environment, flags. Each value is checked where it is read, so that all errors
//! are known at once and nothing is coerced; the `config` crate then lays the layers over each other.

use log::LevelFilter;
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::expand::Environment;
use crate::config::nearest::{self, nearest};
use crate::config::settings::form::{Form, Setting};
use crate::config::settings::{self, Settings};

/// The checked values of the layers, in the order in which they were added: a later one wins.
pub(crate) struct Layers<'a> {
    environment: &'a Environment,
    values: Vec<(&'static str, config::Value)>,
}

impl<'a> Layers<'a> {
    /// The defaults alone.
    pub(crate) fn new(environment: &'a Environment) -> Self {
        let values = settings::all().filter_map(|setting| {
            let value = setting.form.parse(setting.default);
            let checked = setting.check(
                &value,
                setting.path,
                environment,
                &mut ConfigErrors::default(),
            );
            Some((setting.path, checked?))
        });
        Self {
            environment,
            values: values.collect(),
        }
    }

    /// Lays the layers over each other.
    pub(crate) fn merge(self) -> Result<Settings, config::ConfigError> {
        let mut builder = config::Config::builder();
        for (path, value) in self.values {
            builder = builder.set_override(path, value)?;
        }
        Settings::of(&builder.build()?)
    }

    /// Adds a configured value. An empty list of API keys is an error: an operator who configures one wants the service protected.
    fn add(&mut self, setting: &Setting, value: &Value, path: &str, errors: &mut ConfigErrors) {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        if is_empty && matches!(setting.form, Form::Keys) {
            let fix = "put a key there, or remove it if everybody may call";
            errors.add(path, "holds no key", fix);
        } else if let Some(checked) = setting.check(value, path, self.environment, errors) {
            self.values.push((setting.path, checked));
        }
    }

    /// Adds `gateway`, the object in the file.
    pub(crate) fn add_file(&mut self, gateway: Option<&Value>, errors: &mut ConfigErrors) {
        match gateway {
            None => {}
            Some(Value::Object(members)) => self.add_group("", members, errors),
            Some(other) => {
                let what = format!("expected an object, found {}", kind(other));
                errors.add("gateway", what, r#"write {"port": 8080}"#);
            }
        }
    }

    /// Adds the members of `gateway` (`prefix` empty), or of an object in it (`prefix` like `limits.`).
    fn add_group(&mut self, prefix: &str, members: &Map<String, Value>, errors: &mut ConfigErrors) {
        for (key, value) in members {
            let below = format!("{prefix}{key}");
            let group = format!("{below}.");
            let parent = format!("gateway.{prefix}");
            let path = member(parent.trim_end_matches('.'), key);
            // `"limits.events": 1` would otherwise pass for `"limits": {"events": 1}`.
            let is_setting = |setting: &&Setting| setting.path == below && !key.contains('.');
            if let Some(setting) = settings::all().find(is_setting) {
                self.add(setting, value, &path, errors);
            } else if !settings::all().any(|setting| setting.path.starts_with(&group)) {
                let fix = nearest::fix(key, keys_below(prefix));
                errors.add(path, format!("unknown setting `{key}`"), fix);
            } else if let Value::Object(members) = value {
                self.add_group(&group, members, errors);
            } else {
                let what = format!("expected an object, found {}", kind(value));
                errors.add(path, what, "put its settings in braces");
            }
        }
    }

    /// Adds the environment.
    pub(crate) fn add_environment(
        &mut self,
        errors: &mut ConfigErrors,
        warnings: &mut Vec<String>,
    ) {
        let environment = self.environment;
        for setting in settings::all() {
            let mut variables = setting.variables.iter();
            match variables.find_map(|name| value_of(setting, name, environment)) {
                None => {}
                Some(("RUST_LOG", filter)) if filter.parse::<LevelFilter>().is_err() => {
                    warnings
                        .push("RUST_LOG: ignored, since only a level is supported here".to_owned());
                }
                Some((name, text)) => self.add(setting, &setting.form.parse(text), name, errors),
            }
        }
        for (name, value) in environment {
            let is_known = settings::all().any(|row| row.variables.contains(&name.as_str()));
            if name.starts_with("MCP_REST_") && !is_known && !is_service_link(name, value) {
                let fix = match nearest(name, variables()) {
                    Some(meant) => format!("did you mean {meant}?"),
                    None => "unset it; --help lists the variables".to_owned(),
                };
                errors.add(name, "unknown variable", fix);
            }
        }
    }

    /// Adds the flags that are settings.
    pub(crate) fn add_flags(&mut self, flags: &[(&Setting, String)], errors: &mut ConfigErrors) {
        for (setting, text) in flags {
            let flag = format!("--{}", setting.flag.unwrap_or_default());
            self.add(setting, &setting.form.parse(text), &flag, errors);
        }
    }
}

/// The environment variables of all settings.
fn variables() -> impl Iterator<Item = &'static str> {
    settings::all().flat_map(|setting| setting.variables.iter().copied())
}

/// The keys of the object at `prefix`.
fn keys_below(prefix: &str) -> Vec<&'static str> {
    let paths = settings::all().filter_map(|setting| setting.path.strip_prefix(prefix));
    let mut keys: Vec<_> = paths.filter_map(|path| path.split('.').next()).collect();
    keys.dedup();
    keys
}

/// A variable with its value. An empty one counts as not set, as in `PORT=${PORT}` of a compose file; but not for API keys: whether
/// a service is guarded must not depend on whether the variable that this one is made from is set.
fn value_of<'a>(
    setting: &Setting,
    name: &'a str,
    environment: &'a Environment,
) -> Option<(&'a str, &'a str)> {
    let value = environment.get(name)?;
    let is_set = !value.is_empty() || matches!(setting.form, Form::Keys);
    (is_set && !is_service_link(name, value)).then_some((name, value))
}

/// Whether Kubernetes has set this variable: in every pod beside a Service called `mcp-rest` it sets `MCP_REST_PORT=tcp://10.0.0.1:80`
/// and more.
fn is_service_link(name: &str, value: &str) -> bool {
    name.starts_with("MCP_REST_SERVICE_")
        || name.starts_with("MCP_REST_PORT_")
        || (name == "MCP_REST_PORT" && value.contains("://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid() {
        let nothing = Environment::new();
        assert_eq!(Layers::new(&nothing).values.len(), settings::all().count());
    }
}
