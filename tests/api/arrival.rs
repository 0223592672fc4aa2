//! How a request may arrive: in pieces, ahead of its turn, on request, or not at all. A body is looked at before the
//! server library has handed it on, so that each of these is worth a test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::app::TestApp;
use crate::upstream::{Upstream, servers};

const BODY: &str = r#"{"message":"hi"}"#;

/// A call as it goes over the wire.
fn call(headers: &str, body: &str) -> String {
    format!(
        "POST /api/mcp/s/tools/echo/execute HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{headers}\r\n{body}"
    )
}

fn plain(headers: &str) -> String {
    call(
        &format!("content-length: {}\r\n{headers}", BODY.len()),
        BODY,
    )
}

struct Caller {
    upstream: Upstream,
    stream: TcpStream,
    _app: TestApp,
}

impl Caller {
    fn new() -> Self {
        let upstream = Upstream::start(servers::ts_v1_stateless);
        let app = TestApp::over(&upstream);
        let stream = TcpStream::connect(app.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            upstream,
            stream,
            _app: app,
        }
    }

    fn send(&mut self, bytes: &str) {
        self.stream.write_all(bytes.as_bytes()).unwrap();
    }

    /// All that comes until the service closes the connection.
    fn rest(mut self) -> (String, usize) {
        let mut answers = String::new();
        self.stream.read_to_string(&mut answers).unwrap();
        (answers, self.upstream.executions())
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let mut caller = Caller::new();
    for byte in plain("connection: close\r\n").split_inclusive("") {
        caller.send(byte);
    }
    let (answers, executions) = caller.rest();
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    assert_eq!(executions, 1);
}

#[test]
fn requests_may_come_ahead_of_their_turn() {
    let mut caller = Caller::new();
    let all = [
        plain(""),
        "GET /health HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        plain(""),
        call(
            "transfer-encoding: chunked\r\n",
            "4\r\n{\"me\r\nc\r\nssage\":\"hi\"}\r\n0\r\n\r\n",
        ),
        plain("connection: close\r\n"),
    ];
    caller.send(&all.concat());
    let (answers, executions) = caller.rest();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 5, "{answers}");
    assert_eq!(executions, 4);
}

#[test]
fn a_body_may_wait_to_be_asked_for() {
    let mut caller = Caller::new();
    let request = plain("expect: 100-continue\r\nconnection: close\r\n");
    let (head, body) = request.split_at(request.len() - BODY.len());
    caller.send(head);
    let mut go_on = [0; 25];
    caller.stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    caller.send(body);
    let (answers, executions) = caller.rest();
    assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
    assert_eq!(executions, 1);
}

#[test]
fn a_body_announced_too_long_is_refused_before_it_comes() {
    let mut caller = Caller::new();
    caller.send(&call("content-length: 99999999\r\n", "{"));
    let mut answer = [0; 12];
    caller.stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(caller.upstream.executions(), 0);
}

#[test]
fn a_body_that_breaks_off_calls_nothing() {
    let mut caller = Caller::new();
    caller.send(&call("content-length: 100\r\n", "{\"message\":"));
    caller.stream.shutdown(std::net::Shutdown::Write).unwrap();
    let (_, executions) = caller.rest();
    assert_eq!(executions, 0);
}
