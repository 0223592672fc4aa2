//! The configured MCP servers. `servers/read.rs` reads them from `mcp.servers.json`; what is known of a running server is in `mcp`.

pub(crate) mod foreign;
mod headers;
mod notices;
pub(crate) mod read;
pub(crate) mod url;

use std::{fmt, sync::Arc, time::Duration};

use crate::config::redact::{address_only, redact_url};
use crate::config::servers::url::{host_header, is_loopback};
use serde::Deserialize;

use awc::http::{
    Uri,
    header::{HeaderName, HeaderValue},
};

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

    /// Adds servers at the end, in the same way.
    pub(crate) fn append(&mut self, others: Servers) {
        for server in others.0 {
            if self.get(&server.name).is_none() {
                self.0.push(server);
            }
        }
    }

    /// Adds a server at the end. One whose name is taken is left out, and `false` is returned.
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
    /// The transport of MCP messages.
    pub transport: Transport,
    /// Its URL, variables expanded: never shown.
    pub url: Uri,
    /// The value of `Host`, for every request.
    pub host: HeaderValue,
    /// The URL as it may be shown: redacted, and cut to its origin where that is configured.
    pub shown_url: String,
    /// Headers of every request, variables expanded: never shown.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The configured protocol era.
    pub protocol: Protocol,
    /// The deadline of one call, if this server has its own.
    pub timeout: Option<Duration>,
    /// The form of a result, where a caller asks for none.
    pub result: ResultForm,
    /// What a result with `isError` becomes.
    pub tool_errors: ToolErrors,
    /// Whether arguments are validated by the tool's schema before they are sent.
    pub argument_checks: ArgumentChecks,
    /// The concurrency limit: calls in flight.
    pub in_flight: usize,
    /// Retries of a call that certainly has not run.
    pub retries: u32,
    /// Whether idempotent tools are called again after a lost reply.
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
            result: ResultForm::Mcp,
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

impl Server {
    /// Host and port as they may be shown.
    pub fn shown_address(&self) -> String {
        let default = if self.is_https() { 443 } else { 80 };
        let port = self.url.port_u16().unwrap_or(default);
        address_only(&self.shown_url, port)
    }

    /// Whether its URL is `https://`.
    pub fn is_https(&self) -> bool {
        self.url.scheme_str() == Some("https")
    }

    /// Whether its host is this machine.
    pub fn is_loopback(&self) -> bool {
        self.url.host().is_some_and(is_loopback)
    }
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
            .field("result", &self.result)
            .field("tool_errors", &self.tool_errors)
            .field("argument_checks", &self.argument_checks)
            .field("in_flight", &self.in_flight)
            .field("retries", &self.retries)
            .field("retry_idempotent", &self.retry_idempotent)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// The transport of MCP messages to a server and back.
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
    /// Negotiated.
    Auto,
    /// 2026-07-28: no sessions.
    Modern,
    /// Up to 2025-11-25: the version to offer in `initialize`.
    Legacy(&'static str),
}

/// Declares choices that have the same words for all servers (`gateway`), for one of them and in a query.
macro_rules! choices {
    ($(
        $(#[$about:meta])*
        $choice:ident { $($(#[$meta:meta])* $variant:ident = $word:literal,)+ }
    )+) => {$(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        pub enum $choice {
            $($(#[$meta])* #[serde(rename = $word)] $variant,)+
        }

        impl $choice {
            /// The words of a configuration.
            pub(crate) const WORDS: &[&str] = &[$($word),+];
            /// The words and what they mean.
            pub(crate) const MEANINGS: &[(&str, Self)] = &[$(($word, Self::$variant)),+];
        }
    )+};
}

choices! {
    /// The form in which a tool's result is sent.
    ResultForm {
        /// The whole `result`.
        Mcp = "mcp",
        /// `structuredContent` only.
        Structured = "structured",
        /// The texts only.
        Text = "text",
        /// The value: structured content, or what the content blocks hold.
        Value = "value",
        /// The first image, decoded.
        Image = "image",
        /// The first audio, decoded.
        Audio = "audio",
    }

    /// What a tool result with `isError: true` becomes.
    ToolErrors {
        /// A result: 200.
        Result = "result",
        /// An error: 422.
        Status = "status",
    }

    /// Whether arguments are validated by the schema that the server lists for the tool, before they are sent.
    ArgumentChecks {
        /// No: the server decides.
        Off = "off",
        /// Yes: invalid arguments are not sent.
        On = "on",
    }
}

/// Whether the stream of a session that belongs to no request (GET) is opened during a call, for what the server asks on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Where the server has one.
    Auto,
    /// Never.
    Never,
}
