//! Whether the dialect that a schema names changes what it means.
//!
//! Most schemas that name an older draft say nothing that the drafts read differently; readers that know one dialect only, or none,
//! take such a schema better without `$schema`.

use serde_json::{Map, Value};

use crate::schema::keywords::KEYWORDS;
use crate::schema::validate::MAX_SCHEMA_BYTES;

/// The dialect of schemas that do not name one.
const DEFAULT: &str = "json-schema.org/draft/2020-12/schema";
/// The drafts that differ from it in [`PARTICULAR`] alone, as far as their keywords go.
const OLDER: [&str; 2] = [
    "json-schema.org/draft/2019-09/schema",
    "json-schema.org/draft-07/schema",
];
/// Keywords that these drafts read differently, or that only some of them know. `items` is one where its value is a list.
const PARTICULAR: [&str; 15] = [
    "additionalItems",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "prefixItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "minContains",
    "maxContains",
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "$id",
];
/// What may stand beside `$ref` in every draft, because it asserts nothing.
const ANNOTATIONS: [&str; 10] = [
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "$defs",
    "definitions",
];

/// Whether it is the dialect of schemas that do not name one.
pub(crate) fn is_default(dialect: &str) -> bool {
    is(dialect, DEFAULT)
}

/// Whether `schema`, which names `dialect`, would mean something else without that.
pub(crate) fn matters(schema: &str, dialect: &str) -> bool {
    if is_default(dialect) {
        return false;
    }
    if schema.len() > MAX_SCHEMA_BYTES || !OLDER.iter().any(|older| is(dialect, older)) {
        return true;
    }
    // A tree is nested 128 levels at most.
    let tree = serde_json::from_str(schema);
    tree.map_or(true, |tree: Value| is_particular(&tree))
}

/// Whether a dialect is this one, by either scheme and with or without an empty fragment.
fn is(dialect: &str, one: &str) -> bool {
    let rest = dialect.split_once("://").map(|(_, rest)| rest);
    rest.is_some_and(|rest| rest.trim_end_matches('#') == one)
}

fn is_particular(schema: &Value) -> bool {
    let Value::Object(keywords) = schema else {
        return false;
    };
    let has = |name: &str| keywords.contains_key(name);
    PARTICULAR.iter().any(|name| has(name))
        || keywords.get("items").is_some_and(Value::is_array)
        || has("$ref") && !stands_alone(keywords)
        || KEYWORDS.iter().any(|keyword| {
            let operand = keywords.get(keyword.name);
            let mut schemas = operand.into_iter().flat_map(|it| keyword.subschemas(it));
            schemas.any(is_particular)
        })
}

/// Whether `$ref` has nothing beside it that asserts anything. Up to draft 7, that was ignored.
fn stands_alone(keywords: &Map<String, Value>) -> bool {
    let mut others = keywords.keys().filter(|name| *name != "$ref");
    others.all(|name| name == "$schema" || ANNOTATIONS.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_dialect_matters_where_the_drafts_differ() {
        const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
        for (schema, dialect, expected) in [
            (json!({"items": [{}]}), DRAFT_7, true),
            (json!({"items": {}}), DRAFT_7, false),
            (
                json!({"properties": {"$id": {}, "id": {"type": "string"}}}),
                DRAFT_7,
                false,
            ),
            (
                json!({"properties": {"a": {"dependencies": {"b": ["c"]}}}}),
                DRAFT_7,
                true,
            ),
            (
                json!({"$ref": "#/definitions/a", "description": "b"}),
                DRAFT_7,
                false,
            ),
            (
                json!({"$ref": "#/definitions/a", "minimum": 1}),
                DRAFT_7,
                true,
            ),
            (
                json!({"definitions": {"a": {"prefixItems": []}}}),
                DRAFT_7,
                true,
            ),
            (
                json!({"items": [{}]}),
                "https://json-schema.org/draft/2020-12/schema",
                false,
            ),
            (
                json!({}),
                "https://json-schema.org/draft/2019-09/schema",
                false,
            ),
            (json!({}), "http://json-schema.org/draft-04/schema#", true),
            (json!({}), "https://example.com/of-ones-own", true),
        ] {
            assert_eq!(
                matters(&schema.to_string(), dialect),
                expected,
                "{schema} {dialect}"
            );
        }
    }
}
