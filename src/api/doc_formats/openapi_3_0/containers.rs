//! Keywords for members and items: OpenAPI 3.0 has no patterns for names and no positions.

use serde_json::json;
use serde_json::value::RawValue;

use crate::api::doc_formats::openapi_3_0::converter::{Converter, Scope, distinct};
use crate::api::doc_formats::openapi_3_0::draft::Draft;
use crate::api::tool_docs::node::{Node, Object};
use crate::json::Members;

impl<'a> Converter<'a> {
    pub(super) fn properties(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        name: &str,
        value: &'a RawValue,
        scope: Scope,
        depth: usize,
    ) {
        if name == "additionalProperties" {
            return self.additional_properties(draft, siblings, value, scope, depth);
        }
        let Ok(named) = Members::of(value.get()) else {
            return self.losses.assertion(name);
        };
        if name == "properties" {
            let nodes = self.at(name, |it| it.named(&named, scope, depth));
            draft.own.push(("properties".into(), Node::Object(nodes)));
        } else if !named.0.is_empty() {
            self.losses.assertion(name);
        }
    }

    fn named(&mut self, named: &Members<'a>, scope: Scope, depth: usize) -> Object<'a> {
        let named = distinct(named).map(|(name, schema)| {
            let node = self.at(&name, |it| it.schema(schema, scope, depth + 1));
            (name, node)
        });
        named.collect()
    }

    /// Members that match a pattern are additional ones to 3.0.
    fn additional_properties(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        value: &'a RawValue,
        scope: Scope,
        depth: usize,
    ) {
        let patterns = siblings.get("patternProperties");
        let patterns = patterns.and_then(|it| Members::of(it.get()).ok());
        let patterns = patterns.filter(|it| !it.0.is_empty());
        let name = "additionalProperties";
        let node = match (value.get(), patterns) {
            ("true", _) | ("false", None) => Node::AsItIs(value),
            (other, patterns) => {
                let matching = patterns
                    .map(|it| self.at("patternProperties", |this| this.named(&it, scope, depth)));
                let mut nodes: Vec<Node<'a>> = matching
                    .into_iter()
                    .flatten()
                    .map(|(_, node)| node)
                    .collect();
                if other != "false" {
                    nodes.push(self.at(name, |it| it.schema(value, scope, depth + 1)));
                }
                any_of(nodes)
            }
        };
        draft.own.push((name.into(), node));
    }

    /// `prefixItems` with `items`, and the older `items` with `additionalItems`: 3.0 has one schema for all items.
    pub(super) fn items(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        scope: Scope,
        depth: usize,
    ) {
        let items = siblings.get("items");
        let (keyword, prefix, after) = match items.filter(|it| it.get().starts_with('[')) {
            Some(list) => ("items", Some(list), "additionalItems"),
            None => ("prefixItems", siblings.get("prefixItems"), "items"),
        };
        let prefix = prefix.and_then(|it| serde_json::from_str(it.get()).ok());
        let prefix: Vec<&'a RawValue> = prefix.unwrap_or_default();
        if !prefix.is_empty() {
            self.losses.assertion(keyword);
        }
        let rest = siblings.get(after).filter(|it| it.get() != "true");
        let Some(rest) = rest else {
            draft.own.push(("items".into(), Node::Object(Vec::new())));
            return;
        };
        let mut nodes = self.at(keyword, |it| it.listed(prefix, scope, depth));
        if rest.get() != "false" {
            nodes.push(self.at(after, |it| it.schema(rest, scope, depth + 1)));
        } else if siblings.get("maxItems").is_none() {
            let most = Node::Ours(json!(nodes.len()));
            draft.own.push(("maxItems".into(), most));
        } else {
            let most = json!({"maxItems": nodes.len()});
            draft.all_of.push(Node::Ours(most));
        }
        draft.own.push(("items".into(), any_of(nodes)));
    }

    fn listed(&mut self, schemas: Vec<&'a RawValue>, scope: Scope, depth: usize) -> Vec<Node<'a>> {
        let schemas = schemas.into_iter().enumerate();
        let nodes = schemas
            .map(|(at, schema)| self.at(&at.to_string(), |it| it.schema(schema, scope, depth + 1)));
        nodes.collect()
    }
}

/// Any of these.
fn any_of(mut nodes: Vec<Node<'_>>) -> Node<'_> {
    if nodes.len() > 1 {
        return Node::Object(vec![("anyOf".into(), Node::Array(nodes))]);
    }
    nodes.pop().unwrap_or(Node::Object(Vec::new()))
}
