//! The MCP server behind `--demo`: five small tools over Streamable HTTP, in both eras on one stateless endpoint, so
//! that a fresh checkout has something correct to call and a load test an upstream that costs little.
//!
//! It is no framework for servers and shares nothing with the client in `mcp/`: written apart from it, it does not
//! repeat the client's mistakes.

use std::borrow::Cow;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{StatusCode, Uri};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, HttpServer, rt, web};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

/// Where the endpoint is mounted.
pub const PATH: &str = "/mcp";

const MODERN: &str = "2026-07-28";
const NEWEST_LEGACY: &str = "2025-11-25";
/// What a request that names no version speaks, by the specification.
const ASSUMED: &str = "2025-03-26";
const VERSIONS: [&str; 4] = [MODERN, NEWEST_LEGACY, "2025-06-18", ASSUMED];

const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;
const LISTS_LIVE_MS: u32 = 300_000;

/// One orange pixel as PNG.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4n8YAAAPNAWb9kSz2AAAAAElFTkSuQmCC";

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
        let result = Tagged {
            result_type,
            result,
        };
        Self {
            jsonrpc: "2.0",
            id,
            result,
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
    #[error("Unsupported protocol version: {0}")]
    UnsupportedVersion(String),
    #[error("Method not found: {1}")]
    UnknownMethod(Era, String),
}

impl Refusal {
    fn status_and_code(&self) -> (StatusCode, i32) {
        match self {
            Self::ForeignName => (StatusCode::FORBIDDEN, -32000),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, -32000),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, -32000),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, -32000),
            Self::BrokenJson(_) => (StatusCode::BAD_REQUEST, -32700),
            Self::NotOneMessage(_) => (StatusCode::BAD_REQUEST, -32600),
            Self::MalformedParams(_) => (StatusCode::BAD_REQUEST, -32602),
            Self::InvalidParams(_) => (StatusCode::OK, -32602),
            Self::HeaderMismatch(_) => (StatusCode::BAD_REQUEST, -32020),
            Self::UnsupportedVersion(_) => (StatusCode::BAD_REQUEST, -32022),
            Self::UnknownMethod(Era::Modern, _) => (StatusCode::NOT_FOUND, -32601),
            Self::UnknownMethod(Era::Legacy, _) => (StatusCode::OK, -32601),
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
    match &params.name {
        Some(name) if method == "tools/call" => check_mirrored(headers, "Mcp-Name", name),
        _ => Ok(()),
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

fn discover() -> Value {
    json!({
        "supportedVersions": VERSIONS,
        "capabilities": {"tools": {}},
        "ttlMs": LISTS_LIVE_MS,
        "cacheScope": "public",
        "_meta": {"io.modelcontextprotocol/serverInfo": server_info()},
    })
}

fn initialize(offered: Option<&str>) -> Value {
    let known = offered.filter(|version| *version != MODERN && VERSIONS.contains(version));
    json!({
        "protocolVersion": known.unwrap_or(NEWEST_LEGACY),
        "capabilities": {"tools": {}},
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

// === Tools ===

fn tools() -> Value {
    let hints = json!({"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false});
    let nothing = json!({"type": "object", "additionalProperties": false});
    json!([
        {"name": "echo", "title": "Echo", "description": "Returns the message unchanged",
         "inputSchema": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
         "annotations": hints},
        {"name": "add", "title": "Add",
         "description": "Adds two numbers: 64-bit integers exactly, others in double precision",
         "inputSchema": {
             "type": "object",
             "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
             "required": ["a", "b"]},
         "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
         "annotations": hints},
        {"name": "count_slowly", "title": "Count slowly",
         "description": "Counts from 1, waiting delayMs milliseconds before each step, and reports progress",
         "inputSchema": {
             "type": "object",
             "properties": {
                 "to": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
                 "delayMs": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 200}}},
         "annotations": hints},
        {"name": "pixel", "title": "Pixel", "description": "Returns an image of one orange pixel",
         "inputSchema": nothing, "annotations": hints},
        {"name": "fail", "title": "Fail",
         "description": "Always fails, to show what a tool's own error looks like",
         "inputSchema": nothing, "annotations": hints},
    ])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: [Content<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Value>,
    is_error: bool,
}

#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Content<'a> {
    Text { text: Text<'a> },
    Image { data: &'a str, mime_type: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    /// A JSON string of the request, escapes and all.
    AsSent(&'a RawValue),
    Own(String),
}

impl<'a> CallResult<'a> {
    fn new(content: Content<'a>) -> Self {
        Self {
            content: [content],
            structured_content: None,
            is_error: false,
        }
    }

    fn text(text: String) -> Self {
        let text = Text::Own(text);
        Self::new(Content::Text { text })
    }

    fn error(text: String) -> Self {
        Self {
            is_error: true,
            ..Self::text(text)
        }
    }
}

/// Runs a tool. An unknown name is a JSON-RPC error; what a tool itself objects to, its arguments first of all, is a
/// result with `isError`, so that a model reads the text and can correct itself.
fn call_tool(era: Era, id: &RawValue, params: &Params) -> Result<HttpResponse, Refusal> {
    let arguments = params.arguments.map_or("{}", RawValue::get);
    if !arguments.starts_with('{') {
        return Err(Refusal::InvalidParams("arguments must be an object".into()));
    }
    let outcome = match params.name.as_deref() {
        Some("echo") => echo(arguments),
        Some("add") => add(arguments),
        Some("count_slowly") => match Count::parse(arguments) {
            Ok(count) => return Ok(count_slowly(era, id, count, params.meta.progress_token)),
            Err(text) => Err(text),
        },
        Some("pixel") => Ok(CallResult::new(Content::Image {
            data: PIXEL,
            mime_type: "image/png",
        })),
        Some("fail") => Err("This tool always fails".into()),
        Some(unknown) => return Err(Refusal::InvalidParams(format!("Unknown tool: {unknown}"))),
        None => return Err(Refusal::InvalidParams("name is missing".into())),
    };
    let result = outcome.unwrap_or_else(CallResult::error);
    Ok(HttpResponse::Ok().json(Reply::new(era, id, result)))
}

fn parse_arguments<'a, T: Deserialize<'a>>(arguments: &'a str) -> Result<T, String> {
    from_object(arguments).map_err(|error| format!("Invalid arguments: {error}"))
}

fn echo(arguments: &str) -> Result<CallResult<'_>, String> {
    #[derive(Deserialize)]
    struct Echo<'a> {
        #[serde(borrow)]
        message: &'a RawValue,
    }
    let Echo { message } = parse_arguments(arguments)?;
    if !message.get().starts_with('"') {
        return Err("Invalid arguments: message must be a string".into());
    }
    let text = Text::AsSent(message);
    Ok(CallResult::new(Content::Text { text }))
}

fn add(arguments: &str) -> Result<CallResult<'_>, String> {
    #[derive(Deserialize)]
    struct Add {
        a: Number,
        b: Number,
    }
    let Add { a, b } = parse_arguments(arguments)?;
    let exact = || Number::from_i128(a.as_i128()? + b.as_i128()?);
    let rounded = || Number::from_f64(a.as_f64()? + b.as_f64()?);
    let sum = exact().or_else(rounded).ok_or("The sum is out of range")?;
    let structured = json!({"sum": sum});
    let result = CallResult::text(structured.to_string());
    Ok(CallResult {
        structured_content: Some(structured),
        ..result
    })
}

#[derive(Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Count {
    to: u64,
    delay_ms: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            to: 5,
            delay_ms: 200,
        }
    }
}

impl Count {
    fn parse(arguments: &str) -> Result<Self, String> {
        let count: Self = parse_arguments(arguments)?;
        if !(1..=20).contains(&count.to) || count.delay_ms > 1000 {
            return Err("Invalid arguments: to must be 1 to 20, delayMs 0 to 1000".into());
        }
        Ok(count)
    }
}

/// Streams the steps as they happen. Dropping the response, as actix does when the client has gone, ends the counting.
fn count_slowly(era: Era, id: &RawValue, count: Count, token: Option<&RawValue>) -> HttpResponse {
    let Count { to, delay_ms } = count;
    let token = token.filter(|token| is_id(token)).map(ToOwned::to_owned);
    let id = id.to_owned();
    let steps = stream::iter(1..=to).filter_map(move |step| {
        let progress = token
            .as_deref()
            .map(|token| progress_event(token, step, to));
        async move {
            rt::time::sleep(Duration::from_millis(delay_ms)).await;
            progress.map(Ok)
        }
    });
    let result = stream::once(async move {
        let result = CallResult::text(format!("Counted to {to}"));
        serde_json::to_string(&Reply::new(era, &id, result)).map(|json| event(&json))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .streaming(steps.chain(result))
}

fn progress_event(token: &RawValue, step: u64, total: u64) -> Bytes {
    event(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step},"total":{total},"message":"{step} of {total}"}}}}"#
    ))
}

fn event(json: &str) -> Bytes {
    format!("event: message\ndata: {json}\n\n").into()
}

#[cfg(test)]
#[expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpStream};

    use actix_web::http::Method;
    use awc::{Client, ClientRequest};

    use super::*;

    struct Answer {
        status: u16,
        /// Of an event stream the messages in order, as an array.
        body: Value,
    }

    impl Answer {
        fn refusal(&self) -> (u16, Option<i64>) {
            (self.status, self.body["error"]["code"].as_i64())
        }

        fn result(&self) -> &Value {
            &self.body["result"]
        }
    }

    fn spawn() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        rt::spawn(serve(listener).unwrap());
        url
    }

    fn post(url: &str) -> ClientRequest {
        let accept = "application/json, text/event-stream";
        let request = Client::default()
            .post(url)
            .insert_header((header::ACCEPT, accept));
        request.insert_header((header::CONTENT_TYPE, "application/json"))
    }

    async fn send(request: ClientRequest, body: impl Into<String>) -> Answer {
        let mut response = request.send_body(body.into()).await.unwrap();
        let status = response.status().as_u16();
        let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
        let body = if response.content_type() == "text/event-stream" {
            let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
            events
                .map(|data| serde_json::from_str::<Value>(data).unwrap())
                .collect()
        } else {
            serde_json::from_str(&text).unwrap_or(Value::String(text))
        };
        Answer { status, body }
    }

    /// Sends a correct request of that era.
    async fn ask(url: &str, era: Era, method: &str, mut params: Value) -> Answer {
        let mut request = post(url);
        if era == Era::Modern {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
            let name = params["name"].as_str().unwrap_or_default();
            let headers = [
                ("MCP-Protocol-Version", MODERN),
                ("Mcp-Method", method),
                ("Mcp-Name", name),
            ];
            request = headers
                .into_iter()
                .fold(request, ClientRequest::insert_header);
        }
        let body = json!({"jsonrpc": "2.0", "id": "a", "method": method, "params": params});
        send(request, body.to_string()).await
    }

    async fn call(url: &str, era: Era, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        ask(url, era, "tools/call", params).await.result().clone()
    }

    #[actix_rt::test]
    async fn the_modern_era_needs_no_handshake() {
        let url = spawn();
        let discovered = ask(&url, Era::Modern, "server/discover", json!({})).await;
        assert_eq!(discovered.result()["supportedVersions"], json!(VERSIONS));
        assert_eq!(discovered.result()["resultType"], "complete");
        for gone in ["initialize", "ping", "no/such"] {
            let answer = ask(&url, Era::Modern, gone, json!({})).await;
            assert_eq!(answer.refusal(), (404, Some(-32601)), "{gone}");
        }
    }

    #[actix_rt::test]
    async fn the_legacy_era_negotiates_and_pings() {
        let url = spawn();
        for (offered, agreed) in [
            ("2025-03-26", "2025-03-26"),
            ("2025-11-25", "2025-11-25"),
            ("2024-11-05", "2025-11-25"),
            (MODERN, "2025-11-25"),
        ] {
            let params = json!({"protocolVersion": offered, "capabilities": {}});
            let answer = ask(&url, Era::Legacy, "initialize", params).await;
            assert_eq!(answer.result()["protocolVersion"], agreed);
        }
        let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let accepted = send(post(&url), initialized).await;
        assert_eq!((accepted.status, accepted.body), (202, json!("")));
        let pong = ask(&url, Era::Legacy, "ping", json!({})).await;
        assert_eq!(
            pong.body,
            json!({"jsonrpc": "2.0", "id": "a", "result": {}})
        );
        let unknown = ask(&url, Era::Legacy, "server/discover", json!({})).await;
        assert_eq!(unknown.refusal(), (200, Some(-32601)));
    }

    #[actix_rt::test]
    async fn every_listed_tool_exists_and_no_other() {
        let url = spawn();
        for era in [Era::Legacy, Era::Modern] {
            let listed = ask(&url, era, "tools/list", json!({})).await;
            assert_eq!(
                listed.result()["ttlMs"] == LISTS_LIVE_MS,
                era == Era::Modern
            );
            for tool in listed.result()["tools"].as_array().unwrap() {
                let no_argument_fits = json!({"message": 1, "to": 0});
                let result =
                    call(&url, era, tool["name"].as_str().unwrap(), no_argument_fits).await;
                assert_eq!(result["isError"], tool["name"] != "pixel");
                assert_eq!(result["resultType"] == "complete", era == Era::Modern);
            }
            for (method, params) in [
                ("tools/list", json!({"cursor": ""})),
                ("tools/call", json!({"name": "no such"})),
                ("tools/call", json!({"name": "add", "arguments": [1, 2]})),
            ] {
                let answer = ask(&url, era, method, params).await;
                assert_eq!(answer.refusal(), (200, Some(-32602)), "{}", answer.body);
            }
        }
    }

    #[actix_rt::test]
    async fn add_keeps_integers_integers() {
        let url = spawn();
        for era in [Era::Legacy, Era::Modern] {
            let result = call(&url, era, "add", json!({"a": 2, "b": 3})).await;
            assert_eq!(result["structuredContent"].to_string(), r#"{"sum":5}"#);
            assert_eq!(result["content"][0]["text"], r#"{"sum":5}"#);
            let result = call(&url, era, "add", json!({"a": 0.5, "b": -2})).await;
            assert_eq!(result["structuredContent"]["sum"], -1.5);
            let result = call(&url, era, "add", json!({"a": 1e308, "b": 1e308})).await;
            assert_eq!(result["content"][0]["text"], "The sum is out of range");
        }
    }

    #[actix_rt::test]
    async fn echo_and_ids_keep_their_bytes() {
        let message = r#""\u00e9 é \/ \ud800""#;
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":12345678901234567890123,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":{message}}}}}}}"#
        );
        let mut response = post(&spawn()).send_body(body).await.unwrap();
        let expected = format!(
            r#"{{"jsonrpc":"2.0","id":12345678901234567890123,"result":{{"content":[{{"type":"text","text":{message}}}],"isError":false}}}}"#
        );
        assert_eq!(response.body().await.unwrap(), expected);
    }

    #[actix_rt::test]
    async fn pixel_is_a_png() {
        let result = call(&spawn(), Era::Modern, "pixel", json!({})).await;
        let image = &result["content"][0];
        assert_eq!(
            (&image["type"], &image["mimeType"]),
            (&json!("image"), &json!("image/png"))
        );
        let png = BASE64_STANDARD
            .decode(image["data"].as_str().unwrap())
            .unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xaeB`\x82"));
    }

    #[actix_rt::test]
    async fn counting_reports_progress_to_who_asks() {
        let url = spawn();
        for era in [Era::Legacy, Era::Modern] {
            let mut params = json!({"name": "count_slowly", "arguments": {"to": 2, "delayMs": 0}});
            let silent = ask(&url, era, "tools/call", params.clone()).await.body;
            assert_eq!(silent[0]["result"]["content"][0]["text"], "Counted to 2");
            params["_meta"] = json!({"progressToken": 7});
            let events = ask(&url, era, "tools/call", params).await.body;
            let last = json!({"progressToken": 7, "progress": 2, "total": 2, "message": "2 of 2"});
            assert_eq!(events[0]["params"]["progress"], 1);
            assert_eq!(events[1]["params"], last);
            assert_eq!(events[2]["id"], "a");
        }
    }

    #[actix_rt::test]
    async fn a_client_that_leaves_ends_the_counting() {
        let address = spawn().replace("http://", "").replace(PATH, "");
        let received = rt::task::spawn_blocking(move || {
            let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count_slowly"}}"#;
            let mut socket = TcpStream::connect(address).unwrap();
            write!(
                socket,
                "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n",
                body.len()
            )
            .unwrap();
            write!(socket, "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\r\n{body}").unwrap();
            let mut status_line = [0; 15];
            socket.read_exact(&mut status_line).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            let mut rest = String::new();
            socket.read_to_string(&mut rest).unwrap();
            (status_line, rest)
        });
        let (status_line, rest) = received.await.unwrap();
        assert_eq!(&status_line, b"HTTP/1.1 200 OK");
        assert!(!rest.contains("Counted"), "{rest}");
    }

    #[actix_rt::test]
    async fn refuses_what_http_forbids() {
        const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let url = spawn();
        for (name, value, status) in [
            ("Host", "attacker.example", 403),
            ("Host", "127.0.0.1.attacker.example:80", 403),
            ("Origin", "https://attacker.example", 403),
            ("Origin", "null", 403),
            ("Accept", "application/json", 406),
            ("Accept", "*/*", 406),
            ("Content-Type", "text/plain", 415),
            ("Host", "LOCALHOST:1", 200),
            ("Host", "[::1]:8080", 200),
            ("Origin", "http://localhost:3000", 200),
            ("Accept", "text/event-stream;q=0.5,Application/JSON", 200),
            ("Content-Type", "application/json; charset=utf-8", 200),
        ] {
            let answer = send(post(&url).insert_header((name, value)), PING).await;
            assert_eq!(answer.status, status, "{name}: {value}");
        }
        for method in [Method::GET, Method::DELETE] {
            let response = Client::default()
                .request(method, &url)
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers().get(header::ALLOW).unwrap(), "POST");
        }
        let oversize = " ".repeat(MAX_BODY_BYTES + 1);
        assert_eq!(send(post(&url), oversize).await.status, 413);
    }

    #[actix_rt::test]
    async fn refuses_what_is_no_message() {
        let url = spawn();
        for (body, code) in [
            ("", -32700),
            ("{", -32700),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, -32700),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32600),
            (r#"["2.0",1,"ping",{}]"#, -32600),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32600),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                -32602,
            ),
        ] {
            let answer = send(post(&url), body).await;
            assert_eq!(answer.refusal(), (400, Some(code)), "{body}");
        }
    }

    #[actix_rt::test]
    async fn modern_headers_must_agree_with_the_body() {
        let url = spawn();
        for (version, in_meta, method, name, status, code) in [
            (
                MODERN,
                MODERN,
                "tools/call",
                "=?base64?ZmFpbA==?=",
                200,
                None,
            ),
            (MODERN, MODERN, "tools/call", "echo", 400, Some(-32020)),
            (
                MODERN,
                MODERN,
                "tools/call",
                "=?base64?!?=",
                400,
                Some(-32020),
            ),
            (MODERN, MODERN, "tools/call", "", 400, Some(-32020)),
            (MODERN, MODERN, "tools/list", "fail", 400, Some(-32020)),
            (MODERN, MODERN, "", "fail", 400, Some(-32020)),
            ("", MODERN, "tools/call", "fail", 400, Some(-32020)),
            (
                "2025-11-25",
                MODERN,
                "tools/call",
                "fail",
                400,
                Some(-32020),
            ),
            (MODERN, "", "tools/call", "fail", 400, Some(-32602)),
            (
                "2099-01-01",
                "2099-01-01",
                "tools/call",
                "fail",
                400,
                Some(-32022),
            ),
            ("2099-01-01", "", "", "", 400, Some(-32022)),
            ("2025-06-18", "", "", "", 200, None),
        ] {
            let headers = [
                ("MCP-Protocol-Version", version),
                ("Mcp-Method", method),
                ("Mcp-Name", name),
            ];
            let sent = headers.into_iter().filter(|(_, value)| !value.is_empty());
            let mut params = json!({"name": "fail", "_meta": {"io.modelcontextprotocol/clientCapabilities": {}}});
            if !in_meta.is_empty() {
                params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(in_meta);
            }
            let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            let answer = send(
                sent.fold(post(&url), ClientRequest::insert_header),
                body.to_string(),
            )
            .await;
            assert_eq!(
                answer.refusal(),
                (status, code),
                "{headers:?}, _meta {in_meta}"
            );
            if code == Some(-32022) {
                let versions = json!({"supported": VERSIONS, "requested": version});
                assert_eq!(answer.body["error"]["data"], versions);
            }
        }
    }

    #[actix_rt::test]
    async fn modern_requests_declare_their_capabilities() {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"{MODERN}"}}}}}}"#
        );
        let request = post(&spawn()).insert_header(("MCP-Protocol-Version", MODERN));
        let request = request.insert_header(("Mcp-Method", "server/discover"));
        assert_eq!(send(request, body).await.refusal(), (400, Some(-32602)));
    }
}
