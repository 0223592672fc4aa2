//! The last step of every response: its common headers (security, request id, `Server-Timing`), and its line in the access log.

use std::mem;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{
    CROSS_ORIGIN_RESOURCE_POLICY, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use bytes::Bytes;

use crate::api::error::code::Code;
use crate::api::request::context::Context;
use crate::api::request::request_id::REQUEST_ID;
use crate::api::response::cors;

const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Writes the line of a response, and completes it. It takes the id from the context, for it is the last to need it.
pub(crate) fn finish(context: &mut Context<'_>, mut response: HttpResponse) -> HttpResponse {
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
    cors::add_headers(context, &mut response);
    let headers = response.headers_mut();
    // A browser must not guess another type, and not embed this in a page of another site.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    );
    for (name, value) in [
        (REQUEST_ID, mem::take(&mut context.id)),
        (SERVER_TIMING, timing),
    ] {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.insert(name, value);
        }
    }
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
    use super::*;

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
}
