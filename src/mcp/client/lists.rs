//! Lists of many pages: fetching, joining and checking them, and caching those of tools. Large ones are processed off the workers (`offload`).

use std::sync::Arc;

use bytes::Bytes;

use crate::mcp::client::operation::Operation;
use crate::mcp::client::pool::Client;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Cap, Error, Stage};
use crate::mcp::protocol::lists::{self, Listing};
use crate::mcp::protocol::message::result_type;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::tools::Tools;
use crate::offload;

/// Pages followed for one list.
const PAGES: usize = 1000;

impl Client<'_> {
    pub(crate) fn cached_tools(&self) -> Option<Arc<Tools>> {
        let tools = self.server.state.tools.get()?;
        tools.is_fresh().then_some(tools)
    }

    /// Fetches the whole list and caches it. That a server does not support lists is cached too.
    pub(crate) async fn fetch_tools(&mut self) -> Result<Arc<Tools>, Error> {
        self.clock.enter(Stage::Preparing);
        let first = match self.list_page(Listing::Tools, None).await {
            Err(error) if refusal::of_request(&error) == Meaning::NotSupported => {
                return Ok(self.server.state.tools.put(Tools::unlistable()));
            }
            outcome => outcome?,
        };
        let pages = self.pages_from(Listing::Tools, first).await?;
        self.cache_tools(&pages).await
    }

    /// One page, in the era and the session in use.
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
    pub(crate) async fn all_pages(&mut self, listing: Listing) -> Result<Vec<Bytes>, Error> {
        let first = self.request(&Operation::list(listing, None)).await?;
        self.pages_from(listing, first).await
    }

    /// All pages of a list, from the first one on.
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
            let cursor = off_worker(last.len(), move || lists::next_cursor(&last)).await??;
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
            // There may be many small pages.
            page = self.pool.transport.budget().reservation().keep(page)?;
            seen.push(cursor);
        }
    }

    /// Caches the tools on these pages. The list before may be as large, and is dropped in the same place.
    pub(crate) async fn cache_tools(&self, pages: &[Bytes]) -> Result<Arc<Tools>, Error> {
        let pages = pages.to_vec();
        let bytes = bytes_of(&pages);
        let state = Arc::clone(&self.server.state);
        let learn = move || Tools::of(&pages).map(|tools| state.tools.put(tools));
        off_worker(bytes, learn).await?
    }

    /// All pages of a list as one page.
    pub(crate) async fn join(&self, listing: Listing, pages: Vec<Bytes>) -> Result<Bytes, Error> {
        let bytes = bytes_of(&pages);
        let budget = self.pool.transport.budget().clone();
        let join = move || lists::joined(listing, &pages, &budget);
        off_worker(bytes, join).await?
    }

    /// A page as a caller may see it: complete, and without the tools that must not be used.
    pub(crate) async fn checked_page(&self, listing: Listing, page: Bytes) -> Result<Bytes, Error> {
        if self.session.era != Some(Era::Modern) {
            return Ok(page);
        }
        if listing == Listing::Tools {
            less(self.pool.transport.limits().list_bytes, page.len())?;
        }
        let bytes = page.len();
        let budget = self.pool.transport.budget().clone();
        let look = move || {
            complete(&page)?;
            match listing {
                Listing::Tools => lists::without_unusable(page, &budget),
                _ => Ok(page),
            }
        };
        off_worker(bytes, look).await?
    }

    /// A complete result: a modern server may require input instead, or send an unknown type of result.
    pub(crate) fn completed(&self, result: Bytes) -> Result<Bytes, Error> {
        if self.session.era == Some(Era::Modern) {
            complete(&result)?;
        }
        Ok(result)
    }
}

/// Processes so many bytes of lists: off the worker, if they are many.
pub(crate) async fn off_worker<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    let done = offload::run(bytes, work).await;
    done.ok_or_else(|| Error::Internal("a list could not be looked into".into()))
}

pub(crate) fn bytes_of(pages: &[Bytes]) -> usize {
    pages.iter().map(Bytes::len).sum()
}

/// What is left of the limit for one list.
fn less(room: usize, bytes: usize) -> Result<usize, Error> {
    let left = room.checked_sub(bytes);
    left.ok_or(Error::TooLarge(Cap::ListBytes))
}

/// A modern result must be `complete`; the caller has to answer `input_required`, anything else is invalid.
pub(crate) fn complete(result: &Bytes) -> Result<(), Error> {
    match result_type(result).as_ref() {
        "complete" => Ok(()),
        "input_required" => Err(Error::InputRequired(result.clone())),
        _ => Err(Error::Malformed("an unknown resultType".into())),
    }
}
