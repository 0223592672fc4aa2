//! How large a document becomes. What is in one is checked on the wire (`tests/api/documents.rs`).

use serde_json::Map;

use super::*;

/// A list of tools whose schemas each would take all the copies that one may have.
fn doubling(tools: usize) -> Bytes {
    let mut definitions = Map::new();
    for index in 0..12 {
        let beside = json!({"$ref": format!("#/$defs/D{}", index + 1), "default": 0});
        let schema = json!({"properties": {"a": beside, "b": beside}});
        definitions.insert(format!("D{index}"), schema);
    }
    definitions.insert("D12".to_owned(), json!({"type": "integer"}));
    let first = json!({"a": {"$ref": "#/$defs/D0", "default": 0}});
    let schema = json!({"type": "object", "properties": first, "$defs": definitions});
    let tool = |index| json!({"name": format!("t{index}"), "inputSchema": schema});
    let tools: Vec<Value> = (0..tools).map(tool).collect();
    json!({"tools": tools}).to_string().into()
}

#[test]
fn copies_are_bounded_for_all_tools_together() {
    let document = |page: &Bytes, view| {
        let server = Server {
            name: "s".to_owned(),
            tools: Arc::new(Tools::of(std::slice::from_ref(page)).unwrap()),
            info: None,
            has_sessions: false,
            form: ResultForm::Value,
            tool_errors: ToolErrors::Status,
            checks: ArgumentChecks::Off,
        };
        let source = Source {
            common: Arc::default(),
            about: About::Server,
            servers: vec![server],
            url: "http://127.0.0.1/".to_owned(),
            key_wanted: false,
            validators: Arc::default(),
            view,
        };
        source.document().unwrap()
    };
    let page = doubling(200);
    let (lean, full) = (document(&page, View::Lean), document(&page, View::Full));
    // What stands beside a copy comes on top of it: here, as much again at most.
    let most = full.len() + 2 * 2 * 1024 * 1024;
    assert!(lean.len() < most, "{} {}", lean.len(), full.len());
    assert_eq!(lean, document(&page, View::Lean), "another order");
    let document: Value = serde_json::from_slice(&lean).unwrap();
    let argument = |tool: usize| {
        let pointer = format!("/components/schemas/T{tool}Arguments/properties/a");
        document.pointer(&pointer).unwrap()
    };
    assert!(argument(0).get("properties").is_some());
    let reference = json!([{"$ref": "#/components/schemas/T199ArgumentsD0"}]);
    assert_eq!(argument(199)["allOf"], reference);
}
