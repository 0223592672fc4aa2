//! The bytes of an HTTP response: what they are, all of them within a cap, or none of them with the connection kept.
//!
//! Not what they say; see `message` and `collapse`.

use std::time::Duration;

use actix_rt::time::timeout;
use awc::error::PayloadError;
use awc::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING,
};
use awc::http::{StatusCode, Version};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, Stream, StreamExt};

use crate::mcp::limits::{SMALL, Share};
use crate::mcp::protocol::error::{Cap, Error};
use crate::mcp::protocol::header;

/// What is read of an event stream after its answer, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What a body is, by its `Content-Type`. None at all is read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// JSON.
    Json,
    /// Server-sent events.
    EventStream,
    /// Anything else.
    Other,
}

impl Kind {
    /// By the headers of a response.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Self::Json;
        };
        if header::is_media_type(value.as_bytes(), header::JSON) {
            Self::Json
        } else if header::is_media_type(value.as_bytes(), header::EVENT_STREAM) {
            Self::EventStream
        } else {
            Self::Other
        }
    }
}

/// Whether a response says where its body ends. By HTTP/1.1 it need not: then the body ends with the connection (RFC 9112,
/// section 6.3). The HTTP client takes such a body for none at all, and the connection for one that can be used again.
pub(crate) fn is_framed<S>(response: &awc::ClientResponse<S>) -> bool {
    let headers = response.headers();
    headers.contains_key(CONTENT_LENGTH)
        || headers.contains_key(TRANSFER_ENCODING)
        || response.version() != Version::HTTP_11
}

/// Whether nothing more comes after a response than it says. After one that is interim (1xx), which the HTTP client takes for
/// the final one, and after one that is not framed, more may come.
pub(crate) fn is_all<S>(response: &awc::ClientResponse<S>) -> bool {
    match response.status() {
        status if status.is_informational() => false,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => true,
        _ => is_framed(response),
    }
}

/// The whole body, without a copy where it came in one piece.
pub(crate) async fn read_body<S>(
    response: &mut awc::ClientResponse<S>,
    cap: usize,
    mut share: Share,
) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let announced = announced_length(response.headers());
    let mut body = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(broken)?;
        if body.len() + pieces.len() + chunk.len() > cap {
            return Err(Error::TooLarge(Cap::ResponseBytes));
        }
        if body.is_empty() && pieces.is_empty() {
            body = chunk;
        } else {
            if pieces.is_empty() {
                pieces.reserve(announced.unwrap_or(0).clamp(body.len() + chunk.len(), cap));
                pieces.extend_from_slice(&std::mem::take(&mut body));
            }
            pieces.extend_from_slice(&chunk);
            share.hold(pieces.len())?;
        }
    }
    if !pieces.is_empty() {
        body = pieces.freeze();
    }
    // awc takes a body that ends before its announced length for a whole one.
    if announced.is_some_and(|length| length != body.len()) {
        return Err(Error::Lost("the body was cut short".into()));
    }
    if body.len() > SMALL {
        body = share.keep(body)?;
    }
    Ok(body)
}

/// `Content-Length`, where it speaks of the bytes that are read here.
fn announced_length(headers: &HeaderMap) -> Option<usize> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Gives a connection that is no longer needed back to the pool, if its body ends soon; else it is closed.
async fn drain<S>(body: &mut S)
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Past the time the connection is closed by dropping the body: nothing to report.
    let _ = timeout(DRAIN_TIME, read).await;
}

/// The same, without waiting for it.
pub(crate) fn drain_in_background<S>(mut body: S)
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    // Mostly the end has come together with what was wanted, and no task is needed.
    if let Some(None | Some(Err(_))) = body.next().now_or_never() {
        return;
    }
    actix_rt::spawn(async move { drain(&mut body).await });
}

/// What it means that a body could not be read on.
pub(crate) fn broken(error: PayloadError) -> Error {
    match error {
        PayloadError::EncodingCorrupted => Error::Malformed("broken content encoding".into()),
        error => Error::Lost(error.to_string()),
    }
}
