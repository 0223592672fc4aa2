//! A JSON Schema of 2020-12, or of an older draft, as a Schema Object of OpenAPI 3.0: keyword by keyword.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::json;
use serde_json::value::RawValue;

use crate::api::doc_formats::openapi_3_0::converter::{Converter, Scope, distinct};
use crate::api::doc_formats::openapi_3_0::draft::{Choice, Draft, Types, class_of};
use crate::api::tool_docs::node::Node;
use crate::json::{Members, text_of};

/// Bytes of a schema; a larger one accepts anything.
const LARGEST_SCHEMA: usize = 256 * 1024;
/// How often the bytes of a schema are read: each level of nesting and each step of a reference reads them again.
const READS: usize = 64;
/// Bytes that may be read more than that.
const MORE_READS: usize = 256 * 1024;

/// How deep schemas may be nested; deeper ones accept anything.
const DEPTH: usize = 64;

impl<'a> Converter<'a> {
    /// A schema that is in no other.
    pub(super) fn root(&mut self, schema: &'a RawValue, scope: Scope) -> Node<'a> {
        let bytes = schema.get().len();
        if bytes > LARGEST_SCHEMA {
            self.losses.assertion("*");
            return Node::Object(Vec::new());
        }
        self.reads = READS * bytes + MORE_READS;
        // What is promoted inherits the rest: what a schema becomes is bounded by its own length.
        if !scope.is_promoted {
            self.promotable = 4 * bytes;
        }
        self.schema(schema, scope, 0)
    }

    /// A schema in 3.0.
    pub(super) fn schema(&mut self, raw: &'a RawValue, scope: Scope, depth: usize) -> Node<'a> {
        match raw.get() {
            "true" => return Node::Object(Vec::new()),
            "false" => return nothing(),
            _ => {}
        }
        let members = self.read(raw).and_then(|()| Members::of(raw.get()).ok());
        let Some(members) = members.filter(|_| depth < DEPTH) else {
            self.losses.assertion("*");
            return Node::Object(Vec::new());
        };
        let mut scope = scope;
        scope.is_foreign |= depth > 0 && members.get("$id").and_then(text_of).is_some();
        let mut draft = Draft::default();
        let is_bare = scope.ignores_siblings && members.get("$ref").is_some();
        for (name, value) in distinct(&members) {
            if !is_bare || matches!(name.as_ref(), "$ref" | "title" | "description" | "default") {
                self.keyword(&mut draft, &members, &name, value, scope, depth);
            }
        }
        draft.finished()
    }

    fn keyword(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        name: &str,
        value: &'a RawValue,
        scope: Scope,
        depth: usize,
    ) {
        match name {
            "$ref" | "$dynamicRef" | "$recursiveRef" => self.refer(draft, name, value, scope),
            // Identifiers that nothing refers to any more; definitions are taken out where something does; `if` is nothing by itself.
            "$schema" | "$id" | "id" | "$anchor" | "$dynamicAnchor" | "$recursiveAnchor"
            | "$vocabulary" | "$comment" | "$defs" | "definitions" | "if" => {}
            "allOf" | "anyOf" | "oneOf" | "not" => self.combine(draft, name, value, scope, depth),
            "properties" | "patternProperties" | "additionalProperties" => {
                self.properties(draft, siblings, name, value, scope, depth);
            }
            "items" | "prefixItems" | "additionalItems" => {
                // Where both are there, they are handled as one.
                let is_one =
                    name == "items" || (name == "prefixItems" && siblings.get("items").is_none());
                if is_one {
                    self.items(draft, siblings, scope, depth);
                }
            }
            "type" => match Types::of(value) {
                Some(types) => draft.types = types,
                None => self.losses.assertion(name),
            },
            "nullable" => draft.is_nullable = value.get() == "true",
            "exclusiveMinimum" | "exclusiveMaximum" => self.exclusive(draft, siblings, name, value),
            "required" => self.required(draft, value),
            "enum" | "const" => self.one_of_values(draft, name, value),
            "examples" if siblings.get("example").is_none() => self.examples(draft, value),
            "contentEncoding" | "contentMediaType" => self.content(draft, siblings, name, value),
            "then" | "else" if siblings.get("if").is_none() => {}
            "minContains" | "maxContains" if siblings.get("contains").is_none() => {}
            "unevaluatedProperties" | "unevaluatedItems"
                if matches!(value.get(), "true" | "{}") => {}
            "then"
            | "else"
            | "contains"
            | "minContains"
            | "maxContains"
            | "propertyNames"
            | "dependentRequired"
            | "dependentSchemas"
            | "dependencies"
            | "unevaluatedProperties"
            | "unevaluatedItems" => self.losses.assertion(name),
            _ => self.value(draft, name, value),
        }
    }

    /// A keyword that is the same in both versions, if its value is what it must be.
    fn value(&mut self, draft: &mut Draft<'a>, name: &str, value: &'a RawValue) {
        let text = value.get();
        let is_assertion = class_of(name).is_some();
        let is_right = match name {
            "title" | "description" | "format" | "pattern" => text.starts_with('"'),
            "deprecated" | "uniqueItems" | "readOnly" | "writeOnly" => {
                matches!(text, "true" | "false")
            }
            "minimum" | "maximum" => number(value).is_some(),
            "multipleOf" => number(value).is_some_and(|number| number > 0.0),
            "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties"
            | "minProperties" => {
                number(value).is_some_and(|number| number >= 0.0 && number.fract() == 0.0)
            }
            "default" | "example" => true,
            "discriminator" => is_discriminator(value),
            _ => name.starts_with("x-"),
        };
        if is_right {
            draft
                .own
                .push((name.to_owned().into(), Node::AsItIs(value)));
        } else if is_assertion {
            self.losses.assertion(name);
        } else {
            self.losses.annotation(name);
        }
    }

    fn refer(&mut self, draft: &mut Draft<'a>, name: &str, value: &RawValue, scope: Scope) {
        let reference = text_of(value).and_then(|written| self.reference(&written, scope));
        match reference {
            Some(reference) => draft
                .all_of
                .push(Node::Object(vec![("$ref".into(), Node::Text(reference))])),
            None => self.losses.assertion(name),
        }
    }

    // === schemas that apply to the value itself ===

    fn combine(
        &mut self,
        draft: &mut Draft<'a>,
        name: &str,
        value: &'a RawValue,
        scope: Scope,
        depth: usize,
    ) {
        if name == "not" {
            let (node, is_exact) =
                self.exactly(|it| it.at(name, |it| it.schema(value, scope, depth + 1)));
            if !is_exact {
                // Its schema accepts more than before: this one would accept less.
                self.losses.assertion(name);
            } else if draft.own.iter().all(|(known, _)| known != name) {
                draft.own.push(("not".into(), node));
            }
            return;
        }
        let branches = serde_json::from_str::<Vec<&'a RawValue>>(value.get()).ok();
        let Some(branches) = branches.filter(|branches| !branches.is_empty()) else {
            self.losses.assertion(name);
            return;
        };
        let nulls = branches.iter().filter(|branch| is_null(branch)).count();
        let or_null = name != "allOf" && nulls == 1 && branches.len() > 1;
        let branches = branches.into_iter().enumerate();
        let branches = branches.filter(|(_, branch)| !or_null || !is_null(branch));
        let branches: Vec<_> = branches.collect();
        let (branches, is_exact) = self.exactly(|it| {
            it.at(name, |it| {
                let branches = branches.into_iter();
                let nodes = branches.map(|(at, branch)| {
                    it.at(&at.to_string(), |it| it.schema(branch, scope, depth + 1))
                });
                nodes.collect::<Vec<_>>()
            })
        });
        let name = match name {
            "allOf" => return draft.all_of.extend(branches),
            "oneOf" if is_exact => "oneOf",
            "oneOf" => {
                // A branch accepts more than before: two may accept a value of which one did.
                self.losses.assertion("oneOf");
                "anyOf"
            }
            _ => "anyOf",
        };
        draft.choices.push(Choice {
            name,
            branches,
            or_null,
        });
    }

    /// Converts, and says whether what comes out accepts what went in, no more.
    fn exactly<T>(&mut self, convert: impl FnOnce(&mut Self) -> T) -> (T, bool) {
        let before = (self.losses.assertions, self.widened_references);
        let references = self.references;
        let converted = convert(self);
        self.depends_on_widened |= self.references > references;
        let is_exact = (self.losses.assertions, self.widened_references) == before;
        (converted, is_exact)
    }

    // === assertions on values ===

    fn exclusive(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        name: &str,
        value: &'a RawValue,
    ) {
        let (inclusive, name) = match name {
            "exclusiveMinimum" => ("minimum", "exclusiveMinimum"),
            _ => ("maximum", "exclusiveMaximum"),
        };
        let has_inclusive = siblings.get(inclusive).and_then(number).is_some();
        let is_flag = matches!(value.get(), "true" | "false");
        if is_flag && has_inclusive {
            // As in draft 4.
            draft.own.push((name.into(), Node::AsItIs(value)));
        } else if !is_flag && number(value).is_some() {
            let both = vec![
                (inclusive.into(), Node::AsItIs(value)),
                (name.into(), Node::Ours(json!(true))),
            ];
            if has_inclusive {
                draft.all_of.push(Node::Object(both));
            } else {
                draft.own.extend(both);
            }
        } else if value.get() != "false" {
            self.losses.assertion(name);
        }
    }

    fn required(&mut self, draft: &mut Draft<'a>, value: &'a RawValue) {
        let Ok(names) = serde_json::from_str::<Vec<&'a RawValue>>(value.get()) else {
            return self.losses.assertion("required");
        };
        let mut seen = HashSet::new();
        let names = names
            .into_iter()
            .filter(|name| text_of(name).is_some_and(|name| seen.insert(name.into_owned())));
        let names: Vec<Node<'a>> = names.map(Node::AsItIs).collect();
        if !names.is_empty() {
            draft.own.push(("required".into(), Node::Array(names)));
        }
    }

    /// `enum`, and `const` as one of a single value.
    fn one_of_values(&mut self, draft: &mut Draft<'a>, name: &str, value: &'a RawValue) {
        let values = match name {
            "const" => Some(vec![value]),
            _ => serde_json::from_str(value.get()).ok(),
        };
        let Some(values) = values else {
            return self.losses.assertion(name);
        };
        if values.is_empty() {
            return draft.all_of.push(nothing());
        }
        draft.values(values);
    }

    // === annotations ===

    fn examples(&mut self, draft: &mut Draft<'a>, value: &'a RawValue) {
        let examples: Vec<&'a RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
        if let Some(first) = examples.first() {
            draft.own.push(("example".into(), Node::AsItIs(first)));
        }
        if examples.len() != 1 {
            self.losses.annotation("examples");
        }
    }

    /// `contentEncoding: base64` is `format: byte`, raw bytes are `format: binary`.
    fn content(
        &mut self,
        draft: &mut Draft<'a>,
        siblings: &Members<'a>,
        name: &str,
        value: &'a RawValue,
    ) {
        let said = text_of(value).unwrap_or_default();
        let is_encoded = siblings.get("contentEncoding").is_some();
        let format = match (name, said.as_ref()) {
            ("contentEncoding", "base64") => Some("byte"),
            ("contentMediaType", "application/octet-stream") if !is_encoded => Some("binary"),
            _ => None,
        };
        match format.filter(|_| siblings.get("format").is_none()) {
            Some(format) => draft.own.push(("format".into(), Node::Ours(json!(format)))),
            None => self.losses.annotation(name),
        }
    }
}

// === small schemas ===

/// What no value is valid for.
fn nothing<'a>() -> Node<'a> {
    Node::Ours(json!({"not": {}}))
}

/// Whether a schema is for `null` alone, and says no more than that.
fn is_null(schema: &RawValue) -> bool {
    let Ok(members) = Members::of(schema.get()) else {
        return false;
    };
    let is_so = |(name, value): &(Cow<'_, str>, &RawValue)| match name.as_ref() {
        "type" => value.get() == "\"null\"",
        "const" => value.get() == "null",
        "enum" => value.get() == "[null]",
        "title" | "description" => true,
        _ => false,
    };
    let is_said = ["type", "const", "enum"]
        .iter()
        .any(|name| members.get(name).is_some());
    is_said && members.0.iter().all(is_so)
}

/// The value of a number, if it has one.
fn number(value: &RawValue) -> Option<f64> {
    let text = value.get();
    let is_one = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    text.parse().ok().filter(|_| is_one)
}

fn is_discriminator(value: &RawValue) -> bool {
    let Ok(members) = Members::of(value.get()) else {
        return false;
    };
    let is_text = |value: &RawValue| value.get().starts_with('"');
    let is_mapping = |value: &RawValue| {
        Members::of(value.get()).is_ok_and(|it| {
            it.0.iter().all(|(_, to)| {
                text_of(to)
                    .is_some_and(|to| !to.contains('/') || to.starts_with("#/components/schemas/"))
            })
        })
    };
    members.get("propertyName").is_some_and(is_text)
        && members.0.iter().all(|(name, value)| match name.as_ref() {
            "propertyName" => true,
            "mapping" => is_mapping(value),
            _ => name.starts_with("x-"),
        })
}
