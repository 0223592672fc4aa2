//! The parts that documents of tools share with this service's own: parameters, problems, headers. They are taken out of that
//! document, once, with everything they refer to.

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
/// Where the problems of this service are, and their examples.
const RESPONSES: &str = "/components/responses/";
const OF_ANY: &str = "ToolNotFound/content/application~1problem+json/examples/tool_not_found";
const OF_TOOL: &str = "ToolError/content/application~1problem+json/examples/tool_error";
/// The result of a tool without an `outputSchema`.
pub(crate) const RESULT: &str = "CallToolResult";

/// The parameters of sessions, which only servers with sessions have.
const OF_SESSIONS: [&str; 4] = ["sessionId", "Mcp-Session-Id", "init", "close"];
/// The error of every kind, in the lean view.
pub(crate) const ANY_PROBLEM: &str = "Problem";
/// 422 in both views.
pub(crate) const TOOL_ERROR: &str = "ToolError";

/// Parts of documents of tools.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// Everything, for the full view.
    pub(crate) full: Parts,
    /// What every caller needs, for the lean one.
    pub(crate) lean: Parts,
    /// How a key is sent.
    pub(crate) security_schemes: Value,
    /// The schema of a result.
    result: Value,
}

/// Those of one view.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// References to `components`, for each operation of a server with sessions.
    pub(crate) parameters: Value,
    /// The same for a server without.
    pub(crate) parameters_without_session: Value,
    /// By status, but for 200.
    pub(crate) responses: Map<String, Value>,
    /// The headers of 200.
    pub(crate) headers: Value,
    /// Everything referred to, by kind and name.
    pub(crate) components: Map<String, Value>,
}

impl Common {
    /// Out of this service's own document.
    pub(crate) fn of(own: &Value) -> Self {
        Self {
            full: Parts::full(own),
            lean: Parts::lean(own),
            security_schemes: own["components"]["securitySchemes"].clone(),
            result: own["components"]["schemas"][RESULT].clone(),
        }
    }

    /// The schema of a result whose `structuredContent` is described at `structured`.
    pub(crate) fn result_with(&self, structured: &str) -> Value {
        let mut result = self.result.clone();
        result["properties"]["structuredContent"] = json!({"$ref": structured});
        result
    }
}

impl Parts {
    /// One problem stands for all.
    fn lean(own: &Value) -> Self {
        let mut parts = Self::default();
        let problem = |description: &str, example: &str| {
            json!({"description": description, "content": {"application/problem+json": {
                "schema": {"$ref": format!("{SCHEMAS}Problem")},
                "example": own.pointer(&format!("{RESPONSES}{example}/value")),
            }}})
        };
        let any = problem("Any error: `code` names the cause", OF_ANY);
        let of_tool = problem(
            "The arguments are not valid, or the tool reports an error",
            OF_TOOL,
        );
        parts.collect(own, &json!([any, {"$ref": format!("{SCHEMAS}{RESULT}")}]));
        let responses = json!({ANY_PROBLEM: any, TOOL_ERROR: of_tool});
        parts.components.insert("responses".to_owned(), responses);
        parts
    }

    fn full(own: &Value) -> Self {
        let execute = own.pointer(EXECUTE).cloned().unwrap_or_default();
        let mut parts = Self {
            headers: execute["responses"]["200"]["headers"].clone(),
            ..Self::default()
        };
        let responses = execute["responses"].as_object().into_iter().flatten();
        for (status, response) in responses.filter(|(status, _)| *status != "200") {
            parts.responses.insert(status.clone(), response.clone());
        }
        let mut parameters = Map::new();
        let (mut all, mut without_session) = (Vec::new(), Vec::new());
        for parameter in execute["parameters"].as_array().into_iter().flatten() {
            if parameter["in"] == "path" {
                continue;
            }
            let name = parameter["name"].as_str().unwrap_or_default();
            // Two have the same name, one in the query and one in a header.
            let key = format!("{}.{name}", parameter["in"].as_str().unwrap_or_default());
            let reference = json!({"$ref": format!("#/components/parameters/{key}")});
            if !OF_SESSIONS.contains(&name) {
                without_session.push(reference.clone());
            }
            all.push(reference);
            parameters.insert(key, parameter.clone());
        }
        parts.parameters = all.into();
        parts.parameters_without_session = without_session.into();
        let start = json!([
            parts.responses,
            parts.headers,
            parameters,
            {"$ref": format!("{SCHEMAS}{RESULT}")}
        ]);
        parts.collect(own, &start);
        let parameters = parameters.into();
        parts.components.insert("parameters".to_owned(), parameters);
        parts
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
    pub(crate) fn schema_names(&self) -> impl Iterator<Item = &str> {
        let schemas = self.components.get("schemas").and_then(Value::as_object);
        schemas.into_iter().flatten().map(|(name, _)| name.as_str())
    }
}
