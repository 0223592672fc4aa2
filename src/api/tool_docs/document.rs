//! OpenAPI documents of servers' tools, made from their current lists: one operation per tool, at the path that calls it.
//!
//! `embed` makes components of schemas, `names` makes identifiers, and `common` has the parts shared with this service's own document.

#![expect(
    clippy::indexing_slicing,
    reason = "indices into objects that were written just before"
)]

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::api::openapi::common::{Common, RESULT, SCHEMAS};
use crate::api::tool_docs::embed::{self, Node};
use crate::api::tool_docs::names;
use crate::json::{Members, text_member};

use crate::api::fan_out::FailedServer;
use crate::api::request::query::execute_path;
use crate::mcp::protocol::tool::Tool;
use crate::mcp::tools::Tools;
use crate::schema::example::Examples;
use crate::schema::validate::Validators;

/// JSON Schema 2020-12, which MCP's schemas are in unless they say otherwise, with annotations of OpenAPI's own. To name bare
/// 2020-12 would mean the same for every schema, and Swagger UI warns of any but this.
const DIALECT: &str = "https://spec.openapis.org/oas/3.1/dialect/base";

/// The source of a document.
pub(crate) struct Source {
    /// The parts shared by all documents.
    pub(crate) common: Arc<Common>,
    /// The server it describes; `None` for all of them.
    pub(crate) about: Option<String>,
    /// Servers and their tools.
    pub(crate) servers: Vec<(String, Arc<Tools>)>,
    /// Servers that are missing from it.
    pub(crate) failed: Vec<FailedServer>,
    /// The URL that paths are relative to.
    pub(crate) url: String,
    /// API keys are configured.
    pub(crate) key_wanted: bool,
    /// Validates examples.
    pub(crate) validators: Arc<Validators>,
}

/// A tool of a document.
struct Entry<'a> {
    server: &'a str,
    name: &'a str,
    tool: &'a Tool,
    /// The identifier of its operation, and the prefix of its components.
    id: String,
}

/// The members of an object of a document.
type Object<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

impl Source {
    /// The document.
    pub(crate) fn document(&self) -> Result<Bytes, serde_json::Error> {
        let entries = self.entries();
        let shared_ids = shared_ids(&entries);
        let mut paths: Object<'_> = Vec::with_capacity(entries.len());
        let mut schemas: Object<'_> = Vec::new();
        let mut examples = Examples::new(&self.validators);
        for entry in &entries {
            let path = execute_path(entry.server, entry.name);
            let operation = to_raw_value(&Node::Object(self.operation(entry, &mut examples)))?;
            let operation = Node::Written(operation);
            paths.push((path.into(), Node::Object(vec![("post".into(), operation)])));
            schemas.extend(self.schemas(entry, &shared_ids));
        }
        let document = Node::Object(vec![
            member("openapi", "3.1.0"),
            member("jsonSchemaDialect", DIALECT),
            member("info", self.info()),
            member("servers", json!([{"url": self.url}])),
            member("tags", self.tags()),
            ("paths".into(), Node::Object(paths)),
            ("components".into(), self.components(schemas)),
        ]);
        serde_json::to_vec(&document).map(Bytes::from)
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let tools = self.servers.iter().flat_map(|(server, tools)| {
            tools
                .iter()
                .map(move |(name, tool)| (server.as_str(), name, tool))
        });
        let tools: Vec<_> = tools.collect();
        let names: Vec<String> = tools
            .iter()
            .map(|(server, name, _)| match &self.about {
                Some(_) => (*name).to_owned(),
                None => format!("{server}/{name}"),
            })
            .collect();
        let ids = names::identifiers(&names, &self.common.schema_names());
        tools
            .into_iter()
            .zip(ids)
            .map(|((server, name, tool), id)| Entry {
                server,
                name,
                tool,
                id,
            })
            .collect()
    }

    fn info(&self) -> Value {
        let (title, mut description) = match &self.about {
            Some(server) => (
                format!("Tools of {server}"),
                format!(
                    "The tools of the MCP server `{server}` as it lists them, over plain HTTP."
                ),
            ),
            None => (
                "Tools of all servers".to_owned(),
                "The tools of all configured MCP servers as they list them, over plain HTTP."
                    .to_owned(),
            ),
        };
        description.push_str(
            " The body of a request is the tool's arguments. The answer is the tool's result; its `structuredContent` \
             alone with `Accept: application/vnd.mcp.structured+json`.",
        );
        if !self.failed.is_empty() {
            let names: Vec<String> = self
                .failed
                .iter()
                .map(|it| format!("`{}`", it.name()))
                .collect();
            description.push_str("\n\n**Missing**, because they did not list their tools: ");
            description.push_str(&names.join(", "));
            description.push('.');
        }
        let mut info = json!({
            "title": title,
            "description": description,
            "version": env!("CARGO_PKG_VERSION"),
        });
        if self.about.is_none() {
            info["x-mcp-failed-servers"] = json!(self.failed);
        }
        info
    }

    fn tags(&self) -> Value {
        let tag = |server: &&str| json!({"name": server, "description": format!("The tools of the MCP server `{server}`")});
        let names: Vec<&str> = self.servers.iter().map(|(name, _)| name.as_str()).collect();
        names.iter().map(tag).collect()
    }

    fn operation<'a>(&'a self, entry: &Entry<'a>, examples: &mut Examples<'_>) -> Object<'a> {
        let text = |name| text_member(&entry.tool.definition, name).filter(|it| !it.is_empty());
        let annotations = entry.tool.member("annotations");
        let title = text("title")
            .or_else(|| text_member(annotations?, "title").filter(|it| !it.is_empty()))
            .unwrap_or(Cow::Borrowed(entry.name));
        let mut operation: Object<'a> = vec![
            member("operationId", entry.id.clone()),
            member("summary", title),
        ];
        if let Some(description) = text("description") {
            operation.push(member("description", description));
        }
        operation.push(member("tags", json!([entry.server])));
        if is_deprecated(entry.tool) {
            operation.push(member("deprecated", true));
        }
        operation.push(member("x-mcp-server", entry.server));
        operation.push(member("x-mcp-tool", entry.name));
        if let Some(annotations) = annotations {
            operation.push(("x-mcp-annotations".into(), Node::AsItIs(annotations)));
        }
        operation.push(("parameters".into(), Node::Shared(&self.common.parameters)));
        operation.push(member("requestBody", request_body(entry, examples)));
        operation.push(("responses".into(), Node::Object(self.responses(entry))));
        operation.push(member("security", self.security()));
        operation
    }

    fn responses<'a>(&'a self, entry: &Entry<'a>) -> Object<'a> {
        let reference = |name: &str| json!({"schema": {"$ref": format!("{SCHEMAS}{name}")}});
        let text = json!({"schema": {"type": "string"}});
        let mut content = json!({
            "application/json": reference(RESULT),
            "text/plain": text,
            "text/event-stream": {"schema": {}},
            "application/x-ndjson": {"schema": {}},
        });
        if schema_of(entry.tool, "outputSchema").is_some() {
            content["application/json"] = reference(&format!("{}_result", entry.id));
            content["application/vnd.mcp.structured+json"] =
                reference(&format!("{}_output", entry.id));
        }
        let result = vec![
            member(
                "description",
                "The tool's result; or, by `Accept`, a part of it, or a stream of notifications and the result",
            ),
            ("headers".into(), Node::Shared(&self.common.headers)),
            member("content", content),
        ];
        let errors = self.common.responses.iter();
        let errors = errors.map(|(status, error)| (status.as_str().into(), Node::Shared(error)));
        std::iter::once(("200".into(), Node::Object(result)))
            .chain(errors)
            .collect()
    }

    fn security(&self) -> Value {
        if self.key_wanted {
            json!([{"apiKey": []}, {"bearer": []}])
        } else {
            json!([])
        }
    }

    /// The components that a tool's schemas become.
    fn schemas<'a>(&self, entry: &Entry<'a>, shared_ids: &HashSet<String>) -> Object<'a> {
        let embedded = |schema, base: &str| {
            let components = embed::embed(schema, base, shared_ids).into_iter();
            components.map(|(name, node)| (Cow::from(name), node))
        };
        let mut schemas: Object<'a> = Vec::new();
        let input = format!("{}_input", entry.id);
        match schema_of(entry.tool, "inputSchema") {
            Some(schema) => schemas.extend(embedded(schema, &input)),
            None => schemas.push(member(input, json!({"type": "object"}))),
        }
        if let Some(schema) = schema_of(entry.tool, "outputSchema") {
            let output = format!("{}_output", entry.id);
            let result = self.common.result_with(&format!("{SCHEMAS}{output}"));
            schemas.extend(embedded(schema, &output));
            schemas.push(member(format!("{}_result", entry.id), result));
        }
        schemas
    }

    fn components<'a>(&self, mut schemas: Object<'a>) -> Node<'a> {
        let mut components: Object<'a> = Vec::new();
        for (kind, named) in &self.common.components {
            if kind != "schemas" {
                components.push(member(kind.clone(), named.clone()));
                continue;
            }
            let ours = named.as_object().into_iter().flatten();
            schemas.extend(ours.map(|(name, schema)| member(name.clone(), schema.clone())));
        }
        let schemas = Node::Object(distinct(schemas));
        components.insert(0, ("schemas".into(), schemas));
        Node::Object(components)
    }
}

fn member<'a>(name: impl Into<Cow<'a, str>>, value: impl Into<Value>) -> (Cow<'a, str>, Node<'a>) {
    (name.into(), Node::Ours(value.into()))
}

fn request_body(entry: &Entry<'_>, examples: &mut Examples<'_>) -> Value {
    let mut content = json!({"schema": {"$ref": format!("{SCHEMAS}{}_input", entry.id)}});
    let schema = schema_of(entry.tool, "inputSchema");
    if let Some(arguments) = schema.and_then(|schema| examples.arguments(schema.get())) {
        content["example"] = arguments;
    }
    json!({
        "description": "The tool's arguments",
        "required": schema.is_some_and(requires_something),
        "content": {"application/json": content},
    })
}

/// A schema of a tool, if it is one: anything else would make the whole document unreadable.
fn schema_of<'a>(tool: &'a Tool, name: &str) -> Option<&'a RawValue> {
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

/// Schemas of which no two have one name: generators take a title for a name, and servers give several schemas one title.
fn distinct(schemas: Object<'_>) -> Object<'_> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for (key, schema) in &schemas {
        let key = names::bare(key);
        let title = schema.title().map(|title| names::bare(&title));
        for name in title.filter(|title| *title != key).into_iter().chain([key]) {
            *times.entry(name).or_default() += 1;
        }
    }
    let shared = |title: String| {
        times
            .get(&names::bare(&title))
            .is_some_and(|times| *times > 1)
    };
    let apart = schemas.into_iter().map(|(key, schema)| {
        let schema = if schema.title().is_some_and(shared) {
            schema.without_title()
        } else {
            schema
        };
        (key, schema)
    });
    apart.collect()
}

/// The `$id`s that more than one schema has.
fn shared_ids(entries: &[Entry<'_>]) -> HashSet<String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for entry in entries {
        for name in ["inputSchema", "outputSchema"] {
            if let Some(id) = entry.tool.member(name).and_then(embed::id_of) {
                *times.entry(id).or_default() += 1;
            }
        }
    }
    let shared = times.into_iter().filter(|(_, times)| *times > 1);
    shared.map(|(id, _)| id).collect()
}
