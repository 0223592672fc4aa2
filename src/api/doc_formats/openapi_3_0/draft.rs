//! A schema of 3.0 as it is put together; types and `null`: OpenAPI 3.0 has one type for each schema, and `null` only beside one (`nullable`).

use serde_json::json;
use serde_json::value::RawValue;

use crate::api::tool_docs::node::{Node, Object};
use crate::json::text_of;

/// A schema of 3.0 under way.
#[derive(Default)]
pub(super) struct Draft<'a> {
    /// Its keywords but for those below.
    pub(super) own: Object<'a>,
    pub(super) types: Types,
    /// The values of its `enum`.
    pub(super) values: Vec<&'a RawValue>,
    pub(super) choices: Vec<Choice<'a>>,
    pub(super) all_of: Vec<Node<'a>>,
    /// `nullable` of OpenAPI 3.0, where a server writes it.
    pub(super) is_nullable: bool,
}

/// `anyOf` or `oneOf`.
pub(super) struct Choice<'a> {
    pub(super) name: &'static str,
    pub(super) branches: Vec<Node<'a>>,
    /// One of the branches was `null`, and has been taken out.
    pub(super) or_null: bool,
}

/// The types of 3.0.
const KINDS: [&str; 6] = ["string", "integer", "number", "boolean", "array", "object"];

/// What `type` says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Types {
    /// Any type, if empty and not `or_null`.
    kinds: Vec<&'static str>,
    or_null: bool,
}

impl Types {
    /// `None` if it is no type that is known.
    pub(super) fn of(value: &RawValue) -> Option<Self> {
        let named: Vec<&RawValue> = match text_of(value) {
            Some(_) => vec![value],
            None => serde_json::from_str(value.get()).ok()?,
        };
        let mut types = Self::default();
        for name in named {
            let name = text_of(name)?;
            if name == "null" {
                types.or_null = true;
            } else {
                types.add(KINDS.iter().find(|kind| **kind == name)?);
            }
        }
        (types != Self::default()).then_some(types)
    }

    /// Of values, if 3.0 has a type for all of them that says no more than they do.
    fn of_values(values: &[&RawValue]) -> Self {
        let mut types = Self::default();
        for value in values {
            match value.get().bytes().next() {
                Some(b'"') => types.add("string"),
                Some(b't' | b'f') => types.add("boolean"),
                Some(b'n') => types.or_null = true,
                Some(b'[' | b'{') => return Self::default(),
                _ if value.get().contains(['.', 'e', 'E']) => types.add("number"),
                _ => types.add("integer"),
            }
        }
        if types.kinds.len() == 1 {
            types
        } else {
            Self::default()
        }
    }

    fn add(&mut self, kind: &'static str) {
        if kind == "number" {
            self.kinds.retain(|known| *known != "integer");
        }
        let is_number = kind == "integer" && self.kinds.contains(&"number");
        if !is_number && !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }
}

/// The type that a keyword says something about, if it is about one.
pub(super) fn class_of(keyword: &str) -> Option<&'static str> {
    let class = match keyword {
        "maxLength" | "minLength" | "pattern" => "string",
        "multipleOf" | "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => "number",
        "items" | "maxItems" | "minItems" | "uniqueItems" => "array",
        "properties" | "additionalProperties" | "required" | "maxProperties" | "minProperties" => {
            "object"
        }
        _ => return None,
    };
    Some(class)
}

impl<'a> Draft<'a> {
    /// The schema of 3.0.
    pub(super) fn finished(mut self) -> Node<'a> {
        self.write_types();
        for choice in std::mem::take(&mut self.choices) {
            self.write_choice(choice);
        }
        if self.own.is_empty() && self.all_of.len() == 1 {
            return self.all_of.remove(0);
        }
        if !self.all_of.is_empty() {
            self.own.push(("allOf".into(), Node::Array(self.all_of)));
        }
        Node::Object(self.own)
    }

    /// `enum`. Of two, both must hold.
    pub(super) fn values(&mut self, values: Vec<&'a RawValue>) {
        let nodes = Node::Array(values.iter().copied().map(Node::AsItIs).collect());
        if self.has("enum") {
            self.all_of.push(Node::Object(vec![("enum".into(), nodes)]));
        } else {
            self.own.push(("enum".into(), nodes));
            self.values = values;
        }
    }

    fn has(&self, keyword: &str) -> bool {
        self.own.iter().any(|(name, _)| name == keyword)
    }

    fn write_types(&mut self) {
        if self.types == Types::default() {
            self.types = Types::of_values(&self.values);
        }
        let Types { kinds, or_null } = std::mem::take(&mut self.types);
        let or_null = or_null || self.is_nullable;
        match kinds[..] {
            // A list of values has `null` in it where it is accepted.
            [] if or_null && self.values.is_empty() => self.values(vec![RawValue::NULL]),
            [] if or_null => self.all_of.push(null()),
            [] => {}
            [kind] => {
                self.own.insert(0, ("type".into(), Node::Ours(json!(kind))));
                if or_null {
                    self.own
                        .insert(1, ("nullable".into(), Node::Ours(json!(true))));
                }
                if kind == "array" && !self.has("items") {
                    self.own.push(("items".into(), Node::Object(Vec::new())));
                }
            }
            _ => self.write_several(&kinds, or_null),
        }
    }

    /// One branch for each type, with the keywords that are about it. One that is about none of them says nothing.
    fn write_several(&mut self, kinds: &[&'static str], or_null: bool) {
        let own = std::mem::take(&mut self.own).into_iter();
        let (about_types, own): (Object<'a>, Object<'a>) =
            own.partition(|(name, _)| class_of(name).is_some());
        self.own = own;
        let mut branches: Vec<Draft<'a>> = kinds
            .iter()
            .map(|kind| Draft {
                types: Types {
                    kinds: vec![kind],
                    or_null: false,
                },
                ..Draft::default()
            })
            .collect();
        for (name, node) in about_types {
            let class = class_of(&name);
            let mut branches = branches.iter_mut();
            let branch = branches.find(|branch| {
                branch.types.kinds.first().is_some_and(|kind| {
                    Some(*kind) == class || (*kind, class) == ("integer", Some("number"))
                })
            });
            if let Some(branch) = branch {
                branch.own.push((name, node));
            }
        }
        if let Some(first) = branches.first_mut() {
            first.types.or_null = or_null;
        }
        self.choices.push(Choice {
            name: "anyOf",
            branches: branches.into_iter().map(Draft::finished).collect(),
            or_null: false,
        });
    }

    fn write_choice(&mut self, choice: Choice<'a>) {
        let Choice {
            name,
            mut branches,
            or_null,
        } = choice;
        if or_null && !branches.iter_mut().any(accept_null) {
            branches.push(null());
        }
        // A single one needs no choice around it, unless both say something of the same.
        if let [Node::Object(members)] = &branches[..]
            && !members
                .iter()
                .any(|(name, _)| self.has(name) || name == "$ref")
            && (self.all_of.is_empty() || members.iter().all(|(name, _)| name != "allOf"))
        {
            if let Some(Node::Object(members)) = branches.pop() {
                self.own.extend(members);
            }
            return;
        }
        let branches = Node::Array(branches);
        if self.has(name) {
            self.all_of
                .push(Node::Object(vec![(name.into(), branches)]));
        } else {
            self.own.push((name.into(), branches));
        }
    }
}

/// Makes a schema accept `null` as well, if nothing in it but its type and its values refuse that.
fn accept_null(schema: &mut Node<'_>) -> bool {
    const OTHERS: [&str; 6] = ["allOf", "anyOf", "oneOf", "not", "$ref", "nullable"];
    let Node::Object(members) = schema else {
        return false;
    };
    let has_type = members.iter().any(|(name, _)| name == "type");
    if !has_type
        || members
            .iter()
            .any(|(name, _)| OTHERS.contains(&name.as_ref()))
    {
        return false;
    }
    for (name, node) in &mut *members {
        if let ("enum", Node::Array(values)) = (name.as_ref(), node) {
            values.push(Node::Ours(json!(null)));
        }
    }
    members.insert(1, ("nullable".into(), Node::Ours(json!(true))));
    true
}

/// The schema of `null` alone. Without a type, `nullable` would say nothing in 3.0.
fn null<'a>() -> Node<'a> {
    Node::Object(vec![("enum".into(), Node::Ours(json!([null])))])
}
