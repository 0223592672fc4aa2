//! From an MCP result to an HTTP response. The bytes of a result are the body; nothing is printed anew.

use std::time::Instant;

use actix_rt::time::timeout;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD;
use bytes::Bytes;

use ring::digest::{SHA256, digest};

use crate::api::error::code::Code;
use crate::api::error::kinds::{About, Error};
use crate::api::request::context::Context;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom, SMALL};
use crate::mcp::protocol::header::{SESSION_ID, SessionId};
use crate::mcp::protocol::lists::Freshness;
use crate::offload;

const TOOL_ERROR: HeaderName = HeaderName::from_static("mcp-tool-error");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The body of a response that has its share of the budget.
struct Counted;

/// 200 with a server's own JSON as the body.
pub(crate) fn passed_on(body: Bytes) -> HttpResponse {
    let is_large = body.len() > SMALL;
    let mut response = json(body);
    if is_large {
        response.extensions_mut().insert(Counted);
    }
    response
}

/// A body of these pieces.
pub(crate) fn of_pieces(status: StatusCode, pieces: Pieces) -> HttpResponse {
    if pieces.len() <= SMALL {
        return HttpResponse::with_body(status, pieces.into_bytes()).map_into_boxed_body();
    }
    HttpResponse::with_body(status, pieces).map_into_boxed_body()
}

/// JSON in pieces.
pub(crate) fn json_in_pieces(status: StatusCode, pieces: Pieces) -> HttpResponse {
    let mut response = of_pieces(status, pieces);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The response that tells an error, and its code.
pub(crate) fn problem(error: &Error, about: About<'_>, budget: &Budget) -> (HttpResponse, Code) {
    let (summary, body) = error.problem(about, budget);
    let mut response = of_pieces(summary.code.status(), body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    for (name, value) in error.headers(summary.code) {
        headers.append(name, value);
    }
    (with_session(response, error.session()), summary.code)
}

/// The same response, with a large body in pieces, which counts until the last of them is taken. Without its body if there is no room
/// for that.
pub(crate) fn in_pieces(
    budget: &Budget,
    response: HttpResponse,
) -> Result<HttpResponse, HttpResponse<()>> {
    let large = u64::try_from(SMALL).unwrap_or(u64::MAX);
    if !matches!(response.body().size(), BodySize::Sized(length) if length > large) {
        return Ok(response);
    }
    let is_counted = response.extensions().contains::<Counted>();
    let (head, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(in_pieces) => return Ok(head.set_body(in_pieces)),
    };
    let kept = if is_counted {
        Ok(body)
    } else {
        budget.keep(body)
    };
    match kept {
        Ok(body) => Ok(head.set_body(Pieces::of(body)).map_into_boxed_body()),
        Err(NoRoom) => Err(head),
    }
}

/// 200 with a JSON body.
pub(crate) fn json(body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(StatusCode::OK, body).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// 200 with a value of ours as JSON.
pub(crate) fn of<T: serde::Serialize>(value: &T) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(body) => json(body.into()),
        Err(error) => {
            log::error!("an answer could not be written: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Names the session in use, if there is one.
pub(crate) fn with_session(
    mut response: HttpResponse,
    session: Option<&SessionId>,
) -> HttpResponse {
    let Some(session) = session else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(SESSION_ID, session.header());
    // A cache that serves others must not hand the session out to them.
    let told = headers
        .get(CACHE_CONTROL)
        .and_then(|told| told.to_str().ok());
    let private = told.map(|told| told.replacen("public", "private", 1));
    if let Some(Ok(private)) = private.as_deref().map(HeaderValue::from_str) {
        headers.insert(CACHE_CONTROL, private);
    }
    response
}

/// Whether a server's words for a media type are one, and can be a header: visible ASCII, with a slash.
pub(crate) fn is_media_type(said: &str) -> bool {
    let essence = said.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !part.is_empty() && part.bytes().all(legal)
    };
    let parts = essence.split_once('/');
    parts.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && said.bytes().all(|b| b.is_ascii_graphic() || b == b' ')
}

/// Content of a server's own making under its own type: a browser must not run it here (nor guess another, as with every answer).
pub(crate) fn in_sandbox(mut response: HttpResponse, media_type: &str) -> HttpResponse {
    let headers = response.headers_mut();
    let value = HeaderValue::from_str(media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, value);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response
}

/// Says that no cache may keep an answer.
pub(crate) fn not_stored(mut response: HttpResponse) -> HttpResponse {
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

/// Says that a tool reported an error of its own.
pub(crate) fn with_tool_error(mut response: HttpResponse) -> HttpResponse {
    response
        .headers_mut()
        .insert(TOOL_ERROR, HeaderValue::from_static("true"));
    response
}

/// An answer that a cache may keep: with an `ETag`, and 304 if the caller has it already. Without a tag where there is no time
/// left to make one.
pub(crate) async fn conditional(
    context: &Context<'_>,
    response: HttpResponse,
    freshness: Freshness,
    deadline: Instant,
) -> HttpResponse {
    let (mut head, body) = response.into_parts();
    let body = body.try_into_bytes().unwrap_or_default();
    let tag = tag(&body, deadline).await;
    let headers = head.headers_mut();
    for (name, value) in [
        (ETAG, tag.clone()),
        (CACHE_CONTROL, Some(cache_control(context, freshness))),
    ] {
        if let Some(Ok(value)) = value.as_deref().map(HeaderValue::from_str) {
            headers.insert(name, value);
        }
    }
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Accept"));
    }
    if !tag.is_some_and(|tag| is_known(context.request.headers(), &tag)) {
        return head.set_body(body).map_into_boxed_body();
    }
    *head.status_mut() = StatusCode::NOT_MODIFIED;
    head.headers_mut().remove(CONTENT_TYPE);
    head.set_body(()).map_into_boxed_body()
}

/// What tells these bytes from others.
async fn tag(body: &Bytes, deadline: Instant) -> Option<String> {
    let digested = body.clone();
    let digest = offload::run(body.len(), move || digest(&SHA256, &digested));
    let left = deadline.saturating_duration_since(Instant::now());
    let digest = timeout(left, digest).await.ok()??;
    let half = digest.as_ref().get(..16)?;
    Some(format!("\"{}\"", URL_SAFE_NO_PAD.encode(half)))
}

/// For how long and by whom an answer may be kept. With keys it is never for all.
fn cache_control(context: &Context<'_>, freshness: Freshness) -> String {
    let keys = &context.state.settings.keys;
    let scope = if freshness.public && keys.is_empty() {
        "public"
    } else {
        "private"
    };
    match freshness.ttl {
        Some(ttl) if !ttl.is_zero() => format!("{scope}, max-age={}", ttl.as_secs()),
        _ => format!("{scope}, no-cache"),
    }
}

/// Whether `If-None-Match` names this tag (RFC 9110, section 13.1.2: compared weakly).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH);
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
