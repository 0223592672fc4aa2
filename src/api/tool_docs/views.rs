//! The components of schemas as each view of a document shows them. The full view loses nothing. The lean one holds the same schemas
//! without what trips consumers that know less than all of JSON Schema:
//!
//! - no `$schema` where the dialect changes nothing: converters and model APIs do not know it
//! - nothing beside `$ref`: OpenAPI 3.0 and converters to it ignore what is beside it. `references` puts a copy in its place, or else an
//!   `allOf` is written
//! - no notes of titles and of where definitions have come from
//!
//! In both, no component has a title: generators would take it for its name, and servers give several schemas one title.

use serde_json::value::RawValue;

use crate::api::tool_docs::embed::KEYWORDS;
use crate::api::tool_docs::node::{Node, Object};
use crate::api::tool_docs::references::{self, Copies};
use crate::json::{text_member, text_of};
use crate::schema::dialect;

/// Where the full view notes the title of a component.
const TITLE: &str = "x-mcp-title";

/// A component in the full view.
pub(crate) fn full(node: Node<'_>) -> Node<'_> {
    let members = match node.into_members() {
        Ok(members) => members,
        Err(node) => return node,
    };
    let renamed = members.into_iter().map(|(name, node)| match name.as_ref() {
        "title" => (TITLE.into(), node),
        _ => (name, node),
    });
    Node::Object(renamed.collect())
}

/// The components of one schema in the lean view. `copies` are those that its document may still get.
pub(crate) fn lean<'a>(
    schema: &RawValue,
    components: Vec<(String, Node<'a>)>,
    copies: &mut Copies,
) -> Vec<(String, Node<'a>)> {
    // A resource of its own was not taken apart, so that its references may lead anywhere in it.
    let is_apart = components.iter().all(|(_, node)| !node.has("$id"));
    let matters = text_member(schema, "$schema").is_some_and(|dialect| {
        dialect::matters(schema.get(), &dialect) || !is_apart && !dialect::is_default(&dialect)
    });
    let kept = components.into_iter();
    let kept: Vec<_> = kept
        .map(|(name, node)| (name, component(node, matters)))
        .collect();
    // Up to draft 7, what is beside a reference is ignored.
    if matters {
        return kept;
    }
    let followed = if is_apart {
        references::followed(kept, copies)
    } else {
        kept
    };
    let followed = followed.into_iter();
    followed.map(|(name, node)| (name, apart(node))).collect()
}

fn component(node: Node<'_>, dialect_matters: bool) -> Node<'_> {
    let members = match node.into_members() {
        Ok(members) => members,
        Err(node) => return node,
    };
    let is_kept = |name: &str| match name {
        "title" => false,
        "$schema" => dialect_matters,
        _ => KEYWORDS.iter().all(|(_, noted)| *noted != name),
    };
    let members = members.into_iter().filter(|(name, _)| is_kept(name));
    Node::Object(members.collect())
}

/// With every reference that has something beside it in an `allOf`.
fn apart(node: Node<'_>) -> Node<'_> {
    match node {
        Node::Object(members) => {
            let members = members.into_iter();
            let members = members.map(|(name, node)| (name, apart(node)));
            Node::Object(alone(members.collect()))
        }
        Node::Array(items) => Node::Array(items.into_iter().map(apart).collect()),
        other => other,
    }
}

fn alone(mut members: Object<'_>) -> Object<'_> {
    let is_reference = |(name, node): &(_, Node<'_>)| {
        let is_text = match node {
            Node::Text(_) => true,
            Node::AsItIs(raw) => text_of(raw).is_some(),
            _ => false,
        };
        name == "$ref" && is_text
    };
    let Some(index) = members.iter().position(is_reference) else {
        return members;
    };
    if members.len() == 1 {
        return members;
    }
    let reference = Node::Object(vec![members.remove(index)]);
    match members.iter_mut().find(|(name, _)| name == "allOf") {
        Some((_, Node::Array(items))) => items.insert(0, reference),
        // Something that is no list, or nested in a resource of its own.
        Some((_, other)) => {
            let all = std::mem::replace(other, Node::Array(Vec::new()));
            let both = vec![reference, Node::Object(vec![("allOf".into(), all)])];
            *other = Node::Array(both);
        }
        None => members.insert(0, ("allOf".into(), Node::Array(vec![reference]))),
    }
    members
}
