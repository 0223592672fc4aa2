//! Faults between two machines: one behaviour for each, which is the answer to one request.
//!
//! Every answer of these contains [`SECRET`], which must not appear anywhere.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Part, Reply, Request, event};

/// What no caller and no log may see of a faulty answer.
pub const SECRET: &str = "PAGE-SECRET";

/// The answer there would be, as a whole JSON body.
fn answer(request: &Request) -> String {
    request.result(&format!(
        r#"{{"content":[{{"type":"text","text":"{SECRET}"}}]}}"#
    ))
}

/// The head of an answer in JSON with this framing, and the end of it if it `is_whole`.
fn head(framing: &str, is_whole: bool) -> String {
    let end = if is_whole { "\r\n" } else { "" };
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{framing}\r\n{end}")
}

fn bytes(text: impl Into<Vec<u8>>) -> Part {
    Part::Bytes(text.into())
}

// === The connection ===

/// Closed without an answer.
pub fn hang_up(_: &Request) -> Reply {
    Reply::hang_up()
}

/// Reset without an answer.
pub fn reset(_: &Request) -> Reply {
    Reply::raw("").then_reset()
}

/// Reset in the middle of the head.
pub fn reset_in_head(_: &Request) -> Reply {
    Reply::raw(head("content-length: 100", false)).then_reset()
}

/// Reset in the middle of the body.
pub fn reset_in_body(_: &Request) -> Reply {
    Reply::raw(head("content-length: 100", true) + SECRET).then_reset()
}

/// Reset in the middle of a stream.
pub fn reset_in_stream(_: &Request) -> Reply {
    let half = bytes(format!("data: {{\"{SECRET}"));
    Reply::stream(vec![half, Part::HangUp]).then_reset()
}

/// Closed in the middle of the status line.
pub fn cut_in_status_line(_: &Request) -> Reply {
    Reply::raw("HTTP/1.1 2")
}

/// Closed in the middle of the head.
pub fn cut_in_head(_: &Request) -> Reply {
    Reply::raw(head("content-length: 100", false))
}

/// A whole answer in JSON of which only the first `length` bytes come.
pub fn cut_body(request: &Request, length: usize) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}", answer.len());
    let mut message = head(&framing, true).into_bytes();
    message.extend(answer.bytes().take(length));
    Reply::raw(message)
}

/// How many bytes [`cut_body`] and [`cut_stream`] can cut an answer to, both ends included.
pub fn lengths(request: &Request) -> usize {
    answer(request).len()
}

/// An answer on a stream, of whose message only the first `length` bytes come.
pub fn cut_stream(request: &Request, length: usize) -> Reply {
    let answer = answer(request);
    let message: Vec<u8> = answer.bytes().take(length).collect();
    Reply::stream(vec![bytes("data: "), bytes(message), Part::HangUp])
}

/// Nothing, for ever.
pub fn silence(_: &Request) -> Reply {
    Reply::empty(200).stalled()
}

/// Half a head, and nothing after it.
pub fn silence_in_head(_: &Request) -> Reply {
    Reply::raw_parts(vec![bytes(head("content-length: 100", false)), Part::Stall])
}

/// Half a body, and nothing after it.
pub fn silence_in_body(_: &Request) -> Reply {
    let half = head("content-length: 100", true) + SECRET;
    Reply::raw_parts(vec![bytes(half), Part::Stall])
}

/// A stream that is opened and then silent.
pub fn silence_in_stream(_: &Request) -> Reply {
    Reply::stream(vec![bytes(": ok\n\n"), Part::Stall])
}

// === The framing ===

/// More bytes announced than come.
pub fn length_too_long(request: &Request) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}", answer.len() + 10);
    Reply::raw(head(&framing, true) + &answer)
}

/// Fewer bytes announced than come.
pub fn length_too_short(request: &Request) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}", answer.len() - 10);
    Reply::raw(head(&framing, true) + &answer)
}

/// A length that is no number.
pub fn length_that_is_none(request: &Request) -> Reply {
    Reply::raw(head("content-length: ten", true) + &answer(request))
}

/// Two lengths.
pub fn two_lengths(request: &Request) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}\r\ncontent-length: 7", answer.len());
    Reply::raw(head(&framing, true) + &answer)
}

/// Chunks whose size is no number.
pub fn broken_chunks(_: &Request) -> Reply {
    Reply::raw(head("transfer-encoding: chunked", true) + "zz\r\n" + SECRET)
}

/// No HTTP at all.
pub fn no_http(_: &Request) -> Reply {
    Reply::raw(format!("SSH-2.0-{SECRET}\r\n"))
}

/// Compressed by the name of it, but not in fact.
pub fn no_gzip(request: &Request) -> Reply {
    Reply::json(200, answer(request)).header("content-encoding", "gzip")
}

/// The right answer, byte by byte.
pub fn drip(request: &Request) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}", answer.len());
    let message = head(&framing, true) + &answer;
    Reply::raw_parts(vec![Part::Drip(message.into_bytes())])
}

/// The right answer on a stream, byte by byte.
pub fn drip_in_stream(request: &Request) -> Reply {
    Reply::stream(vec![Part::Drip(event(&answer(request)).into_bytes())])
}

/// The right answer after interim responses.
pub fn interim_responses(request: &Request) -> Reply {
    let answer = answer(request);
    let framing = format!("content-length: {}", answer.len());
    let before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n";
    Reply::raw(before.to_owned() + &head(&framing, true) + &answer)
}

// === Too much ===

/// Events without end.
pub fn flood_of_events(_: &Request) -> Reply {
    Reply::stream(vec![Part::Repeat(
        b"data: {\"method\":\"PAGE-SECRET\"}\n\n",
    )])
}

/// Comments without end.
pub fn flood_of_comments(_: &Request) -> Reply {
    Reply::stream(vec![Part::Repeat(b": PAGE-SECRET\n\n")])
}

/// A line without end.
pub fn endless_line(_: &Request) -> Reply {
    Reply::stream(vec![Part::Repeat(&[b'x'; 4096])])
}

/// A body without end.
pub fn endless_body(_: &Request) -> Reply {
    let head = head("transfer-encoding: chunked", true);
    Reply::raw_parts(vec![bytes(head), Part::Repeat(b"b\r\nPAGE-SECRET\r\n")])
}

/// A head without end.
pub fn endless_head(_: &Request) -> Reply {
    let head = head("x: y", false);
    Reply::raw_parts(vec![bytes(head), Part::Repeat(b"x-more: PAGE-SECRET\r\n")])
}

/// A little that becomes a lot: the right answer, compressed, with 32 MiB in it.
pub fn bomb(request: &Request) -> Reply {
    let text = "x".repeat(32 << 20);
    let answer = request.result(&format!(r#"{{"content":[],"x":"{text}"}}"#));
    Reply::json(200, gzip(answer.as_bytes())).header("content-encoding", "gzip")
}

/// The same on a stream.
pub fn bomb_in_stream(_: &Request) -> Reply {
    let stream = ": x\n".repeat(8 << 20);
    Reply::typed(200, "text/event-stream", gzip(stream.as_bytes()))
        .header("content-encoding", "gzip")
}

/// Nesting that breaks whoever builds a tree of it.
pub fn nesting(request: &Request) -> Reply {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    Reply::json(200, request.result(&format!(r#"{{"x":{deep}}}"#)))
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

// === Not an answer ===

/// A page.
pub fn page(_: &Request) -> Reply {
    Reply::typed(
        200,
        "text/html; charset=utf-8",
        format!("<!DOCTYPE html><h1>{SECRET}</h1>"),
    )
}

/// A page that says it is JSON.
pub fn page_as_json(_: &Request) -> Reply {
    Reply::json(200, format!("<!DOCTYPE html><h1>{SECRET}</h1>"))
}

/// Nothing, successfully.
pub fn nothing(_: &Request) -> Reply {
    Reply::json(200, "")
}

/// Nothing, and it says so.
pub fn no_content(_: &Request) -> Reply {
    Reply::raw("HTTP/1.1 204 No Content\r\n\r\n")
}

/// A stream that ends.
pub fn empty_stream(_: &Request) -> Reply {
    Reply::events("")
}

/// The reply to another request.
pub fn answer_to_another(_: &Request) -> Reply {
    Reply::json(
        200,
        format!(r#"{{"jsonrpc":"2.0","id":"other","result":{{"x":"{SECRET}"}}}}"#),
    )
}

/// A result without an id.
pub fn answer_to_nobody(_: &Request) -> Reply {
    Reply::events(event(&format!(
        r#"{{"jsonrpc":"2.0","id":null,"result":{{"x":"{SECRET}"}}}}"#
    )))
}

/// Bytes that are no text.
pub fn no_text(_: &Request) -> Reply {
    let mut body = br#"{"jsonrpc":"2.0","id":""#.to_vec();
    body.extend_from_slice(b"\xff\xfe\x80\"}");
    Reply::json(200, body)
}
