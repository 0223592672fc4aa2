//! Arguments validated against a tool's own schema before anything is sent, and the cache of compiled schemas.
//!
//! A schema that cannot be used lets everything pass: one that is broken, over 256 KiB, of an unknown dialect, with references that lead
//! out of it (nothing is fetched), or that `cost` refuses. Arguments that cannot be validated against a schema that can be used do not
//! pass: numbers that no `f64` holds (`1e400`), halves of surrogate pairs, and what would take too much work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::schema::cost::{self, Examined};
use crate::schema::engine::Engine;
use crate::schema::{walk, work};

/// Bytes of a schema that is used, be it for validation, examples or queries.
pub(crate) const MAX_SCHEMA_BYTES: usize = 256 << 10;
/// Bytes that all compiled schemas weigh together, over all workers.
pub(crate) const MAX_CACHE_WEIGHT: usize = 64 << 20;
/// What a schema that cannot be used weighs: its digest, and its entry in the cache.
const ENTRY_WEIGHT: usize = 128;

/// Errors that are reported together.
const MAX_ERRORS: usize = 32;
/// Characters of an error's message.
const MAX_MESSAGE: usize = 512;
/// Values in arguments that are validated: as a tree, each takes some 100 bytes.
const MAX_VALUES: usize = 250_000;
/// Work of one validation: half a second or so.
const MAX_WORK: usize = 5_000_000;
/// The same where errors are collected, which takes memory for each.
const MAX_WORK_ON_ERRORS: usize = 20_000;
/// Bytes of the longest pointer into arguments whose errors are collected, for each error holds one.
const MAX_POINTER: usize = 1 << 10;
/// Bytes of arguments that are validated on the worker itself.
const QUICK_BYTES: usize = 16 << 10;
/// Work that is done there: a tenth of a millisecond or so.
const QUICK_WORK: usize = 2_000;

/// One way in which arguments do not match a schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ArgumentError)]
pub(crate) struct ValidationError {
    /// Where in the arguments: a JSON pointer.
    pub(crate) pointer: String,
    /// The keyword of the schema that does not hold there.
    pub(crate) keyword: String,
    /// The same for people. Values are not repeated.
    pub(crate) message: String,
}

impl ValidationError {
    /// Whether the arguments could not be validated, so that nothing is known of them.
    pub(crate) fn is_unknown(&self) -> bool {
        self.keyword == NOT_VALIDATED && self.message != TOO_LARGE
    }
}

/// The cache of compiled schemas. Shared by all workers.
#[derive(Default)]
pub(crate) struct Validators {
    cache: Mutex<Cache>,
}

/// Compiled schemas by the SHA-256 of their text; `None` for those that cannot be used.
#[derive(Default)]
struct Cache {
    compiled: HashMap<[u8; 32], Option<Arc<Compiled>>>,
    weight: usize,
}

/// A schema that values can be validated against.
struct Compiled {
    schema: Value,
    examined: Examined,
    engine: Engine,
}

impl Validators {
    /// The errors in arguments. None if the schema cannot be used.
    pub(crate) fn validate(&self, schema: &str, arguments: &str) -> Vec<ValidationError> {
        let compiled = self.compiled(schema);
        compiled.map_or_else(Vec::new, |compiled| compiled.validate(arguments))
    }

    /// The same, if that is quick: the schema is cached, and there is little work.
    pub(crate) fn validate_if_quick(
        &self,
        schema: &str,
        arguments: &str,
    ) -> Option<Vec<ValidationError>> {
        if schema.len() > MAX_SCHEMA_BYTES {
            return Some(Vec::new());
        }
        let cached = self.lock().compiled.get(&key(schema)).cloned()?;
        let Some(compiled) = cached else {
            return Some(Vec::new());
        };
        if arguments.len() > QUICK_BYTES {
            return None;
        }
        match serde_json::from_str(arguments) {
            Ok(arguments) => compiled.errors(&arguments, QUICK_WORK),
            Err(_) => Some(not_validated(UNREADABLE)),
        }
    }

    /// Whether a value matches a schema. `false` if that cannot be said with the work that is left, from which it is taken.
    pub(crate) fn is_valid(&self, schema: &str, value: &Value, left: &mut usize) -> bool {
        self.compiled(schema).is_some_and(|compiled| {
            let most = MAX_WORK.min(*left);
            let work = compiled.work(value, most);
            *left -= work.unwrap_or(most);
            work.is_some() && compiled.engine.is_valid(value)
        })
    }

    /// Bytes that compiling this schema is expected to add to the cache; 0 if it is there.
    pub(crate) fn weight_to_add(&self, schema: &str) -> usize {
        if schema.len() > MAX_SCHEMA_BYTES || self.lock().compiled.contains_key(&key(schema)) {
            return 0;
        }
        let schema = serde_json::from_str(schema).ok();
        let examined = schema.and_then(|schema| cost::examine(&schema));
        examined.map_or(0, |examined| examined.weight)
    }

    /// Bytes that all compiled schemas are taken to weigh.
    pub(crate) fn weight(&self) -> usize {
        self.lock().weight
    }

    fn compiled(&self, schema: &str) -> Option<Arc<Compiled>> {
        if schema.len() > MAX_SCHEMA_BYTES {
            return None;
        }
        let key = key(schema);
        if let Some(cached) = self.lock().compiled.get(&key) {
            return cached.clone();
        }
        let compiled = Compiled::of(schema).map(Arc::new);
        self.lock().insert(key, compiled.clone());
        compiled
    }

    fn lock(&self) -> MutexGuard<'_, Cache> {
        // A panic elsewhere leaves at worst a weight that is too high here.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(schema: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, schema.as_bytes()).as_ref());
    key
}

impl Cache {
    /// Adds a schema, and removes others where there is no room.
    fn insert(&mut self, key: [u8; 32], compiled: Option<Arc<Compiled>>) {
        let weight = weight(compiled.as_ref());
        while self.weight + weight > MAX_CACHE_WEIGHT {
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
        if let Some(removed) = self.compiled.remove(key) {
            self.weight = self.weight.saturating_sub(weight(removed.as_ref()));
        }
    }
}

fn weight(compiled: Option<&Arc<Compiled>>) -> usize {
    compiled.map_or(0, |compiled| compiled.examined.weight) + ENTRY_WEIGHT
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
        Some(Self {
            engine: Engine::of(&schema)?,
            schema,
            examined,
        })
    }

    /// The work of validating this value; `None` if it is more than `most`.
    fn work(&self, value: &Value, most: usize) -> Option<usize> {
        work::work(&self.schema, &self.examined, value, most)
    }

    /// The errors in arguments, or why they cannot be validated.
    fn validate(&self, arguments: &str) -> Vec<ValidationError> {
        let opened = |byte: &u8| matches!(byte, b',' | b'{' | b'[');
        if arguments.bytes().filter(|byte| opened(byte)).count() > MAX_VALUES {
            return not_validated(TOO_MANY);
        }
        let Ok(arguments) = serde_json::from_str(arguments) else {
            return not_validated(UNREADABLE);
        };
        let errors = self.errors(&arguments, MAX_WORK);
        errors.unwrap_or_else(|| not_validated(TOO_MUCH))
    }

    /// The errors in arguments; `None` if it takes more work than that to find them.
    fn errors(&self, arguments: &Value, most: usize) -> Option<Vec<ValidationError>> {
        let work = self.work(arguments, most)?;
        if self.engine.is_valid(arguments) {
            return Some(Vec::new());
        }
        if work > MAX_WORK_ON_ERRORS || longest_pointer(arguments) > MAX_POINTER {
            return Some(not_validated(TOO_LARGE));
        }
        let errors = self.engine.errors(arguments).take(MAX_ERRORS);
        let errors = errors.map(|found| ValidationError {
            pointer: found.pointer,
            keyword: found.keyword,
            message: shortened(found.message),
        });
        Some(errors.collect())
    }
}

/// What stands for a keyword where none can be named.
const NOT_VALIDATED: &str = "inputSchema";
const UNREADABLE: &str = "the arguments hold a number or a string that cannot be validated (such as 1e400, or half of a surrogate pair), \
                          or are nested too deep";
const TOO_MANY: &str = "the arguments hold too many values to be validated";
const TOO_MUCH: &str = "validating the arguments would take too much work";
const TOO_LARGE: &str = "the arguments do not match the schema; both are too large to say where";

fn not_validated(message: &str) -> Vec<ValidationError> {
    vec![ValidationError {
        pointer: String::new(),
        keyword: NOT_VALIDATED.to_owned(),
        message: message.to_owned(),
    }]
}

fn shortened(message: String) -> String {
    if message.len() <= MAX_MESSAGE {
        return message;
    }
    let mut short: String = message.chars().take(MAX_MESSAGE).collect();
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
    use serde_json::json;

    use super::*;

    fn found(schema: &str, arguments: &str) -> Vec<(String, String)> {
        let errors = Validators::default().validate(schema, arguments);
        let told = errors.into_iter().map(|it| (it.pointer, it.keyword));
        told.collect()
    }

    #[test]
    fn errors_are_named_by_place_and_keyword() {
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
        let errors = Validators::default().validate(schema, r#"{"a":"hunter2","b":"hunter2"}"#);
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
    fn schemas_that_make_too_much_work_are_not_used() {
        let mut definitions = serde_json::Map::new();
        for number in 0..5000 {
            let next = json!({"$ref": format!("#/$defs/A{}", number + 1)});
            definitions.insert(format!("A{number}"), json!({"allOf": [next, next]}));
        }
        let long = json!({"$ref": "#/$defs/A0", "$defs": definitions}).to_string();
        assert_eq!(found(&long, "{}"), []);
        let short = json!({"$ref": "#/$defs/A4970", "$defs": definitions}).to_string();
        assert_eq!(found(&short, "{}"), []);
        let branches = vec![json!({"properties": {"a": {"$ref": "#"}}}); 9];
        let branching = json!({"oneOf": branches}).to_string();
        let nested = format!("{}{{}}{}", r#"{"a":"#.repeat(60), "}".repeat(60));
        assert_eq!(
            found(&branching, &nested),
            [(String::new(), "inputSchema".to_owned())]
        );
    }

    #[test]
    fn arguments_that_cannot_be_validated_do_not_pass() {
        let schema = r#"{"properties":{"a":{"type":"string"}}}"#;
        let many = format!(r#"{{"b":[{}0]}}"#, "0,".repeat(1_000_000));
        for arguments in [r#"{"b":1e400}"#, r#"{"b":"\ud800"}"#, &many] {
            let told = found(schema, arguments);
            assert_eq!(told, [(String::new(), "inputSchema".to_owned())]);
        }
    }

    #[test]
    fn what_is_cached_is_weighed() {
        let validators = Validators::default();
        let mut most = 0;
        for number in 0..100 {
            let name = format!("{number}{}", "n".repeat(5_000));
            let below = json!({"properties": {"a": {"type": "string"}}});
            let schema = json!({"properties": {name: {"allOf": vec![below; 100]}}});
            validators.validate(&schema.to_string(), "{}");
            most = most.max(validators.weight());
        }
        assert!(
            most <= MAX_CACHE_WEIGHT && most > MAX_CACHE_WEIGHT / 2,
            "{most}"
        );
    }

    #[test]
    fn of_many_errors_some_are_reported() {
        let arguments: String = format!("[{}]", vec!["1"; 100].join(","));
        assert_eq!(
            found(r#"{"items":{"type":"string"}}"#, &arguments).len(),
            MAX_ERRORS
        );
    }
}
