//! Incoming JSON-RPC 2.0 messages as MCP uses them: replies, notifications and requests of the server.
//!
//! A result is never parsed into a tree and printed again: it stays the slice of the body it arrived in. Only those members are
//! read that the protocol asks a client to look at ([`is_error`], [`result_type`]). Framing (JSON body or SSE) is the part of `transport` and `sse`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::LazyLock;

use bytes::Bytes;
use memchr::{memchr2, memmem};
use serde_json::value::RawValue;

use crate::json;
use crate::json::{Text, for_each_element};
use crate::mcp::protocol::codes;
use crate::mcp::protocol::id::Id;

/// The longest id (in JSON) of a server request that gets a reply.
const LONGEST_ID: usize = 1024;

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

/// A message of the other side that concerns one request: what [`for_each_message`] finds in an event.
#[derive(Debug, Clone)]
pub enum Message {
    /// The reply to the request.
    Reply(Reply),
    /// A request of the server, which expects a reply.
    Request(ServerRequest),
    /// An error without an id. It is the reply if no other comes.
    ErrorWithoutId(RpcError),
    /// A notification sent while the request runs.
    Notification(Notification),
}

/// A notification of a server, as far as a streamed response passes it on.
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

/// The reply to a request.
#[derive(Debug, Clone)]
pub enum Reply {
    /// The `result`, as the slice of the body it arrived in.
    Result(Bytes),
    /// The `error` object.
    Error(RpcError),
}

/// What [`reply_in_body`] finds.
#[derive(Debug, Clone)]
pub enum BodyReply {
    /// The reply.
    Reply(Reply),
    /// A reply to another request.
    OfAnother,
    /// No reply.
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
    /// The error does not prove that its request was not carried out: it came after other messages on the stream, or it has no
    /// id.
    pub is_doubtful: bool,
}

/// A body or event that is no JSON-RPC message at all. Says where it stops being one, not what stands there.
#[derive(Debug, thiserror::Error)]
#[error("no JSON-RPC message ({kind} at line {line}, column {column})", kind = json::kind_of(.0), line = .0.line(), column = .0.column())]
pub struct NotAMessage(#[from] serde_json::Error);

// === decoding ===

/// The messages in an event that concern the request `id`: one, or an array of them (2025-03-26). Replies to other requests, and
/// JSON that is no message, are passed over. `take` returns whether to read on.
pub fn for_each_message(event: &Bytes, id: &Id, mut take: impl FnMut(Message) -> bool) {
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

/// The reply in a JSON body, which responds to one request alone. An error without an id is the reply there; one that
/// names another is not.
pub fn reply_in_body(body: &Bytes, id: &Id) -> Result<BodyReply, NotAMessage> {
    if !json::is_array(body) {
        let message: Incoming<'_> = serde_json::from_slice(body)?;
        return message.in_body(id, body);
    }
    let mut found = Ok(BodyReply::Nothing);
    for_each_element(body, |member| {
        if matches!(found, Err(_) | Ok(BodyReply::Reply(_))) {
            return;
        }
        let message = serde_json::from_str::<Incoming<'_>>(member.get());
        match message
            .map_err(NotAMessage::from)
            .and_then(|message| message.in_body(id, body))
        {
            Ok(BodyReply::Nothing) => {}
            other => found = other,
        }
    })?;
    found
}

impl Incoming<'_> {
    fn in_body(&self, id: &Id, body: &Bytes) -> Result<BodyReply, NotAMessage> {
        let is_ours = match self.addressee() {
            Some(raw) => id.is(raw),
            None => self.error.is_some() && self.result.is_none(),
        };
        if !is_ours {
            return Ok(if self.is_reply() {
                BodyReply::OfAnother
            } else {
                BodyReply::Nothing
            });
        }
        Ok(match self.reply(body)? {
            Some(Reply::Error(error)) => BodyReply::Reply(Reply::Error(RpcError {
                is_doubtful: self.addressee().is_none(),
                ..error
            })),
            Some(reply) => BodyReply::Reply(reply),
            None => BodyReply::Nothing,
        })
    }

    fn is_reply(&self) -> bool {
        self.result.is_some() || self.error.is_some()
    }

    /// The id of the request. Servers that do not know it write `null`, nothing, or `"server-error"` (Python
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
            return self.reply(body).ok().flatten().map(Message::Reply);
        }
        let is_reply = self.is_reply();
        match self.method {
            // The reply would repeat the id.
            Some(method) if !is_reply && raw.get().len() <= LONGEST_ID => {
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
        Some(Message::ErrorWithoutId(error))
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

    fn reply(&self, body: &Bytes) -> Result<Option<Reply>, NotAMessage> {
        if let Some(error) = self.error {
            return Ok(Some(Reply::Error(RpcError::read(error, body)?)));
        }
        Ok(self
            .result
            .map(|raw| Reply::Result(body.slice_ref(raw.get().as_bytes()))))
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

    /// `message`: a JSON string.
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
    /// The reply to it. This client declares no capabilities, so that nothing but `ping` is supported: it gets `{}`, everything
    /// else `METHOD_NOT_FOUND`.
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

// === results ===

/// `isError: true`.
pub fn is_error(result: &[u8]) -> bool {
    let member = unusual(result, "isError", &IS_ERROR, b"false");
    member.is_some_and(|raw| raw.get() == "true")
}

/// `resultType`; absent (servers before 2026-07-28) means `complete`. A value that is no string becomes an unknown type, the
/// empty one.
pub fn result_type(result: &[u8]) -> Cow<'_, str> {
    match unusual(result, "resultType", &RESULT_TYPE, b"\"complete\"") {
        None => Cow::Borrowed("complete"),
        Some(raw) => serde_json::from_str(raw.get()).unwrap_or(Cow::Borrowed("")),
    }
}

/// A member of a result; `None` also where it has its usual value.
///
/// A result is parsed a second time only where the name occurs, at whatever depth, with another value.
/// (Names written with escapes are not looked for: no serializer escapes these letters.)
fn unusual<'a>(
    result: &'a [u8],
    name: &str,
    quoted: &memmem::Finder<'_>,
    usual: &[u8],
) -> Option<&'a RawValue> {
    if always_followed_by(result, quoted, usual) {
        return None;
    }
    let [member] = json::named(std::str::from_utf8(result).ok()?, [name]).ok()?;
    member
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
