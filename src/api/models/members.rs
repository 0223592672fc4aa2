//! `type`, `properties` and `required` of a schema: looked at, and added to.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

type Schema = Map<String, Value>;

/// Whether a type, or a list of types, is or has this one.
pub(crate) fn has_type(types: &Value, name: &str) -> bool {
    let mut list = types.as_array().into_iter().flatten();
    types == name || list.any(|it| it == name)
}

/// The names in `required`.
pub(crate) fn required_of(schema: &Schema) -> impl Iterator<Item = String> {
    texts(schema.get("required").unwrap_or(&Value::Null))
}

/// The texts in a list.
pub(crate) fn texts(list: &Value) -> impl Iterator<Item = String> {
    let names = list.as_array().into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned)
}

/// Adds names that are not there.
pub(crate) fn add_required(schema: &mut Schema, names: impl IntoIterator<Item = String>) {
    let mut required: Vec<String> = required_of(schema).collect();
    let mut known: HashSet<String> = required.iter().cloned().collect();
    let new = names.into_iter().filter(|name| known.insert(name.clone()));
    required.extend(new);
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
}

/// Adds the properties of another schema that are not there.
pub(crate) fn add_properties(schema: &mut Schema, mut other: Schema) {
    let Some(Value::Object(others)) = other.remove("properties") else {
        return;
    };
    let properties = schema.entry("properties");
    let properties = properties.or_insert_with(|| Value::Object(Schema::new()));
    if let Value::Object(properties) = properties {
        for (name, other) in others {
            properties.entry(name).or_insert(other);
        }
    }
}
