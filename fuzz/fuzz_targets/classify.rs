//! Any status with any body as a reply: no panic, and nothing that contradicts itself.
//!
//! The first two bytes of an input are the status and what is asked of the reply; the rest is the body.

#![no_main]

use awc::http::StatusCode;
use awc::http::header::HeaderValue;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_rest::mcp::protocol::era::Discovered;
use mcp_rest::mcp::protocol::error::{Error, Executed};
use mcp_rest::mcp::protocol::message::{BodyReply, is_error, reply_in_body, result_type};
use mcp_rest::mcp::protocol::outcome::Head;
use mcp_rest::mcp::protocol::refusal;
use mcp_rest::mcp::protocol::refusal::Meaning;

const STATUSES: [u16; 24] = [
    200, 201, 202, 204, 206, 400, 401, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 429, 451,
    500, 501, 502, 503, 504,
];
const METHODS: [&str; 4] = ["tools/call", "tools/list", "ping", "initialize"];

fuzz_target!(|input: &[u8]| {
    let Some((&[status, ask], body)) = input.split_first_chunk() else {
        return;
    };
    let status = STATUSES[usize::from(status) % STATUSES.len()];
    let method = METHODS[usize::from(ask) % METHODS.len()];
    let status = StatusCode::from_u16(status).expect("a status");
    let mut head = Head::of(status);
    if ask & 0x80 != 0 {
        head.challenges.push(HeaderValue::from_static("Bearer"));
    }

    let body = Bytes::copy_from_slice(body);
    let reply = match reply_in_body(&body, &"1".into()) {
        Ok(BodyReply::Reply(reply)) => Some(reply),
        Ok(BodyReply::OfAnother | BodyReply::Nothing) => None,
        Err(_) => return,
    };
    match head.outcome(reply) {
        Ok(result) => {
            assert!(status.is_success());
            assert!(result.starts_with(b"{") && body.as_ptr_range().contains(&result.as_ptr()));
            let _ = (is_error(&result), result_type(&result));
            let _ = Discovered::of_result(&result);
        }
        Err(error) => check(&error, status, method),
    }
});

fn check(error: &Error, status: StatusCode, method: &str) {
    let code = error.reply().and_then(|(_, rpc)| rpc).map(|rpc| rpc.code);
    // A success that is an error has run nothing only if its code says so.
    assert!(
        !status.is_success() || code.is_some() || error.executed() != Executed::No,
        "{error:?}"
    );
    // A call that may have run is never sent once more for want of a session or of the right era.
    let sent_again = refusal::without_session(error, method) == Meaning::SessionRequired
        || refusal::of_modern(error) == Meaning::MayBeOtherEra
        || refusal::of_legacy(error) == Meaning::MayBeOtherEra;
    assert!(
        !sent_again || matches!(status.as_u16(), 400 | 404 | 422) || code == Some(0),
        "{error:?}"
    );
    // Neither is one whose credential was refused or that came too often.
    assert!(
        !sent_again || !matches!(status.as_u16(), 401 | 403 | 429),
        "{error:?}"
    );
    let _ = refusal::in_session(error, method);
    let _ = refusal::of_initialize(error);
    let _ = refusal::of_discover(error);
    let _ = refusal::of_name(error, method);
    assert!(!error.to_string().is_empty());
}
