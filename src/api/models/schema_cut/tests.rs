//! Schemas cut for each API, and hostile ones.

use super::*;

fn made(api: ModelApi, schema: &Value) -> (Value, Vec<String>) {
    let mut cuts = Vec::new();
    let schema = cut(api, Some(&schema.to_string()), &mut cuts);
    let cuts = cuts
        .into_iter()
        .map(|cut| format!("{} {}", cut.pointer, cut.keyword));
    (Value::Object(schema), cuts.collect())
}

#[test]
fn references_are_replaced_by_what_they_lead_to() {
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"at": {"$ref": "#/$defs/Place", "description": "Where."}},
        "required": ["at"],
        "$defs": {"Place": {"type": "object", "description": "A place.", "properties": {"x": {"type": "number"}}}},
    });
    let place =
        json!({"description": "Where.", "type": "object", "properties": {"x": {"type": "number"}}});
    for api in [ModelApi::OpenAi, ModelApi::Anthropic, ModelApi::Ollama] {
        let (schema, cuts) = made(api, &schema);
        assert_eq!(
            schema,
            json!({"type": "object", "properties": {"at": place}, "required": ["at"]})
        );
        // The definition's own description gives way to the one beside the reference.
        assert_eq!(cuts, ["/inputSchema/$defs/Place description"]);
    }
    let (schema, _) = made(ModelApi::Gemini, &schema);
    assert_eq!(
        schema["properties"]["at"]["properties"]["x"],
        json!({"type": "NUMBER"})
    );
}

#[test]
fn a_schema_that_refers_to_itself_is_cut_there() {
    let tree = json!({
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/Node"}},
        "$defs": {"Node": {
            "type": "object",
            "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
        }},
    });
    for &api in ModelApi::ALL {
        let (schema, cuts) = made(api, &tree);
        let upper = if api == ModelApi::Gemini {
            "OBJECT"
        } else {
            "object"
        };
        let items = &schema["properties"]["root"]["properties"]["children"]["items"];
        assert_eq!(*items, json!({"type": upper}), "{api:?}");
        assert_eq!(
            cuts,
            ["/inputSchema/$defs/Node/properties/children/items $ref"]
        );
    }
    let (schema, _) = made(
        ModelApi::OpenAi,
        &json!({"properties": {"a": {"$ref": "#"}}}),
    );
    assert_eq!(schema["properties"]["a"], json!({}));
}

#[test]
fn at_the_top_is_an_object_without_a_choice() {
    let schema = json!({
        "anyOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]},
            {"$ref": "#/$defs/Other"},
        ],
        "allOf": [{"properties": {"z": {"type": "integer"}}, "required": ["z"]}],
        "not": {"required": ["q"]},
        "$defs": {"Other": {"properties": {"a": {"type": "number"}, "c": {"type": "boolean"}}, "required": ["a"]}},
    });
    for api in [ModelApi::OpenAi, ModelApi::Anthropic] {
        let (schema, cuts) = made(api, &schema);
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {"z": {"type": "integer"}, "a": {"type": "string"}, "b": {"type": "string"}, "c": {"type": "boolean"}},
                "required": ["z", "a"],
            })
        );
        assert_eq!(cuts, ["/inputSchema not", "/inputSchema anyOf"]);
    }
    for nothing in [
        json!(true),
        json!({}),
        json!({"type": "string"}),
        json!([1]),
    ] {
        let (schema, _) = made(ModelApi::OpenAi, &nothing);
        assert_eq!(schema, json!({"type": "object", "properties": {}}));
    }
}

#[test]
fn only_what_an_api_has_is_kept_and_the_rest_is_listed() {
    let schema = json!({
        "type": "object",
        "properties": {
            "n": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2, "x-mcp-header": "N"},
            "k": {"const": "fixed"},
            "u": {"oneOf": [{"type": "string"}, {"type": "null"}]},
            "l": {"type": "array"},
            "old": {"type": "number", "minimum": 1, "exclusiveMinimum": true},
            "any": true,
            "none": false,
        },
        "additionalProperties": false,
    });
    let (of_openai, cuts) = made(ModelApi::OpenAi, &schema);
    assert_eq!(
        of_openai["properties"],
        json!({
            "n": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2},
            "k": {"const": "fixed"},
            "u": {"oneOf": [{"type": "string"}, {"type": "null"}]},
            "l": {"type": "array", "items": {}},
            "old": {"type": "number", "minimum": 1},
            "any": {},
        })
    );
    assert_eq!(of_openai["additionalProperties"], json!(false));
    assert_eq!(
        cuts,
        [
            "/inputSchema/properties/old exclusiveMinimum",
            "/inputSchema/properties none"
        ]
    );
    let (of_gemini, cuts) = made(ModelApi::Gemini, &schema);
    assert_eq!(
        of_gemini["properties"]["k"],
        json!({"type": "STRING", "enum": ["fixed"], "format": "enum"})
    );
    assert_eq!(
        of_gemini["properties"]["u"],
        json!({"type": "STRING", "nullable": true})
    );
    assert_eq!(of_gemini["properties"]["n"], json!({"type": "INTEGER"}));
    for cut in [
        "/inputSchema additionalProperties",
        "/inputSchema/properties/n exclusiveMinimum",
        "/inputSchema/properties/n multipleOf",
        "/inputSchema/properties/u oneOf",
    ] {
        assert!(cuts.iter().any(|it| it == cut), "{cut}: {cuts:?}");
    }
}

#[test]
fn arguments_have_names_that_the_api_accepts() {
    let schema = json!({
        "properties": {"page-size": {}, "größe": {}, "ok": {}},
        "required": ["page-size", "größe", "ok"],
    });
    let names = |api| {
        let (schema, cuts) = made(api, &schema);
        let names: Vec<String> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        assert_eq!(schema["required"], json!(names));
        (names.join(" "), cuts.len())
    };
    assert_eq!(
        names(ModelApi::OpenAi),
        ("page-size größe ok".to_owned(), 0)
    );
    assert_eq!(names(ModelApi::Anthropic), ("page-size ok".to_owned(), 1));
    assert_eq!(names(ModelApi::Gemini), ("ok".to_owned(), 2));
}

#[test]
fn hostile_schemas_are_cut_to_a_bounded_size() {
    // Each definition holds the next one ten times.
    let mut definitions = Map::new();
    for n in 0..40 {
        let next: Schema = (0..10)
            .map(|k| {
                (
                    format!("p{k}"),
                    json!({"$ref": format!("#/$defs/d{}", n + 1)}),
                )
            })
            .collect();
        definitions.insert(format!("d{n}"), json!({"properties": next}));
    }
    let doubling = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let deep = (0..120).fold(
        json!({}),
        |schema, _| json!({"items": schema, "type": "array"}),
    );
    let circle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}});
    let long = "n".repeat(50_000);
    let values: Vec<Value> = (0..4).map(|_| json!({"enum": [long]})).collect();
    let copies = json!({"properties": {
        "a": {"$ref": "#/$defs/a"}, "b": {"$ref": "#/$defs/a"}, "c": {"$ref": "#/$defs/a"},
        "d": {"$ref": "#/$defs/a"}, "e": {"$ref": "#/$defs/a"}, "f": {"$ref": "#/$defs/a"},
    }, "$defs": {"a": {"enum": ["v".repeat(100_000)]}}});
    let all: Vec<Value> = (0..2500)
        .map(|n| json!({"allOf": [{"$ref": "#"}], "required": [n.to_string()]}))
        .collect();
    for hostile in [
        doubling,
        json!({"properties": {"deep": deep}}),
        circle,
        json!({"anyOf": values}),
        copies,
        json!({"allOf": all}),
        json!({"anyOf": all}),
    ] {
        assert!(hostile.to_string().len() <= MOST_BYTES);
        for &api in ModelApi::ALL {
            let (schema, cuts) = made(api, &hostile);
            let size = schema.to_string().len();
            assert!(size < 3 * MOST_BYTES, "{api:?}: {size}");
            assert!(
                !cuts.is_empty() && cuts.len() <= MOST_CUTS,
                "{}",
                cuts.len()
            );
        }
    }
}

#[test]
fn numbers_that_cannot_be_kept_are_cut_alone() {
    let schema = r#"{"properties": {
        "a": {"type": "number", "minimum": 0, "maximum": 1e400},
        "b": {"type": "integer", "default": 12345678901234567890123},
        "c": {"enum": [1, [12345678901234567890123]], "type": "integer"}
    }}"#;
    for &api in ModelApi::ALL {
        let mut cuts = Vec::new();
        let made = Value::Object(cut(api, Some(schema), &mut cuts));
        let of = |name: &str| made["properties"][name].as_object().unwrap();
        assert!(["a", "b", "c"].iter().all(|it| of(it).contains_key("type")));
        assert_eq!(of("a").contains_key("minimum"), api != ModelApi::Ollama);
        for (name, keyword) in [("a", "maximum"), ("b", "default"), ("c", "enum")] {
            assert!(!of(name).contains_key(keyword), "{api:?} {made}");
            let pointer = format!("/inputSchema/properties/{name}");
            let keyword = keyword.to_owned();
            assert!(cuts.contains(&Cut { pointer, keyword }), "{cuts:?}");
        }
    }
}
