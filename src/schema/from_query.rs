//! Arguments from the texts of a query: each becomes JSON of the type that the tool's schema gives it.
//!
//! A schema is read here for the types it names, nothing else: whether the arguments match it is `validate`'s question. A parameter that
//! is given several times is a list.

use std::collections::HashSet;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::schema::keywords::{Applies, KEYWORDS};
use crate::schema::validate::{MAX_SCHEMA_BYTES, ValidationError};
use crate::schema::walk::{Budget, identity, steps, target};

/// How deep schemas are followed that apply in place.
const MAX_DEPTH: usize = 16;
/// Schemas and listed values read for all parameters together: some milliseconds.
const MAX_STEPS: usize = 100_000;
/// Bytes of a schema that is read on the worker itself.
const QUICK_BYTES: usize = 4 << 10;

/// Why there are no arguments.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The tool has no argument of that name.
    Unknown(String),
    /// Texts of none of the types that the schema allows.
    Invalid(Vec<ValidationError>),
    /// The schema is longer than one that is used.
    TooLarge,
    /// It takes too much work to find the types.
    TooMuch,
    /// What was written is no JSON: a fault of ours.
    Broken,
}

/// Whether a query is read by this schema before other callers of the worker notice.
pub(crate) fn is_quick(schema: Option<&str>) -> bool {
    schema.is_none_or(|schema| schema.len() <= QUICK_BYTES || schema.len() > MAX_SCHEMA_BYTES)
}

/// The arguments object for these parameters, each a name and its values. A schema that is no JSON has no arguments.
pub(crate) fn arguments(
    schema: Option<&str>,
    parameters: &[(&str, Vec<&str>)],
) -> Result<Box<RawValue>, Refused> {
    if schema.is_some_and(|schema| schema.len() > MAX_SCHEMA_BYTES) {
        return Err(Refused::TooLarge);
    }
    let root: Value = schema
        .and_then(|schema| serde_json::from_str(schema).ok())
        .unwrap_or_default();
    let reader = Reader {
        root: &root,
        budget: Budget::new(MAX_STEPS),
    };
    let in_place = reader.in_place(&root)?;
    let mut written = Vec::new();
    let mut errors = Vec::new();
    for (name, values) in parameters {
        let Some(schema) = reader.property(&in_place, name)? else {
            return Err(Refused::Unknown((*name).to_owned()));
        };
        let quoted = serde_json::to_string(name).unwrap_or_default();
        match reader.json(schema, values)? {
            Some(json) => written.push(format!("{quoted}:{json}")),
            None => errors.push(ValidationError {
                pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                keyword: "type".to_owned(),
                message: "the text has none of the types that the schema allows here".to_owned(),
            }),
        }
    }
    if !errors.is_empty() {
        return Err(Refused::Invalid(errors));
    }
    RawValue::from_string(format!("{{{}}}", written.join(","))).map_err(|error| {
        log::error!("arguments from a query are no JSON: {error}");
        Refused::Broken
    })
}

struct Reader<'a> {
    root: &'a Value,
    budget: Budget,
}

/// The types that a schema allows; none named means any.
#[derive(Debug, Default, Clone)]
struct Types<'a> {
    names: Vec<&'a str>,
    /// Values it lists.
    listed: Vec<&'a Value>,
}

impl<'a> Reader<'a> {
    fn spend(&self, steps: usize) -> Result<(), Refused> {
        self.budget.spend(steps).ok_or(Refused::TooMuch)
    }

    /// The schema of an argument, if one of these has one of that name.
    fn property(
        &self,
        schemas: &[&'a Map<String, Value>],
        name: &str,
    ) -> Result<Option<&'a Value>, Refused> {
        self.spend(schemas.len())?;
        let mut found = None;
        for keywords in schemas {
            let named = keywords.get("properties").and_then(|all| all.get(name));
            let others = keywords.get("additionalProperties");
            let others = others.filter(|others| **others != Value::Bool(false));
            found = found.or(named).or(others);
        }
        Ok(found)
    }

    /// Values as JSON, if the schema allows a type that they have.
    fn json(&self, schema: &'a Value, values: &[&str]) -> Result<Option<String>, Refused> {
        let applied = self.in_place(schema)?;
        let types = self.types(&applied)?;
        if let [single] = values {
            self.spend(types.steps(single))?;
            if let Some(json) = types.json(single) {
                return Ok(Some(json));
            }
        }
        if !types.allow("array") {
            return Ok(None);
        }
        let mut items = applied.iter().filter_map(|keywords| keywords.get("items"));
        let types = match items.next() {
            Some(item) => self.types(&self.in_place(item)?)?,
            None => Types::default(),
        };
        let mut written = Vec::new();
        for value in values {
            self.spend(types.steps(value))?;
            match types.json(value) {
                Some(json) => written.push(json),
                None => return Ok(None),
            }
        }
        Ok(Some(format!("[{}]", written.join(","))))
    }

    fn types(&self, schemas: &[&'a Map<String, Value>]) -> Result<Types<'a>, Refused> {
        let mut types = Types::default();
        for keywords in schemas {
            types.learn(keywords);
        }
        self.spend(types.names.len() + types.listed.len())?;
        Ok(types)
    }

    /// A schema and all that apply to the same value. Each is looked at once, from however many places it is referred to.
    fn in_place(&self, schema: &'a Value) -> Result<Vec<&'a Map<String, Value>>, Refused> {
        let (mut found, mut seen) = (Vec::new(), HashSet::new());
        self.collect(schema, MAX_DEPTH, &mut seen, &mut found)?;
        Ok(found)
    }

    fn collect(
        &self,
        schema: &'a Value,
        depth: usize,
        seen: &mut HashSet<usize>,
        found: &mut Vec<&'a Map<String, Value>>,
    ) -> Result<(), Refused> {
        self.spend(1)?;
        let (Some(depth), Value::Object(keywords)) = (depth.checked_sub(1), schema) else {
            return Ok(());
        };
        if !seen.insert(identity(schema)) {
            return Ok(());
        }
        found.push(keywords);
        let in_place = KEYWORDS.iter().filter(|it| it.applies == Applies::InPlace);
        for keyword in in_place {
            let Some(operand) = keywords.get(keyword.name) else {
                continue;
            };
            if let Some(reference) = operand.as_str().filter(|_| keyword.refers()) {
                self.spend(steps(reference))?;
                if let Some(to) = target(self.root, reference) {
                    self.collect(to, depth, seen, found)?;
                }
            }
            for part in keyword.subschemas(operand) {
                self.collect(part, depth, seen, found)?;
            }
        }
        Ok(())
    }
}

impl<'a> Types<'a> {
    fn learn(&mut self, keywords: &'a Map<String, Value>) {
        match keywords.get("type") {
            Some(Value::String(name)) => self.names.push(name),
            Some(Value::Array(names)) => {
                self.names.extend(names.iter().filter_map(Value::as_str));
            }
            _ => {}
        }
        let listed = keywords.get("enum").and_then(Value::as_array);
        self.listed.extend(listed.into_iter().flatten());
        self.listed.extend(keywords.get("const"));
    }

    /// Steps that it takes to find the type of a text.
    fn steps(&self, text: &str) -> usize {
        let compared = self.listed.len().saturating_mul(steps(text));
        compared.saturating_add(self.names.len() + 1)
    }

    fn allow(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// A text as JSON of the first of these types that it can have; as a string if none is named.
    fn json(&self, text: &str) -> Option<String> {
        // Among values that are listed, the text itself comes before what it could be read as.
        let as_text = self.listed.iter().any(|value| value.as_str() == Some(text));
        if !as_text && !self.listed.is_empty() {
            let read: Option<Value> = serde_json::from_str(text).ok();
            if read.is_some_and(|read| self.listed.contains(&&read)) {
                return Some(text.to_owned());
            }
        }
        if as_text || self.names.is_empty() {
            return serde_json::to_string(text).ok();
        }
        let value = serde_json::from_str::<&RawValue>(text).ok();
        let start = value.and_then(|value| value.get().bytes().next());
        let is = match start {
            Some(b'-' | b'0'..=b'9') if self.allow("number") || self.is_integer(text) => true,
            Some(b't' | b'f') => self.allow("boolean"),
            Some(b'n') => self.allow("null"),
            Some(b'{') => self.allow("object"),
            Some(b'[') => self.allow("array"),
            _ => false,
        };
        if is {
            return Some(text.to_owned());
        }
        self.allow("string")
            .then(|| serde_json::to_string(text).ok())?
    }

    fn is_integer(&self, text: &str) -> bool {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_whole = || {
            let number = text.parse::<f64>();
            number.is_ok_and(|number| number.is_finite() && number.fract() == 0.0)
        };
        self.allow("integer") && (digits.bytes().all(|byte| byte.is_ascii_digit()) || is_whole())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r##"{"type":"object","properties":{
        "text":{"type":"string"},"count":{"type":"integer"},"ratio":{"type":"number"},"flag":{"type":"boolean"},
        "maybe":{"anyOf":[{"type":"integer"},{"type":"null"}]},"either":{"type":["number","string"]},
        "list":{"type":"array","items":{"type":"integer"}},"place":{"$ref":"#/$defs/Place"},
        "level":{"enum":[1,2]},"mixed":{"enum":["1",2]},"any":{}},
        "$defs":{"Place":{"type":"object"}}}"##;

    fn made(parameters: &[(&str, Vec<&str>)]) -> Result<String, Refused> {
        arguments(Some(SCHEMA), parameters).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn texts_become_what_the_schema_allows() {
        for (name, values, json) in [
            ("text", vec!["1"], r#""1""#),
            (
                "count",
                vec!["12345678901234567890123"],
                "12345678901234567890123",
            ),
            ("ratio", vec!["1.10"], "1.10"),
            ("ratio", vec!["1e400"], "1e400"),
            ("flag", vec!["true"], "true"),
            ("maybe", vec!["null"], "null"),
            ("maybe", vec!["7"], "7"),
            ("either", vec!["7"], "7"),
            ("either", vec!["seven"], r#""seven""#),
            ("list", vec!["1", "2"], "[1,2]"),
            ("list", vec!["1"], "[1]"),
            ("list", vec!["[1, 2]"], "[1, 2]"),
            ("place", vec![r#"{"x":1}"#], r#"{"x":1}"#),
            ("level", vec!["2"], "2"),
            ("mixed", vec!["1"], r#""1""#),
            ("mixed", vec!["2"], "2"),
            ("count", vec!["1e2"], "1e2"),
            ("any", vec!["2"], r#""2""#),
        ] {
            let expected = format!("{{\"{name}\":{json}}}");
            assert_eq!(made(&[(name, values)]).unwrap(), expected);
        }
    }

    #[test]
    fn a_schema_that_branches_without_end_is_not_followed() {
        let branches = vec![serde_json::json!({"$ref": "#"}); 100];
        let schema = serde_json::json!({"allOf": branches}).to_string();
        assert!(arguments(Some(&schema), &[("a", vec!["1"])]).is_err());
    }

    #[test]
    fn what_the_schema_does_not_allow_is_refused() {
        for (name, values) in [
            ("count", vec!["1.5"]),
            ("count", vec!["one"]),
            ("flag", vec!["yes"]),
            ("text", vec!["a", "b"]),
            ("list", vec!["1", "x"]),
            ("place", vec!["{"]),
        ] {
            let made = made(&[(name, values)]);
            assert!(matches!(made, Err(Refused::Invalid(_))), "{name}");
        }
        let unknown = made(&[("other", vec!["1"])]);
        assert!(matches!(unknown, Err(Refused::Unknown(_))));
    }
}
