//! Telling an unknown prompt or resource from a failure. Codes alone do not: -32602 stands for an unknown name and for wrong
//! arguments, Python SDK 1 says 0 to every failure, and Python SDK 2 -32603.

use super::Client;
use crate::mcp::error::Error;
use crate::mcp::lists::{Listing, Page, text_member};
use crate::mcp::tools_cache::similar;

/// "Resource not found" up to 2025-11-25. From 2026-07-28 on it is -32602, which TypeScript SDK 1 says too: with a request
/// that holds nothing but a URI there is little else that can be invalid.
const NO_SUCH_RESOURCE: [i64; 2] = [-32002, -32602];
/// What Python SDK 1 says of everything.
const SOMETHING: i64 = 0;

impl Client<'_> {
    /// What a refused `prompts/get` comes to: the server's own list says whether there is such a prompt.
    pub(super) async fn unless_no_prompt(&mut self, name: &str, error: Error) -> Error {
        let Error::Rpc {
            status,
            error: said,
        } = &error
        else {
            return error;
        };
        if !matches!(said.code, -32603..=-32601 | SOMETHING) {
            return error;
        }
        let said = (*status, said.clone());
        match self.listed(Listing::Prompts, "name").await {
            Ok(names) if !names.iter().any(|listed| listed == name) => Error::PromptNotFound {
                did_you_mean: similar(names.iter().map(String::as_str), name),
                said,
            },
            _ => error,
        }
    }

    /// What a refused `resources/read` comes to. Where the code says nothing, the server's own lists do.
    pub(super) async fn unless_no_resource(&mut self, uri: &str, error: Error) -> Error {
        let Error::Rpc {
            status,
            error: said,
        } = &error
        else {
            return error;
        };
        let is_unknown = match said.code {
            code if NO_SUCH_RESOURCE.contains(&code) => true,
            SOMETHING => self.list_no_resource(uri).await.unwrap_or(false),
            _ => false,
        };
        if !is_unknown {
            return error;
        }
        Error::ResourceNotFound {
            said: (*status, said.clone()),
        }
    }

    /// Whether neither a resource nor a template in the server's lists can be meant by `uri`.
    async fn list_no_resource(&mut self, uri: &str) -> Result<bool, Error> {
        let listed = self.listed(Listing::Resources, "uri").await?;
        if listed.iter().any(|listed| listed == uri) {
            return Ok(false);
        }
        let templates = self
            .listed(Listing::ResourceTemplates, "uriTemplate")
            .await?;
        Ok(!templates
            .iter()
            .any(|template| may_expand_to(template, uri)))
    }

    /// One member of all items of a list, in the era and the session already in use.
    async fn listed(&mut self, listing: Listing, member: &str) -> Result<Vec<String>, Error> {
        let stage = self.clock.stage;
        let first = self.list_page(listing, None).await;
        let pages = match first {
            Ok(first) => self.pages_from(listing, first).await,
            Err(error) => Err(error),
        };
        self.clock.enter(stage);
        let mut found = Vec::new();
        for page in pages? {
            let page = Page::read(listing, &page)?;
            let texts = page
                .items
                .iter()
                .filter_map(|item| text_member(item, member));
            found.extend(texts.map(std::borrow::Cow::into_owned));
        }
        Ok(found)
    }
}

/// Whether the literal parts of a template (RFC 6570) stand in `uri`, in their order.
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
    use super::may_expand_to;

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
