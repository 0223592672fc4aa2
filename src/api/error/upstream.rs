//! The wording of what happened at a server: the cause, and where it can be told, what to do about it.
//!
//! All who report on a server, start-up checks and health included, take the sentence from `api::error::kinds::Error::detail`, so that the same cause
//! has the same words everywhere; the first thing to do, for programs, is `mcp::protocol::error::Error::action`. Nothing a server sent is quoted but a media type; addresses and URLs are shown as they are configured, through the one
//! redaction. One sentence says what happened; what to do follows a full stop.

use std::time::Duration;

use crate::api::error::kinds::{About, Task};
use crate::api::paths::server_path;
use crate::config::errors::member;
use crate::config::servers::Server;
use crate::mcp::protocol::error::{Allowed, Elsewhere, Error as Cause, Failure, Lost, SetBy};
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::protocol::unreachable::{ProxyFault, Tls, Unreachable};

pub(super) const INTERNAL: &str = "Internal error; the request id identifies it in the log";
/// Where most servers have their endpoint.
const USUAL_PATH: &str = "Most MCP servers have their endpoint at '/mcp'";
/// Names of headers that are listed at most.
const MOST_NAMES: usize = 5;

/// What happened at a server: what the server did, in most cases.
pub(super) fn detail(failure: &Failure, task: Task, about: About<'_>) -> String {
    let name = about.server.unwrap_or_default();
    let server = failure.server.as_deref();
    let did: String = match &failure.error {
        Cause::Unreachable(cause) => return unreachable(*cause, name, server),
        Cause::Lost(lost) => return lost_connection(lost, name, server),
        // All servers had answered; one document was to be made of what they said.
        Cause::Deadline if name.is_empty() => {
            return "The deadline passed before the response was assembled".into();
        }
        Cause::Deadline => return late(failure.allowed, name),
        Cause::Unauthorized { .. } => credential("rejects", "wants a credential", name, server),
        Cause::Forbidden { .. } => {
            let said = credential("denies access with", "denies access", name, server);
            said + ". Some servers deny it also to host names that they do not know"
        }
        Cause::Busy { status, .. } if status.as_u16() == 429 => "received too many requests".into(),
        Cause::Busy { .. } => "is temporarily unavailable".into(),
        Cause::SessionRequired(_) => format!(
            "requires a session: send the request with 'init=true', or open one with \
             POST {}/initialize and send its id",
            server_path(name)
        ),
        Cause::SessionExpired(_) => format!(
            "no longer knows this session. Open a new one with POST {}/initialize",
            server_path(name)
        ),
        Cause::Rpc { error, .. } => return rpc(&failure.error, error.code, name),
        Cause::Status(status) => return by_status(status.as_u16(), name, server),
        Cause::Redirect { to, .. } => redirected(*to),
        Cause::ContentType(media_type) => {
            return other_content(media_type.as_deref(), name, server);
        }
        Cause::Unframed => {
            "responded with neither 'Content-Length' nor chunks: the end of the body is unknown"
                .into()
        }
        Cause::TooLarge(cap) => format!("exceeded the limit on {cap}"),
        Cause::NoReply => "ended its response without a reply to the request".into(),
        Cause::Malformed(_) => "sent a response that violates the protocol".into(),
        Cause::InputRequired(_) => input_required(task, name),
        Cause::ToolNotFound { did_you_mean, .. } => {
            let tool = about.tool.unwrap_or_default();
            return unknown("Tool", tool, name, did_you_mean, "tools");
        }
        Cause::PromptNotFound { did_you_mean, .. } => {
            let prompt = about.prompt.unwrap_or_default();
            return unknown("Prompt", prompt, name, did_you_mean, "prompts");
        }
        Cause::ResourceNotFound { .. } => "has no resource with this URI".into(),
        Cause::Overloaded => {
            "has as many calls in flight as its limit allows; nothing was sent to it".into()
        }
        Cause::NoRoom { sent: true } => return no_room("the response"),
        Cause::NoRoom { sent: false } => return no_room("the request; nothing was sent"),
        Cause::NoDescriptors => {
            "could not be connected to: this service has no file descriptor left; nothing was sent"
                .into()
        }
        Cause::Internal(_) => return INTERNAL.into(),
    };
    format!("Server '{name}' {did}")
}

// === connections ===

fn unreachable(cause: Unreachable, name: &str, server: Option<&Server>) -> String {
    let address = server.map_or_else(|| "its address".to_owned(), Server::shown_address);
    let (what, remedy): (String, &str) = match cause {
        Unreachable::Refused if server.is_some_and(Server::is_loopback) => (
            format!("{address} refused the connection"),
            "Is the server running, and is this its port? In a container, that address is the container itself",
        ),
        Unreachable::Refused => (
            format!("{address} refused the connection"),
            "Is the server running, and is this its port?",
        ),
        Unreachable::UnknownHost => (
            format!("the host of {address} does not resolve"),
            "Check the host name in its 'url'",
        ),
        Unreachable::TimedOut => (
            format!("{address} did not accept a connection in time"),
            "Check host, port and scheme in its 'url', and firewalls on the way",
        ),
        Unreachable::Network(kind) => (
            format!("no connection to {address} ({kind})"),
            "Check the host in its 'url', and the network",
        ),
        Unreachable::ClosesConnections => (
            format!("{address} closes each connection before a request can arrive"),
            "Its log may say why",
        ),
        Unreachable::Tls(cause) => tls(cause, &address),
        Unreachable::Proxy(fault) => proxy(fault, &address),
    };
    format!("Server '{name}' is unreachable: {what}. {remedy}")
}

fn proxy(fault: ProxyFault, address: &str) -> (String, &'static str) {
    let proxy = format!("the proxy on the way to {address}");
    match fault {
        ProxyFault::Unreachable => (
            format!("{proxy} cannot be reached"),
            "Check HTTPS_PROXY (for 'http://', HTTP_PROXY), or name the server's host in NO_PROXY",
        ),
        ProxyFault::Refused(407) => (
            format!("{proxy} wants another credential"),
            "Write it into HTTPS_PROXY (for 'http://', HTTP_PROXY): http://user:password@host:port",
        ),
        ProxyFault::Refused(status) => (
            format!("{proxy} refuses to connect (status {status})"),
            "Its operator must allow that host and port, or name the server's host in NO_PROXY",
        ),
        ProxyFault::Malformed => (
            format!("what is configured as {proxy} does not answer as one"),
            "Check HTTPS_PROXY (for 'http://', HTTP_PROXY): http://host:port",
        ),
    }
}

fn tls(cause: Tls, address: &str) -> (String, &'static str) {
    let certificate = |what| format!("the certificate of {address} {what}");
    match cause {
        Tls::NotSpoken => (
            format!("{address} does not speak TLS"),
            "Unless the port is wrong, write 'http://' in its 'url'",
        ),
        Tls::Spoken => (
            format!("{address} speaks TLS, and its 'url' begins with 'http://'"),
            "Write 'https://'",
        ),
        Tls::UnknownIssuer => (
            certificate("is not signed by a known CA"),
            "Name a file with the CA's certificate in 'gateway.tls.caFile'",
        ),
        Tls::CaAsServer => (
            certificate("is a CA's own, which no server may use"),
            "Issue one for the server (self-signed: with 'basicConstraints=CA:FALSE'), and name its CA in 'gateway.tls.caFile'",
        ),
        Tls::Expired => (
            certificate("has expired"),
            "Renew it at the server, or correct the clock of this machine",
        ),
        Tls::NotYetValid => (
            certificate("is not valid yet"),
            "Compare the clocks of the server and of this machine",
        ),
        Tls::WrongHost => (
            certificate("is for another host name"),
            "Write a name in its 'url' that the certificate holds",
        ),
        Tls::Certificate => (
            certificate("is not valid"),
            "'openssl s_client -connect HOST:PORT' shows it",
        ),
        Tls::ClientCertificate => (
            format!("{address} demands a client certificate"),
            "This service has none: let a proxy with the certificate stand in between",
        ),
        Tls::Refused => (
            format!("{address} and this service have no TLS handshake in common"),
            "The server must speak TLS 1.2 or 1.3, and know the host name in its 'url'",
        ),
        Tls::Closed => (
            format!("{address} closed the connection in the TLS handshake"),
            "If it does not speak TLS, write 'http://' in its 'url'",
        ),
    }
}

fn lost_connection(lost: &Lost, name: &str, server: Option<&Server>) -> String {
    let is_plain = server.is_some_and(|server| !server.is_https());
    match (lost, server) {
        (Lost::Unanswered, Some(server)) if is_plain => format!(
            "Server '{name}' closed the connection without a response. Its log may say why; if \
             {} speaks TLS, write 'https://' in its 'url'",
            server.shown_address()
        ),
        (Lost::Unanswered, _) => {
            format!("Server '{name}' closed the connection without a response. Its log may say why")
        }
        (Lost::Incomplete(_), _) => {
            format!("Server '{name}' did not complete its response: the connection was lost")
        }
    }
}

fn late(allowed: Option<Allowed>, name: &str) -> String {
    let Some(Allowed { time, by }) = allowed else {
        return format!("Server '{name}' did not respond before the deadline");
    };
    let time = written(time);
    let by = match by {
        SetBy::Caller => "'timeoutMs' of the request".to_owned(),
        SetBy::Prefer => "'Prefer: wait' of the request".to_owned(),
        SetBy::Server => format!("'{}.timeoutMs'", member("mcpServers", name)),
        SetBy::Gateway => "'gateway.timeoutMs'".to_owned(),
    };
    format!("Server '{name}' did not respond within {time}, the deadline. It is set by {by}")
}

/// `200 ms`, or `120 s` where that is the same.
fn written(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

// === answers ===

/// A server that does not accept the credential, or the lack of one.
fn credential(rejects: &str, wants: &str, name: &str, server: Option<&Server>) -> String {
    let headers = member(&member("mcpServers", name), "headers");
    let names: Vec<&str> = server
        .iter()
        .flat_map(|server| &server.headers)
        .map(|(name, _)| name.as_str())
        .collect();
    match names.iter().find(|name| **name == "authorization") {
        Some(_) => format!("{rejects} the credential in '{headers}.Authorization'"),
        None if names.is_empty() => {
            format!("{wants}, and no header is configured. Add one to '{headers}'")
        }
        None => {
            let listed: Vec<_> = names.iter().take(MOST_NAMES).copied().collect();
            let listed = listed.join("', '");
            format!("{wants}; headers configured in '{headers}': '{listed}'")
        }
    }
}

fn by_status(status: u16, name: &str, server: Option<&Server>) -> String {
    let said = format!("Server '{name}' responded with HTTP status {status}");
    let Some(server) = server else {
        return said;
    };
    let url = &server.shown_url;
    match status {
        404 | 405 | 501 => format!("{said}. Is '{url}' its MCP endpoint? {USUAL_PATH}"),
        400 if !server.is_https() => {
            let address = server.shown_address();
            format!("{said}. If {address} speaks TLS, write 'https://' in its 'url'")
        }
        421 => format!(
            "{said}: it does not know the host of '{url}'. Add that to the host names that the server allows"
        ),
        500.. => format!("{said}. Its log may say why"),
        _ => said,
    }
}

fn redirected(to: Elsewhere) -> String {
    let remedy = match to {
        Elsewhere::Https => "to 'https://', which is not followed. Write 'https://' in its 'url'",
        Elsewhere::Path => {
            "to another path, which is not followed. Write the final address in its 'url'"
        }
        Elsewhere::Other => {
            "to another host, which is not followed (a login page?). Check its 'url'"
        }
    };
    format!("responded with a redirect {remedy}")
}

fn other_content(media_type: Option<&str>, name: &str, server: Option<&Server>) -> String {
    let what = media_type.unwrap_or("another media type");
    let said = format!("Server '{name}' responded with {what}, neither JSON nor an event stream");
    let Some(server) = server else {
        return said;
    };
    let url = &server.shown_url;
    if media_type == Some("text/html") {
        format!("{said}: '{url}' is probably the URL of a web page. {USUAL_PATH}")
    } else {
        format!("{said}: '{url}' is probably no MCP endpoint. {USUAL_PATH}")
    }
}

fn input_required(task: Task, server: &str) -> String {
    let route = match task {
        Task::CallTool => "call",
        _ => "rpc",
    };
    let path = server_path(server);
    format!(
        "requires input: repeat the call through POST {path}/{route} with \
         'inputResponses' and the same 'requestState'"
    )
}

/// A name that is not in the server's own list.
fn unknown(kind: &str, name: &str, server: &str, did_you_mean: &[String], list: &str) -> String {
    let said = format!("{kind} '{name}' not found on server '{server}'");
    match did_you_mean {
        [] => format!(
            "{said}. GET {}/{list} lists what there is",
            server_path(server)
        ),
        near => format!("{said}. Did you mean '{}'?", near.join("', '")),
    }
}

/// A JSON-RPC error.
fn rpc(cause: &Cause, code: i64, server: &str) -> String {
    match refusal::of_request(cause) {
        Meaning::NotSupported => format!("Server '{server}' does not support this method"),
        Meaning::InvalidParams => {
            format!("Server '{server}' rejected the arguments; 'upstream' holds its error")
        }
        Meaning::MissingCapability => format!(
            "Server '{server}' requires a client capability that was not declared; 'upstream' \
             names it. A client that can answer such requests declares it in '_meta' of \
             POST {}/call, as 'io.modelcontextprotocol/clientCapabilities'",
            server_path(server)
        ),
        _ => {
            format!("Server '{server}' returned JSON-RPC error {code}; 'upstream' holds the error")
        }
    }
}

/// The memory limit for bodies, here or for a server.
pub(super) fn no_room(subject: &str) -> String {
    format!(
        "Memory limit for buffered bodies (limits.bufferedBytes) reached: no room for {subject}"
    )
}
