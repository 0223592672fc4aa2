//! Which pages of other sites may use this service (`gateway.cors`), and what their browsers ask first. The headers of responses are
//! `response::cors`'s.

use actix_web::http::Method;
use actix_web::http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN};

use crate::api::request::context::Context;

/// The origin of the page, if the configuration allows it.
pub(crate) fn allowed_origin<'a>(context: &Context<'a>) -> Option<&'a HeaderValue> {
    let origins = &context.state.settings.cors_origins;
    if origins.is_empty() {
        return None;
    }
    let mut sent = context.request.headers().get_all(ORIGIN);
    let origin = sent.next().filter(|_| sent.next().is_none())?;
    origins.allow(origin.to_str().ok()?).then_some(origin)
}

/// Whether this is a browser's question before a request of another site's page, and one that is answered here.
pub(crate) fn is_preflight(context: &Context<'_>) -> bool {
    let headers = context.request.headers();
    *context.request.method() == Method::OPTIONS
        && !context.state.settings.cors_origins.is_empty()
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
