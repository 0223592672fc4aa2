//! `GET /api/tools`: search in the tools of all servers, best matches first.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use actix_web::HttpResponse;
use memchr::memmem::Finder;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::api::error::kinds::Error;
use crate::api::fan_out::{self, FailedServer};
use crate::api::handlers::model_tools::{self, ModelTools, or_model_tools};
use crate::api::offloaded;
use crate::api::openapi::mcp::Tool as ToolSchema;
use crate::api::openapi::problems::SearchProblems;
use crate::api::paths::execute_path;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::request::parameters::{Deadline, ForModel, Search};
use crate::api::response::json;
use crate::mcp::protocol::tool::Tool;
use crate::mcp::server_state::Upstream;
use crate::mcp::tools::{ToolWords, Tools};
use crate::mcp::words::{self, Words};

/// Tools found unless the caller says how many.
const LIMIT: usize = 50;
/// Words of a search that count.
const MOST_WORDS: usize = 32;

/// The matches of a search.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FoundTools<'a> {
    /// The tools, best first.
    tools: Vec<FoundTool<'a>>,
    /// The number of tools in this response: the best matches, up to `limit` and to `limits.listBytes` of definitions.
    count: usize,
    /// The number of all matches.
    total: usize,
    /// Servers that did not list their tools.
    failed_servers: Vec<FailedServer>,
}

/// A match: a tool of a server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundTool<'a> {
    /// The server that has it.
    server: &'a str,
    /// Its name.
    name: &'a str,
    /// The path to call it with POST.
    path: String,
    /// The score of the match; 0 without `q`.
    score: u32,
    /// The definition.
    #[schema(value_type = ToolSchema)]
    tool: &'a RawValue,
}

or_model_tools! {
    /// The matches of a search, in either form.
    EitherForm: FoundTools<'static>;
}

/// Search for tools in all servers
///
/// By words in names, titles and descriptions, best matches first; without `q` all tools, in the order of servers and their
/// lists. Cached lists are used.
#[utoipa::path(
    get,
    path = "/api/tools",
    operation_id = "findTools",
    tag = "tools",
    params(Search, ForModel, Deadline),
    responses(
        (status = 200, description = "The matches", body = inline(EitherForm)),
        SearchProblems,
    ),
)]
pub(crate) async fn find(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let asked = Search::of(&context.query)?;
    let wanted = Wanted::of(asked.words.unwrap_or_default());
    let timeout = options::asked_timeout(context, None)?;
    let deadline = context.started + timeout.unwrap_or(context.state.settings.timeout);
    let chosen: Vec<&Upstream> = match asked.server {
        None => context.state.servers.iter().collect(),
        Some(name) => {
            context.server_name = Some(name.to_owned().into());
            vec![context.server()?]
        }
    };
    let fan_out = fan_out::tools(context, chosen.into_iter(), timeout, false).await;
    let bytes = fan_out.bytes();
    let named = |(server, tools): (&Upstream, Arc<Tools>)| (server.name.clone(), tools);
    let lists: Vec<_> = fan_out.listed.into_iter().map(named).collect();
    let failed = fan_out.failed;
    let most_bytes = context.state.settings.limits.list_bytes;
    if let Some(api) = ForModel::of(&context.query)?.format {
        let limit = asked.limit.map_or(model_tools::LIMIT, usize::from);
        let made = move || {
            let ranked = ranked(&lists, &wanted);
            let tools = ranked
                .into_iter()
                .map(|(_, server, name, tool)| (server, name, tool));
            model_tools::definitions(api, tools, limit, most_bytes, failed)
        };
        return model_tools::response(deadline, made).await;
    }
    let limit = asked.limit.map_or(LIMIT, usize::from);
    let search = move || {
        let found = search(&lists, &wanted, limit, most_bytes, failed);
        serde_json::to_vec(&found)
    };
    match offloaded::if_large(bytes, deadline, search).await? {
        Ok(body) => Ok(json::body(body.into())),
        Err(error) => {
            log::error!("an answer could not be written: {error}");
            Err(Error::Internal)
        }
    }
}

/// A tool that matches: its score, its server, its name.
type Match<'a> = (u32, &'a str, &'a str, &'a Tool);

/// All matches, best first.
fn ranked<'a>(lists: &'a [(String, Arc<Tools>)], wanted: &Wanted) -> Vec<Match<'a>> {
    let mut found = Vec::new();
    for (server, tools) in lists {
        let server_words = Words::of(server);
        for (name, tool, words) in tools.with_words() {
            if let Some(score) = wanted.score(&server_words, words) {
                found.push((score, server.as_str(), name, tool));
            }
        }
    }
    // A stable sort: equal scores stay in the order of servers and lists.
    found.sort_by_key(|(score, ..)| Reverse(*score));
    found
}

/// The best matches, at most `limit`, and at most `most_bytes` of definitions beside the first.
fn search<'a>(
    lists: &'a [(String, Arc<Tools>)],
    wanted: &Wanted,
    limit: usize,
    most_bytes: usize,
    failed_servers: Vec<FailedServer>,
) -> FoundTools<'a> {
    let found = ranked(lists, wanted);
    let total = found.len();
    let mut bytes = 0;
    let tools: Vec<FoundTool<'_>> = found
        .into_iter()
        .take(limit)
        .take_while(|(.., tool)| {
            let is_first = bytes == 0;
            bytes += tool.definition.get().len();
            is_first || bytes <= most_bytes
        })
        .map(|(score, server, name, tool)| FoundTool {
            server,
            name,
            path: execute_path(server, name),
            score,
            tool: &tool.definition,
        })
        .collect();
    FoundTools {
        count: tools.len(),
        tools,
        total,
        failed_servers,
    }
}

// === ranking ===

/// The words of a search.
struct Wanted {
    words: Vec<Finder<'static>>,
    /// All words as one name.
    whole: Words,
}

impl Wanted {
    fn of(query: &str) -> Self {
        let mut words = words::split(query);
        let mut seen = HashSet::new();
        words.retain(|word| seen.insert(word.clone()));
        words.truncate(MOST_WORDS);
        Self {
            whole: Words::joined(&words),
            words: words
                .iter()
                .map(|word| Finder::new(word).into_owned())
                .collect(),
        }
    }

    /// The score of a tool; `None` if a word does not occur in it.
    fn score(&self, server: &Words, tool: &ToolWords) -> Option<u32> {
        let places = [
            (&tool.name, 100),
            (&tool.title, 40),
            (server, 30),
            (&tool.description, 10),
        ];
        let mut sum = 0;
        for word in &self.words {
            let points = places.map(|(place, weight)| place.likeness(word) * weight);
            let best = points.into_iter().max().filter(|best| *best > 0)?;
            sum += best;
        }
        // The whole name, in any notation (`getSum`, `get_sum`).
        if !self.words.is_empty() && tool.name == self.whole {
            sum += 1000;
        }
        Some(sum)
    }
}
