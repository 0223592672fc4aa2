//! Numbers as callers write them.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A whole number above 0, of any size: what is larger than the server's own deadline changes nothing.
pub(crate) struct Milliseconds;

impl PartialSchema for Milliseconds {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer);
        number.minimum(Some(1)).into()
    }
}

impl ToSchema for Milliseconds {}

/// The value of a whole number in any JSON notation; the maximum for a larger one.
pub(crate) fn whole(written: &str) -> Option<u64> {
    if let Ok(number) = written.parse() {
        return Some(number);
    }
    let number: f64 = written.parse().ok()?;
    if number.is_nan() || number < 0.0 || (number.is_finite() && number.fract() != 0.0) {
        return None;
    }
    Some(format!("{number:.0}").parse().unwrap_or(u64::MAX))
}
