//! A body that is written piece by piece, so that no copy of it waits as a whole for a slow reader: actix and awc copy what
//! they are given at once into a buffer of the connection.
//!
//! It is put together from slices of bodies that are there already and of little text around them; nothing large is copied.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use awc::body::{BodySize, MessageBody};
use bytes::{Bytes, BytesMut};
use serde::Serialize;

use crate::mcp::limits::{Budget, NoRoom, SMALL};

/// The longest piece that is given to a connection.
const PIECE: usize = SMALL;
/// What is as short as this is copied: that is cheaper than to keep it by itself.
const SHORT: usize = 4 * 1024;

/// Bytes in order, of which each has its reservation of the [`Budget`] or is small.
#[derive(Debug, Default)]
pub struct Pieces {
    parts: VecDeque<Bytes>,
    length: usize,
}

/// Pieces that are being put together.
#[derive(Debug)]
pub struct Builder<'a> {
    pieces: Pieces,
    /// What was written since the last slice.
    text: BytesMut,
    budget: &'a Budget,
    sources: &'a [Bytes],
    no_room: bool,
}

// === impl Pieces ===

impl Pieces {
    /// Bytes with their reservation.
    pub fn of(bytes: Bytes) -> Self {
        let mut pieces = Self::default();
        pieces.push(bytes);
        pieces
    }

    /// A value as JSON. What of it lies in one of `sources` is not copied.
    pub fn json<T: Serialize>(
        value: &T,
        sources: &[Bytes],
        budget: &Budget,
    ) -> Result<Self, NoRoom> {
        let mut builder = Builder::new(sources, budget);
        // Writing fails at the memory limit alone: the types written here are our own.
        let written = serde_json::to_writer(&mut builder, value);
        written.map_err(|error| {
            if !error.is_io() {
                log::error!("a response could not be written: {error}");
            }
            NoRoom
        })?;
        builder.finish()
    }

    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes the next piece.
    pub fn next_piece(&mut self) -> Option<Bytes> {
        let part = self.parts.front_mut()?;
        let piece = part.split_to(part.len().min(PIECE));
        if part.is_empty() {
            self.parts.pop_front();
        }
        self.length -= piece.len();
        Some(piece)
    }

    /// All of it in one: for what is small.
    pub fn into_bytes(mut self) -> Bytes {
        if self.parts.len() <= 1 {
            return self.parts.pop_front().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.length);
        self.parts
            .iter()
            .for_each(|part| whole.extend_from_slice(part));
        whole.freeze()
    }

    /// Adds bytes that have their reservation.
    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.length += bytes.len();
            self.parts.push_back(bytes);
        }
    }

    /// Adds others.
    pub fn append(&mut self, mut others: Self) {
        self.length += others.length;
        self.parts.append(&mut others.parts);
    }
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.length).unwrap_or(u64::MAX))
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(self.next_piece().map(Ok))
    }
}

// === impl Builder ===

impl<'a> Builder<'a> {
    /// Nothing yet. What is written of `sources` is sliced from them.
    pub fn new(sources: &'a [Bytes], budget: &'a Budget) -> Self {
        Self {
            pieces: Pieces::default(),
            text: BytesMut::with_capacity(512),
            budget,
            sources,
            no_room: false,
        }
    }

    /// Adds text of our own.
    pub fn text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// Adds bytes that have their reservation.
    pub fn slice(&mut self, bytes: Bytes) {
        if bytes.len() <= SHORT {
            return self.text(&bytes);
        }
        self.end_text();
        self.pieces.push(bytes);
    }

    /// Adds others.
    pub fn pieces(&mut self, mut others: Pieces) {
        while let Some(part) = others.parts.pop_front() {
            self.slice(part);
        }
    }

    /// All of it.
    pub fn finish(mut self) -> Result<Pieces, NoRoom> {
        self.end_text();
        if self.no_room {
            return Err(NoRoom);
        }
        Ok(self.pieces)
    }

    fn end_text(&mut self) {
        match self.budget.keep(self.text.split().freeze()) {
            Ok(text) => self.pieces.push(text),
            Err(NoRoom) => self.no_room = true,
        }
    }
}

impl Write for Builder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let within = |source: &&Bytes| {
            let (outer, inner) = (source.as_ptr_range(), bytes.as_ptr_range());
            outer.start <= inner.start && inner.end <= outer.end
        };
        if bytes.len() <= SHORT {
            self.text(bytes);
        } else if let Some(source) = self.sources.iter().find(within) {
            self.slice(source.slice_ref(bytes));
        } else {
            self.text(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn a_body_comes_in_pieces_of_bounded_length() {
        let body: Vec<u8> = (0..=255_u8).cycle().take(3 * PIECE + 5).collect();
        let mut pieces = Pieces::of(body.clone().into());
        assert_eq!(pieces.len(), body.len());
        let mut read = Vec::new();
        while let Some(piece) = pieces.next_piece() {
            assert!(!piece.is_empty() && piece.len() <= PIECE);
            read.extend_from_slice(&piece);
            assert_eq!(pieces.len(), body.len() - read.len());
        }
        assert_eq!(read, body);
    }

    #[test]
    fn what_is_written_of_a_source_is_a_slice_of_it() {
        #[derive(Serialize)]
        struct Response<'a> {
            before: &'a str,
            result: &'a RawValue,
            after: u8,
        }
        let budget = Budget::new(2 * SMALL);
        let source = Bytes::from(format!("[\"{}\"]", "x".repeat(SMALL)));
        let source = budget.keep(source).unwrap();
        let response = Response {
            before: "b",
            result: serde_json::from_slice(&source).unwrap(),
            after: 7,
        };
        let sources = [source.clone()];
        let pieces = Pieces::json(&response, &sources, &budget).unwrap();
        assert_eq!(pieces.parts.len(), 3);
        assert_eq!(pieces.parts[1].as_ptr(), source.as_ptr());
        assert_eq!(pieces.len(), serde_json::to_vec(&response).unwrap().len());
        assert_eq!(pieces.into_bytes(), serde_json::to_vec(&response).unwrap());
        // Without a source it is a copy, which needs a reservation of its own.
        assert!(matches!(Pieces::json(&response, &[], &budget), Err(NoRoom)));
    }

    #[test]
    fn little_is_one_piece() {
        let budget = Budget::new(0);
        let mut builder = Builder::new(&[], &budget);
        builder.text(b"{\"result\":");
        builder.slice(Bytes::from_static(b"{}"));
        builder.text(b"}");
        let mut pieces = builder.finish().unwrap();
        assert_eq!(pieces.next_piece().unwrap(), "{\"result\":{}}");
        assert!(pieces.is_empty() && pieces.next_piece().is_none());
    }
}
