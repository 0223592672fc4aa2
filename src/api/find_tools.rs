//! `GET /api/tools`: the tools of all servers, those first that fit what is looked for best.

use std::collections::HashSet;
use std::sync::Arc;

use actix_web::HttpResponse;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Error;
use super::openapi::{Deadline, NamedServerProblems, Search, Tool as ToolSchema};
use super::survey::{self, FailedServer};
use super::typed::execute_path;
use super::{extract, reply};
use crate::mcp::lists::text_member;
use crate::mcp::tools_cache::Tool;
use crate::servers::Server;

/// Tools told of unless the caller says how many.
const LIMIT: usize = 50;
/// And at most.
const MOST: usize = 1000;
/// Words of a search that count.
const MOST_WORDS: usize = 32;

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FoundTools<'a> {
    /// The tools, best first.
    tools: Vec<FoundTool<'a>>,
    /// How many there are here.
    count: usize,
    /// How many fit.
    total: usize,
    /// Servers that could not be asked.
    failed_servers: Vec<FailedServer>,
}

/// A tool, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FoundTool<'a> {
    /// The server that has it.
    server: &'a str,
    /// Its name.
    name: &'a str,
    /// The path that runs it, by POST.
    path: String,
    /// How well it fits; 0 where nothing was looked for.
    score: u32,
    /// The definition.
    #[schema(value_type = ToolSchema)]
    tool: &'a RawValue,
}

/// Find tools, over all servers at once
///
/// By words in names, titles and descriptions, those first that fit best; without `q` all, in the order of servers and their
/// lists. Lists that were asked for a short time ago are not asked for again.
#[utoipa::path(
    get,
    path = "/api/tools",
    operation_id = "findTools",
    tag = "tools",
    params(Search, Deadline),
    responses(
        (status = 200, description = "What was found", body = FoundTools<'_>),
        NamedServerProblems,
    ),
)]
pub(super) async fn find(call: &mut Call<'_>) -> Result<HttpResponse, Error> {
    let mut words = words(call.query.get("q")?.unwrap_or_default());
    let mut seen = HashSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.truncate(MOST_WORDS);
    let limit = limit(call.query.get("limit")?)?;
    let timeout = extract::asked_timeout(call, None)?;
    let chosen: Vec<&Arc<Server>> = match call.query.get("server")? {
        None => call.gateway.servers.iter().collect(),
        Some(name) => {
            call.server_name = Some(name.to_owned());
            vec![call.server()?]
        }
    };
    let survey = survey::tools(call, chosen.into_iter(), timeout, false).await;
    let mut found = Vec::new();
    for (server, tools) in &survey.found {
        for (name, tool) in tools.iter() {
            if let Some(score) = score(&words, &server.name, name, tool) {
                found.push((score, server, name, tool));
            }
        }
    }
    // Stable: equals stay in the order of servers and lists.
    found.sort_by_key(|(score, ..)| std::cmp::Reverse(*score));
    let total = found.len();
    let tools: Vec<FoundTool<'_>> = found
        .into_iter()
        .take(limit)
        .map(|(score, server, name, tool)| FoundTool {
            server: &server.name,
            name,
            path: execute_path(&server.name, name),
            score,
            tool: &tool.definition,
        })
        .collect();
    Ok(reply::of(&FoundTools {
        count: tools.len(),
        tools,
        total,
        failed_servers: survey.failed,
    }))
}

fn limit(written: Option<&str>) -> Result<usize, Error> {
    let Some(written) = written else {
        return Ok(LIMIT);
    };
    let number = written
        .parse()
        .ok()
        .filter(|limit| (1..=MOST).contains(limit));
    number.ok_or_else(|| {
        Error::invalid(format!(
            "The parameter 'limit' must be a number from 1 to {MOST}"
        ))
    })
}

// === ranking ===

/// The words of a text, in lower case: `getUserName` and `get-user_name` are three words each.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in text.chars() {
        let begins = c.is_uppercase() && after_lower;
        if (!c.is_alphanumeric() || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// How well a tool fits; `None` if one of the words is nowhere to be found.
fn score(wanted: &[String], server: &str, name: &str, tool: &Tool) -> Option<u32> {
    let text = |member| text_member(&tool.definition, member).unwrap_or_default();
    let name_words = words(name);
    let places = [
        (name_words.clone(), 100),
        (words(&text("title")), 40),
        (words(server), 30),
        (words(&text("description")), 10),
    ];
    let mut sum = 0;
    for word in wanted {
        let points = places.iter().map(|(in_place, weight)| {
            let best = in_place.iter().map(|it| likeness(it, word)).max();
            best.unwrap_or(0) * weight
        });
        match points.max() {
            None | Some(0) => return None,
            Some(points) => sum += points,
        }
    }
    // The whole name, in whatever way it is written.
    if !wanted.is_empty() && name_words == wanted {
        sum += 1000;
    }
    Some(sum)
}

/// The same word, its beginning, or a part of it.
fn likeness(word: &str, wanted: &str) -> u32 {
    if word == wanted {
        4
    } else if word.starts_with(wanted) {
        2
    } else {
        u32::from(word.contains(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_however_they_are_written() {
        for written in ["getUserName2", "get-user_name2", "Get user name2"] {
            assert_eq!(words(written), ["get", "user", "name2"], "{written}");
        }
        assert_eq!(words("HTTPServer"), ["httpserver"]);
        assert_eq!(words(" ü-Ö "), ["ü", "ö"]);
        assert!(words("--").is_empty());
    }

    #[test]
    fn a_word_counts_more_than_its_beginning_and_that_more_than_its_middle() {
        assert!(likeness("sum", "sum") > likeness("summary", "sum"));
        assert!(likeness("summary", "sum") > likeness("assume", "sum"));
        assert_eq!(likeness("add", "sum"), 0);
    }
}
