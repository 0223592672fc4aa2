//! Arguments from a query: each text as the value that the tool's schema has a place for.
//!
//! For tools that change nothing. A parameter of one name that is given several times is a list.

use std::cell::Cell;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::error::{Error, Misfit};

/// References followed one after the other.
const DEPTH: usize = 16;
/// Schemas looked at for all parameters together.
const EFFORT: usize = 10_000;

/// The arguments object that `parameters` come to.
pub(super) fn arguments(
    schema: Option<&RawValue>,
    parameters: &[(&str, Vec<&str>)],
) -> Result<Box<RawValue>, Error> {
    let root: Value = schema
        .and_then(|schema| serde_json::from_str(schema.get()).ok())
        .unwrap_or_default();
    let schemas = Schemas {
        root: &root,
        effort: Cell::new(EFFORT),
    };
    let mut written = Vec::new();
    let mut misfits = Vec::new();
    for (name, values) in parameters {
        let Some(schema) = schemas.property(name) else {
            return Err(Error::invalid(format!(
                "The tool has no argument '{name}'; its schema names those it has"
            )));
        };
        let quoted = serde_json::to_string(name).unwrap_or_default();
        match schemas.json(schema, values) {
            Some(json) => written.push(format!("{quoted}:{json}")),
            None => misfits.push(Misfit {
                pointer: format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                keyword: "type".to_owned(),
                message: "the text is none of the types that the schema allows here".to_owned(),
            }),
        }
    }
    if !misfits.is_empty() {
        return Err(Error::InvalidArguments(misfits));
    }
    RawValue::from_string(format!("{{{}}}", written.join(","))).map_err(|error| {
        log::error!("arguments from a query are no JSON: {error}");
        Error::Internal
    })
}

struct Schemas<'a> {
    root: &'a Value,
    /// What is left of it.
    effort: Cell<usize>,
}

/// The types that a schema allows; none named means any.
#[derive(Debug, Default, Clone)]
struct Types {
    names: Vec<String>,
    /// Values it lists.
    listed: Vec<Value>,
}

impl<'a> Schemas<'a> {
    /// The schema of an argument, if the tool has one of that name.
    fn property(&self, name: &str) -> Option<&'a Value> {
        let mut found = None;
        self.each(self.root, DEPTH, &mut |keywords| {
            let named = keywords.get("properties").and_then(|all| all.get(name));
            let others = keywords.get("additionalProperties");
            let others = others.filter(|others| **others != Value::Bool(false));
            found = found.or(named);
            if found.is_none() {
                found = others;
            }
        });
        found
    }

    /// The same as JSON, if there is a place for it.
    fn json(&self, schema: &'a Value, values: &[&str]) -> Option<String> {
        let types = self.types(schema);
        if let [single] = values
            && let Some(json) = types.json(single)
        {
            return Some(json);
        }
        if !types.allow("array") {
            return None;
        }
        let mut item = None;
        self.each(schema, DEPTH, &mut |keywords| {
            item = item.or(keywords.get("items"));
        });
        let items = values.iter().map(|value| match item {
            Some(item) => self.types(item).json(value),
            None => Types::default().json(value),
        });
        let items: Option<Vec<String>> = items.collect();
        Some(format!("[{}]", items?.join(",")))
    }

    fn types(&self, schema: &'a Value) -> Types {
        let mut types = Types::default();
        self.each(schema, DEPTH, &mut |keywords| types.learn(keywords));
        types
    }

    /// Looks at a schema and at all that apply to the same value, references followed.
    fn each(&self, schema: &'a Value, depth: usize, look: &mut impl FnMut(&'a Map<String, Value>)) {
        let (Some(depth), Value::Object(keywords)) = (depth.checked_sub(1), schema) else {
            return;
        };
        let Some(left) = self.effort.get().checked_sub(1) else {
            return;
        };
        self.effort.set(left);
        look(keywords);
        let reference = keywords.get("$ref").and_then(Value::as_str);
        let pointer = reference.and_then(|reference| reference.strip_prefix('#'));
        if let Some(to) = pointer.and_then(|pointer| self.root.pointer(pointer)) {
            self.each(to, depth, look);
        }
        for name in ["allOf", "anyOf", "oneOf"] {
            for part in keywords
                .get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.each(part, depth, look);
            }
        }
    }
}

impl Types {
    fn learn(&mut self, keywords: &Map<String, Value>) {
        match keywords.get("type") {
            Some(Value::String(name)) => self.names.push(name.clone()),
            Some(Value::Array(names)) => {
                self.names
                    .extend(names.iter().filter_map(|it| it.as_str().map(Into::into)));
            }
            _ => {}
        }
        let listed = keywords.get("enum").and_then(Value::as_array);
        let values = listed.into_iter().flatten().chain(keywords.get("const"));
        self.listed.extend(values.cloned());
    }

    fn allow(&self, name: &str) -> bool {
        self.names.iter().any(|it| it == name)
    }

    /// A text as JSON of the first of these types that it can be; as a text if nothing is said.
    fn json(&self, text: &str) -> Option<String> {
        // Among values that are listed, the text itself comes before what it could be read as.
        let as_text = self.listed.iter().any(|value| value.as_str() == Some(text));
        let read: Option<Value> = serde_json::from_str(text).ok();
        if !as_text && read.is_some_and(|read| self.listed.contains(&read)) {
            return Some(text.to_owned());
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

    fn made(parameters: &[(&str, Vec<&str>)]) -> Result<String, Error> {
        let schema: &RawValue = serde_json::from_str(SCHEMA).unwrap();
        arguments(Some(schema), parameters).map(|raw| raw.get().to_owned())
    }

    #[test]
    fn texts_become_what_the_schema_has_a_place_for() {
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
    fn a_schema_that_branches_without_end_is_left() {
        let branches = vec![serde_json::json!({"$ref": "#"}); 100];
        let schema = serde_json::json!({"allOf": branches}).to_string();
        let schema: &RawValue = serde_json::from_str(&schema).unwrap();
        assert!(arguments(Some(schema), &[("a", vec!["1"])]).is_err());
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for (name, values) in [
            ("count", vec!["1.5"]),
            ("count", vec!["one"]),
            ("flag", vec!["yes"]),
            ("text", vec!["a", "b"]),
            ("list", vec!["1", "x"]),
            ("place", vec!["{"]),
        ] {
            let made = made(&[(name, values)]);
            assert!(matches!(made, Err(Error::InvalidArguments(_))), "{name}");
        }
        let unknown = made(&[("other", vec!["1"])]);
        assert!(matches!(unknown, Err(Error::InvalidRequest(_))));
    }
}
