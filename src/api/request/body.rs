//! The body of a request: read within its limit and the deadline, decompressed, and JSON that is not nested too deep.
//!
//! What is refused here never reaches a server.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::task;
use std::task::{Poll, Waker, ready};
use std::time::Instant;

use actix_rt::time::{Sleep, sleep_until};
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::openapi::mcp::Arguments;
use crate::api::request::context::Context;
use crate::api::request::encoding::{self, no_room};
use crate::api::request::headers::single_header;
use crate::api::request::{options, parameters};
use crate::json::{Members, empty_object, nests_deeper_than};
use crate::mcp::client::operation::ToolCall;
use crate::mcp::limits::{Reservation, SMALL};

/// The limit for objects whose members are forwarded one by one.
const MOST_MEMBERS: usize = 10_000;
/// What may come beside a body of any length: chunk framing, and what the HTTP library reads ahead.
const FRAMING: usize = 256 * 1024;

/// The body of `POST .../call`.
#[derive(Debug, Deserialize, ToSchema)]
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
    #[serde(default, deserialize_with = "parameters::milliseconds_in_body")]
    #[schema(schema_with = parameters::milliseconds)]
    pub timeout_ms: Option<u64>,
}

impl Envelope<'_> {
    /// The call in it. Without arguments they are `{}`.
    pub(crate) fn tool_call(&self) -> ToolCall<'_> {
        ToolCall {
            name: &self.name,
            arguments: self.arguments.unwrap_or_else(empty_object),
            meta: self.meta,
            input_responses: self.input_responses,
            request_state: self.request_state,
            others: None,
        }
    }
}

/// The body, within the limit, decompressed. `cross_site` has refused any type but JSON.
pub(crate) async fn read(context: &mut Context<'_>) -> Result<Bytes, Error> {
    let cap = context.state.settings.limits.request_bytes;
    let is_gzip = encoding::is_gzip(context.request.headers())?;
    let announced = single_header(context.request.headers(), &CONTENT_LENGTH)?;
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > cap) {
        return Err(Error::PayloadTooLarge(cap));
    }
    let budget = context.state.pool.budget();
    let mut reservation = budget.reservation();
    let Some(mut payload) = context.payload.take() else {
        return Ok(Bytes::new());
    };
    let mut arrival = Arrival::of(context, &mut payload, &mut reservation, cap);
    let arrived = poll_fn(|task| arrival.poll(task)).await;
    drop(arrival);
    let mut body = match arrived {
        Ok(body) if body.len() <= SMALL => body,
        Ok(body) => reservation.keep(body).map_err(no_room)?,
        Err(error) => {
            context.payload = Some(payload);
            return Err(error);
        }
    };
    if is_gzip {
        body = encoding::gunzip(body, cap, budget.reservation()).await?;
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

// === arrival ===

/// The body of a request on its way. Until it is dropped, its connection is read from without a pause.
struct Arrival<'c> {
    context: &'c Context<'c>,
    payload: &'c mut web::Payload,
    cap: usize,
    reservation: &'c mut Reservation,
    /// The only chunk, as most bodies have one.
    body: Bytes,
    /// All chunks together, once there are several.
    pieces: BytesMut,
    /// The number of bytes that the connection may have received when the body is complete, framing included.
    most: u64,
    is_first_look: bool,
    /// Made when the body has not come with the head.
    timer: Option<Pin<Box<Sleep>>>,
}

impl<'c> Arrival<'c> {
    /// At most `cap` bytes. In chunks it may be twice that, for small chunks with short extensions take as much again.
    fn of(
        context: &'c Context<'c>,
        payload: &'c mut web::Payload,
        reservation: &'c mut Reservation,
        cap: usize,
    ) -> Self {
        context.exchange.set_reading(true);
        let most = cap.saturating_mul(2).saturating_add(FRAMING);
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        Self {
            context,
            payload,
            cap,
            reservation,
            body: Bytes::new(),
            pieces: BytesMut::new(),
            most: context.exchange.received().saturating_add(most),
            is_first_look: true,
            timer: None,
        }
    }

    /// The whole body.
    ///
    /// The first look is taken without leaving a waker. actix starts a handler before it hands on the body that it has read
    /// along with the head, and polls the handler again after every such handing on, there and nowhere else; a waker left
    /// at the first look would only make it go through all of a connection's work once more, for a tenth of a call's cost.
    fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Result<Bytes, Error>> {
        if mem::take(&mut self.is_first_look) {
            let no_waker = &mut task::Context::from_waker(Waker::noop());
            match ready!(self.payload.poll_next_unpin(no_waker)) {
                Some(chunk) => self.push(chunk)?,
                None => return Poll::Ready(Ok(self.whole())),
            }
        }
        loop {
            match self.payload.poll_next_unpin(task) {
                Poll::Ready(Some(chunk)) => self.push(chunk)?,
                Poll::Ready(None) => return Poll::Ready(Ok(self.whole())),
                Poll::Pending => return self.poll_overdue(task).map(Err),
            }
        }
    }

    fn push(&mut self, chunk: Result<Bytes, PayloadError>) -> Result<(), Error> {
        let chunk = chunk.map_err(|broken| {
            log::debug!("a request body broke off: {broken}");
            Error::invalid("The body could not be read")
        })?;
        if self.body.len().max(self.pieces.len()) + chunk.len() > self.cap {
            return Err(Error::PayloadTooLarge(self.cap));
        }
        if self.body.is_empty() {
            self.body = chunk;
            return Ok(());
        }
        if self.pieces.is_empty() {
            self.pieces.extend_from_slice(&self.body);
        }
        self.pieces.extend_from_slice(&chunk);
        self.reservation.resize(self.pieces.len()).map_err(no_room)
    }

    fn whole(&mut self) -> Bytes {
        if self.pieces.is_empty() {
            return mem::take(&mut self.body);
        }
        mem::take(&mut self.pieces).freeze()
    }

    /// Why the body is not waited for any longer. To be polled whenever no chunk is there.
    fn poll_overdue(&mut self, task: &mut task::Context<'_>) -> Poll<Error> {
        let context = self.context;
        if context.exchange.received() > self.most {
            return Poll::Ready(Error::PayloadTooLarge(self.cap));
        }
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => match deadline(context) {
                Ok(deadline) => self.timer.insert(Box::pin(sleep_until(deadline.into()))),
                Err(error) => return Poll::Ready(error),
            },
        };
        timer.as_mut().poll(task).map(|()| Error::RequestTimeout)
    }
}

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        self.context.exchange.set_reading(false);
    }
}

/// The deadline of the request, as far as it is known without its body.
fn deadline(context: &Context<'_>) -> Result<Instant, Error> {
    let of_server = context.server().ok().and_then(|server| server.timeout);
    Ok(context.started + options::timeout(context, of_server, None)?)
}

// === JSON ===

/// The body as a JSON object, untouched; no body means `{}`.
pub(crate) fn object(body: &[u8]) -> Result<&RawValue, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value: &RawValue = serde_json::from_slice(body).map_err(|error| not_json(&error))?;
    require_object(value, "The body")?;
    Ok(value)
}

/// The body as a JSON object with these members: `what` it should be. It is read a second time only to say what is wrong with it.
pub(crate) fn shaped<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T, Error> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    match serde_json::from_slice(body) {
        Ok(shaped) if is_object => Ok(shaped),
        Ok(_) => Err(not_an_object("The body")),
        Err(error) => {
            object(body)?;
            Err(Error::invalid(format!("The body is not {what}: {error}")))
        }
    }
}

/// The body as a call envelope.
pub(crate) fn envelope(body: &[u8]) -> Result<Envelope<'_>, Error> {
    let envelope: Envelope<'_> = shaped(body, "a call envelope")?;
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

/// The members of the body, an object; no body means none.
pub(crate) fn object_members(body: &[u8]) -> Result<Members<'_>, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    few(shaped(body, "an object")?, "The body")
}

/// The members of `object`.
pub(crate) fn members<'a>(object: &'a RawValue, what: &str) -> Result<Members<'a>, Error> {
    match Members::of(object.get()) {
        Ok(members) => few(members, what),
        Err(_) => Err(not_an_object(what)),
    }
}

/// An error if the list of these members would take much more memory than they do.
fn few<'a>(members: Members<'a>, what: &str) -> Result<Members<'a>, Error> {
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
