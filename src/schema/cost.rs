//! The memory that a schema takes once it is compiled, and its depth, estimated before: schemas come from servers, and some kilobytes of
//! names, references and patterns can stand for gigabytes, or exhaust a stack.
//!
//! Every value in a schema is weighed, not only what the keyword table takes for one, because a reference may lead anywhere. The time that
//! a validation takes is `work`'s part.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::schema::keywords::{self, Holds, UNEVALUATED};
use crate::schema::pattern_cost;
use crate::schema::walk::{self, Budget, identity, references, target};

/// How deep schemas may be nested, references followed. Validators go as deep, on stacks of 2 MiB.
pub(crate) const DEPTH: usize = 400;
/// Bytes that one compiled schema may weigh.
const MAX_WEIGHT: usize = 8 << 20;

/// Bytes that a value of a schema takes, in the tree and in the validator: measured at 230 to 550.
const VALUE: usize = 640;
/// A pattern of any size, with the engine's own cache for each thread.
const PATTERN: usize = 64 << 10;
/// A state of a pattern's automaton: measured at 50 to 180.
const STATE: usize = 256;
/// Bytes of one compiled pattern, which the engine is held to as well. A larger one is left out of its schema.
pub(crate) const MAX_PATTERN_BYTES: usize = 1 << 20;
/// Schemas that apply in place, in a schema that asks what is left unevaluated. For that, validators are compiled, and go, as
/// deep as there are any, and through all of them for each.
const MAX_IN_PLACE: usize = 64;

/// How often validators go through what applies in place, at least, where they must know what is left unevaluated: measured at 2.7.
const TO_EVALUATE: usize = 3;

/// What is known of a schema that can be compiled.
pub(crate) struct Examined {
    /// Bytes that it takes at most, compiled.
    pub(crate) weight: usize,
    /// Its patterns, with the states of each.
    pub(crate) patterns: HashMap<String, usize>,
    /// Patterns that are too large to be compiled.
    pub(crate) too_large: HashSet<String>,
    /// How often validators go through what applies in place where they must know what is left unevaluated.
    pub(crate) to_evaluate: usize,
}

/// Weighs a schema. `None` if it must not be compiled: nested too deep, too heavy, or with references that cannot be
/// counted, because they lead out of it or depend on identifiers within it.
pub(crate) fn examine(root: &Value) -> Option<Examined> {
    if depth(root, root, 0, &mut HashMap::new()) > DEPTH {
        return None;
    }
    let mut scales = Scales {
        root,
        budget: Budget::new(MAX_WEIGHT),
        patterns: HashMap::new(),
        too_large: HashSet::new(),
        evaluates: false,
        in_place: 0,
    };
    scales.weigh(root, 0)?;
    if scales.evaluates && scales.in_place > MAX_IN_PLACE {
        return None;
    }
    Some(Examined {
        weight: MAX_WEIGHT - scales.budget.left(),
        patterns: scales.patterns,
        too_large: scales.too_large,
        to_evaluate: TO_EVALUATE + scales.in_place,
    })
}

/// Takes the patterns out of a schema that are too large to be compiled.
pub(crate) fn without(schema: &mut Value, too_large: &HashSet<String>) {
    match schema {
        Value::Object(members) => {
            let pattern = members.get("pattern").and_then(Value::as_str);
            if pattern.is_some_and(|pattern| too_large.contains(pattern)) {
                members.remove("pattern");
            }
            for (name, member) in members {
                match (keywords::named(name).map(|keyword| keyword.holds), member) {
                    (Some(Holds::Data), _) => {}
                    // Their names are no keywords.
                    (Some(Holds::SchemasByName), Value::Object(named)) => {
                        named
                            .values_mut()
                            .for_each(|schema| without(schema, too_large));
                    }
                    (_, member) => without(member, too_large),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, too_large)),
        _ => {}
    }
}

/// Levels below `schema`, every member taken for a schema, and below what references lead to. Those are `known` once they are counted;
/// a circle is gone through once.
fn depth(root: &Value, schema: &Value, level: usize, known: &mut HashMap<usize, usize>) -> usize {
    if level > DEPTH {
        return level;
    }
    let mut deepest = 0;
    match schema {
        Value::Object(members) => {
            for member in members.values() {
                deepest = deepest.max(depth(root, member, level + 1, known));
            }
            for to in references(members).filter_map(|reference| target(root, reference)) {
                let key = identity(to);
                let below = known.get(&key).copied().unwrap_or_else(|| {
                    known.insert(key, 0);
                    let below = depth(root, to, level + 1, known);
                    known.insert(key, below);
                    below
                });
                deepest = deepest.max(below);
            }
        }
        Value::Array(items) => {
            for item in items {
                deepest = deepest.max(depth(root, item, level + 1, known));
            }
        }
        _ => {}
    }
    deepest + 1
}

struct Scales<'v> {
    root: &'v Value,
    /// Bytes.
    budget: Budget,
    patterns: HashMap<String, usize>,
    too_large: HashSet<String>,
    /// There is a keyword for what is left unevaluated.
    evaluates: bool,
    /// Schemas that apply in place.
    in_place: usize,
}

impl Scales<'_> {
    /// Weighs a value whose JSON pointer is so long: validators keep the pointer of every keyword.
    fn weigh(&mut self, value: &Value, pointer: usize) -> Option<()> {
        walk::values(value, pointer, |value, name, pointer| {
            self.budget
                .spend(pointer.saturating_mul(2).saturating_add(VALUE))?;
            if let Some(name) = name {
                self.budget.spend(name.len().saturating_mul(3))?;
                self.evaluates |= UNEVALUATED.contains(&name);
                self.in_place += in_place(name, value);
            }
            match value {
                Value::String(text) => self.budget.spend(text.len().saturating_mul(3))?,
                Value::Object(members) => {
                    self.identifiers_and_references(members, pointer == 0)?;
                    self.patterns(members)?;
                }
                _ => {}
            }
            // A validator keeps a copy of what it negates, on every level.
            if name == Some("not") {
                self.weigh(value, pointer)?;
            }
            Some(())
        })
    }

    /// An identifier within the schema gives references another meaning than the one they are counted by.
    fn identifiers_and_references(
        &self,
        members: &Map<String, Value>,
        is_root: bool,
    ) -> Option<()> {
        let text = |name| members.get(name).and_then(Value::as_str);
        let identified = text("$id").is_some() || (is_draft_4(self.root) && text("id").is_some());
        if identified && !is_root {
            return None;
        }
        let known = |reference| target(self.root, reference).is_some();
        references(members).all(known).then_some(())
    }

    fn patterns(&mut self, members: &Map<String, Value>) -> Option<()> {
        if let Some(single) = members.get("pattern").and_then(Value::as_str)
            && self.pattern(single).is_none()
        {
            self.too_large.insert(single.to_owned());
        }
        let named = members.get("patternProperties").and_then(Value::as_object);
        let mut named = named.into_iter().flat_map(Map::keys);
        named.try_for_each(|pattern| self.pattern(pattern))
    }

    fn pattern(&mut self, pattern: &str) -> Option<()> {
        if self.patterns.contains_key(pattern) {
            return Some(());
        }
        let states = usize::try_from(pattern_cost::states(pattern)).ok()?;
        let bytes = states.saturating_mul(STATE);
        if bytes > MAX_PATTERN_BYTES {
            return None;
        }
        self.budget.spend(bytes + PATTERN)?;
        self.patterns.insert(pattern.to_owned(), states);
        Some(())
    }
}

/// How many schemas a keyword applies to the same value.
fn in_place(name: &str, operand: &Value) -> usize {
    match keywords::named(name) {
        Some(keyword) if keyword.refers() => operand.is_string().into(),
        Some(keyword) if keyword.applies_in_place() => keyword.subschemas(operand).count(),
        _ => 0,
    }
}

fn is_draft_4(root: &Value) -> bool {
    let dialect = root.get("$schema").and_then(Value::as_str);
    dialect.is_some_and(|dialect| dialect.contains("draft-04"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Definitions `A0` to `An`, each made of the next.
    fn chain(length: usize, link: impl Fn(Value) -> Value) -> Value {
        let mut definitions = Map::new();
        for number in 0..length {
            let next = json!({"$ref": format!("#/$defs/A{}", number + 1)});
            definitions.insert(format!("A{number}"), link(next));
        }
        definitions.insert(format!("A{length}"), json!({"type": "object"}));
        json!({"$ref": "#/$defs/A0", "$defs": definitions})
    }

    fn weight(schema: &Value) -> Option<usize> {
        examine(schema).map(|examined| examined.weight)
    }

    #[test]
    fn long_chains_of_references_are_too_deep() {
        let below = |next| json!({"properties": {"a": next}});
        assert!(weight(&chain(100, below)).is_some());
        assert!(weight(&chain(5000, |next| next)).is_none());
        assert!(weight(&chain(1000, below)).is_none());
        assert!(weight(&json!({"properties": {"a": {"$ref": "#"}}})).is_some());
    }

    #[test]
    fn names_weigh_once_for_every_keyword_below_them() {
        let below = |name: &str| {
            let many: Map<String, Value> = (0..500)
                .map(|number| (number.to_string(), json!({"type": "string"})))
                .collect();
            json!({"properties": {name: {"properties": many}}})
        };
        assert!(weight(&below("name")).unwrap() < 2 << 20);
        assert!(weight(&below(&"n".repeat(20_000))).is_none());
    }

    #[test]
    fn patterns_weigh_what_they_are_compiled_to() {
        let one = weight(&json!({"pattern": "^[a-z]+$"})).unwrap();
        assert!((64 << 10..128 << 10).contains(&one));
        let twice = json!({"anyOf": [{"pattern": "^[a-z]+$"}, {"pattern": "^[a-z]+$"}]});
        assert!(weight(&twice).unwrap() < one + 10_000);
        let too_large = "((a{100}){100}){100}";
        let patterned =
            |inner: Value| json!({"const": {"pattern": too_large}, "properties": {"const": inner}});
        let mut schema = patterned(json!({"pattern": too_large}));
        let examined = examine(&schema).unwrap();
        assert!(examined.too_large.contains(too_large));
        without(&mut schema, &examined.too_large);
        assert_eq!(schema, patterned(json!({})));
        let many: Vec<Value> = (0..8000)
            .map(|number| json!({"pattern": format!("a{number}")}))
            .collect();
        assert!(weight(&json!({"anyOf": many})).is_none());
        assert!(weight(&json!({"patternProperties": {"(a{1000}){1000}": {}}})).is_none());
    }

    #[test]
    fn references_are_followed_within_the_schema_alone() {
        for (schema, usable) in [
            (json!({"$ref": "#/$defs/a%20b", "$defs": {"a b": {}}}), true),
            (
                json!({"$id": "https://example.com/a", "$ref": "#/$defs/a", "$defs": {"a": {}}}),
                true,
            ),
            (
                json!({"properties": {"$id": {"type": "string"}, "$ref": {"type": "string"}}}),
                true,
            ),
            (json!({"$ref": "#/$defs/missing"}), false),
            (json!({"$ref": "https://example.com/other"}), false),
            (
                json!({"$ref": "#a", "$defs": {"a": {"$anchor": "a"}}}),
                false,
            ),
            (json!({"$defs": {"a": {"$id": "a", "$ref": "#"}}}), false),
        ] {
            assert_eq!(weight(&schema).is_some(), usable, "{schema}");
        }
    }
}
