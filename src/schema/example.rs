//! An example call of a tool, made from its schema: arguments that fit, the request, and the same for a shell.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::schema::validate::{MOST_SCHEMA_BYTES, Validators};
use crate::schema::walk;
use crate::schema::walk::{Budget, steps, target};

/// References followed, and levels made, before an example is given up.
const DEPTH: usize = 12;
/// Schemas, names and pieces of text looked at before it is.
const EFFORT: usize = 50_000;
/// Bytes of an example.
pub(crate) const MOST_BYTES: usize = 64 << 10;
/// Bytes that schemas may weigh which are compiled for one answer.
const MOST_WEIGHT: usize = 256 << 20;
/// Work on the examples of one answer: two seconds or so. It takes a document of many thousand tools to use that up.
const MOST_WORK: usize = 20_000_000;

/// The examples of one answer, which has a budget for all of them.
pub(crate) struct Examples<'a> {
    validators: &'a Validators,
    weight: usize,
    work: usize,
}

impl<'a> Examples<'a> {
    /// None made yet.
    pub(crate) fn new(validators: &'a Validators) -> Self {
        Self {
            validators,
            weight: MOST_WEIGHT,
            work: MOST_WORK,
        }
    }

    /// Arguments that fit `schema`, with what it requires; `None` if they cannot be made up, at all or within the budget.
    pub(crate) fn arguments(&mut self, schema: &str) -> Option<Value> {
        if schema.len() > MOST_SCHEMA_BYTES {
            return None;
        }
        let weight = self.validators.weight_to_come(schema);
        self.weight = self.weight.checked_sub(weight)?;
        let mut root: Value = serde_json::from_str(schema).ok()?;
        if let Value::Object(keywords) = &mut root {
            // Arguments are never anything else.
            keywords.entry("type").or_insert_with(|| json!("object"));
        }
        let effort = EFFORT.min(self.work);
        let maker = Maker {
            root: &root,
            effort: Budget::new(effort),
            bytes: Budget::new(MOST_BYTES),
        };
        let made = maker.instance(&root, DEPTH);
        self.work -= effort - maker.effort.left();
        let made = made.filter(Value::is_object)?;
        let fits = self.validators.fits(schema, &made, &mut self.work);
        (fits && made.to_string().len() <= MOST_BYTES).then_some(made)
    }
}

/// The same call as a line for a shell.
pub(crate) fn curl(url: &str, arguments: &Value, key_wanted: bool) -> String {
    let key = if key_wanted {
        " -H \"X-API-Key: $API_KEY\""
    } else {
        ""
    };
    format!(
        "curl -X POST {}{key} -H 'Content-Type: application/json' -d {}",
        quoted(url),
        quoted(&arguments.to_string())
    )
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

struct Maker<'a> {
    root: &'a Value,
    /// What is left of it.
    effort: Budget,
    /// What may still be made.
    bytes: Budget,
}

impl Maker<'_> {
    /// A value that the schema itself offers.
    fn copied(&self, value: &Value) -> Option<Value> {
        walk::values(value, 0, |value, name, _| {
            self.bytes.spend(name.map_or(0, |name| name.len() + 4))?;
            self.bytes.spend(match value {
                Value::String(text) => text.len() + 2,
                Value::Array(items) => items.len() + 2,
                Value::Object(_) => 2,
                _ => 1,
            })
        })?;
        Some(value.clone())
    }

    fn instance(&self, schema: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        self.effort.spend(1)?;
        self.bytes.spend(1)?;
        let Value::Object(keywords) = schema else {
            return (schema != &json!(false)).then(|| json!({}));
        };
        let mut offered = ["const", "default", "example"].into_iter();
        if let Some(value) = offered.find_map(|name| keywords.get(name)) {
            return self.copied(value);
        }
        for name in ["examples", "enum"] {
            if let Some(value) = keywords.get(name).and_then(|values| values.get(0)) {
                return self.copied(value);
            }
        }
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            self.effort.spend(steps(reference))?;
            return self.instance(target(self.root, reference)?, depth);
        }
        for name in ["oneOf", "anyOf"] {
            if let Some(Value::Array(choices)) = keywords.get(name)
                && !keywords.contains_key("properties")
            {
                let mut made = choices.iter();
                return made.find_map(|choice| self.instance(choice, depth));
            }
        }
        match kind(keywords) {
            "object" => self.object(keywords, depth),
            "array" => self.array(keywords, depth),
            "string" => {
                let text = text(keywords);
                self.bytes.spend(text.len())?;
                Some(text.into())
            }
            "integer" | "number" => Some(number(keywords)),
            "boolean" => Some(true.into()),
            "null" => Some(Value::Null),
            _ => None,
        }
    }

    fn object(&self, keywords: &Map<String, Value>, depth: usize) -> Option<Value> {
        let mut made = Map::new();
        if let Some(Value::Array(parts)) = keywords.get("allOf") {
            for part in parts {
                if let Some(Value::Object(members)) = self.instance(part, depth) {
                    made.extend(members);
                }
            }
        }
        let none = Map::new();
        let properties = keywords.get("properties").and_then(Value::as_object);
        let properties = properties.unwrap_or(&none);
        let required = keywords.get("required").and_then(Value::as_array);
        let required = required.map_or(&[][..], Vec::as_slice);
        self.effort.spend(properties.len() + required.len())?;
        let required: HashSet<&str> = required.iter().filter_map(Value::as_str).collect();
        for (name, schema) in properties {
            if required.contains(name.as_str()) {
                self.bytes.spend(name.len() + 4)?;
                made.insert(name.clone(), self.instance(schema, depth)?);
            }
        }
        Some(made.into())
    }

    fn array(&self, keywords: &Map<String, Value>, depth: usize) -> Option<Value> {
        let least = keywords.get("minItems").and_then(Value::as_u64);
        let first = keywords.get("prefixItems").and_then(Value::as_array);
        let mut items = Vec::new();
        for schema in first.into_iter().flatten() {
            items.push(self.instance(schema, depth)?);
        }
        let wanted = usize::try_from(least.unwrap_or(1).min(8)).ok()?;
        while items.len() < wanted {
            items.push(match keywords.get("items") {
                Some(schema) => self.instance(schema, depth)?,
                None => json!("text"),
            });
        }
        Some(items.into())
    }
}

/// The type of what is described, as it is said or as other keywords show it.
fn kind(keywords: &Map<String, Value>) -> &str {
    match keywords.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or("null")
        }
        _ if keywords.contains_key("items") => "array",
        _ if ["properties", "allOf", "required"]
            .iter()
            .any(|name| keywords.contains_key(*name)) =>
        {
            "object"
        }
        _ => "string",
    }
}

fn text(keywords: &Map<String, Value>) -> String {
    let format = keywords.get("format").and_then(Value::as_str);
    let text = match format.unwrap_or_default() {
        "date-time" => "2026-01-31T12:00:00Z",
        "date" => "2026-01-31",
        "time" => "12:00:00Z",
        "duration" => "PT1H",
        "email" | "idn-email" => "name@example.com",
        "hostname" | "idn-hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "url" | "iri" => "https://example.com/",
        "uri-reference" | "iri-reference" => "/path",
        "uuid" => "01234567-89ab-4cde-8f01-23456789abcd",
        "byte" => "dGV4dA==",
        _ => "text",
    };
    let least = keywords.get("minLength").and_then(Value::as_u64);
    let least = usize::try_from(least.unwrap_or(0).min(1000)).unwrap_or(0);
    let most = keywords.get("maxLength").and_then(Value::as_u64);
    let most = usize::try_from(most.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let padded = text.chars().chain(std::iter::repeat('x'));
    padded
        .take(text.chars().count().max(least).min(most))
        .collect()
}

fn number(keywords: &Map<String, Value>) -> Value {
    let bound = |name| keywords.get(name).and_then(Value::as_i64);
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let least = bound("minimum").or(bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or(bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let value = least.unwrap_or(1).min(most.unwrap_or(i64::MAX));
    let over = value.rem_euclid(step);
    let value = if over == 0 {
        value
    } else {
        value.saturating_add(step - over)
    };
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(schema: &Value) -> Option<Value> {
        Examples::new(&Validators::default()).arguments(&schema.to_string())
    }

    #[test]
    fn what_is_required_is_made_up() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": {"type": "string", "minLength": 6},
                "days": {"type": "integer", "minimum": 3, "multipleOf": 2},
                "unit": {"enum": ["c", "f"]},
                "at": {"$ref": "#/$defs/Place"},
                "tags": {"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 2},
                "left_out": {"type": "string"},
            },
            "required": ["city", "days", "unit", "at", "tags"],
            "$defs": {"Place": {"type": "object", "properties": {"x": {"type": ["null", "number"]}}, "required": ["x"]}},
        });
        let uuid = "01234567-89ab-4cde-8f01-23456789abcd";
        assert_eq!(
            made(&schema),
            Some(
                json!({"city": "textxx", "days": 4, "unit": "c", "at": {"x": 1}, "tags": [uuid, uuid]})
            )
        );
        assert_eq!(made(&json!({"type": "object"})), Some(json!({})));
        assert_eq!(made(&json!({})), Some(json!({})));
    }

    #[test]
    fn what_would_not_fit_is_not_offered() {
        for schema in [
            json!({"properties": {"a": {"type": "string", "pattern": "^[0-9]{9}$"}}, "required": ["a"]}),
            json!({"properties": {"a": {"$ref": "#/properties/a"}}, "required": ["a"]}),
            json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}),
            json!(false),
            json!({"type": "string"}),
        ] {
            assert_eq!(made(&schema), None, "{schema}");
        }
    }

    #[test]
    fn a_shell_takes_the_line_apart_again() {
        let line = curl("http://h/it's", &json!({"a": "it's $HOME `x`"}), false);
        assert_eq!(
            line,
            r#"curl -X POST 'http://h/it'\''s' -H 'Content-Type: application/json' -d '{"a":"it'\''s $HOME `x`"}'"#
        );
    }
}
