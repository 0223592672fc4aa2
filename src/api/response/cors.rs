//! Responses to pages of other sites (CORS, Fetch standard, section 3.3): what browsers ask first, and the headers of every response.
//!
//! Which origins are allowed is decided in `request::cors`. Without `gateway.cors.origins`, nothing here happens.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap, HeaderName, HeaderValue, VARY,
};

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::cors;

const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");

/// The headers of responses that a page may read, besides those that it always may (`Content-Type`, `Cache-Control`).
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Mcp-Session-Id, Mcp-Tool-Error, X-Request-Id, Server-Timing, ETag, Retry-After, WWW-Authenticate, Location, Allow, \
     Accept-Encoding, Content-Disposition, Vary, Preference-Applied, RateLimit, RateLimit-Policy",
);
/// Seconds for which a browser need not ask again: the most that Chromium accepts.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");
/// Names of headers that a page may ask for at once.
const MOST_HEADERS: usize = 64;

/// The response to a preflight: the methods of the route, and the request headers that the page asks for.
pub(crate) fn preflight(context: &Context<'_>, methods: &[Method]) -> Result<HttpResponse, Error> {
    if cors::allowed_origin(context).is_none() {
        return Err(Error::OriginNotAllowed);
    }
    let asked = context.request.headers();
    let mut response = HttpResponse::new(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if let Ok(methods) = HeaderValue::from_str(&methods.join(", ")) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    }
    if let Ok(names) = HeaderValue::from_str(&asked_headers(asked)?) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    if asked
        .get(REQUEST_PRIVATE_NETWORK)
        .is_some_and(|it| it == "true")
    {
        headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    headers.insert(
        VARY,
        HeaderValue::from_static("Access-Control-Request-Method, Access-Control-Request-Headers"),
    );
    Ok(response)
}

/// The names of the headers that the page wants to send: any, if they are names.
fn asked_headers(asked: &HeaderMap) -> Result<String, Error> {
    let lines = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS);
    let names = lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty());
    let names = names
        .take(MOST_HEADERS)
        .map(|name| HeaderName::from_bytes(name).ok());
    let names: Option<Vec<HeaderName>> = names.collect();
    let names = names.ok_or_else(|| {
        Error::invalid("'Access-Control-Request-Headers' must be a list of header names")
    })?;
    let names: Vec<&str> = names.iter().map(HeaderName::as_str).collect();
    Ok(names.join(", "))
}

/// Adds what lets a page of an allowed origin read the response. Caches must keep it apart from the same for others.
pub(crate) fn add_headers(context: &Context<'_>, response: &mut HttpResponse) {
    let settings = &context.state.settings;
    if settings.cors_origins.is_empty() {
        return;
    }
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = cors::allowed_origin(context) else {
        return;
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    if settings.cors_credentials {
        headers.insert(
            ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header that the document describes can be read by pages too.
    #[test]
    fn every_described_header_is_exposed() {
        let document: serde_json::Value = serde_json::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/openapi/openapi.json"
        )))
        .unwrap();
        let exposed = EXPOSED;
        let exposed: Vec<_> = exposed.to_str().unwrap().split(", ").collect();
        let described = document["components"]["headers"].as_object().unwrap();
        for name in described.keys().filter(|name| *name != "Cache-Control") {
            assert!(exposed.contains(&name.as_str()), "{name}");
        }
    }
}
