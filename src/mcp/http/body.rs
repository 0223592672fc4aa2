//! The body of an HTTP response: what its headers announce; reading it whole, within a limit; or discarding it so that the connection can
//! be used again. Its content is parsed by `message` and `collapse`.

use std::time::Duration;

use actix_rt::time::timeout;
use awc::error::PayloadError;
use awc::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING,
};
use awc::http::{StatusCode, Version};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt};

use crate::mcp::http::unpack::Unpacked;
use crate::mcp::limits::{Reservation, SMALL};
use crate::mcp::protocol::error::{Cap, Error, Lost};
use crate::mcp::protocol::header;

/// Bytes read of an event stream after its reply, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What the head of a response says of its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Announced {
    /// What it is.
    pub(crate) kind: Kind,
    /// Whether the head says where the body ends. By HTTP/1.1 it need not: then the body ends with the connection (RFC 9112,
    /// section 6.3). awc takes such a body for none at all, and the connection for one that can be used again.
    pub(crate) is_framed: bool,
    /// `Content-Length`, where the body is not compressed.
    length: Option<usize>,
}

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

impl Announced {
    /// By the head of a response.
    pub(crate) fn by<S>(response: &awc::ClientResponse<S>) -> Self {
        let headers = response.headers();
        let length = headers.get(CONTENT_LENGTH);
        Self {
            kind: Kind::of(headers),
            is_framed: length.is_some()
                || headers.contains_key(TRANSFER_ENCODING)
                || response.version() != Version::HTTP_11,
            length: length
                .filter(|_| !headers.contains_key(CONTENT_ENCODING))
                .and_then(|length| length.to_str().ok()?.parse().ok()),
        }
    }

    /// Whether nothing more comes after the response than its head says. After one that is interim (1xx), which awc takes for
    /// the final one, and after one that is not framed, more may come.
    pub(crate) fn is_all(self, status: StatusCode) -> bool {
        match status {
            status if status.is_informational() => false,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => true,
            _ => self.is_framed,
        }
    }
}

impl Kind {
    /// By the headers of a response.
    fn of(headers: &HeaderMap) -> Self {
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

/// The media type of a response (`text/html`), for people; none where `Content-Type` holds anything else.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<String> {
    const LONGEST: usize = 80;
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    let is_token = |part: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        !part.is_empty() && part.chars().all(fits)
    };
    let (kind, subtype) = essence.split_once('/')?;
    (essence.len() <= LONGEST && is_token(kind) && is_token(subtype))
        .then(|| essence.to_ascii_lowercase())
}

/// The whole body, without a copy where it came in one piece.
pub(crate) async fn read_body(
    response: &mut Unpacked,
    announced: Announced,
    cap: usize,
    mut reservation: Reservation,
) -> Result<Bytes, Error> {
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
                let length = announced.length.unwrap_or(0);
                pieces.reserve(length.clamp(body.len() + chunk.len(), cap));
                pieces.extend_from_slice(&std::mem::take(&mut body));
            }
            pieces.extend_from_slice(&chunk);
            reservation.resize(pieces.len())?;
        }
    }
    if !pieces.is_empty() {
        body = pieces.freeze();
    }
    // awc takes a body that ends before its announced length for a whole one.
    if announced.length.is_some_and(|length| length != body.len()) {
        return Err(Error::Lost(Lost::Incomplete(
            "the body was cut short".into(),
        )));
    }
    if body.len() > SMALL {
        body = reservation.keep(body)?;
    }
    Ok(body)
}

/// Gives a connection that is no longer needed back to the pool, if its body ends soon; else it is closed.
async fn drain(body: &mut Unpacked) {
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
pub(crate) fn drain_in_background(mut body: Unpacked) {
    // Mostly the end has come together with what was wanted, and no task is needed.
    if let Some(None | Some(Err(_))) = body.next().now_or_never() {
        return;
    }
    actix_rt::spawn(async move { drain(&mut body).await });
}

/// Why a body could not be read to its end.
pub(crate) fn broken(error: PayloadError) -> Error {
    match error {
        PayloadError::EncodingCorrupted => Error::Malformed("broken content encoding".into()),
        error => Error::Lost(Lost::Incomplete(error.to_string())),
    }
}
