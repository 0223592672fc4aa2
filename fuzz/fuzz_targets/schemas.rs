//! Any schema, used on any arguments: no panic, no stack overflow, and no budget exceeded, in bytes as the allocator counts them.
//!
//! An input that begins with `{` holds a schema, arguments and a query, a line each. From any other, bytes are taken one by one to
//! grow a schema and arguments: random text is hardly ever a schema.

#![no_main]

use std::alloc::{GlobalAlloc, Layout, System};
use std::slice::Iter;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use libfuzzer_sys::fuzz_target;
use mcp_rest::api::fuzz::{MAX_EXAMPLE, MAX_WEIGHT, Schemas, from_query};
use serde_json::{Map, Value, json};

/// Bytes that one input may take at the same time: a schema of 8 MiB, and what it takes to compile it.
const MAX_BYTES: usize = 48 << 20;
/// Bytes of validation errors: 32 of them.
const MAX_ERROR_BYTES: usize = 32 * (2048 + 1024);

/// Bytes in use, and the most there ever were.
struct Counting;
static USED: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let used = USED.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(used, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fuzz_target!(|input: &[u8]| {
    static WARM: Once = Once::new();
    // Dialects are compiled once in a process.
    WARM.call_once(|| {
        for dialect in DIALECTS {
            let schema = json!({"$schema": dialect, "pattern": "a+b"});
            Schemas::default().validate(&schema.to_string(), "1");
        }
    });
    if input.first() == Some(&b'{') {
        let text = String::from_utf8_lossy(input);
        let mut lines = text.splitn(3, '\n');
        let mut line = || lines.next().unwrap_or_default();
        work(line(), line(), line());
    } else {
        let mut bytes = input.iter();
        let schema = grow(&mut bytes, 0).to_string();
        let arguments = value(&mut bytes, 0).to_string();
        work(&schema, &arguments, "a=1&b=x&b=7");
    }
});

fn work(schema: &str, arguments: &str, query: &str) {
    let before = USED.load(Relaxed);
    PEAK.store(before, Relaxed);
    let schemas = Schemas::default();
    let (errors, quick) = schemas.validate(schema, arguments);
    let used = USED.load(Relaxed) - before;
    let weight = schemas.weight();
    assert!(
        used <= weight + 16_384,
        "{used} bytes, weighed as {weight}: {schema}"
    );
    assert!(
        errors <= MAX_ERROR_BYTES,
        "{errors} bytes of errors: {schema}"
    );
    assert!(
        quick.is_none_or(|quick| quick == errors),
        "{schema}\n{arguments}"
    );
    if let Some(example) = schemas.example(schema) {
        assert!(example.len() <= MAX_EXAMPLE);
        assert_eq!(
            schemas.validate(schema, &example).0,
            0,
            "{schema}\n{example}"
        );
    }
    let mut parameters: Vec<(&str, Vec<&str>)> = Vec::new();
    for pair in query.split('&').take(100) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.push((name, vec![value, name]));
        parameters.push((name, vec![value]));
    }
    if let Some(arguments) = from_query(schema, &parameters) {
        assert!(arguments.len() <= 16 * query.len() + 1024);
    }
    assert!(schemas.weight() <= MAX_WEIGHT);
    let peak = PEAK.load(Relaxed) - before;
    assert!(peak <= MAX_BYTES, "{peak} bytes: {schema}");
}

const PATTERNS: [&str; 8] = [
    "^a+$",
    "(a|b){1,60}c",
    r"\p{L}",
    r"[^\s]{20}",
    "a{9}{9}{9}",
    "(",
    r"(?i)\w\b",
    "^(a|bc)$",
];
const REFERENCES: [&str; 6] = [
    "#",
    "#/$defs/a",
    "#/properties/a",
    "#/allOf/0",
    "#/$defs/b",
    "x",
];
const DIALECTS: [&str; 5] = [
    "http://json-schema.org/draft-07/schema#",
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-04/schema#",
    "http://json-schema.org/draft-06/schema#",
    "https://json-schema.org/draft/2020-12/schema",
];

/// A schema made of the next bytes.
fn grow(bytes: &mut Iter<'_, u8>, depth: usize) -> Value {
    let mut keywords = Map::new();
    let count = bytes.next().map_or(0, |byte| byte % 5);
    for _ in 0..count {
        let (Some(&kind), Some(&how)) = (bytes.next(), bytes.next()) else {
            break;
        };
        let pick = usize::from(how);
        let mut below = || {
            if depth < 12 {
                grow(bytes, depth + 1)
            } else {
                json!({})
            }
        };
        let (keyword, operand) = match kind % 24 {
            0 => ("allOf", json!([below(), below()])),
            1 => ("anyOf", json!([below(), below()])),
            2 => ("oneOf", json!([below(), below()])),
            3 => ("not", below()),
            4 => ("if", below()),
            5 => ("then", below()),
            6 | 7 => ("properties", json!({"a": below(), "b": below()})),
            8 => ("patternProperties", json!({PATTERNS[pick % 8]: below()})),
            9 => ("additionalProperties", below()),
            10 => ("unevaluatedProperties", json!(pick % 2 == 0)),
            11 => ("items", below()),
            12 => ("prefixItems", json!([below()])),
            13 => ("contains", below()),
            14 => ("$ref", json!(REFERENCES[pick % 6])),
            15 => ("$defs", json!({"a": below(), "b": below()})),
            16 => ("enum", json!([1, "a", "x".repeat(pick), {"a": [1, 2]}])),
            17 => ("pattern", json!(PATTERNS[pick % 8])),
            18 => (
                "type",
                json!(["object", "array", "string", "integer"][pick % 4]),
            ),
            19 => ("required", json!([["a"], ["b"]][pick % 2])),
            20 => ("default", value(bytes, depth)),
            21 => ("minItems", json!(pick)),
            22 => ("$schema", json!(DIALECTS[pick % 5])),
            _ => ("format", json!(["regex", "email", "uri", "date"][pick % 4])),
        };
        keywords.insert(keyword.to_owned(), operand);
    }
    Value::Object(keywords)
}

/// Arguments made of the next bytes.
fn value(bytes: &mut Iter<'_, u8>, depth: usize) -> Value {
    let Some(&byte) = bytes.next() else {
        return json!({});
    };
    match byte % 7 {
        0 | 1 if depth < 20 => json!({"a": value(bytes, depth + 1), "b": value(bytes, depth + 1)}),
        2 if depth < 20 => json!([value(bytes, depth + 1), value(bytes, depth + 1)]),
        3 => json!("ab".repeat(usize::from(byte))),
        4 => json!(vec![1; usize::from(byte)]),
        5 => json!(byte),
        _ => json!({}),
    }
}
