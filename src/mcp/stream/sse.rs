//! Server-sent events, from network chunks to [`Event`]s, as the `text/event-stream` standard reads them.
//!
//! Pure parsing: no input or output, no JSON, no idea of which event is the reply to a request. It accepts the forms in which
//! MCP servers send events: lines that end in LF, CRLF or CR, byte order marks, a last event that nothing terminates,
//! and all of it cut into chunks at any byte.
//!
//! Every byte is looked at a fixed number of times, whatever the chunks are, and what is kept between chunks is at
//! most one event, which [`Limits`] bounds. In the usual case, an event whose one `data` line lies within one chunk, the
//! event shares the chunk's memory.
//!
//! Source: <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>

use bytes::{Buf, Bytes};
use memchr::{memchr, memchr2};

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event.
///
/// All text is valid UTF-8: bytes that are not have become U+FFFD, as the standard decodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The values of its `data` lines, joined by LF. Empty in a priming event, which only carries an id or a delay.
    pub data: Bytes,
    /// The value of its last `event` line. None and an empty one both mean a message.
    pub name: Option<Bytes>,
    /// The value of its last `id` line. It stays the id to resume from until another event gives one; an empty one
    /// takes it back.
    pub id: Option<Bytes>,
    /// How long to wait before reconnecting, in milliseconds.
    pub retry: Option<u64>,
}

/// How much of a stream is read before it counts as hostile.
///
/// The length of a whole stream is not among them; the reader of chunks limits that for every kind of body.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one event as they were sent: field names, comments and one byte per line end are counted.
    pub event_bytes: usize,
    /// Events in a stream. A block of comments or of nothing counts too, or a flood of keep-alives would be free.
    pub events: usize,
}

/// A stream went over one of its [`Limits`], and nothing more can be read from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// One event has more bytes than allowed.
    #[error("an event is longer than {0} bytes")]
    Event(usize),
    /// There are more events than allowed.
    #[error("the stream has more than {0} events")]
    Events(usize),
}

/// Reads one stream.
///
/// ```
/// # use bytes::Bytes;
/// # use mcp_rest::mcp::stream::sse::{Limits, Reader, TooLarge};
/// let mut reader = Reader::new(Limits { event_bytes: 1024, events: 10 });
/// let mut chunk = Bytes::from_static(b"data: {}\r\n\r\n");
/// while let Some(event) = reader.next_event(&mut chunk)? {
///     assert_eq!(event.data, "{}");
/// }
/// assert_eq!(reader.finish()?, None);
/// # Ok::<(), TooLarge>(())
/// ```
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// The beginning of a line whose end is in a chunk to come.
    partial_line: Vec<u8>,
    /// The last line ended in CR, so an LF that comes next belongs to it.
    after_cr: bool,
    /// No line has been read: byte order marks may come.
    at_start: bool,
    block: Block,
    /// Bytes of the lines that make up `block`.
    block_bytes: usize,
    events: usize,
}

/// An event of which more lines may come.
#[derive(Debug, Default)]
struct Block {
    data: Data,
    name: Option<Bytes>,
    id: Option<Bytes>,
    retry: Option<u64>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    Absent,
    Line(Bytes),
    Lines(Vec<u8>),
}

// === impl Reader ===

impl Reader {
    /// A reader at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            partial_line: Vec::new(),
            after_cr: false,
            at_start: true,
            block: Block::default(),
            block_bytes: 0,
            events: 0,
        }
    }

    /// Takes the next event off the front of `chunk`.
    ///
    /// `None` means that the chunk is used up and the next one is wanted.
    pub fn next_event(&mut self, chunk: &mut Bytes) -> Result<Option<Event>, TooLarge> {
        while let Some(line) = self.next_line(chunk)? {
            if !line.is_empty() {
                self.block.read_line(&line);
            } else if let Some(event) = self.end_block()? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Ends the stream: returns an event that lacks nothing but its last line end or blank line.
    ///
    /// The standard discards it; servers that forget the blank line have still replied.
    pub fn finish(&mut self) -> Result<Option<Event>, TooLarge> {
        let line = std::mem::take(&mut self.partial_line);
        let line = self.without_byte_order_mark(line.into());
        if !line.is_empty() {
            self.block.read_line(&line);
        } else if self.block_bytes == 0 {
            return Ok(None);
        }
        self.end_block()
    }

    /// Bytes of the event that has begun and not ended.
    pub fn held(&self) -> usize {
        self.block_bytes + self.partial_line.len()
    }

    fn next_line(&mut self, chunk: &mut Bytes) -> Result<Option<Bytes>, TooLarge> {
        let Some(first) = chunk.first() else {
            return Ok(None);
        };
        if std::mem::take(&mut self.after_cr) && *first == b'\n' {
            chunk.advance(1);
        }

        let Some(line_end) = memchr2(b'\n', b'\r', chunk) else {
            self.check_event_bytes(chunk.len())?;
            self.partial_line.extend_from_slice(chunk);
            chunk.clear();
            return Ok(None);
        };
        self.check_event_bytes(line_end + 1)?;

        let mut line = chunk.split_to(line_end);
        self.after_cr = chunk.get_u8() == b'\r';
        if !self.partial_line.is_empty() {
            self.partial_line.extend_from_slice(&line);
            line = std::mem::take(&mut self.partial_line).into();
        }
        self.block_bytes += line.len() + 1;
        Ok(Some(self.without_byte_order_mark(line)))
    }

    fn check_event_bytes(&self, more: usize) -> Result<(), TooLarge> {
        let limit = self.limits.event_bytes;
        if self.block_bytes + self.partial_line.len() + more > limit {
            return Err(TooLarge::Event(limit));
        }
        Ok(())
    }

    /// Removes every mark, where the standard removes one: two programs in a row may each have added theirs.
    fn without_byte_order_mark(&mut self, mut first_line: Bytes) -> Bytes {
        if std::mem::take(&mut self.at_start) {
            while first_line.starts_with(BYTE_ORDER_MARK) {
                first_line.advance(BYTE_ORDER_MARK.len());
            }
        }
        first_line
    }

    fn end_block(&mut self) -> Result<Option<Event>, TooLarge> {
        if self.events == self.limits.events {
            return Err(TooLarge::Events(self.limits.events));
        }
        self.events += 1;
        self.block_bytes = 0;
        Ok(std::mem::take(&mut self.block).into_event())
    }
}

// === impl Block ===

impl Block {
    fn read_line(&mut self, line: &Bytes) {
        let (field, rest) = line.split_at(memchr(b':', line).unwrap_or(line.len()));
        let value = rest.strip_prefix(b":").unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.data.push(decode(line.slice_ref(value))),
            b"event" => self.name = Some(decode(line.slice_ref(value))),
            b"id" if !value.contains(&0) => self.id = Some(decode(line.slice_ref(value))),
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            // A comment has no name before its colon; names that the standard does not know mean nothing.
            _ => {}
        }
    }

    /// Nothing, if no field said anything that outlives the block.
    fn into_event(self) -> Option<Event> {
        if matches!(self.data, Data::Absent) && self.id.is_none() && self.retry.is_none() {
            return None;
        }
        Some(Event {
            data: self.data.into_bytes(),
            name: self.name,
            id: self.id,
            retry: self.retry,
        })
    }
}

// === impl Data ===

impl Data {
    fn push(&mut self, value: Bytes) {
        *self = match std::mem::take(self) {
            Self::Absent => Self::Line(value),
            Self::Line(first) => Self::Lines([first, value].join(&b'\n')),
            Self::Lines(mut lines) => {
                lines.push(b'\n');
                lines.extend_from_slice(&value);
                Self::Lines(lines)
            }
        };
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::Absent => Bytes::new(),
            Self::Line(line) => line,
            Self::Lines(lines) => lines.into(),
        }
    }
}

/// A character never spans a line end, so decoding value by value gives what decoding the stream would.
fn decode(value: Bytes) -> Bytes {
    match std::str::from_utf8(&value) {
        Ok(_) => value,
        Err(_) => String::from_utf8_lossy(&value).into_owned().into(),
    }
}

/// Digits only, as the standard asks: `u64` alone would take a plus sign.
fn milliseconds(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}
