//! One tool as an operation: its names, its arguments, its result, its errors.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::openapi::common::{ANY_PROBLEM, Common, RESULT, SCHEMAS, TOOL_ERROR};
use crate::api::request::parameters::View;
use crate::api::tool_docs::names::{Names, pascal_case};
use crate::api::tool_docs::node::{Node, Object, member};
use crate::json::{Members, text_member};
use crate::mcp::protocol::tool::Tool;
use crate::mcp::tools::Tools;
use crate::schema::example::Examples;

/// A server of a document.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) tools: &'a Tools,
    /// It has sessions, as far as is known.
    pub(crate) has_sessions: bool,
    /// A call of its tools can be answered by 422 without the server's doing.
    pub(crate) has_tool_errors: bool,
}

/// A tool of a document.
pub(crate) struct Entry<'a> {
    pub(crate) server: &'a Listed<'a>,
    pub(crate) name: &'a str,
    pub(crate) tool: &'a Tool,
    /// The identifier of its operation.
    pub(crate) id: String,
    /// The component of its arguments.
    pub(crate) arguments: String,
    /// The component of its result, and that of the `structuredContent` in it, where it describes that.
    pub(crate) result: Option<(String, String)>,
}

/// What all operations of a document have in common.
pub(crate) struct Shared<'a> {
    pub(crate) common: &'a Common,
    pub(crate) view: View,
    /// API keys are configured.
    pub(crate) key_wanted: bool,
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// A tool with the identifier `id`.
    pub(crate) fn new(
        server: &'a Listed<'a>,
        name: &'a str,
        tool: &'a Tool,
        id: String,
        names: &mut Names,
    ) -> Self {
        let base = pascal_case(&id);
        let mut component = |suffix: &str| names.component(&format!("{base}{suffix}"), name);
        let arguments = component("Arguments");
        let result =
            schema_of(tool, "outputSchema").map(|_| (component("Result"), component("Output")));
        Self {
            server,
            name,
            tool,
            id,
            arguments,
            result,
        }
    }

    /// Its operation.
    pub(crate) fn operation(&self, shared: &Shared<'a>, examples: &mut Examples<'_>) -> Object<'a> {
        let is_full = shared.view == View::Full;
        let text = |name| text_member(&self.tool.definition, name).filter(|it| !it.is_empty());
        let annotations = self.tool.member("annotations");
        let title = text("title")
            .or_else(|| text_member(annotations?, "title").filter(|it| !it.is_empty()))
            .unwrap_or(Cow::Borrowed(self.name));
        let mut operation: Object<'a> = vec![
            member("operationId", self.id.clone()),
            member("summary", title),
        ];
        if let Some(description) = text("description") {
            operation.push(member("description", description));
        }
        operation.push(member("tags", json!([self.server.name])));
        if is_deprecated(self.tool) {
            operation.push(member("deprecated", true));
        }
        let is_consequential = !self.tool.is_read_only();
        operation.push(member("x-openai-isConsequential", is_consequential));
        operation.push(member("x-mcp-tool", self.name));
        if is_full {
            operation.push(member("x-mcp-server", self.server.name));
            if let Some(annotations) = annotations {
                operation.push(("x-mcp-annotations".into(), Node::AsItIs(annotations)));
            }
            let full = &shared.common.full;
            let parameters = match self.server.has_sessions {
                true => &full.parameters,
                false => &full.parameters_without_session,
            };
            operation.push(("parameters".into(), Node::Shared(parameters)));
        }
        operation.push(member("requestBody", self.request_body(examples)));
        let responses = match shared.view {
            View::Full => self.all_responses(shared.common),
            View::Lean => self.responses(),
        };
        operation.push(("responses".into(), Node::Object(responses)));
        if is_full {
            operation.push(member("security", security(shared.key_wanted)));
        }
        operation
    }

    fn request_body(&self, examples: &mut Examples<'_>) -> Value {
        let mut content = reference(&self.arguments);
        let schema = schema_of(self.tool, "inputSchema");
        if let Some(arguments) = schema.and_then(|schema| examples.arguments(schema.get())) {
            content["example"] = arguments;
        }
        json!({
            "description": "The tool's arguments",
            "required": schema.is_some_and(requires_something),
            "content": {"application/json": content},
        })
    }

    /// The component that describes what a call without parameters answers.
    fn answer(&self) -> &str {
        self.result.as_ref().map_or(RESULT, |(result, _)| result)
    }

    /// Those that every caller meets.
    fn responses(&self) -> Object<'a> {
        let result = json!({
            "description": "The tool's result",
            "content": {"application/json": reference(self.answer())},
        });
        let problem = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
        let mut responses = vec![member("200", result)];
        if self.server.has_tool_errors {
            responses.push(member("422", problem(TOOL_ERROR)));
        }
        responses.push(member("default", problem(ANY_PROBLEM)));
        responses
    }

    /// Every representation and every error.
    fn all_responses(&self, common: &'a Common) -> Object<'a> {
        let mut content = json!({
            "application/json": reference(self.answer()),
            "text/plain": {"schema": {"type": "string"}},
            "text/event-stream": {"schema": {}},
            "application/x-ndjson": {"schema": {}},
        });
        if let Some((_, output)) = &self.result {
            content["application/vnd.mcp.structured+json"] = reference(output);
        }
        let result = vec![
            member(
                "description",
                "The tool's result; or, by `Accept`, a part of it, or a stream of notifications and the result",
            ),
            ("headers".into(), Node::Shared(&common.full.headers)),
            member("content", content),
        ];
        let errors = common.full.responses.iter();
        let errors = errors.map(|(status, error)| (status.as_str().into(), Node::Shared(error)));
        std::iter::once(("200".into(), Node::Object(result)))
            .chain(errors)
            .collect()
    }
}

/// Who may call: holders of a key, where keys are configured.
pub(crate) fn security(key_wanted: bool) -> Value {
    if key_wanted {
        json!([{"apiKey": []}, {"bearer": []}])
    } else {
        json!([])
    }
}

/// Content whose schema is a component.
fn reference(component: &str) -> Value {
    json!({"schema": {"$ref": format!("{SCHEMAS}{component}")}})
}

/// A schema of a tool, if it is one: anything else would make the whole document unreadable.
pub(crate) fn schema_of<'a>(tool: &'a Tool, name: &str) -> Option<&'a RawValue> {
    let schema = tool.member(name)?;
    let is_one = schema.get().starts_with('{') || matches!(schema.get(), "true" | "false");
    is_one.then_some(schema)
}

/// Whether `{}`, for which an absent body stands, is invalid.
fn requires_something(schema: &RawValue) -> bool {
    let required = Members::of(schema.get()).ok();
    let required = required.and_then(|members| members.get("required"));
    required.is_some_and(|names| {
        serde_json::from_str::<Vec<&RawValue>>(names.get()).is_ok_and(|names| !names.is_empty())
    })
}

/// MCP has no `deprecated`: servers that say so all the same do it in one of these places.
fn is_deprecated(tool: &Tool) -> bool {
    let says_so = |raw: &RawValue| {
        let members = Members::of(raw.get()).ok();
        members.is_some_and(|it| {
            it.get("deprecated")
                .is_some_and(|said| said.get() == "true")
        })
    };
    let places = ["annotations", "_meta", "inputSchema"];
    let mut places = places.iter().filter_map(|name| tool.member(name));
    says_so(&tool.definition) || places.any(says_so)
}
