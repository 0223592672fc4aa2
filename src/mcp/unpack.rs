//! Compressed answers, unpacked a little at a time.
//!
//! awc would unpack whatever it has read at once: eight kilobytes can become eight megabytes, which no cap has seen yet, for every
//! answer that is being read. A piece of two kilobytes becomes two megabytes at most, and between pieces others get their turn.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use actix_http::Payload;
use actix_http::encoding::Decoder;
use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use futures::Stream;

/// As much as the decoder unpacks then and there; more it would hand to another thread.
const PIECE: usize = 2048;

/// A body in small pieces, if it is compressed.
pub(super) struct Cut<S> {
    body: S,
    is_packed: bool,
    chunk: Bytes,
    /// A piece was given, and nobody else has had a turn since.
    had_turn: bool,
}

/// A response whose body is read unpacked. `response` must be one that awc leaves as it is.
pub(super) fn unpacked<S>(response: ClientResponse<S>) -> ClientResponse<Decoder<Cut<Payload<S>>>>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    response.map_body(|head, body| {
        let cut = Cut {
            body,
            is_packed: head.headers.contains_key(CONTENT_ENCODING),
            chunk: Bytes::new(),
            had_turn: false,
        };
        Payload::Stream {
            payload: Decoder::from_headers(cut, &head.headers),
        }
    })
}

impl<S> Stream for Cut<S>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let this = &mut *self;
        if !this.is_packed {
            return Pin::new(&mut this.body).poll_next(context);
        }
        if std::mem::take(&mut this.had_turn) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.chunk.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(context)) {
                Some(Ok(chunk)) => this.chunk = chunk,
                ended => return Poll::Ready(ended),
            }
        }
        this.had_turn = true;
        let piece = this.chunk.split_to(this.chunk.len().min(PIECE));
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use actix_http::ContentEncoding;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use futures::StreamExt;

    use super::*;

    #[actix_rt::test]
    async fn little_is_unpacked_at_a_time() {
        let large = vec![b' '; 32 * 1024 * 1024];
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&large).unwrap();
        let packed = Bytes::from(packed.finish().unwrap());
        assert!(packed.len() > 10 * PIECE);
        let cut = Cut {
            body: futures::stream::iter([Ok(packed)]),
            is_packed: true,
            chunk: Bytes::new(),
            had_turn: false,
        };
        let mut unpacked = Decoder::new(cut, ContentEncoding::Gzip);
        let mut length = 0;
        while let Some(piece) = unpacked.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= 1100 * PIECE, "{}", piece.len());
            length += piece.len();
        }
        assert_eq!(length, large.len());
    }
}
