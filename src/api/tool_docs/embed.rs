//! JSON Schemas of tools as components of an OpenAPI 3.1 document: nothing is resolved, nothing is lost, and every reference
//! within a schema leads where it led before.
//!
//! Most schemas refer to themselves by JSON pointers alone. Those pointers are moved to where the schema now is, and its
//! definitions become components of their own, because generators find nothing deeper; the schema notes where they are in
//! `x-mcp-defs`. A schema with anchors or dynamic references is made a resource of its own by an `$id` instead, and one that has
//! an `$id` is one already: nothing in them needs to change. No number, and no value that is data, is printed anew.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::tool_docs::names::component_part;
use crate::json::Members;

/// Where components of schemas are.
pub(crate) const SCHEMAS: &str = "#/components/schemas/";

/// A schema, as far as it had to be taken apart.
#[derive(Debug)]
pub(crate) enum Node<'a> {
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    Array(Vec<Node<'a>>),
    Text(String),
    /// As it came.
    AsItIs(&'a RawValue),
    /// Not from a server.
    Ours(Value),
    /// The same where many have it.
    Shared(&'a Value),
    /// Written already: as a tree it takes ten times the memory.
    Written(Box<RawValue>),
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Object(members) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in members {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
            Self::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(item)?;
                }
                list.end()
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::AsItIs(raw) => raw.serialize(serializer),
            Self::Ours(value) => value.serialize(serializer),
            Self::Shared(value) => value.serialize(serializer),
            Self::Written(raw) => raw.serialize(serializer),
        }
    }
}

/// Where a title is noted that generators would take for the name of another component.
pub(crate) const TITLE: &str = "x-mcp-title";

impl Node<'_> {
    /// `title` at the root.
    pub(crate) fn title(&self) -> Option<String> {
        let found = match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == "title"),
            Self::AsItIs(raw) => return text(Members::of(raw.get()).ok()?.get("title")),
            _ => None,
        };
        match found {
            Some((_, Self::AsItIs(raw))) => text(Some(raw)),
            _ => None,
        }
    }

    /// The same with its title under [`TITLE`].
    pub(crate) fn without_title(self) -> Self {
        let members = match self {
            Self::Object(members) => members,
            Self::AsItIs(raw) => match Members::of(raw.get()) {
                Ok(members) => as_they_are(members).collect(),
                Err(_) => return self,
            },
            other => return other,
        };
        let renamed = members.into_iter().map(|(name, node)| match name.as_ref() {
            "title" => (TITLE.into(), node),
            _ => (name, node),
        });
        Self::Object(renamed.collect())
    }
}

/// The components that `schema` becomes under the name `base`: itself first, then its definitions. `shared_ids` are the `$id`s
/// that other schemas of the same document have as well.
pub(crate) fn embed<'a>(
    schema: &'a RawValue,
    base: &str,
    shared_ids: &HashSet<String>,
) -> Vec<(String, Node<'a>)> {
    let Ok(members) = Members::of(schema.get()) else {
        // `true` or `false`.
        return vec![(base.to_owned(), Node::AsItIs(schema))];
    };
    if let Some(id) = text(members.get("$id")) {
        let node = if shared_ids.contains(&id) {
            distinguished(members, &id, base)
        } else {
            Node::AsItIs(schema)
        };
        return vec![(base.to_owned(), node)];
    }
    let Some(definitions) = Definitions::of(&members, base) else {
        return vec![(base.to_owned(), isolated(members, base))];
    };
    if !refers_by_pointers_alone(schema) {
        return vec![(base.to_owned(), isolated(members, base))];
    }
    definitions.embed(members)
}

/// The `$id` at the root of a schema.
pub(crate) fn id_of(schema: &RawValue) -> Option<String> {
    text(Members::of(schema.get()).ok()?.get("$id"))
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

fn as_they_are(members: Members<'_>) -> impl Iterator<Item = (Cow<'_, str>, Node<'_>)> {
    let nodes = members.0.into_iter();
    nodes.map(|(name, value)| (name, Node::AsItIs(value)))
}

/// The `$id` that a schema without one gets, where it needs one.
pub(crate) fn own_id(base: &str) -> String {
    format!("mcp-rest://schemas/{base}/")
}

/// As a resource of its own: anchors and references in it concern nothing else in the document.
fn isolated<'a>(members: Members<'a>, base: &str) -> Node<'a> {
    let id = ("$id".into(), Node::Text(own_id(base)));
    Node::Object(std::iter::once(id).chain(as_they_are(members)).collect())
}

/// With an `$id` that no other schema has. References relative to it lead where they led.
fn distinguished<'a>(members: Members<'a>, id: &str, base: &str) -> Node<'a> {
    let (before, fragment) = id.split_once('#').unwrap_or((id, ""));
    let separator = if before.contains('?') { '&' } else { '?' };
    let hash = if id.contains('#') { "#" } else { "" };
    let unique = format!("{before}{separator}tool={base}{hash}{fragment}");
    let members = as_they_are(members).map(|(name, node)| match name.as_ref() {
        "$id" => (name, Node::Text(unique.clone())),
        _ => (name, node),
    });
    Node::Object(members.collect())
}

// === keywords (JSON Schema drafts 4 to 2020-12) ===

/// Keywords whose value is a schema, or in older drafts perhaps a list of them.
const SCHEMA: &[&str] = &[
    "additionalProperties",
    "unevaluatedProperties",
    "items",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
    "allOf",
    "anyOf",
    "oneOf",
    "prefixItems",
];
/// Keywords whose value has schemas as its members.
const SCHEMAS_BY_NAME: &[&str] = &[
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
    "dependencies",
];
/// Keywords that have a meaning within a resource only.
const WITHIN_A_RESOURCE: &[&str] = &[
    "$anchor",
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveRef",
    "$recursiveAnchor",
    // Draft 4.
    "id",
];

/// Whether every reference in a schema to itself is a JSON pointer, and nothing but pointers depends on where it is.
fn refers_by_pointers_alone(schema: &RawValue) -> bool {
    every_schema(schema, &mut |members| {
        let special = WITHIN_A_RESOURCE
            .iter()
            .filter_map(|keyword| members.get(keyword))
            .any(|value| value.get().starts_with(['"', 't']));
        let elsewhere = text(members.get("$ref")).is_some_and(|reference| {
            reference
                .strip_prefix('#')
                .is_some_and(|pointer| !leads_to_a_schema(pointer))
        });
        // Its meaning depends on where the schema is.
        let relative = text(members.get("$id")).is_some_and(|id| !id.contains(':'));
        !special && !elsewhere && !relative
    })
}

/// Whether a pointer goes through keywords that hold schemas alone. What is under another is not known to be one, and what it refers
/// to would stay where it was.
fn leads_to_a_schema(pointer: &str) -> bool {
    if pointer.is_empty() {
        return true;
    }
    let Some(tokens) = pointer.strip_prefix('/') else {
        return false;
    };
    let mut tokens = tokens.split('/').map(unescaped).peekable();
    while let Some(keyword) = tokens.next() {
        if SCHEMAS_BY_NAME.contains(&keyword.as_str()) {
            // All of them, or one.
            tokens.next();
        } else if SCHEMA.contains(&keyword.as_str()) {
            let is_index = |token: &String| token.bytes().all(|byte| byte.is_ascii_digit());
            tokens.next_if(is_index);
        } else {
            return false;
        }
    }
    true
}

/// Whether something holds for a schema and all schemas in it, but those within resources of their own.
fn every_schema(schema: &RawValue, holds: &mut impl FnMut(&Members<'_>) -> bool) -> bool {
    if schema.get().starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(schema.get()).unwrap_or_default();
        return items.into_iter().all(|item| every_schema(item, holds));
    }
    let Ok(members) = Members::of(schema.get()) else {
        return true;
    };
    if !holds(&members) {
        return false;
    }
    // What is in a resource of its own is not about this one.
    if members.get("$id").is_some() {
        return true;
    }
    members.0.iter().all(|(keyword, value)| {
        if SCHEMA.contains(&keyword.as_ref()) {
            return every_schema(value, holds);
        }
        if SCHEMAS_BY_NAME.contains(&keyword.as_ref())
            && let Ok(named) = Members::of(value.get())
        {
            return named
                .0
                .iter()
                .all(|(_, schema)| every_schema(schema, holds));
        }
        true
    })
}

// === pointers and definitions ===

/// Where the parts of one schema are in the document.
struct Definitions {
    base: String,
    /// `$schema` at the root, which its definitions need too once they are apart.
    dialect: Option<String>,
    /// Components by keyword and name.
    places: HashMap<(&'static str, String), String>,
}

const KEYWORDS: [(&str, &str); 2] = [
    ("$defs", "x-mcp-defs"),
    ("definitions", "x-mcp-definitions"),
];

impl Definitions {
    /// `None` if they cannot be taken out.
    fn of(root: &Members<'_>, base: &str) -> Option<Self> {
        let mut definitions = Self {
            base: base.to_owned(),
            dialect: text(root.get("$schema")),
            places: HashMap::new(),
        };
        let mut taken = HashSet::new();
        for (keyword, noted) in KEYWORDS {
            let Some(value) = root.get(keyword) else {
                continue;
            };
            let times = root.0.iter().filter(|(name, _)| name == keyword).count();
            if times > 1 || root.get(noted).is_some() {
                return None;
            }
            for (name, schema) in &Members::of(value.get()).ok()?.0 {
                let members = Members::of(schema.get());
                let is_apart = |it: &Members<'_>| {
                    it.get("$schema")
                        .or(it.get("$id"))
                        .or(it.get("id"))
                        .is_some()
                };
                // A draft other than the document's cannot be declared in `true`.
                let undeclarable = members.is_err() && definitions.dialect.is_some();
                if undeclarable || members.as_ref().is_ok_and(is_apart) {
                    return None;
                }
                let mut place = format!("{base}.{}", component_part(name));
                while !taken.insert(place.clone()) {
                    place.push('_');
                }
                let key = (keyword, name.to_string());
                if definitions.places.insert(key, place).is_some() {
                    return None;
                }
            }
        }
        Some(definitions)
    }

    /// The schema and its definitions, each on its own.
    fn embed<'a>(&self, root: Members<'a>) -> Vec<(String, Node<'a>)> {
        let mut apart = Vec::new();
        let mut own = Vec::new();
        for (keyword, value) in root.0 {
            let known = KEYWORDS.iter().find(|(known, _)| *known == keyword);
            let Some((known, noted)) = known else {
                let node = self.keyword(&keyword, value);
                own.push((keyword, node));
                continue;
            };
            let mut places = Vec::new();
            for (name, schema) in Members::of(value.get()).map_or(Vec::new(), |it| it.0) {
                let Some(place) = self.places.get(&(*known, name.to_string())) else {
                    continue;
                };
                let reference = Node::Text(format!("{SCHEMAS}{place}"));
                places.push((name, reference));
                apart.push((place.clone(), self.declared(self.schema(schema))));
            }
            own.push(((*noted).into(), Node::Object(places)));
        }
        let whole = (self.base.clone(), Node::Object(own));
        std::iter::once(whole).chain(apart).collect()
    }

    /// A definition with the dialect of the schema it was in.
    fn declared<'a>(&self, definition: Node<'a>) -> Node<'a> {
        match (definition, &self.dialect) {
            (Node::Object(mut members), Some(dialect)) => {
                members.insert(0, ("$schema".into(), Node::Text(dialect.clone())));
                Node::Object(members)
            }
            (definition, _) => definition,
        }
    }

    fn schema<'a>(&self, schema: &'a RawValue) -> Node<'a> {
        if schema.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(schema.get()).unwrap_or_default();
            return Node::Array(items.into_iter().map(|item| self.schema(item)).collect());
        }
        match Members::of(schema.get()) {
            Ok(members) if members.get("$id").is_none() => {
                let members = members.0.into_iter();
                Node::Object(
                    members
                        .map(|(keyword, value)| {
                            let node = self.keyword(&keyword, value);
                            (keyword, node)
                        })
                        .collect(),
                )
            }
            _ => Node::AsItIs(schema),
        }
    }

    fn keyword<'a>(&self, keyword: &str, value: &'a RawValue) -> Node<'a> {
        if keyword == "$ref" {
            return self.reference(value);
        }
        if keyword == "discriminator" {
            return self.discriminator(value);
        }
        if SCHEMA.contains(&keyword) {
            return self.schema(value);
        }
        if SCHEMAS_BY_NAME.contains(&keyword)
            && let Ok(named) = Members::of(value.get())
        {
            let named = named.0.into_iter();
            return Node::Object(
                named
                    .map(|(name, schema)| (name, self.schema(schema)))
                    .collect(),
            );
        }
        Node::AsItIs(value)
    }

    /// Where a reference to a part of the schema leads now.
    fn moved(&self, reference: &str) -> Option<String> {
        // Empty, it is the schema itself, as `#` is.
        let pointer = match reference {
            "" => "",
            _ => reference.strip_prefix('#')?,
        };
        let mut tokens = pointer.splitn(4, '/').skip(1);
        let (keyword, name, rest) = (tokens.next(), tokens.next(), tokens.next());
        let keyword = keyword.map(unescaped).unwrap_or_default();
        let Some((keyword, noted)) = KEYWORDS.iter().find(|(known, _)| *known == keyword) else {
            return Some(format!("{SCHEMAS}{}{pointer}", self.base));
        };
        let Some(name) = name else {
            return Some(format!("{SCHEMAS}{}/{noted}", self.base));
        };
        let place = self.places.get(&(*keyword, unescaped(name)))?;
        let rest = rest.map_or_else(String::new, |rest| format!("/{rest}"));
        Some(format!("{SCHEMAS}{place}{rest}"))
    }

    /// OpenAPI's `discriminator`, which pydantic writes: its mapping holds references.
    fn discriminator<'a>(&self, value: &'a RawValue) -> Node<'a> {
        let Ok(members) = Members::of(value.get()) else {
            return Node::AsItIs(value);
        };
        let members = members.0.into_iter().map(|(name, member)| {
            let mapping = (name == "mapping")
                .then(|| Members::of(member.get()).ok())
                .flatten();
            let node = mapping.map_or(Node::AsItIs(member), |mapping| {
                let named = mapping.0.into_iter();
                Node::Object(named.map(|(name, to)| (name, self.reference(to))).collect())
            });
            (name, node)
        });
        Node::Object(members.collect())
    }

    fn reference<'a>(&self, value: &'a RawValue) -> Node<'a> {
        let moved = text(Some(value)).and_then(|reference| self.moved(&reference));
        moved.map_or(Node::AsItIs(value), Node::Text)
    }
}

/// A token of a JSON pointer in a URI fragment (RFC 6901, section 6).
fn unescaped(token: &str) -> String {
    let decoded = percent_decode_str(token).decode_utf8_lossy();
    decoded.replace("~1", "/").replace("~0", "~")
}
