//! Arguments held against a tool's own schema before anything is sent: where that is configured, and for what this service
//! makes up itself.
//!
//! A schema that cannot be used (broken, of an unknown dialect, with references that lead out of it, for nothing is fetched, or making
//! more work than there is time for) lets everything pass, and so do arguments that cannot be held in memory as they are written
//! (`1e400`): the server decides.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{Error, Misfit, Task};
use super::schema_cost;
use crate::mcp::client::Client;
use crate::servers::sha256;

/// Mistakes that a caller is told at once.
const MOST_MISFITS: usize = 32;
/// Compiled schemas that are kept.
const MOST_VALIDATORS: usize = 1000;

/// Schemas applied in one check: a tenth of a second or so.
const MOST_WORK: u64 = 1_000_000;
/// The same where mistakes are collected, which takes memory for each.
const MOST_WORK_ON_MISTAKES: u64 = 20_000;

/// Compiled schemas by the SHA-256 of their text; `None` for those that cannot be used.
#[derive(Default)]
pub struct Validators(RefCell<HashMap<[u8; 32], Option<Rc<Compiled>>>>);

/// A schema that can be put to work.
struct Compiled {
    schema: Value,
    validator: Validator,
}

impl Validators {
    /// What does not fit. Nothing if that cannot be said.
    fn misfits(&self, schema: &RawValue, arguments: &RawValue) -> Vec<Misfit> {
        let Some(compiled) = self.compiled(schema) else {
            return Vec::new();
        };
        match serde_json::from_str::<Value>(arguments.get()) {
            Ok(arguments) => compiled.misfits(&arguments),
            Err(_) => Vec::new(),
        }
    }

    fn compiled(&self, schema: &RawValue) -> Option<Rc<Compiled>> {
        let key = sha256(schema.get().as_bytes());
        let mut kept = self.0.borrow_mut();
        if let Some(known) = kept.get(&key) {
            return known.clone();
        }
        if kept.len() >= MOST_VALIDATORS {
            kept.clear();
        }
        let compiled = Compiled::of(schema).map(Rc::new);
        kept.insert(key, compiled.clone());
        compiled
    }
}

/// Refuses arguments that do not fit the schema which the server's own list has for the tool. The list is asked for if it is not
/// known.
pub(super) async fn check(
    validators: &Validators,
    client: &mut Client<'_>,
    tool: &str,
    arguments: &RawValue,
) -> Result<(), Error> {
    let tools = client.tools().await;
    let tools = tools.map_err(|failure| Error::upstream(Task::CallTool, failure))?;
    let Some(schema) = tools.get(tool).and_then(|tool| tool.input_schema()) else {
        return Ok(());
    };
    let misfits = validators.misfits(schema, arguments);
    if misfits.is_empty() {
        return Ok(());
    }
    Err(Error::InvalidArguments(misfits))
}

/// Whether a value fits a schema. `false` if that cannot be said.
pub(super) fn fits(schema: &RawValue, value: &Value) -> bool {
    Compiled::of(schema).is_some_and(|compiled| {
        compiled.work(value) <= MOST_WORK && compiled.validator.is_valid(value)
    })
}

impl Compiled {
    /// The schema in its own dialect, 2020-12 if it names none.
    fn of(schema: &RawValue) -> Option<Self> {
        let schema: Value = serde_json::from_str(schema.get()).ok()?;
        if !schema_cost::is_shallow(&schema) {
            return None;
        }
        let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
        let options = match schema.get("$schema") {
            Some(_) => options,
            None => options.with_draft(Draft::Draft202012),
        };
        match options.build(&schema) {
            Ok(validator) => Some(Self { schema, validator }),
            Err(error) => {
                let keyword = error.kind().keyword();
                log::debug!("a schema cannot be used for checks: {keyword}");
                None
            }
        }
    }

    /// How many schemas a check of this value may apply.
    fn work(&self, value: &Value) -> u64 {
        let (depth, count) = schema_cost::extent(value);
        schema_cost::applications(&self.schema, depth).saturating_mul(count)
    }

    /// What does not fit; nothing if it takes too long to find out.
    fn misfits(&self, arguments: &Value) -> Vec<Misfit> {
        let work = self.work(arguments);
        if work > MOST_WORK || self.validator.is_valid(arguments) {
            return Vec::new();
        }
        if work > MOST_WORK_ON_MISTAKES {
            return vec![Misfit {
                pointer: String::new(),
                keyword: "inputSchema".to_owned(),
                message: "the arguments do not fit; the schema has too many branches to say where"
                    .to_owned(),
            }];
        }
        let errors = self.validator.iter_errors(arguments).take(MOST_MISFITS);
        let misfits = errors.map(|error| Misfit {
            pointer: error.instance_path().as_str().to_owned(),
            keyword: error.kind().keyword().to_owned(),
            message: error.masked().to_string(),
        });
        misfits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(schema: &str, arguments: &str) -> Vec<(String, String)> {
        let raw = |text| serde_json::from_str::<&RawValue>(text).unwrap();
        let misfits = Validators::default().misfits(raw(schema), raw(arguments));
        let told = misfits.into_iter().map(|it| (it.pointer, it.keyword));
        told.collect()
    }

    #[test]
    fn what_does_not_fit_is_named_by_place_and_keyword() {
        let schema = r#"{"type":"object","properties":{"a":{"type":"integer"},"b/c":{"enum":[1]}},"required":["x"]}"#;
        let mut told = found(schema, r#"{"a":"secret","b/c":2}"#);
        told.sort();
        let expected = [("", "required"), ("/a", "type"), ("/b~1c", "enum")];
        assert_eq!(
            told,
            expected.map(|(at, keyword)| (at.to_owned(), keyword.to_owned()))
        );
    }

    #[test]
    fn values_are_not_repeated() {
        let raw = |text| serde_json::from_str::<&RawValue>(text).unwrap();
        let schema = raw(r#"{"properties":{"a":{"type":"integer"},"b":{"pattern":"^x$"}}}"#);
        let misfits =
            Validators::default().misfits(schema, raw(r#"{"a":"hunter2","b":"hunter2"}"#));
        assert_eq!(misfits.len(), 2);
        assert!(misfits.iter().all(|it| !it.message.contains("hunter2")));
    }

    #[test]
    fn the_dialect_of_the_schema_counts() {
        let draft7 = r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{"type":"string"}]}}}"#;
        assert_eq!(found(draft7, r#"{"a":[1]}"#).len(), 1);
        let newest = r#"{"properties":{"a":{"prefixItems":[{"type":"string"}]}}}"#;
        assert_eq!(found(newest, r#"{"a":[1]}"#).len(), 1);
    }

    #[test]
    fn what_cannot_be_checked_passes() {
        for (schema, arguments) in [
            (r#"{"type":"nonsense"}"#, "{}"),
            (r#"{"$ref":"https://example.com/other"}"#, "{}"),
            (r##"{"$ref":"#/$defs/missing"}"##, "{}"),
            (
                r#"{"$schema":"https://example.com/dialect","type":"string"}"#,
                "{}",
            ),
            (r#"{"pattern":"(?<=a)b","type":"string"}"#, "{}"),
            (
                r#"{"properties":{"a":{"type":"string"}}}"#,
                r#"{"a":1e400}"#,
            ),
        ] {
            assert_eq!(found(schema, arguments), [], "{schema}");
        }
    }

    #[test]
    fn schemas_that_make_too_much_work_are_not_put_to_it() {
        let mut definitions = serde_json::Map::new();
        for number in 0..5000 {
            let next = serde_json::json!({"$ref": format!("#/$defs/A{}", number + 1)});
            definitions.insert(
                format!("A{number}"),
                serde_json::json!({"allOf": [next, next]}),
            );
        }
        let long = serde_json::json!({"$ref": "#/$defs/A0", "$defs": definitions}).to_string();
        assert_eq!(found(&long, "{}"), []);
        let short = serde_json::json!({"$ref": "#/$defs/A4970", "$defs": definitions}).to_string();
        assert_eq!(found(&short, "{}"), []);
        let branches = vec![serde_json::json!({"properties": {"a": {"$ref": "#"}}}); 9];
        let branching = serde_json::json!({"oneOf": branches}).to_string();
        let nested = format!("{}{{}}{}", r#"{"a":"#.repeat(60), "}".repeat(60));
        assert_eq!(found(&branching, &nested), []);
    }

    #[test]
    fn many_mistakes_are_told_in_part() {
        let arguments: String = format!("[{}]", vec!["1"; 100].join(","));
        assert_eq!(
            found(r#"{"items":{"type":"string"}}"#, &arguments).len(),
            MOST_MISFITS
        );
    }
}
