//! What a client must know of a server's tools before it calls one: their names and definitions, which arguments are
//! mirrored into headers (`x-mcp-header`, 2026-07-28), and whether running one does harm, or running it twice.
//!
//! Lists themselves are never served from here: `GET .../tools` always asks the server. A search looks here. How lists are fetched is
//! `client`'s part; how their bytes are cut and joined is `lists`'s.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use awc::http::header::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

use super::header::{PARAM_PREFIX, encode_value};
use super::lists::Freshness;
use super::message::Members;

/// A list is trusted at least this long, so that a server that says nothing, or 0, is not listed on every call. What
/// it may miss is put right by the server: a header that is missing is refused with -32020, and an unknown tool is
/// looked for in a fresh list.
const FLOOR: Duration = Duration::from_secs(30);
/// And at most this long, whatever `ttlMs` says.
const CEILING: Duration = Duration::from_secs(3600);
/// Two lists asked for within this time are taken for the same.
const JUST_NOW: Duration = Duration::from_secs(2);
/// Tools of one server that are remembered.
const MOST_TOOLS: usize = 20_000;
/// How deep an `inputSchema` is searched for annotations.
const DEPTH: usize = 64;
/// How many close names a caller is offered.
const SUGGESTIONS: usize = 3;

/// What is known of one server's tools.
#[derive(Debug)]
pub struct Tools {
    by_name: BTreeMap<String, Tool>,
    in_order: Vec<String>,
    /// Every tool of the server is in `by_name`.
    complete: bool,
    fetched: Instant,
    lifetime: Duration,
    /// What the server says of keeping the list, all pages considered.
    freshness: Option<Freshness>,
}

/// What is known of one tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The whole definition, as it came.
    pub definition: Box<RawValue>,
    /// Arguments that go into headers; `None` if the annotations break the rules, so that the tool must not be used.
    mirrors: Option<Vec<Mirror>>,
    /// `readOnlyHint` or `idempotentHint`.
    idempotent: bool,
    read_only: bool,
}

/// An argument that a modern server wants in a header as well.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mirror {
    /// Where it is: names of properties from the arguments object down.
    path: Vec<String>,
    header: HeaderName,
}

// === impl Tools ===

impl Tools {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            by_name: BTreeMap::new(),
            in_order: Vec::new(),
            complete: true,
            fetched: Instant::now(),
            lifetime: CEILING,
            freshness: None,
        }
    }

    /// Those of a server that cannot list its tools: nothing is known of any.
    pub(super) fn unlistable() -> Self {
        Self {
            complete: false,
            lifetime: FLOOR,
            ..Self::new()
        }
    }

    /// Adds the definitions of one page. The page that lives shortest counts for the whole list; no `ttlMs` means 0.
    pub(super) fn add(&mut self, definitions: &[&RawValue], freshness: Freshness) {
        let said = freshness.ttl.unwrap_or_default();
        self.freshness = Some(match self.freshness {
            Some(others) => others.and(freshness),
            None => freshness,
        });
        self.lifetime = self.lifetime.min(said.clamp(FLOOR, CEILING));
        for definition in definitions {
            if self.by_name.len() >= MOST_TOOLS {
                self.complete = false;
                return;
            }
            if let Some((name, tool)) = Tool::read(definition)
                && self.by_name.insert(name.clone(), tool).is_none()
            {
                self.in_order.push(name);
            }
        }
    }

    /// For how long and by whom the list may be kept, as the server says.
    pub fn freshness(&self) -> Freshness {
        self.freshness.unwrap_or_default()
    }

    /// Whether a tool that is not here is not on the server.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether what is known may still be used.
    pub(super) fn is_fresh(&self) -> bool {
        self.fetched.elapsed() < self.lifetime
    }

    /// Whether the server was asked only a moment ago, so that asking again would bring nothing new.
    pub(super) fn is_new(&self) -> bool {
        self.fetched.elapsed() < JUST_NOW
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name)
    }

    /// The tools that may be used, with their names, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tool)> {
        self.in_order
            .iter()
            .filter_map(move |name| self.by_name.get_key_value(name))
            .filter(|(_, tool)| tool.is_usable())
            .map(|(name, tool)| (name.as_str(), tool))
    }

    /// Whether the list has a tool of that name that may be used.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(Tool::is_usable)
    }

    /// The names closest to `name`: those that a slip of the hand or a wrong case leads away from.
    pub fn similar_to(&self, name: &str) -> Vec<String> {
        similar(
            self.by_name
                .iter()
                .filter(|(_, tool)| tool.is_usable())
                .map(|(name, _)| name.as_str()),
            name,
        )
    }
}

// === impl Tool ===

impl Tool {
    /// Name and facts of one definition; `None` if it has no name.
    pub(super) fn read(definition: &RawValue) -> Option<(String, Self)> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Definition<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(borrow)]
            input_schema: Option<&'a RawValue>,
            #[serde(borrow)]
            annotations: Option<&'a RawValue>,
        }
        let tool: Definition<'_> = serde_json::from_str(definition.get()).ok()?;
        let hint = |name: &str| {
            tool.annotations
                .and_then(|raw| Members::of(raw.get()).ok())
                .and_then(|members| members.get(name))
                .is_some_and(|value| value.get() == "true")
        };
        let facts = Self {
            mirrors: tool
                .input_schema
                .map_or_else(|| Some(Vec::new()), |schema| mirrors(schema.get())),
            idempotent: hint("readOnlyHint") || hint("idempotentHint"),
            read_only: hint("readOnlyHint"),
            definition: definition.to_owned(),
        };
        Some((tool.name.into_owned(), facts))
    }

    /// Whether the annotations keep the rules. A client must not use a tool whose do not (2026-07-28).
    pub(super) fn is_usable(&self) -> bool {
        self.mirrors.is_some()
    }

    /// Whether running it twice does no harm, by its own annotations.
    pub(super) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Whether running it changes nothing, by its own annotations.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The JSON Schema of its arguments, as it came.
    pub fn input_schema(&self) -> Option<&RawValue> {
        self.member("inputSchema")
    }

    /// A member of its definition.
    pub fn member(&self, name: &str) -> Option<&RawValue> {
        Members::of(self.definition.get()).ok()?.get(name)
    }

    /// The `Mcp-Param-*` headers for a call with these arguments. An argument that is absent or `null`, or that is
    /// not of the annotated kind, has none.
    pub(super) fn headers(&self, arguments: &RawValue) -> Vec<(HeaderName, HeaderValue)> {
        let mirrors = self.mirrors.as_deref().unwrap_or_default();
        mirrors
            .iter()
            .filter_map(|mirror| {
                let value = argument_at(arguments, &mirror.path)?;
                Some((mirror.header.clone(), header_value(value)?))
            })
            .collect()
    }
}

fn argument_at<'a>(arguments: &'a RawValue, path: &[String]) -> Option<&'a RawValue> {
    path.iter().try_fold(arguments, |object, name| {
        Members::of(object.get()).ok()?.get(name)
    })
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

// === x-mcp-header ===

const ANNOTATION: &str = "x-mcp-header";

/// The annotated arguments of a schema, or `None` if an annotation breaks a rule of 2026-07-28: not a token, not
/// unique without regard to case, on a type other than string, integer or boolean, or reachable other than through
/// `properties` alone.
fn mirrors(schema: &str) -> Option<Vec<Mirror>> {
    // Most schemas have none: spare them the walk. A name written with escapes is no reason to look, for no
    // serializer writes these letters so.
    if !schema.contains(ANNOTATION) {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    walk(schema, Some(&mut Vec::new()), DEPTH, &mut found)?;
    let mut seen = HashSet::new();
    found
        .iter()
        .all(|mirror: &Mirror| seen.insert(mirror.header.clone()))
        .then_some(found)
}

/// Collects the annotations of one schema. `path` is `None` once a keyword other than `properties` was passed:
/// below it every annotation is a mistake.
fn walk(
    schema: &str,
    mut path: Option<&mut Vec<String>>,
    depth: usize,
    found: &mut Vec<Mirror>,
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
        });
    }
    for (keyword, value) in &keywords.0 {
        match keyword.as_ref() {
            "properties" => {
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
            "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                for (_, schema) in Members::of(value.get()).ok()?.0 {
                    walk(schema.get(), None, depth, found)?;
                }
            }
            // Data, not schemas: an annotation's name means nothing in there.
            "enum" | "const" | "default" | "examples" | "required" => {}
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

// === didYouMean ===

/// Up to three of `names` that are close to `wanted`: at most a third of its letters away, case aside.
pub(super) fn similar<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(128).collect();
    let most = (wanted.len() / 3).max(1);
    let mut close: Vec<(usize, &str)> = names
        .filter(|name| name.len() <= 512)
        .map(|name| (distance(&wanted, name), name))
        .filter(|(distance, _)| *distance <= most)
        .collect();
    close.sort_unstable();
    close.truncate(SUGGESTIONS);
    close.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein's distance between `wanted` (in lower case) and `name`.
fn distance(wanted: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (line, letter) in name.to_lowercase().chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (expected, cell) in wanted.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(*expected != letter);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(schema: &str) -> Tool {
        let definition = format!(r#"{{"name":"t","inputSchema":{schema}}}"#);
        Tool::read(serde_json::from_str(&definition).unwrap())
            .unwrap()
            .1
    }

    fn headers(schema: &str, arguments: &str) -> Vec<(String, String)> {
        tool(schema)
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
            assert!(!tool(schema).is_usable(), "{schema}");
        }
    }

    #[test]
    fn the_name_of_the_annotation_elsewhere_means_nothing() {
        for schema in [
            r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#,
            r#"{"properties":{"a":{"enum":[{"x-mcp-header":"A"}],"default":{"x-mcp-header":1}}}}"#,
            r#"{"description":"uses x-mcp-header"}"#,
        ] {
            assert_eq!(tool(schema).mirrors, Some(vec![]), "{schema}");
        }
    }

    #[test]
    fn close_names_are_offered() {
        let names = ["echo", "add", "get-sum", "Echo2"];
        assert_eq!(similar(names.into_iter(), "ecoh"), Vec::<String>::new());
        assert_eq!(similar(names.into_iter(), "ECHO"), ["echo", "Echo2"]);
        assert_eq!(similar(names.into_iter(), "getsum"), ["get-sum"]);
        assert!(similar(names.into_iter(), "no_such_tool").is_empty());
    }

    #[test]
    fn hints_are_read() {
        let read = |annotations: &str| {
            let raw = format!(r#"{{"name":"t","annotations":{annotations}}}"#);
            Tool::read(serde_json::from_str(&raw).unwrap()).unwrap().1
        };
        assert!(read(r#"{"readOnlyHint":true}"#).is_idempotent());
        assert!(read(r#"{"idempotentHint":true}"#).is_idempotent());
        assert!(!read(r#"{"readOnlyHint":"true"}"#).is_idempotent());
        assert!(!read("null").is_idempotent());
    }
}
