//! Pages of lists (`tools/list`, `resources/list`, ...) as bytes: read, cut and joined without reprinting an item.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::{Members, Text, text_member};
use crate::mcp::limits::Budget;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::tool::Tool;

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `tools/list`.
    Tools,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
    /// `prompts/list`.
    Prompts,
}

/// One page, as far as a client must look into it.
#[derive(Debug)]
pub struct Page<'a> {
    /// The items: definitions of tools, or whatever is listed.
    pub items: Vec<&'a RawValue>,
    /// Where the next page starts; an empty one is legal.
    pub next_cursor: Option<Cow<'a, str>>,
    /// How long the page may be used.
    pub freshness: Freshness,
}

/// How long and by whom a result may be cached (2026-07-28, "Caching").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freshness {
    /// `ttlMs`, where it is a whole number that is not negative.
    pub ttl: Option<Duration>,
    /// `cacheScope` is `public`.
    pub public: bool,
}

// === impl Listing ===

impl Listing {
    /// The method.
    pub fn method(self) -> &'static str {
        match self {
            Self::Tools => "tools/list",
            Self::Resources => "resources/list",
            Self::ResourceTemplates => "resources/templates/list",
            Self::Prompts => "prompts/list",
        }
    }

    /// The member of the result that holds the items.
    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }
}

// === impl Freshness ===

impl Freshness {
    /// That of a result.
    pub fn of(result: &Members<'_>) -> Self {
        Self::said(result.get("ttlMs"), result.get("cacheScope"))
    }

    /// That of `ttlMs` and `cacheScope`.
    pub fn said(ttl: Option<&RawValue>, scope: Option<&RawValue>) -> Self {
        let ttl = ttl.and_then(|raw| raw.get().parse().ok());
        Self {
            ttl: ttl.map(Duration::from_millis),
            public: scope.is_some_and(|raw| raw.get() == "\"public\""),
        }
    }

    /// That of two results together: the shorter time, the narrower scope.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            ttl: self.ttl.min(other.ttl),
            public: self.public && other.public,
        }
    }
}

// === impl Page ===

impl<'a> Page<'a> {
    /// The page in this result.
    pub fn read(listing: Listing, result: &'a [u8]) -> Result<Self, Error> {
        let members: Members<'a> = serde_json::from_slice(result)?;
        let Some(items) = members.get(listing.member()) else {
            return Err(Error::Malformed("a list without its items".into()));
        };
        Ok(Self {
            items: serde_json::from_str(items.get())?,
            next_cursor: cursor_in(&members)?,
            freshness: Freshness::of(&members),
        })
    }

    /// The item called `name`.
    pub fn find(&self, name: &str) -> Option<&'a RawValue> {
        let is_it = |item: &&RawValue| text_member(item, "name").is_some_and(|it| it == name);
        self.items.iter().copied().find(is_it)
    }
}

/// Where the page after this one starts.
pub(crate) fn next_cursor(page: &[u8]) -> Result<Option<String>, Error> {
    let members: Members<'_> = serde_json::from_slice(page)?;
    Ok(cursor_in(&members)?.map(Cow::into_owned))
}

fn cursor_in<'a>(page: &Members<'a>) -> Result<Option<Cow<'a, str>>, Error> {
    let Some(written) = page.get("nextCursor") else {
        return Ok(None);
    };
    let cursor: Option<Text<'a>> = serde_json::from_str(written.get())?;
    Ok(cursor.map(|text| text.0))
}

/// One member of all items, where it is a text.
pub(crate) fn texts(listing: Listing, pages: &[Bytes], member: &str) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for page in pages {
        let page = Page::read(listing, page)?;
        let texts = page
            .items
            .iter()
            .filter_map(|item| text_member(item, member));
        found.extend(texts.map(Cow::into_owned));
    }
    Ok(found)
}

/// The definition of a tool, where it is on one of these pages; with `usable`, only if a client may use it.
pub(crate) fn find_tool(pages: &[Bytes], name: &str, usable: bool) -> Result<Option<Bytes>, Error> {
    for page in pages {
        if let Some(definition) = Page::read(Listing::Tools, page)?.find(name) {
            let fits = !usable || Tool::read(definition).is_some_and(|(_, tool)| tool.is_usable());
            return Ok(fits.then(|| page.slice_ref(definition.get().as_bytes())));
        }
    }
    Ok(None)
}

/// The page without the tools a client must not use (2026-07-28: an invalid `x-mcp-header`). The same bytes when
/// there are none, as nearly always.
pub(crate) fn without_unusable(result: Bytes, budget: &Budget) -> Result<Bytes, Error> {
    let page = Page::read(Listing::Tools, &result)?;
    let usable = |tool: &&&RawValue| Tool::read(tool).is_none_or(|(_, facts)| facts.is_usable());
    let kept: Vec<&RawValue> = page.items.iter().filter(usable).copied().collect();
    if kept.len() == page.items.len() {
        return Ok(result);
    }
    log::warn!(
        dropped = page.items.len() - kept.len();
        "tools with an invalid x-mcp-header left out of a list"
    );
    Ok(budget.keep(rewritten(Listing::Tools, &result, &kept, true)?)?)
}

/// One list out of all pages: the first page's members, every page's items, no cursor.
pub(crate) fn joined(listing: Listing, pages: &[Bytes], budget: &Budget) -> Result<Bytes, Error> {
    let [first, rest @ ..] = pages else {
        return Err(Error::Internal("no page to join".into()));
    };
    let mut items = Page::read(listing, first)?.items;
    for page in rest {
        items.extend(Page::read(listing, page)?.items);
    }
    Ok(budget.keep(rewritten(listing, first, &items, false)?)?)
}

/// `result` with other items, and with or without its cursor.
fn rewritten(
    listing: Listing,
    result: &Bytes,
    items: &[&RawValue],
    cursor: bool,
) -> Result<Bytes, Error> {
    let text = std::str::from_utf8(result)
        .map_err(|error| Error::Malformed(format!("a list is not UTF-8: {error}")))?;
    let members = Members::of(text)?;
    let mut out = String::with_capacity(text.len());
    for (name, value) in &members.0 {
        if name == "nextCursor" && !cursor {
            continue;
        }
        out.push(if out.is_empty() { '{' } else { ',' });
        let quoted = serde_json::to_string(name)?;
        if name == listing.member() {
            // Writing into a string cannot fail.
            let _ = write!(out, "{quoted}:[");
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at > 0 { "," } else { "" });
                out.push_str(item.get());
            }
            out.push(']');
        } else {
            let _ = write!(out, "{quoted}:{}", value.get());
        }
    }
    out.push('}');
    Ok(Bytes::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_usable_tools_keeps_its_bytes() {
        let result = Bytes::from_static(br#"{ "x":1e400, "tools":[{"name" : "a"}] }"#);
        let budget = Budget::new(0);
        assert_eq!(without_unusable(result.clone(), &budget).unwrap(), result);
    }

    #[test]
    fn unusable_tools_are_cut_out() {
        let bad = r#"{"name":"b","inputSchema":{"properties":{"x":{"type":"number","x-mcp-header":"X"}}}}"#;
        let result = format!(r#"{{"tools":[{{"name":"a"}},{bad}],"nextCursor":"","_meta":{{}}}}"#);
        assert_eq!(
            without_unusable(Bytes::from(result), &Budget::new(0)).unwrap(),
            r#"{"tools":[{"name":"a"}],"nextCursor":"","_meta":{}}"#
        );
    }

    #[test]
    fn pages_join_into_one_list() {
        let pages = [
            Bytes::from_static(br#"{"ttlMs":5,"prompts":[{"name":"a"}],"nextCursor":"1"}"#),
            Bytes::from_static(br#"{"prompts":[],"nextCursor":"2"}"#),
            Bytes::from_static(br#"{"prompts":[{"name":"b","n":1.10}]}"#),
        ];
        assert_eq!(
            joined(Listing::Prompts, &pages, &Budget::new(0)).unwrap(),
            r#"{"ttlMs":5,"prompts":[{"name":"a"},{"name":"b","n":1.10}]}"#
        );
    }

    #[test]
    fn a_cursor_may_be_empty_null_or_written_with_escapes() {
        for (written, cursor) in [
            (r#""""#, Some("")),
            ("null", None),
            (r#""\u0041""#, Some("A")),
        ] {
            let page = format!(r#"{{"tools":[],"nextCursor":{written}}}"#);
            let page = Page::read(Listing::Tools, page.as_bytes()).unwrap();
            assert_eq!(page.next_cursor.as_deref(), cursor);
        }
    }
}
