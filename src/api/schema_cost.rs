//! How much work a schema can make, found out before it is put to work: schemas come from servers, and a few hundred bytes of
//! references can keep a validator busy for longer than there is time, or exhaust its stack.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// How deep schemas may be nested, references followed. Validators go as deep, on stacks of 2 MiB.
const DEPTH: usize = 400;

/// Keywords whose schemas apply to the same value.
const IN_PLACE: [&str; 10] = [
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentSchemas",
    "dependencies",
    "propertyNames",
];
/// Keywords whose schemas apply to what is in the value.
const BELOW: [&str; 11] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "contentSchema",
    "$defs",
];

/// Whether a schema is nested no deeper than a validator can go.
pub(super) fn is_shallow(root: &Value) -> bool {
    let mut depths = Depths {
        root,
        known: HashMap::new(),
        open: HashSet::new(),
    };
    depths.of(root, 0) <= DEPTH
}

/// How many schemas may be applied at most to check a value that is `depth` levels deep, lists and objects taken for one item each.
pub(super) fn applications(root: &Value, depth: usize) -> u64 {
    let mut work = Work {
        root,
        known: HashMap::new(),
        open: HashSet::new(),
    };
    work.of(root, depth, 0)
}

/// Levels and values of a value.
pub(super) fn extent(value: &Value) -> (usize, u64) {
    let (mut deepest, mut count) = (0, 0);
    let mut to_see = vec![(value, 0)];
    while let Some((value, depth)) = to_see.pop() {
        (deepest, count) = (depth.max(deepest), count + 1);
        match value {
            Value::Object(members) => to_see.extend(members.values().map(|it| (it, depth + 1))),
            Value::Array(items) => to_see.extend(items.iter().map(|it| (it, depth + 1))),
            _ => {}
        }
    }
    (deepest, count)
}

/// What a reference within the schema leads to.
fn target<'v>(root: &'v Value, schema: &'v Value) -> Option<(&'v str, &'v Value)> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some((pointer, root.pointer(pointer)?))
}

struct Depths<'v> {
    root: &'v Value,
    known: HashMap<&'v str, usize>,
    open: HashSet<&'v str>,
}

impl<'v> Depths<'v> {
    /// Levels below `schema`, every member taken for a schema; a circle is gone through once.
    fn of(&mut self, schema: &'v Value, level: usize) -> usize {
        if level > DEPTH {
            return level;
        }
        let members = match schema {
            Value::Object(members) => members.values().collect(),
            Value::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        };
        let below = members.into_iter().map(|member| self.of(member, level + 1));
        let deepest = below.max().unwrap_or(0);
        let Some((pointer, to)) = target(self.root, schema) else {
            return deepest + 1;
        };
        if let Some(known) = self.known.get(pointer) {
            return deepest.max(*known) + 1;
        }
        if !self.open.insert(pointer) {
            return deepest + 1;
        }
        let there = self.of(to, level + 1);
        self.open.remove(pointer);
        self.known.insert(pointer, there);
        deepest.max(there) + 1
    }
}

struct Work<'v> {
    root: &'v Value,
    known: HashMap<(&'v str, usize), u64>,
    open: HashSet<(&'v str, usize)>,
}

impl<'v> Work<'v> {
    fn of(&mut self, schema: &'v Value, depth: usize, level: usize) -> u64 {
        let Value::Object(keywords) = schema else {
            return 1;
        };
        if level > DEPTH {
            return u64::MAX;
        }
        let mut sum: u64 = 1;
        for (keyword, value) in keywords {
            let below = usize::from(BELOW.contains(&keyword.as_str()));
            let applies = below == 1 || IN_PLACE.contains(&keyword.as_str());
            // What is only defined here is counted where it is referred to.
            let Some(depth) = depth
                .checked_sub(below)
                .filter(|_| applies && keyword != "$defs")
            else {
                continue;
            };
            let schemas: Vec<&Value> = match (keyword.as_str(), value) {
                (_, Value::Array(schemas)) => schemas.iter().collect(),
                (
                    "properties" | "patternProperties" | "dependentSchemas" | "dependencies",
                    Value::Object(named),
                ) => named.values().collect(),
                (_, schema) => vec![schema],
            };
            for schema in schemas {
                sum = sum.saturating_add(self.of(schema, depth, level + 1));
            }
        }
        let Some((pointer, to)) = target(self.root, schema) else {
            return sum;
        };
        let key = (pointer, depth);
        let there = match self.known.get(&key) {
            Some(known) => *known,
            // A circle that never descends is noticed by validators.
            None if !self.open.insert(key) => 0,
            None => {
                let there = self.of(to, depth, level + 1);
                self.open.remove(&key);
                self.known.insert(key, there);
                there
            }
        };
        sum.saturating_add(there)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

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

    #[test]
    fn long_chains_of_references_are_too_deep() {
        assert!(is_shallow(&chain(
            100,
            |next| json!({"properties": {"a": next}})
        )));
        assert!(!is_shallow(&chain(5000, |next| next)));
        assert!(!is_shallow(&chain(
            5000,
            |next| json!({"properties": {"a": next}})
        )));
        assert!(is_shallow(&json!({"properties": {"a": {"$ref": "#"}}})));
    }

    #[test]
    fn doubling_is_counted_where_it_is_done() {
        let doubling = chain(40, |next| json!({"allOf": [next, next]}));
        assert!(applications(&doubling, 0) > 1 << 40);
        let tree = json!({"properties": {"a": {"$ref": "#"}, "b": {"type": "string"}}});
        assert!(applications(&tree, 100) < 500);
        let twice = json!({"oneOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]});
        assert!(applications(&twice, 3) < 100);
        assert!(applications(&twice, 60) > 1 << 50);
        assert_eq!(
            applications(&json!({"$ref": "#"}), 3),
            applications(&json!({"$ref": "#"}), 9)
        );
    }

    #[test]
    fn the_extent_of_a_value_is_its_levels_and_its_values() {
        assert_eq!(extent(&json!({"a": [1, {"b": []}], "c": null})), (3, 6));
        assert_eq!(extent(&json!(7)), (0, 1));
    }
}
