//! API keys: who may use this service.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use crate::api::error::kinds::Error;
use crate::config::keys::ApiKeys;

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Requires one of the configured keys, in `X-API-Key` or as a bearer token, where any is configured. Of several credentials in a
/// request, one key suffices.
pub(crate) fn check_key(keys: &ApiKeys, headers: &HeaderMap) -> Result<(), Error> {
    if keys.is_empty() {
        return Ok(());
    }
    let bearer = headers
        .get_all(AUTHORIZATION)
        .filter_map(|value| bearer_token(value.as_bytes()));
    let presented = headers
        .get_all(API_KEY)
        .map(HeaderValue::as_bytes)
        .chain(bearer);
    let mut accepted = false;
    for key in presented.take(8) {
        accepted |= keys.accepts(key);
    }
    if accepted {
        Ok(())
    } else {
        Err(Error::Unauthorized)
    }
}

fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_are_found() {
        assert_eq!(bearer_token(b"Bearer abc"), Some(&b"abc"[..]));
        assert_eq!(bearer_token(b"bearer  abc "), Some(&b"abc"[..]));
        assert_eq!(bearer_token(b"Basic abc"), None);
        assert_eq!(bearer_token(b"Bearer"), None);
    }
}
