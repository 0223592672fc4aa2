//! How much work it is to hold a value against a schema, counted by going the way a validator goes, but no further than there is
//! budget. Every branch is taken, and every pattern is taken to be the slowest of its size.
//!
//! Whether the value fits is not found out here.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use crate::schema::cost::{DEPTH, Examined, REFERENCES, identity, target};

/// Bytes of text that are compared, counted or copied in the time that a schema takes.
const TEXT: usize = 64;
/// Steps of a pattern's automaton in that time.
const STEPS: u64 = 16;
/// The same for a number that is divided by one that is not whole: measured at 30.
const DIVISION: u64 = 40;

/// Counts what a check of one value costs: a schema applied is one, some 50 ns.
pub(crate) struct Work<'v> {
    root: &'v Value,
    patterns: &'v HashMap<String, u64>,
    /// See [`Examined::to_evaluate`].
    to_evaluate: usize,
    left: u64,
    /// References that are being followed, each for the value it applies to: a circle that never descends is noticed by
    /// validators.
    open: HashSet<(usize, usize)>,
}

/// What a check of `value` costs; `None` if it is more than `most`.
pub(crate) fn work(root: &Value, examined: &Examined, value: &Value, most: u64) -> Option<u64> {
    let mut work = Work {
        root,
        patterns: &examined.patterns,
        to_evaluate: examined.to_evaluate,
        left: most,
        open: HashSet::new(),
    };
    work.apply(root, value, 0)?;
    Some(most - work.left)
}

impl<'v> Work<'v> {
    fn spend(&mut self, work: u64) -> Option<()> {
        self.left = self.left.checked_sub(work)?;
        Some(())
    }

    fn spend_text(&mut self, text: &str, times: usize) -> Option<()> {
        self.spend(count((text.len() / TEXT + 1).saturating_mul(times)))
    }

    fn apply(&mut self, schema: &'v Value, value: &Value, level: usize) -> Option<()> {
        self.spend(1)?;
        let Value::Object(keywords) = schema else {
            return Some(());
        };
        if level > DEPTH {
            return None;
        }
        let evaluates = keywords.contains_key("unevaluatedProperties")
            || keywords.contains_key("unevaluatedItems");
        for (keyword, operand) in keywords {
            for _ in 0..if evaluates { self.to_evaluate } else { 1 } {
                self.in_place(keyword, operand, value, level)?;
            }
            match value {
                Value::Object(members) => {
                    self.object(keywords, keyword, operand, members, level)?;
                }
                Value::Array(items) => self.array(keyword, operand, items, level)?,
                Value::String(text) => self.text(keyword, operand, text)?,
                Value::Number(_) if keyword == "multipleOf" => self.spend(DIVISION)?,
                _ => {}
            }
        }
        Some(())
    }

    /// Keywords whose schemas apply to the same value, or that compare it as a whole.
    fn in_place(
        &mut self,
        keyword: &str,
        operand: &'v Value,
        value: &Value,
        level: usize,
    ) -> Option<()> {
        match (keyword, operand) {
            (_, Value::String(reference)) if REFERENCES.contains(&keyword) => {
                self.spend_text(reference, 1)?;
                let to = target(self.root, reference)?;
                let key = (identity(to), identity(value));
                if self.open.insert(key) {
                    self.apply(to, value, level + 1)?;
                    self.open.remove(&key);
                }
                Some(())
            }
            ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                let mut schemas = schemas.iter();
                schemas.try_for_each(|schema| self.apply(schema, value, level + 1))
            }
            ("not" | "if" | "then" | "else", schema) => self.apply(schema, value, level + 1),
            ("dependentSchemas" | "dependencies", Value::Object(named)) => {
                for (name, schema) in named {
                    self.spend(1)?;
                    if value.get(name).is_some() {
                        self.spend(schema.as_array().map_or(0, |names| count(names.len())))?;
                        self.apply(schema, value, level + 1)?;
                    }
                }
                Some(())
            }
            ("enum", Value::Array(listed)) => {
                self.spend(count(listed.len()))?;
                match value {
                    Value::String(text) => self.spend_text(text, listed.len()),
                    Value::Array(_) | Value::Object(_) => self.whole(operand, 1),
                    _ => Some(()),
                }
            }
            ("const", _) => self.whole(operand, 1),
            _ => Some(()),
        }
    }

    fn object(
        &mut self,
        keywords: &'v Map<String, Value>,
        keyword: &str,
        operand: &'v Value,
        members: &Map<String, Value>,
        level: usize,
    ) -> Option<()> {
        match (keyword, operand) {
            ("properties", Value::Object(named)) => {
                for (name, schema) in named {
                    self.spend(1)?;
                    if let Some(member) = members.get(name) {
                        self.apply(schema, member, level + 1)?;
                    }
                }
            }
            ("patternProperties", Value::Object(named)) => {
                for (pattern, schema) in named {
                    for (name, member) in members {
                        self.pattern(pattern, name)?;
                        self.apply(schema, member, level + 1)?;
                    }
                }
            }
            ("additionalProperties" | "unevaluatedProperties", schema) => {
                let properties = keywords.get("properties");
                for (name, member) in members {
                    self.spend_text(name, 1)?;
                    if properties.is_none_or(|named| named.get(name).is_none()) {
                        self.apply(schema, member, level + 1)?;
                    }
                }
            }
            ("propertyNames", schema) => {
                for name in members.keys() {
                    self.spend_text(name, 1)?;
                    self.apply(schema, &Value::String(name.clone()), level + 1)?;
                }
            }
            ("required", Value::Array(names)) => self.spend(count(names.len()))?,
            ("dependentRequired", Value::Object(named)) => {
                for names in named.values() {
                    self.spend(1 + names.as_array().map_or(0, |names| count(names.len())))?;
                }
            }
            _ => {}
        }
        Some(())
    }

    fn array(
        &mut self,
        keyword: &str,
        operand: &'v Value,
        items: &[Value],
        level: usize,
    ) -> Option<()> {
        match (keyword, operand) {
            ("items" | "prefixItems", Value::Array(schemas)) => {
                let mut pairs = schemas.iter().zip(items);
                pairs.try_for_each(|(schema, item)| self.apply(schema, item, level + 1))
            }
            ("items" | "additionalItems" | "unevaluatedItems" | "contains", schema) => {
                let mut items = items.iter();
                items.try_for_each(|item| self.apply(schema, item, level + 1))
            }
            ("uniqueItems", Value::Bool(true)) => {
                // Short lists are compared each with each, others are hashed.
                let times = if items.len() <= 15 { 15 } else { 4 };
                items.iter().try_for_each(|item| self.whole(item, times))
            }
            _ => Some(()),
        }
    }

    fn text(&mut self, keyword: &str, operand: &'v Value, text: &str) -> Option<()> {
        match (keyword, operand) {
            ("pattern", Value::String(pattern)) => self.pattern(pattern, text),
            ("format" | "contentEncoding" | "contentMediaType", _) => self.spend_text(text, 8),
            ("minLength" | "maxLength", _) => self.spend_text(text, 1),
            _ => Some(()),
        }
    }

    fn pattern(&mut self, pattern: &str, text: &str) -> Option<()> {
        let states = self.patterns.get(pattern).copied().unwrap_or(u64::MAX);
        self.spend((states.saturating_mul(count(text.len())) / STEPS).saturating_add(1))
    }

    /// A value gone through whole, so many times.
    fn whole(&mut self, value: &Value, times: usize) -> Option<()> {
        let mut to_see = vec![value];
        while let Some(value) = to_see.pop() {
            self.spend(count(times))?;
            match value {
                Value::String(text) => self.spend_text(text, times)?,
                Value::Array(items) => to_see.extend(items),
                Value::Object(members) => {
                    for (name, member) in members {
                        self.spend_text(name, times)?;
                        to_see.push(member);
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::cost::examine;

    fn cost(schema: &Value, value: &Value) -> Option<u64> {
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
        assert!(cost(&tree, &value).unwrap() < 1000);
        let blocks: Vec<Value> = (0..30)
            .map(|n| json!({"properties": {format!("block{n}"): {"$ref": "#"}}}))
            .collect();
        assert!(
            cost(
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
        assert!(cost(&twice, &value).unwrap() < 20);
        for _ in 0..60 {
            value = json!({"a": value});
        }
        assert_eq!(cost(&twice, &value), None);
        let mut unevaluated = json!({"properties": {"a": {}}});
        for _ in 0..20 {
            unevaluated = json!({"allOf": [unevaluated], "unevaluatedProperties": false});
        }
        assert_eq!(cost(&unevaluated, &json!({})), None);
        // A circle that never descends is gone through once.
        assert!(cost(&json!({"$ref": "#"}), &json!(1)).unwrap() < 10);
    }

    #[test]
    fn texts_count_by_the_size_of_their_patterns() {
        let text = json!("a".repeat(10_000));
        let small = cost(&json!({"pattern": "^[a-z]+$"}), &text).unwrap();
        assert!((1_000..10_000).contains(&small), "{small}");
        assert_eq!(cost(&json!({"pattern": "(a|b)[a-z]{5000}"}), &text), None);
        let names = json!({"a".repeat(10_000): 1});
        let named = cost(&json!({"patternProperties": {"^[a-z]+$": {}}}), &names).unwrap();
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
            assert!(cost(&schema, &json!(long)).unwrap() >= 10_000, "{schema}");
        }
    }
}
