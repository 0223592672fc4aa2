//! The tools of one server, as read from one list: names, definitions, and words to search by.
//!
//! `GET .../tools` is never served from here, but always asks the server. Lists are fetched by `client::lists`, cut and joined by
//! `protocol::lists`, cached by `server_state`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::text_member;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::lists::{Freshness, Listing, Page};
use crate::mcp::protocol::tool::Tool;
use crate::mcp::similar::similar;
use crate::mcp::words::Words;

/// The shortest time for which a list is fresh, so that a server without `ttlMs`, or with 0, is not asked for it on every call. A
/// stale list does no harm: the server refuses a call without a required header (-32020), and an unknown tool is
/// searched in a fresh list.
const FLOOR: Duration = Duration::from_secs(30);
/// The longest time for which a list is fresh, whatever `ttlMs` is.
const CEILING: Duration = Duration::from_secs(3600);
/// A list younger than this is not fetched again.
const JUST_NOW: Duration = Duration::from_secs(2);
/// Tools of one server that are cached.
pub const MOST_TOOLS: usize = 20_000;
/// Bytes that a tool takes beside its definition, its name, and its mirrored arguments.
const OVERHEAD: usize = 256;

/// The tools of one server.
#[derive(Debug)]
pub struct Tools {
    by_name: BTreeMap<String, Tool>,
    in_order: Vec<String>,
    /// Every tool of the server is in `by_name`.
    complete: bool,
    fetched: Instant,
    lifetime: Duration,
    /// The server's `ttlMs` and `cacheScope`, for all pages together.
    freshness: Option<Freshness>,
    /// Bytes of all definitions.
    definition_bytes: usize,
    /// Bytes of memory that all of this takes, about, with `words`.
    bytes: usize,
    /// Of each tool that may be used, in order; filled by the first search.
    words: OnceLock<Vec<ToolWords>>,
}

/// The words by which a tool is found.
#[derive(Debug)]
pub struct ToolWords {
    /// Of its name.
    pub name: Words,
    /// Of its title.
    pub title: Words,
    /// Of its description.
    pub description: Words,
}

// === impl Tools ===

impl Tools {
    /// An empty list.
    fn new() -> Self {
        Self {
            by_name: BTreeMap::new(),
            in_order: Vec::new(),
            complete: true,
            fetched: Instant::now(),
            lifetime: CEILING,
            freshness: None,
            definition_bytes: 0,
            bytes: 0,
            words: OnceLock::new(),
        }
    }

    /// An empty list that counts as so many bytes.
    #[cfg(test)]
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self {
            bytes,
            ..Self::new()
        }
    }

    /// The tools on these pages. Slow for many bytes.
    pub(crate) fn of(pages: &[Bytes]) -> Result<Self, Error> {
        let mut tools = Self::new();
        for page in pages {
            let page = Page::read(Listing::Tools, page)?;
            tools.add(&page.items, page.freshness);
        }
        Ok(tools)
    }

    /// The list of a server that does not support lists: it may have any tools.
    pub(crate) fn unlistable() -> Self {
        Self {
            complete: false,
            lifetime: FLOOR,
            ..Self::new()
        }
    }

    /// Adds the definitions of one page. The shortest `ttlMs` of a page counts for the whole list; none means 0.
    fn add(&mut self, definitions: &[&RawValue], freshness: Freshness) {
        let said = freshness.ttl.unwrap_or_default();
        self.freshness = Some(match self.freshness {
            Some(others) => others.and(freshness),
            None => freshness,
        });
        self.lifetime = self.lifetime.min(said.clamp(FLOOR, CEILING));
        for definition in definitions {
            if self.by_name.len() >= MOST_TOOLS {
                self.complete = false;
                return;
            }
            let Some((name, tool)) = Tool::read(definition) else {
                continue;
            };
            // Of several tools with the same name, the first counts.
            if let Entry::Vacant(place) = self.by_name.entry(name) {
                let name = place.key().clone();
                let definition = definition.get().len();
                self.definition_bytes += definition;
                // Once for the definition, and up to twice for its words, each with its line end.
                self.bytes += 3 * definition + 2 * name.len() + tool.mirrored_bytes() + OVERHEAD;
                place.insert(tool);
                self.in_order.push(name);
            }
        }
    }

    /// For how long and by whom the list may be cached, as the server says.
    pub fn freshness(&self) -> Freshness {
        self.freshness.unwrap_or_default()
    }

    /// How many are cached.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Whether a tool that is not here is not on the server.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether the list may still be used.
    pub(crate) fn is_fresh(&self) -> bool {
        self.fetched.elapsed() < self.lifetime
    }

    /// Whether the list is so young that it is not fetched again.
    pub(crate) fn is_new(&self) -> bool {
        self.fetched.elapsed() < JUST_NOW
    }

    /// The tool of that name.
    pub fn get(&self, name: &str) -> Option<&Tool> {
        self.by_name.get(name)
    }

    /// The tools that may be used, with their names, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tool)> {
        self.in_order
            .iter()
            .filter_map(move |name| self.by_name.get_key_value(name))
            .filter(|(_, tool)| tool.is_usable())
            .map(|(name, tool)| (name.as_str(), tool))
    }

    /// The same with the words by which they are found. Slow for many bytes, above all the first time.
    pub fn with_words(&self) -> impl Iterator<Item = (&str, &Tool, &ToolWords)> {
        let words = self.words.get_or_init(|| {
            let tools = self.iter();
            tools
                .map(|(name, tool)| ToolWords::of(name, tool))
                .collect()
        });
        let tools = self.iter().zip(words);
        tools.map(|((name, tool), words)| (name, tool, words))
    }

    /// Bytes of all definitions: a measure of what a search costs.
    pub fn definition_bytes(&self) -> usize {
        self.definition_bytes
    }

    /// Bytes of memory that it takes to cache them, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the list has a tool of that name that may be used.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some_and(Tool::is_usable)
    }

    /// The names closest to `name`, which may be misspelt or in the wrong case. Slow for many tools.
    pub(crate) fn similar_to(&self, name: &str) -> Vec<String> {
        similar(
            self.by_name
                .iter()
                .filter(|(_, tool)| tool.is_usable())
                .map(|(name, _)| name.as_str()),
            name,
        )
    }
}

// === impl ToolWords ===

impl ToolWords {
    fn of(name: &str, tool: &Tool) -> Self {
        let member = |member| text_member(&tool.definition, member).unwrap_or_default();
        Self {
            name: Words::of(name),
            title: Words::of(&member("title")),
            description: Words::of(&member("description")),
        }
    }
}
