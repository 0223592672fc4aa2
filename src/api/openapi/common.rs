//! The parts that documents of tools share with this service's own: parameters, problems, headers, security schemes. They are taken out
//! of that document, once, with everything they refer to.

#![expect(
    clippy::indexing_slicing,
    reason = "indices into documents of ours, where a missing member is null"
)]

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Where components of schemas are.
pub(crate) const SCHEMAS: &str = "#/components/schemas/";
/// The operation of which every tool's is an instance.
const EXECUTE: &str = "/paths/~1api~1mcp~1{server}~1tools~1{tool}~1execute/post";
/// The result of a tool without an `outputSchema`.
pub(crate) const RESULT: &str = "CallToolResult";

/// Parts of documents of tools.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// References to `components`, for each operation.
    pub(crate) parameters: Value,
    /// By status, but for 200.
    pub(crate) responses: Map<String, Value>,
    /// The headers of 200.
    pub(crate) headers: Value,
    /// Everything referred to, by kind and name.
    pub(crate) components: Map<String, Value>,
    /// The schema of a result.
    result: Value,
}

impl Common {
    /// Out of this service's own document.
    pub(crate) fn of(own: &Value) -> Self {
        let execute = own.pointer(EXECUTE).cloned().unwrap_or_default();
        let mut common = Self {
            result: own["components"]["schemas"][RESULT].clone(),
            headers: execute["responses"]["200"]["headers"].clone(),
            ..Self::default()
        };
        let responses = execute["responses"].as_object().into_iter().flatten();
        for (status, response) in responses.filter(|(status, _)| *status != "200") {
            common.responses.insert(status.clone(), response.clone());
        }
        let mut parameters = Map::new();
        let mut references = Vec::new();
        for parameter in execute["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "path" {
                continue;
            }
            // Two have the same name, one in the query and one in a header.
            let name = format!(
                "{}.{}",
                parameter["in"].as_str().unwrap_or_default(),
                parameter["name"].as_str().unwrap_or_default()
            );
            references.push(json!({"$ref": format!("#/components/parameters/{name}")}));
            parameters.insert(name, parameter.clone());
        }
        common.parameters = references.into();
        let start = json!([
            common.responses,
            common.headers,
            parameters,
            {"$ref": format!("{SCHEMAS}{RESULT}")}
        ]);
        common.collect(own, &start);
        common.insert("parameters", parameters);
        let schemes = own["components"]["securitySchemes"].clone();
        if let Value::Object(schemes) = schemes {
            common.insert("securitySchemes", schemes);
        }
        common
    }

    fn insert(&mut self, kind: &str, named: Map<String, Value>) {
        self.components.insert(kind.to_owned(), named.into());
    }

    /// Everything that `start` refers to, and what that refers to.
    fn collect(&mut self, own: &Value, start: &Value) {
        let mut to_see = vec![start];
        let mut seen = BTreeSet::new();
        while let Some(value) = to_see.pop() {
            match value {
                Value::Object(members) => to_see.extend(members.values()),
                Value::Array(items) => to_see.extend(items),
                _ => {}
            }
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                continue;
            };
            let mut parts = reference.trim_start_matches("#/components/").split('/');
            if let (Some(kind), Some(name)) = (parts.next(), parts.next())
                && seen.insert(reference)
            {
                let component = &own["components"][kind][name];
                to_see.push(component);
                let of_kind = self.components.entry(kind).or_insert(json!({}));
                of_kind[name] = component.clone();
            }
        }
    }

    /// The names of the schemas among them.
    pub(crate) fn schema_names(&self) -> Vec<String> {
        let schemas = self.components.get("schemas").and_then(Value::as_object);
        schemas.map_or(Vec::new(), |schemas| schemas.keys().cloned().collect())
    }

    /// The schema of a result whose `structuredContent` is described at `structured`.
    pub(crate) fn result_with(&self, structured: &str) -> Value {
        let mut result = self.result.clone();
        result["description"] = json!("The result of the tool: MCP's `CallToolResult`.");
        result["properties"]["structuredContent"] = json!({"$ref": structured});
        result
    }
}
