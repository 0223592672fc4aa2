//! One tool as the `tools` of an API have it.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::api::models::place::Cut;
use crate::api::models::schema_cut;
use crate::api::request::parameters::ModelApi;
use crate::json::text_of;
use crate::mcp::protocol::tool::Tool;

/// Characters of a description that `OpenAI` accepts.
const OPENAI_DESCRIPTION: usize = 1024;

/// The tool under the name `named`, and what was cut from its definition.
pub(crate) fn of(api: ModelApi, named: &str, tool_name: &str, tool: &Tool) -> (Value, Vec<Cut>) {
    let mut cuts = Vec::new();
    let description = description(api, tool_name, tool, &mut cuts);
    let schema = tool.input_schema().map(RawValue::get);
    let schema = schema_cut::cut(api, schema, &mut cuts);
    let definition = match api {
        ModelApi::OpenAi | ModelApi::Ollama => json!({
            "type": "function",
            "function": {"name": named, "description": description, "parameters": schema},
        }),
        // `strict` is true unless it is given, and most schemas do not keep its rules.
        ModelApi::OpenAiResponses => json!({
            "type": "function", "name": named, "description": description, "parameters": schema, "strict": false,
        }),
        ModelApi::Anthropic => json!({
            "name": named, "description": description, "input_schema": schema,
        }),
        ModelApi::Gemini => gemini(named, &description, schema),
    };
    (definition, cuts)
}

/// The value of an API's `tools` parameter.
pub(crate) fn list(api: ModelApi, definitions: Vec<Value>) -> Vec<Value> {
    match api {
        ModelApi::Gemini if definitions.is_empty() => vec![],
        ModelApi::Gemini => vec![json!({"functionDeclarations": definitions})],
        _ => definitions,
    }
}

/// Without arguments, a function has no `parameters`: "should be non-empty for OBJECT type".
fn gemini(named: &str, description: &str, schema: Map<String, Value>) -> Value {
    let mut definition = json!({"name": named, "description": description});
    if schema.contains_key("properties")
        && let Value::Object(members) = &mut definition
    {
        members.insert("parameters".to_owned(), Value::Object(schema));
    }
    definition
}

/// What the tool does, in its own words; else its title, else its name, for some APIs require a description.
fn description(api: ModelApi, name: &str, tool: &Tool, cuts: &mut Vec<Cut>) -> String {
    let said = |member| {
        let text = text_of(tool.member(member)?)?;
        (!text.trim().is_empty()).then(|| text.into_owned())
    };
    let text = said("description").or_else(|| said("title"));
    let text = text.unwrap_or_else(|| name.to_owned());
    let most = match api {
        ModelApi::OpenAi | ModelApi::OpenAiResponses => OPENAI_DESCRIPTION,
        _ => return text,
    };
    if text.chars().count() <= most {
        return text;
    }
    cuts.push(Cut {
        pointer: String::new(),
        keyword: "description".to_owned(),
    });
    text.chars().take(most - 1).chain(['…']).collect()
}
