//! The schemas of what passes through unread: MCP's own objects, as far as they help a reader.
//!
//! Servers of six revisions and a dozen libraries answer here, so every object is open, hardly a member is required,
//! and `null` stands for absent, as some write it.

#![expect(
    dead_code,
    reason = "these types describe bytes that are never taken apart"
)]

use std::collections::HashMap;

use serde_json::{Map, Value};
use utoipa::ToSchema;

/// utoipa knows this name for an object of any members.
type Object = Map<String, Value>;

/// A tool's arguments: an object that fits its `inputSchema`.
#[derive(ToSchema)]
pub(in crate::api) struct Arguments {
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

/// Anything: it is not looked at.
#[derive(ToSchema)]
pub(in crate::api) struct Ignored {
    #[serde(flatten)]
    members: HashMap<String, Value>,
}

/// What a tool returned: MCP's `CallToolResult`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct CallToolResult {
    /// What the tool says.
    content: Option<Vec<ContentBlock>>,
    /// The same for programs, as the tool's `outputSchema` says. Any JSON value.
    structured_content: Option<Value>,
    /// Whether the tool reports an error of its own; absent means it does not.
    is_error: Option<bool>,
    #[serde(flatten)]
    others: HashMap<String, Value>,
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
pub(in crate::api) struct ListToolsResult {
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
pub(in crate::api) struct Tool {
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

/// What a server says of itself: the result of `initialize`, or of `server/discover` where there are no sessions.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api) struct InitializeResult {
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
pub(in crate::api) struct Pong {}
