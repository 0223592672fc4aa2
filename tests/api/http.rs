//! A client that writes exactly the bytes a test asks for, legal or not, and reads one response.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::upstream::wire::{self, Headers, Message};

/// So that a hang fails the test.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// One request; nothing is checked or encoded.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`, or anything else.
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// One response.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// In the order they came.
    pub headers: Headers,
    /// With the framing taken off.
    pub body: Vec<u8>,
}

// === impl Request ===

impl Request {
    /// Any method.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// `GET`
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST`
    pub fn post(target: &str) -> Self {
        Self::new("POST", target)
    }

    /// `DELETE`
    pub fn delete(target: &str) -> Self {
        Self::new("DELETE", target)
    }

    /// One more header; its value may be any bytes.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// A body without a content type.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// A body of type `application/json`, JSON or not.
    #[must_use]
    pub fn json(self, body: impl ToString) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Sends it on a connection of its own.
    pub fn send(&self, address: SocketAddr) -> Response {
        send_raw(address, &self.to_bytes(address))
    }

    /// The request as it is sent.
    pub fn to_bytes(&self, address: SocketAddr) -> Vec<u8> {
        let mut bytes = format!(
            "{} {} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n",
            self.method, self.target
        )
        .into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        if !self.body.is_empty() || self.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Sends these bytes on a connection of their own and reads one response.
pub fn send_raw(address: SocketAddr, bytes: &[u8]) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(READ_TIMEOUT)).unwrap();
    // A server may answer and close before it has read everything: the answer is what counts.
    stream.write_all(bytes).ok();
    match wire::read_response(&mut BufReader::new(&stream)) {
        Ok(message) => Response::from(message),
        Err(error) => panic!("no response: {error}"),
    }
}

// === impl Response ===

impl From<Message> for Response {
    fn from(message: Message) -> Self {
        Self {
            status: wire::status(&message.start).unwrap(),
            headers: message.headers,
            body: message.body,
        }
    }
}

impl Response {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The session the response hands out or was in.
    pub fn session(&self) -> Option<&str> {
        self.header("mcp-session-id")
    }

    /// The body of a success, which it must be.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }
}
