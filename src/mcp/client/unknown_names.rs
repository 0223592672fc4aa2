//! Telling unknown tools, prompts and resources from failures, by the server's own lists where the code is not enough (`refusal`).

use std::sync::Arc;

use bytes::Bytes;

use crate::mcp::client::lists::{bytes_of, complete, off_worker};
use crate::mcp::client::operation::ToolResult;
use crate::mcp::client::pool::Client;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Failure, Refusal};
use crate::mcp::protocol::lists::{self, Freshness, Listing, texts};
use crate::mcp::protocol::message;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::similar::similar;
use crate::mcp::tools::Tools;
use crate::offload;

/// How much longer it takes to compare an item with a name than to read it.
const COMPARED: usize = 8;

impl Client<'_> {
    /// The result of a `tools/call`, or its error. Whether the tool is unknown is decided by the server's own list, because the
    /// codes and texts that servers use for that have other meanings as well.
    pub(crate) async fn tool_result(
        &mut self,
        name: &str,
        outcome: Result<Bytes, Error>,
    ) -> Result<ToolResult, Error> {
        let mut is_error = false;
        let may_be_unknown = match &outcome {
            Ok(bytes) => {
                if self.session.era == Some(Era::Modern) {
                    complete(bytes)?;
                }
                is_error = message::is_error(bytes);
                is_error && mentions(bytes, name)
            }
            Err(error) => refusal::of_name(error, "tools/call") == Meaning::MayBeUnknownName,
        };
        if may_be_unknown && let Some(tools) = self.list_without(name).await {
            let refusal = outcome.err().map(Refusal::of);
            return Err(unknown_tool(tools, name, refusal).await);
        }
        outcome.map(|bytes| ToolResult { bytes, is_error })
    }

    /// The server's tools, if `name` is certainly not among them.
    async fn list_without(&mut self, name: &str) -> Option<Arc<Tools>> {
        let tools = match self.cached_tools() {
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

    /// The definition of a tool on these pages, or the error for one that is not there.
    pub(crate) async fn definition(
        &self,
        name: &str,
        pages: Vec<Bytes>,
    ) -> Result<(Bytes, Freshness), Error> {
        let tools = self.cache_tools(&pages).await?;
        let modern = self.session.era == Some(Era::Modern);
        let known = tools.get(name).filter(|tool| !modern || tool.is_usable());
        let found = match known {
            Some(tool) => Some(Bytes::copy_from_slice(tool.definition.get().as_bytes())),
            // There are more tools than are cached.
            None if !tools.is_complete() => {
                let name = name.to_owned();
                let find = move || lists::find_tool(&pages, &name, modern);
                off_worker(tools.definition_bytes(), find).await??
            }
            None => None,
        };
        match found {
            Some(definition) => Ok((definition, tools.freshness())),
            None => Err(unknown_tool(tools, name, None).await),
        }
    }

    /// The failure of a call to a tool that is not in the list: nothing was sent.
    pub async fn no_such_tool(tools: Arc<Tools>, name: &str) -> Failure {
        Failure::of_list(unknown_tool(tools, name, None).await)
    }

    /// The error for a refused `prompts/get`: the server's own list decides whether the prompt exists.
    pub(crate) async fn prompt_error(&mut self, name: &str, error: Error) -> Error {
        if refusal::of_name(&error, "prompts/get") != Meaning::MayBeUnknownName {
            return error;
        }
        let wanted = name.to_owned();
        let close_names = move |pages: &[Bytes]| {
            let names = texts(Listing::Prompts, pages, "name")?;
            let is_unknown = !names.contains(&wanted);
            Ok(is_unknown.then(|| similar(names.iter().map(String::as_str), &wanted)))
        };
        match self.search_list(Listing::Prompts, close_names).await {
            Ok(Some(did_you_mean)) => Error::PromptNotFound {
                did_you_mean,
                refusal: Refusal::of(error),
            },
            _ => error,
        }
    }

    /// The error for a refused `resources/read`. Where the code is ambiguous, the server's own lists decide.
    pub(crate) async fn resource_error(&mut self, uri: &str, error: Error) -> Error {
        let is_unknown = match refusal::of_name(&error, "resources/read") {
            Meaning::UnknownName => true,
            Meaning::MayBeUnknownName => self.is_unlisted(uri).await.unwrap_or(false),
            _ => false,
        };
        if !is_unknown {
            return error;
        }
        let refusal = Refusal::of(error);
        Error::ResourceNotFound { refusal }
    }

    /// Whether no resource and no template in the server's lists matches `uri`.
    async fn is_unlisted(&mut self, uri: &str) -> Result<bool, Error> {
        let wanted = uri.to_owned();
        let is_listed = move |pages: &[Bytes]| {
            let uris = texts(Listing::Resources, pages, "uri")?;
            Ok(uris.contains(&wanted))
        };
        if self.search_list(Listing::Resources, is_listed).await? {
            return Ok(false);
        }
        let wanted = uri.to_owned();
        let is_meant = move |pages: &[Bytes]| {
            let templates = texts(Listing::ResourceTemplates, pages, "uriTemplate")?;
            Ok(templates.iter().any(|it| may_expand_to(it, &wanted)))
        };
        let is_meant = self
            .search_list(Listing::ResourceTemplates, is_meant)
            .await?;
        Ok(!is_meant)
    }

    /// Fetches all pages of a list, in the era and the session in use, and searches them.
    async fn search_list<T: Send + 'static>(
        &mut self,
        listing: Listing,
        look: impl FnOnce(&[Bytes]) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let stage = self.clock.stage;
        let first = self.list_page(listing, None).await;
        let pages = match first {
            Ok(first) => self.pages_from(listing, first).await,
            Err(error) => Err(error),
        };
        self.clock.enter(stage);
        let pages = pages?;
        // Each item is compared with the caller's name.
        off_worker(COMPARED * bytes_of(&pages), move || look(&pages)).await?
    }
}

/// The error for a tool that is not in the list, with the names in it that are closest. All are compared.
async fn unknown_tool(tools: Arc<Tools>, name: &str, refusal: Option<Refusal>) -> Error {
    let work = tools.definition_bytes() * (1 + name.len() / 8);
    let name = name.to_owned();
    let close = offload::run(work, move || tools.similar_to(&name)).await;
    Error::ToolNotFound {
        did_you_mean: close.unwrap_or_default(),
        refusal,
    }
}

/// Whether a result mentions the tool's name, as every known "unknown tool" does. It saves fetching the list after
/// most errors of tools.
fn mentions(result: &[u8], name: &str) -> bool {
    let quoted = serde_json::to_string(name).unwrap_or_default();
    let written = quoted.trim_matches('"');
    memchr::memmem::find(result, name.as_bytes()).is_some()
        || memchr::memmem::find(result, written.as_bytes()).is_some()
        // Python writes what is not ASCII as \uXXXX.
        || !name.is_ascii()
}

/// Whether `uri` contains the literal parts of a template (RFC 6570), in their order.
fn may_expand_to(template: &str, uri: &str) -> bool {
    let mut literals = template.split('{').enumerate().map(|(at, part)| match at {
        0 => part,
        _ => part.split_once('}').map_or("", |(_, literal)| literal),
    });
    let first = literals.next().unwrap_or_default();
    let Some(mut rest) = uri.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for literal in literals {
        let Some(at) = rest.find(literal) else {
            return false;
        };
        rest = rest.get(at + literal.len()..).unwrap_or_default();
        last = Some(literal);
    }
    match last {
        None => rest.is_empty(),
        Some("") => true,
        Some(literal) => uri.ends_with(literal),
    }
}

#[cfg(test)]
mod tests {
    use crate::mcp::client::unknown_names::may_expand_to;

    #[test]
    fn templates_are_told_by_their_literal_parts() {
        for (template, uri, fits) in [
            ("demo://{id}", "demo://7", true),
            ("demo://{id}/raw", "demo://7/raw", true),
            ("demo://{id}/raw", "demo://7", false),
            ("demo://{a}/{b}", "demo://x/y", true),
            ("demo://fixed", "demo://fixed", true),
            ("demo://fixed", "demo://fixed/more", false),
            ("other://{id}", "demo://7", false),
            ("file://{+path}", "file:///a/b", true),
        ] {
            assert_eq!(may_expand_to(template, uri), fits, "{template} {uri}");
        }
    }
}
