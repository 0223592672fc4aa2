//! Cross-site requests: those that a page of another site can make a browser send are refused by their headers, before the key is
//! checked and the body is read. GET and HEAD pass, for they run nothing.
//!
//! A browser sends some requests for any page without asking the other side first: forms, beacons, `fetch` without CORS. They
//! are recognised by what pages cannot change: a `Content-Type` that is not JSON, `Sec-Fetch-Site`, and `Origin`. Programs send
//! none of these. It is no check of `Host`: a name that is made to lead here (DNS rebinding) is the same origin to a browser.

use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, ORIGIN};

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::cors;
use crate::api::request::forwarded;
use crate::api::request::headers::single_header;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that is not only for reading and that a page of another site may have caused, unless its origin is allowed. Forms
/// are refused all the same, for their bodies are not JSON.
pub(crate) fn check(context: &Context<'_>) -> Result<(), Error> {
    if matches!(*context.request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    if cors::allowed_origin(context).is_none() {
        check_site(context)?;
    }
    check_type(context.request.headers())
}

/// Checks what a browser says of the page. `Origin` decides where browsers send no `Sec-Fetch-Site`: over plain HTTP to anything but
/// this machine.
fn check_site(context: &Context<'_>) -> Result<(), Error> {
    let headers = context.request.headers();
    let mut sites = headers.get_all(FETCH_SITE);
    match (sites.next(), sites.next()) {
        (None, _) => {}
        (Some(site), None) if matches!(site.as_bytes(), b"same-origin" | b"none") => return Ok(()),
        _ => return Err(Error::CrossSite),
    }
    let mut origins = headers.get_all(ORIGIN);
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if forwarded::is_own_origin(context, origin) => Ok(()),
        _ => Err(Error::CrossOrigin),
    }
}

/// A given type must be JSON, also without a body: a form without fields has none.
fn check_type(headers: &HeaderMap) -> Result<(), Error> {
    match single_header(headers, &CONTENT_TYPE)? {
        Some(said) if !said.to_str().is_ok_and(is_json) => Err(Error::UnsupportedMediaType),
        _ => Ok(()),
    }
}

/// `application/json` and every `+json` type, whatever their case and parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || essence
            .rsplit_once('+')
            .is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_types_pass() {
        for (content_type, passes) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/vnd.api+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("text/json-ish", false),
        ] {
            assert_eq!(is_json(content_type), passes, "{content_type}");
        }
    }
}
