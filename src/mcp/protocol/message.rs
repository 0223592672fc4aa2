//! JSON-RPC 2.0 as MCP uses it: requests and notifications going out, replies coming in.
//!
//! A result is never parsed into a tree and printed again: it stays the slice of the body it arrived in. What is
//! read of it is only what the protocol asks a client to look at ([`Marks`]). Framing (JSON body or SSE) is not
//! done here; see `transport` and `sse`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::{memchr2, memmem};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::json;
use crate::json::{Members, Text, for_each_element};
use crate::mcp::protocol::codes;

/// Requests of a server whose ids are longer, in JSON, are not answered.
const LONGEST_ID: usize = 1024;

/// The JSON-RPC id of one request: 128 random bits in hex.
///
/// Random, because replicas of this service may send requests into the same session at the same time, and ids that
/// count from one would collide there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(String);

/// The `params` of a request, in the members this service sends.
#[derive(Debug, Default, Clone, Copy)]
pub struct Params<'a> {
    /// `initialize`: the newest revision offered, with capabilities (always `{}`; declaring nothing keeps servers from
    /// asking for anything) and who this client is.
    pub protocol_version: Option<&'a str>,
    /// `tools/call`, `prompts/get`: the tool or the prompt.
    pub name: Option<&'a str>,
    /// `resources/read`: the resource.
    pub uri: Option<&'a str>,
    /// `tools/call`, `prompts/get`: the arguments object, byte for byte as the caller wrote it.
    pub arguments: Option<&'a RawValue>,
    /// Lists: where the page starts. An empty cursor is legal and is sent.
    pub cursor: Option<&'a str>,
    /// A repeated call (2026-07-28): what the server asked for, byte for byte.
    pub input_responses: Option<&'a RawValue>,
    /// A repeated call (2026-07-28): the state the server handed out, byte for byte.
    pub request_state: Option<&'a RawValue>,
    /// Whatever else the caller wants sent, under its own names.
    pub others: Option<&'a Members<'a>>,
    /// Request metadata; see [`Meta`].
    pub meta: Option<Meta<'a>>,
}

/// `{}`.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct NoCapabilities {}

/// The name and version this client gives to servers.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct ClientInfo {
    name: &'static str,
    version: &'static str,
}

/// `params._meta`: the caller's members first, then, for a modern server, those the revision demands.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// The caller's `_meta` object, if it gave one (already checked to be an object).
    pub callers: Option<&'a RawValue>,
    /// Whether the 2026-07-28 members are added.
    pub modern: bool,
    /// Asks for notifications while the request runs: the token that those of progress are to carry. A modern server
    /// sends its log only to who asks for it. What the caller says itself stands.
    pub progress_token: Option<&'a str>,
}

/// One message of the other side, as far as a client must look into it.
#[derive(Debug, serde::Deserialize)]
pub struct Incoming<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "json::present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// A message of the other side that concerns one request: what [`read`] finds in an event.
#[derive(Debug, Clone)]
pub enum Message {
    /// The answer to the request.
    Answer(Answer),
    /// A request of the server's own, which wants an answer from us.
    Request(ServerRequest),
    /// An error that names no request. It is the answer if no other comes.
    Unaddressed(RpcError),
    /// Something the server tells while the request runs.
    Notification(Notification),
}

/// A notification from a server, as far as it is of use to a caller who waits for an answer.
#[derive(Debug, Clone)]
pub struct Notification {
    /// `method`, without the quotes.
    pub method: Bytes,
    /// `params`, as the slice of the stream they arrived in; empty where there are none.
    pub params: Bytes,
}

/// A request from a server (`ping`, `sampling/createMessage`, `elicitation/create`, `roots/list`, ...).
#[derive(Debug, Clone)]
pub struct ServerRequest {
    id: Box<RawValue>,
    is_ping: bool,
}

/// What a server answered to a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// The `result`, as the slice of the body it arrived in.
    Result(Bytes),
    /// The `error` object.
    Error(RpcError),
}

/// What [`find_lone_answer`] finds.
#[derive(Debug, Clone)]
pub enum Lone {
    /// The answer.
    Answer(Answer),
    /// The answer to another request.
    OfAnother,
    /// No answer to anything.
    Nothing,
}

/// A JSON-RPC error object. Codes are not limited to the reserved range (seen: 0, -32800).
#[derive(Debug, Clone)]
pub struct RpcError {
    /// `code`.
    pub code: i64,
    /// `message` as the slice of the body it arrived in, a JSON string; empty if there is none. Never used to decide anything.
    message: Bytes,
    /// `data`, the same; empty if there is none.
    data: Bytes,
    /// Whatever it says, it does not prove that its request was not carried out: it came after other messages on the stream, or
    /// it names no request.
    pub is_doubtful: bool,
}

/// The members of a result that the protocol gives a meaning to.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Marks<'a> {
    #[serde(borrow)]
    is_error: Option<&'a RawValue>,
    #[serde(borrow)]
    result_type: Option<&'a RawValue>,
}

/// A body or event that is no JSON-RPC message at all. Says where it stops being one, not what stands there.
#[derive(Debug, thiserror::Error)]
#[error("no JSON-RPC message ({kind} at line {line}, column {column})", kind = json::kind_of(.0), line = .0.line(), column = .0.column())]
pub struct NotAMessage(#[from] serde_json::Error);

// === impl Id ===

impl Id {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(random_hex())
    }

    /// The id as it goes over the wire, without the quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `raw` is this id: a JSON string with these characters. The number `1` is not the string `"1"`.
    fn is(&self, raw: &RawValue) -> bool {
        let raw = raw.get();
        let as_written = raw
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .is_some_and(|inner| inner == self.0);
        as_written || serde_json::from_str::<Cow<'_, str>>(raw).is_ok_and(|id| id == self.0)
    }
}

impl From<&str> for Id {
    /// An id of the caller's choice, for whoever plays both sides.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// 128 random bits as 32 hexadecimal digits. Unlike `{:032x}` it costs next to nothing, and every request needs two.
pub fn random_hex() -> String {
    let bits: u128 = rand::random();
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_ne_bytes()) {
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
        }
    }
    String::from_utf8_lossy(&digits).into_owned()
}

// === impl Params ===

impl<'a> Params<'a> {
    /// `initialize`, offering `version`.
    pub fn initialize(version: &'a str) -> Self {
        Self {
            protocol_version: Some(version),
            ..Self::default()
        }
    }

    /// Whether there is nothing to send.
    fn is_empty(&self) -> bool {
        self.protocol_version.is_none()
            && self.name.is_none()
            && self.uri.is_none()
            && self.arguments.is_none()
            && self.cursor.is_none()
            && self.others.is_none()
            && self.meta.is_none()
    }
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(version) = self.protocol_version {
            map.serialize_entry("protocolVersion", version)?;
            map.serialize_entry("capabilities", &NoCapabilities {})?;
            map.serialize_entry("clientInfo", &ClientInfo::OURS)?;
        }
        for (name, text) in [
            ("name", self.name),
            ("uri", self.uri),
            ("cursor", self.cursor),
        ] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        for (name, raw) in [
            ("arguments", self.arguments),
            ("inputResponses", self.input_responses),
            ("requestState", self.request_state),
        ] {
            if let Some(raw) = raw {
                map.serialize_entry(name, raw)?;
            }
        }
        for (name, raw) in self.others.iter().flat_map(|others| &others.0) {
            map.serialize_entry(name, raw)?;
        }
        if let Some(meta) = &self.meta {
            map.serialize_entry("_meta", meta)?;
        }
        map.end()
    }
}

impl ClientInfo {
    const OURS: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
}

// === impl Meta ===

/// The prefix of the members the 2026-07-28 revision gives a meaning to.
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const PROGRESS_TOKEN: &str = "progressToken";

/// What every modern request carries, written once.
static OURS_ALONE: LazyLock<Box<RawValue>> = LazyLock::new(|| {
    let written = format!(
        r#"{{"{PROTOCOL_VERSION}":"{}","{CLIENT_CAPABILITIES}":{{}},"{CLIENT_INFO}":{{"name":"{}","version":"{}"}}}}"#,
        crate::mcp::protocol::era::MODERN,
        ClientInfo::OURS.name,
        ClientInfo::OURS.version,
    );
    RawValue::from_string(written).unwrap_or_default()
});

impl Serialize for Meta<'_> {
    /// The protocol version is always ours, for it must equal the header. Capabilities and client info are the
    /// caller's where it gives them: who answers `inputRequests` may say what it can answer. A legacy server gets
    /// none of the four, for a dual-era one would take them as the sign of a modern request.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.callers.is_none() && self.modern && self.progress_token.is_none() {
            return OURS_ALONE.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        let (mut capabilities, mut info) = (false, false);
        let (mut token, mut level) = (false, false);
        if let Some(raw) = self.callers {
            let members: Members<'_> =
                serde_json::from_str(raw.get()).map_err(serde::ser::Error::custom)?;
            for (name, value) in &members.0 {
                match name.as_ref() {
                    PROTOCOL_VERSION => continue,
                    CLIENT_CAPABILITIES | CLIENT_INFO | LOG_LEVEL if !self.modern => continue,
                    CLIENT_CAPABILITIES => capabilities = true,
                    CLIENT_INFO => info = true,
                    LOG_LEVEL => level = true,
                    PROGRESS_TOKEN => token = true,
                    _ => {}
                }
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(ours) = self.progress_token {
            if !token {
                map.serialize_entry(PROGRESS_TOKEN, ours)?;
            }
            if self.modern && !level {
                map.serialize_entry(LOG_LEVEL, "info")?;
            }
        }
        if self.modern {
            map.serialize_entry(PROTOCOL_VERSION, crate::mcp::protocol::era::MODERN)?;
            if !capabilities {
                map.serialize_entry(CLIENT_CAPABILITIES, &NoCapabilities {})?;
            }
            if !info {
                map.serialize_entry(CLIENT_INFO, &ClientInfo::OURS)?;
            }
        }
        map.end()
    }
}

// === encoding ===

/// A request or, without an id, a notification:
/// `{"jsonrpc":"2.0","id":"...","method":"...","params":{...}}`.
pub fn encode(
    id: Option<&Id>,
    method: &str,
    params: &Params<'_>,
) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(serde::Serialize)]
    struct Outgoing<'a> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        method: &'a str,
        #[serde(skip_serializing_if = "Params::is_empty")]
        params: &'a Params<'a>,
    }
    let arguments = params.arguments.map_or(0, |raw| raw.get().len());
    let mut bytes = Vec::with_capacity(arguments + 384);
    serde_json::to_writer(
        &mut bytes,
        &Outgoing {
            jsonrpc: "2.0",
            id: id.map(Id::as_str),
            method,
            params,
        },
    )?;
    Ok(bytes)
}

/// `notifications/cancelled`: whoever waited for the answer to `id` does not wait any more.
pub fn cancelled(id: &Id) -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":"{}","reason":"nobody waits for the answer any more"}}}}"#,
        id.as_str()
    )
    .into_bytes()
}

// === decoding ===

/// What an event holds that concerns the request `id`: one message, or an array of them (2025-03-26). Answers to other
/// requests, and what is no message at all are passed over. Reading goes on for as long as `take` wants more.
pub fn read(event: &Bytes, id: &Id, mut take: impl FnMut(Message) -> bool) {
    let mut wants_more = true;
    let mut read_one = |raw: &[u8]| {
        if !wants_more {
            return;
        }
        let message = serde_json::from_slice::<Incoming<'_>>(raw).ok();
        let message = message.and_then(|incoming| incoming.concerning(id, event));
        wants_more = message.is_none_or(&mut take);
    };
    if !json::is_array(event) {
        return read_one(event);
    }
    // What is no array is no message either.
    let _ = for_each_element(event, |member| read_one(member.get().as_bytes()));
}

/// What a JSON body holds that replies to one request alone. An error there that names no request is the answer; one that
/// names another is not.
pub fn find_lone_answer(body: &Bytes, id: &Id) -> Result<Lone, NotAMessage> {
    if !json::is_array(body) {
        let message: Incoming<'_> = serde_json::from_slice(body)?;
        return message.lone(id, body);
    }
    let mut found = Ok(Lone::Nothing);
    for_each_element(body, |member| {
        if matches!(found, Err(_) | Ok(Lone::Answer(_))) {
            return;
        }
        let message = serde_json::from_str::<Incoming<'_>>(member.get());
        match message
            .map_err(NotAMessage::from)
            .and_then(|message| message.lone(id, body))
        {
            Ok(Lone::Nothing) => {}
            other => found = other,
        }
    })?;
    found
}

impl Incoming<'_> {
    fn lone(&self, id: &Id, body: &Bytes) -> Result<Lone, NotAMessage> {
        let is_ours = match self.addressee() {
            Some(raw) => id.is(raw),
            None => self.error.is_some() && self.result.is_none(),
        };
        if !is_ours {
            return Ok(if self.is_answer() {
                Lone::OfAnother
            } else {
                Lone::Nothing
            });
        }
        Ok(match self.answer(body)? {
            Some(Answer::Error(error)) => Lone::Answer(Answer::Error(RpcError {
                is_doubtful: self.addressee().is_none(),
                ..error
            })),
            Some(answer) => Lone::Answer(answer),
            None => Lone::Nothing,
        })
    }

    fn is_answer(&self) -> bool {
        self.result.is_some() || self.error.is_some()
    }

    /// The id of the request that this is about. Servers that cannot say so write `null`, nothing, or `"server-error"` (Python
    /// SDK 1).
    fn addressee(&self) -> Option<&RawValue> {
        self.id
            .filter(|raw| self.error.is_none() || raw.get() != r#""server-error""#)
    }

    fn concerning(&self, id: &Id, body: &Bytes) -> Option<Message> {
        let Some(raw) = self.addressee() else {
            return self.unaddressed(body).or_else(|| self.notification(body));
        };
        if id.is(raw) {
            return self.answer(body).ok().flatten().map(Message::Answer);
        }
        let is_answer = self.is_answer();
        match self.method {
            // No client is asked by a name as long as that, and the answer would repeat it.
            Some(method) if !is_answer && raw.get().len() <= LONGEST_ID => {
                Some(Message::Request(ServerRequest {
                    id: raw.to_owned(),
                    is_ping: method.get() == r#""ping""#,
                }))
            }
            _ => None,
        }
    }

    /// The error of a message whose id is `null` or missing.
    fn unaddressed(&self, body: &Bytes) -> Option<Message> {
        let mut error = RpcError::read(self.error?, body).ok()?;
        error.is_doubtful = true;
        Some(Message::Unaddressed(error))
    }

    fn notification(&self, body: &Bytes) -> Option<Message> {
        // A method with escapes is none that anybody knows.
        let method = self.method?.get().strip_prefix('"')?.strip_suffix('"')?;
        if memchr2(b'"', b'\\', method.as_bytes()).is_some() {
            return None;
        }
        Some(Message::Notification(Notification {
            method: body.slice_ref(method.as_bytes()),
            params: self
                .params
                .map_or_else(Bytes::new, |params| body.slice_ref(params.get().as_bytes())),
        }))
    }

    fn answer(&self, body: &Bytes) -> Result<Option<Answer>, NotAMessage> {
        if let Some(error) = self.error {
            return Ok(Some(Answer::Error(RpcError::read(error, body)?)));
        }
        Ok(self
            .result
            .map(|raw| Answer::Result(body.slice_ref(raw.get().as_bytes()))))
    }
}

// === impl RpcError ===

impl RpcError {
    /// The error object `raw` of a message in `body`.
    fn read(raw: &RawValue, body: &Bytes) -> Result<Self, serde_json::Error> {
        #[derive(serde::Deserialize)]
        struct Object<'a> {
            code: i64,
            #[serde(borrow)]
            message: Option<&'a RawValue>,
            #[serde(borrow)]
            data: Option<&'a RawValue>,
        }
        let object: Object<'_> = serde_json::from_str(raw.get())?;
        if let Some(message) = object.message {
            serde_json::from_str::<Text<'_>>(message.get())?;
        }
        let slice = |raw: &RawValue| body.slice_ref(raw.get().as_bytes());
        Ok(Self {
            code: object.code,
            message: object.message.map_or_else(Bytes::new, slice),
            data: object.data.map_or_else(Bytes::new, slice),
            is_doubtful: false,
        })
    }

    /// What the server says: a JSON string.
    pub fn message(&self) -> &RawValue {
        static EMPTY: LazyLock<Box<RawValue>> =
            LazyLock::new(|| RawValue::from_string("\"\"".into()).unwrap_or_default());
        serde_json::from_slice(&self.message).unwrap_or(&EMPTY)
    }

    /// What it adds, untouched.
    pub fn data(&self) -> Option<&RawValue> {
        serde_json::from_slice(&self.data).ok()
    }

    /// The bytes that both lie in.
    pub fn slices(&self) -> [Bytes; 2] {
        [self.message.clone(), self.data.clone()]
    }
}

// === impl Notification ===

impl Notification {
    /// Whether it is about a request whose progress carries another token.
    pub fn is_of_another(&self, token: &[u8]) -> bool {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Progress<'a> {
            #[serde(borrow)]
            progress_token: Option<&'a RawValue>,
        }
        if self.method != "notifications/progress" {
            return false;
        }
        let progress = serde_json::from_slice::<Progress<'_>>(&self.params).ok();
        let theirs = progress.and_then(|progress| progress.progress_token);
        theirs.is_none_or(|theirs| theirs.get().as_bytes() != token)
    }
}

// === impl ServerRequest ===

impl ServerRequest {
    /// The answer to it. This client declares no capabilities, so that it can be asked for nothing but a sign of life:
    /// `ping` gets `{}`, everything else -32601.
    pub fn reply(&self) -> Vec<u8> {
        let id = &self.id;
        let reply = if self.is_ping {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#)
        } else {
            let code = codes::METHOD_NOT_FOUND;
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"Method not found"}}}}"#
            )
        };
        reply.into_bytes()
    }
}

// === impl Marks ===

impl<'a> Marks<'a> {
    /// What `result` says of itself. A result that is no object says nothing.
    ///
    /// A result is read a second time only if it may say something out of the ordinary: where neither `true` nor a
    /// `resultType` other than `complete` stands after these names, at whatever depth, there is nothing to find.
    /// (Names written with escapes are not looked for: no serializer escapes these letters.)
    pub fn of(result: &'a [u8]) -> Self {
        let ordinary = always_followed_by(result, &IS_ERROR, b"false")
            && always_followed_by(result, &RESULT_TYPE, b"\"complete\"");
        if ordinary {
            return Self::default();
        }
        serde_json::from_slice(result).unwrap_or_default()
    }

    /// `isError: true`.
    pub fn is_error(&self) -> bool {
        self.is_error.is_some_and(|raw| raw.get() == "true")
    }

    /// `resultType`; absent (servers before 2026-07-28) means `complete`. A value that is no string is handed out
    /// as nothing known.
    pub fn result_type(&self) -> Cow<'a, str> {
        match self.result_type {
            None => Cow::Borrowed("complete"),
            Some(raw) => serde_json::from_str(raw.get()).unwrap_or(Cow::Borrowed("")),
        }
    }
}

static IS_ERROR: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"isError\""));
static RESULT_TYPE: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"resultType\""));

/// Whether `value` stands after the colon behind every occurrence of a name.
fn always_followed_by(json: &[u8], name: &memmem::Finder<'_>, value: &[u8]) -> bool {
    name.find_iter(json).all(|at| {
        let rest = json.get(at + name.needle().len()..).unwrap_or_default();
        let rest = rest.trim_ascii_start().strip_prefix(b":");
        rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(value))
    })
}
