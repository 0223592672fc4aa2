//! The `mcpServers` object of `mcp.servers.json`, checked, with its variables expanded.

#[cfg(test)]
mod tests;

use std::{ops::RangeInclusive, time::Duration};

use awc::http::{
    Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, Fault, kind, member};
use crate::config::expand::{Environment, expand};
use crate::config::redact::{origin_only, redact_url};
use crate::config::servers::headers::{check_name, check_value};
use crate::config::servers::url::{check_url, host_header, is_loopback, split_userinfo};
use crate::config::servers::{
    ArgumentChecks, Listen, Protocol, Server, Servers, ToolErrors, Transport,
};

/// The longest deadline that can be configured, in milliseconds.
pub(crate) const LONGEST_TIMEOUT_MS: u64 = 3_600_000;
/// The most retries that can be configured.
pub(crate) const MOST_RETRIES: u64 = 10;

/// What servers that configure nothing else have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    /// Whether URLs are shown with their paths.
    pub(crate) show_urls: bool,
    /// The concurrency limit: calls in flight.
    pub(crate) in_flight: usize,
    /// Retries of a call that certainly has not run.
    pub(crate) retries: u32,
}

/// Reads `mcpServers`. A server with an error in its URL is left out.
pub(crate) fn read(
    written: &Map<String, Value>,
    defaults: &Defaults,
    environment: &Environment,
    errors: &mut ConfigErrors,
    warnings: &mut Vec<String>,
) -> Servers {
    let mut servers = Servers::default();
    for (name, value) in written {
        let path = member("mcpServers", name);
        if matches!(name.as_str(), "" | "." | "..") {
            errors.add(
                &path,
                "this name cannot be a path segment",
                "give the server another name",
            );
        }
        let Value::Object(members) = value else {
            let what = format!("expected an object, found {}", kind(value));
            errors.add(path, what, r#"write {"url": "https://host/mcp"}"#);
            continue;
        };
        let mut entry = Entry {
            path,
            members,
            known: Vec::new(),
            environment,
            errors,
        };
        if let Some(server) = entry.server(name, defaults, warnings) {
            servers.push(server);
        }
    }
    servers
}

const TRANSPORTS: &[(&str, Transport)] = &[
    ("http", Transport::Http),
    ("streamable-http", Transport::Http),
    ("streamableHttp", Transport::Http),
    ("streamable_http", Transport::Http),
    ("sse", Transport::Sse),
];

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("auto", Protocol::Auto),
    ("modern", Protocol::Modern),
    ("2026-07-28", Protocol::Modern),
    ("legacy", Protocol::Legacy("2025-11-25")),
    ("2025-11-25", Protocol::Legacy("2025-11-25")),
    ("2025-06-18", Protocol::Legacy("2025-06-18")),
    ("2025-03-26", Protocol::Legacy("2025-03-26")),
];

const TOOL_ERRORS: &[(&str, ToolErrors)] = &[
    ("result", ToolErrors::Result),
    ("status", ToolErrors::Status),
];

const ARGUMENT_CHECKS: &[(&str, ArgumentChecks)] =
    &[("off", ArgumentChecks::Off), ("on", ArgumentChecks::On)];

const LISTEN: &[(&str, Listen)] = &[("auto", Listen::Auto), ("never", Listen::Never)];

/// The most calls in flight that can be configured.
const MOST_IN_FLIGHT: u64 = 1_000_000;

/// The object of one server while it is read.
struct Entry<'a> {
    path: String,
    members: &'a Map<String, Value>,
    /// The keys that were asked for: all that a server has.
    known: Vec<&'static str>,
    environment: &'a Environment,
    errors: &'a mut ConfigErrors,
}

/// The URL of a server.
struct Address<'a> {
    /// As it is written in the file.
    written: &'a str,
    url: Uri,
    /// The user and password that were written into it.
    basic: Option<HeaderValue>,
}

impl<'a> Entry<'a> {
    fn server(
        &mut self,
        name: &str,
        defaults: &Defaults,
        warnings: &mut Vec<String>,
    ) -> Option<Server> {
        let transport = self.word("type", TRANSPORTS, Transport::Http);
        let address = self.url();
        let headers = self.headers();
        let protocol = self.word("protocol", PROTOCOLS, Protocol::Auto);
        let timeout = self.number("timeoutMs", 1..=LONGEST_TIMEOUT_MS);
        let tool_errors = self.word("toolErrors", TOOL_ERRORS, ToolErrors::Result);
        let argument_checks = self.word("argumentChecks", ARGUMENT_CHECKS, ArgumentChecks::Off);
        let hide_url = self.switch("hideUrl");
        let in_flight = self.number("inFlight", 1..=MOST_IN_FLIGHT);
        let retries = self.number("retries", 0..=MOST_RETRIES);
        let retry_idempotent = self.switch("retryIdempotent");
        let listen = self.word("listen", LISTEN, Listen::Auto);
        self.refuse_unknown_keys();

        let address = address?;
        let headers = self.with_basic(headers, address.basic)?;
        let url = address.url;
        let loopback = url.host().is_some_and(is_loopback);
        if url.scheme_str() == Some("http") && !loopback && !headers.is_empty() {
            warnings.push(format!(
                "{}: its headers are sent unencrypted; use https where they hold a credential",
                self.path
            ));
        }
        let redact = if hide_url || !defaults.show_urls {
            origin_only
        } else {
            redact_url
        };
        let in_flight = in_flight.and_then(|calls| calls.try_into().ok());
        let retries = retries.and_then(|retries| retries.try_into().ok());
        Some(Server {
            name: name.to_owned(),
            transport,
            shown_url: redact(address.written),
            host: host_header(&url),
            url,
            headers,
            protocol,
            timeout: timeout.map(Duration::from_millis),
            tool_errors,
            argument_checks,
            in_flight: in_flight.unwrap_or(defaults.in_flight),
            retries: retries.unwrap_or(defaults.retries),
            retry_idempotent,
            listen,
        })
    }

    fn get(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.members.get(key)
    }

    fn refuse_unknown_keys(&mut self) {
        for key in self.members.keys() {
            match key.as_str() {
                key if self.known.contains(&key) => {}
                "command" | "args" | "env" | "cwd" => self.add_error(
                    key,
                    "servers started as a command are not supported",
                    "run it behind an HTTP transport and give its url",
                ),
                _ => {
                    let fix = format!("remove it; expected one of {}", self.known.join(", "));
                    self.add_error(key, "unknown key", fix);
                }
            }
        }
    }

    fn add_error(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.errors.add(member(&self.path, key), what, fix);
    }

    /// What the word at `key` means.
    fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], default: T) -> T {
        let Some(value) = self.get(key) else {
            return default;
        };
        let known = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if known.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let fix = format!("expected one of {}", words.join(", "));
            self.add_error(key, format!("unknown {key}"), fix);
        }
        known.map_or(default, |(_, meaning)| *meaning)
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.get(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let fix = format!("write one from {} to {}", range.start(), range.end());
            self.add_error(key, "not a whole number in range", fix);
        }
        number
    }

    fn switch(&mut self, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(other) => {
                let what = format!("expected a boolean, found {}", kind(other));
                self.add_error(key, what, "write true or false");
                false
            }
        }
    }

    fn url(&mut self) -> Option<Address<'a>> {
        let written = match self.get("url") {
            Some(Value::String(written)) => written,
            Some(other) => {
                let what = format!("expected a string, found {}", kind(other));
                self.add_error("url", what, "write \"https://host/mcp\"");
                return None;
            }
            None => {
                self.add_error("url", "is missing", "add \"url\": \"https://host/mcp\"");
                return None;
            }
        };
        let path = member(&self.path, "url");
        let expanded = expand(written, &path, self.environment, self.errors)?;
        let (bare, basic) = split_userinfo(&expanded);
        let url = self.checked(&path, check_url(&bare))?;
        Some(Address {
            written,
            url,
            basic,
        })
    }

    fn headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        let written = match self.get("headers") {
            None => return headers,
            Some(Value::Object(written)) => written,
            Some(other) => {
                let what = format!("expected an object, found {}", kind(other));
                let fix = r#"write {"Authorization": "Bearer ${TOKEN}"}"#;
                self.add_error("headers", what, fix);
                return headers;
            }
        };
        let parent = member(&self.path, "headers");
        for (name, value) in written {
            let path = member(&parent, name);
            let value = self.header_value(value, &path);
            let Some(name) = self.checked(&path, check_name(name)) else {
                continue;
            };
            if headers.iter().any(|(other, _)| *other == name) {
                let what = "is given twice (header names ignore case)";
                self.errors.add(path, what, "remove one of them");
            } else if let Some(value) = value {
                headers.push((name, value));
            }
        }
        headers
    }

    fn header_value(&mut self, written: &Value, path: &str) -> Option<HeaderValue> {
        let Value::String(written) = written else {
            let what = format!("expected a string, found {}", kind(written));
            self.errors.add(path, what, "put the value in quotes");
            return None;
        };
        let expanded = expand(written, path, self.environment, self.errors)?;
        self.checked(path, check_value(&expanded))
    }

    /// Adds the credential of the URL to the headers, which may not hold another.
    fn with_basic(
        &mut self,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        basic: Option<HeaderValue>,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        if let Some(basic) = basic {
            if headers.iter().any(|(name, _)| name == AUTHORIZATION) {
                let what = "holds a user name, and headers hold \"Authorization\"";
                self.add_error("url", what, "remove one of them");
                return None;
            }
            headers.push((AUTHORIZATION, basic));
        }
        Some(headers)
    }

    /// Reports what is wrong at `path`, if anything.
    fn checked<T>(&mut self, path: &str, result: Result<T, Fault>) -> Option<T> {
        result
            .map_err(|(what, fix)| self.errors.add(path, what, fix))
            .ok()
    }
}
