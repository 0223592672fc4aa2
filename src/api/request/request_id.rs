//! The id of a request, in the response and in the log.

use actix_web::http::header::{HeaderMap, HeaderName};

use crate::mcp::protocol::id::random_hex;

/// `X-Request-Id`.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The maximum length of a caller's id.
const LONGEST: usize = 256;

/// The caller's id, if it is 1 to 256 of `[A-Za-z0-9_-]`; else a new one.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID);
    given
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=LONGEST).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        })
        .map_or_else(random_hex, Into::into)
}
