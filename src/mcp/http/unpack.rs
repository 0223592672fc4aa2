//! Response bodies a little at a time: other tasks of a worker have their turn in between, and compressed bodies are unpacked in
//! small pieces.
//!
//! awc would unpack whatever it has read at once: eight kilobytes can become eight megabytes, which no limit has seen yet, for
//! each response that is being read. A piece of two kilobytes becomes two megabytes at most.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_http::encoding::Decoder;
use actix_http::{ContentEncoding, Payload};
use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::header::CONTENT_ENCODING;
use bytes::Bytes;
use futures::Stream;

/// As much of a compressed body as the decoder unpacks in place; a longer chunk it passes to another thread.
const PIECE: usize = 2048;
/// Bytes of any other body that are read and parsed before other tasks have a turn: some milliseconds where it is events.
const TURN: usize = 64 * 1024;

/// A response as awc reads it, with its body packed as it came.
pub(crate) type Packed = ClientResponse<Decoder<Payload>>;
/// A response whose body is unpacked, and yields to other tasks.
pub(crate) type Unpacked = ClientResponse<Decoder<Cut<Payload<Decoder<Payload>>>>>;

/// A body that yields to other tasks after so many bytes.
pub(crate) struct Cut<S> {
    body: S,
    is_packed: bool,
    chunk: Bytes,
    /// Bytes given since other tasks had a turn.
    given: usize,
}

/// Unpacks the body of a response to a request with `no_decompress`.
pub(crate) fn unpacked(response: Packed) -> Unpacked {
    response.map_body(|head, body| {
        let encoding = head.headers.get(CONTENT_ENCODING);
        let cut = Cut {
            body,
            is_packed: encoding.is_some(),
            chunk: Bytes::new(),
            given: 0,
        };
        let encoding = encoding.and_then(|value| value.to_str().ok()?.parse().ok());
        Payload::Stream {
            payload: Decoder::new(cut, encoding.unwrap_or(ContentEncoding::Identity)),
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
        let (piece, turn) = if this.is_packed {
            (PIECE, PIECE)
        } else {
            (usize::MAX, TURN)
        };
        if this.given >= turn {
            this.given = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.chunk.is_empty() {
            match Pin::new(&mut this.body).poll_next(context) {
                Poll::Ready(Some(Ok(chunk))) => this.chunk = chunk,
                Poll::Pending => {
                    this.given = 0;
                    return Poll::Pending;
                }
                ended @ Poll::Ready(_) => return ended,
            }
        }
        let piece = this.chunk.split_to(this.chunk.len().min(piece));
        this.given += piece.len();
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

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
            given: 0,
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

    #[actix_rt::test]
    async fn others_have_their_turn() {
        let chunks = [(); 8].map(|()| Ok(Bytes::from(vec![b' '; TURN / 2])));
        let mut cut = Cut {
            body: futures::stream::iter(chunks),
            is_packed: false,
            chunk: Bytes::new(),
            given: 0,
        };
        let (mut chunks, mut turns) = (0, 0);
        loop {
            match futures::poll!(cut.next()) {
                Poll::Ready(Some(chunk)) => chunks += usize::from(chunk.is_ok()),
                Poll::Ready(None) => break,
                Poll::Pending => turns += 1,
            }
        }
        assert_eq!((chunks, turns), (8, 4));
    }
}
