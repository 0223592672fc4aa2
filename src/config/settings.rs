//! Every setting of this process, declared once: its field, name in the file, form, default, variables, flag and help.
//!
//! All else is made from the rows: the structs, what each layer may say (`layers`), `--help` and the documents' table (`help`).
//! A new setting is a new row.

pub mod form;
pub mod help;
pub(crate) mod layers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use log::LevelFilter;
use serde::Deserialize;

use crate::config::keys::ApiKeys;
use crate::config::origins::Origins;
use crate::config::servers::read::{LONGEST_TIMEOUT_MS, MOST_RETRIES};
use crate::config::servers::{ArgumentChecks, ResultForm, ToolErrors};
use crate::config::settings::form::{Form, Setting};

/// Declares a struct of settings. A row is `/// help`, then the field with its type, the path below `gateway` in the file, the form,
/// the default as it would be written in the environment, the environment variables (the first that is set wins), and the flag, if any.
macro_rules! settings {
    (
        $(#[$attribute:meta])*
        $name:ident $(with $group:ident: $group_type:ident)? {$(
            #[doc = $help:literal]
            $field:ident: $type:ty = $path:literal, $form:expr, $default:literal, [$($variable:literal),+] $(, $flag:literal)?;
        )+}
    ) => {
        $(#[$attribute])*
        pub struct $name {
            $(#[doc = $help] pub $field: $type,)+
            $(#[doc = concat!("`gateway.", stringify!($group), "`.")] pub $group: $group_type,)?
        }

        impl $name {
            const ROWS: &[Setting] = &[$(Setting {
                path: $path,
                form: $form,
                default: $default,
                variables: &[$($variable),+],
                flag: { let flags: &[&str] = &[$($flag)?]; flags.first().copied() },
                help: $help.trim_ascii(),
            }),+];

            /// From the values of all layers, by path.
            pub(crate) fn of(merged: &config::Config) -> Result<Self, config::ConfigError> {
                Ok(Self {
                    $($field: merged.get($path)?,)+
                    $($group: $group_type::of(merged)?,)?
                })
            }
        }
    };
}

const COUNT: Form = Form::Number(1..=1 << 40);
const TIME: Form = Form::Milliseconds(1..=LONGEST_TIMEOUT_MS);
const TIME_OR_NONE: Form = Form::Milliseconds(0..=LONGEST_TIMEOUT_MS);

settings! {
    /// How this process runs.
    #[derive(Debug, Clone)]
    Settings with limits: Limits {
        /// address to listen on
        host: IpAddr = "host", Form::Address, "127.0.0.1", ["MCP_REST_HOST", "HOST"], "host";
        /// port to listen on; 0 picks a free one
        port: u16 = "port", Form::Number(0..=65_535), "8080", ["MCP_REST_PORT", "PORT"], "port";
        /// worker threads; 0 is one per core
        workers: usize = "workers", Form::Number(0..=1024), "0", ["MCP_REST_WORKERS"], "workers";
        /// listen beyond this machine without API keys
        allow_unauthenticated: bool = "allowUnauthenticated", Form::Switch, "false", ["MCP_REST_ALLOW_UNAUTHENTICATED"], "allow-unauthenticated";
        /// API keys: SHA-256 in hex, or ${NAME} of a variable that holds the key; in a variable, separated by commas
        keys: ApiKeys = "auth.apiKeys", Form::Keys, "", ["MCP_REST_AUTH_API_KEYS"];
        /// what to log: off, error, warn, info, debug or trace
        log_level: LevelFilter = "logLevel", Form::Level, "info", ["MCP_REST_LOG", "RUST_LOG"], "log-level";
        /// format of the log: text, json, or auto, which is text on a terminal and JSON elsewhere
        log_format: LogFormat = "logFormat", Form::Choice(&["auto", "text", "json"]), "auto", ["MCP_REST_LOG_FORMAT"], "log-format";
        /// show server URLs with their paths
        show_urls: bool = "showUrls", Form::Switch, "true", ["MCP_REST_SHOW_URLS"];
        /// URL at which callers reach this service; for the addresses in OpenAPI documents. Else the host of the request
        public_url: String = "publicUrl", Form::PublicUrl, "", ["MCP_REST_PUBLIC_URL"];
        /// path under which a proxy publishes this service, where publicUrl is not set
        base_path: String = "basePath", Form::PathPrefix, "", ["MCP_REST_BASE_PATH"];
        /// proxies whose X-Forwarded-Proto, -Host and -Prefix are trusted; in a variable, separated by commas
        trusted_proxies: Vec<IpNet> = "trustedProxies", Form::Networks, "", ["MCP_REST_TRUSTED_PROXIES"];
        /// origins of other sites whose pages may use this service, each with scheme, host and port; *. before a host for its subdomains, * for all; in a variable, separated by commas
        cors_origins: Origins = "cors.origins", Form::Origins, "", ["MCP_REST_CORS_ORIGINS"], "cors-origins";
        /// whether pages of these origins may send cookies and other credentials of the browser
        cors_credentials: bool = "cors.credentials", Form::Switch, "false", ["MCP_REST_CORS_CREDENTIALS"];
        /// deadline of one call, for servers without their own
        timeout: Duration = "timeoutMs", TIME, "120000", ["MCP_REST_TIMEOUT_MS"];
        /// time for shutdown: calls in flight, then the ends of sessions
        drain: Duration = "drainMs", TIME, "30000", ["MCP_REST_DRAIN_MS"];
        /// time between SIGTERM and the end of listening, while /readyz answers 503
        drain_delay: Duration = "drainDelayMs", TIME_OR_NONE, "1000", ["MCP_REST_DRAIN_DELAY_MS"];
        /// form of a tool's result, for calls and servers that name none: mcp, structured, text, value, image or audio
        result: ResultForm = "result", Form::Choice(ResultForm::WORDS), "mcp", ["MCP_REST_RESULT"], "result";
        /// what an error of a tool itself becomes, for servers that do not say: result (200) or status (422)
        tool_errors: ToolErrors = "toolErrors", Form::Choice(ToolErrors::WORDS), "result", ["MCP_REST_TOOL_ERRORS"], "tool-errors";
        /// whether arguments are checked by the tool's schema before they are sent, for servers that do not say: off or on
        argument_checks: ArgumentChecks = "argumentChecks", Form::Choice(ArgumentChecks::WORDS), "off", ["MCP_REST_ARGUMENT_CHECKS"], "argument-checks";
        /// retries of a call that certainly has not run, for servers without their own number
        retries: u32 = "retries", Form::Number(0..=MOST_RETRIES), "2", ["MCP_REST_RETRIES"];
        /// time a call may wait at the concurrency limit of its server
        queue: Duration = "queueMs", TIME_OR_NONE, "1000", ["MCP_REST_QUEUE_MS"];
        /// PEM file with CAs that are trusted beside the built-in ones
        ca_file: String = "tls.caFile", Form::File, "", ["MCP_REST_TLS_CA_FILE"], "ca-file";
        /// time after which a client that reads nothing of its response is disconnected
        stall: Duration = "stallMs", TIME, "30000", ["MCP_REST_STALL_MS"];
    }
}

settings! {
    /// Limits on what a call may cost.
    #[derive(Debug, Clone, Copy)]
    Limits {
        /// bytes of a request body
        request_bytes: usize = "limits.requestBytes", COUNT, "4194304", ["MCP_REST_LIMITS_REQUEST_BYTES"];
        /// bytes of an upstream response, decompressed, and of all results of a batch
        response_bytes: usize = "limits.responseBytes", COUNT, "67108864", ["MCP_REST_LIMITS_RESPONSE_BYTES"];
        /// bytes of one event on a stream
        event_bytes: usize = "limits.eventBytes", COUNT, "67108864", ["MCP_REST_LIMITS_EVENT_BYTES"];
        /// events on one stream
        events: usize = "limits.events", COUNT, "100000", ["MCP_REST_LIMITS_EVENTS"];
        /// bytes of a list (of tools, say) that the service itself reads, all pages together
        list_bytes: usize = "limits.listBytes", COUNT, "8388608", ["MCP_REST_LIMITS_LIST_BYTES"];
        /// nesting depth of JSON, in requests and responses
        depth: usize = "limits.depth", Form::Number(1..=1000), "128", ["MCP_REST_LIMITS_DEPTH"];
        /// bytes of all request and response bodies that are held at the same time, each until its last piece is taken
        buffered_bytes: usize = "limits.bufferedBytes", COUNT, "536870912", ["MCP_REST_LIMITS_BUFFERED_BYTES"];
        /// calls in one batch
        batch: usize = "limits.batch", COUNT, "32", ["MCP_REST_LIMITS_BATCH"];
        /// concurrency limit: calls in flight at one server, for servers without their own number
        in_flight: usize = "limits.inFlight", COUNT, "1024", ["MCP_REST_LIMITS_IN_FLIGHT"];
        /// calls that wait at the concurrency limit of one server
        queued: usize = "limits.queued", Form::Number(0..=1 << 40), "256", ["MCP_REST_LIMITS_QUEUED"];
    }
}

/// How lines of the log are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text where standard error is a terminal, else JSON.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// All rows, in the order of `--help` and the documents.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> + Clone {
    Settings::ROWS.iter().chain(Limits::ROWS)
}

impl Settings {
    /// Where `--healthcheck` asks: this machine, also when the service listens on every address.
    pub fn healthcheck_url(&self) -> String {
        let host = match self.host {
            IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            host => host,
        };
        format!("http://{}/livez", SocketAddr::new(host, self.port))
    }
}
