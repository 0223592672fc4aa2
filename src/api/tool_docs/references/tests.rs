//! What becomes of references, and that what is rewritten still means what it meant.

use std::cell::Cell;

use serde_json::{Value, json};

use super::*;
use crate::api::tool_docs::node::Node;

thread_local! {
    /// How many bytes of nodes were counted.
    pub(super) static COUNTED: Cell<usize> = const { Cell::new(0) };
}

/// Components as `embed` makes them: every schema taken apart.
fn node(value: &Value) -> Node<'static> {
    match value {
        Value::Object(members) => {
            let members = members.iter();
            Node::Object(
                members
                    .map(|(name, value)| (name.clone().into(), node(value)))
                    .collect(),
            )
        }
        Value::Array(items) => Node::Array(items.iter().map(node).collect()),
        Value::String(text) => Node::Text(text.clone()),
        other => Node::Ours(other.clone()),
    }
}

fn rewritten(components: &Value) -> Value {
    rewritten_with(components, &mut Copies::default())
}

fn rewritten_with(components: &Value, copies: &mut Copies) -> Value {
    let components = components.as_object().unwrap().iter();
    let components = components.map(|(name, schema)| (name.clone(), node(schema)));
    let found = followed(components.collect(), copies).into_iter();
    found
        .map(|(name, node)| (name, serde_json::to_value(node).unwrap()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn to(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

#[test]
fn a_plain_reference_stays() {
    let components = json!({"A": {"properties": {"b": to("B")}}, "B": {"type": "object"}});
    assert_eq!(rewritten(&components), components);
}

#[test]
fn what_is_beside_a_reference_is_put_on_a_copy() {
    let mut beside = to("B");
    beside["description"] = json!("mine");
    let components = json!({
        "A": {"properties": {"b": beside}},
        "B": {"type": "string", "description": "its own", "enum": ["x"]},
    });
    assert_eq!(
        rewritten(&components)["A"]["properties"]["b"],
        json!({"type": "string", "enum": ["x"], "description": "mine"})
    );
}

#[test]
fn an_assertion_beside_a_reference_stays_there() {
    let mut beside = to("B");
    beside["minLength"] = json!(3);
    let components = json!({"A": {"items": beside}, "B": {"minLength": 2}});
    assert_eq!(rewritten(&components), components);
}

#[test]
fn a_copy_is_put_where_nobody_looks() {
    let components = json!({
        "A": {"additionalProperties": to("B"), "prefixItems": [to("C")]},
        "B": {"properties": {"c": to("C")}},
        "C": {"type": "integer"},
    });
    assert_eq!(
        rewritten(&components)["A"],
        json!({
            "additionalProperties": {"properties": {"c": {"type": "integer"}}},
            "prefixItems": [{"type": "integer"}],
        })
    );
}

#[test]
fn a_cycle_is_wrapped_and_has_no_copies_without_end() {
    let mut beside = to("B");
    beside["description"] = json!("the root");
    let components = json!({
        "A": {"properties": {"root": beside, "list": {"items": to("B")}, "map": {"additionalProperties": to("B")}}},
        "B": {"type": "object", "properties": {"next": to("B"), "children": {"items": to("B")}}},
    });
    let found = rewritten(&components);
    let wrapped = json!({"type": "object", "allOf": [to("B")]});
    let cyclic =
        json!({"type": "object", "properties": {"next": wrapped, "children": {"items": wrapped}}});
    assert_eq!(found["B"], cyclic);
    let mut root = cyclic;
    root["description"] = json!("the root");
    assert_eq!(
        found["A"]["properties"],
        json!({"root": root, "list": {"items": to("B")}, "map": {"additionalProperties": to("B")}})
    );
}

#[test]
fn a_reference_from_one_cycle_to_another_stays() {
    let components = json!({
        "A": {"properties": {"a": {"allOf": [to("A")]}, "b": to("B")}},
        "B": {"items": {"allOf": [to("B")]}},
    });
    assert_eq!(rewritten(&components)["A"]["properties"]["b"], to("B"));
}

#[test]
fn a_discriminator_is_left_out_and_a_property_of_that_name_is_not() {
    let components = json!({"A": {
        "discriminator": {"propertyName": "kind"},
        "oneOf": [to("B")],
        "properties": {"discriminator": {"type": "string"}},
    }, "B": {}});
    assert_eq!(
        rewritten(&components)["A"],
        json!({"oneOf": [to("B")], "properties": {"discriminator": {"type": "string"}}})
    );
}

/// Each component holds two copies of the next: the first would hold 2^40.
fn doubling() -> Value {
    let mut components = serde_json::Map::new();
    for index in 0..40 {
        let next = to(&format!("C{}", index + 1));
        let schema = json!({"prefixItems": [next, next]});
        components.insert(format!("C{index}"), schema);
    }
    components.insert("C40".to_owned(), json!({"type": "null"}));
    components.into()
}

#[test]
fn copies_are_bounded() {
    let length = rewritten(&doubling()).to_string().len();
    assert!(length < 4 * COPIED, "{length}");
}

#[test]
fn all_schemas_of_a_document_share_what_may_be_copied() {
    let (components, mut copies) = (doubling(), Copies::default());
    let mut lengths = Vec::new();
    for _ in 0..100 {
        lengths.push(rewritten_with(&components, &mut copies).to_string().len());
    }
    let own = components.to_string().len();
    // The first get as much as one may, the last nothing.
    assert!(lengths[0] > own + COPIED / 4, "{}", lengths[0]);
    assert_eq!(lengths[0], lengths[20]);
    assert!(lengths[99] <= own + 100, "{}", lengths[99]);
    let copied = lengths.iter().sum::<usize>() - 100 * own;
    assert!(copied < 2 * COPIED_IN_ALL, "{copied}");
}

#[test]
fn a_component_is_measured_once_and_no_further_than_it_could_fit() {
    let (mut large, mut small) = (to("Large"), to("Small"));
    large["description"] = json!("mine");
    small["description"] = json!("mine");
    let of = |schema: &Value| -> Value {
        let named = (0..500).map(|index| (format!("p{index}"), schema.clone()));
        named.collect::<serde_json::Map<_, _>>().into()
    };
    let components = json!({
        "A": {"properties": of(&large)},
        "B": {"properties": of(&small)},
        "Large": {"description": "d".repeat(1_000_000)},
        "Small": {"description": "d".repeat(COPIED / 2)},
    });
    let before = COUNTED.get();
    let found = rewritten(&components);
    // A text that is too long is one piece.
    let counted = COUNTED.get() - before;
    assert!(counted < 1_000_000 + COPIED, "{counted}");
    assert_eq!(found["A"], components["A"]);
    assert_eq!(
        found["B"]["properties"]["p0"],
        json!({"description": "mine"})
    );
    assert_eq!(found["B"]["properties"]["p499"], small);
}

#[test]
fn a_type_that_is_none_is_not_repeated_beside_references() {
    let components = json!({"A": {
        "type": "t".repeat(100_000),
        "properties": {"a": to("A"), "b": to("A"), "c": to("A")},
    }});
    let properties = &rewritten(&components)["A"]["properties"];
    assert_eq!(properties["c"], json!({"allOf": [to("A")]}));
}
