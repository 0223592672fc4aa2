//! OpenAPI documents of servers' tools, made from their current lists: one operation per tool, at the path that calls it.
//!
//! The lean view is for programs that call tools, and the default: no parameter of this service's, and no more than a caller needs. The
//! full view has everything. `operation` describes one tool, `embed` makes components of schemas, `views` shows them, `names` makes
//! identifiers, and `common` has the parts shared with this service's own document.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use crate::api::fan_out::FailedServer;
use crate::api::openapi::common::{Common, Parts, SCHEMAS};
use crate::api::paths::{server_path, tool_path};
use crate::api::request::parameters::View;
use crate::api::tool_docs::names::{self, Names};
use crate::api::tool_docs::node::{Node, Object, member};
use crate::api::tool_docs::operation::{Entry, Listed, Shared, schema_of, security};
use crate::api::tool_docs::references::Copies;
use crate::api::tool_docs::{embed, views};
use crate::config::servers::{ArgumentChecks, ResultForm, ToolErrors};
use crate::mcp::protocol::server_info::ServerInfo;
use crate::mcp::tools::Tools;
use crate::schema::example::Examples;
use crate::schema::validate::Validators;

/// The source of a document.
pub(crate) struct Source {
    /// The parts shared by all documents.
    pub(crate) common: Arc<Common>,
    /// What it describes.
    pub(crate) about: About,
    /// Servers and their tools.
    pub(crate) servers: Vec<Server>,
    /// The absolute URL that paths are relative to: where the document itself is.
    pub(crate) url: String,
    /// API keys are configured.
    pub(crate) key_wanted: bool,
    /// Validates examples.
    pub(crate) validators: Arc<Validators>,
    /// How much it holds.
    pub(crate) view: View,
}

/// What a document describes.
pub(crate) enum About {
    /// The only server of it.
    Server,
    /// All servers, but for those that did not list their tools.
    All(Vec<FailedServer>),
}

/// A server and what it lists.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) tools: Arc<Tools>,
    /// What it says of itself.
    pub(crate) info: Option<Arc<ServerInfo>>,
    /// It has sessions, as far as is known.
    pub(crate) has_sessions: bool,
    /// The form of a result, where a caller asks for none.
    pub(crate) form: ResultForm,
    /// What an error of a tool's own becomes.
    pub(crate) tool_errors: ToolErrors,
    /// Arguments are validated here.
    pub(crate) checks: ArgumentChecks,
}

impl Source {
    /// The document.
    pub(crate) fn document(&self) -> Result<Bytes, serde_json::Error> {
        let servers: Vec<Listed<'_>> = self.servers.iter().map(Server::listed).collect();
        let mut names = Names::new(self.parts().schema_names());
        let entries = self.entries(&servers, &mut names);
        let shared_ids = shared_ids(&entries);
        let shared = Shared {
            common: &self.common,
            view: self.view,
            key_wanted: self.key_wanted,
        };
        let mut paths: Object<'_> = Vec::with_capacity(entries.len());
        let mut schemas: Object<'_> = Vec::new();
        let mut copies = Copies::default();
        let mut examples = Examples::new(&self.validators);
        for entry in &entries {
            let operation = Node::Object(entry.operation(&shared, &mut examples));
            let operation = Node::Written(to_raw_value(&operation)?);
            let item = Node::Object(vec![("post".into(), operation)]);
            paths.push((self.path(entry).into(), item));
            for (name, node) in self.schemas(entry, &shared_ids, &mut names, &mut copies) {
                schemas.push((name, Node::Written(to_raw_value(&node)?)));
            }
        }
        let mut document = vec![
            member("openapi", "3.1.0"),
            member("info", self.info()),
            member("servers", json!([{"url": self.url}])),
            member("tags", self.tags()),
        ];
        if self.view == View::Lean {
            document.push(member("security", security(self.key_wanted)));
        }
        document.push(("paths".into(), Node::Object(paths)));
        document.push(("components".into(), self.components(schemas)));
        serde_json::to_vec(&Node::Object(document)).map(Bytes::from)
    }

    fn parts(&self) -> &Parts {
        match self.view {
            View::Lean => &self.common.lean,
            View::Full => &self.common.full,
        }
    }

    fn entries<'a>(&self, servers: &'a [Listed<'a>], names: &mut Names) -> Vec<Entry<'a>> {
        let tools = servers.iter().flat_map(|server| {
            let tools = server.tools.iter();
            tools.map(move |(name, tool)| (server, name, tool))
        });
        let tools: Vec<_> = tools.collect();
        let named: Vec<String> = tools
            .iter()
            .map(|(server, name, _)| match self.about {
                About::Server => (*name).to_owned(),
                About::All(_) => format!("{}/{name}", server.name),
            })
            .collect();
        let ids = names::identifiers(&named);
        let entries = tools.into_iter().zip(ids);
        entries
            .map(|((server, name, tool), id)| Entry::new(server, name, tool, id, self.view, names))
            .collect()
    }

    /// Where a tool is called, below the URL of the document.
    fn path(&self, entry: &Entry<'_>) -> String {
        let tool = tool_path(entry.name);
        match self.about {
            About::Server => tool,
            About::All(_) => {
                let server = server_path(entry.server.name);
                format!("{}{tool}", server.trim_start_matches("/api"))
            }
        }
    }

    fn info(&self) -> Value {
        match (&self.about, self.servers.first()) {
            (About::All(failed), _) => info_of_all(failed),
            (About::Server, server) => server.map_or(json!({}), Server::info),
        }
    }

    fn tags(&self) -> Value {
        let tag = |server: &Server| {
            let name = &server.name;
            json!({"name": name, "description": format!("The tools of the MCP server `{name}`")})
        };
        self.servers.iter().map(tag).collect()
    }

    /// The components that a tool's schemas become.
    fn schemas<'a>(
        &self,
        entry: &Entry<'a>,
        shared_ids: &HashSet<String>,
        names: &mut Names,
        copies: &mut Copies,
    ) -> Object<'a> {
        let mut embedded = |schema, base: &str| -> Object<'a> {
            let components = embed::embed(schema, base, shared_ids, names);
            let shown: Vec<_> = match self.view {
                View::Lean => views::lean(schema, components, copies),
                View::Full => {
                    let components = components.into_iter();
                    components
                        .map(|(name, it)| (name, views::full(it)))
                        .collect()
                }
            };
            shown
                .into_iter()
                .map(|(name, node)| (Cow::from(name), node))
                .collect()
        };
        let is_left_out = self.view == View::Lean && entry.takes_nothing();
        let mut schemas: Object<'a> = match schema_of(entry.tool, "inputSchema") {
            _ if is_left_out => Vec::new(),
            Some(schema) => embedded(schema, &entry.arguments),
            None => vec![member(entry.arguments.clone(), json!({"type": "object"}))],
        };
        if let Some(output) = &entry.output
            && let Some(schema) = schema_of(entry.tool, "outputSchema")
        {
            if let Some(result) = &entry.result {
                let whole = self.common.result_with(&format!("{SCHEMAS}{output}"));
                schemas.push(member(result.clone(), whole));
            }
            schemas.extend(embedded(schema, output));
        }
        schemas
    }

    fn components<'a>(&'a self, mut schemas: Object<'a>) -> Node<'a> {
        let mut components: Object<'a> = Vec::new();
        for (kind, named) in &self.parts().components {
            if kind != "schemas" {
                components.push((kind.into(), Node::Shared(named)));
                continue;
            }
            let ours = named.as_object().into_iter().flatten();
            schemas.extend(ours.map(|(name, schema)| (name.into(), Node::Shared(schema))));
        }
        components.insert(0, ("schemas".into(), Node::Object(schemas)));
        if self.view == View::Full || self.key_wanted {
            let schemes = Node::Shared(&self.common.security_schemes);
            components.push(("securitySchemes".into(), schemes));
        }
        Node::Object(components)
    }
}

impl Server {
    /// Its own words where there are any.
    fn info(&self) -> Value {
        let info = self.info.as_deref();
        let title = info.and_then(|info| info.title.clone());
        let version = info.and_then(|info| info.version.as_deref());
        let instructions = info.and_then(|info| info.instructions.clone());
        json!({
            "title": title.unwrap_or_else(|| format!("Tools of {}", self.name)),
            "description": instructions.unwrap_or_else(|| {
                format!("The tools of the MCP server `{}` as it lists them, over plain HTTP.", self.name)
            }),
            "version": version.unwrap_or(env!("CARGO_PKG_VERSION")),
        })
    }

    fn listed(&self) -> Listed<'_> {
        Listed {
            name: &self.name,
            tools: &self.tools,
            has_sessions: self.has_sessions,
            form: self.form,
            tool_errors: self.tool_errors,
            checks: self.checks,
        }
    }
}

/// What a document of all servers is called, and which servers are missing from it.
fn info_of_all(failed: &[FailedServer]) -> Value {
    let mut description =
        "The tools of all configured MCP servers as they list them, over plain HTTP.".to_owned();
    if !failed.is_empty() {
        let names = failed.iter().map(|it| format!("`{}`", it.name()));
        let names: Vec<String> = names.collect();
        description.push_str("\n\n**Missing**, because they did not list their tools: ");
        description.push_str(&names.join(", "));
        description.push('.');
    }
    json!({
        "title": "Tools of all servers",
        "description": description,
        "version": env!("CARGO_PKG_VERSION"),
        "x-mcp-failed-servers": failed,
    })
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
