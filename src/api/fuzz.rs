//! What fuzz targets reach of the REST side: schemas of servers and templates of callers, put to work.
//!
//! Not for callers: nothing here is stable.

use crate::schema::example;
use crate::schema::example::Examples;
use crate::schema::from_query;
use crate::schema::validate::{MAX_CACHE_WEIGHT, ValidationError, Validators};
use crate::uri_template;

/// Bytes that all compiled schemas may weigh.
pub const MOST_WEIGHT: usize = MAX_CACHE_WEIGHT;
/// Bytes of an example.
pub const MOST_EXAMPLE: usize = example::MAX_BYTES;
/// Bytes of a URI.
pub const MOST_URI: usize = uri_template::MOST;

/// Schemas that are kept.
#[derive(Default)]
pub struct Schemas(Validators);

impl Schemas {
    /// Bytes of what a caller is told of arguments that do not fit; the same on the worker, if that does it.
    pub fn check(&self, schema: &str, arguments: &str) -> (usize, Option<usize>) {
        let told = |errors: Vec<ValidationError>| {
            let told = errors.iter();
            told.map(|it| it.pointer.len() + it.message.len()).sum()
        };
        let errors = self.0.validate(schema, arguments);
        (
            told(errors),
            self.0.validate_if_quick(schema, arguments).map(told),
        )
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

/// The arguments that a query comes to.
pub fn by_query(schema: &str, parameters: &[(&str, Vec<&str>)]) -> Option<String> {
    let arguments = from_query::arguments(Some(schema), parameters).ok()?;
    Some(arguments.get().to_owned())
}

/// The URI that a template stands for.
pub fn expand(template: &str, variables: &[(&str, Vec<&str>)]) -> Option<String> {
    uri_template::expand(template, variables).ok()
}
