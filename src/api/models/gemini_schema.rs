//! The form that Gemini has for a schema: one type for each, `nullable`, `anyOf` with nothing that constrains beside it, `enum` for texts only.
//!
//! The keywords are `dialect`'s, and are cut before.

use serde_json::{Map, Value, json};

type Schema = Map<String, Value>;

/// Characters of a list of values in a description.
const LONGEST_LIST: usize = 200;
/// Keywords that say nothing about which values are allowed.
const ANYWHERE: &[&str] = &["description", "title", "default", "example"];

/// The keywords of each type, by which a type is inferred as well, and its name.
const OF_TYPES: [(&str, &str, &[&str]); 6] = [
    (
        "object",
        "OBJECT",
        &["properties", "required", "minProperties", "maxProperties"],
    ),
    ("array", "ARRAY", &["items", "minItems", "maxItems"]),
    (
        "string",
        "STRING",
        &["enum", "pattern", "minLength", "maxLength", "format"],
    ),
    ("number", "NUMBER", &["minimum", "maximum", "format"]),
    ("integer", "INTEGER", &["minimum", "maximum", "format"]),
    ("boolean", "BOOLEAN", &[]),
];

/// A schema of any value. There is none for lists of anything.
pub(crate) fn any() -> Schema {
    let types = ["STRING", "NUMBER", "BOOLEAN", "OBJECT"];
    let branches = types.map(|name| json!({"type": name}));
    Schema::from_iter([("anyOf".to_owned(), Value::from(branches.to_vec()))])
}

/// The form of a schema whose subschemas have theirs. `cut` is told what has no place in it.
pub(crate) fn of(mut schema: Schema, cut: &mut dyn FnMut(&str)) -> Schema {
    let mut nullable = schema.remove("nullable") == Some(Value::Bool(true));
    let mut types = types_of(&mut schema);
    if types.len() > 1 && types.iter().any(|name| name == "null") {
        types.retain(|name| name != "null");
        nullable = true;
    }
    if let Some(Value::Array(branches)) = schema.remove("anyOf") {
        let mut branches: Vec<Schema> = branches.into_iter().filter_map(into_object).collect();
        let of_all = branches.len();
        branches.retain(|branch| branch.get("type") != Some(&json!("NULL")));
        nullable |= branches.len() < of_all;
        let is_typed = !types.is_empty() || inferred(&schema).is_some();
        match branches.len() {
            0 => {}
            _ if is_typed => cut("anyOf"),
            1 => return nullable_if(nullable, merged(&schema, branches.remove(0))),
            _ => return nullable_if(nullable, choice(schema, branches, cut)),
        }
    }
    if types.is_empty() {
        types.extend(inferred(&schema).map(str::to_owned));
    }
    let schema = match types.as_slice() {
        [] => choice(schema, branches_of(any()), cut),
        [one] if one == "null" => Schema::from_iter([("type".to_owned(), json!("NULL"))]),
        [one] => typed(one, schema, cut),
        several => several_types(several, schema, cut),
    };
    nullable_if(nullable, schema)
}

fn types_of(schema: &mut Schema) -> Vec<String> {
    let named = match schema.remove("type") {
        Some(Value::Array(names)) => names,
        Some(one) => vec![one],
        None => vec![],
    };
    let names = named.iter().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

fn into_object(value: Value) -> Option<Schema> {
    match value {
        Value::Object(schema) => Some(schema),
        _ => None,
    }
}

fn branches_of(mut schema: Schema) -> Vec<Schema> {
    match schema.remove("anyOf") {
        Some(Value::Array(branches)) => branches.into_iter().filter_map(into_object).collect(),
        _ => vec![],
    }
}

fn nullable_if(nullable: bool, mut schema: Schema) -> Schema {
    if nullable {
        schema.insert("nullable".to_owned(), Value::Bool(true));
    }
    schema
}

/// The type that a schema without one speaks of.
fn inferred(schema: &Schema) -> Option<&'static str> {
    let values = schema.get("enum").and_then(Value::as_array);
    if values.is_some_and(|values| !values.iter().all(Value::is_string)) {
        return kind_of_all(values?);
    }
    let speaks = |keywords: &&[&str]| {
        let mut keywords = keywords.iter().filter(|name| **name != "format");
        keywords.any(|name| schema.contains_key(*name))
    };
    let mut types = OF_TYPES.iter();
    let found = types.find(|(.., keywords)| speaks(keywords));
    found.map(|(name, ..)| *name)
}

/// The type that all of these values have but for `null`.
fn kind_of_all(values: &[Value]) -> Option<&'static str> {
    let kind = |value: &Value| match value {
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("boolean"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
        Value::Null => None,
    };
    let mut kinds = values.iter().filter_map(kind);
    let first = kinds.next()?;
    kinds.all(|other| other == first).then_some(first)
}

/// A choice of one: what is said beside it comes first.
fn merged(schema: &Schema, mut branch: Schema) -> Schema {
    for name in ANYWHERE {
        if let Some(value) = schema.get(*name) {
            branch.insert((*name).to_owned(), value.clone());
        }
    }
    branch
}

/// A choice. Only `nullable` may stand beside it, so that its description goes to the first branch.
fn choice(mut schema: Schema, mut branches: Vec<Schema>, cut: &mut dyn FnMut(&str)) -> Schema {
    if let (Some(first), Some(text)) = (branches.first_mut(), schema.remove("description")) {
        first.entry("description").or_insert(text);
    }
    for name in schema.keys() {
        cut(name);
    }
    let branches = branches.into_iter().map(Value::Object).collect();
    Schema::from_iter([("anyOf".to_owned(), Value::Array(branches))])
}

/// One branch for each type.
fn several_types(types: &[String], mut schema: Schema, cut: &mut dyn FnMut(&str)) -> Schema {
    let description = schema.remove("description");
    let is_any_of = |name: &str| types.iter().any(|known| known == name);
    let branch = |name: &String| {
        let allowed = keywords_of(name);
        let own = schema.iter().filter(|(keyword, _)| {
            let is_enum_of_others = *keyword == "enum" && !is_any_of("string");
            allowed.contains(&keyword.as_str()) && !is_enum_of_others
        });
        let own = own.map(|(keyword, value)| (keyword.clone(), value.clone()));
        typed(name, own.collect(), &mut |_| {})
    };
    let branches = types.iter().map(branch).collect();
    let of_no_type = schema.keys().filter(|keyword| {
        let mut types = types.iter();
        !types.any(|name| keywords_of(name).contains(&keyword.as_str()))
    });
    of_no_type.for_each(|keyword| cut(keyword));
    let mut outer = Schema::new();
    outer.extend(description.map(|text| ("description".to_owned(), text)));
    choice(outer, branches, cut)
}

fn keywords_of(name: &str) -> &'static [&'static str] {
    let mut types = OF_TYPES.iter();
    let found = types.find(|(known, ..)| *known == name);
    found.map_or(&[], |(.., keywords)| *keywords)
}

/// A schema of one type, with the keywords of that type.
fn typed(name: &str, schema: Schema, cut: &mut dyn FnMut(&str)) -> Schema {
    let mut types = OF_TYPES.iter();
    let Some((_, upper, keywords)) = types.find(|(known, ..)| *known == name) else {
        return any();
    };
    let mut out = Schema::from_iter([("type".to_owned(), json!(upper))]);
    for (keyword, value) in schema {
        match keyword.as_str() {
            "enum" => enumerated(name, value, &mut out, cut),
            "format" if !is_format(name, &value) => cut("format"),
            // An object without properties has no such member.
            "properties" if value.as_object().is_some_and(Map::is_empty) => {}
            known if ANYWHERE.contains(&known) || keywords.contains(&known) => {
                out.insert(keyword, value);
            }
            other => cut(other),
        }
    }
    if name == "array" && !out.contains_key("items") {
        out.insert("items".to_owned(), Value::Object(any()));
    }
    required_are_properties(&mut out, cut);
    out
}

/// "only 'enum' and 'date-time' are supported for STRING type".
fn is_format(name: &str, value: &Value) -> bool {
    let known: &[&str] = match name {
        "string" => &["date-time", "enum"],
        "number" => &["float", "double"],
        "integer" => &["int32", "int64"],
        _ => &[],
    };
    value.as_str().is_some_and(|format| known.contains(&format))
}

/// "only allowed for STRING type", and not for an empty text. Values of other types are told in the description.
fn enumerated(name: &str, values: Value, out: &mut Schema, cut: &mut dyn FnMut(&str)) {
    let Value::Array(mut values) = values else {
        return;
    };
    if values.contains(&Value::Null) {
        values.retain(|value| !value.is_null());
        out.insert("nullable".to_owned(), Value::Bool(true));
    }
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if name == "string" && !values.is_empty() && values.iter().all(is_text) {
        out.insert("format".to_owned(), json!("enum"));
        out.insert("enum".to_owned(), Value::Array(values));
        return;
    }
    cut("enum");
    let list = values.iter().map(Value::to_string).collect::<Vec<_>>();
    let list = list.join(", ");
    if !list.is_empty() && list.len() <= LONGEST_LIST {
        let before = out.get("description").and_then(Value::as_str);
        let before = before.map_or_else(String::new, |text| format!("{text} "));
        let told = format!("{before}One of: {list}");
        out.insert("description".to_owned(), Value::String(told));
    }
}

/// "required[0]: property is not defined".
fn required_are_properties(schema: &mut Schema, cut: &mut dyn FnMut(&str)) {
    let Some(Value::Array(mut required)) = schema.remove("required") else {
        return;
    };
    let before = required.len();
    let properties = schema.get("properties").and_then(Value::as_object);
    required.retain(|name| {
        let name = name.as_str().unwrap_or_default();
        properties.is_some_and(|properties| properties.contains_key(name))
    });
    if required.len() < before {
        cut("required");
    }
    if !required.is_empty() {
        schema.insert("required".to_owned(), Value::Array(required));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(schema: Value) -> (Value, Vec<String>) {
        let mut cuts = Vec::new();
        let schema = into_object(schema).unwrap();
        let schema = of(schema, &mut |keyword| cuts.push(keyword.to_owned()));
        (Value::Object(schema), cuts)
    }

    #[test]
    fn types_are_one_each() {
        for (schema, expected, cuts) in [
            (
                json!({"type": ["string", "null"], "minLength": 1}),
                json!({"type": "STRING", "minLength": 1, "nullable": true}),
                &[][..],
            ),
            (
                json!({"type": ["string", "integer"], "description": "d", "minimum": 1}),
                json!({"anyOf": [{"type": "STRING", "description": "d"}, {"type": "INTEGER", "minimum": 1}]}),
                &[],
            ),
            (
                json!({"properties": {"a": {"type": "STRING"}}, "required": ["a", "b"]}),
                json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}),
                &["required"],
            ),
            (
                json!({"type": "object", "properties": {}}),
                json!({"type": "OBJECT"}),
                &[],
            ),
            (
                json!({"anyOf": [{"type": "STRING"}, {"type": "NULL"}], "description": "d", "default": null}),
                json!({"type": "STRING", "description": "d", "default": null, "nullable": true}),
                &[],
            ),
            (
                json!({"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}], "title": "t"}),
                json!({"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}),
                &["title"],
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "STRING"}}, "anyOf": [{"type": "OBJECT"}]}),
                json!({"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}),
                &["anyOf"],
            ),
        ] {
            assert_eq!(
                form(schema),
                (expected, cuts.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn enums_are_of_texts() {
        for (schema, expected, cuts) in [
            (
                json!({"enum": ["a", "b", null]}),
                json!({"type": "STRING", "enum": ["a", "b"], "format": "enum", "nullable": true}),
                &[][..],
            ),
            (
                json!({"type": "integer", "enum": [1, 2], "description": "How many."}),
                json!({"type": "INTEGER", "description": "How many. One of: 1, 2"}),
                &["enum"],
            ),
            (
                json!({"type": "string", "format": "uri"}),
                json!({"type": "STRING"}),
                &["format"],
            ),
        ] {
            let (mut found, found_cuts) = form(schema);
            // The description may come before the values it names.
            if let Some(text) = found["description"].as_str() {
                assert!(text.contains("1, 2"), "{text}");
                found["description"] = expected["description"].clone();
            }
            assert_eq!(
                (found, found_cuts),
                (expected, cuts.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn lists_have_items() {
        let (list, _) = form(json!({"type": "array"}));
        assert_eq!(list["items"]["anyOf"][0], json!({"type": "STRING"}));
    }
}
