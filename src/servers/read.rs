//! The `mcpServers` object of `mcp.servers.json`, checked, with its variables filled in.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use awc::http::{
    Uri,
    header::{AUTHORIZATION, HeaderName, HeaderValue},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{
    Identity, Protocol, Server, Servers, ToolErrors, Transport, host_header, is_client_header,
};
use crate::{
    expand::{Environment, expand},
    logging::{origin_only, redact_url},
    mistakes::{Mistakes, kind, member},
};

/// The longest deadline that can be configured, in milliseconds.
pub(crate) const LONGEST_TIMEOUT_MS: u64 = 3_600_000;

/// Reads `mcpServers`. Every server with a mistake in its URL is missing from what is returned.
pub(crate) fn read(
    written: &Map<String, Value>,
    show_urls: bool,
    environment: &Environment,
    mistakes: &mut Mistakes,
    warnings: &mut Vec<String>,
) -> Servers {
    let mut servers = Servers::default();
    for (name, value) in written {
        let path = member("mcpServers", name);
        if matches!(name.as_str(), "" | "." | "..") {
            mistakes.add(
                &path,
                "this name cannot be a path segment",
                "give the server another name",
            );
        }
        let Value::Object(members) = value else {
            let what = format!("expected an object, found {}", kind(value));
            mistakes.add(path, what, r#"write {"url": "https://host/mcp"}"#);
            continue;
        };
        let mut entry = Entry {
            path,
            members,
            environment,
            mistakes,
        };
        if let Some(server) = entry.server(name, show_urls, warnings) {
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

/// The object of one server while it is read.
struct Entry<'a> {
    path: String,
    members: &'a Map<String, Value>,
    environment: &'a Environment,
    mistakes: &'a mut Mistakes,
}

impl<'a> Entry<'a> {
    fn server(
        &mut self,
        name: &str,
        show_urls: bool,
        warnings: &mut Vec<String>,
    ) -> Option<Server> {
        self.refuse_unknown_keys();
        let transport = self.word("type", TRANSPORTS).unwrap_or(Transport::Http);
        let protocol = self.word("protocol", PROTOCOLS).unwrap_or(Protocol::Auto);
        let tool_errors = self
            .word("toolErrors", TOOL_ERRORS)
            .unwrap_or(ToolErrors::Result);
        let timeout = self.timeout();
        let hide_url = self.hide_url();
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
            shown_url: if hide_url || !show_urls {
                origin_only(written_url)
            } else {
                redact_url(written_url)
            },
            identity: Identity::of(name, &url, &headers),
            host: host_header(&url),
            url,
            headers,
            protocol,
            timeout,
            tool_errors,
        })
    }

    fn refuse_unknown_keys(&mut self) {
        for key in self.members.keys() {
            match key.as_str() {
                "type" | "url" | "headers" | "protocol" | "timeoutMs" | "toolErrors"
                | "hideUrl" => {}
                "command" | "args" | "env" | "cwd" => self.wrong(
                    key,
                    "servers started as a command are not supported",
                    "run it behind an HTTP transport and give its url",
                ),
                _ => self.wrong(
                    key,
                    "no such key",
                    "remove it; there are type, url, headers, protocol, timeoutMs, toolErrors, hideUrl",
                ),
            }
        }
    }

    fn wrong(&mut self, key: &str, what: impl Into<String>, fix: impl Into<String>) {
        self.mistakes.add(member(&self.path, key), what, fix);
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

    fn timeout(&mut self) -> Option<Duration> {
        let value = self.members.get("timeoutMs")?;
        let millis = value
            .as_u64()
            .filter(|millis| (1..=LONGEST_TIMEOUT_MS).contains(millis));
        if millis.is_none() {
            self.wrong(
                "timeoutMs",
                "not a number of milliseconds that can be waited",
                format!("write a whole number from 1 to {LONGEST_TIMEOUT_MS}"),
            );
        }
        millis.map(Duration::from_millis)
    }

    fn hide_url(&mut self) -> bool {
        match self.members.get("hideUrl") {
            None => false,
            Some(Value::Bool(hide)) => *hide,
            Some(other) => {
                let what = format!("expected a boolean, found {}", kind(other));
                self.wrong("hideUrl", what, "write true or false");
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
        let expanded = expand(written, &path, self.environment, self.mistakes)?;
        let (bare, basic) = split_userinfo(&expanded);
        match check_url(&bare) {
            Ok(url) => Some((written, url, basic)),
            Err((what, fix)) => {
                self.mistakes.add(path, what, fix);
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
                self.mistakes.add(path, what, "remove one of them");
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
            self.mistakes.add(path, what, fix);
            return None;
        };
        if is_client_header(name.as_str()) {
            let what = "this header is set by the gateway itself";
            self.mistakes.add(path, what, "remove it");
            return None;
        }
        Some(name)
    }

    fn header_value(&mut self, written: &Value, path: &str) -> Option<HeaderValue> {
        let Value::String(written) = written else {
            let what = format!("expected a string, found {}", kind(written));
            self.mistakes.add(path, what, "put the value in quotes");
            return None;
        };
        let expanded = expand(written, path, self.environment, self.mistakes)?;
        let value = HeaderValue::from_str(&expanded).ok();
        let Some(mut value) = value.filter(|value| value.to_str().is_ok()) else {
            self.mistakes.add(
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn environment() -> Environment {
        [
            ("TOKEN", "sEcReT"),
            ("LINE", "a\nb"),
            ("BASE", "https://h.example/in"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    fn run(written: &Value) -> (Servers, String, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let mut warnings = Vec::new();
        let members = written.as_object().unwrap();
        let servers = read(members, true, &environment(), &mut mistakes, &mut warnings);
        (servers, mistakes.to_string(), warnings)
    }

    fn one(entry: &Value) -> Arc<Server> {
        let (servers, mistakes, _) = run(&json!({"s": entry}));
        assert_eq!(mistakes, "", "{entry}");
        Arc::clone(servers.get("s").unwrap())
    }

    fn mistakes_of(entry: &Value) -> String {
        let (_, mistakes, _) = run(&json!({"s": entry}));
        assert!(!mistakes.contains("sEcReT"), "{mistakes}");
        mistakes
    }

    #[test]
    fn names_are_exact_and_in_file_order() {
        let entry = json!({"url": "https://h/"});
        let names = [
            "__proto__",
            "My Server",
            "my server",
            "zürich",
            "a/b",
            "constructor",
        ];
        let written: Map<_, _> = names
            .map(|name| (name.to_owned(), entry.clone()))
            .into_iter()
            .collect();
        let (mut servers, mistakes, _) = run(&written.into());
        assert_eq!(mistakes, "");
        assert!(servers.iter().map(|server| server.name.as_str()).eq(names));
        assert!(servers.get("MY SERVER").is_none() && servers.get("toString").is_none());
        assert!(!servers.push(Server::http("a/b", Uri::from_static("http://h/"))));
        assert!(servers.push(Server::http("demo", Uri::from_static("http://h/?k=v"))));
        assert_eq!(servers.len(), 7);
        assert_eq!(servers.get("demo").unwrap().shown_url, "http://h/?k=***");
        for name in ["", ".", ".."] {
            let (_, mistakes, _) = run(&json!({name: entry}));
            assert!(mistakes.contains("cannot be a path segment"), "{name}");
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let server = one(&json!({"url": "https://h/mcp"}));
        assert_eq!(server.transport, Transport::Http);
        assert_eq!(server.protocol, Protocol::Auto);
        assert_eq!(server.tool_errors, ToolErrors::Result);
        assert_eq!(server.timeout, None);
        assert!(server.headers.is_empty());
    }

    #[test]
    fn every_word_is_understood() {
        for (word, transport) in TRANSPORTS {
            assert_eq!(
                one(&json!({"url": "https://h", "type": word})).transport,
                *transport
            );
        }
        for (word, protocol) in PROTOCOLS {
            assert_eq!(
                one(&json!({"url": "https://h", "protocol": word})).protocol,
                *protocol
            );
        }
        let server = one(&json!({"url": "https://h", "toolErrors": "status", "timeoutMs": 1}));
        assert_eq!(server.tool_errors, ToolErrors::Status);
        assert_eq!(server.timeout, Some(Duration::from_millis(1)));
    }

    #[test]
    fn variables_are_filled_in_but_not_shown() {
        let entry = json!({"url": "${BASE}/${TOKEN}?k=${TOKEN}", "headers": {"Authorization": "Bearer ${TOKEN}"}});
        let server = one(&entry);
        assert_eq!(server.url, "https://h.example/in/sEcReT?k=sEcReT");
        assert_eq!(server.shown_url, "${BASE}/${TOKEN}?k=***");
        let (name, value) = server.headers.first().unwrap();
        assert_eq!(
            (name.as_str(), value.to_str().unwrap()),
            ("authorization", "Bearer sEcReT")
        );
        let shown = format!("{server:?} {:?} {:?}", server.headers, server.identity);
        assert!(!shown.contains("sEcReT"), "{shown}");
    }

    #[test]
    fn the_path_of_a_url_can_be_hidden() {
        let entry = json!({"url": "https://h/path", "hideUrl": true});
        assert_eq!(one(&entry).shown_url, "https://h");
        let written = json!({"s": {"url": "https://h/path"}});
        let (mut mistakes, mut warnings) = (Mistakes::default(), Vec::new());
        let members = written.as_object().unwrap();
        let servers = read(
            members,
            false,
            &Environment::new(),
            &mut mistakes,
            &mut warnings,
        );
        assert_eq!(servers.get("s").unwrap().shown_url, "https://h");
    }

    #[test]
    fn an_identity_is_this_server_with_this_credential() {
        let url = Uri::from_static("https://h/");
        let header = |value| {
            (
                HeaderName::from_static("a"),
                HeaderValue::from_static(value),
            )
        };
        let identity = Identity::of("s", &url, &[header("1")]);
        assert_eq!(identity, Identity::of("s", &url, &[header("1")]));
        assert_ne!(identity, Identity::of("s", &url, &[header("2")]));
        assert_ne!(identity, Identity::of("t", &url, &[header("1")]));
        assert_ne!(
            identity,
            Identity::of("s", &Uri::from_static("https://i/"), &[header("1")])
        );
    }

    #[test]
    fn each_mistake_is_named_with_its_path() {
        let with = |key: &str, value: Value| {
            let url = ("url".to_owned(), json!("https://h/"));
            Value::Object([url, (key.to_owned(), value)].into_iter().collect())
        };
        for (entry, expected) in [
            (json!("https://h"), "mcpServers.s: expected an object"),
            (json!({}), "mcpServers.s.url: is missing"),
            (
                with("url", json!(1)),
                "s.url: expected a string, found a number",
            ),
            (
                with("url", json!("https://${NONE}/")),
                "s.url: the environment variable NONE",
            ),
            (with("URL", json!("")), "s.URL: no such key"),
            (
                with("command", json!("npx")),
                "not supported; run it behind",
            ),
            (with("type", json!("stdio")), "s.type: not a word"),
            (with("type", json!(null)), "s.type: not a word"),
            (
                with("protocol", json!("2024-11-05")),
                "s.protocol: not a word",
            ),
            (with("toolErrors", json!(true)), "s.toolErrors: not a word"),
            (with("timeoutMs", json!(0)), "s.timeoutMs: not a number"),
            (
                with("timeoutMs", json!(3_600_001)),
                "s.timeoutMs: not a number",
            ),
            (with("timeoutMs", json!(1.5)), "s.timeoutMs: not a number"),
            (with("timeoutMs", json!("1")), "s.timeoutMs: not a number"),
            (
                with("hideUrl", json!("true")),
                "s.hideUrl: expected a boolean",
            ),
            (with("headers", json!([])), "s.headers: expected an object"),
            (
                with("headers", json!({"A": 1})),
                "s.headers.A: expected a string",
            ),
            (
                with("headers", json!({"A b": ""})),
                r#"s.headers["A b"]: not a header name"#,
            ),
            (
                with("headers", json!({"A": "${LINE}"})),
                "s.headers.A: holds a line break",
            ),
            (
                with("headers", json!({"A": "sEcReTü"})),
                "s.headers.A: holds a line break or",
            ),
            (
                with("headers", json!({"A": "${NONE}"})),
                "s.headers.A: the environment variable",
            ),
            (
                with("headers", json!({"A": "1", "a": "2"})),
                "s.headers.a: is there twice",
            ),
        ] {
            let mistakes = mistakes_of(&entry);
            assert!(mistakes.contains(expected), "{entry}: {mistakes}");
        }
    }

    #[test]
    fn headers_of_the_client_are_refused_in_any_case() {
        for name in [
            "Accept",
            "CONTENT-TYPE",
            "host",
            "Transfer-Encoding",
            "Connection",
            "Mcp-Session-Id",
            "MCP-Protocol-Version",
            "Mcp-Method",
            "Mcp-Name",
            "Mcp-Param-City",
            "Last-Event-ID",
            "TE",
        ] {
            let mistakes = mistakes_of(&json!({"url": "https://h", "headers": {name: "x"}}));
            assert!(
                mistakes.contains("set by the gateway itself; remove it"),
                "{name}"
            );
        }
    }

    #[test]
    fn urls_must_be_complete_and_hold_no_credential() {
        for (url, expected) in [
            ("", "not a complete"),
            ("/mcp", "not a complete"),
            ("h:80", "not a complete"),
            ("ftp://h/", "not a complete"),
            ("https:///mcp", "not a complete"),
            ("https://h/#sEcReT", "holds a fragment"),
            ("https://h/ä", "percent-encode"),
            ("https://h/ b", "percent-encode"),
            ("https://h:99999/", "not a port"),
            ("https://h:0/", "not a port"),
        ] {
            let mistakes = mistakes_of(&json!({"url": url}));
            assert!(mistakes.contains(expected), "{url}: {mistakes}");
        }
        for url in [
            "http://localhost:3000/mcp",
            "HTTPS://h?k=v",
            "http://[::1]:80/",
            "https://h/%20/@x",
        ] {
            one(&json!({"url": url}));
        }
    }

    #[test]
    fn headers_over_plain_http_to_another_host_are_a_warning() {
        for (url, warned) in [
            ("http://h/", true),
            ("http://10.0.0.1/", true),
            ("https://h/", false),
            ("http://localhost/", false),
            ("http://127.0.0.2:1/", false),
            ("http://[::1]/", false),
        ] {
            let (_, _, warnings) = run(&json!({"s": {"url": url, "headers": {"A": "${TOKEN}"}}}));
            assert_eq!(!warnings.is_empty(), warned, "{url}");
            assert!(run(&json!({"s": {"url": url}})).2.is_empty());
        }
    }

    #[test]
    fn all_mistakes_come_at_once() {
        let (_, mistakes, _) = run(&json!({
            "a": {"type": "x", "url": "x", "headers": {"Host": "${NONE}"}},
            "b b": {"timeoutMs": -1},
        }));
        assert_eq!(mistakes.lines().count(), 6, "{mistakes}");
    }

    #[test]
    fn a_user_in_the_url_becomes_basic_authentication() {
        let (url, basic) = split_userinfo("https://me:p%40ss@h:8443/mcp?a=b@c");
        assert_eq!(url, "https://h:8443/mcp?a=b@c");
        assert_eq!(basic.unwrap(), "Basic bWU6cEBzcw==");
        let (url, basic) = split_userinfo("https://h/mcp?to=me@h");
        assert_eq!((url.as_ref(), basic), ("https://h/mcp?to=me@h", None));
        let both = json!({"url": "https://u:p@h/", "headers": {"authorization": "x"}});
        assert!(mistakes_of(&both).contains("remove one of them"));
    }
}
