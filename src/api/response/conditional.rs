//! What caches may do with a response: `ETag`, `Cache-Control`, and 304 for `If-None-Match` (RFC 9110, section 13; RFC 9111).

use std::time::Instant;

use actix_rt::time::timeout;
use actix_web::HttpResponse;
use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, ETAG, EntityTag, Header as _, HeaderValue, IfNoneMatch,
    TryIntoHeaderValue as _, VARY,
};
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
    let is_known = match (tag, IfNoneMatch::parse(context.request)) {
        (Some(_), Ok(IfNoneMatch::Any)) => true,
        (Some(tag), Ok(IfNoneMatch::Items(known))) => known.iter().any(|it| it.weak_eq(&tag)),
        _ => false,
    };
    if !is_known {
        return head.set_body(body).map_into_boxed_body();
    }
    headers.remove(CONTENT_TYPE);
    *head.status_mut() = StatusCode::NOT_MODIFIED;
    head.set_body(()).map_into_boxed_body()
}

/// Half of the SHA-256 of a body.
async fn tag(body: &Bytes, deadline: Instant) -> Option<EntityTag> {
    let digested = body.clone();
    let digest = offload::run(body.len(), move || digest(&SHA256, &digested));
    let left = deadline.saturating_duration_since(Instant::now());
    let digest = timeout(left, digest).await.ok()??;
    let half = digest.as_ref().get(..16)?;
    Some(EntityTag::new_strong(BASE64_URL_SAFE_NO_PAD.encode(half)))
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
