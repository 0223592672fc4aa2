//! What fuzz targets reach of the REST side: schemas of servers and templates of callers at work, with what must hold of it.
//!
//! Not for callers: nothing here is stable.

use super::checks::{MOST_KEPT, MOST_SCHEMA_BYTES, Validators};
use super::example::{self, Examples};
use super::{by_query, uri_template};

/// Holds arguments against a schema, makes up an example for it, and reads a query by it. Panics if a budget is passed.
#[expect(clippy::panic, reason = "what a fuzz target is for")]
pub fn schema(schema: &str, arguments: &str, parameters: &[(&str, Vec<&str>)]) {
    let validators = Validators::default();
    let misfits = validators.misfits(schema, arguments);
    let told: usize = misfits
        .iter()
        .map(|it| it.message.len() + it.pointer.len())
        .sum();
    if told > 32 * 4096 {
        panic!("{told} bytes of mistakes");
    }
    // What takes little work comes to the same on the worker.
    if let Some(at_once) = validators.misfits_at_once(schema, arguments)
        && at_once != misfits
    {
        panic!("{at_once:?} {misfits:?}");
    }
    if let Some(example) = Examples::new(&validators).arguments(schema) {
        let example = example.to_string();
        if example.len() > example::MOST_BYTES {
            panic!("{} bytes of example", example.len());
        }
        let misfits = validators.misfits(schema, &example);
        if !misfits.is_empty() {
            panic!("{example} {misfits:?}");
        }
    }
    let asked: usize = parameters
        .iter()
        .flat_map(|(name, values)| values.iter().map(|it| it.len() + name.len()))
        .sum();
    if let Ok(arguments) = by_query::arguments(Some(schema), parameters)
        && arguments.get().len() > 6 * asked + 64 * parameters.len() + 64
    {
        panic!("{} bytes of {asked}", arguments.get().len());
    }
    if validators.weight() > MOST_KEPT {
        panic!("{} bytes kept", validators.weight());
    }
    if schema.len() > MOST_SCHEMA_BYTES && validators.weight() > 0 {
        panic!("a schema that is too large was used");
    }
}

/// Expands a template. Panics if the URI is longer than its budget.
#[expect(clippy::panic, reason = "what a fuzz target is for")]
pub fn template(template: &str, variables: &[(&str, Vec<&str>)]) {
    if let Ok(uri) = uri_template::expand(template, variables)
        && (uri.len() > uri_template::MOST || !uri.is_ascii())
    {
        panic!("{uri}");
    }
}
