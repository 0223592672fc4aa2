//! The MCP server behind `--demo`: six small tools, two resources and a prompt over Streamable HTTP, in both eras on one stateless
//! endpoint, so that a fresh checkout has something correct to call and a load test an upstream that costs little.
//!
//! It is no framework for servers and shares nothing with the client in `mcp/`: written apart from it, it does not
//! repeat the client's mistakes.

mod offers;
mod tools;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::net::TcpListener;

use actix_web::dev::Server;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::demo::tools::{call_tool, tools};
use crate::mcp::protocol::codes;

/// Where the endpoint is mounted.
pub const PATH: &str = "/mcp";

const MODERN: &str = "2026-07-28";
const NEWEST_LEGACY: &str = "2025-11-25";
/// What a request that names no version speaks, by the specification.
const ASSUMED: &str = "2025-03-26";
const VERSIONS: [&str; 4] = [MODERN, NEWEST_LEGACY, "2025-06-18", ASSUMED];

const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
const LISTS_LIVE_MS: u32 = 300_000;

/// Serves the demo MCP server on `listener` (endpoint [`PATH`]) until the returned server is stopped.
///
/// Nothing runs before the server is awaited or spawned on an actix runtime. Fails when the listener cannot be used.
pub fn serve(listener: TcpListener) -> std::io::Result<Server> {
    let app = || App::new().service(web::resource(PATH).route(web::post().to(post)));
    let server = HttpServer::new(app)
        .workers(1)
        .tcp_nodelay(true)
        // Otherwise `count_slowly` goes on counting for a client that has gone.
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

// === JSON-RPC ===

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    /// `None` makes it a notification.
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// What this server reads out of any method's `params`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Params<'a> {
    #[serde(borrow, default, rename = "_meta")]
    meta: Meta<'a>,
    protocol_version: Option<String>,
    cursor: Option<IgnoredAny>,
    name: Option<String>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    input_responses: Option<&'a RawValue>,
    request_state: Option<String>,
    uri: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<Reference>,
    argument: Option<Argument>,
}

/// What is to be completed: an argument of a prompt, or a variable of a template.
#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    uri: Option<String>,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
struct Meta<'a> {
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    protocol_version: Option<String>,
    #[serde(borrow, rename = "io.modelcontextprotocol/clientCapabilities")]
    client_capabilities: Option<&'a RawValue>,
    #[serde(borrow, rename = "progressToken")]
    progress_token: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    fn parse(body: &'a [u8]) -> Result<Self, Refusal> {
        let json: &RawValue =
            serde_json::from_slice(body).map_err(|error| Refusal::BrokenJson(error.to_string()))?;
        let message: Self = from_object(json.get()).map_err(Refusal::NotOneMessage)?;
        if message.jsonrpc != "2.0" || !message.id.is_none_or(is_id) {
            let text = "jsonrpc must be \"2.0\" and id a string or a number";
            return Err(Refusal::NotOneMessage(text.into()));
        }
        Ok(message)
    }
}

/// Keeps `null` apart from an absent member: a request with a null id is an error, not a notification.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Whether this is a string or a number, as ids and progress tokens are.
fn is_id(json: &RawValue) -> bool {
    json.get()
        .starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit())
}

/// serde takes a struct from an array too; JSON-RPC and MCP mean objects.
fn from_object<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, String> {
    if !json.starts_with('{') {
        return Err("expected an object".into());
    }
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Reply<'a, R> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: Tagged<R>,
}

/// A result with the discriminator that the modern era adds.
#[derive(Serialize)]
struct Tagged<R> {
    #[serde(rename = "resultType", skip_serializing_if = "Option::is_none")]
    result_type: Option<&'static str>,
    #[serde(flatten)]
    result: R,
}

impl<'a, R: Serialize> Reply<'a, R> {
    fn new(era: Era, id: &'a RawValue, result: R) -> Self {
        let result_type = (era == Era::Modern).then_some("complete");
        Self::tagged(result_type, id, result)
    }

    /// Not the result yet, but what the client must answer first (2026-07-28).
    fn input_required(id: &'a RawValue, result: R) -> Self {
        Self::tagged(Some("input_required"), id, result)
    }

    fn tagged(result_type: Option<&'static str>, id: &'a RawValue, result: R) -> Self {
        Self {
            jsonrpc: "2.0",
            id,
            result: Tagged {
                result_type,
                result,
            },
        }
    }
}

/// Every answer that is not a result.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("Host, and Origin if there is one, must be a loopback name")]
    ForeignName,
    #[error("Accept must list both application/json and text/event-stream")]
    NotAcceptable,
    #[error("Content-Type must be application/json")]
    MediaType,
    #[error("The body is larger than {MAX_BODY_BYTES} bytes")]
    TooLarge,
    #[error("The body is not JSON: {0}")]
    BrokenJson(String),
    #[error("The body must be one JSON-RPC request or notification: {0}")]
    NotOneMessage(String),
    #[error("Malformed params: {0}")]
    MalformedParams(String),
    #[error("{0}")]
    InvalidParams(String),
    #[error("{0} is missing or disagrees with the body")]
    HeaderMismatch(&'static str),
    #[error("The client must be able to answer: {0}")]
    MissingCapability(&'static str),
    #[error("Unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    #[error("Resource not found")]
    UnknownResource(Era, String),
    #[error("Method not found: {1}")]
    UnknownMethod(Era, String),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, i64) {
        match self {
            Self::ForeignName => (StatusCode::FORBIDDEN, codes::IMPLEMENTATION_DEFINED),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, codes::IMPLEMENTATION_DEFINED),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                codes::IMPLEMENTATION_DEFINED,
            ),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, codes::IMPLEMENTATION_DEFINED),
            Self::BrokenJson(_) => (StatusCode::BAD_REQUEST, codes::PARSE_ERROR),
            Self::NotOneMessage(_) => (StatusCode::BAD_REQUEST, codes::INVALID_REQUEST),
            Self::MalformedParams(_) => (StatusCode::BAD_REQUEST, codes::INVALID_PARAMS),
            Self::InvalidParams(_) | Self::UnknownResource(Era::Modern, _) => {
                (StatusCode::OK, codes::INVALID_PARAMS)
            }
            Self::HeaderMismatch(_) => (StatusCode::BAD_REQUEST, codes::HEADER_MISMATCH),
            Self::MissingCapability(_) => (StatusCode::BAD_REQUEST, codes::MISSING_CAPABILITY),
            Self::UnsupportedVersion(_) => (StatusCode::BAD_REQUEST, codes::UNSUPPORTED_VERSION),
            Self::UnknownResource(Era::Legacy, _) => (StatusCode::OK, codes::RESOURCE_NOT_FOUND),
            Self::UnknownMethod(Era::Modern, _) => (StatusCode::NOT_FOUND, codes::METHOD_NOT_FOUND),
            Self::UnknownMethod(Era::Legacy, _) => (StatusCode::OK, codes::METHOD_NOT_FOUND),
        }
    }

    fn reply(&self, id: Option<&RawValue>) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let id = id.unwrap_or(RawValue::NULL);
        let message = self.to_string();
        let error = match self {
            Self::UnsupportedVersion(requested) => {
                let data = json!({"supported": VERSIONS, "requested": requested});
                json!({"code": code, "message": message, "data": data})
            }
            Self::UnknownResource(_, uri) => {
                json!({"code": code, "message": message, "data": {"uri": uri}})
            }
            Self::MissingCapability(capability) => {
                let data = json!({"requiredCapabilities": {*capability: {}}});
                json!({"code": code, "message": message, "data": data})
            }
            _ => json!({"code": code, "message": message}),
        };
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
        HttpResponse::build(status)
            .content_type("application/json")
            .body(body)
    }
}

// === MCP ===

#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    Legacy,
    Modern,
}

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
        (_, "resources/list") => offers::list_resources(era),
        (_, "resources/templates/list") => offers::list_templates(era),
        (_, "resources/read") => offers::read_resource(era, &params)?,
        (_, "prompts/list") => offers::list_prompts(era),
        (_, "prompts/get") => offers::get_prompt(&params)?,
        (_, "completion/complete") => offers::complete(&params)?,
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

/// A plain value as it is, or the UTF-8 inside `=?base64?...?=`; `None` when it is neither.
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
