//! Refusals as real servers were measured to send them.

use bytes::Bytes;

use super::Meaning::{
    AskAgain, HeaderMismatch, MayBeOtherEra, NoCommonVersion, Other, OtherEra,
    ServedWithoutSession, SessionExpired, SessionRequired,
};
use super::*;
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::message::{BodyReply, Reply, reply_in_body};

const LEGACY: &str = r#","data":{"supported":["2025-11-25"]}"#;
const MODERN: &str = r#","data":{"supported":["2026-07-28"]}"#;

/// Status, code and data of a reply to `tools/call`; what it means for a modern request, for a legacy one, for one without a
/// session, and for one in a session.
type Row = (u16, Option<i64>, &'static str, [Meaning; 4]);

#[rustfmt::skip]
const MEASURED: [Row; 11] = [
    // TypeScript SDK 1: no session, or an unknown one. Python SDK: an unknown session. rmcp 0.8: no session.
    (400, Some(-32000), "", [MayBeOtherEra, MayBeOtherEra, SessionRequired, SessionExpired]),
    (404, Some(-32600), "", [MayBeOtherEra, MayBeOtherEra, SessionRequired, SessionExpired]),
    (422, None, "", [MayBeOtherEra, MayBeOtherEra, SessionRequired, Other]),
    // go-sdk before `initialize`, and with sessions. TypeScript SDK 2 without legacy support.
    (200, Some(0), "", [Other, Other, SessionRequired, SessionExpired]),
    (400, Some(-32022), LEGACY, [OtherEra, NoCommonVersion, SessionRequired, Other]),
    (400, Some(-32022), MODERN, [AskAgain, OtherEra, SessionRequired, Other]),
    (400, Some(-32022), "", [NoCommonVersion, NoCommonVersion, SessionRequired, Other]),
    // TypeScript SDK 2: a mirrored argument is missing.
    (400, Some(-32020), "", [HeaderMismatch, MayBeOtherEra, SessionRequired, Other]),
    // An unknown tool: go-sdk, most others.
    (400, Some(-32602), "", [Other, MayBeOtherEra, SessionRequired, Other]),
    (200, Some(-32602), "", [Other, Other, ServedWithoutSession, Other]),
    (500, None, "", [Other, Other, Other, Other]),
];

fn refusal(status: u16, code: Option<i64>, data: &str) -> Error {
    let status = StatusCode::from_u16(status).unwrap();
    let Some(code) = code else {
        return Error::Status(status);
    };
    let body = format!(r#"{{"id":"7","error":{{"code":{code},"message":"m"{data}}}}}"#);
    match reply_in_body(&Bytes::from(body), &"7".into()) {
        Ok(BodyReply::Reply(Reply::Error(error))) => Error::Rpc { status, error },
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn measured_refusals_of_tool_calls_have_their_meaning() {
    for (status, code, data, meanings) in MEASURED {
        let error = refusal(status, code, data);
        let found = [
            of_modern(&error),
            of_legacy(&error),
            without_session(&error, "tools/call"),
            in_session(&error, "tools/call"),
        ];
        assert_eq!(found, meanings, "{error:?}");
    }
}

#[test]
fn the_code_tells_what_has_not_run() {
    for (status, code, executed) in [
        (400, Some(-32022), Executed::No),
        (200, Some(-32022), Executed::Unknown),
        (200, Some(-32602), Executed::No),
        (200, Some(-32603), Executed::Yes),
        (200, Some(-32800), Executed::Unknown),
        (500, Some(-32603), Executed::Unknown),
        (404, None, Executed::Unknown),
    ] {
        assert_eq!(refusal(status, code, "").executed(), executed);
    }
}
