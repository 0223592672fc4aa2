//! The library that validates values against a schema, behind the feature `validation`; without it, no schema can be used.
//!
//! What a validation may cost is `cost`'s and `work`'s part.

use serde_json::Value;

/// An error as the library tells it: pointer into the value, keyword, and message without values.
pub(crate) struct Found {
    pub(crate) pointer: String,
    pub(crate) keyword: String,
    pub(crate) message: String,
}

#[cfg(feature = "validation")]
pub(crate) use with::Engine;
#[cfg(not(feature = "validation"))]
pub(crate) use without::Engine;

#[cfg(feature = "validation")]
mod with {
    use jsonschema::{Draft, PatternOptions, Validator};

    use super::{Found, Value};
    use crate::schema::cost;

    /// Bytes of the engine's own cache, for a pattern and a thread.
    const PATTERN_CACHE: usize = 16 << 10;

    /// A compiled schema.
    pub(crate) struct Engine(Validator);

    impl Engine {
        /// Compiles a schema in its own dialect, 2020-12 if it names none.
        pub(crate) fn of(schema: &Value) -> Option<Self> {
            let patterns = PatternOptions::regex()
                .size_limit(cost::MAX_PATTERN_BYTES)
                .dfa_size_limit(PATTERN_CACHE);
            let options = jsonschema::options().with_pattern_options(patterns);
            let options = match schema.get("$schema") {
                Some(_) => options,
                None => options.with_draft(Draft::Draft202012),
            };
            let built = options.build(schema);
            let failed = |error: &jsonschema::ValidationError<'_>| {
                let keyword = error.kind().keyword();
                log::debug!("a schema cannot be used for validation: {keyword}");
            };
            built.inspect_err(failed).ok().map(Self)
        }

        pub(crate) fn is_valid(&self, value: &Value) -> bool {
            self.0.is_valid(value)
        }

        pub(crate) fn errors<'a>(&'a self, value: &'a Value) -> impl Iterator<Item = Found> + 'a {
            self.0.iter_errors(value).map(|error| Found {
                pointer: error.instance_path().as_str().to_owned(),
                keyword: error.kind().keyword().to_owned(),
                message: error.masked().to_string(),
            })
        }
    }
}

#[cfg(not(feature = "validation"))]
mod without {
    use super::{Found, Value};

    /// A compiled schema, of which there are none.
    pub(crate) enum Engine {}

    impl Engine {
        pub(crate) fn of(_: &Value) -> Option<Self> {
            None
        }

        pub(crate) fn is_valid(&self, _: &Value) -> bool {
            match *self {}
        }

        pub(crate) fn errors(&self, _: &Value) -> std::iter::Empty<Found> {
            match *self {}
        }
    }
}
