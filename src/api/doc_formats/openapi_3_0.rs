//! A document of OpenAPI 3.1 as one of OpenAPI 3.0.3, for consumers that read nothing newer.
//!
//! What 3.0 cannot say is left out and listed in `x-mcp-lossy`. Everything that the schemas of 3.1 accept, those of 3.0 accept: to leave a
//! keyword out makes a schema accept more, and where that would make another accept less (under `not`, among the branches of `oneOf`),
//! that one is left out as well. Numbers keep their digits, and nothing is fetched.
//!
//! Here is the document; `schema` has the keywords of schemas, `references` what they refer to, `losses` the list.

mod containers;
mod converter;
mod draft;
mod losses;
mod references;
mod schema;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::api::doc_formats::openapi_3_0::converter::{Converter, Scope, distinct};
use crate::api::tool_docs::node::{Node, Object};
use crate::json::{Members, text_of};

/// The version that is written.
const VERSION: &str = "3.0.3";
/// The document in OpenAPI 3.0.3. An error if it is not a JSON object.
pub(crate) fn convert(document: &str) -> Result<Vec<u8>, serde_json::Error> {
    let members = Members::of(document)?;
    let mut converter = Converter::of(&members, HashSet::new());
    let mut converted = converter.document(&members)?;
    // Whether a component accepts more than before is known at the end, and some schemas that refer to one depend on it.
    let widened = converter.widened_components();
    if converter.depends_on_widened && !widened.is_empty() {
        converter = Converter::of(&members, widened);
        converted = converter.document(&members)?;
    }
    let lossy = json!(converter.losses.list());
    converted.push(("x-mcp-lossy".into(), Node::Ours(lossy)));
    serde_json::to_vec(&Node::Object(converted))
}

/// What an object of a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Info,
    License,
    PathItem,
    Operation,
    /// A header is one without a name.
    Parameter,
    RequestBody,
    Response,
    MediaType,
    Encoding,
    Components,
}

/// What a member of an object of a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// The same in both versions.
    Same,
    Schema,
    One(Kind),
    /// A list or a map.
    Each(Kind),
}

use Kind::{
    Components, Encoding, Info, License, MediaType, Operation, Parameter, PathItem, RequestBody,
    Response,
};
use Part::{Each, One, Same, Schema};

/// The grammar of OpenAPI 3.0: what a member is, if it has one of that name.
#[expect(clippy::match_same_arms, reason = "a row for each part")]
fn part(kind: Kind, member: &str) -> Option<Part> {
    let part = match (kind, member) {
        (Info, "license") => One(License),
        (PathItem, "get" | "put" | "post" | "delete" | "options" | "head" | "patch" | "trace") => {
            One(Operation)
        }
        (PathItem | Operation | Components, "parameters") => Each(Parameter),
        (Operation, "requestBody") => One(RequestBody),
        (Operation | Components, "responses") => Each(Response),
        (Parameter | MediaType, "schema") => Schema,
        (Parameter | RequestBody | Response, "content") => Each(MediaType),
        (Response | Encoding | Components, "headers") => Each(Parameter),
        (MediaType, "encoding") => Each(Encoding),
        (Components, "requestBodies") => Each(RequestBody),
        (Info, "title" | "description" | "termsOfService" | "contact" | "version")
        | (License, "name" | "url")
        | (PathItem, "summary" | "description" | "servers")
        | (
            Operation,
            "tags" | "summary" | "description" | "externalDocs" | "operationId" | "deprecated"
            | "security" | "servers",
        )
        | (
            Parameter,
            "name" | "in" | "description" | "required" | "deprecated" | "allowEmptyValue" | "style"
            | "explode" | "allowReserved" | "example" | "examples",
        )
        | (RequestBody, "description" | "required")
        | (Response, "description" | "links")
        | (MediaType, "example" | "examples")
        | (Encoding, "contentType" | "style" | "explode" | "allowReserved")
        | (Components, "examples" | "securitySchemes" | "links") => Same,
        _ => return None,
    };
    Some(part)
}

impl<'a> Converter<'a> {
    fn document(&mut self, document: &Members<'a>) -> Result<Object<'a>, serde_json::Error> {
        let mut converted: Object<'a> = Vec::new();
        for (name, value) in distinct(document) {
            let node = match name.as_ref() {
                "openapi" => Node::Ours(json!(VERSION)),
                "servers" | "security" | "tags" | "externalDocs" => Node::AsItIs(value),
                "info" => self.at("info", |it| it.object(Info, value)),
                "paths" => self.at("paths", |it| it.each_written(PathItem, value))?,
                // At the end, when it is known which parts of schemas are components of their own.
                "components" => continue,
                _ if name.starts_with("x-") => Node::AsItIs(value),
                "jsonSchemaDialect" => continue,
                _ => {
                    self.losses.annotation(&name);
                    continue;
                }
            };
            converted.push((name, node));
        }
        let components = document.get("components");
        let components = self.at("components", |it| it.components(components))?;
        converted.push(("components".into(), components));
        Ok(converted)
    }

    fn components(
        &mut self,
        components: Option<&'a RawValue>,
    ) -> Result<Node<'a>, serde_json::Error> {
        let members = components.and_then(|it| Members::of(it.get()).ok());
        let mut converted: Object<'a> = Vec::new();
        let mut schemas = None;
        for (name, value) in members.iter().flat_map(distinct) {
            if name == "schemas" {
                schemas = Members::of(value.get()).ok();
            } else if let Some(node) = self.member(Components, &name, value) {
                converted.push((name, node));
            }
        }
        let schemas = self.at("schemas", |it| it.schemas(schemas.as_ref()))?;
        converted.insert(0, ("schemas".into(), schemas));
        Ok(Node::Object(converted))
    }

    /// The schemas among the components, and those that parts of them become.
    fn schemas(&mut self, schemas: Option<&Members<'a>>) -> Result<Node<'a>, serde_json::Error> {
        let mut converted: Object<'a> = Vec::new();
        for (name, schema) in schemas.into_iter().flat_map(distinct) {
            self.losses.component = name.to_string();
            self.origin = name.to_string();
            let scope = Scope::of(schema);
            let node = self.at(&name, |it| it.root(schema, scope));
            converted.push((name, Node::Written(to_raw_value(&node)?)));
        }
        while let Some(promoted) = self.waiting.pop() {
            self.losses.component.clone_from(&promoted.name);
            self.origin = promoted.origin;
            let before = self.losses.enter_at(&promoted.pointer);
            let node = self.root(promoted.schema, promoted.scope);
            self.losses.leave(before);
            converted.push((promoted.name.into(), Node::Written(to_raw_value(&node)?)));
        }
        self.losses.component.clear();
        Ok(Node::Object(converted))
    }

    /// An object of the grammar. A reference is one without anything beside it.
    fn object(&mut self, kind: Kind, value: &'a RawValue) -> Node<'a> {
        let Ok(members) = Members::of(value.get()) else {
            return Node::AsItIs(value);
        };
        if let Some(reference) = members.get("$ref") {
            return Node::Object(vec![("$ref".into(), Node::AsItIs(reference))]);
        }
        let mut converted: Object<'a> = Vec::new();
        for (name, member) in distinct(&members) {
            if let Some(node) = self.member(kind, &name, member) {
                converted.push((name, node));
            }
        }
        let license = members.get("identifier").filter(|_| kind == License);
        if let Some(identifier) = license.and_then(text_of)
            && members.get("url").is_none()
        {
            let url = format!("https://spdx.org/licenses/{identifier}.html");
            converted.push(("url".into(), Node::Text(url)));
        }
        Node::Object(converted)
    }

    fn member(&mut self, kind: Kind, name: &str, value: &'a RawValue) -> Option<Node<'a>> {
        if (kind, name) == (License, "identifier") {
            return None;
        }
        if name.starts_with("x-") {
            return Some(Node::AsItIs(value));
        }
        match part(kind, name) {
            Some(Same) => Some(Node::AsItIs(value)),
            Some(Schema) => Some(self.at(name, |it| it.root(value, Scope::default()))),
            Some(One(kind)) => Some(self.at(name, |it| it.object(kind, value))),
            Some(Each(kind)) => Some(self.at(name, |it| it.each(kind, value))),
            None => {
                self.losses.annotation(name);
                None
            }
        }
    }

    fn each(&mut self, kind: Kind, value: &'a RawValue) -> Node<'a> {
        if let Ok(members) = Members::of(value.get()) {
            let members = distinct(&members).map(|(name, member)| {
                let node = self.at(&name, |it| it.object(kind, member));
                (name, node)
            });
            return Node::Object(members.collect());
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        let items = items.into_iter().enumerate();
        let nodes = items.map(|(at, item)| self.at(&at.to_string(), |it| it.object(kind, item)));
        Node::Array(nodes.collect())
    }

    /// The same where each is large: as a tree it takes ten times the memory.
    fn each_written(
        &mut self,
        kind: Kind,
        value: &'a RawValue,
    ) -> Result<Node<'a>, serde_json::Error> {
        let members = Members::of(value.get())?;
        let members = distinct(&members).map(|(name, member)| {
            let node = self.at(&name, |it| it.object(kind, member));
            Ok((name, Node::Written(to_raw_value(&node)?)))
        });
        members.collect::<Result<_, _>>().map(Node::Object)
    }
}
