//! File descriptors: as many as there are, and an answer when there are none left.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::app::{TestApp, config};
use crate::http::Request;
use crate::upstream::{Upstream, servers};

/// So that a hang fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which this was asked, kept open; and the head of the answer.
fn ask(address: SocketAddr, path: &str) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

/// Asks on new connections, and keeps them, until the service says that it has no descriptors left.
fn exhaust(app: &TestApp) -> (Vec<TcpStream>, String) {
    let mut held = Vec::new();
    while held.len() < 1000 {
        let (stream, head) = ask(app.address, "/health");
        if !head.starts_with("HTTP/1.1 200") {
            return (held, head);
        }
        held.push(stream);
    }
    panic!("there is no end of descriptors");
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_within(&config(&upstream, json!({})), "-S -n 200", &[]);
    let limits = std::fs::read_to_string(app.process().file("limits")).unwrap();
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut numbers = files.unwrap().split_whitespace().skip(3);
    let (soft, hard) = (numbers.next().unwrap(), numbers.next().unwrap());
    assert_eq!(soft, hard);
    assert_ne!(soft, "200");
}

#[test]
fn callers_are_told_that_there_are_none_left() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_within(&config(&upstream, json!({})), "-n 200", &[]);
    let (held, refusal) = exhaust(&app);
    assert!(held.len() > 50, "{}", held.len());
    assert!(refusal.starts_with("HTTP/1.1 503"), "{refusal}");
    assert!(refusal.contains("retry-after: 1"), "{refusal}");
    assert!(refusal.contains("connection: close"), "{refusal}");
    // As often as anybody asks; and it lives.
    for _ in 0..100 {
        let response = app.get("/health");
        assert_eq!(
            response.problem().facts(),
            (503, "overloaded", "gateway", "no", true)
        );
        assert_eq!(app.get("/livez").status, 200);
        assert_eq!(app.echo().status, 503);
    }
    assert_eq!(upstream.requests().len(), 0);
    // Connections that are there go on to be served, but for what needs one more.
    let mut stream = &held[0];
    stream
        .write_all(b"POST /api/mcp/s/tools/echo/execute HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let answer = said.split("HTTP/1.1 ").last().unwrap();
    assert!(answer.starts_with("503"), "{answer}");
    assert!(
        answer
            .contains(r#""code":"overloaded","origin":"gateway","executed":"no","retryable":true"#),
        "{answer}"
    );
    assert_eq!(upstream.requests().len(), 0);
    // And when they have gone, all is as before.
    drop(held);
    while app.get("/health").status != 200 {
        thread::yield_now();
    }
    app.echo().ok();
}

#[test]
fn idle_callers_do_not_hold_the_last_ones() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn_within(&config(&upstream, json!({})), "-n 200", &[]);
    let (_held, _) = exhaust(&app);
    // More than the reserve, and none of them says anything.
    let idle: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(app.address).unwrap())
        .collect();
    app.get("/livez").ok();
    assert_eq!(app.get("/health").status, 503);
    drop(idle);
}

/// Each session here is ended by a request that gets no answer.
#[test]
fn a_server_that_ends_no_session_holds_a_bounded_number_of_descriptors() {
    const CALLS: usize = 200;
    let upstream = Upstream::start(|request, state| {
        let reply = servers::ts_v1_stateful(request, state);
        match request.method.as_str() {
            "DELETE" => reply.stalled(),
            _ => reply,
        }
    });
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let before = app.process().descriptors();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..CALLS / 4 {
                    app.echo().ok();
                }
            });
        }
    });
    upstream.wait_for("DELETE", 64);
    let held = app.process().descriptors() - before;
    assert!(held < 100, "{held} descriptors");
    app.request(&Request::get("/livez")).ok();
    assert_eq!(upstream.count("DELETE"), 64);
    upstream.release();
    upstream.wait_for("DELETE", CALLS);
    upstream.wait_until_no_session_is_left();
}
