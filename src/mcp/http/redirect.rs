//! Redirects and other references that lead to the same origin.

use awc::http::header::{HeaderMap, LOCATION};
use awc::http::{StatusCode, Uri};
use url::Url;

use crate::mcp::protocol::error::Elsewhere;

/// Where a redirect leads, if it may be followed: 307 or 308 (they keep method and body), to the same origin.
pub(crate) fn redirected(from: &Uri, status: StatusCode, headers: &HeaderMap) -> Option<Uri> {
    let keeps_request =
        status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT;
    let location = headers.get(LOCATION)?.to_str().ok()?;
    keeps_request.then(|| same_origin(from, location))?
}

/// The target of `reference` relative to `base`, if it has the same scheme, host and port. Any other must not see the credentials
/// that are meant for `base`.
pub(crate) fn same_origin(base: &Uri, reference: &str) -> Option<Uri> {
    let base = Url::parse(&base.to_string()).ok()?;
    let mut target = base.join(reference).ok()?;
    target.set_fragment(None);
    let names_nobody = target.username().is_empty() && target.password().is_none();
    (names_nobody && target.origin() == base.origin()).then(|| target.as_str().parse().ok())?
}

/// Where a redirect leads that is not followed.
pub(crate) fn elsewhere(from: &Uri, headers: &HeaderMap) -> Elsewhere {
    let leads_to = || {
        let from = Url::parse(&from.to_string()).ok()?;
        let to = from.join(headers.get(LOCATION)?.to_str().ok()?).ok()?;
        Some(match (from.scheme(), to.scheme()) {
            ("http", "https") if from.host() == to.host() => Elsewhere::Https,
            _ if from.origin() == to.origin() => Elsewhere::Path,
            _ => Elsewhere::Other,
        })
    };
    leads_to().unwrap_or(Elsewhere::Other)
}
