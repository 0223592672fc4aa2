//! The schemas of what passes through unread: MCP's own objects, as far as they help a reader.
//!
//! Servers of six revisions and a dozen libraries answer here, so every object is open, hardly a member is required,
//! and `null` stands for absent, as some write it.

#![expect(
    dead_code,
    reason = "these types describe bytes that are never taken apart"
)]

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};
use utoipa::openapi::header::Header;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{IntoResponses, PartialSchema as _, ToSchema};

/// utoipa knows this name for an object of any members.
type Object = Map<String, Value>;

/// A tool's arguments: an object that fits its `inputSchema`.
#[derive(ToSchema)]
pub(crate) struct Arguments {
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

/// A prompt's arguments, all of them texts.
#[derive(ToSchema)]
pub(crate) struct PromptArguments {
    #[serde(flatten)]
    members: HashMap<String, String>,
}

/// Anything: it is not looked at.
#[derive(ToSchema)]
pub(crate) struct Ignored {
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

/// What a tool returned: MCP's `CallToolResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallToolResult {
    /// What the tool says.
    content: Option<Vec<ContentBlock>>,
    /// The same for programs, as the tool's `outputSchema` says. Any JSON value.
    structured_content: Option<Value>,
    /// Whether the tool reports an error of its own; absent means it does not.
    is_error: Option<bool>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What a call of a tool is answered with, in whatever form is asked for.
pub(crate) struct ToolAnswer;

impl IntoResponses for ToolAnswer {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const FORMS: [(&str, Form); 7] = [
            ("application/json", Form::Whole),
            ("application/vnd.mcp.structured+json", Form::Any),
            ("text/plain", Form::Text),
            ("image/*", Form::Any),
            ("audio/*", Form::Any),
            ("text/event-stream", Form::Any),
            ("application/x-ndjson", Form::Any),
        ];
        let response = ResponseBuilder::new()
            .description(
                "The server's `result`; or, by `Accept` or `result`, what is in it. As events or lines: what the server tells \
                 meanwhile (`progress`, `log`), then `result` or `error`",
            )
            .header("Mcp-Session-Id", Header::default())
            .header("Mcp-Tool-Error", Header::default());
        let response = FORMS
            .into_iter()
            .fold(response, |response, (media_type, form)| {
                response.content(media_type, Content::new(Some(form.schema())))
            });
        BTreeMap::from([("200".to_owned(), response.build().into())])
    }
}

enum Form {
    Whole,
    Text,
    Any,
}

impl Form {
    fn schema(self) -> RefOr<Schema> {
        match self {
            Self::Whole => Ref::from_schema_name("CallToolResult").into(),
            Self::Text => String::schema(),
            Self::Any => Value::schema(),
        }
    }
}

/// One piece of content. `type` says which members there are.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContentBlock {
    /// `text`, `image`, `audio`, `resource_link`, `resource`, or what a later revision adds.
    r#type: Option<String>,
    /// Of a text.
    text: Option<String>,
    /// Of an image or of audio, in Base64.
    data: Option<String>,
    /// Of an image, of audio or of a link.
    mime_type: Option<String>,
    /// Of a link.
    uri: Option<String>,
    /// An embedded resource.
    resource: Option<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A page of tools, or all of them: MCP's `ListToolsResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListToolsResult {
    /// The definitions.
    tools: Vec<Tool>,
    /// Where the next page starts; may be empty. Absent on the last page.
    next_cursor: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A tool's definition.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tool {
    /// The name it is called by.
    name: String,
    /// A name for people.
    title: Option<String>,
    /// What it does.
    description: Option<String>,
    /// JSON Schema of its arguments.
    input_schema: Option<Object>,
    /// JSON Schema of its `structuredContent`.
    output_schema: Option<Object>,
    /// Hints such as `readOnlyHint` and `idempotentHint`.
    annotations: Option<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A tool's definition, and how to call it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DescribedTool {
    /// The name it is called by.
    name: String,
    /// JSON Schema of its arguments.
    input_schema: Option<Object>,
    /// How to call it, unless the definition has a member of this name itself.
    example: Option<ExampleCall>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// An example of a call.
#[derive(ToSchema)]
struct ExampleCall {
    /// The HTTP method.
    method: String,
    /// Where the tool is called.
    url: String,
    /// Arguments that fit the schema; `null` if none could be made up.
    arguments: Option<Object>,
    /// The same call as a line for a shell.
    curl: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What a server says of itself: the result of `initialize`, or of `server/discover` where there are no sessions.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitializeResult {
    /// The session that was opened; `null` where the server has none.
    #[schema(required = true)]
    session_id: Option<String>,
    /// The revision settled on (`initialize`).
    protocol_version: Option<String>,
    /// The revisions spoken (`server/discover`).
    supported_versions: Option<Vec<String>>,
    /// What the server offers.
    capabilities: Option<Object>,
    /// Its name and version.
    server_info: Option<Object>,
    /// How to use it, for a model.
    instructions: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// An empty object: the server has answered.
#[derive(ToSchema)]
pub(crate) struct Pong {}

/// A page of resources, or all of them: MCP's `ListResourcesResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListResourcesResult {
    /// The resources.
    resources: Vec<Resource>,
    /// Where the next page starts; may be empty. Absent on the last page.
    next_cursor: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A resource.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
struct Resource {
    /// What it is read by.
    uri: String,
    /// Its name.
    name: Option<String>,
    /// A name for people.
    title: Option<String>,
    /// What it is.
    description: Option<String>,
    /// Its media type.
    mime_type: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A page of resource templates, or all of them: MCP's `ListResourceTemplatesResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListResourceTemplatesResult {
    /// The templates.
    resource_templates: Vec<ResourceTemplate>,
    /// Where the next page starts; may be empty. Absent on the last page.
    next_cursor: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A template of URIs of resources.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResourceTemplate {
    /// The template (RFC 6570).
    uri_template: String,
    /// Its name.
    name: Option<String>,
    /// What the resources are.
    description: Option<String>,
    /// Their media type.
    mime_type: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What a resource holds: MCP's `ReadResourceResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadResourceResult {
    /// Its contents, mostly one.
    contents: Vec<ResourceContent>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// One content of a resource: `text` or `blob`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResourceContent {
    /// Its URI.
    uri: Option<String>,
    /// Its media type.
    mime_type: Option<String>,
    /// Of a text.
    text: Option<String>,
    /// Of anything else, in Base64.
    blob: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A page of prompts, or all of them: MCP's `ListPromptsResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListPromptsResult {
    /// The prompts.
    prompts: Vec<Prompt>,
    /// Where the next page starts; may be empty. Absent on the last page.
    next_cursor: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A prompt.
#[derive(ToSchema)]
struct Prompt {
    /// The name it is filled in by.
    name: String,
    /// A name for people.
    title: Option<String>,
    /// What it is for.
    description: Option<String>,
    /// Its arguments: `name`, `description`, `required`.
    arguments: Option<Vec<Object>>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A prompt, filled in: MCP's `GetPromptResult`.
#[derive(ToSchema)]
pub(crate) struct GetPromptResult {
    /// What it is for.
    description: Option<String>,
    /// Messages for a model, each with `role` and `content`.
    messages: Vec<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What is to be completed: the parameters of MCP's `completion/complete`.
#[derive(ToSchema)]
pub(crate) struct CompleteRequest {
    r#ref: CompletionReference,
    argument: CompletionArgument,
    /// `arguments` that are settled already.
    #[schema(nullable = false)]
    context: Option<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// Of what an argument is completed: `{"type": "ref/prompt", "name": ...}` or `{"type": "ref/resource", "uri": ...}`, the URI being a
/// template.
#[derive(ToSchema)]
struct CompletionReference {
    /// `ref/prompt` or `ref/resource`.
    #[schema(pattern = "^ref/(prompt|resource)$")]
    r#type: String,
    /// The prompt.
    #[schema(nullable = false)]
    name: Option<String>,
    /// The template.
    #[schema(nullable = false)]
    uri: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// Which argument is completed.
#[derive(ToSchema)]
struct CompletionArgument {
    /// Its name.
    name: String,
    /// What there is of its value.
    value: String,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What it may be completed to: MCP's `CompleteResult`.
#[derive(ToSchema)]
pub(crate) struct CompleteResult {
    /// `values`, and how many there are: `total`, `hasMore`.
    completion: Object,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A JSON-RPC request.
#[derive(ToSchema)]
pub(crate) struct RpcRequest {
    /// Always `2.0`.
    #[schema(pattern = "^2[.]0$")]
    jsonrpc: String,
    /// A text or a number; the response carries it.
    #[schema(schema_with = text_or_number)]
    id: Value,
    /// The method, for example `tools/list`.
    #[schema(pattern = "^[!-~]+$")]
    method: String,
    /// Its parameters.
    #[schema(nullable = false)]
    params: Option<Object>,
}

fn text_or_number() -> utoipa::openapi::Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
        .description(Some("A text or a number; the response carries it."))
        .build()
}

/// A JSON-RPC response.
#[derive(ToSchema)]
pub(crate) struct RpcResponse {
    /// Always `2.0`.
    #[schema(pattern = "^2[.]0$")]
    jsonrpc: String,
    /// The id of the request.
    #[schema(value_type = Value)]
    id: Value,
    /// What the server answered.
    result: Object,
}

/// A JSON-RPC error response.
#[derive(ToSchema)]
pub(crate) struct RpcErrorResponse {
    /// Always `2.0`.
    #[schema(pattern = "^2[.]0$")]
    jsonrpc: String,
    /// The id of the request; `null` if it has none that can be read.
    #[schema(value_type = Value)]
    id: Value,
    /// `code`, `message` and `data`: the server's own; or, where the server gave none, of this service with the problem as
    /// `data`.
    error: Object,
}
