//! Arguments held against a tool's own schema before anything is sent: where that is configured, and for what this service
//! makes up itself.
//!
//! A schema that cannot be used lets everything pass: one that is broken, over 256 KiB, of an unknown dialect, with references that lead
//! out of it (nothing is fetched), or more than `schema_cost` allows. Arguments that cannot be held against a schema that can be used
//! do not pass: numbers that no `f64` holds (`1e400`), halves of surrogate pairs, and what would take too much work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jsonschema::{Draft, PatternOptions, Validator};
use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::schema::cost::Examined;
use crate::schema::{cost, walk, work};

/// Bytes of a schema that is used, be it for checks, examples or queries.
pub(crate) const MOST_SCHEMA_BYTES: usize = 256 << 10;
/// Bytes that all compiled schemas weigh together, over all workers.
pub(crate) const MOST_KEPT: usize = 64 << 20;
/// What a schema that cannot be used weighs: its digest, and a place in the map.
const UNUSABLE: usize = 128;
/// The compiled form of one pattern.
const PATTERN_BYTES: usize = 1 << 20;
/// What the engine may remember of texts, for a pattern and a thread.
const PATTERN_CACHE: usize = 16 << 10;

/// Mistakes that a caller is told at once.
const MOST_ERRORS: usize = 32;
/// Letters of what is told of each.
const MOST_MESSAGE: usize = 512;
/// Values in arguments that are checked: as a tree, each takes some 100 bytes.
const MOST_VALUES: usize = 250_000;
/// Bytes of arguments that are checked on the worker itself.
const MOST_AT_ONCE: usize = 16 << 10;
/// Work that is done there: a tenth of a millisecond or so.
const WORK_AT_ONCE: usize = 2_000;
/// Work of one check: half a second or so.
const MOST_WORK: usize = 5_000_000;
/// The same where mistakes are collected, which takes memory for each.
const MOST_WORK_ON_MISTAKES: usize = 20_000;
/// Bytes of the longest pointer into arguments whose mistakes are collected, for each of them holds one.
const MOST_POINTER: usize = 1 << 10;

/// One way in which arguments do not match a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct ValidationError {
    /// Where in the arguments: a JSON pointer.
    pub(crate) pointer: String,
    /// The keyword of the schema that does not hold there.
    pub(crate) keyword: String,
    /// The same for people. Values are not repeated.
    pub(crate) message: String,
}

/// Compiled schemas. Shared by all workers.
#[derive(Default)]
pub(crate) struct Validators {
    kept: Mutex<Kept>,
}

/// Compiled schemas by the SHA-256 of their text; `None` for those that cannot be used.
#[derive(Default)]
struct Kept {
    compiled: HashMap<[u8; 32], Option<Arc<Compiled>>>,
    weight: usize,
}

/// A schema that can be put to work.
struct Compiled {
    schema: Value,
    examined: Examined,
    validator: Validator,
}

impl Validators {
    /// What does not fit. Nothing if the schema cannot be used.
    pub(crate) fn errors(&self, schema: &str, arguments: &str) -> Vec<ValidationError> {
        let compiled = self.compiled(schema);
        compiled.map_or_else(Vec::new, |compiled| compiled.told(arguments))
    }

    /// The same, if the schema is known and its check is a small matter.
    pub(crate) fn errors_at_once(
        &self,
        schema: &str,
        arguments: &str,
    ) -> Option<Vec<ValidationError>> {
        if schema.len() > MOST_SCHEMA_BYTES {
            return Some(Vec::new());
        }
        let known = self.lock().compiled.get(&key(schema)).cloned()?;
        let Some(compiled) = known else {
            return Some(Vec::new());
        };
        if arguments.len() > MOST_AT_ONCE {
            return None;
        }
        match serde_json::from_str(arguments) {
            Ok(arguments) => compiled.errors(&arguments, WORK_AT_ONCE),
            Err(_) => Some(uncheckable(NOT_HELD)),
        }
    }

    /// Whether a value fits a schema. `false` if that cannot be said with the work that is left, from which it is taken.
    pub(crate) fn fits(&self, schema: &str, value: &Value, left: &mut usize) -> bool {
        self.compiled(schema).is_some_and(|compiled| {
            let most = MOST_WORK.min(*left);
            let work = compiled.work(value, most);
            *left -= work.unwrap_or(most);
            work.is_some() && compiled.validator.is_valid(value)
        })
    }

    /// What compiling this schema is expected to take, in bytes of memory; 0 if that is done.
    pub(crate) fn weight_to_come(&self, schema: &str) -> usize {
        if schema.len() > MOST_SCHEMA_BYTES || self.lock().compiled.contains_key(&key(schema)) {
            return 0;
        }
        let schema = serde_json::from_str(schema).ok();
        let examined = schema.and_then(|schema| cost::examine(&schema));
        examined.map_or(0, |examined| examined.weight)
    }

    fn compiled(&self, schema: &str) -> Option<Arc<Compiled>> {
        if schema.len() > MOST_SCHEMA_BYTES {
            return None;
        }
        let key = key(schema);
        if let Some(known) = self.lock().compiled.get(&key) {
            return known.clone();
        }
        let compiled = Compiled::of(schema).map(Arc::new);
        self.lock().put(key, compiled.clone());
        compiled
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // A panic elsewhere leaves at worst a weight that is too high here.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that all compiled schemas are taken to weigh.
    pub(crate) fn weight(&self) -> usize {
        self.lock().weight
    }
}

fn key(schema: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, schema.as_bytes()).as_ref());
    key
}

impl Kept {
    /// Keeps a schema, and forgets others where there is no room.
    fn put(&mut self, key: [u8; 32], compiled: Option<Arc<Compiled>>) {
        let weight = weight(compiled.as_ref());
        while self.weight + weight > MOST_KEPT {
            let Some(victim) = self.compiled.keys().next().copied() else {
                break;
            };
            self.remove(&victim);
        }
        self.remove(&key);
        self.weight += weight;
        self.compiled.insert(key, compiled);
    }

    fn remove(&mut self, key: &[u8; 32]) {
        if let Some(gone) = self.compiled.remove(key) {
            self.weight = self.weight.saturating_sub(weight(gone.as_ref()));
        }
    }
}

fn weight(compiled: Option<&Arc<Compiled>>) -> usize {
    compiled.map_or(0, |compiled| compiled.examined.weight) + UNUSABLE
}

impl Compiled {
    /// The schema in its own dialect, 2020-12 if it names none.
    fn of(schema: &str) -> Option<Self> {
        let mut schema: Value = serde_json::from_str(schema).ok()?;
        let examined = cost::examine(&schema)?;
        if !examined.too_large.is_empty() {
            cost::without(&mut schema, &examined.too_large);
        }
        if let Value::Object(keywords) = &mut schema {
            // Nothing refers to it, and every keyword would be given a name that begins with it.
            keywords.shift_remove("$id");
        }
        let patterns = PatternOptions::regex()
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_CACHE);
        let options = jsonschema::options().with_pattern_options(patterns);
        let options = match schema.get("$schema") {
            Some(_) => options,
            None => options.with_draft(Draft::Draft202012),
        };
        match options.build(&schema) {
            Ok(validator) => Some(Self {
                schema,
                examined,
                validator,
            }),
            Err(error) => {
                let keyword = error.kind().keyword();
                log::debug!("a schema cannot be used for checks: {keyword}");
                None
            }
        }
    }

    /// What a check of this value costs; `None` if it is more than `most`.
    fn work(&self, value: &Value, most: usize) -> Option<usize> {
        work::work(&self.schema, &self.examined, value, most)
    }

    /// What does not fit, or why that cannot be said.
    fn told(&self, arguments: &str) -> Vec<ValidationError> {
        let opened = |byte: &u8| matches!(byte, b',' | b'{' | b'[');
        if arguments.bytes().filter(|byte| opened(byte)).count() > MOST_VALUES {
            return uncheckable(TOO_MANY);
        }
        let Ok(arguments) = serde_json::from_str(arguments) else {
            return uncheckable(NOT_HELD);
        };
        let errors = self.errors(&arguments, MOST_WORK);
        errors.unwrap_or_else(|| uncheckable(TOO_MUCH))
    }

    /// What does not fit; `None` if it takes more work than that to find out.
    fn errors(&self, arguments: &Value, most: usize) -> Option<Vec<ValidationError>> {
        let work = self.work(arguments, most)?;
        if self.validator.is_valid(arguments) {
            return Some(Vec::new());
        }
        if work > MOST_WORK_ON_MISTAKES || longest_pointer(arguments) > MOST_POINTER {
            return Some(uncheckable(TOO_LARGE));
        }
        let errors = self.validator.iter_errors(arguments).take(MOST_ERRORS);
        let errors = errors.map(|error| ValidationError {
            pointer: error.instance_path().as_str().to_owned(),
            keyword: error.kind().keyword().to_owned(),
            message: shortened(error.masked().to_string()),
        });
        Some(errors.collect())
    }
}

const NOT_HELD: &str = "a number or a text in the arguments cannot be held against the schema (such as 1e400, or half of a surrogate \
                        pair), or they are nested too deep";
const TOO_MANY: &str = "the arguments hold too many values to be held against the schema";
const TOO_MUCH: &str = "to hold the arguments against the schema would take too much work";
const TOO_LARGE: &str = "the arguments do not fit; they and the schema are too large to say where";

fn uncheckable(message: &str) -> Vec<ValidationError> {
    vec![ValidationError {
        pointer: String::new(),
        keyword: "inputSchema".to_owned(),
        message: message.to_owned(),
    }]
}

fn shortened(message: String) -> String {
    if message.len() <= MOST_MESSAGE {
        return message;
    }
    let mut short: String = message.chars().take(MOST_MESSAGE).collect();
    short.push('…');
    short
}

/// Bytes of the longest JSON pointer into a value.
fn longest_pointer(value: &Value) -> usize {
    let mut longest = 0;
    walk::values(value, 0, |_, _, pointer| {
        longest = longest.max(pointer);
        Some(())
    });
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(schema: &str, arguments: &str) -> Vec<(String, String)> {
        let errors = Validators::default().errors(schema, arguments);
        let told = errors.into_iter().map(|it| (it.pointer, it.keyword));
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
        let schema = r#"{"properties":{"a":{"type":"integer"},"b":{"pattern":"^x$"}}}"#;
        let errors = Validators::default().errors(schema, r#"{"a":"hunter2","b":"hunter2"}"#);
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().all(|it| !it.message.contains("hunter2")));
    }

    #[test]
    fn the_dialect_of_the_schema_counts() {
        let draft7 = r#"{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{"type":"string"}]}}}"#;
        assert_eq!(found(draft7, r#"{"a":[1]}"#).len(), 1);
        let newest = r#"{"properties":{"a":{"prefixItems":[{"type":"string"}]}}}"#;
        assert_eq!(found(newest, r#"{"a":[1]}"#).len(), 1);
    }

    #[test]
    fn schemas_that_cannot_be_used_let_everything_pass() {
        for (schema, arguments) in [
            (r#"{"type":"nonsense"}"#, "{}"),
            (r#"{"$ref":"https://example.com/other"}"#, "{}"),
            (r##"{"$ref":"#/$defs/missing"}"##, "{}"),
            (
                r#"{"$schema":"https://example.com/dialect","type":"string"}"#,
                "{}",
            ),
            (r#"{"pattern":"(?<=a)b","type":"string"}"#, "{}"),
            (r#"{"pattern":"((a{100}){100}){100}"}"#, r#""x""#),
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
        assert_eq!(
            found(&branching, &nested),
            [(String::new(), "inputSchema".to_owned())]
        );
    }

    #[test]
    fn arguments_that_cannot_be_checked_do_not_pass() {
        let schema = r#"{"properties":{"a":{"type":"string"}}}"#;
        let many = format!(r#"{{"b":[{}0]}}"#, "0,".repeat(1_000_000));
        for arguments in [r#"{"b":1e400}"#, r#"{"b":"\ud800"}"#, &many] {
            let told = found(schema, arguments);
            assert_eq!(told, [(String::new(), "inputSchema".to_owned())]);
        }
    }

    #[test]
    fn what_is_kept_is_weighed() {
        let validators = Validators::default();
        let schema = |number: usize| {
            let name = format!("{number}{}", "n".repeat(5_000));
            let below = serde_json::json!({"properties": {"a": {"type": "string"}}});
            serde_json::json!({"properties": {name: vec![below; 100]}}).to_string()
        };
        let mut most = 0;
        for number in 0..100 {
            let schema = serde_json::from_str::<Value>(&schema(number)).unwrap();
            let name = schema["properties"]
                .as_object()
                .unwrap()
                .keys()
                .next()
                .unwrap();
            let all = schema["properties"][name].clone();
            let schema = serde_json::json!({"properties": {name: {"allOf": all}}}).to_string();
            validators.errors(&schema, "{}");
            most = most.max(validators.weight());
        }
        assert!(most <= MOST_KEPT && most > MOST_KEPT / 2, "{most}");
    }

    #[test]
    fn many_mistakes_are_told_in_part() {
        let arguments: String = format!("[{}]", vec!["1"; 100].join(","));
        assert_eq!(
            found(r#"{"items":{"type":"string"}}"#, &arguments).len(),
            MOST_ERRORS
        );
    }
}
