//! The MCP server behind `--demo`: six small tools, two resources and a prompt over Streamable HTTP, in both eras on one stateless
//! endpoint, so that a fresh checkout has a correct server to call and a load test a cheap upstream.
//!
//! It is no framework for servers and, but for the codes of JSON-RPC, shares nothing with the client in `mcp/`, so that a bug in the
//! client is not hidden by the same bug here. Here is HTTP and the dispatch of methods; messages are in `demo/message.rs`.

mod capabilities;
mod message;
mod tools;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::demo::message::{
    ASSUMED, Era, LISTS_LIVE_MS, MAX_BODY_BYTES, MODERN, Message, Meta, NEWEST_LEGACY, Params,
    Refusal, Reply, VERSIONS, from_object,
};
use crate::demo::tools::{call_tool, tools};

/// Where the endpoint is mounted.
pub const PATH: &str = "/mcp";

/// Serves the demo MCP server on `listener` (endpoint [`PATH`]) until the returned server is stopped.
///
/// Nothing runs before the server is awaited or spawned on an actix runtime. Fails when the listener cannot be used.
pub fn serve(listener: TcpListener) -> std::io::Result<Server> {
    let app = || App::new().service(web::resource(PATH).route(web::post().to(post)));
    let server = HttpServer::new(app)
        .workers(1)
        .tcp_nodelay(true)
        // Otherwise `count_slowly` goes on counting after its client has disconnected.
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)?;
    Ok(server.run())
}

// === HTTP ===

async fn post(request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let body = match read_body(&request, payload).await {
        Ok(body) => body,
        Err(refusal) => return refusal.reply(None),
    };
    match Message::parse(&body) {
        Ok(message) => {
            answer(request.headers(), &message).unwrap_or_else(|refusal| refusal.reply(message.id))
        }
        Err(refusal) => refusal.reply(None),
    }
}

async fn read_body(request: &HttpRequest, payload: web::Payload) -> Result<Bytes, Refusal> {
    let headers = request.headers();
    // A page of a name rebound to 127.0.0.1 still sends that name as Host, and its own origin.
    if !headers.get(header::HOST).is_some_and(names_loopback)
        || !headers.get_all(header::ORIGIN).all(names_loopback)
    {
        return Err(Refusal::ForeignName);
    }
    if !accepts(headers, "application/json") || !accepts(headers, "text/event-stream") {
        return Err(Refusal::NotAcceptable);
    }
    if !request
        .content_type()
        .eq_ignore_ascii_case("application/json")
    {
        return Err(Refusal::MediaType);
    }
    match payload.to_bytes_limited(MAX_BODY_BYTES).await {
        Ok(body) => body.map_err(|error| Refusal::BrokenJson(error.to_string())),
        Err(_over_limit) => Err(Refusal::TooLarge),
    }
}

/// Whether a `Host` or `Origin` points at this machine; an opaque origin (`null`) does not.
fn names_loopback(value: &HeaderValue) -> bool {
    let uri = Uri::try_from(value.as_bytes()).unwrap_or_default();
    let host = uri.host().unwrap_or_default();
    host == "127.0.0.1" || host == "[::1]" || host.eq_ignore_ascii_case("localhost")
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let lists = headers
        .get_all(header::ACCEPT)
        .filter_map(|value| value.to_str().ok());
    let mut ranges = lists
        .flat_map(|list| list.split(','))
        .filter_map(|range| range.split(';').next());
    ranges.any(|range| range.trim().eq_ignore_ascii_case(media_type))
}

// === MCP ===

fn answer(headers: &HeaderMap, message: &Message) -> Result<HttpResponse, Refusal> {
    let params = message.params.map_or("{}", RawValue::get);
    let params: Params = from_object(params).map_err(Refusal::MalformedParams)?;
    let era = era(headers, &params.meta)?;
    let Some(id) = message.id else {
        return Ok(HttpResponse::Accepted().finish());
    };
    if era == Era::Modern {
        check_modern(headers, &message.method, &params)?;
    }
    let result = match (era, message.method.as_ref()) {
        (Era::Modern, "server/discover") => discover(),
        (Era::Legacy, "initialize") => initialize(params.protocol_version.as_deref()),
        (Era::Legacy, "ping") => json!({}),
        (_, "tools/list") => list_tools(era, &params)?,
        (_, "resources/list") => capabilities::list_resources(era),
        (_, "resources/templates/list") => capabilities::list_templates(era),
        (_, "resources/read") => capabilities::read_resource(era, &params)?,
        (_, "prompts/list") => capabilities::list_prompts(era),
        (_, "prompts/get") => capabilities::get_prompt(&params)?,
        (_, "completion/complete") => capabilities::complete(&params)?,
        (_, "tools/call") => return call_tool(era, id, &params),
        (_, unknown) => return Err(Refusal::UnknownMethod(era, unknown.into())),
    };
    Ok(HttpResponse::Ok().json(Reply::new(era, id, result)))
}

/// The era of the version that the header and `_meta` name, in agreement or one alone.
fn era(headers: &HeaderMap, meta: &Meta) -> Result<Era, Refusal> {
    let header = headers
        .get("mcp-protocol-version")
        .map(|value| value.to_str().unwrap_or_default());
    let version = match (header, meta.protocol_version.as_deref()) {
        (Some(header), Some(meta)) if header != meta => {
            return Err(Refusal::HeaderMismatch("MCP-Protocol-Version"));
        }
        (header, meta) => header.or(meta).unwrap_or(ASSUMED),
    };
    match version {
        MODERN => Ok(Era::Modern),
        known if VERSIONS.contains(&known) => Ok(Era::Legacy),
        unknown => Err(Refusal::UnsupportedVersion(unknown.into())),
    }
}

/// What a request of the modern era must carry beside its method and parameters.
fn check_modern(headers: &HeaderMap, method: &str, params: &Params) -> Result<(), Refusal> {
    let capabilities = params.meta.client_capabilities.map(RawValue::get);
    let declares_capabilities = capabilities.is_some_and(|json| json.starts_with('{'));
    if params.meta.protocol_version.is_none() || !declares_capabilities {
        let text =
            "_meta must hold io.modelcontextprotocol/protocolVersion and .../clientCapabilities";
        return Err(Refusal::MalformedParams(text.into()));
    }
    check_mirrored(headers, "MCP-Protocol-Version", MODERN)?;
    check_mirrored(headers, "Mcp-Method", method)?;
    let mirrored = match method {
        "tools/call" | "prompts/get" => &params.name,
        "resources/read" => &params.uri,
        _ => &None,
    };
    match mirrored {
        Some(name) => check_mirrored(headers, "Mcp-Name", name),
        None => Ok(()),
    }
}

fn check_mirrored(headers: &HeaderMap, name: &'static str, in_body: &str) -> Result<(), Refusal> {
    match headers.get(name).and_then(decode_header) {
        Some(sent) if sent == in_body => Ok(()),
        _ => Err(Refusal::HeaderMismatch(name)),
    }
}

/// A plain value, or the UTF-8 inside `=?base64?...?=`; `None` when it is neither.
fn decode_header(value: &HeaderValue) -> Option<Cow<'_, str>> {
    let text = value.to_str().ok()?;
    let Some(encoded) = text
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Some(text.into());
    };
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn server_info() -> Value {
    json!({"name": "mcp-rest-demo", "title": "mcp-rest demo", "version": env!("CARGO_PKG_VERSION")})
}

fn capabilities() -> Value {
    json!({"tools": {}, "resources": {}, "prompts": {}, "completions": {}})
}

fn discover() -> Value {
    json!({
        "supportedVersions": VERSIONS,
        "capabilities": capabilities(),
        "ttlMs": LISTS_LIVE_MS,
        "cacheScope": "public",
        "_meta": {"io.modelcontextprotocol/serverInfo": server_info()},
    })
}

fn initialize(offered: Option<&str>) -> Value {
    let known = offered.filter(|version| *version != MODERN && VERSIONS.contains(version));
    json!({
        "protocolVersion": known.unwrap_or(NEWEST_LEGACY),
        "capabilities": capabilities(),
        "serverInfo": server_info(),
    })
}

fn list_tools(era: Era, params: &Params) -> Result<Value, Refusal> {
    if params.cursor.is_some() {
        let text = "Invalid cursor: the list has one page";
        return Err(Refusal::InvalidParams(text.into()));
    }
    Ok(match era {
        Era::Modern => json!({"tools": tools(), "ttlMs": LISTS_LIVE_MS, "cacheScope": "public"}),
        Era::Legacy => json!({"tools": tools()}),
    })
}
