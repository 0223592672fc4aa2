//! Request bodies that are compressed: which codings are taken, and what is in them, within the cap.
//!
//! Answers are not compressed here: that is for the proxy that ends TLS.

use std::io::Read;

use actix_web::http::header::{CONTENT_ENCODING, HeaderMap};
use actix_web::web;
use bytes::Bytes;
use flate2::bufread::GzDecoder;

use crate::api::error::kinds::Error;
use crate::mcp::limits::{NoRoom, Share};
use crate::mcp::protocol::error::Executed;

/// Bytes that one byte of gzip can stand for (RFC 1951: 258 bytes in two bits).
const MOST_UNPACKED: usize = 1032;

/// Whether a body is compressed with gzip; any coding that is neither that nor none is an error. So are several.
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

/// What is in a gzip body, if it is not more than `cap` bytes. Off the worker: how long it takes, its length does not tell.
/// Nor does that tell how much it will be, so `share` has the most it can be meanwhile.
pub(crate) async fn gunzip(body: Bytes, cap: usize, mut share: Share) -> Result<Bytes, Error> {
    if body.is_empty() {
        return Ok(body);
    }
    let most = cap.min(body.len().saturating_mul(MOST_UNPACKED));
    share.hold(most).map_err(no_room)?;
    let unpacked = web::block(move || {
        let unpacked = unpack(&body, cap)?;
        share.keep(unpacked).map_err(no_room)
    });
    unpacked.await.unwrap_or_else(|error| {
        log::error!("a body could not be decompressed: {error}");
        Err(Error::Internal)
    })
}

/// Reads no more than one byte over the cap, so that a bomb costs what an honest body may. One member alone is taken: a file may
/// have many, but a hundred thousand empty ones would fit into a body, and take half a second.
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

/// The error of a request that no memory is left for.
pub(crate) fn no_room(NoRoom: NoRoom) -> Error {
    Error::NoRoom(Executed::No)
}
