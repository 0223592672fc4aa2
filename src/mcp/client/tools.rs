//! What is particular to tools: lists of many pages, what is remembered of them, and telling an unknown tool from a tool
//! that failed. Lists are looked into off the workers where they are large (`offload`).

use std::sync::Arc;

use bytes::Bytes;

use crate::mcp::client::operation::Operation;
use crate::mcp::client::pool::Client;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Cap, Error, Refusal, Stage};
use crate::mcp::protocol::lists;
use crate::mcp::protocol::lists::{Freshness, Listing};
use crate::mcp::protocol::message::ResultFlags;
use crate::mcp::protocol::refusal;
use crate::mcp::protocol::refusal::Meaning;
use crate::mcp::protocol::tool::Tool;
use crate::mcp::tools::Tools;
use crate::offload;

/// Pages followed for one list.
const PAGES: usize = 1000;

/// What a tool returned.
#[derive(Debug)]
pub struct ToolResult {
    /// The `result`, byte for byte.
    pub bytes: Bytes,
    /// `isError: true`.
    pub is_error: bool,
}

impl Client<'_> {
    /// What a `tools/call` came to: whether an unknown tool is behind a refusal is for the server's own list to say,
    /// for the codes and texts that servers use for it mean other things as well.
    pub(crate) async fn judge(
        &mut self,
        name: &str,
        outcome: Result<Bytes, Error>,
    ) -> Result<ToolResult, Error> {
        let may_be_unknown = match &outcome {
            Ok(bytes) => {
                let marks = ResultFlags::of(bytes);
                if self.session.era == Some(Era::Modern) {
                    complete(bytes, &marks)?;
                }
                let is_error = marks.is_error();
                if !is_error || !mentions(bytes, name) {
                    let bytes = bytes.clone();
                    return Ok(ToolResult { bytes, is_error });
                }
                true
            }
            Err(error) => refusal::of_name(error, "tools/call") == Meaning::MayBeUnknownName,
        };
        if may_be_unknown && let Some(tools) = self.list_without(name).await {
            return Err(Error::ToolNotFound {
                did_you_mean: close_names(tools, name).await,
                refusal: outcome.err().map(Refusal::of),
            });
        }
        outcome.map(|bytes| ToolResult {
            bytes,
            is_error: true,
        })
    }

    /// Whether a tool whose answer got lost may be called once more: where that is configured, and the tool's own annotations
    /// say that running it twice does no harm.
    pub(crate) async fn may_call_again(&mut self, name: &str, error: &Error) -> bool {
        if !self.server.retry_idempotent || !error.is_transient() {
            return false;
        }
        self.session.cancel();
        let tools = match self.known_tools() {
            Some(tools) => Some(tools),
            None => self.fetch_tools().await.ok(),
        };
        tools.is_some_and(|tools| tools.get(name).is_some_and(Tool::is_idempotent))
    }

    /// The server's tools, if they are known to lack `name`.
    async fn list_without(&mut self, name: &str) -> Option<Arc<Tools>> {
        let tools = match self.known_tools() {
            Some(tools) if tools.has(name) || tools.is_new() => tools,
            _ => {
                let stage = self.clock.stage;
                let fetched = self.fetch_tools().await;
                self.clock.enter(stage);
                fetched.ok()?
            }
        };
        (tools.is_complete() && !tools.has(name)).then_some(tools)
    }

    pub(crate) fn known_tools(&self) -> Option<Arc<Tools>> {
        let tools = self.server.state.tools.get()?;
        tools.is_fresh().then_some(tools)
    }

    pub(crate) fn known_idempotent(&self, name: &str) -> bool {
        self.known_tools()
            .is_some_and(|tools| tools.get(name).is_some_and(Tool::is_idempotent))
    }

    /// Asks for the whole list, and remembers it. A server that refuses to list has no list, and that is remembered.
    pub(crate) async fn fetch_tools(&mut self) -> Result<Arc<Tools>, Error> {
        self.clock.enter(Stage::Preparing);
        let first = match self.list_page(Listing::Tools, None).await {
            Err(error) if refusal::of_request(&error) == Meaning::NotSupported => {
                return Ok(self.server.state.tools.put(Tools::unlistable()));
            }
            outcome => outcome?,
        };
        let pages = self.pages_from(Listing::Tools, first).await?;
        self.learn(&pages).await
    }

    /// One page, in the era and the session already in use.
    pub(crate) async fn list_page(
        &mut self,
        listing: Listing,
        cursor: Option<&str>,
    ) -> Result<Bytes, Error> {
        let operation = Operation::list(listing, cursor);
        match self.session.era {
            Some(Era::Modern) => self.send_modern(&operation, &[]).await,
            Some(Era::HttpSse) => self.over_http_sse(&operation).await,
            Some(Era::Legacy { wants_session }) => self.legacy(&operation, wants_session).await,
            None => self.legacy(&operation, None).await,
        }
    }

    /// All pages of a list.
    pub(crate) async fn every_page(&mut self, listing: Listing) -> Result<Vec<Bytes>, Error> {
        let first = self.request(&Operation::list(listing, None)).await?;
        self.pages_from(listing, first).await
    }

    /// All pages of a list whose first is given.
    pub(crate) async fn pages_from(
        &mut self,
        listing: Listing,
        first: Bytes,
    ) -> Result<Vec<Bytes>, Error> {
        let mut room = self.pool.transport.limits().list_bytes;
        let mut page = first;
        let mut pages = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        loop {
            room = less(room, page.len())?;
            let last = page.clone();
            pages.push(page);
            let cursor = aside(last.len(), move || lists::next_cursor(&last)).await??;
            let Some(cursor) = cursor else {
                return Ok(pages);
            };
            if seen.contains(&cursor) {
                return Err(Error::Malformed("a cursor of a list came twice".into()));
            }
            if pages.len() >= PAGES {
                return Err(Error::TooLarge(Cap::Pages));
            }
            page = self.list_page(listing, Some(&cursor)).await?;
            // Pages that are small come in numbers.
            page = self.pool.transport.budget().share().keep(page)?;
            seen.push(cursor);
        }
    }

    /// What these pages say, remembered. What was remembered before may be as long, and is let go of in the same place.
    pub(crate) async fn learn(&self, pages: &[Bytes]) -> Result<Arc<Tools>, Error> {
        let pages = pages.to_vec();
        let bytes = bytes_of(&pages);
        let state = Arc::clone(&self.server.state);
        let learn = move || Tools::of(&pages).map(|tools| state.tools.put(tools));
        aside(bytes, learn).await?
    }

    /// The definition of a tool on these pages.
    pub(crate) async fn definition(
        &self,
        name: &str,
        pages: Vec<Bytes>,
    ) -> Result<(Bytes, Freshness), Error> {
        let tools = self.learn(&pages).await?;
        let modern = self.session.era == Some(Era::Modern);
        let known = tools.get(name).filter(|tool| !modern || tool.is_usable());
        let found = match known {
            Some(tool) => Some(Bytes::copy_from_slice(tool.definition.get().as_bytes())),
            // There are more tools than are remembered.
            None if !tools.is_complete() => {
                let name = name.to_owned();
                let find = move || lists::find_tool(&pages, &name, modern);
                aside(tools.definition_bytes(), find).await??
            }
            None => None,
        };
        match found {
            Some(definition) => Ok((definition, tools.freshness())),
            None => Err(Error::ToolNotFound {
                did_you_mean: close_names(tools, name).await,
                refusal: None,
            }),
        }
    }

    /// All pages of a list as one.
    pub(crate) async fn join(&self, listing: Listing, pages: Vec<Bytes>) -> Result<Bytes, Error> {
        let bytes = bytes_of(&pages);
        let budget = self.pool.transport.budget().clone();
        let join = move || lists::joined(listing, &pages, &budget);
        aside(bytes, join).await?
    }

    /// A list as a caller may see it.
    pub(crate) async fn listable(&self, listing: Listing, page: Bytes) -> Result<Bytes, Error> {
        if self.session.era != Some(Era::Modern) {
            return Ok(page);
        }
        if listing == Listing::Tools {
            less(self.pool.transport.limits().list_bytes, page.len())?;
        }
        let bytes = page.len();
        let budget = self.pool.transport.budget().clone();
        let look = move || {
            complete(&page, &ResultFlags::of(&page))?;
            match listing {
                Listing::Tools => lists::without_unusable(page, &budget),
                _ => Ok(page),
            }
        };
        aside(bytes, look).await?
    }

    /// A result that is one: a modern server may want input instead, or answer with something that nobody knows.
    pub(crate) fn completed(&self, result: Bytes) -> Result<Bytes, Error> {
        if self.session.era == Some(Era::Modern) {
            complete(&result, &ResultFlags::of(&result))?;
        }
        Ok(result)
    }
}

/// The names of tools that are closest to `name`. Each is compared letter by letter.
pub(crate) async fn close_names(tools: Arc<Tools>, name: &str) -> Vec<String> {
    let work = tools.definition_bytes() * (1 + name.len() / 8);
    let name = name.to_owned();
    let close = offload::run(work, move || tools.similar_to(&name)).await;
    close.unwrap_or_default()
}

/// Looks into so many bytes of lists: off the worker, if they are many.
pub(crate) async fn aside<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = offload::run(bytes, work).await;
    done.ok_or_else(|| Error::Internal("a list could not be looked into".into()))
}

pub(crate) fn bytes_of(pages: &[Bytes]) -> usize {
    pages.iter().map(Bytes::len).sum()
}

/// What is left of the room for one list.
fn less(room: usize, bytes: usize) -> Result<usize, Error> {
    let left = room.checked_sub(bytes);
    left.ok_or(Error::TooLarge(Cap::ListBytes))
}

/// A modern result must be `complete`; `input_required` is the caller's to answer, anything else is invalid.
fn complete(result: &Bytes, marks: &ResultFlags<'_>) -> Result<(), Error> {
    match marks.result_type().as_ref() {
        "complete" => Ok(()),
        "input_required" => Err(Error::InputRequired(result.clone())),
        _ => Err(Error::Malformed("an unknown resultType".into())),
    }
}

/// Whether a result speaks of the tool by name, as every known "unknown tool" does. Saves asking for the list after
/// most errors of tools themselves.
fn mentions(result: &[u8], name: &str) -> bool {
    let quoted = serde_json::to_string(name).unwrap_or_default();
    let written = quoted.trim_matches('"');
    memchr::memmem::find(result, name.as_bytes()).is_some()
        || memchr::memmem::find(result, written.as_bytes()).is_some()
        // Python writes what is not ASCII as \uXXXX.
        || !name.is_ascii()
}
