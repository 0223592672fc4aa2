//! Request headers that may be given once.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::api::error::kinds::Error;

/// The value of a header that may be given once.
pub(crate) fn single_header<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Error> {
    let mut values = headers.get_all(name);
    let first = values.next();
    match values.next() {
        None => Ok(first),
        Some(_) => Err(Error::invalid(format!(
            "The header '{name}' is given more than once"
        ))),
    }
}
