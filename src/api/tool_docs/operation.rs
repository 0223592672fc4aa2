//! One tool as an operation: its names, its arguments, its result, its errors.

#![expect(
    clippy::indexing_slicing,
    reason = "indices into objects that were written just before"
)]

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::api::openapi::common::{ANY_PROBLEM, Common, RESULT, SCHEMAS, TOOL_ERROR};
use crate::api::request::parameters::View;
use crate::api::tool_docs::names::{Names, pascal_case};
use crate::api::tool_docs::node::{Node, Object, member};
use crate::config::servers::{ArgumentChecks, ResultForm, ToolErrors};
use crate::json::{Members, text_member};
use crate::mcp::protocol::tool::Tool;
use crate::mcp::tools::Tools;
use crate::schema::example::Examples;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain";

/// A server of a document.
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) tools: &'a Tools,
    /// It has sessions, as far as is known.
    pub(crate) has_sessions: bool,
    /// The form of a result, where a caller asks for none.
    pub(crate) form: ResultForm,
    /// What an error of a tool's own becomes.
    pub(crate) tool_errors: ToolErrors,
    /// Arguments are validated here.
    pub(crate) checks: ArgumentChecks,
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
    /// The component of the `structuredContent` of its result, where it describes that.
    pub(crate) output: Option<String>,
    /// The component of the whole result with that in it, where a call can answer with it.
    pub(crate) result: Option<String>,
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
        view: View,
        names: &mut Names,
    ) -> Self {
        let base = pascal_case(&id);
        let mut component = |suffix: &str| names.component(&format!("{base}{suffix}"), name);
        let arguments = component("Arguments");
        let schema = schema_of(tool, "outputSchema");
        let output = schema.map(|_| component("Output"));
        let is_whole = server.form == ResultForm::Mcp || view == View::Full;
        let result = schema.filter(|_| is_whole).map(|_| component("Result"));
        Self {
            server,
            name,
            tool,
            id,
            arguments,
            output,
            result,
        }
    }

    /// Its operation.
    pub(crate) fn operation(&self, shared: &Shared<'a>, examples: &mut Examples<'_>) -> Object<'a> {
        let is_full = shared.view == View::Full;
        let text = |name| text_member(&self.tool.definition, name).filter(|it| !it.is_empty());
        let annotations = self.tool.member("annotations");
        let title = text("title")
            .or_else(|| text_member(annotations?, "title").filter(|it| !it.is_empty()));
        let description = text("description");
        let summary = match shared.view {
            View::Full => title.map(Cow::into_owned),
            View::Lean => summary(title.as_deref(), description.as_deref()),
        };
        let mut operation: Object<'a> = vec![
            member("operationId", self.id.clone()),
            member("summary", summary.unwrap_or_else(|| self.name.to_owned())),
        ];
        if let Some(description) = description {
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
            let parameters = if self.server.has_sessions {
                &full.parameters
            } else {
                &full.parameters_without_session
            };
            operation.push(("parameters".into(), Node::Shared(parameters)));
        }
        if is_full || !self.takes_nothing() {
            operation.push(member("requestBody", self.request_body(examples)));
        }
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

    /// Whether its arguments are always `{}`, so that the lean view has no body: some consumers make an argument of one without members.
    pub(crate) fn takes_nothing(&self) -> bool {
        let schema = schema_of(self.tool, "inputSchema");
        schema.is_some_and(allows_nothing)
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

    /// The whole result.
    fn whole(&self) -> Value {
        reference(self.result.as_deref().unwrap_or(RESULT))
    }

    /// The structured content; anything, where the tool does not describe it.
    fn structured(&self) -> Value {
        let output = self.output.as_deref();
        output.map_or(json!({"schema": {}}), reference)
    }

    /// The value. An error of the tool's own is a text, where it is no error of the call.
    fn value(&self) -> Value {
        if self.output.is_none() || self.server.tool_errors == ToolErrors::Status {
            return self.structured();
        }
        let error = json!({
            "type": "string",
            "description": "What the tool says of its error; with `Mcp-Tool-Error: true`",
        });
        json!({"schema": {"anyOf": [self.structured()["schema"], error]}})
    }

    /// What a call without parameters answers: a sentence, the media type, and its content.
    fn answer(&self) -> (&'static str, &'static str, Value) {
        match self.server.form {
            ResultForm::Mcp => ("The tool's result", JSON, self.whole()),
            ResultForm::Structured => ("The tool's result as data", JSON, self.structured()),
            ResultForm::Value if self.output.is_some() => ("The tool's value", JSON, self.value()),
            ResultForm::Value => (
                "The tool's value: JSON, a text, or an image or audio as `{\"mimeType\", \"data\"}` with Base64",
                JSON,
                self.value(),
            ),
            ResultForm::Text => ("The texts of the tool's result", TEXT, text()),
            ResultForm::Image => ("The tool's image", "image/*", json!({})),
            ResultForm::Audio => ("The tool's audio", "audio/*", json!({})),
        }
    }

    /// Those that every caller meets.
    fn responses(&self) -> Object<'a> {
        let (description, media_type, content) = self.answer();
        let result = json!({"description": description, "content": {media_type: content}});
        let problem = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
        let mut responses = vec![member("200", result)];
        let has_errors = self.server.tool_errors == ToolErrors::Status;
        if has_errors || self.server.checks == ArgumentChecks::On {
            responses.push(member("422", problem(TOOL_ERROR)));
        }
        responses.push(member("default", problem(ANY_PROBLEM)));
        responses
    }

    /// Every representation and every error.
    fn all_responses(&self, common: &'a Common) -> Object<'a> {
        let (_, media_type, answer) = self.answer();
        let mut content = json!({
            "application/vnd.mcp.value+json": self.value(),
            "text/plain": text(),
            "image/*": {},
            "audio/*": {},
            "text/event-stream": {"schema": {}},
            "application/x-ndjson": {"schema": {}},
        });
        if self.output.is_some() {
            content["application/vnd.mcp.structured+json"] = self.structured();
        }
        content[JSON] = match (self.server.form, media_type) {
            (ResultForm::Mcp, _) => self.whole(),
            (_, JSON) => {
                json!({"schema": {"anyOf": [answer["schema"], self.whole()["schema"]]}})
            }
            _ => self.whole(),
        };
        let result = vec![
            member(
                "description",
                "The tool's result in the form of the configuration; or, by `Accept` or `result`, in another, or a stream of \
                 notifications and the result",
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

fn text() -> Value {
    json!({"schema": {"type": "string"}})
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

/// Whether a schema knows no member: it says that there is none, and nothing else.
fn allows_nothing(schema: &RawValue) -> bool {
    let Ok(members) = Members::of(schema.get()) else {
        return false;
    };
    let is_empty = |name: &str, open: char, close: char| {
        members.get(name).is_some_and(|value| {
            let inside = value.get().strip_prefix(open);
            inside
                .and_then(|it| it.strip_suffix(close))
                .is_some_and(|it| it.trim().is_empty())
        })
    };
    let is_closed = members
        .get("additionalProperties")
        .is_some_and(|it| it.get() == "false");
    let says_nothing_else = members.0.iter().all(|(name, value)| match name.as_ref() {
        "type" => value.get() == "\"object\"",
        "properties" => is_empty("properties", '{', '}'),
        "required" => is_empty("required", '[', ']'),
        "additionalProperties" => matches!(value.get(), "true" | "false"),
        "title" | "description" | "$schema" => true,
        _ => false,
    });
    says_nothing_else && (is_closed || members.get("properties").is_some())
}

/// What a summary has at most: `ChatGPT` takes no more.
const SUMMARY: usize = 300;

/// The title, and what the description begins with: some consumers show the model nothing but the summary.
fn summary(title: Option<&str>, description: Option<&str>) -> Option<String> {
    let first = description.and_then(|it| it.trim().split("\n\n").next());
    let mut words = Vec::new();
    let mut length = title.map_or(0, |title| title.chars().count() + 2);
    for word in first.unwrap_or_default().split_whitespace() {
        length += word.chars().count() + 1;
        if length > SUMMARY {
            words.push("…");
            break;
        }
        words.push(word);
    }
    let first = words.join(" ");
    match title {
        Some(title) if first.is_empty() || first == title => Some(title.to_owned()),
        Some(title) => Some(format!("{title}: {first}")),
        None => (!first.is_empty()).then_some(first),
    }
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
