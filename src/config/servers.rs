//! Which MCP servers there are. How they are read from `mcp.servers.json` is in `servers/read.rs`.
//!
//! Nothing here speaks to a server, and nothing here knows HTTP beyond names, values and URLs.

pub(crate) mod read;

use std::{fmt, sync::Arc, time::Duration};

use awc::http::{
    Uri,
    header::{HeaderName, HeaderValue},
};
use ring::digest::{SHA256, digest};

use crate::config::redact::redact_url;

/// The configured servers, in file order.
#[derive(Debug, Default, Clone)]
pub struct Servers(Vec<Arc<Server>>);

impl Servers {
    /// The server of that name; upper and lower case differ.
    pub fn get(&self, name: &str) -> Option<&Arc<Server>> {
        self.iter().find(|server| server.name == name)
    }

    /// All servers, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Server>> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a server at the end. One whose name is taken is left out, and the answer is `false`.
    pub fn push(&mut self, server: Server) -> bool {
        let is_new = self.get(&server.name).is_none();
        if is_new {
            self.0.push(Arc::new(server));
        }
        is_new
    }
}

/// One configured MCP server.
pub struct Server {
    /// The key in `mcpServers`.
    pub name: String,
    /// How messages travel.
    pub transport: Transport,
    /// Where it is, variables filled in: never to be shown.
    pub url: Uri,
    /// The value of `Host`, made once.
    pub host: HeaderValue,
    /// The URL as it may be shown; its origin only where that is configured.
    pub shown_url: String,
    /// Sent with every request, variables filled in: never to be shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Which protocol era it speaks, if that is known beforehand.
    pub protocol: Protocol,
    /// The deadline of one call, if this server has its own.
    pub timeout: Option<Duration>,
    /// What a result with `isError` becomes.
    pub tool_errors: ToolErrors,
    /// Whether arguments are held against a tool's schema before they are sent.
    pub argument_checks: ArgumentChecks,
    /// Calls in flight at the same time.
    pub in_flight: usize,
    /// More attempts where it is certain that nothing has run.
    pub retries: u32,
    /// Whether tools that may run twice are called again after a lost answer.
    pub retry_idempotent: bool,
    /// Whether a session's own stream is opened beside a call.
    pub listen: Listen,
}

impl Server {
    /// A server with defaults for everything but its name and URL.
    pub fn http(name: &str, url: Uri) -> Self {
        let shown_url = redact_url(&url.to_string());
        Self {
            name: name.to_owned(),
            transport: Transport::Http,
            shown_url,
            headers: Vec::new(),
            protocol: Protocol::Auto,
            timeout: None,
            tool_errors: ToolErrors::Result,
            argument_checks: ArgumentChecks::Off,
            in_flight: usize::MAX,
            retries: 0,
            retry_idempotent: false,
            listen: Listen::Auto,
            host: host_header(&url),
            url,
        }
    }
}

/// The value of `Host` for requests to `url`: its host, and its port where that is not the scheme's own.
fn host_header(url: &Uri) -> HeaderValue {
    let host = url.host().unwrap_or_default();
    let written = match (url.port_u16(), url.scheme_str()) {
        (None, _) | (Some(80), Some("http")) | (Some(443), Some("https")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    };
    HeaderValue::try_from(written).unwrap_or(HeaderValue::from_static(""))
}

impl fmt::Debug for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header_names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        out.debug_struct("Server")
            .field("name", &self.name)
            .field("transport", &self.transport)
            .field("shown_url", &self.shown_url)
            .field("header_names", &header_names)
            .field("protocol", &self.protocol)
            .field("timeout", &self.timeout)
            .field("tool_errors", &self.tool_errors)
            .field("argument_checks", &self.argument_checks)
            .field("in_flight", &self.in_flight)
            .field("retries", &self.retries)
            .field("retry_idempotent", &self.retry_idempotent)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// How messages travel to a server and back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP, 2025-03-26 and later.
    Http,
    /// HTTP with a separate event stream, 2024-11-05.
    Sse,
}

impl Transport {
    /// The name a configuration gives it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
        }
    }
}

/// Which protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// To be found out.
    Auto,
    /// 2026-07-28: no sessions.
    Modern,
    /// Up to 2025-11-25: the version to offer in `initialize`.
    Legacy(&'static str),
}

/// What a tool result with `isError: true` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolErrors {
    /// A result: 200.
    Result,
    /// An error: 422.
    Status,
}

/// Whether arguments are held against the schema which a tool's own server lists for it, before they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentChecks {
    /// No: the server decides.
    Off,
    /// Yes: what does not fit is not sent.
    On,
}

/// Whether the stream of a session that belongs to no request is opened beside a call, for what the server asks there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Where the server has one.
    Auto,
    /// Never.
    Never,
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

/// Whether only the MCP client may set this header (the name in lower case).
pub fn is_client_header(name: &str) -> bool {
    const OWN: [&str; 20] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    OWN.contains(&name) || name.starts_with("mcp-param-")
}
