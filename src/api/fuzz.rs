//! Entry points for the fuzz targets: schemas of servers, and URI templates of clients. Not a public API; may change.

use crate::schema::example::{self, Examples};
use crate::schema::from_query;
use crate::schema::validate::{MAX_CACHE_WEIGHT, ValidationError, Validators};
use crate::uri_template;

/// Bytes that all compiled schemas may weigh.
pub const MAX_WEIGHT: usize = MAX_CACHE_WEIGHT;
/// Bytes of an example.
pub const MAX_EXAMPLE: usize = example::MAX_BYTES;
/// Bytes of a URI.
pub const MAX_URI: usize = uri_template::MAX_BYTES;

/// A cache of compiled schemas.
#[derive(Default)]
pub struct Schemas(Validators);

impl Schemas {
    /// Bytes of the validation errors in arguments; the same where a worker validates them itself, if it does.
    pub fn validate(&self, schema: &str, arguments: &str) -> (usize, Option<usize>) {
        let bytes = |errors: Vec<ValidationError>| {
            let errors = errors.iter();
            errors.map(|it| it.pointer.len() + it.message.len()).sum()
        };
        let errors = self.0.validate(schema, arguments);
        let quick = self.0.validate_if_quick(schema, arguments);
        (bytes(errors), quick.map(bytes))
    }

    /// An example of arguments.
    pub fn example(&self, schema: &str) -> Option<String> {
        let made = Examples::new(&self.0).arguments(schema);
        made.map(|made| made.to_string())
    }

    /// Bytes that the schemas are taken to weigh.
    pub fn weight(&self) -> usize {
        self.0.weight()
    }
}

/// Arguments from a query.
pub fn from_query(schema: &str, parameters: &[(&str, Vec<&str>)]) -> Option<String> {
    let arguments = from_query::arguments(Some(schema), parameters).ok()?;
    Some(arguments.get().to_owned())
}

/// A template expanded to a URI.
pub fn expand(template: &str, variables: &[(&str, Vec<&str>)]) -> Option<String> {
    uri_template::expand(template, variables).ok()
}
