//! `format` of `GET /api/tools` and `GET /api/mcp/{server}/tools`: tool definitions for the API of a model.

use std::time::Instant;

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::error::kinds::{Error, Task};
use crate::api::fan_out::FailedServer;
use crate::api::models::place::Cut;
use crate::api::models::{definition, names};
use crate::api::offloaded;
use crate::api::openapi::mcp::ListToolsResult;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::request::parameters::{ModelApi, Page};
use crate::api::response::json;
use crate::mcp::protocol::tool::Tool;

/// Tools in a response unless the caller says how many: as many as `OpenAI` accepts.
pub(crate) const LIMIT: usize = 128;
/// Cuts that are listed.
const MOST_CUTS: usize = 1000;

/// Tools for the API of a model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelTools {
    /// The `tools` parameter of a request to that API, as it is.
    #[schema(value_type = Vec<Object>)]
    tools: Vec<Value>,
    /// The number of tools in it.
    count: usize,
    /// The number of all tools that match.
    total: usize,
    /// What the API does not accept, and was cut from the definitions: the first 1000.
    lossy: Vec<ToolCut>,
    /// Servers that did not list their tools.
    failed_servers: Vec<FailedServer>,
}

/// What was cut from one tool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolCut {
    /// The tool's name in `tools`.
    tool: String,
    /// Where it was: a JSON pointer into the tool's definition.
    pointer: String,
    /// The keyword that was there, or the name of an argument; `*` for all that was there.
    keyword: String,
}

/// Makes descriptions of bodies that are a list of tools, or, with `format`, [`ModelTools`].
macro_rules! or_model_tools {
    ($($(#[$about:meta])* $name:ident: $other:ty;)+) => {$(
        $(#[$about])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let either = AnyOfBuilder::new()
                    .item(Ref::from_schema_name(<$other>::name()))
                    .item(Ref::from_schema_name(ModelTools::name()));
                Schema::AnyOf(either.build()).into()
            }
        }

        impl ToSchema for $name {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                schemas.push((<$other>::name().into_owned(), <$other>::schema()));
                <$other>::schemas(schemas);
                schemas.push((ModelTools::name().into_owned(), ModelTools::schema()));
                ModelTools::schemas(schemas);
            }
        }
    )+};
}

pub(crate) use or_model_tools;

or_model_tools! {
    /// One server's tools.
    ListedTools: ListToolsResult;
}

/// Definitions of these tools, each with its server and name, until there are `limit` of them, or `most_bytes` beside the first.
pub(crate) fn definitions<'a>(
    api: ModelApi,
    tools: impl ExactSizeIterator<Item = (&'a str, &'a str, &'a Tool)>,
    limit: usize,
    most_bytes: usize,
    failed_servers: Vec<FailedServer>,
) -> Result<Vec<u8>, serde_json::Error> {
    let total = tools.len();
    let mut definitions = Vec::new();
    let mut lossy = Vec::new();
    let mut bytes = 0;
    for (server, name, tool) in tools.take(limit) {
        let named = names::name(server, name);
        let (definition, cuts) = definition::of(api, &named, name, tool);
        bytes += serde_json::to_vec(&definition)?.len();
        if bytes > most_bytes && !definitions.is_empty() {
            break;
        }
        definitions.push(definition);
        let room = MOST_CUTS.saturating_sub(lossy.len());
        lossy.extend(
            cuts.into_iter()
                .take(room)
                .map(|Cut { pointer, keyword }| ToolCut {
                    tool: named.clone(),
                    pointer,
                    keyword,
                }),
        );
    }
    serde_json::to_vec(&ModelTools {
        count: definitions.len(),
        tools: definition::list(api, definitions),
        total,
        lossy,
        failed_servers,
    })
}

/// The definitions of one server's tools, all pages of its list.
pub(crate) async fn of_server(
    context: &mut Context<'_>,
    api: ModelApi,
) -> Result<HttpResponse, Error> {
    if Page::of(&context.query)?.cursor.is_some() {
        return Err(Error::invalid(
            "With 'format' all pages are one list, and there is no 'cursor'",
        ));
    }
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    let deadline = options.deadline;
    let mut client = context.state.pool.client(server, options);
    let listed = client.tools().await;
    context.note_timing(&mut client);
    let tools = listed.map_err(|failure| Error::upstream(Task::ListTools, failure))?;
    let session = client.release_session();
    let (name, most_bytes) = (
        server.name.clone(),
        context.state.settings.limits.list_bytes,
    );
    let made = move || {
        let of_server: Vec<_> = tools
            .iter()
            .map(|(tool, it)| (name.as_str(), tool, it))
            .collect();
        definitions(api, of_server.into_iter(), usize::MAX, most_bytes, vec![])
    };
    let response = response(deadline, made).await?;
    Ok(json::with_session(response, session.as_ref()))
}

/// The response with definitions, made on a thread of its own: schemas of servers may take long.
pub(crate) async fn response(
    deadline: Instant,
    definitions: impl FnOnce() -> Result<Vec<u8>, serde_json::Error> + Send + 'static,
) -> Result<HttpResponse, Error> {
    match offloaded::run(deadline, move || definitions).await? {
        Ok(body) => Ok(json::body(body.into())),
        Err(error) => {
            log::error!("an answer could not be written: {error}");
            Err(Error::Internal)
        }
    }
}
