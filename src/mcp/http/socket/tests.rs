//! What is known of requests whose connection breaks in every way, with both ends in hand.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const REQUEST: &[u8] = b"POST / HTTP/1.1\r\n\r\n";

/// A connection, and the end of it that a server has.
async fn connection() -> (Socket, std::net::TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let ours = TcpStream::connect(address).await.unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (Socket::new(ours), theirs)
}

/// What is known of a request to a server that does this before its connection is looked at, that before the request is
/// written, and this after it.
async fn never_arrived(
    first: impl FnOnce(&mut std::net::TcpStream) -> bool,
    before: impl FnOnce(&mut std::net::TcpStream) -> bool,
    after: impl FnOnce(std::net::TcpStream),
) -> bool {
    let (mut socket, mut theirs) = connection().await;
    let theirs = first(&mut theirs).then_some(theirs);
    let flight = Flight::begin(Instant::now());
    let exchange = async {
        socket.attach();
        let theirs = theirs.and_then(|mut theirs| before(&mut theirs).then_some(theirs));
        socket.write_all(REQUEST).await.unwrap();
        theirs.map(after);
        let mut response = Vec::new();
        let _ = socket.read_to_end(&mut response).await;
        assert!(response.is_empty());
        drop(socket);
    };
    flight.carry(exchange).await;
    flight.never_arrived().await
}

fn goes_on(_: &mut std::net::TcpStream) -> bool {
    true
}

fn closes(_: &mut std::net::TcpStream) -> bool {
    false
}

fn ends(theirs: &mut std::net::TcpStream) -> bool {
    theirs.shutdown(Shutdown::Write).unwrap();
    true
}

fn reads(mut theirs: &std::net::TcpStream) {
    theirs.read_exact(&mut [0; REQUEST.len()]).unwrap();
}

fn resets(theirs: std::net::TcpStream) {
    let socket = SockRef::from(&theirs);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(theirs);
}

#[cfg(target_os = "linux")]
#[actix_rt::test]
async fn nothing_is_written_to_a_connection_that_was_closed() {
    let nothing_comes = |mut theirs: std::net::TcpStream| {
        theirs.set_nonblocking(true).unwrap();
        let read = theirs.read(&mut [0; 1]);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    };
    assert!(never_arrived(closes, goes_on, |_| {}).await);
    assert!(never_arrived(ends, goes_on, nothing_comes).await);
}

#[cfg(target_os = "linux")]
#[actix_rt::test]
async fn nothing_is_written_where_something_came_unasked() {
    let speaks = |theirs: &mut std::net::TcpStream| {
        theirs.write_all(b"HTTP/1.1 408 \r\n\r\n").unwrap();
        true
    };
    assert!(never_arrived(speaks, goes_on, |_| {}).await);
}

#[cfg(target_os = "linux")]
#[actix_rt::test]
async fn a_request_that_crossed_with_the_end_did_not_arrive() {
    for _ in 0..100 {
        assert!(never_arrived(goes_on, closes, |_| {}).await);
    }
}

#[actix_rt::test]
async fn a_request_that_was_read_may_have_been_carried_out() {
    assert!(!never_arrived(goes_on, goes_on, |theirs| reads(&theirs)).await);
}

#[actix_rt::test]
async fn a_request_that_was_read_before_an_end_and_a_reset_may_have_been_carried_out() {
    for _ in 0..100 {
        let breaks = |mut theirs: std::net::TcpStream| {
            reads(&theirs);
            ends(&mut theirs);
            resets(theirs);
        };
        assert!(!never_arrived(goes_on, goes_on, breaks).await);
    }
}

#[actix_rt::test]
async fn a_request_that_met_a_reset_may_have_been_carried_out() {
    // Closed with the request unread, which is a reset without an end; and read.
    assert!(!never_arrived(goes_on, goes_on, drop).await);
    let breaks = |theirs: std::net::TcpStream| {
        reads(&theirs);
        resets(theirs);
    };
    assert!(!never_arrived(goes_on, goes_on, breaks).await);
}

#[actix_rt::test]
async fn a_request_of_which_nothing_was_written_did_not_arrive() {
    let flight = Flight::begin(Instant::now());
    assert!(flight.never_arrived().await);
}

#[actix_rt::test]
async fn an_answer_is_read_though_the_request_could_not_be_written() {
    let (mut socket, mut theirs) = connection().await;
    let flight = Flight::begin(Instant::now());
    let exchange = async {
        socket.write_all(REQUEST).await.unwrap();
        theirs.write_all(b"HTTP/1.1 413 \r\n\r\n").unwrap();
        reads(&theirs);
        drop(theirs);
        // The first write meets the closed end, the others the reset.
        for _ in 0..100 {
            socket.write_all(&[b'x'; 4096]).await.unwrap();
        }
        let mut response = Vec::new();
        let _ = socket.read_to_end(&mut response).await;
        response
    };
    assert_eq!(flight.carry(exchange).await, b"HTTP/1.1 413 \r\n\r\n");
    assert!(!flight.never_arrived().await);
}

#[actix_rt::test]
async fn a_connection_that_is_excluded_has_ended() {
    let (mut socket, mut theirs) = connection().await;
    let flight = Flight::begin(Instant::now());
    flight
        .carry(async { socket.write_all(REQUEST).await.unwrap() })
        .await;
    theirs.write_all(b"late").unwrap();
    flight.connection().exclude();
    let mut response = Vec::new();
    socket.read_to_end(&mut response).await.unwrap();
    assert!(response.is_empty());
}
