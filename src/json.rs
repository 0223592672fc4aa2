//! Raw JSON: the members of objects, the elements of arrays, strings and nesting depth, without a tree.
//!
//! Values stay the slices of the text they were read from, so that they can be passed on byte for byte. Nothing here knows
//! MCP, JSON-RPC or JSON Schema.

use std::borrow::Cow;

use memchr::memchr2_iter;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object as its members in order, values untouched. For the few places that must look inside an object of
/// unknown shape without reprinting it.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

/// A JSON string, borrowed where it holds no escapes. (A bare `Cow` is always copied by serde.)
#[derive(Debug, serde::Deserialize)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// `{}`.
pub fn empty_object<'a>() -> &'a RawValue {
    serde_json::from_str("{}").unwrap_or(RawValue::NULL)
}

// === impl Members ===

impl<'a> Members<'a> {
    /// The members of a JSON object, in order.
    pub fn of(object: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(object)
    }

    /// The members whose names `is_excluded` does not hold for.
    #[must_use]
    pub fn without(&self, is_excluded: impl Fn(&str) -> bool) -> Self {
        let left = self.0.iter().filter(|(name, _)| !is_excluded(name));
        Self(left.cloned().collect())
    }

    /// The last member of that name, as JSON parsers commonly read duplicates.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        let mut from_last = self.0.iter().rev();
        from_last
            .find(|(key, _)| key == name)
            .map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Object).map(Members)
    }
}

// === members ===

/// The last members of these names in a JSON object, without a list of the others, which may be millions.
pub fn named<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], serde_json::Error> {
    struct Named<'n, const N: usize>([&'n str; N]);
    impl<'de, const N: usize> Visitor<'de> for Named<'_, N> {
        type Value = [Option<&'de RawValue>; N];
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = [None; N];
            while let Some((Text(name), value)) = map.next_entry()? {
                let at = self.0.iter().position(|wanted| *wanted == name);
                if let Some(found) = at.and_then(|at| found.get_mut(at)) {
                    *found = Some(value);
                }
            }
            Ok(found)
        }
    }
    let mut json = serde_json::Deserializer::from_str(object);
    let found = json.deserialize_map(Named(names))?;
    json.end()?;
    Ok(found)
}

/// The last member of that name in a JSON object, where it is a string.
pub fn text_member<'a>(object: &'a RawValue, name: &str) -> Option<Cow<'a, str>> {
    let [member] = named(object.get(), [name]).ok()?;
    text_of(member?)
}

/// The characters of a JSON string; `None` for any other value.
pub fn text_of(value: &RawValue) -> Option<Cow<'_, str>> {
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text.0)
}

/// Reads a member that may be absent, and keeps `null` apart from absence (`#[serde(default, deserialize_with = ...)]`).
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

// === arrays ===

/// Whether a JSON text is an array, by its first character.
pub(crate) fn is_array(json: &[u8]) -> bool {
    json.trim_ascii_start().first() == Some(&b'[')
}

/// Visits the elements of a JSON array in order, without a list of them, which may be millions. An array that is broken
/// anywhere is an error before the first visit.
pub fn for_each_element<'a>(
    array: &'a [u8],
    mut visit: impl FnMut(&'a RawValue),
) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<&RawValue>(array)?;
    visit_while(array, |element| {
        visit(element);
        true
    })
}

/// The first elements of a JSON array, `most` of them if there are so many; `None` for any other value. What comes after them is not
/// read.
pub fn first_elements(array: &RawValue, most: usize) -> Option<Vec<&RawValue>> {
    let mut first = Vec::new();
    let visited = visit_while(array.get().as_bytes(), |element| {
        first.push(element);
        first.len() < most
    });
    // To stop early is an error as well.
    (visited.is_ok() || first.len() == most).then_some(first)
}

/// Visits the elements of a JSON array for as long as `visit` wants more; an error if it does not want all of them.
fn visit_while<'a>(
    array: &'a [u8],
    visit: impl FnMut(&'a RawValue) -> bool,
) -> Result<(), serde_json::Error> {
    struct Each<F>(F);
    impl<'de, F: FnMut(&'de RawValue) -> bool> Visitor<'de> for Each<F> {
        type Value = ();
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an array")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
            while let Some(element) = elements.next_element()? {
                if !(self.0)(element) {
                    break;
                }
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_slice(array).deserialize_seq(Each(visit))
}

// === depth, errors ===

/// Whether JSON nests deeper than `limit`. Such a text is cheap to send and costly to build a tree of.
///
/// `json` need not be valid; the result says nothing about a text that is not.
pub fn nests_deeper_than(json: &[u8], limit: usize) -> bool {
    // Mostly there are too few brackets in all, which is quickly said.
    if memchr2_iter(b'{', b'[', json).take(limit + 1).count() <= limit {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The kind of a parse error, for logs and messages that must not repeat the text.
pub(crate) fn kind_of(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Io => "unreadable",
        serde_json::error::Category::Syntax => "bad JSON",
        serde_json::error::Category::Data => "wrong shape",
        serde_json::error::Category::Eof => "cut short",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_read_up_to_the_limit() {
        let first = |json: &'static str, most| {
            let array: &RawValue = serde_json::from_str(json).unwrap();
            let first = first_elements(array, most)?;
            Some(first.into_iter().map(RawValue::get).collect::<Vec<_>>())
        };
        assert_eq!(first("[]", 2), Some(vec![]));
        assert_eq!(first("[1]", 2), Some(vec!["1"]));
        assert_eq!(first("[1, {}]", 2), Some(vec!["1", "{}"]));
        assert_eq!(first("[1, {}, 3]", 2), Some(vec!["1", "{}"]));
        assert_eq!(first("{}", 2), None);
        assert_eq!(first("7", 2), None);
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        for (json, depth) in [
            ("7", 0),
            (r#"{"a":[[1],[2],{}]}"#, 3),
            (r#"["[[[[\"[[[",[]]"#, 2),
            (r#"["\\",[]]"#, 2),
        ] {
            assert!(!nests_deeper_than(json.as_bytes(), depth), "{json}");
            assert!(
                depth == 0 || nests_deeper_than(json.as_bytes(), depth - 1),
                "{json}"
            );
        }
    }
}
