//! What surrounds every answer: request id, API keys, timing, and one line in the log.

use std::time::Duration;

use actix_web::http::header::{
    AUTHORIZATION, CROSS_ORIGIN_RESOURCE_POLICY, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use crate::api::error::code::Code;
use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::mcp::protocol::message::random_hex;

/// The id a request is known by, here and in the log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
/// The longest id taken from a caller.
const LONGEST_ID: usize = 256;

/// The caller's id, if it is 1 to 256 of `[A-Za-z0-9_-]`; else a new one.
pub(crate) fn request_id(request: &HttpRequest) -> String {
    let given = request.headers().get(REQUEST_ID);
    given
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=LONGEST_ID).contains(&id.len()))
        .filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        })
        .map_or_else(random_hex, Into::into)
}

/// Lets a request pass that brings one of the configured keys, in `X-API-Key` or as a bearer token; every request where
/// none is configured. A request with two different credentials passes if either is a key.
pub(crate) fn check_key(context: &Context<'_>) -> Result<(), Error> {
    let keys = &context.state.settings.keys;
    if keys.is_empty() {
        return Ok(());
    }
    let headers = context.request.headers();
    let bearer = headers
        .get_all(AUTHORIZATION)
        .filter_map(|value| bearer_token(value.as_bytes()));
    let presented = headers
        .get_all(API_KEY)
        .map(HeaderValue::as_bytes)
        .chain(bearer);
    let mut accepted = false;
    for key in presented.take(8) {
        accepted |= keys.accepts(key);
    }
    if accepted {
        Ok(())
    } else {
        Err(Error::Unauthorized)
    }
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

/// Completes an answer and writes its line.
pub(crate) fn finish(context: &Context<'_>, mut response: HttpResponse) -> HttpResponse {
    let total = context.started.elapsed();
    let (preparing, upstream) = context.timing.get();
    let gateway = total.saturating_sub(preparing).saturating_sub(upstream);
    let mut timing = String::with_capacity(80);
    for (name, spent) in [
        ("handshake;dur=", preparing),
        (", upstream;dur=", upstream),
        (", gateway;dur=", gateway),
    ] {
        timing.push_str(name);
        push_millis(&mut timing, spent);
    }
    let headers = response.headers_mut();
    // A browser is to guess no other type, and to show nothing of this in a page of another site.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    for (name, value) in [(REQUEST_ID, context.id.clone()), (SERVER_TIMING, timing)] {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.insert(name, value);
        }
    }
    log::info!(
        target: "mcp_rest::access",
        request_id = context.id.as_str(),
        method = context.request.method().as_str(),
        route = context.route,
        server = context.server_name.as_deref(),
        tool = context.tool.as_deref(),
        status = response.status().as_u16(),
        code = context.code.map(Code::name),
        micros = micros(total);
        "request"
    );
    response
}

fn micros(spent: Duration) -> u64 {
    spent.as_secs() * 1_000_000 + u64::from(spent.subsec_micros())
}

/// Milliseconds with three decimals: `4.967`. By hand, for formatting costs more than all else here.
fn push_millis(text: &mut String, spent: Duration) {
    let micros = micros(spent);
    let mut place = 1000;
    while place <= micros / 10 {
        place *= 10;
    }
    while place > 0 {
        let digit = u32::try_from(micros / place % 10).unwrap_or_default();
        text.push(char::from_digit(digit, 10).unwrap_or('0'));
        if place == 1000 {
            text.push('.');
        }
        place /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::api::request::access::{bearer_token, push_millis};

    #[test]
    fn durations_are_milliseconds_with_three_decimals() {
        for (micros, written) in [
            (0, "0.000"),
            (7, "0.007"),
            (999, "0.999"),
            (1000, "1.000"),
            (12_345, "12.345"),
            (100_000_000, "100000.000"),
        ] {
            let mut text = String::new();
            push_millis(&mut text, Duration::from_micros(micros));
            assert_eq!(text, written);
        }
    }

    #[test]
    fn bearer_tokens_are_found() {
        assert_eq!(bearer_token(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer_token(b"bearer  abc "), Some(&b"abc"[..]));
        assert_eq!(bearer_token(b"Basic abc"), None);
        assert_eq!(bearer_token(b"Bearer"), None);
    }
}
