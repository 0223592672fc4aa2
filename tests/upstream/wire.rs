//! HTTP/1.1 messages as they are on the wire, for both ends of the tests: what the scripted upstream reads as
//! requests, the test client reads as responses.
//!
//! It reads what is well-formed and fails on the rest; writing is left to the two ends, which must be able to write
//! anything.

use std::io::{self, BufRead, Read};

/// One message: start line, headers, body with the framing taken off.
#[derive(Debug, Clone)]
pub struct Message {
    /// The request line or the status line.
    pub start: String,
    /// In the order they came.
    pub headers: Headers,
    /// As many bytes as the framing says.
    pub body: Vec<u8>,
}

/// Headers in the order they came, looked up without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// All values of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0
            .iter()
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// The media type in `Content-Type`, without its parameters.
    pub fn media_type(&self) -> Option<&str> {
        let value = self.get("content-type")?;
        value.split(';').next().map(str::trim)
    }
}

/// Reads one request; `None` if the other side closed before it began one.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let (start, headers) = read_head(reader)?;
    let body = read_framed_body(reader, &headers)?.unwrap_or_default();
    Ok(Some(Message {
        start,
        headers,
        body,
    }))
}

/// Reads one response; interim ones (1xx) are passed over.
pub fn read_response(reader: &mut impl BufRead) -> io::Result<Message> {
    loop {
        let (start, headers) = read_head(reader)?;
        let body = match status(&start) {
            Some(100..=199) => continue,
            Some(204 | 304) => Vec::new(),
            _ => match read_framed_body(reader, &headers)? {
                Some(body) => body,
                None => read_to_end(reader)?,
            },
        };
        return Ok(Message {
            start,
            headers,
            body,
        });
    }
}

/// The status in a status line.
pub fn status(start: &str) -> Option<u16> {
    start.split(' ').nth(1)?.parse().ok()
}

fn read_head(reader: &mut impl BufRead) -> io::Result<(String, Headers)> {
    let start = read_line(reader)?;
    let mut headers = Headers::default();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Ok((start, headers));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| broken(&line))?;
        headers.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body that `Transfer-Encoding` or `Content-Length` announces; `None` if neither does.
fn read_framed_body(reader: &mut impl BufRead, headers: &Headers) -> io::Result<Option<Vec<u8>>> {
    if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        return read_chunks(reader).map(Some);
    }
    let Some(length) = headers.get("content-length") else {
        return Ok(None);
    };
    let mut body = vec![0; length.parse().or(Err(broken(length)))?];
    reader.read_exact(&mut body)?;
    Ok(Some(body))
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let size = usize::from_str_radix(line.trim(), 16).or(Err(broken(&line)))?;
        let mut chunk = vec![0; size];
        reader.read_exact(&mut chunk)?;
        body.append(&mut chunk);
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_to_end(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    reader.read_to_end(&mut body)?;
    Ok(body)
}

/// One line without its end; the end of the stream within it is an error.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP/1.1: {what:?}"))
}
