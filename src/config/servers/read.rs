//! The `mcpServers` object of `mcp.servers.json`, checked, with its variables filled in.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, net::IpAddr, time::Duration};

use awc::http::{
    Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::expand::{Environment, expand};
use crate::config::redact::{origin_only, redact_url};
use crate::config::servers::{
    ArgumentChecks, Listen, Protocol, Server, Servers, ToolErrors, Transport, host_header,
    is_client_header,
};

/// The longest deadline that can be configured, in milliseconds.
pub(crate) const LONGEST_TIMEOUT_MS: u64 = 3_600_000;
/// The most retries that can be configured.
pub(crate) const MOST_RETRIES: u64 = 10;

/// What counts for servers that say nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    /// Whether URLs are shown with their paths.
    pub(crate) show_urls: bool,
    /// Calls in flight at the same time.
    pub(crate) in_flight: usize,
    /// More attempts where it is certain that nothing has run.
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

/// All keys of a server.
const KEYS: &[&str] = &[
    "type",
    "url",
    "headers",
    "protocol",
    "timeoutMs",
    "toolErrors",
    "argumentChecks",
    "hideUrl",
    "inFlight",
    "retries",
    "retryIdempotent",
    "listen",
];

/// The object of one server while it is read.
struct Entry<'a> {
    path: String,
    members: &'a Map<String, Value>,
    environment: &'a Environment,
    errors: &'a mut ConfigErrors,
}

impl<'a> Entry<'a> {
    fn server(
        &mut self,
        name: &str,
        defaults: &Defaults,
        warnings: &mut Vec<String>,
    ) -> Option<Server> {
        self.refuse_unknown_keys();
        let transport = self.word("type", TRANSPORTS).unwrap_or(Transport::Http);
        let protocol = self.word("protocol", PROTOCOLS).unwrap_or(Protocol::Auto);
        let tool_errors = self
            .word("toolErrors", TOOL_ERRORS)
            .unwrap_or(ToolErrors::Result);
        let argument_checks = self
            .word("argumentChecks", ARGUMENT_CHECKS)
            .unwrap_or(ArgumentChecks::Off);
        let timeout = self
            .number("timeoutMs", 1, LONGEST_TIMEOUT_MS, "milliseconds")
            .map(Duration::from_millis);
        let hide_url = self.switch("hideUrl");
        let retry_idempotent = self.switch("retryIdempotent");
        let listen = self.word("listen", LISTEN).unwrap_or(Listen::Auto);
        let in_flight = self
            .number("inFlight", 1, MOST_IN_FLIGHT, "calls")
            .and_then(|calls| calls.try_into().ok());
        let retries = self
            .number("retries", 0, MOST_RETRIES, "retries")
            .and_then(|retries| retries.try_into().ok());
        let mut headers = self.headers();
        let (written_url, url, basic) = self.url()?;
        if let Some(basic) = basic {
            if headers.iter().any(|(name, _)| name == AUTHORIZATION) {
                self.wrong(
                    "url",
                    "holds a user name, and headers hold \"Authorization\"",
                    "remove one of them",
                );
                return None;
            }
            headers.push((AUTHORIZATION, basic));
        }

        let loopback = url.host().is_some_and(is_loopback);
        if url.scheme_str() == Some("http") && !loopback && !headers.is_empty() {
            warnings.push(format!(
                "{}: its headers travel unencrypted; use https where they hold a credential",
                self.path
            ));
        }
        Some(Server {
            name: name.to_owned(),
            transport,
            shown_url: if hide_url || !defaults.show_urls {
                origin_only(written_url)
            } else {
                redact_url(written_url)
            },
            host: host_header(&url),
            url,
            headers,
            protocol,
            timeout,
            tool_errors,
            argument_checks,
            in_flight: in_flight.unwrap_or(defaults.in_flight),
            retries: retries.unwrap_or(defaults.retries),
            retry_idempotent,
            listen,
        })
    }

    fn refuse_unknown_keys(&mut self) {
        for key in self.members.keys() {
            match key.as_str() {
                key if KEYS.contains(&key) => {}
                "command" | "args" | "env" | "cwd" => self.wrong(
                    key,
                    "servers started as a command are not supported",
                    "run it behind an HTTP transport and give its url",
                ),
                _ => {
                    let fix = format!("remove it; there are {}", KEYS.join(", "));
                    self.wrong(key, "no such key", fix);
                }
            }
        }
    }

    fn wrong(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.errors.add(member(&self.path, key), what, fix);
    }

    fn word<T: Copy>(&mut self, key: &str, words: &[(&str, T)]) -> Option<T> {
        let value = self.members.get(key)?;
        let known = words.iter().find(|(word, _)| value.as_str() == Some(word));
        if known.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let fix = format!("write one of {}", words.join(", "));
            self.wrong(key, "not a word that is known here", fix);
        }
        known.map(|(_, meaning)| *meaning)
    }

    fn number(&mut self, key: &str, least: u64, most: u64, of_what: &str) -> Option<u64> {
        let value = self.members.get(key)?;
        let number = value
            .as_u64()
            .filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(
                key,
                format!("not a number of {of_what} that can be had"),
                format!("write a whole number from {least} to {most}"),
            );
        }
        number
    }

    fn switch(&mut self, key: &str) -> bool {
        match self.members.get(key) {
            None => false,
            Some(Value::Bool(on)) => *on,
            Some(other) => {
                let what = format!("expected a boolean, found {}", kind(other));
                self.wrong(key, what, "write true or false");
                false
            }
        }
    }

    /// The URL as written and as it is, and the credential that was written into it.
    fn url(&mut self) -> Option<(&'a str, Uri, Option<HeaderValue>)> {
        let written = match self.members.get("url") {
            Some(Value::String(written)) => written,
            Some(other) => {
                let what = format!("expected a string, found {}", kind(other));
                self.wrong("url", what, "write \"https://host/mcp\"");
                return None;
            }
            None => {
                self.wrong("url", "is missing", "add \"url\": \"https://host/mcp\"");
                return None;
            }
        };
        let path = member(&self.path, "url");
        let expanded = expand(written, &path, self.environment, self.errors)?;
        let (bare, basic) = split_userinfo(&expanded);
        match check_url(&bare) {
            Ok(url) => Some((written, url, basic)),
            Err((what, fix)) => {
                self.errors.add(path, what, fix);
                None
            }
        }
    }

    fn headers(&mut self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::new();
        let written = match self.members.get("headers") {
            None => return headers,
            Some(Value::Object(written)) => written,
            Some(other) => {
                let what = format!("expected an object, found {}", kind(other));
                self.wrong(
                    "headers",
                    what,
                    r#"write {"Authorization": "Bearer ${TOKEN}"}"#,
                );
                return headers;
            }
        };
        let parent = member(&self.path, "headers");
        for (name, value) in written {
            let path = member(&parent, name);
            let value = self.header_value(value, &path);
            let Some(name) = self.header_name(name, &path) else {
                continue;
            };
            if headers.iter().any(|(other, _)| *other == name) {
                let what = "is there twice (header names ignore case)";
                self.errors.add(path, what, "remove one of them");
            } else if let Some(value) = value {
                headers.push((name, value));
            }
        }
        headers
    }

    fn header_name(&mut self, written: &str, path: &str) -> Option<HeaderName> {
        let Ok(name) = HeaderName::from_bytes(written.as_bytes()) else {
            let what = "not a header name";
            let fix = "use letters, digits and hyphens";
            self.errors.add(path, what, fix);
            return None;
        };
        if is_client_header(name.as_str()) {
            let what = "this header is set by the gateway itself";
            self.errors.add(path, what, "remove it");
            return None;
        }
        Some(name)
    }

    fn header_value(&mut self, written: &Value, path: &str) -> Option<HeaderValue> {
        let Value::String(written) = written else {
            let what = format!("expected a string, found {}", kind(written));
            self.errors.add(path, what, "put the value in quotes");
            return None;
        };
        let expanded = expand(written, path, self.environment, self.errors)?;
        let value = HeaderValue::from_str(&expanded).ok();
        let Some(mut value) = value.filter(|value| value.to_str().is_ok()) else {
            self.errors.add(
                path,
                "holds a line break or another character that headers cannot carry",
                "use visible ASCII, spaces and tabs; a variable read from a file often ends in a line break",
            );
            return None;
        };
        value.set_sensitive(true);
        Some(value)
    }
}

/// What is wrong with a value, and the fix.
type Fault = (&'static str, &'static str);

/// Takes `user:password@` out of a URL and makes it what HTTP clients make of it: basic authentication.
fn split_userinfo(url: &str) -> (Cow<'_, str>, Option<HeaderValue>) {
    let whole = (Cow::Borrowed(url), None);
    let Some((scheme, rest)) = url.split_once("://") else {
        return whole;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((userinfo, host)) = authority.rsplit_once('@') else {
        return whole;
    };
    let credential: Vec<u8> = percent_decode_str(userinfo).collect();
    let basic = format!("Basic {}", BASE64_STANDARD.encode(credential));
    let Ok(mut basic) = HeaderValue::from_str(&basic) else {
        return whole;
    };
    basic.set_sensitive(true);
    let after = rest.strip_prefix(authority).unwrap_or_default();
    (format!("{scheme}://{host}{after}").into(), Some(basic))
}

fn check_url(url: &str) -> Result<Uri, Fault> {
    if url.contains('#') {
        return Err(("holds a fragment", "remove the # and what follows"));
    }
    if !url.chars().all(|c| c.is_ascii_graphic()) {
        return Err(("holds a character URLs cannot carry", "percent-encode it"));
    }
    let incomplete = (
        "not a complete http or https URL",
        "write it like https://host/mcp",
    );
    let Ok(url) = url.parse::<Uri>() else {
        return Err(incomplete);
    };
    let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(incomplete);
    };
    if authority.host().is_empty() {
        return Err(incomplete);
    }
    let has_port = authority.as_str() != authority.host();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(("its port is not a port", "write a number from 1 to 65535"));
    }
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}
