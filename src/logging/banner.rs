//! What a terminal shows first: where the service listens, what it serves, and who may call.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::logging::text_line::{BOLD, PLAIN, push_escaped};

/// How many servers are named.
const MOST_NAMES: usize = 8;

/// What the banner tells.
#[derive(Debug)]
pub struct Banner<'a> {
    /// Where the service listens.
    pub address: SocketAddr,
    /// The names of the servers.
    pub servers: Vec<&'a str>,
    /// Whether callers need an API key.
    pub keys: bool,
}

impl Banner<'_> {
    pub(super) fn text(&self, coloured: bool) -> String {
        let url = format!("http://{}/", self.reachable());
        let mut text = String::from("\n");
        let title = concat!("mcp-rest ", env!("CARGO_PKG_VERSION"));
        if coloured {
            text.extend(["  ", BOLD, title, PLAIN, "\n\n"]);
        } else {
            text.extend(["  ", title, "\n\n"]);
        }
        let everywhere = if self.address.ip().is_unspecified() {
            "  (and every other address of this machine)"
        } else {
            ""
        };
        let curl = if self.keys {
            "curl -H 'Authorization: Bearer KEY'"
        } else {
            "curl"
        };
        let name = self.servers.first().copied().unwrap_or_default();
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let first_call = format!("{curl} {url}api/mcp/{name}/tools");
        let rows = [
            ("Address", format!("{url}{everywhere}")),
            ("Documents", format!("{url}swagger-ui/")),
            ("Servers", self.names()),
            ("API keys", self.access().to_owned()),
            ("First call", first_call),
        ];
        let shown = if self.servers.is_empty() { 4 } else { 5 };
        for (label, value) in rows.iter().take(shown) {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "  {label:<12}{value}");
        }
        text.push_str("\n  Ctrl-C stops the service.\n\n");
        text
    }

    /// An address that a browser on this machine can open.
    fn reachable(&self) -> SocketAddr {
        let host = match self.address.ip() {
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        SocketAddr::new(host, self.address.port())
    }

    fn names(&self) -> String {
        if self.servers.is_empty() {
            return "none: add some to mcp.servers.json, or start with --demo".to_owned();
        }
        let mut text = String::new();
        for (index, name) in self.servers.iter().take(MOST_NAMES).enumerate() {
            if index > 0 {
                text.push_str(", ");
            }
            push_escaped(&mut text, name);
        }
        let more = self.servers.len().saturating_sub(MOST_NAMES);
        if more > 0 {
            // Writing to a `String` cannot fail.
            let _ = write!(text, " and {more} more");
        }
        text
    }

    fn access(&self) -> &'static str {
        if self.keys {
            "on: callers send `Authorization: Bearer KEY`"
        } else if self.address.ip().to_canonical().is_loopback() {
            "off: everyone on this machine may call"
        } else {
            "off: everyone who reaches this machine may call"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_address_servers_and_access() {
        let names: Vec<String> = (0..10).map(|number| format!("s {number}")).collect();
        let banner = Banner {
            address: "[::]:81".parse().unwrap(),
            servers: names.iter().map(String::as_str).collect(),
            keys: true,
        };
        let expected = format!(
            "\n  mcp-rest {}\n\n  \
             Address     http://[::1]:81/  (and every other address of this machine)\n  \
             Documents   http://[::1]:81/swagger-ui/\n  \
             Servers     s 0, s 1, s 2, s 3, s 4, s 5, s 6, s 7 and 2 more\n  \
             API keys    on: callers send `Authorization: Bearer KEY`\n  \
             First call  curl -H 'Authorization: Bearer KEY' http://[::1]:81/api/mcp/s%200/tools\n\n  \
             Ctrl-C stops the service.\n\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(banner.text(false), expected);
        let empty = Banner {
            address: "127.0.0.1:8080".parse().unwrap(),
            servers: vec!["\x1b[2J"],
            keys: false,
        };
        let text = empty.text(true);
        assert!(!text.contains("\x1b[2J") && text.contains("\x1b[1mmcp-rest"));
        assert!(text.contains("everyone on this machine"));
    }
}
