//! What goes into a document comes out of it: schemas written for the purpose, and any that can be made up.

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::tool_docs::references::Copies;
use crate::api::tool_docs::views;

/// The components as a document holds them.
fn embedded(schema: &str, base: &str) -> Value {
    let raw: &RawValue = serde_json::from_str(schema).unwrap();
    together(embed(raw, base, &HashSet::new(), &mut named(base)).into_iter())
}

/// The same in the lean view.
fn lean(schema: &str, base: &str) -> Value {
    let raw: &RawValue = serde_json::from_str(schema).unwrap();
    let components = embed(raw, base, &HashSet::new(), &mut named(base));
    together(views::lean(raw, components, &mut Copies::default()).into_iter())
}

fn named(base: &str) -> Names {
    Names::new([base].into_iter())
}

fn together<'a>(components: impl Iterator<Item = (String, Node<'a>)>) -> Value {
    let mut map = serde_json::Map::new();
    for (name, node) in components {
        let known = map.insert(name, serde_json::to_value(&node).unwrap());
        assert!(known.is_none(), "two components of one name");
    }
    Value::Object(map)
}

/// The schema that went in, read back out of the components.
fn extracted(components: &Value, base: &str) -> Value {
    let mut root = components[base].clone();
    if root["$id"] == own_id(base) {
        root.as_object_mut().unwrap().shift_remove("$id");
        return root;
    }
    let mut back = Vec::new();
    let dialect = root.get("$schema").cloned();
    let Some(members) = root.as_object_mut() else {
        return root;
    };
    let mut whole = serde_json::Map::new();
    for (name, value) in std::mem::take(members) {
        let known = KEYWORDS.iter().find(|(_, noted)| *noted == name);
        let Some((keyword, _)) = known else {
            whole.insert(name, value);
            continue;
        };
        let mut definitions = serde_json::Map::new();
        for (name, reference) in value.as_object().unwrap() {
            let reference = reference.as_str().unwrap();
            let place = reference.strip_prefix(SCHEMAS).unwrap();
            let mut definition = components[place].clone();
            if dialect.is_some() {
                definition.as_object_mut().unwrap().shift_remove("$schema");
            }
            let token = name.replace('~', "~0").replace('/', "~1");
            back.push((reference.to_owned(), format!("#/{keyword}/{token}")));
            definitions.insert(name.clone(), definition);
        }
        whole.insert((*keyword).to_owned(), definitions.into());
    }
    back.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
    back.push((format!("{SCHEMAS}{base}"), "#".to_owned()));
    let mut whole = Value::Object(whole);
    restore(&mut whole, &back);
    whole
}

/// Leads references back, wherever a `$ref` has a text.
fn restore(value: &mut Value, back: &[(String, String)]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let Value::String(text) = value else {
                    restore(value, back);
                    continue;
                };
                if name == "$ref"
                    && let Some((place, was, rest)) = back.iter().find_map(|(place, was)| {
                        let rest = text.strip_prefix(place.as_str())?;
                        (rest.is_empty() || rest.starts_with('/')).then_some((place, was, rest))
                    })
                {
                    let _ = place;
                    *text = format!("{was}{rest}");
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| restore(item, back)),
        _ => {}
    }
}

/// Every `#/components/...` in it leads somewhere.
fn assert_references_lead_somewhere(components: &Value) {
    let document = json!({"components": {"schemas": components}});
    let mut to_see = vec![components];
    while let Some(value) = to_see.pop() {
        match value {
            Value::Object(members) => {
                to_see.extend(members.values());
                if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                    && let Some(pointer) = reference.strip_prefix("#/components")
                {
                    let pointer = percent_decode_str(pointer).decode_utf8().unwrap();
                    let pointer = format!("/components{pointer}");
                    assert!(document.pointer(&pointer).is_some(), "{reference}");
                }
            }
            Value::Array(items) => to_see.extend(items),
            _ => {}
        }
    }
}

#[test]
fn pointers_move_and_definitions_become_components() {
    let schema = r##"{"type":"object","properties":{"at":{"$ref":"#/$defs/Place"},"self":{"$ref":"#"},
        "again":{"$ref":"#/properties/at"}},"$defs":{"Place":{"properties":{"in":{"$ref":"#/$defs/Place"}}}}}"##;
    let components = embedded(schema, "b");
    assert_eq!(
        components,
        json!({
            "b": {
                "type": "object",
                "properties": {
                    "at": {"$ref": "#/components/schemas/bPlace"},
                    "self": {"$ref": "#/components/schemas/b"},
                    "again": {"$ref": "#/components/schemas/b/properties/at"},
                },
                "x-mcp-defs": {"Place": "#/components/schemas/bPlace"},
            },
            "bPlace": {"properties": {"in": {"$ref": "#/components/schemas/bPlace"}}},
        })
    );
}

#[test]
fn data_is_not_taken_for_schemas() {
    let schema = r##"{"properties":{"$ref":{"type":"string"},"a":{"const":{"$ref":"#/x"},"default":{"$ref":"#"},
        "enum":[{"$ref":"#"}],"examples":[{"$ref":"#"}]}}}"##;
    let components = embedded(schema, "b");
    assert_eq!(
        components["b"],
        serde_json::from_str::<Value>(schema).unwrap()
    );
}

#[test]
fn numbers_keep_their_digits() {
    let schema = r#"{"properties":{"a":{"maximum":1e400,"minimum":12345678901234567890123,"multipleOf":1.10}}}"#;
    let raw: &RawValue = serde_json::from_str(schema).unwrap();
    let nodes = embed(raw, "b", &HashSet::new(), &mut named("b"));
    assert_eq!(serde_json::to_string(&nodes[0].1).unwrap(), schema);
}

#[test]
fn dialects_go_along_with_definitions() {
    let schema = r##"{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"X":{"type":"string"}},
        "properties":{"x":{"$ref":"#/definitions/X"}}}"##;
    let components = embedded(schema, "b");
    assert_eq!(
        components["bX"],
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"})
    );
    assert_eq!(
        extracted(&components, "b"),
        serde_json::from_str::<Value>(schema).unwrap()
    );
}

#[test]
fn anchors_make_a_schema_a_resource_of_its_own() {
    for schema in [
        r##"{"$defs":{"X":{"$anchor":"x"}},"properties":{"a":{"$ref":"#x"},"b":{"$ref":"#/$defs/X"}}}"##,
        r##"{"$dynamicAnchor":"node","properties":{"next":{"$dynamicRef":"#node"}}}"##,
        r##"{"$recursiveAnchor":true,"properties":{"next":{"$recursiveRef":"#"}}}"##,
    ] {
        let components = embedded(schema, "b");
        assert_eq!(components["b"]["$id"], own_id("b"));
        assert_eq!(
            extracted(&components, "b"),
            serde_json::from_str::<Value>(schema).unwrap()
        );
    }
}

#[test]
fn what_is_nested_too_deep_stays_as_it_is() {
    let nested = |levels| format!("{}true{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
    for (levels, moved) in [(DEPTH, true), (DEPTH + 2, false)] {
        let schema = format!(r##"{{"not":{},"$ref":"#"}}"##, nested(levels - 2));
        let raw: &RawValue = serde_json::from_str(&schema).unwrap();
        let components =
            serde_json::to_string(&embed(raw, "b", &HashSet::new(), &mut named("b"))[0].1).unwrap();
        assert_eq!(components.contains(SCHEMAS), moved);
        assert_eq!(components.contains(&own_id("b")), !moved);
    }
}

#[test]
fn an_id_is_kept_and_told_apart_where_two_schemas_have_it() {
    let schema = r##"{"$id":"https://example.com/s","$defs":{"X":{}},"$ref":"#/$defs/X"}"##;
    let raw: &RawValue = serde_json::from_str(schema).unwrap();
    let alone = embed(raw, "b", &HashSet::new(), &mut named("b"));
    assert_eq!(serde_json::to_string(&alone[0].1).unwrap(), schema);
    let shared = embed(
        raw,
        "b",
        &HashSet::from(["https://example.com/s".to_owned()]),
        &mut named("b"),
    );
    let written = serde_json::to_value(&shared[0].1).unwrap();
    assert_eq!(written["$id"], "https://example.com/s?tool=b");
}

#[test]
fn the_lean_view_says_the_same_in_other_words() {
    let schema = r##"{"$schema":"http://json-schema.org/draft-07/schema#","title":"T","type":"object","properties":{
        "a":{"$ref":"#/definitions/X","description":"d"},"b":{"$ref":"#/definitions/X"},"$ref":{"type":"string"},
        "c":{"$ref":"#","default":null}},"definitions":{"X":{"title":"Y","type":"string"}}}"##;
    let place = json!({"$ref": "#/components/schemas/bX"});
    assert_eq!(
        lean(schema, "b"),
        json!({
            "b": {"type": "object", "properties": {
                "a": {"type": "string", "description": "d"},
                "b": place,
                "$ref": {"type": "string"},
                "c": {"default": null, "allOf": [{"$ref": "#/components/schemas/b"}]},
            }},
            "bX": {"type": "string"},
        })
    );
    assert_eq!(
        lean(
            r##"{"$ref":"#/$defs/A","allOf":[{}],"$defs":{"A":{}}}"##,
            "b"
        )["b"],
        json!({"allOf": [{"$ref": "#/components/schemas/bA"}, {}]})
    );
    // There the dialect decides what is beside a reference, or is a list of items.
    for particular in [r##""a":{"$ref":"#","minimum":1}"##, r#""a":{"items":[{}]}"#] {
        let schema = format!(
            r#"{{"$schema":"http://json-schema.org/draft-07/schema#","properties":{{{particular}}}}}"#
        );
        let shown = lean(&schema, "b")["b"].clone();
        assert!(shown["$schema"].is_string(), "{shown}");
        assert_eq!(shown["properties"]["a"]["allOf"], Value::Null);
    }
}

/// Schemas of every keyword that is handled here, with references to existing targets.
fn schemas() -> impl Strategy<Value = Value> {
    let reference = prop_oneof![
        Just("#"),
        Just("#/$defs/X"),
        Just("#/$defs/a~1b"),
        Just("#/$defs/X/properties/y"),
        Just("#/definitions/Y"),
        Just("#/properties/p"),
        Just("https://example.com/other#/x"),
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        reference.prop_map(|to| json!({"$ref": to})),
        any::<i64>()
            .prop_map(|n| json!({"type": "integer", "maximum": n, "default": {"$ref": "#"}})),
        "[a-z$#/~ ]{0,6}".prop_map(|s| json!({"const": s, "enum": [s, null, {"$ref": "#"}]})),
        Just(json!({"$id": "urn:inner", "$defs": {"Z": {}}, "$ref": "#/$defs/Z"})),
    ];
    let names = || "[a-z$~/%é .]{0,5}";
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let named = prop::collection::btree_map(names(), inner.clone(), 0..3);
        let list = prop::collection::vec(inner.clone(), 1..3);
        prop_oneof![
            named
                .clone()
                .prop_map(|it| json!({"type": "object", "properties": it})),
            named.prop_map(|it| json!({"dependentSchemas": it.clone(), "patternProperties": it})),
            list.clone()
                .prop_map(|it| json!({"allOf": it.clone(), "oneOf": it})),
            list.prop_map(|it| json!({"prefixItems": it.clone(), "items": it[0]})),
            inner
                .clone()
                .prop_map(|it| json!({"if": it.clone(), "then": it, "x-other": {"$ref": "#/x"}})),
            inner.prop_map(|it| json!({"additionalProperties": it, "title": "é"})),
        ]
    })
}

fn roots() -> impl Strategy<Value = Value> {
    let definition = || {
        schemas().prop_map(|it| {
            if it.is_object() {
                it
            } else {
                json!({"not": it})
            }
        })
    };
    (
        schemas(),
        definition(),
        definition(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(p, x, y, dialect, anchor)| {
            let mut x = x;
            x["properties"]["y"] = json!({"type": "string"});
            let mut root = json!({"type": "object", "properties": {"p": p}});
            if dialect {
                root["$schema"] = json!("https://json-schema.org/draft/2019-09/schema");
            }
            if anchor {
                root["$anchor"] = json!("here");
            }
            root["$defs"] = json!({"X": x, "a/b": {"type": "null"}});
            root["definitions"] = json!({"Y": y});
            root
        })
}

proptest! {
    #[test]
    fn any_schema_comes_out_as_it_went_in(root in roots()) {
        let components = embedded(&root.to_string(), "TInput");
        assert_references_lead_somewhere(&components);
        prop_assert_eq!(extracted(&components, "TInput"), root);
        let names: HashSet<&String> = components.as_object().unwrap().keys().collect();
        let legal = |b: u8| b.is_ascii_alphanumeric();
        prop_assert!(names.iter().all(|name| name.bytes().all(legal)));
    }

    #[test]
    fn any_schema_allows_the_same_in_the_lean_view(root in roots(), values in prop::collection::vec(values(), 8)) {
        let Ok(before) = jsonschema::validator_for(&root) else {
            return Ok(());
        };
        let components = lean(&root.to_string(), "TInput");
        assert_references_lead_somewhere(&components);
        // Resources are known to validators only where schemas are.
        let components = components.to_string().replace(SCHEMAS, "#/$defs/");
        let components: Value = serde_json::from_str(&components).unwrap();
        let whole = json!({"$ref": "#/$defs/TInput", "$defs": components});
        if whole["$defs"]["TInput"]["$schema"].is_string() {
            // Nothing was changed, and this validator does not know that dialects differ within a document.
            return Ok(());
        }
        let after = jsonschema::draft202012::new(&whole).unwrap();
        for value in values {
            prop_assert_eq!(before.is_valid(&value), after.is_valid(&value), "{} in {}", value, whole);
        }
    }
}

/// Values that the schemas above may or may not allow.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i8>().prop_map(Value::from),
        "[a-z$#/~ ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let names = prop_oneof![
            Just("p".to_owned()),
            Just("y".to_owned()),
            "[a-z$~/%é .]{0,3}"
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(names, inner, 0..4).prop_map(|it| json!(it)),
        ]
    })
}
