//! Slow clients: every wait for a head, for a body, and for a client to read its response has an end.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, execute};
use crate::http::send_raw;
use crate::openapi;
use crate::upstream::{Part, Reply, Upstream, servers};

/// So that a hang fails the test.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY: &str = r#"{"message":"hi"}"#;

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A call up to its body.
fn head(query: &str, framing: &str) -> String {
    format!(
        "POST /api/mcp/s/tools/echo/execute{query} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
    )
}

/// Reads one answer with a length, and no further.
fn answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let answer = String::from_utf8(answer).unwrap();
    let length = answer.lines().find_map(|line| {
        line.to_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).unwrap();
    answer + &String::from_utf8(body).unwrap()
}

#[track_caller]
fn is_ok(answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Why nothing was read. A signal, of a child process of another test, is no reason.
fn read_nothing(stream: &mut TcpStream) -> ErrorKind {
    loop {
        match stream.read(&mut [0]).unwrap_err().kind() {
            ErrorKind::Interrupted => {}
            kind => return kind,
        }
    }
}

/// Sends `drip` byte by byte, five a second, until the service closes the connection; all that it said until then. `None` if
/// it does not.
fn drip(stream: &mut TcpStream, drip: impl Iterator<Item = u8>) -> Option<String> {
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    for byte in drip.take(100) {
        let sent = stream.write_all(&[byte]);
        match stream.read(&mut buffer) {
            Ok(0) => return Some(String::from_utf8(said).unwrap()),
            Ok(read) => said.extend_from_slice(&buffer[..read]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => return Some(String::from_utf8(said).unwrap()),
        }
        // Closed, with the answer still to be read.
        if sent.is_err() && said.is_empty() {
            return Some(String::new());
        }
    }
    None
}

/// The beginning of a head.
const BEGUN: &str = "GET /livez HTTP/1.1\r\nx: ";

// === Bodies ===

#[test]
fn a_body_is_waited_for_until_the_deadline_of_its_call() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let own = TestApp::over_with(&upstream, json!({"timeoutMs": 300}));
    let gateways = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &[],
        &[("MCP_REST_TIMEOUT_MS", "300")],
    );
    let neither = TestApp::over(&upstream);
    for (app, query, framing, part) in [
        (&own, "", "content-length: 100", ""),
        (&gateways, "", "content-length: 100", "{"),
        (&neither, "?timeoutMs=300", "content-length: 100", "{"),
        (&neither, "?timeoutMs=300", "transfer-encoding: chunked", ""),
        (
            &neither,
            "?timeoutMs=300",
            "transfer-encoding: chunked",
            "1\r\n{\r\n",
        ),
        (&neither, "", "prefer: wait=1\r\ncontent-length: 9", "{"),
        (
            &neither,
            "",
            "expect: 100-continue\r\nprefer: wait=1\r\ncontent-length: 9",
            "",
        ),
    ] {
        let mut caller = connect(app.address);
        caller
            .write_all((head(query, framing) + part).as_bytes())
            .unwrap();
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        let answer = answer.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
        assert!(answer.starts_with("HTTP/1.1 408 "), "{framing}: {answer}");
        assert!(answer.contains("request_timeout"), "{answer}");
    }
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn a_body_that_drips_is_no_reason_to_wait_longer() {
    let app = TestApp::over(&Upstream::start(servers::ts_v1_stateless));
    let mut caller = connect(app.address);
    caller
        .write_all(head("?timeoutMs=1000", "content-length: 9999").as_bytes())
        .unwrap();
    let said = drip(&mut caller, std::iter::repeat(b' ')).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
}

#[test]
fn a_body_that_comes_in_time_is_taken() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let mut caller = connect(app.address);
    let framing = format!("content-length: {}", BODY.len());
    for _ in 0..3 {
        let (one, other) = BODY.split_at(4);
        caller.write_all(head("", &framing).as_bytes()).unwrap();
        for part in [one, other] {
            // Its own packet.
            caller.write_all(part.as_bytes()).unwrap();
            thread::yield_now();
        }
        is_ok(&answer(&mut caller));
    }
    assert_eq!(upstream.executions(), 3);
}

/// A body that no handler reads: otherwise actix-http would read it for as long as it comes.
#[test]
fn a_body_that_is_not_read_ends_its_connection() {
    let app = TestApp::over(&Upstream::start(servers::ts_v1_stateless));
    for framing in ["transfer-encoding: chunked", "content-length: 99"] {
        for path in ["/nowhere", "/livez", "/api/mcp/nobody/ping"] {
            let mut caller = connect(app.address);
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n");
            caller.write_all(head.as_bytes()).unwrap();
            let said = drip(&mut caller, b"1\r\na\r\n".iter().copied().cycle()).unwrap();
            assert!(said.starts_with("HTTP/1.1 4"), "{path}: {said}");
            assert!(said.contains("connection: close"), "{path}: {said}");
        }
    }
}

#[test]
fn what_surrounds_a_body_counts_towards_its_limit() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &[],
        &[("MCP_REST_LIMITS_REQUEST_BYTES", "1000")],
    );
    let megabyte = "x".repeat(1 << 20);
    let [first, rest] = ["1\r\n{\r\n", "1\r\n}\r\n"];
    for body in [
        format!("{first}1;{megabyte}\r\n}}\r\n0\r\n\r\n"),
        format!(
            "{first}{}{rest}0\r\n\r\n",
            "1;xxxxxxxx\r\n \r\n".repeat(900) + &format!("1;{megabyte}\r\n \r\n")
        ),
        format!("{first}{rest}0\r\nx: {megabyte}\r\n\r\n"),
        format!("{first}{rest}0;{megabyte}\r\n\r\n"),
    ] {
        let request = head("", "transfer-encoding: chunked") + &body;
        let response = send_raw(app.address, request.as_bytes());
        assert_eq!(response.status, 413, "{}", response.text());
    }
    assert_eq!(upstream.requests().len(), 0);
    // Small chunks with short extensions are fine.
    let chunks: Vec<String> = BODY
        .chars()
        .map(|byte| format!("1;a=b\r\n{byte}\r\n"))
        .collect();
    let body = chunks.concat();
    let request = head("", "transfer-encoding: chunked") + &body + "0;c\r\nx: y\r\n\r\n";
    send_raw(app.address, request.as_bytes()).ok();
}

// === Heads ===

#[test]
fn every_head_is_waited_for_a_few_seconds_only() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let before = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let call = head("", &format!("content-length: {}", BODY.len())) + BODY;
    thread::scope(|scope| {
        for (first, ahead, dripped) in [
            ("", "", BEGUN),
            (before, "", BEGUN),
            (before, BEGUN, ""),
            (&*call, "", BEGUN),
            (&*call, BEGUN, ""),
            (&*call, "\r\n\r\n", BEGUN),
        ] {
            let app = &app;
            scope.spawn(move || {
                let mut caller = connect(app.address);
                caller
                    .write_all(format!("{first}{ahead}").as_bytes())
                    .unwrap();
                if !first.is_empty() {
                    is_ok(&answer(&mut caller));
                }
                let endless = dripped.bytes().chain(std::iter::repeat(b'a'));
                let said = drip(&mut caller, endless).unwrap();
                assert!(!said.contains("HTTP/1.1 400"), "{first:?} {ahead:?}");
            });
        }
    });
}

/// What was read before the end of an answer is no beginning of a head, and a pause is none either.
#[test]
fn a_connection_may_rest_between_requests() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let mut caller = connect(app.address);
    let framing = format!("content-length: {}", BODY.len());
    for _ in 0..2 {
        caller.write_all(head("", &framing).as_bytes()).unwrap();
        thread::yield_now();
        caller.write_all(BODY.as_bytes()).unwrap();
        is_ok(&answer(&mut caller));
        // Longer than a head may take.
        caller
            .set_read_timeout(Some(Duration::from_secs(6)))
            .unwrap();
        assert_eq!(read_nothing(&mut caller), ErrorKind::WouldBlock);
        caller.set_read_timeout(Some(PATIENCE)).unwrap();
    }
}

#[test]
fn a_request_ahead_of_its_turn_waits_for_it() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if state.count("tools/call") == 1 => {
            servers::ts_v1_stateless(request, state).stalled()
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    let live = format!(
        "accept: text/event-stream\r\ncontent-length: {}",
        BODY.len()
    );
    let plain = format!("content-length: {}\r\nconnection: close", BODY.len());
    let mut caller = connect(app.address);
    caller
        .write_all((head("", &live) + BODY).as_bytes())
        .unwrap();
    upstream.wait_for("tools/call", 1);
    caller
        .write_all((head("", &plain) + BODY).as_bytes())
        .unwrap();
    // For longer than a head may take.
    caller
        .set_read_timeout(Some(Duration::from_secs(6)))
        .unwrap();
    let mut said = vec![0; 4096];
    let mut read = caller.read(&mut said).unwrap();
    while let Ok(more) = caller.read(&mut said[read..]) {
        assert_ne!(more, 0, "closed");
        read += more;
    }
    upstream.release();
    caller.set_read_timeout(Some(PATIENCE)).unwrap();
    said.truncate(read);
    caller.read_to_end(&mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.matches("HTTP/1.1 200").count(), 2, "{said}");
}

/// Requests far ahead of their turn stay unread in the system, which costs nothing, and are answered later.
#[test]
fn many_requests_ahead_of_their_turn_wait_for_it() {
    const REQUESTS: usize = 20_000;
    for comes_at_once in [false, true] {
        let upstream = Upstream::start(|request, state| match request.rpc() {
            "tools/call" => servers::ts_v1_stateless(request, state).stalled(),
            _ => servers::ts_v1_stateless(request, state),
        });
        let app = TestApp::over(&upstream);
        let framing = format!("content-length: {}", BODY.len());
        let first = head("", &framing) + BODY;
        let request = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
        let last = "GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        let rest = request.repeat(REQUESTS - 1) + last;
        let mut caller = connect(app.address);
        let mut sending = caller.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                if comes_at_once {
                    sending.write_all((first + &rest).as_bytes()).unwrap();
                } else {
                    sending.write_all(first.as_bytes()).unwrap();
                    upstream.wait_for("tools/call", 1);
                    sending.write_all(rest.as_bytes()).unwrap();
                }
            });
            upstream.wait_for("tools/call", 1);
            let pause = Duration::from_secs(2);
            caller.set_read_timeout(Some(pause)).unwrap();
            assert_eq!(read_nothing(&mut caller), ErrorKind::WouldBlock);
            let before = app.process().ticks();
            caller.read(&mut [0]).unwrap_err();
            let spent = app.process().ticks() - before;
            upstream.release();
            caller.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut answers = String::new();
            caller.read_to_string(&mut answers).unwrap();
            assert_eq!(answers.matches("HTTP/1.1 200").count(), REQUESTS + 1);
            assert!(spent < 10, "{spent} hundredths of a second");
        });
    }
}

// === Answers ===

/// A service whose callers may take nothing for half a second.
fn impatient(upstream: &Upstream) -> TestApp {
    TestApp::spawn_with(
        &config(upstream, json!({})),
        &["--log-level", "debug"],
        &[("MCP_REST_STALL_MS", "500")],
    )
}

const LEFT: &str = "reads nothing of its response";

#[test]
fn a_caller_that_does_not_take_its_answer_is_left() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let text = "x".repeat(20 << 20);
            let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#);
            Reply::json(200, request.result(&result))
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = impatient(&upstream);
    let mut caller = connect(app.address);
    let framing = format!("content-length: {}", BODY.len());
    caller
        .write_all((head("", &framing) + BODY).as_bytes())
        .unwrap();
    app.wait_for_log(LEFT);
    let mut taken = Vec::new();
    caller.read_to_end(&mut taken).ok();
    assert!(taken.len() < 20 << 20, "{}", taken.len());
}

/// The stream of a server that sends without end: only the client is waited for.
#[test]
fn a_caller_that_does_not_take_events_is_left() {
    const PROGRESS: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"01234567890123456789012345678901234567890123456789012345678901234567890123456789\"}}\n\n";
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::stream(vec![Part::Repeat(PROGRESS)]),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &["--log-level", "debug"],
        &[
            ("MCP_REST_STALL_MS", "500"),
            ("MCP_REST_LIMITS_EVENTS", "100000000"),
        ],
    );
    let mut caller = connect(app.address);
    let framing = format!(
        "accept: text/event-stream\r\ncontent-length: {}",
        BODY.len()
    );
    caller
        .write_all((head("", &framing) + BODY).as_bytes())
        .unwrap();
    upstream.wait_for("tools/call", 1);
    app.wait_for_log(LEFT);
    upstream.wait_until_nothing_is_answered();
}

#[test]
fn a_caller_that_takes_its_answer_slowly_gets_all_of_it() {
    const LENGTH: usize = 8 << 20;
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let text = "x".repeat(LENGTH);
            let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#);
            Reply::json(200, request.result(&result))
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::spawn_with(
        &config(&upstream, json!({})),
        &[],
        &[("MCP_REST_STALL_MS", "2000")],
    );
    let mut caller = connect(app.address);
    let framing = format!("content-length: {}\r\nconnection: close", BODY.len());
    caller
        .write_all((head("", &framing) + BODY).as_bytes())
        .unwrap();
    let (mut taken, mut buffer) = (0, vec![0; 1 << 20]);
    loop {
        match caller.read(&mut buffer).unwrap() {
            0 => break,
            read => taken += read,
        }
        // What takes longer than the limit in all, but never at once.
        thread::sleep(Duration::from_millis(50));
    }
    assert!(taken > LENGTH, "{taken}");
}

// === Shutdown ===

#[test]
fn a_hangup_of_the_terminal_stops_it_as_sigterm_does() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    app.echo().ok();
    app.signal("HUP");
    let ended = app.ended();
    assert!(ended.status.success(), "{:?}", ended.status);
    assert!(ended.stderr.contains("stopping"), "{}", ended.stderr);
    assert_eq!(upstream.open(), Vec::<String>::new());
}

/// Neither a call that does not end nor a session that the server does not end delays the end of the process beyond its deadline.
#[test]
fn all_of_leaving_is_over_in_the_time_that_is_configured() {
    let upstream = Upstream::start(|request, state| {
        let reply = servers::ts_v1_stateful(request, state);
        match request.name() {
            "tools/call" if state.count("tools/call") > 2 => reply.stalled(),
            "DELETE" | "notifications/cancelled" => reply.stalled(),
            _ => reply,
        }
    });
    let app = TestApp::spawn_with(
        &config(&upstream, json!({"protocol": "legacy"})),
        &[],
        &[("MCP_REST_DRAIN_MS", "1000")],
    );
    app.echo().ok();
    upstream.wait_for("DELETE", 1);
    let call = execute(SERVER, "echo", "").json("{}");
    let mut caller = connect(app.address);
    caller.write_all(&call.to_bytes(app.address)).unwrap();
    upstream.wait_for("tools/call", 3);
    let ended = app.stop();
    assert!(ended.status.success(), "{}", ended.stderr);
    // That they take longer than there is time for, and not that each of them took too long, which is 10 s.
    let log = ended.stderr;
    assert!(log.contains("sessions are left to their servers"), "{log}");
    assert!(!log.contains("not ended in time"), "{log}");
}

#[test]
fn the_answer_to_a_late_body_is_in_the_document() {
    let app = TestApp::over(&Upstream::start(servers::ts_v1_stateless));
    let request = execute(SERVER, "echo", "?timeoutMs=100");
    let mut bytes = head("?timeoutMs=100", "content-length: 9");
    bytes.push('{');
    let response = send_raw(app.address, bytes.as_bytes());
    openapi::check(&request, &response);
    let problem: Value = response.json();
    assert_eq!(problem["code"], "request_timeout");
}
