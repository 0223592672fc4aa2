//! The work of validating a value against a schema, counted on the way that a validator takes, but no further than the budget goes.
//! Every branch is followed, and every pattern is taken to be the slowest of its size.
//!
//! Whether the value matches is not found out here.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::schema::cost::{DEPTH, Examined};
use crate::schema::keywords::{self, Applies, Holds, Keyword, UNEVALUATED};
use crate::schema::walk::{self, Budget, identity, steps, target};

/// Steps of a pattern's automaton in the time that a schema takes.
const STEPS: usize = 16;
/// The same for a number that is divided by one that is not whole: measured at 30.
const DIVISION: usize = 40;

/// Counts the work of one validation: a schema applied to a value is one, some 50 ns.
struct Work<'v> {
    root: &'v Value,
    patterns: &'v HashMap<String, usize>,
    /// See [`Examined::to_evaluate`].
    to_evaluate: usize,
    budget: Budget,
    /// References that are being followed, each for the value it applies to: a circle that never descends is noticed by
    /// validators.
    open: HashSet<(usize, usize)>,
}

/// The work of validating `value`; `None` if it is more than `most`.
pub(crate) fn work(root: &Value, examined: &Examined, value: &Value, most: usize) -> Option<usize> {
    let mut work = Work {
        root,
        patterns: &examined.patterns,
        to_evaluate: examined.to_evaluate,
        budget: Budget::new(most),
        open: HashSet::new(),
    };
    work.apply(root, value, 0)?;
    Some(most - work.budget.left())
}

impl<'v> Work<'v> {
    fn spend_text(&self, text: &str, times: usize) -> Option<()> {
        self.budget.spend(steps(text).saturating_mul(times))
    }

    fn apply(&mut self, schema: &'v Value, value: &Value, level: usize) -> Option<()> {
        self.budget.spend(1)?;
        let Value::Object(keywords) = schema else {
            return Some(());
        };
        if level > DEPTH {
            return None;
        }
        let mut unevaluated = UNEVALUATED.iter();
        let evaluates = unevaluated.any(|name| keywords.contains_key(*name));
        for (name, operand) in keywords {
            let keyword = keywords::named(name);
            let is_repeated = evaluates && keyword.is_some_and(Keyword::applies_in_place);
            for _ in 0..if is_repeated { self.to_evaluate } else { 1 } {
                match keyword {
                    Some(keyword) if keyword.holds != Holds::Data => {
                        self.subschemas(keyword, keywords, operand, value, level + 1)?;
                    }
                    _ => self.assertion(name, operand, value)?,
                }
            }
        }
        Some(())
    }

    /// Applies what is in a keyword to what it applies to.
    fn subschemas(
        &mut self,
        keyword: Keyword,
        siblings: &'v Map<String, Value>,
        operand: &'v Value,
        value: &Value,
        level: usize,
    ) -> Option<()> {
        match (keyword.applies, operand, value) {
            (Applies::InPlace, Value::String(reference), _) if keyword.refers() => {
                self.reference(reference, value, level)?;
            }
            (Applies::InPlace | Applies::Conditionally, operand, _) => {
                for schema in keyword.subschemas(operand) {
                    self.apply(schema, value, level)?;
                }
            }
            (
                applies @ (Applies::WithMember | Applies::NamedMember),
                Value::Object(named),
                Value::Object(members),
            ) => {
                for (name, schema) in named {
                    self.budget.spend(1)?;
                    if let Some(member) = members.get(name) {
                        // `dependencies` may list names instead.
                        self.budget.spend(schema.as_array().map_or(0, Vec::len))?;
                        let is_named = applies == Applies::NamedMember;
                        self.apply(schema, if is_named { member } else { value }, level)?;
                    }
                }
            }
            (Applies::MatchingMembers, Value::Object(named), Value::Object(members)) => {
                for (pattern, schema) in named {
                    for (name, member) in members {
                        self.pattern(pattern, name)?;
                        self.apply(schema, member, level)?;
                    }
                }
            }
            (Applies::OtherMembers, schema, Value::Object(members)) => {
                let properties = siblings.get("properties");
                for (name, member) in members {
                    self.spend_text(name, 1)?;
                    if properties.is_none_or(|named| named.get(name).is_none()) {
                        self.apply(schema, member, level)?;
                    }
                }
            }
            (Applies::MemberNames, schema, Value::Object(members)) => {
                for name in members.keys() {
                    self.spend_text(name, 1)?;
                    self.apply(schema, &Value::String(name.clone()), level)?;
                }
            }
            (Applies::Items, Value::Array(schemas), Value::Array(items)) => {
                for (schema, item) in schemas.iter().zip(items) {
                    self.apply(schema, item, level)?;
                }
            }
            (Applies::Items, schema, Value::Array(items)) => {
                for item in items {
                    self.apply(schema, item, level)?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn reference(&mut self, reference: &str, value: &Value, level: usize) -> Option<()> {
        self.spend_text(reference, 1)?;
        let to = target(self.root, reference)?;
        let key = (identity(to), identity(value));
        if self.open.insert(key) {
            self.apply(to, value, level)?;
            self.open.remove(&key);
        }
        Some(())
    }

    /// Keywords that lead to no schema.
    fn assertion(&self, name: &str, operand: &Value, value: &Value) -> Option<()> {
        match (name, operand, value) {
            ("const", operand, _) => self.whole(operand, 1),
            ("enum", Value::Array(listed), value) => {
                self.budget.spend(listed.len())?;
                match value {
                    Value::String(text) => self.spend_text(text, listed.len()),
                    Value::Array(_) | Value::Object(_) => self.whole(operand, 1),
                    _ => Some(()),
                }
            }
            ("required", Value::Array(names), Value::Object(_)) => self.budget.spend(names.len()),
            ("dependentRequired", Value::Object(named), Value::Object(_)) => {
                let names = named
                    .values()
                    .map(|names| names.as_array().map_or(0, Vec::len));
                self.budget.spend(named.len() + names.sum::<usize>())
            }
            ("uniqueItems", Value::Bool(true), Value::Array(items)) => {
                // Short lists are compared each with each, others are hashed.
                let times = if items.len() <= 15 { 15 } else { 4 };
                items.iter().try_for_each(|item| self.whole(item, times))
            }
            ("pattern", Value::String(pattern), Value::String(text)) => self.pattern(pattern, text),
            ("format" | "contentEncoding" | "contentMediaType", _, Value::String(text)) => {
                self.spend_text(text, 8)
            }
            ("minLength" | "maxLength", _, Value::String(text)) => self.spend_text(text, 1),
            ("multipleOf", _, Value::Number(_)) => self.budget.spend(DIVISION),
            _ => Some(()),
        }
    }

    fn pattern(&self, pattern: &str, text: &str) -> Option<()> {
        let states = self.patterns.get(pattern).copied().unwrap_or(usize::MAX);
        self.budget
            .spend((states.saturating_mul(text.len()) / STEPS).saturating_add(1))
    }

    /// A value read as a whole, so many times.
    fn whole(&self, value: &Value, times: usize) -> Option<()> {
        walk::values(value, 0, |value, name, _| {
            self.budget.spend(times)?;
            let mut texts = name.into_iter().chain(value.as_str());
            texts.try_for_each(|text| self.spend_text(text, times))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::cost::examine;

    fn counted(schema: &Value, value: &Value) -> Option<usize> {
        let examined = examine(schema).unwrap();
        work(schema, &examined, value, 1_000_000)
    }

    #[test]
    fn only_what_applies_is_counted() {
        let tree = json!({"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}});
        let mut value = json!({"b": "x"});
        for _ in 0..50 {
            value = json!({"a": value, "b": "x"});
        }
        assert!(counted(&tree, &value).unwrap() < 1000);
        let blocks: Vec<Value> = (0..30)
            .map(|n| json!({"properties": {format!("block{n}"): {"$ref": "#"}}}))
            .collect();
        assert!(
            counted(
                &json!({"anyOf": blocks}),
                &json!({"block7": {"block9": {}}})
            )
            .unwrap()
                < 500
        );
    }

    #[test]
    fn doubling_is_counted_where_it_is_done() {
        let twice = json!({"oneOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]});
        let mut value = json!({});
        assert!(counted(&twice, &value).unwrap() < 20);
        for _ in 0..60 {
            value = json!({"a": value});
        }
        assert_eq!(counted(&twice, &value), None);
        let mut unevaluated = json!({"properties": {"a": {}}});
        for _ in 0..20 {
            unevaluated = json!({"allOf": [unevaluated], "unevaluatedProperties": false});
        }
        assert_eq!(counted(&unevaluated, &json!({})), None);
        // A circle that never descends is gone through once.
        assert!(counted(&json!({"$ref": "#"}), &json!(1)).unwrap() < 10);
    }

    #[test]
    fn texts_count_by_the_size_of_their_patterns() {
        let text = json!("a".repeat(10_000));
        let small = counted(&json!({"pattern": "^[a-z]+$"}), &text).unwrap();
        assert!((1_000..10_000).contains(&small), "{small}");
        assert_eq!(
            counted(&json!({"pattern": "(a|b)[a-z]{5000}"}), &text),
            None
        );
        let names = json!({"a".repeat(10_000): 1});
        let named = counted(&json!({"patternProperties": {"^[a-z]+$": {}}}), &names).unwrap();
        assert!(named >= small);
    }

    #[test]
    fn values_that_are_compared_count_whole() {
        let long: Vec<u32> = (0..10_000).collect();
        for schema in [
            json!({"enum": [long]}),
            json!({"const": long}),
            json!({"uniqueItems": true}),
            json!({"items": {"type": "integer"}}),
        ] {
            assert!(
                counted(&schema, &json!(long)).unwrap() >= 10_000,
                "{schema}"
            );
        }
    }
}
