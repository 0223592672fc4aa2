//! The keywords of JSON Schema that hold schemas, refer to them, or hold data that must not be taken for schemas: one table for drafts 4 to
//! 2020-12.
//!
//! One table serves all drafts, because they differ in which keywords they know and not in what one means: the one exception is `items`,
//! whose value may be a list before 2020-12. A draft that does not know a keyword ignores it, so that walks which follow it see more than
//! validators do, never less. Assertions on plain values (`type`, `pattern`, `required`) lead nowhere and are not listed.

use serde_json::{Map, Value};

use Applies::{
    Conditionally, InPlace, Items, MatchingMembers, MemberNames, NamedMember, Nothing,
    OtherMembers, WithMember,
};
use Holds::{Anchor, Data, DynamicReference, Identifier, Reference, Schemas, SchemasByName};

/// What the value of a keyword holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A schema or a list of schemas.
    Schemas,
    /// An object whose members are schemas.
    SchemasByName,
    /// A reference to a schema: a JSON pointer in a fragment, or a URI.
    Reference,
    /// A reference that may depend on the resource it is in.
    DynamicReference,
    /// A name for references, valid within a resource.
    Anchor,
    /// The identifier of a resource, which references in it are relative to.
    Identifier,
    /// A value that is compared or shown, even where it looks like a schema.
    Data,
}

/// What the schemas in a keyword apply to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applies {
    /// The value itself: all of them, or a choice of them.
    InPlace,
    /// The value itself, to negate it or under a condition.
    Conditionally,
    /// The value itself, if it has a member of the schema's name.
    WithMember,
    /// The member of the schema's name.
    NamedMember,
    /// Members whose names match the pattern that is the schema's name.
    MatchingMembers,
    /// Members that `properties` beside it does not name.
    OtherMembers,
    /// The names of members.
    MemberNames,
    /// Items: each of them, or those at the positions of a list.
    Items,
    /// Nothing, unless a reference leads there.
    Nothing,
}

/// What is known of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keyword {
    /// Its name.
    pub(crate) name: &'static str,
    /// What its value holds.
    pub(crate) holds: Holds,
    /// What the schemas in it apply to.
    pub(crate) applies: Applies,
}

/// The table. Walks that go by its order go from what a schema refers to, to what it is made of.
pub(crate) static KEYWORDS: [Keyword; 34] = [
    row("$ref", Reference, InPlace),
    row("$dynamicRef", DynamicReference, InPlace),
    row("$recursiveRef", DynamicReference, InPlace),
    row("allOf", Schemas, InPlace),
    row("anyOf", Schemas, InPlace),
    row("oneOf", Schemas, InPlace),
    row("not", Schemas, Conditionally),
    row("if", Schemas, Conditionally),
    row("then", Schemas, Conditionally),
    row("else", Schemas, Conditionally),
    row("dependentSchemas", SchemasByName, WithMember),
    row("dependencies", SchemasByName, WithMember),
    row("properties", SchemasByName, NamedMember),
    row("patternProperties", SchemasByName, MatchingMembers),
    row("additionalProperties", Schemas, OtherMembers),
    row("unevaluatedProperties", Schemas, OtherMembers),
    row("propertyNames", Schemas, MemberNames),
    row("items", Schemas, Items),
    row("prefixItems", Schemas, Items),
    row("additionalItems", Schemas, Items),
    row("unevaluatedItems", Schemas, Items),
    row("contains", Schemas, Items),
    row("contentSchema", Schemas, Nothing),
    row("$defs", SchemasByName, Nothing),
    row("definitions", SchemasByName, Nothing),
    row("$id", Identifier, Nothing),
    row("id", Identifier, Nothing),
    row("$anchor", Anchor, Nothing),
    row("$dynamicAnchor", Anchor, Nothing),
    row("$recursiveAnchor", Anchor, Nothing),
    row("enum", Data, InPlace),
    row("const", Data, InPlace),
    row("default", Data, Nothing),
    row("examples", Data, Nothing),
];

/// Keywords for what no other keyword has evaluated, which makes validators go through all that applies in place again.
pub(crate) const UNEVALUATED: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

const fn row(name: &'static str, holds: Holds, applies: Applies) -> Keyword {
    Keyword {
        name,
        holds,
        applies,
    }
}

/// The keyword of this name, if schemas, references or data are in it.
pub(crate) fn named(name: &str) -> Option<Keyword> {
    KEYWORDS
        .iter()
        .copied()
        .find(|keyword| keyword.name == name)
}

impl Keyword {
    /// Whether it refers to another schema.
    pub(crate) fn refers(self) -> bool {
        matches!(self.holds, Holds::Reference | Holds::DynamicReference)
    }

    /// Whether it applies schemas to the value that the schema itself applies to.
    pub(crate) fn applies_in_place(self) -> bool {
        matches!(self.applies, InPlace | Conditionally | WithMember)
    }

    /// The schemas in its value.
    pub(crate) fn subschemas(self, operand: &Value) -> impl Iterator<Item = &Value> {
        let (single, list, named) = match (self.holds, operand) {
            (Schemas, Value::Array(list)) => (None, Some(list), None),
            (Schemas, single) => (Some(single), None, None),
            (SchemasByName, Value::Object(named)) => (None, None, Some(named)),
            _ => (None, None, None),
        };
        let listed = single.into_iter().chain(list.into_iter().flatten());
        listed.chain(named.into_iter().flat_map(Map::values))
    }
}
