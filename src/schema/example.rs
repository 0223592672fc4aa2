//! An example of a tool's arguments, made from its schema: what it requires, validated before it is shown.
//!
//! Nothing is searched for: where the first choice does not match the whole schema, there is no example.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use crate::schema::validate::{MAX_SCHEMA_BYTES, Validators};
use crate::schema::walk::{self, Budget, steps, target};

/// References followed and levels made for one example.
const MAX_DEPTH: usize = 12;
/// Schemas, names and pieces of text read for one example.
const MAX_STEPS: usize = 50_000;
/// Bytes of an example.
pub(crate) const MAX_BYTES: usize = 64 << 10;
/// Weight of the schemas that are compiled for one response.
const MAX_WEIGHT: usize = 256 << 20;
/// Work on the examples of one response: two seconds or so. It takes a document of many thousand tools to use that up.
const MAX_WORK: usize = 20_000_000;

/// The examples of one response, which share its budget.
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
            weight: MAX_WEIGHT,
            work: MAX_WORK,
        }
    }

    /// Arguments that match `schema`, with what it requires; `None` if they cannot be made up, at all or within the budget.
    pub(crate) fn arguments(&mut self, schema: &str) -> Option<Value> {
        if schema.len() > MAX_SCHEMA_BYTES {
            return None;
        }
        let weight = self.validators.weight_to_add(schema);
        self.weight = self.weight.checked_sub(weight)?;
        let mut root: Value = serde_json::from_str(schema).ok()?;
        if let Value::Object(keywords) = &mut root {
            // Arguments are never anything else.
            keywords.entry("type").or_insert_with(|| json!("object"));
        }
        let steps = MAX_STEPS.min(self.work);
        let maker = Maker {
            root: &root,
            steps: Budget::new(steps),
            bytes: Budget::new(MAX_BYTES),
        };
        let made = maker.instance(&root, MAX_DEPTH);
        self.work -= steps - maker.steps.left();
        let made = made.filter(Value::is_object)?;
        let is_valid = self.validators.is_valid(schema, &made, &mut self.work);
        (is_valid && made.to_string().len() <= MAX_BYTES).then_some(made)
    }
}

struct Maker<'a> {
    root: &'a Value,
    steps: Budget,
    /// Bytes of the example.
    bytes: Budget,
}

impl Maker<'_> {
    /// A value that the schema itself gives.
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
        self.steps.spend(1)?;
        self.bytes.spend(1)?;
        let Value::Object(keywords) = schema else {
            return (schema != &json!(false)).then(|| json!({}));
        };
        let mut given = ["const", "default", "example"].into_iter();
        if let Some(value) = given.find_map(|name| keywords.get(name)) {
            return self.copied(value);
        }
        for name in ["examples", "enum"] {
            if let Some(value) = keywords.get(name).and_then(|values| values.get(0)) {
                return self.copied(value);
            }
        }
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            self.steps.spend(steps(reference))?;
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
        self.steps.spend(properties.len() + required.len())?;
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
    fn what_would_not_match_is_not_offered() {
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
}
