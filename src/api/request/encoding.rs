//! Compressed request bodies: supported content codings, and decompression within the limit.
//!
//! Responses are not compressed here: that is for the proxy that terminates TLS.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web;
use bytes::Bytes;
use flate2::bufread::GzDecoder;

use crate::api::error::kinds::Error;
use crate::mcp::limits::{NoRoom, Reservation};
use crate::mcp::protocol::error::Executed;

/// The maximum ratio of gzip (RFC 1951: 258 bytes in two bits).
const MOST_UNPACKED: usize = 1032;

/// Whether a body is compressed with gzip; an error for any other coding, and for several.
pub(crate) fn is_gzip(headers: &HeaderMap) -> Result<bool, Error> {
    let mut codings = headers.get_all(CONTENT_ENCODING);
    let Some(coding) = codings.next() else {
        return Ok(false);
    };
    let is = |name: &[u8]| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(name);
    match codings.next() {
        None if is(b"gzip") || is(b"x-gzip") => Ok(true),
        None if is(b"identity") || is(b"") => Ok(false),
        _ => Err(Error::UnsupportedEncoding),
    }
}

/// A gzip body, decompressed, up to `cap` bytes. Off the worker, for its length says neither how long that takes nor how large the
/// result is; `reservation` holds the maximum meanwhile.
pub(crate) async fn gunzip(
    body: Bytes,
    cap: usize,
    mut reservation: Reservation,
) -> Result<Bytes, Error> {
    if body.is_empty() {
        return Ok(body);
    }
    let most = cap.min(body.len().saturating_mul(MOST_UNPACKED));
    reservation.resize(most).map_err(no_room)?;
    let unpacked = web::block(move || {
        let unpacked = unpack(&body, cap)?;
        reservation.keep(unpacked).map_err(no_room)
    });
    unpacked.await.unwrap_or_else(|error| {
        log::error!("a body could not be decompressed: {error}");
        Err(Error::Internal)
    })
}

/// Reads at most one byte over the limit, so that a bomb costs no more than a legal body. Only one member is accepted: a hundred
/// thousand empty ones would fit into a body, and take half a second.
fn unpack(body: &[u8], cap: usize) -> Result<Bytes, Error> {
    let most = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
    let mut member = GzDecoder::new(body);
    let mut unpacked = Vec::new();
    let read = (&mut member).take(most).read_to_end(&mut unpacked);
    if unpacked.len() > cap {
        return Err(Error::PayloadTooLarge(cap));
    }
    if read.is_err() || !member.get_ref().is_empty() {
        return Err(Error::invalid(
            "The body is not one whole gzip member, though 'Content-Encoding' says gzip",
        ));
    }
    Ok(unpacked.into())
}

/// The error of a request for which no memory is left.
pub(crate) fn no_room(NoRoom: NoRoom) -> Error {
    Error::NoRoom(Executed::No)
}
