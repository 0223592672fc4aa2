//! The `mcpServers` object of `mcp.servers.json`, checked, with its variables expanded.

#[cfg(test)]
mod tests;

use std::{ops::RangeInclusive, time::Duration};

use awc::http::{
    Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, Fault, found, kind, member};
use crate::config::expand::{Environment, doubts, expand};
use crate::config::nearest::{self, nearest};
use crate::config::redact::{origin_only, redact_url};
use crate::config::servers::foreign::Foreign;
use crate::config::servers::headers::{check_name, check_value};
use crate::config::servers::notices::Notices;
use crate::config::servers::url::{check_url, host_header, is_loopback, split_userinfo};
use crate::config::servers::{
    ArgumentChecks, Listen, Protocol, ResultForm, Server, Servers, ToolErrors, Transport,
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
    /// The form of a result.
    pub(crate) result: ResultForm,
    /// What a result with `isError` becomes.
    pub(crate) tool_errors: ToolErrors,
    /// Whether arguments are validated.
    pub(crate) argument_checks: ArgumentChecks,
}

/// A server as it is written.
pub(crate) struct Written<'a> {
    /// Where it stands: a JSON path, or a flag.
    pub(crate) path: String,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value,
}

/// Reads the servers. One with an error in its URL, one that is switched off and one that is started as a command are left out.
pub(crate) fn read<'a>(
    written: impl IntoIterator<Item = Written<'a>>,
    defaults: &Defaults,
    environment: &Environment,
    errors: &mut ConfigErrors,
    warnings: &mut Vec<String>,
) -> Servers {
    let mut servers = Servers::default();
    let mut notices = Notices::default();
    for Written { path, name, value } in written {
        if matches!(name, "" | "." | "..") {
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
        if notices.leaves_out(name, members) {
            continue;
        }
        let mut entry = Entry {
            path,
            members,
            known: Vec::new(),
            environment,
            errors,
            warnings,
        };
        if let Some(server) = entry.server(name, defaults) {
            servers.push(server);
        }
        for key in entry.refuse_unknown_keys() {
            notices.ignores(key, name);
        }
    }
    warnings.extend(notices.into_warnings());
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

const LISTEN: &[(&str, Listen)] = &[("auto", Listen::Auto), ("never", Listen::Never)];

/// The most calls in flight that can be configured.
const MOST_IN_FLIGHT: u64 = 1_000_000;

/// The object of one server while it is read.
struct Entry<'a, 'b> {
    path: String,
    members: &'a Map<String, Value>,
    /// The keys that were asked for: all that a server has.
    known: Vec<&'static str>,
    environment: &'b Environment,
    errors: &'b mut ConfigErrors,
    warnings: &'b mut Vec<String>,
}

/// The keys of the URL: ours, that of Gemini CLI, that of Windsurf.
const URL_KEYS: [&str; 3] = ["url", "httpUrl", "serverUrl"];

/// The URL of a server.
struct Address<'a> {
    /// The path of its key.
    path: String,
    /// As it is written in the file.
    written: &'a str,
    url: Uri,
    /// The user and password that were written into it.
    basic: Option<HeaderValue>,
}

impl<'a> Entry<'a, '_> {
    fn server(&mut self, name: &str, defaults: &Defaults) -> Option<Server> {
        let transport = self.transport();
        let address = self.url();
        let headers = self.headers();
        let protocol = self.word("protocol", PROTOCOLS, Protocol::Auto);
        let timeout = self.number("timeoutMs", 1..=LONGEST_TIMEOUT_MS);
        let result = self.word("result", ResultForm::MEANINGS, defaults.result);
        let tool_errors = self.word("toolErrors", ToolErrors::MEANINGS, defaults.tool_errors);
        let checks = defaults.argument_checks;
        let argument_checks = self.word("argumentChecks", ArgumentChecks::MEANINGS, checks);
        let hide_url = self.switch("hideUrl");
        let in_flight = self.number("inFlight", 1..=MOST_IN_FLIGHT);
        let retries = self.number("retries", 0..=MOST_RETRIES);
        let retry_idempotent = self.switch("retryIdempotent");
        let listen = self.word("listen", LISTEN, Listen::Auto);
        // A server that these switch off is not read.
        self.switch("disabled");
        self.switch("enabled");

        let address = address?;
        let headers = self.with_basic(headers, &address)?;
        let url = address.url;
        let loopback = url.host().is_some_and(is_loopback);
        if url.scheme_str() == Some("http") && !loopback && !headers.is_empty() {
            self.warnings.push(format!(
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
            result,
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

    /// Reports the keys that nobody knows, and gives those of other products.
    fn refuse_unknown_keys(&mut self) -> Vec<Foreign> {
        let mut ignored = Vec::new();
        for (key, value) in self.members {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            if let Some(foreign) = Foreign::of_server(key, value) {
                ignored.extend(foreign.matters(value).then_some(foreign));
            } else if key == "command" {
                let what = "a server is either started as a command or has a url";
                self.add_error(key, what, "remove one of them");
            } else {
                let fix = nearest::fix(key, self.known.iter().copied());
                self.add_error(key, format!("unknown key `{key}`"), fix);
            }
        }
        ignored
    }

    fn add_error(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.errors.add(member(&self.path, key), what, fix);
    }

    /// `type`, which some products call `transport`.
    fn transport(&mut self) -> Transport {
        let (ours, theirs) = (self.members.get("type"), self.members.get("transport"));
        if ours.is_some() && theirs.is_some() && ours != theirs {
            let what = "does not say the same as `type`";
            self.add_error("transport", what, "remove one of them");
        }
        let default = self.word("transport", TRANSPORTS, Transport::Http);
        self.word("type", TRANSPORTS, default)
    }

    /// What the word at `key` means.
    fn word<T: Copy>(&mut self, key: &'static str, words: &[(&str, T)], default: T) -> T {
        let Some(value) = self.get(key) else {
            return default;
        };
        let known = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if known.is_none() {
            let fix = nearest::fix(
                value.as_str().unwrap_or_default(),
                words.iter().map(|(word, _)| *word),
            );
            self.add_error(key, format!("unknown {key} {}", found(value)), fix);
        }
        known.map_or(default, |(_, meaning)| *meaning)
    }

    fn number(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.get(key)?;
        let number = value.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (first, last) = (range.start(), range.end());
            let found = found(value);
            let what = format!("expected a whole number from {first} to {last}, found {found}");
            self.add_error(key, what, "correct it");
        }
        number
    }

    fn switch(&mut self, key: &'static str) -> bool {
        match self.get(key) {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(other) => {
                let what = format!("expected true or false, found {}", found(other));
                self.add_error(key, what, "write it without quotes");
                false
            }
        }
    }

    fn url(&mut self) -> Option<Address<'a>> {
        let written = URL_KEYS.map(|key| (key, self.get(key)));
        let mut written = written
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        let Some((key, value)) = written.next() else {
            // A near miss is reported as such.
            let is_meant = |key: &String| nearest(key, URL_KEYS).is_some();
            if !self.members.keys().any(is_meant) {
                self.add_error("url", "is missing", "add \"url\": \"https://host/mcp\"");
            }
            return None;
        };
        if let Some((second, _)) = written.next() {
            self.add_error(
                second,
                format!("`{key}` is given too"),
                "remove one of them",
            );
        }
        let Value::String(written) = value else {
            let what = format!("expected a string, found {}", kind(value));
            self.add_error(key, what, "write \"https://host/mcp\"");
            return None;
        };
        let path = member(&self.path, key);
        let expanded = self.expanded(written, &path)?;
        let (bare, basic) = split_userinfo(&expanded);
        let url = self.checked(&path, check_url(&bare))?;
        Some(Address {
            path,
            written,
            url,
            basic,
        })
    }

    /// A text with its variables, after warnings of what is likely not meant.
    fn expanded(&mut self, written: &str, path: &str) -> Option<String> {
        let doubts = doubts(written, self.environment);
        let warnings = doubts.into_iter().map(|doubt| format!("{path}: {doubt}"));
        self.warnings.extend(warnings);
        expand(written, path, self.environment, self.errors)
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
        let expanded = self.expanded(written, path)?;
        self.checked(path, check_value(&expanded))
    }

    /// Adds the credential of the URL to the headers, which may not hold another.
    fn with_basic(
        &mut self,
        mut headers: Vec<(HeaderName, HeaderValue)>,
        address: &Address<'_>,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        if let Some(basic) = &address.basic {
            if headers.iter().any(|(name, _)| name == AUTHORIZATION) {
                let what = "holds a user name, and headers hold \"Authorization\"";
                self.errors.add(&address.path, what, "remove one of them");
                return None;
            }
            headers.push((AUTHORIZATION, basic.clone()));
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
