//! Every setting there is, in all its forms, and what a value of each may be.
//!
//! The help text and the README's table are written from the same rows, so that they cannot drift.

use std::{
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
};

use ipnet::IpNet;
use log::LevelFilter;
use serde_json::Value;

use crate::config::errors::{ConfigErrors, kind};
use crate::config::expand::Environment;
use crate::config::file::DEFAULT_NAME;
use crate::config::servers::{LONGEST_TIMEOUT_MS, MOST_RETRIES};
use crate::config::settings::keys::key_digest;

/// Names the configuration file where `--config` does not.
pub(crate) const FILE_VARIABLE: &str = "MCP_SERVERS_FILE";

/// One setting in all its forms.
pub(crate) struct Setting {
    /// Below `gateway` in the file.
    pub(crate) path: &'static str,
    pub(crate) variable: &'static str,
    /// A variable other software knows too; `variable` wins over it.
    pub(crate) common_variable: Option<&'static str>,
    pub(crate) flag: Option<&'static str>,
    pub(crate) form: Form,
    /// As it would be written in the environment.
    pub(crate) default: &'static str,
    help: &'static str,
}

/// What a setting may be.
pub(crate) enum Form {
    Address,
    Number {
        least: u64,
        most: u64,
    },
    Switch,
    Level,
    Keys,
    /// A path that others put before ours: empty, or from a slash to anything but a slash.
    Prefix,
    /// Addresses and networks.
    Networks,
}

const fn setting(
    path: &'static str,
    variable: &'static str,
    form: Form,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting {
        path,
        variable,
        common_variable: None,
        flag: None,
        form,
        default,
        help,
    }
}

impl Setting {
    const fn flag(self, flag: &'static str) -> Self {
        Self {
            flag: Some(flag),
            ..self
        }
    }

    const fn common(self, variable: &'static str) -> Self {
        Self {
            common_variable: Some(variable),
            ..self
        }
    }
}

const COUNT: Form = Form::Number {
    least: 1,
    most: 1 << 40,
};
const BYTES: Form = COUNT;

/// Every setting there is: file, environment, flags, help and the README's table all come from here.
pub(crate) const SETTINGS: &[Setting] = &[
    setting(
        "host",
        "MCP_REST_HOST",
        Form::Address,
        "127.0.0.1",
        "address to listen on",
    )
    .flag("host")
    .common("HOST"),
    setting(
        "port",
        "MCP_REST_PORT",
        Form::Number {
            least: 0,
            most: 65_535,
        },
        "8080",
        "port to listen on; 0 picks a free one",
    )
    .flag("port")
    .common("PORT"),
    setting(
        "workers",
        "MCP_REST_WORKERS",
        Form::Number {
            least: 0,
            most: 1024,
        },
        "0",
        "worker threads; 0 is one per core",
    )
    .flag("workers"),
    setting(
        "allowUnauthenticated",
        "MCP_REST_ALLOW_UNAUTHENTICATED",
        Form::Switch,
        "false",
        "listen beyond this machine without API keys",
    )
    .flag("allow-unauthenticated"),
    setting(
        "auth.apiKeys",
        "MCP_REST_AUTH_API_KEYS",
        Form::Keys,
        "",
        "API keys: SHA-256 in hex, or ${NAME} of a variable with the key; in a variable, commas between",
    ),
    setting(
        "logLevel",
        "MCP_REST_LOG",
        Form::Level,
        "info",
        "what to log: off, error, warn, info, debug or trace",
    )
    .flag("log-level")
    .common("RUST_LOG"),
    setting(
        "showUrls",
        "MCP_REST_SHOW_URLS",
        Form::Switch,
        "true",
        "show server URLs with their paths",
    ),
    setting(
        "basePath",
        "MCP_REST_BASE_PATH",
        Form::Prefix,
        "",
        "path under which a proxy publishes this service; for the addresses in OpenAPI documents",
    ),
    setting(
        "trustedProxies",
        "MCP_REST_TRUSTED_PROXIES",
        Form::Networks,
        "",
        "proxies whose X-Forwarded-Proto, -Host and -Prefix are believed; in a variable, commas between",
    ),
    setting(
        "timeoutMs",
        "MCP_REST_TIMEOUT_MS",
        Form::Number {
            least: 1,
            most: LONGEST_TIMEOUT_MS,
        },
        "120000",
        "deadline of one call",
    ),
    setting(
        "drainMs",
        "MCP_REST_DRAIN_MS",
        Form::Number {
            least: 1,
            most: LONGEST_TIMEOUT_MS,
        },
        "30000",
        "time for shutdown: calls in flight, then the ends of sessions",
    ),
    setting(
        "drainDelayMs",
        "MCP_REST_DRAIN_DELAY_MS",
        Form::Number {
            least: 0,
            most: LONGEST_TIMEOUT_MS,
        },
        "1000",
        "time between SIGTERM and the end of listening, while /readyz says no",
    ),
    setting(
        "retries",
        "MCP_REST_RETRIES",
        Form::Number {
            least: 0,
            most: MOST_RETRIES,
        },
        "2",
        "more attempts where it is certain that nothing has run",
    ),
    setting(
        "queueMs",
        "MCP_REST_QUEUE_MS",
        Form::Number {
            least: 0,
            most: LONGEST_TIMEOUT_MS,
        },
        "1000",
        "time a call may wait for a place at its server",
    ),
    setting(
        "stallMs",
        "MCP_REST_STALL_MS",
        Form::Number {
            least: 1,
            most: LONGEST_TIMEOUT_MS,
        },
        "30000",
        "time after which a caller that takes nothing of its answer is closed",
    ),
    setting(
        "limits.requestBytes",
        "MCP_REST_LIMITS_REQUEST_BYTES",
        BYTES,
        "4194304",
        "bytes of a request body",
    ),
    setting(
        "limits.responseBytes",
        "MCP_REST_LIMITS_RESPONSE_BYTES",
        BYTES,
        "67108864",
        "bytes of an upstream answer, and of all results of a batch",
    ),
    setting(
        "limits.eventBytes",
        "MCP_REST_LIMITS_EVENT_BYTES",
        BYTES,
        "67108864",
        "bytes of one event",
    ),
    setting(
        "limits.events",
        "MCP_REST_LIMITS_EVENTS",
        COUNT,
        "100000",
        "events on one stream",
    ),
    setting(
        "limits.listBytes",
        "MCP_REST_LIMITS_LIST_BYTES",
        BYTES,
        "8388608",
        "bytes of a list (of tools, say) that the service itself looks into, all pages together",
    ),
    setting(
        "limits.depth",
        "MCP_REST_LIMITS_DEPTH",
        Form::Number {
            least: 1,
            most: 1000,
        },
        "128",
        "how deep JSON may nest, in requests and answers",
    ),
    setting(
        "limits.bufferedBytes",
        "MCP_REST_LIMITS_BUFFERED_BYTES",
        BYTES,
        "536870912",
        "bytes of all bodies that are held at the same time, of requests and answers, until the last piece is taken",
    ),
    setting(
        "limits.batch",
        "MCP_REST_LIMITS_BATCH",
        COUNT,
        "32",
        "calls in one batch",
    ),
    setting(
        "limits.inFlight",
        "MCP_REST_LIMITS_IN_FLIGHT",
        COUNT,
        "1024",
        "calls in flight at one server",
    ),
    setting(
        "limits.queued",
        "MCP_REST_LIMITS_QUEUED",
        Form::Number {
            least: 0,
            most: 1 << 40,
        },
        "256",
        "calls that wait for a place at one server",
    ),
];

/// The flags that are not settings: name, value, help.
const FLAGS: &[(&str, &str, &str)] = &[
    (
        "config",
        " FILE",
        "read this file instead of mcp.servers.json",
    ),
    ("demo", "", "serve a small MCP server too, as `demo`"),
    ("check", "", "validate the configuration and exit"),
    (
        "healthcheck",
        "",
        "ask the service running here whether it lives",
    ),
    ("help", "", "show this"),
    ("version", "", "show the version"),
];

impl Form {
    /// `text` from the environment or a flag as the JSON the file would hold; the text itself if it is no such thing.
    pub(crate) fn parse(&self, text: &str) -> Value {
        match (self, text) {
            (Form::Number { .. }, _) => text.parse::<u64>().map_or(text.into(), Value::from),
            (Form::Switch, "true" | "1") => true.into(),
            (Form::Switch, "false" | "0") => false.into(),
            (Form::Keys | Form::Networks, _) => {
                let entries = text.split(',').map(str::trim);
                entries.filter(|entry| !entry.is_empty()).collect()
            }
            _ => text.into(),
        }
    }

    fn wants(&self) -> String {
        match self {
            Form::Address => "an IP address or localhost".to_owned(),
            Form::Number { least, most } => format!("a whole number from {least} to {most}"),
            Form::Switch => "true or false".to_owned(),
            Form::Level => "off, error, warn, info, debug or trace".to_owned(),
            Form::Keys => "an array of strings".to_owned(),
            Form::Prefix => "a path like /mcp, without a slash at its end".to_owned(),
            Form::Networks => "an array of addresses or networks like 10.0.0.0/8".to_owned(),
        }
    }
}

impl Setting {
    /// The value for the `config` crate, or `None` after reporting at `path` what is wrong with it.
    pub(crate) fn check(
        &self,
        value: &Value,
        path: &str,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) -> Option<config::Value> {
        let checked = match (&self.form, value) {
            (Form::Number { least, most }, Value::Number(number)) => number
                .as_u64()
                .filter(|number| (least..=most).contains(&number))
                .map(config::Value::from),
            (Form::Switch, Value::Bool(on)) => Some((*on).into()),
            (Form::Address, Value::String(text)) => {
                address(text).map(|address| address.to_string().into())
            }
            (Form::Level, Value::String(text)) => {
                let level = text.parse::<LevelFilter>().ok();
                level.map(|level| level.to_string().into())
            }
            (Form::Keys, Value::Array(entries)) => {
                let digests = entries.iter().enumerate().map(|(index, entry)| {
                    key_digest(entry, &format!("{path}[{index}]"), environment, errors)
                });
                Some(digests.collect::<Vec<String>>().into())
            }
            (Form::Prefix, Value::String(path)) => is_prefix(path).then(|| path.as_str().into()),
            (Form::Networks, Value::Array(entries)) => {
                let networks = entries.iter().map(|entry| network(entry.as_str()?));
                let networks: Option<Vec<String>> = networks.collect();
                networks.map(config::Value::from)
            }
            _ => None,
        };
        if checked.is_none() {
            let found = match value {
                Value::Number(number) => number.to_string(),
                other => kind(other).to_owned(),
            };
            let what = format!("expected {}, found {found}", self.form.wants());
            let fix = match self.default {
                "" => "correct it".to_owned(),
                default => format!("correct it, for example to {default}"),
            };
            errors.add(path, what, fix);
        }
        checked
    }
}

fn address(text: &str) -> Option<IpAddr> {
    match text {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().ok(),
    }
}

/// Whether this can be put before our paths: empty, or from a slash to anything but a slash.
pub fn is_prefix(path: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    path.is_empty()
        || (path.starts_with('/')
            && !path.starts_with("//")
            && !path.ends_with('/')
            && path.split('/').all(|part| !matches!(part, "." | ".."))
            && path.bytes().all(legal))
}

/// An address or a network, as a network.
fn network(text: &str) -> Option<String> {
    let alone = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(alone)?;
    Some(network.to_string())
}

/// What `--help` prints.
pub fn help() -> String {
    let mut text = "mcp-rest: any MCP server as plain REST\n\nUsage: mcp-rest [FLAGS]\n".to_owned();
    text.push_str("\nFlags:\n");
    for (name, value, help) in FLAGS {
        let short = match *name {
            "help" => "-h, ",
            "version" => "-V, ",
            _ => "",
        };
        push_row(&mut text, &format!("{short}--{name}{value}"), help);
    }
    for setting in SETTINGS {
        let Some(flag) = setting.flag else { continue };
        let value = match setting.form {
            Form::Switch => "",
            _ => " VALUE",
        };
        push_row(&mut text, &format!("--{flag}{value}"), setting.help);
    }
    text.push_str("\nEnvironment (flags win over it, and it wins over the file):\n");
    let file = format!("the file, where --config names none [{DEFAULT_NAME}]");
    push_row(&mut text, FILE_VARIABLE, &file);
    for setting in SETTINGS {
        let names = match setting.common_variable {
            Some(common) => format!("{}, {common}", setting.variable),
            None => setting.variable.to_owned(),
        };
        let help = match setting.default {
            "" => setting.help.to_owned(),
            default => format!("{} [{default}]", setting.help),
        };
        push_row(&mut text, &names, &help);
    }
    text
}

fn push_row(text: &mut String, name: &str, help: &str) {
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "  {name:<34}{help}");
}

/// The settings as the Markdown table of the README.
pub fn settings_table() -> String {
    let mut text =
        "| `gateway.` | environment | flag | default | |\n|---|---|---|---|---|\n".to_owned();
    for setting in SETTINGS {
        let code = |words: &str| match words {
            "" => String::new(),
            words => format!("`{words}`"),
        };
        let variables = match setting.common_variable {
            Some(common) => format!("`{}`, `{common}`", setting.variable),
            None => code(setting.variable),
        };
        let flag = setting
            .flag
            .map_or_else(String::new, |flag| code(&format!("--{flag}")));
        // Writing to a `String` cannot fail.
        let _ = writeln!(
            text,
            "| {} | {variables} | {flag} | {} | {} |",
            code(setting.path),
            code(setting.default),
            setting.help
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid() {
        for setting in SETTINGS {
            let value = setting.form.parse(setting.default);
            let mut errors = ConfigErrors::default();
            setting.check(&value, setting.path, &Environment::new(), &mut errors);
            assert!(errors.is_empty(), "{errors}");
        }
    }

    #[test]
    fn help_and_table_name_everything() {
        let (help, table) = (help(), settings_table());
        for setting in SETTINGS {
            assert!(table.contains(&format!("| `{}` |", setting.path)));
            for text in [&help, &table] {
                assert!(text.contains(setting.variable));
                assert!(text.contains(setting.common_variable.unwrap_or_default()));
                assert!(
                    setting
                        .flag
                        .is_none_or(|flag| text.contains(&format!("--{flag}")))
                );
            }
        }
        for (flag, ..) in FLAGS {
            assert!(help.contains(&format!("--{flag}")));
        }
        assert!(help.contains(FILE_VARIABLE));
    }

    #[test]
    fn the_readme_holds_the_table() {
        let readme = include_str!("../../../README.md");
        let table = settings_table();
        assert!(readme.contains(&table), "put this into README.md:\n{table}");
    }
}
