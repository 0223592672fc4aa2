//! Telling unknown prompts and resources from failures, by the server's own lists where the code is not enough (`refusal`).

use bytes::Bytes;

use crate::mcp::client::pool::Client;
use crate::mcp::client::tools::{bytes_of, off_worker};
use crate::mcp::protocol::error::{Error, Refusal};
use crate::mcp::protocol::lists::{Listing, texts};
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::similar::similar;

/// How much longer it takes to compare an item with a name than to read it.
const COMPARED: usize = 8;

impl Client<'_> {
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
        if is_unknown {
            let refusal = Refusal::of(error);
            Error::ResourceNotFound { refusal }
        } else {
            error
        }
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
    use crate::mcp::client::names::may_expand_to;

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
