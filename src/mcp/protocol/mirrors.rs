//! Tool arguments that must also be sent as headers (`x-mcp-header` in the tool's input schema, 2026-07-28).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use awc::http::header::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::json::Members;
use crate::mcp::protocol::header::{PARAM_PREFIX, encode_value};
use crate::schema::keywords::{self, Holds};

const ANNOTATION: &str = "x-mcp-header";
/// How deep an `inputSchema` is searched for annotations.
const DEPTH: usize = 64;
/// Bytes that the paths of one tool's annotated arguments may take; far more than the head of any request has room for.
const MOST_BYTES: usize = 64 * 1024;
/// What a name takes beside its letters.
const NAME: usize = size_of::<String>() + 16;

/// The arguments of one tool that are mirrored, in the order of its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mirrors {
    all: Vec<Mirror>,
    bytes: usize,
}

/// An argument that is mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    /// Where it is: names of properties from the arguments object down.
    path: Vec<String>,
    header: HeaderName,
}

impl Mirrors {
    /// The annotated arguments of a schema, or `None` if an annotation breaks a rule of 2026-07-28: not a token, not
    /// unique without regard to case, on a type other than string, integer or boolean, or reachable other than through
    /// `properties` alone; or if there are far too many.
    pub(crate) fn of(schema: &str) -> Option<Self> {
        let mut found = Self::default();
        // Most schemas have none: spare them the walk. A name written with escapes is no reason to look, for no
        // serializer writes these letters so.
        if !schema.contains(ANNOTATION) {
            return Some(found);
        }
        walk(schema, Some(&mut Vec::new()), DEPTH, &mut found)?;
        let mut seen = HashSet::new();
        let mut headers = found.all.iter().map(|mirror| mirror.header.clone());
        headers.all(|header| seen.insert(header)).then_some(found)
    }

    /// Whether nothing is mirrored.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Bytes that they take, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The `Mcp-Param-*` headers for a call with these arguments. An argument that is absent or `null`, or that is
    /// not of the annotated kind, has none.
    pub(crate) fn headers(&self, arguments: &RawValue) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = Vec::new();
        collect(&self.all, 0, arguments, &mut headers);
        headers
    }

    /// `None` where they come to too much.
    fn push(&mut self, mirror: Mirror) -> Option<()> {
        let names = mirror.path.iter().map(|name| name.len() + NAME);
        self.bytes += size_of::<Mirror>() + names.sum::<usize>();
        self.all.push(mirror);
        (self.bytes <= MOST_BYTES).then_some(())
    }
}

/// Adds the headers for arguments in `object`, which is `depth` names below the arguments. Every object is read once: those
/// whose paths go on alike stand side by side.
fn collect(
    mirrors: &[Mirror],
    depth: usize,
    object: &RawValue,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
) {
    let Ok(members) = Members::of(object.get()) else {
        return;
    };
    // Of several members of one name the last counts.
    let members: HashMap<_, _> = members.0.into_iter().collect();
    for alike in mirrors.chunk_by(|one, other| one.path.get(depth) == other.path.get(depth)) {
        let name = alike.first().and_then(|mirror| mirror.path.get(depth));
        let Some(value) = name.and_then(|name| members.get(name.as_str())) else {
            continue;
        };
        let ends_here = |mirror: &&Mirror| mirror.path.len() == depth + 1;
        for mirror in alike.iter().filter(ends_here) {
            headers.extend(header_value(value).map(|value| (mirror.header.clone(), value)));
        }
        // An argument stands before those within it.
        let within = alike.iter().position(|mirror| !ends_here(&mirror));
        if let Some(within) = within.and_then(|first| alike.get(first..)) {
            collect(within, depth + 1, value, headers);
        }
    }
}

/// A string as it is, `true`, `false`, or a whole number in decimal.
fn header_value(value: &RawValue) -> Option<HeaderValue> {
    let raw = value.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str::<Cow<'_, str>>(raw)
            .ok()
            .map(|text| encode_value(&text)),
        b't' | b'f' => HeaderValue::from_str(raw).ok(),
        b'-' | b'0'..=b'9' => {
            let number: i64 = raw.parse().ok()?;
            HeaderValue::from_str(&number.to_string()).ok()
        }
        _ => None,
    }
}

/// Collects the annotations of one schema. `path` is `None` once a keyword other than `properties` was passed:
/// below it every annotation is invalid.
fn walk(
    schema: &str,
    mut path: Option<&mut Vec<String>>,
    depth: usize,
    found: &mut Mirrors,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    // `true`, `false`, or not a schema at all: nothing is annotated there.
    let Ok(keywords) = Members::of(schema) else {
        return Some(());
    };
    if let Some(annotation) = keywords.get(ANNOTATION) {
        let path = path.as_deref().filter(|path| !path.is_empty())?;
        let kind = keywords.get("type").map(RawValue::get);
        if !matches!(kind, Some(r#""string""# | r#""integer""# | r#""boolean""#)) {
            return None;
        }
        found.push(Mirror {
            path: path.clone(),
            header: annotated_header(annotation)?,
        })?;
    }
    for (keyword, value) in &keywords.0 {
        match keywords::named(keyword).map(|known| known.holds) {
            _ if keyword == "properties" => {
                for (name, property) in Members::of(value.get()).ok()?.0 {
                    match path.as_deref_mut() {
                        Some(path) => {
                            path.push(name.into_owned());
                            walk(property.get(), Some(path), depth, found)?;
                            path.pop();
                        }
                        None => walk(property.get(), None, depth, found)?,
                    }
                }
            }
            Some(Holds::SchemasByName) => {
                for (_, schema) in Members::of(value.get()).ok()?.0 {
                    walk(schema.get(), None, depth, found)?;
                }
            }
            Some(Holds::Data) => {}
            _ => {
                let schemas: Vec<&RawValue> =
                    serde_json::from_str(value.get()).unwrap_or_else(|_| vec![*value]);
                for schema in schemas {
                    walk(schema.get(), None, depth, found)?;
                }
            }
        }
    }
    Some(())
}

/// `Mcp-Param-{name}`, if the annotation is a string that is an HTTP token.
fn annotated_header(annotation: &RawValue) -> Option<HeaderName> {
    let name: Cow<'_, str> = serde_json::from_str(annotation.get()).ok()?;
    if name.is_empty() {
        return None;
    }
    HeaderName::from_bytes(format!("{PARAM_PREFIX}{name}").as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(schema: &str, arguments: &str) -> Vec<(String, String)> {
        Mirrors::of(schema)
            .unwrap()
            .headers(serde_json::from_str(arguments).unwrap())
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn annotated_arguments_are_mirrored() {
        let schema = r#"{"type":"object","properties":{
            "region":{"type":"string","x-mcp-header":"Region"},
            "deep":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"N"}}},
            "dry":{"type":"boolean","x-mcp-header":"Dry"},
            "plain":{"type":"string"}}}"#;
        assert_eq!(
            headers(
                schema,
                r#"{"region":"ü","deep":{"n":-7},"dry":true,"plain":"x"}"#
            ),
            [
                ("mcp-param-region", "=?base64?w7w=?="),
                ("mcp-param-n", "-7"),
                ("mcp-param-dry", "true"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(headers(schema, r#"{"region":null,"deep":1}"#), []);
        assert_eq!(
            headers(schema, r#"{"region":""}"#),
            [("mcp-param-region".to_owned(), String::new())]
        );
    }

    #[test]
    fn annotations_that_break_a_rule_make_the_tool_unusable() {
        for schema in [
            r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#,
            r#"{"properties":{"a":{"x-mcp-header":"A"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#,
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"X"},"b":{"type":"string","x-mcp-header":"x"}}}"#,
            r#"{"properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"A"}}}}"#,
            r#"{"anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#,
            r#"{"$defs":{"d":{"type":"string","x-mcp-header":"A"}}}"#,
            r#"{"type":"string","x-mcp-header":"A"}"#,
        ] {
            assert_eq!(Mirrors::of(schema), None, "{schema}");
        }
    }

    #[test]
    fn the_name_of_the_annotation_elsewhere_means_nothing() {
        for schema in [
            r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#,
            r#"{"properties":{"a":{"enum":[{"x-mcp-header":"A"}],"default":{"x-mcp-header":1}}}}"#,
            r#"{"description":"uses x-mcp-header"}"#,
        ] {
            assert_eq!(Mirrors::of(schema), Some(Mirrors::default()), "{schema}");
        }
    }

    #[test]
    fn more_than_a_request_has_room_for_is_too_much() {
        let property =
            |number| format!(r#""p{number}":{{"type":"string","x-mcp-header":"H{number}"}}"#);
        let schema = |count: usize| {
            let properties: Vec<String> = (0..count).map(property).collect();
            format!(r#"{{"properties":{{{}}}}}"#, properties.join(","))
        };
        assert_eq!(headers(&schema(300), r#"{"p0":"a","p299":"b"}"#).len(), 2);
        assert_eq!(Mirrors::of(&schema(3000)), None);
    }
}
