//! Documents of 3.1 in 3.0: keywords one by one, references, hostile schemas, and that schemas made up at random accept in 3.0 all that
//! they accept in 3.1.

#![expect(
    clippy::needless_pass_by_value,
    reason = "json!(..) is handed on as it stands"
)]

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::api::openapi::common::SCHEMAS;

/// The document with these schemas as components, in 3.0.
fn converted(schemas: &Value) -> Value {
    let document =
        json!({"openapi": "3.1.0", "info": {}, "paths": {}, "components": {"schemas": schemas}});
    serde_json::from_slice(&convert(&document.to_string()).unwrap()).unwrap()
}

/// A schema in 3.0, and the keywords that were lost.
fn schema(schema: &Value) -> (Value, Vec<String>) {
    let document = converted(&json!({"t": schema, "t.X": {"type": "string"}}));
    let lossy = document["x-mcp-lossy"].as_array().unwrap().iter();
    let keywords = lossy.map(|loss| loss["keyword"].as_str().unwrap().to_owned());
    (
        document["components"]["schemas"]["t"].clone(),
        keywords.collect(),
    )
}

#[track_caller]
fn is_exactly(before: Value, after: Value) {
    assert_eq!(schema(&before), (after, vec![]));
}

#[track_caller]
fn is_lossy(before: Value, after: Value, lost: &[&str]) {
    let (schema, keywords) = schema(&before);
    assert_eq!(
        (schema, keywords.iter().map(String::as_str).collect()),
        (after, lost.to_vec())
    );
}

const X: &str = "#/components/schemas/t.X";

#[test]
fn types_and_null() {
    is_exactly(json!(true), json!({}));
    is_exactly(json!(false), json!({"not": {}}));
    is_exactly(
        json!({"type": ["string", "null"]}),
        json!({"type": "string", "nullable": true}),
    );
    is_exactly(
        json!({"type": "null", "title": "T"}),
        json!({"title": "T", "enum": [null]}),
    );
    is_exactly(
        json!({"type": "array"}),
        json!({"type": "array", "items": {}}),
    );
    is_exactly(
        json!({"type": ["integer", "number"]}),
        json!({"type": "number"}),
    );
    is_exactly(
        json!({"type": ["string", "array", "null"], "minLength": 1, "items": {"type": "null"}, "minimum": 1, "title": "T"}),
        json!({"title": "T", "anyOf": [
            {"type": "string", "nullable": true, "minLength": 1}, {"type": "array", "items": {"enum": [null]}}]}),
    );
    is_lossy(json!({"type": "any"}), json!({}), &["type"]);
    // What pydantic writes for `str | None`, and zod for a nullable reference.
    is_exactly(
        json!({"anyOf": [{"type": "string", "enum": ["a"]}, {"type": "null"}], "default": null, "title": "T"}),
        json!({"default": null, "title": "T", "type": "string", "nullable": true, "enum": ["a", null]}),
    );
    is_exactly(
        json!({"oneOf": [{"$ref": X}, {"type": "null"}]}),
        json!({"oneOf": [{"$ref": X}, {"enum": [null]}]}),
    );
}

#[test]
fn values_and_numbers() {
    is_exactly(
        json!({"const": "a"}),
        json!({"type": "string", "enum": ["a"]}),
    );
    is_exactly(json!({"const": null}), json!({"enum": [null]}));
    is_exactly(
        json!({"const": 1, "enum": [1, 2]}),
        json!({"enum": [1], "type": "integer", "allOf": [{"enum": [1, 2]}]}),
    );
    is_exactly(
        json!({"exclusiveMinimum": 1}),
        json!({"minimum": 1, "exclusiveMinimum": true}),
    );
    is_exactly(
        json!({"minimum": 0, "exclusiveMinimum": 1}),
        json!({"minimum": 0, "allOf": [{"minimum": 1, "exclusiveMinimum": true}]}),
    );
    is_exactly(
        json!({"maximum": 3, "exclusiveMaximum": true}),
        json!({"maximum": 3, "exclusiveMaximum": true}),
    );
    let huge = r#"{"components":{"schemas":{"t":{"maximum":1e400,"multipleOf":1.10,"minimum":12345678901234567890123}}}}"#;
    let text = String::from_utf8(convert(huge).unwrap()).unwrap();
    assert!(
        text.contains(r#"{"maximum":1e400,"multipleOf":1.10,"minimum":12345678901234567890123}"#),
        "{text}"
    );
}

#[test]
fn annotations() {
    is_exactly(
        json!({"examples": [1], "$comment": "c", "x-a": 1}),
        json!({"example": 1, "x-a": 1}),
    );
    is_lossy(
        json!({"examples": [1, 2]}),
        json!({"example": 1}),
        &["examples"],
    );
    is_exactly(
        json!({"type": "string", "contentEncoding": "base64"}),
        json!({"type": "string", "format": "byte"}),
    );
    is_exactly(
        json!({"type": "string", "contentMediaType": "application/octet-stream"}),
        json!({"type": "string", "format": "binary"}),
    );
    is_lossy(
        json!({"errorMessage": "e", "contentSchema": {}}),
        json!({}),
        &["errorMessage", "contentSchema"],
    );
}

#[test]
fn what_cannot_be_said_is_left_out_and_listed() {
    for keyword in [
        "then",
        "contains",
        "propertyNames",
        "dependentSchemas",
        "dependentRequired",
        "unevaluatedProperties",
    ] {
        is_lossy(
            json!({"if": {}, "type": "object", keyword: {"a": 1}}),
            json!({"type": "object"}),
            &[keyword],
        );
    }
    is_lossy(
        json!({"patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false}),
        json!({"additionalProperties": {"type": "string"}}),
        &["patternProperties"],
    );
    is_lossy(
        json!({"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
        json!({"maxItems": 2, "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
        &["prefixItems"],
    );
    is_lossy(
        json!({"prefixItems": [{"type": "string"}]}),
        json!({"items": {}}),
        &["prefixItems"],
    );
    // To leave out what is in these would make them accept less.
    is_lossy(
        json!({"not": {"contains": {}}}),
        json!({}),
        &["contains", "not"],
    );
    is_lossy(
        json!({"oneOf": [{"contains": {}}, {"type": "string"}]}),
        json!({"anyOf": [{}, {"type": "string"}]}),
        &["contains", "oneOf"],
    );
    let document = converted(&json!({"t": {"properties": {"a/b": {"if": {}, "else": false}}}}));
    let loss = json!({"pointer": "/components/schemas/t/properties/a~1b", "keyword": "else"});
    assert_eq!(document["x-mcp-lossy"], json!([loss]));
}

#[test]
fn a_component_that_accepts_more_is_known_to_those_that_refer_to_it() {
    let document = converted(&json!({
        "a": {"oneOf": [{"$ref": "#/components/schemas/b"}, {"type": "string"}]},
        "b": {"properties": {"c": {"$ref": "#/components/schemas/c"}}},
        "c": {"contains": {"type": "string"}},
        "d": {"not": {"$ref": "#/components/schemas/e"}},
        "e": {"type": "string"},
    }));
    let schemas = &document["components"]["schemas"];
    assert!(schemas["a"]["anyOf"].is_array() && schemas["a"].get("oneOf").is_none());
    assert_eq!(
        schemas["d"],
        json!({"not": {"$ref": "#/components/schemas/e"}})
    );
    let lossy: Vec<&Value> = document["x-mcp-lossy"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["pointer"])
        .collect();
    assert_eq!(lossy, ["/components/schemas/a", "/components/schemas/c"]);
}

#[test]
fn references_stand_alone_and_lead_to_components() {
    is_exactly(
        json!({"$ref": X, "description": "d"}),
        json!({"description": "d", "allOf": [{"$ref": X}]}),
    );
    is_exactly(
        json!({"$schema": "http://json-schema.org/draft-07/schema#", "$ref": X, "maxLength": 1}),
        json!({"$ref": X}),
    );
    is_lossy(
        json!({"$ref": "https://example.com/s.json"}),
        json!({}),
        &["$ref"],
    );
    let document = converted(&json!({
        "t": {"properties": {"a": {"type": "string"}, "b": {"$ref": "#/components/schemas/t/properties/a"},
            "c": {"$ref": "#/components/schemas/t/properties/a"}, "d": {"$ref": "#/components/schemas/t/properties/none"}}},
        "tA": {},
        "u": {"$id": "mcp-rest://schemas/u/", "$dynamicAnchor": "n", "properties": {"next": {"$dynamicRef": "#n"},
            "leaf": {"$ref": "#/$defs/L"}, "far": {"$ref": "#l"}}, "$defs": {"L": {"$anchor": "l", "type": "integer"}}},
    }));
    let schemas = &document["components"]["schemas"];
    let led_to = |reference: &Value| {
        let name = reference["$ref"]
            .as_str()
            .unwrap()
            .strip_prefix(SCHEMAS)
            .unwrap();
        assert!(reference.as_object().unwrap().len() == 1 && !["tA", "t"].contains(&name));
        &schemas[name]
    };
    let (t, u) = (&schemas["t"]["properties"], &schemas["u"]["properties"]);
    assert_eq!(t["b"], t["c"]);
    assert_eq!(*led_to(&t["b"]), json!({"type": "string"}));
    assert!(std::ptr::eq(led_to(&u["next"]), &raw const schemas["u"]));
    assert_eq!(*led_to(&u["leaf"]), json!({"type": "integer"}));
    assert_eq!(*led_to(&u["far"]), json!({"type": "integer"}));
    assert_eq!(
        document["x-mcp-lossy"],
        json!([{"pointer": "/components/schemas/t/properties/d", "keyword": "$ref"}])
    );
}

#[test]
fn the_rest_of_a_document() {
    let document = json!({
        "openapi": "3.1.0", "jsonSchemaDialect": "https://example.com", "webhooks": {}, "x-a": 1,
        "info": {"title": "T", "version": "1", "summary": "s", "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": {"/a/{b}": {"parameters": [{"name": "b", "in": "path", "required": true, "schema": {"const": "x"}}],
            "post": {"operationId": "p", "requestBody": {"$ref": "#/components/requestBodies/B", "description": "d"},
                "responses": {"200": {"description": "", "content": {"a/b": {"schema": {"type": ["null", "string"]}}},
                    "headers": {"H": {"schema": {"type": "null"}}}}}}}},
        "components": {"pathItems": {}, "requestBodies": {"B": {"content": {}}}},
    });
    let converted: Value =
        serde_json::from_slice(&convert(&document.to_string()).unwrap()).unwrap();
    let post = &converted["paths"]["/a/{b}"]["post"];
    assert_eq!(converted["openapi"], "3.0.3");
    assert_eq!(
        converted["info"]["license"],
        json!({"name": "MIT", "url": "https://spdx.org/licenses/MIT.html"})
    );
    assert_eq!(
        post["requestBody"],
        json!({"$ref": "#/components/requestBodies/B"})
    );
    assert_eq!(
        post["responses"]["200"]["content"]["a/b"]["schema"],
        json!({"type": "string", "nullable": true})
    );
    let lost: Vec<String> = converted["x-mcp-lossy"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            format!(
                "{}/{}",
                it["pointer"].as_str().unwrap(),
                it["keyword"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        lost,
        ["/webhooks", "/info/summary", "/components/pathItems"]
    );
}

/// What comes out is bounded by what goes in, and so is the time it takes, whatever a server lists.
#[test]
fn hostile_schemas_cost_no_more_than_others() {
    let nested =
        |levels: usize| format!("{}true{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
    let many: Vec<String> = (0..2000)
        .map(|n| {
            format!(
                r##""p{n}":{{"$ref":"#/components/schemas/t/properties/p{}"}}"##,
                n / 2
            )
        })
        .collect();
    let chain = (0..60).fold("{}".to_owned(), |inner, _| {
        format!(r##"{{"properties":{{"a":{inner},"b":{{"$ref":"#/components/schemas/t/properties/a"}}}}}}"##)
    });
    for schema in [
        nested(5000),
        format!(r#"{{"properties":{{{}}}}}"#, many.join(",")),
        chain,
        format!(r#"{{"enum":[{}1]}}"#, "1,".repeat(200_000)),
        format!(r#"{{"type":[{}"string"]}}"#, "\"null\",".repeat(20_000)),
        format!(
            r#"{{"anyOf":[{}true]}}"#,
            r#"{"contains":1},"#.repeat(10_000)
        ),
    ] {
        let document = format!(r#"{{"components":{{"schemas":{{"t":{schema}}}}}}}"#);
        let converted = convert(&document).unwrap();
        assert!(
            converted.len() < 6 * document.len() + 200_000,
            "{} {}",
            document.len(),
            converted.len()
        );
    }
}

// === made up at random ===

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-1..4_i64).prop_map(Value::from),
        Just(json!(1.5)),
        "[ab]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("a|b|x-a", inner, 0..3).prop_map(|it| json!(it)),
        ]
    })
}

/// Assertions without a schema in them.
fn assertions() -> impl Strategy<Value = Value> {
    let kind = || {
        prop::sample::select(vec![
            "null", "string", "integer", "number", "boolean", "array", "object",
        ])
    };
    prop_oneof![
        kind().prop_map(|it| json!({"type": it})),
        prop::collection::btree_set(kind(), 1..4).prop_map(|it| json!({"type": it})),
        values().prop_map(|it| json!({"const": it})),
        prop::collection::vec(values(), 1..3).prop_map(|it| json!({"enum": it, "examples": it})),
        (0..3).prop_map(|n| json!({"minimum": n, "exclusiveMaximum": n + 2})),
        (0..3)
            .prop_map(|n| json!({"maximum": n + 1, "exclusiveMinimum": n, "exclusiveMaximum": 3})),
        Just(json!({"multipleOf": 0.5, "minLength": 1, "pattern": "^a"})),
        Just(json!({"required": ["a"], "maxProperties": 1})),
        Just(json!({"uniqueItems": true, "minItems": 1, "maxItems": 2})),
        Just(json!({"dependentRequired": {"a": ["b"]}, "title": "t"})),
        Just(json!({"$ref": X})),
        Just(json!({"$ref": "#/components/schemas/t.Y/properties/a"})),
        any::<bool>().prop_map(Value::from),
    ]
}

fn schemas() -> impl Strategy<Value = Value> {
    assertions().prop_recursive(3, 24, 3, |inner| {
        let list = || prop::collection::vec(inner.clone(), 1..4);
        let named = || prop::collection::btree_map("a|b", inner.clone(), 1..3);
        let part = prop_oneof![
            assertions(),
            list().prop_map(|it| json!({"allOf": it})),
            list().prop_map(|it| json!({"anyOf": it})),
            list().prop_map(|it| json!({"oneOf": it})),
            inner
                .clone()
                .prop_map(|it| json!({"anyOf": [it, {"type": "null"}], "default": null})),
            inner
                .clone()
                .prop_map(|it| json!({"oneOf": [{"type": "null"}, it]})),
            inner.clone().prop_map(|it| json!({"not": it})),
            named().prop_map(|it| json!({"properties": it})),
            named().prop_map(|it| json!({"properties": it, "additionalProperties": false})),
            inner.clone().prop_map(
                |it| json!({"patternProperties": {"^x-": it}, "additionalProperties": false})
            ),
            inner
                .clone()
                .prop_map(|it| json!({"additionalProperties": it})),
            inner.clone().prop_map(|it| json!({"items": it})),
            list().prop_map(|it| json!({"prefixItems": it, "items": false})),
            list().prop_map(|it| json!({"prefixItems": it, "items": it[0]})),
            inner
                .clone()
                .prop_map(|it| json!({"contains": it, "maxContains": 1})),
            inner.clone().prop_map(|it| json!({"propertyNames": it})),
            list().prop_map(|it| json!({"if": it[0], "then": it[it.len() - 1]})),
            inner
                .clone()
                .prop_map(|it| json!({"dependentSchemas": {"a": it}})),
            inner
                .clone()
                .prop_map(|it| json!({"unevaluatedProperties": it})),
        ];
        prop::collection::vec(part, 1..4).prop_map(|parts| {
            let mut whole = serde_json::Map::new();
            for part in parts {
                match part {
                    Value::Object(members) => whole.extend(members),
                    other => whole.extend([("allOf".to_owned(), json!([other]))]),
                }
            }
            Value::Object(whole)
        })
    })
}

/// A schema of 3.0 as one of draft 4, which it is made of: `nullable` is the one difference here.
fn in_draft_4(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.remove("nullable") == Some(json!(true)) {
                let kind = members["type"].take();
                members.insert("type".to_owned(), json!([kind, "null"]));
            }
            members.values_mut().for_each(in_draft_4);
        }
        Value::Array(items) => items.iter_mut().for_each(in_draft_4),
        _ => {}
    }
}

/// Only what 3.0 knows, each with a value that it may have.
fn assert_is_3_0(schema: &Value) {
    const KNOWN: [&str; 30] = [
        "title",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxProperties",
        "minProperties",
        "required",
        "enum",
        "type",
        "not",
        "allOf",
        "oneOf",
        "anyOf",
        "items",
        "properties",
        "additionalProperties",
        "description",
        "format",
        "default",
        "nullable",
        "example",
        "$ref",
    ];
    let members = schema.as_object().unwrap();
    assert!(
        members.keys().all(|name| KNOWN.contains(&name.as_str())),
        "{schema}"
    );
    assert!(
        members.get("$ref").is_none() || members.len() == 1,
        "{schema}"
    );
    assert!(members.get("type").is_none_or(Value::is_string), "{schema}");
    assert!(
        members.get("type") != Some(&json!("array")) || members.contains_key("items"),
        "{schema}"
    );
    assert!(
        members.get("nullable").is_none() || members.contains_key("type"),
        "{schema}"
    );
    for (name, value) in members {
        match name.as_str() {
            "allOf" | "anyOf" | "oneOf" => {
                assert!(!value.as_array().unwrap().is_empty(), "{schema}");
                value.as_array().unwrap().iter().for_each(assert_is_3_0);
            }
            "properties" => value.as_object().unwrap().values().for_each(assert_is_3_0),
            "not" | "items" => assert_is_3_0(value),
            "additionalProperties" if value.is_object() => assert_is_3_0(value),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn what_a_schema_accepts_it_accepts_in_3_0(
        schema in schemas(), x in assertions(), y in assertions(), values in prop::collection::vec(values(), 24),
    ) {
        // Definitions do not refer to others, so that no schema applies to a value without end.
        let apart = |it: Value| if it.get("$ref").is_some() { json!({"contains": {}}) } else { it };
        let schemas = json!({"t": schema, "t.X": apart(x), "t.Y": {"properties": {"a": apart(y)}}});
        let mut document = converted(&schemas);
        for schema in document["components"]["schemas"].as_object().unwrap().values() {
            assert_is_3_0(schema);
        }
        in_draft_4(&mut document["components"]);
        let root = json!("#/components/schemas/t");
        let before = json!({"$ref": root, "components": {"schemas": schemas}});
        let before = jsonschema::draft202012::new(&before).unwrap();
        let after = json!({"allOf": [{"$ref": root}], "components": document["components"]});
        let after = jsonschema::draft4::new(&after).unwrap();
        let is_exact = document["x-mcp-lossy"] == json!([]);
        for value in &values {
            let (was, is) = (before.is_valid(value), after.is_valid(value));
            prop_assert!(is || !was, "{value} is refused by {}", document["components"]);
            prop_assert!(!is_exact || was == is, "{value} is accepted by {}", document["components"]);
        }
    }
}
