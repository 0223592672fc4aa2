//! From the bytes of a request to checked values: path segments, query, session id, deadline, body.
//!
//! Everything here refuses rather than guesses: a request that is not what it seems never reaches a server.

use std::future::poll_fn;
use std::task;
use std::task::{Poll, Waker};
use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::openapi::mcp::Arguments;
use crate::api::openapi::parameters;
use crate::api::request::arrival::Arrival;
use crate::api::request::context::Context;
use crate::api::request::encoding;
use crate::config::servers::{Server, ToolErrors};
use crate::json::{Members, nests_deeper_than};
use crate::mcp::client::operation::ToolCall;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::limits::{NoRoom, SMALL, Share};
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::{SESSION_ID, SessionId};

/// Members of an object whose members are sent on one by one.
const MOST_MEMBERS: usize = 10_000;
/// Parameters of one query.
const MOST_PARAMETERS: usize = 1000;
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Query parameters, decoded, in order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// The body of `POST .../call`.
#[derive(Debug, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Envelope<'a> {
    /// The tool.
    pub name: String,
    /// Its arguments, an object.
    #[serde(borrow)]
    #[schema(value_type = Option<Arguments>)]
    pub arguments: Option<&'a RawValue>,
    /// Request metadata, an object.
    #[serde(borrow, rename = "_meta")]
    #[schema(value_type = Option<Object>)]
    pub meta: Option<&'a RawValue>,
    /// Answers to `inputRequests`, an object.
    #[serde(borrow)]
    #[schema(value_type = Option<Object>)]
    pub input_responses: Option<&'a RawValue>,
    /// The state that came with them.
    #[serde(borrow)]
    #[schema(value_type = Option<Value>)]
    pub request_state: Option<&'a RawValue>,
    /// A deadline lower than the server's, in milliseconds.
    #[serde(default, deserialize_with = "milliseconds")]
    #[schema(schema_with = parameters::milliseconds)]
    pub timeout_ms: Option<u64>,
}

impl<'a> Envelope<'a> {
    /// The call in it; `nothing` stands for arguments that are not given.
    pub(crate) fn tool_call<'c>(&'c self, nothing: &'c RawValue) -> ToolCall<'c>
    where
        'a: 'c,
    {
        ToolCall {
            name: &self.name,
            arguments: self.arguments.unwrap_or(nothing),
            meta: self.meta,
            input_responses: self.input_responses,
            request_state: self.request_state,
            others: None,
        }
    }
}

// === the target ===

/// One path segment, percent-decoded once.
pub(crate) fn segment(raw: &str) -> Result<String, Error> {
    decode(raw).ok_or_else(|| Error::invalid("The path holds a broken percent-encoding"))
}

/// A name as one path segment.
pub(crate) fn path_segment(name: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(name, PLAIN).to_string()
}

fn decode(raw: &str) -> Option<String> {
    let bytes = raw.as_bytes();
    if raw.is_ascii() && memchr::memchr(b'%', bytes).is_none() {
        return Some(raw.to_owned());
    }
    let broken = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if memchr::memchr_iter(b'%', bytes).any(broken) {
        return None;
    }
    percent_decode(bytes).decode_utf8().ok().map(Into::into)
}

impl Query {
    /// The parameters of a raw query string.
    pub(crate) fn parse(raw: &str) -> Result<Self, Error> {
        if memchr::memchr_iter(b'&', raw.as_bytes()).count() >= MOST_PARAMETERS {
            return Err(Error::invalid(format!(
                "The query holds more than {MOST_PARAMETERS} parameters"
            )));
        }
        let parameters = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |raw: &str| decode(&raw.replace('+', " "));
            text(name).zip(text(value))
        });
        parameters
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| Error::invalid("The query holds a broken percent-encoding"))
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Error::invalid(format!(
                "The parameter '{name}' is given more than once"
            )));
        }
        Ok(first)
    }

    /// All parameters but these, each with its values, in the order they came. `arg.NAME` is NAME, also where that is one of
    /// these.
    pub(crate) fn others(&self, these: &[&str]) -> Vec<(&str, Vec<&str>)> {
        let mut others: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in &self.0 {
            let name = match name.strip_prefix("arg.") {
                Some(name) => name,
                None if these.contains(&name.as_str()) => continue,
                None => name,
            };
            match others.iter_mut().find(|(other, _)| *other == name) {
                Some((_, values)) => values.push(value),
                None => others.push((name, vec![value])),
            }
        }
        others
    }

    /// A parameter that is `true` or `false`; absent means `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.get(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid(format!(
                "The parameter '{name}' must be true or false"
            ))),
        }
    }
}

// === how the request is to be made ===

/// Session, handshake and deadline, from the query and the headers. `timeout_ms` is what a body says.
pub(crate) fn wishes(
    context: &Context<'_>,
    server: &Server,
    timeout_ms: Option<u64>,
) -> Result<CallOptions, Error> {
    let init = match context.query.get("init")? {
        None | Some("auto") => Init::Auto,
        Some("true") => Init::Always,
        Some("false") => Init::Never,
        Some(_) => {
            return Err(Error::invalid(
                "The parameter 'init' must be true, false or auto",
            ));
        }
    };
    Ok(CallOptions {
        session: session(context)?,
        init,
        close: context.query.flag("close")?,
        deadline: context.started + timeout(context, server.timeout, timeout_ms)?,
    })
}

/// The caller's session id: the query counts before the header; empty and `null` mean none.
pub(crate) fn session(context: &Context<'_>) -> Result<Option<SessionId>, Error> {
    let in_query = context.query.get("sessionId")?;
    let in_header = single_header(context.request.headers(), &SESSION_ID)?;
    let in_query = in_query.map(|id| session_id(id.as_bytes())).transpose()?;
    let in_header = in_header.map(|id| session_id(id.as_bytes())).transpose()?;
    Ok(in_query.flatten().or(in_header.flatten()))
}

/// A session id as a caller gives it; empty and `null` mean none.
pub(crate) fn session_id(bytes: &[u8]) -> Result<Option<SessionId>, Error> {
    if matches!(bytes, b"" | b"null") {
        return Ok(None);
    }
    SessionId::parse(bytes).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "A session id is 1 to {} characters of visible ASCII",
            SessionId::MAX_LEN
        ))
    })
}

/// The value of a header that may be given once.
pub(crate) fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Error> {
    let mut values = headers.get_all(name);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Error::invalid(format!(
            "The header '{name}' is given more than once"
        ))),
    }
}

/// The server's deadline if it has its own, else the gateway's, or a lower one that the caller asks for.
pub(crate) fn timeout(
    context: &Context<'_>,
    of_server: Option<Duration>,
    in_body: Option<u64>,
) -> Result<Duration, Error> {
    let most = of_server.unwrap_or(context.state.settings.timeout);
    let asked = asked_timeout(context, in_body)?;
    Ok(asked.map_or(most, |asked| asked.min(most)))
}

/// The deadline that the caller asks for, if it does.
pub(crate) fn asked_timeout(
    context: &Context<'_>,
    in_body: Option<u64>,
) -> Result<Option<Duration>, Error> {
    let in_query = match context.query.get("timeoutMs")? {
        None => None,
        Some(raw) => Some(whole(raw).ok_or_else(bad_timeout)?),
    };
    let asked = [in_query, in_body].into_iter().flatten().min();
    if asked == Some(0) {
        return Err(bad_timeout());
    }
    let preferred = preferred_wait(context.request.headers());
    let asked = asked.map(Duration::from_millis);
    Ok([asked, preferred].into_iter().flatten().min())
}

/// The value of a number that is whole, however it is written; the largest there is for what is larger.
fn whole(written: &str) -> Option<u64> {
    if let Ok(number) = written.parse() {
        return Some(number);
    }
    let number: f64 = written.parse().ok()?;
    if number.is_nan() || number < 0.0 || (number.is_finite() && number.fract() != 0.0) {
        return None;
    }
    Some(format!("{number:.0}").parse().unwrap_or(u64::MAX))
}

/// `timeoutMs` of a body.
pub(crate) fn milliseconds<'de, D: Deserializer<'de>>(body: D) -> Result<Option<u64>, D::Error> {
    let Some(written) = <Option<&RawValue>>::deserialize(body)? else {
        return Ok(None);
    };
    let number = whole(written.get());
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom("'timeoutMs' must be a whole number"))
}

fn bad_timeout() -> Error {
    Error::invalid("'timeoutMs' must be a whole number of milliseconds above 0")
}

/// `Prefer: wait=N` (RFC 7240), in seconds. A preference that is not understood is none.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
            (name.trim().eq_ignore_ascii_case("wait") && seconds > 0)
                .then(|| Duration::from_secs(seconds))
        })
}

/// Whether `isError` is to become a status: what the caller says, else what the server's entry says.
pub(crate) fn tool_errors(context: &Context<'_>, server: &Server) -> Result<ToolErrors, Error> {
    Ok(tool_errors_asked(context)?.unwrap_or(server.tool_errors))
}

/// The same, if the caller says anything.
pub(crate) fn tool_errors_asked(context: &Context<'_>) -> Result<Option<ToolErrors>, Error> {
    match context.query.get("toolErrors")? {
        None => Ok(None),
        Some("result") => Ok(Some(ToolErrors::Result)),
        Some("status") => Ok(Some(ToolErrors::Status)),
        Some(_) => Err(Error::invalid(
            "The parameter 'toolErrors' must be result or status",
        )),
    }
}

// === the body ===

/// The body, within the cap, decompressed. That its type is not another than JSON, `cross_site` has made sure of.
pub(crate) async fn body(context: &mut Context<'_>) -> Result<Bytes, Error> {
    let cap = context.state.settings.limits.request_bytes;
    let is_gzip = encoding::is_gzip(context.request.headers())?;
    let announced = single_header(context.request.headers(), &CONTENT_LENGTH)?;
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(Error::PayloadTooLarge(cap));
    }
    let budget = context.state.pool.budget();
    let Some(mut payload) = context.payload.take() else {
        return Ok(Bytes::new());
    };
    let arrival = Arrival::of(context, cap);
    let collected = collect(&mut payload, cap, budget.share(), arrival).await;
    let mut body = match collected {
        Ok(body) => body,
        Err(error) => {
            context.payload = Some(payload);
            return Err(error);
        }
    };
    if is_gzip {
        body = encoding::gunzip(body, cap, budget.share()).await?;
    }
    not_too_deep(context, &body, "The body")?;
    Ok(body)
}

/// Refuses JSON that nests deeper than configured.
pub(crate) fn not_too_deep(context: &Context<'_>, json: &[u8], what: &str) -> Result<(), Error> {
    let depth = context.state.settings.limits.depth;
    if nests_deeper_than(json, depth) {
        return Err(Error::invalid(format!(
            "{what} nests deeper than {depth} levels"
        )));
    }
    Ok(())
}

/// Reads a body to its end.
///
/// The first look is taken without leaving a waker. actix starts a handler before it hands on the body that it has read
/// along with the head, and polls the handler again after every such handing on, there and nowhere else; a waker left
/// at the first look would only make it go through all of a connection's work once more, for a tenth of a call's cost.
async fn collect(
    payload: &mut web::Payload,
    cap: usize,
    mut share: Share,
    mut arrival: Arrival<'_>,
) -> Result<Bytes, Error> {
    let mut first_look = true;
    let mut body = Bytes::new();
    let mut pieces = BytesMut::new();
    loop {
        let chunk = poll_fn(|context| {
            if std::mem::take(&mut first_look) {
                let nobody = &mut task::Context::from_waker(Waker::noop());
                return payload.poll_next_unpin(nobody).map(Ok);
            }
            match payload.poll_next_unpin(context) {
                Poll::Ready(chunk) => Poll::Ready(Ok(chunk)),
                Poll::Pending => arrival.poll(context).map(Err),
            }
        });
        let chunk = match chunk.await? {
            Some(Ok(chunk)) => chunk,
            Some(Err(broken)) => {
                log::debug!("a request body broke off: {broken}");
                return Err(Error::invalid("The body could not be read"));
            }
            None => {
                let body = if pieces.is_empty() {
                    body
                } else {
                    pieces.freeze()
                };
                if body.len() <= SMALL {
                    return Ok(body);
                }
                return share.keep(body).map_err(no_room);
            }
        };
        if body.len().max(pieces.len()) + chunk.len() > cap {
            return Err(Error::PayloadTooLarge(cap));
        }
        if body.is_empty() {
            body = chunk;
        } else {
            if pieces.is_empty() {
                pieces.extend_from_slice(&body);
            }
            pieces.extend_from_slice(&chunk);
            share.hold(pieces.len()).map_err(no_room)?;
        }
    }
}

pub(crate) fn no_room(NoRoom: NoRoom) -> Error {
    Error::NoRoom(Executed::No)
}

/// `application/json` and every `+json` type, whatever their case and parameters.
pub(crate) fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence
            .rsplit_once('+')
            .is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

/// The body as a JSON object, untouched; no body means `{}`.
pub(crate) fn object(body: &[u8]) -> Result<&RawValue, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    require_object(value, "The body")?;
    Ok(value)
}

/// The body as a call envelope.
pub(crate) fn envelope(body: &[u8]) -> Result<Envelope<'_>, Error> {
    object(body)?;
    let envelope: Envelope<'_> = serde_json::from_slice(body)
        .map_err(|error| Error::invalid(format!("The body is no call envelope: {error}")))?;
    for (name, value) in [
        ("arguments", envelope.arguments),
        ("_meta", envelope.meta),
        ("inputResponses", envelope.input_responses),
    ] {
        if let Some(value) = value {
            require_object(value, &format!("'{name}'"))?;
        }
    }
    Ok(envelope)
}

/// The members of `object`, unless they are so many that the list of them is much larger than they are.
pub(crate) fn members<'a>(object: &'a RawValue, what: &str) -> Result<Members<'a>, Error> {
    let Ok(members) = Members::of(object.get()) else {
        return Err(not_an_object(what));
    };
    if members.0.len() > MOST_MEMBERS {
        return Err(Error::invalid(format!(
            "{what} holds more than {MOST_MEMBERS} members"
        )));
    }
    Ok(members)
}

fn not_an_object(what: &str) -> Error {
    Error::invalid(format!("{what} must be a JSON object"))
}

pub(crate) fn require_object(value: &RawValue, what: &str) -> Result<(), Error> {
    if value.get().starts_with('{') {
        return Ok(());
    }
    Err(not_an_object(what))
}

pub(crate) fn not_json(error: &serde_json::Error) -> Error {
    Error::invalid(format!(
        "The body is not JSON: see line {}, column {}",
        error.line(),
        error.column()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(segment("a%2Fb").unwrap(), "a/b");
        assert_eq!(segment("a%252Fb").unwrap(), "a%2Fb");
        assert_eq!(segment("gr%C3%BC%C3%9Fe+x").unwrap(), "grüße+x");
        for broken in ["%", "%z", "%zz", "a%2", "%ff", "%C3%28"] {
            assert!(segment(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_parameter_may_be_given_once() {
        let query = Query::parse("a=1&b=x%20y+z&a=2&&c&d=").unwrap();
        assert!(query.get("a").is_err());
        assert_eq!(query.get("b").unwrap(), Some("x y z"));
        assert_eq!(query.get("c").unwrap(), Some(""));
        assert_eq!(query.get("d").unwrap(), Some(""));
        assert_eq!(query.get("e").unwrap(), None);
        assert!(Query::parse("a=%zz").is_err());
    }

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (written, number) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e3", Some(5000)),
            ("28640280889800019968", Some(u64::MAX)),
            ("1e400", Some(u64::MAX)),
            ("0", Some(0)),
            ("5.5", None),
            ("-1", None),
            ("", None),
            ("x", None),
            ("NaN", None),
        ] {
            assert_eq!(whole(written), number, "{written}");
        }
    }

    #[test]
    fn json_types_pass() {
        for (content_type, passes) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("text/json-ish", false),
        ] {
            assert_eq!(is_json(content_type), passes, "{content_type}");
        }
    }

    #[test]
    fn bodies_must_be_objects() {
        assert_eq!(object(b"").unwrap().get(), "{}");
        assert_eq!(object(b" {\"a\": 1.10} ").unwrap().get(), "{\"a\": 1.10}");
        for bad in [&b"[1]"[..], b"7", b"null", b"{", b"{}x", b"\xff", b" "] {
            assert!(object(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn envelopes_are_strict() {
        assert_eq!(envelope(br#"{"name":"t"}"#).unwrap().name, "t");
        for bad in [
            &br"{}"[..],
            br#"{"name":7}"#,
            br#"{"name":"t","arguments":[1]}"#,
            br#"{"name":"t","_meta":1}"#,
            br#"{"name":"t","argument":{}}"#,
            br#"{"name":"t","timeoutMs":-1}"#,
        ] {
            assert!(envelope(bad).is_err(), "{bad:?}");
        }
    }
}
