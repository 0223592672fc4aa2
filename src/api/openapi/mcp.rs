//! The schemas of MCP's own objects, which are passed through unparsed; described loosely, for documentation only.
//!
//! Servers of six protocol versions and a dozen libraries produce them, so every object is open, hardly a member is required, and
//! `null` stands for absent, as some write it.

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

/// Any object: it is ignored.
#[derive(ToSchema)]
pub(crate) struct Ignored {
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

/// The result of a tool: MCP's `CallToolResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallToolResult {
    /// The content, for models and people.
    content: Option<Vec<ContentBlock>>,
    /// The same as data, by the tool's `outputSchema`. Any JSON value.
    structured_content: Option<Value>,
    /// Whether the tool reports an error; absent means it does not.
    is_error: Option<bool>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// The response to a tool call, in each representation.
pub(crate) struct ToolAnswer;

impl IntoResponses for ToolAnswer {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        const FORMS: [(&str, Form); 8] = [
            ("application/json", Form::Whole),
            ("application/vnd.mcp.value+json", Form::Any),
            ("application/vnd.mcp.structured+json", Form::Any),
            ("text/plain", Form::Text),
            ("image/*", Form::Any),
            ("audio/*", Form::Any),
            ("text/event-stream", Form::Any),
            ("application/x-ndjson", Form::Any),
        ];
        let response = ResponseBuilder::new()
            .description(
                "The server's `result`; or a part of it, by `Accept`, `result` or configuration (where another form is configured, it is \
                 `application/json` too). A value is `structuredContent` if there is; else a text that is JSON, as JSON; else the text as a string; an image or audio as `{\"mimeType\",\"data\"}`; any other block \
                 as it is; several blocks as an array; nothing as `null`. As events or lines: upstream notifications as they arrive \
                 (`progress`, `log`), then `result` in the same form, as JSON, or `error`",
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

/// One content block. `type` determines its members.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
struct ContentBlock {
    /// `text`, `image`, `audio`, `resource_link`, `resource`, or a type of a later protocol version.
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
    /// A display name.
    title: Option<String>,
    /// What the tool does.
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
    /// How to call it, unless the definition itself has a member of this name.
    example: Option<ExampleCall>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// An example of a call.
#[derive(ToSchema)]
struct ExampleCall {
    /// The HTTP method.
    method: String,
    /// The URL of the call.
    url: String,
    /// Arguments that fit the schema; `null` if none could be generated.
    arguments: Option<Object>,
    /// The same call as a shell command.
    curl: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A server's description of itself: the result of `initialize`, or of `server/discover` where there are no sessions.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InitializeResult {
    /// The id of the new session; `null` for a server without sessions.
    #[schema(required = true)]
    session_id: Option<String>,
    /// The negotiated protocol version (`initialize`).
    protocol_version: Option<String>,
    /// The supported protocol versions (`server/discover`).
    supported_versions: Option<Vec<String>>,
    /// The server's capabilities.
    capabilities: Option<Object>,
    /// Its name and version.
    server_info: Option<Object>,
    /// Instructions for a model.
    instructions: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// An empty object: the server answered.
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
    /// Its URI.
    uri: String,
    /// Its name.
    name: Option<String>,
    /// A display name.
    title: Option<String>,
    /// Its description.
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
    /// A description of the resources.
    description: Option<String>,
    /// Their media type.
    mime_type: Option<String>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// The contents of a resource: MCP's `ReadResourceResult`.
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
    /// The name to get it by.
    name: String,
    /// A display name.
    title: Option<String>,
    /// Its purpose.
    description: Option<String>,
    /// Its arguments: `name`, `description`, `required`.
    arguments: Option<Vec<Object>>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// A prompt with its arguments filled in: MCP's `GetPromptResult`.
#[derive(ToSchema)]
pub(crate) struct GetPromptResult {
    /// Its purpose.
    description: Option<String>,
    /// Messages for a model, each with `role` and `content`.
    messages: Vec<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// What to complete: the parameters of MCP's `completion/complete`.
#[derive(ToSchema)]
pub(crate) struct CompleteRequest {
    r#ref: CompletionReference,
    argument: CompletionArgument,
    /// `arguments` that already have a value.
    #[schema(nullable = false)]
    context: Option<Object>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// Whose argument to complete: `{"type": "ref/prompt", "name": ...}` or `{"type": "ref/resource", "uri": ...}`, the URI being a
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

/// Which argument to complete.
#[derive(ToSchema)]
struct CompletionArgument {
    /// Its name.
    name: String,
    /// The beginning of its value.
    value: String,
    #[serde(flatten)]
    others: HashMap<String, Value>,
}

/// The possible values: MCP's `CompleteResult`.
#[derive(ToSchema)]
pub(crate) struct CompleteResult {
    /// `values`, and their number: `total`, `hasMore`.
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
    /// A string or a number; the response has the same.
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
        .description(Some("A string or a number; the response has the same."))
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
    /// The server's result.
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
    /// `code`, `message` and `data`: those of the server; or, without an error from the server, those of this service with the problem
    /// as `data`.
    error: Object,
}
