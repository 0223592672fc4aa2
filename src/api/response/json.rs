//! Responses with JSON or a server's own content as the body, and problems. The bytes of a result are the body as they came; nothing
//! is parsed or written again. What caches may do with a response is in `conditional`.

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
};
use actix_web::mime::Mime;
use bytes::Bytes;

use crate::api::error::code::Code;
use crate::api::error::kinds::{About, Error};
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom, SMALL};
use crate::mcp::protocol::header::{SESSION_ID, SessionId};

const TOOL_ERROR: HeaderName = HeaderName::from_static("mcp-tool-error");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Marks a response whose large body has its share of the memory budget.
struct Budgeted;

/// 200 with a server's own JSON as the body, byte for byte.
pub(crate) fn verbatim(bytes: Bytes) -> HttpResponse {
    let is_large = bytes.len() > SMALL;
    let mut response = body(bytes);
    if is_large {
        response.extensions_mut().insert(Budgeted);
    }
    response
}

/// A body in pieces, of a type that is still to be set.
fn in_pieces(status: StatusCode, pieces: Pieces) -> HttpResponse {
    if pieces.len() <= SMALL {
        return HttpResponse::with_body(status, pieces.into_bytes()).map_into_boxed_body();
    }
    HttpResponse::with_body(status, pieces).map_into_boxed_body()
}

/// A JSON body in pieces.
pub(crate) fn body_in_pieces(status: StatusCode, pieces: Pieces) -> HttpResponse {
    let mut response = in_pieces(status, pieces);
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// The problem that describes an error, and its code.
pub(crate) fn problem(error: &Error, about: About<'_>, budget: &Budget) -> (HttpResponse, Code) {
    let (summary, body) = error.problem(about, budget);
    let mut response = in_pieces(summary.code.status(), body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PROBLEM);
    for (name, value) in error.headers(summary.code) {
        headers.append(name, value);
    }
    (with_session(response, error.session()), summary.code)
}

/// The same response, with a large body in pieces, each with its share of the budget until the connection takes it; without its body
/// where the budget has no room for it.
pub(crate) fn within_budget(
    budget: &Budget,
    response: HttpResponse,
) -> Result<HttpResponse, HttpResponse<()>> {
    let large = u64::try_from(SMALL).unwrap_or(u64::MAX);
    if !matches!(response.body().size(), BodySize::Sized(length) if length > large) {
        return Ok(response);
    }
    let is_budgeted = response.extensions().contains::<Budgeted>();
    let (head, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(body) => body,
        Err(in_pieces) => return Ok(head.set_body(in_pieces)),
    };
    let kept = if is_budgeted {
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
pub(crate) fn body(bytes: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(StatusCode::OK, bytes).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// 200 with a value of this service as JSON.
pub(crate) fn value<T: serde::Serialize>(value: &T) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(bytes) => body(bytes.into()),
        Err(error) => {
            log::error!("a response could not be written: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Adds the id of the session in use, if there is one.
pub(crate) fn with_session(
    mut response: HttpResponse,
    session: Option<&SessionId>,
) -> HttpResponse {
    let Some(session) = session else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(SESSION_ID, session.header());
    // A shared cache would give the session to other clients.
    let told = headers
        .get(CACHE_CONTROL)
        .and_then(|told| told.to_str().ok());
    let private = told.map(|told| told.replacen("public", "private", 1));
    if let Some(Ok(private)) = private.as_deref().map(HeaderValue::from_str) {
        headers.insert(CACHE_CONTROL, private);
    }
    response
}

/// The media type that a server names, without parameters, if it is one and can be a header: visible ASCII and spaces.
pub(crate) fn media_type(named: &str) -> Option<Mime> {
    let essence = named.split(';').next()?.trim();
    let is_printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    essence
        .parse()
        .ok()
        .filter(|it: &Mime| named.bytes().all(is_printable) && it.subtype() != "")
}

/// A body under the media type that a server names, which a browser must not run in the origin of this service.
pub(crate) fn sandboxed(mut response: HttpResponse, media_type: &str) -> HttpResponse {
    let headers = response.headers_mut();
    let value = HeaderValue::from_str(media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, value);
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    response
}

/// Forbids caches to keep the response.
pub(crate) fn not_stored(mut response: HttpResponse) -> HttpResponse {
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

/// Adds the header that says that the tool reported an error of its own.
pub(crate) fn with_tool_error(mut response: HttpResponse) -> HttpResponse {
    response
        .headers_mut()
        .insert(TOOL_ERROR, HeaderValue::from_static("true"));
    response
}
