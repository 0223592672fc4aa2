//! What the scripted upstream answers: bytes exactly as given, whole, in chunks, late, or cut off.

use std::io::{self, Write};

use super::State;

/// One answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    stalled: bool,
    closes: bool,
    resets: bool,
}

#[derive(Debug, Clone)]
enum Body {
    /// With a `Content-Length`.
    Whole(Vec<u8>),
    /// With `Transfer-Encoding: chunked`.
    Stream(Vec<Part>),
    /// These bytes in place of the whole answer, head and all; then the connection is closed.
    Raw(Vec<Part>),
}

/// One step of a streamed body.
#[derive(Debug, Clone)]
pub enum Part {
    /// One chunk.
    Bytes(Vec<u8>),
    /// Nothing until the test calls `Upstream::release`.
    Stall,
    /// These bytes, one by one.
    Drip(Vec<u8>),
    /// These bytes over and over, until nobody takes them any more.
    Repeat(&'static [u8]),
    /// Nothing until this many requests of that name have come.
    Until(&'static str, usize),
    /// Whatever is given to `State::say`, until another stream listens for it.
    Said,
    /// The connection is closed before the body has ended.
    HangUp,
}

impl Reply {
    /// An empty body and no content type.
    pub fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Whole(Vec::new()),
            stalled: false,
            closes: false,
            resets: false,
        }
    }

    /// A body without a content type: what rmcp sends as errors.
    pub fn untyped(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Body::Whole(body.into()),
            ..Self::empty(status)
        }
    }

    /// A body of the given type.
    pub fn typed(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::untyped(status, body).header("content-type", content_type)
    }

    /// A JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::typed(status, "application/json", body)
    }

    /// An event stream sent as these parts.
    pub fn stream(parts: Vec<Part>) -> Self {
        Self {
            body: Body::Stream(parts),
            ..Self::empty(200)
        }
        .header("content-type", "text/event-stream")
        .header("cache-control", "no-cache, no-transform")
    }

    /// An event stream sent as one chunk, then ended.
    pub fn events(text: impl Into<Vec<u8>>) -> Self {
        Self::stream(vec![Part::Bytes(text.into())])
    }

    /// Exactly these bytes, then the connection is closed.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::raw_parts(vec![Part::Bytes(bytes.into())])
    }

    /// Exactly the bytes of these parts, then the connection is closed.
    pub fn raw_parts(parts: Vec<Part>) -> Self {
        Self {
            body: Body::Raw(parts),
            ..Self::empty(200)
        }
    }

    /// The connection is closed without an answer.
    pub fn hang_up() -> Self {
        Self::raw([])
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, but nothing of it is sent until the test calls `Upstream::release`.
    #[must_use]
    pub fn stalled(self) -> Self {
        Self {
            stalled: true,
            ..self
        }
    }

    /// The same, but the connection is closed by a reset.
    #[must_use]
    pub fn then_reset(self) -> Self {
        Self {
            resets: true,
            ..self
        }
    }

    /// Whether the connection is closed by a reset.
    pub(super) fn resets(&self) -> bool {
        self.resets
    }

    /// The same, but the connection is closed after it, without a word of that in the head.
    #[must_use]
    pub fn then_close(self) -> Self {
        Self {
            closes: true,
            ..self
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Writes the answer. Returns whether the connection can be used again.
    pub(super) fn write(&self, out: &mut impl Write, state: &State) -> io::Result<bool> {
        if self.stalled {
            state.wait_for_release();
        }
        match &self.body {
            Body::Raw(parts) => {
                write_parts(out, parts, state, Write::write_all)?;
                Ok(false)
            }
            Body::Whole(bytes) => {
                let mut message = self.head(&format!("content-length: {}", bytes.len()));
                message.extend_from_slice(bytes);
                out.write_all(&message)?;
                Ok(!self.closes)
            }
            Body::Stream(parts) => {
                out.write_all(&self.head("transfer-encoding: chunked"))?;
                if !write_parts(out, parts, state, write_chunk)? {
                    return Ok(false);
                }
                out.write_all(b"0\r\n\r\n")?;
                Ok(!self.closes)
            }
        }
    }

    fn head(&self, framing: &str) -> Vec<u8> {
        let line = |(name, value): &(String, String)| format!("{name}: {value}\r\n");
        let headers: Vec<String> = self.headers.iter().map(line).collect();
        let status = self.status;
        format!(
            "HTTP/1.1 {status} \r\n{framing}\r\n{}\r\n",
            headers.concat()
        )
        .into_bytes()
    }
}

/// Writes the parts, their bytes with `put`; `false` if the connection is to be closed before the end.
fn write_parts<W: Write>(
    out: &mut W,
    parts: &[Part],
    state: &State,
    put: impl Fn(&mut W, &[u8]) -> io::Result<()>,
) -> io::Result<bool> {
    // Before the other side has seen a byte, for what it sends then may be answered on this stream.
    let listens = parts.iter().any(|part| matches!(part, Part::Said));
    let listener = if listens { state.listen() } else { 0 };
    for part in parts {
        match part {
            Part::Bytes(bytes) => put(out, bytes)?,
            Part::Drip(bytes) => {
                for byte in bytes {
                    put(out, &[*byte])?;
                }
            }
            Part::Repeat(bytes) => loop {
                put(out, bytes)?;
            },
            Part::Stall => state.wait_for_release(),
            Part::Until(name, times) => state.wait_for(name, *times),
            Part::Said => {
                while let Some(text) = state.next_said(listener) {
                    put(out, text.as_bytes())?;
                }
            }
            Part::HangUp => return Ok(false),
        }
    }
    Ok(true)
}

fn write_chunk(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    // One without bytes would be the last.
    if bytes.is_empty() {
        return Ok(());
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    out.write_all(&chunk)
}

// === Framing: one JSON-RPC message as the servers send it ===

/// `application/json`.
pub fn as_json(message: &str) -> Reply {
    Reply::json(200, message)
}

/// One event, line ends LF (TypeScript SDK, go-sdk).
pub fn as_event(message: &str) -> Reply {
    Reply::events(event(message))
}

/// One event, line ends CRLF (Python SDK).
pub fn as_crlf_event(message: &str) -> Reply {
    Reply::events(format!("event: message\r\ndata: {message}\r\n\r\n"))
}

/// A priming event, then the message; no `event:`, `id:` after `data:` (rmcp).
pub fn as_rmcp_events(message: &str) -> Reply {
    Reply::events(format!(
        "data: \nid: 0/2\nretry: 3000\n\ndata: {message}\nid: 1/2\n\n"
    ))
}

/// A priming event, then the message with an event id (server-everything on a 2025-11-25 session).
pub fn as_primed_event(message: &str) -> Reply {
    Reply::events(format!(
        "id: 2751bf47-4aec-4970-a83a-8d1c05e1b33f\ndata: \n\n\
         event: message\nid: 7698bf1e-c395-4b8c-8a49-d33f6e363f0b\ndata: {message}\n\n"
    ))
}

/// A notification, then the message (supergateway).
pub fn as_event_after_notification(message: &str) -> Reply {
    let notification = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    Reply::events(format!("{}{}", event(notification), event(message)))
}

/// One event as text.
pub fn event(message: &str) -> String {
    format!("event: message\ndata: {message}\n\n")
}
