//! What caches may do with a response: `ETag`, `Cache-Control`, and 304 for `If-None-Match` (RFC 9110, section 13; RFC 9111).

use std::time::Instant;

use actix_rt::time::timeout;
use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, EntityTag, Header as _, HeaderValue,
    IfNoneMatch, TryIntoHeaderValue as _, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::api::request::context::Context;
use crate::mcp::protocol::lists::Freshness;
use crate::offload;

/// The response as one that a cache may keep, or 304 if the client has it already. Without an `ETag` where the deadline leaves no time
/// to make one.
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
    if let Some(Ok(value)) = tag.clone().map(EntityTag::try_into_value) {
        headers.insert(ETAG, value);
    }
    if let Ok(value) = HeaderValue::try_from(cache_control(context, freshness)) {
        headers.insert(CACHE_CONTROL, value);
    }
    if !headers.contains_key(VARY) {
        headers.insert(VARY, HeaderValue::from_static("Accept"));
    }
    let response = head.set_body(body).map_into_boxed_body();
    match tag {
        Some(tag) => not_modified(context.request, &tag, response),
        None => response,
    }
}

/// The response, or 304 without its body if the client has what `tag` stands for.
pub(crate) fn not_modified(
    request: &HttpRequest,
    tag: &EntityTag,
    mut response: HttpResponse,
) -> HttpResponse {
    let is_known = match IfNoneMatch::parse(request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|it| it.weak_eq(tag)),
        Err(_) => false,
    };
    if !is_known {
        return response;
    }
    for name in [CONTENT_TYPE, CONTENT_ENCODING] {
        response.headers_mut().remove(name);
    }
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.map_body(|_, _| BoxBody::new(()))
}

/// The tag of a body, when there is time to make one.
async fn tag(body: &Bytes, deadline: Instant) -> Option<EntityTag> {
    let digested = body.clone();
    let tag = offload::run(body.len(), move || entity_tag(&digested));
    let left = deadline.saturating_duration_since(Instant::now());
    timeout(left, tag).await.ok()?
}

/// Half of the SHA-256 of a body.
pub(crate) fn entity_tag(body: &[u8]) -> EntityTag {
    let digest = digest(&SHA256, body);
    let half = digest.as_ref().get(..16).unwrap_or_default();
    EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(half))
}

/// For how long and by whom a response may be kept. Where API keys are configured, never by a shared cache.
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
