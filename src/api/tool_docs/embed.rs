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
use serde_json::value::RawValue;

use crate::api::openapi::common::SCHEMAS;
use crate::api::tool_docs::names::{Names, pascal_case};
use crate::api::tool_docs::node::{Node, as_they_are};
use crate::json::{Members, text_of};
use crate::schema::keywords::{self, Holds};

/// How deep schemas may be nested whose references are moved.
const DEPTH: usize = 400;

/// The components that `schema` becomes under the name `base`: itself first, then its definitions. `shared_ids` are the `$id`s
/// that other schemas of the same document have as well, `names` those of its components.
pub(crate) fn embed<'a>(
    schema: &'a RawValue,
    base: &str,
    shared_ids: &HashSet<String>,
    names: &mut Names,
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
    let components = Definitions::of(&members, base, names).and_then(|it| it.embed(&members));
    components.unwrap_or_else(|| vec![(base.to_owned(), isolated(members, base))])
}

/// The `$id` at the root of a schema.
pub(crate) fn id_of(schema: &RawValue) -> Option<String> {
    text(Members::of(schema.get()).ok()?.get("$id"))
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    text_of(raw?).map(Cow::into_owned)
}

/// An object whose members are what `node` makes of each; `None` if it makes nothing of one.
fn object<'a>(
    members: &Members<'a>,
    mut node: impl FnMut(&str, &'a RawValue) -> Option<Node<'a>>,
) -> Option<Node<'a>> {
    let members = members.0.iter();
    let nodes = members.map(|(name, value)| Some((name.clone(), node(name, value)?)));
    nodes.collect::<Option<_>>().map(Node::Object)
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

// === references ===

/// Whether a schema means something else once it is in another place: by a keyword that is about the resource it is in, or by a
/// reference that is no JSON pointer to a schema.
fn depends_on_place(schema: &Members<'_>) -> bool {
    schema.0.iter().any(|(name, value)| {
        let said = text_of(value);
        match keywords::named(name).map(|keyword| keyword.holds) {
            Some(Holds::Identifier) if name == "$id" => said.is_some_and(|id| !id.contains(':')),
            Some(Holds::Anchor | Holds::DynamicReference | Holds::Identifier) => {
                value.get().starts_with(['"', 't'])
            }
            Some(Holds::Reference) => said.is_some_and(|reference| {
                let pointer = reference.strip_prefix('#');
                pointer.is_some_and(|pointer| !leads_to_a_schema(pointer))
            }),
            _ => false,
        }
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
        match keywords::named(&keyword).map(|keyword| keyword.holds) {
            // All of them are no schema.
            Some(Holds::SchemasByName) => match tokens.next() {
                None => return false,
                one => one,
            },
            Some(Holds::Schemas) => {
                tokens.next_if(|token| token.bytes().all(|byte| byte.is_ascii_digit()))
            }
            _ => return false,
        };
    }
    true
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

/// Keywords for definitions, and where a schema notes what became of them.
pub(crate) const KEYWORDS: [(&str, &str); 2] = [
    ("$defs", "x-mcp-defs"),
    ("definitions", "x-mcp-definitions"),
];

impl Definitions {
    /// `None` if they cannot be taken out.
    fn of(root: &Members<'_>, base: &str, names: &mut Names) -> Option<Self> {
        let mut definitions = Self {
            base: base.to_owned(),
            dialect: text(root.get("$schema")),
            places: HashMap::new(),
        };
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
                let place = names.component(&format!("{base}{}", pascal_case(name)), name);
                let key = (keyword, name.to_string());
                if definitions.places.insert(key, place).is_some() {
                    return None;
                }
            }
        }
        Some(definitions)
    }

    /// The schema and its definitions, each on its own. `None` if something in it depends on its place.
    fn embed<'a>(&self, root: &Members<'a>) -> Option<Vec<(String, Node<'a>)>> {
        if depends_on_place(root) {
            return None;
        }
        let mut apart = Vec::new();
        let mut own = Vec::new();
        for (keyword, value) in &root.0 {
            let known = KEYWORDS.iter().find(|(known, _)| known == keyword);
            let Some((known, noted)) = known else {
                own.push((keyword.clone(), self.keyword(keyword, value, DEPTH)?));
                continue;
            };
            let mut places = Vec::new();
            for (name, schema) in Members::of(value.get()).map_or(Vec::new(), |it| it.0) {
                let Some(place) = self.places.get(&(*known, name.to_string())) else {
                    continue;
                };
                let reference = Node::Text(format!("{SCHEMAS}{place}"));
                places.push((name, reference));
                let definition = self.schema(schema, DEPTH)?;
                apart.push((place.clone(), self.declared(definition)));
            }
            own.push(((*noted).into(), Node::Object(places)));
        }
        let whole = (self.base.clone(), Node::Object(own));
        Some(std::iter::once(whole).chain(apart).collect())
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

    /// A schema with its references moved. `None` if something in it depends on its place, or it is nested too deep to tell.
    fn schema<'a>(&self, schema: &'a RawValue, depth: usize) -> Option<Node<'a>> {
        let depth = depth.checked_sub(1)?;
        if schema.get().starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(schema.get()).unwrap_or_default();
            let nodes = items.into_iter().map(|item| self.schema(item, depth));
            return nodes.collect::<Option<_>>().map(Node::Array);
        }
        match Members::of(schema.get()) {
            Ok(members) if depends_on_place(&members) => None,
            // What is in a resource of its own is not about this one.
            Ok(members) if members.get("$id").is_none() => {
                object(&members, |name, value| self.keyword(name, value, depth))
            }
            _ => Some(Node::AsItIs(schema)),
        }
    }

    fn keyword<'a>(&self, name: &str, value: &'a RawValue, depth: usize) -> Option<Node<'a>> {
        match keywords::named(name).map(|keyword| keyword.holds) {
            Some(Holds::Reference) => Some(self.reference(value)),
            Some(Holds::Schemas) => self.schema(value, depth),
            Some(Holds::SchemasByName) => match Members::of(value.get()) {
                Ok(named) => object(&named, |_, schema| self.schema(schema, depth)),
                Err(_) => Some(Node::AsItIs(value)),
            },
            _ if name == "discriminator" => self.discriminator(value),
            _ => Some(Node::AsItIs(value)),
        }
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
        let Some((keyword, _)) = KEYWORDS.iter().find(|(known, _)| *known == keyword) else {
            return Some(format!("{SCHEMAS}{}{pointer}", self.base));
        };
        let place = self.places.get(&(*keyword, unescaped(name?)))?;
        let rest = rest.map_or_else(String::new, |rest| format!("/{rest}"));
        Some(format!("{SCHEMAS}{place}{rest}"))
    }

    /// OpenAPI's `discriminator`, which pydantic writes: its mapping holds references.
    fn discriminator<'a>(&self, value: &'a RawValue) -> Option<Node<'a>> {
        let Ok(members) = Members::of(value.get()) else {
            return Some(Node::AsItIs(value));
        };
        object(&members, |name, member| match Members::of(member.get()) {
            Ok(mapping) if name == "mapping" => object(&mapping, |_, to| Some(self.reference(to))),
            _ => Some(Node::AsItIs(member)),
        })
    }

    fn reference<'a>(&self, value: &'a RawValue) -> Node<'a> {
        let moved = text_of(value).and_then(|reference| self.moved(&reference));
        moved.map_or(Node::AsItIs(value), Node::Text)
    }
}

/// A token of a JSON pointer in a URI fragment (RFC 6901, section 6).
fn unescaped(token: &str) -> String {
    let decoded = percent_decode_str(token).decode_utf8_lossy();
    decoded.replace("~1", "/").replace("~0", "~")
}
