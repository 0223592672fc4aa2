//! From an MCP result to an HTTP response. The bytes of a result are the body; nothing is printed anew.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use bytes::Bytes;

use crate::mcp::header::{SESSION_ID, SessionId};

const TOOL_ERROR: HeaderName = HeaderName::from_static("mcp-tool-error");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a JSON body.
pub(super) fn json(body: Bytes) -> HttpResponse {
    let mut response = HttpResponse::with_body(StatusCode::OK, body).map_into_boxed_body();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// 200 with a value of ours as JSON.
pub(super) fn of<T: serde::Serialize>(value: &T) -> HttpResponse {
    match serde_json::to_vec(value) {
        Ok(body) => json(body.into()),
        Err(error) => {
            log::error!("an answer could not be written: {error}");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Names the session in use, if there is one.
pub(super) fn with_session(
    mut response: HttpResponse,
    session: Option<&SessionId>,
) -> HttpResponse {
    if let Some(session) = session {
        response.headers_mut().insert(SESSION_ID, session.header());
    }
    response
}

/// Says that a tool reported an error of its own.
pub(super) fn with_tool_error(mut response: HttpResponse) -> HttpResponse {
    response
        .headers_mut()
        .insert(TOOL_ERROR, HeaderValue::from_static("true"));
    response
}
