//! Pages of `tools/list` as bytes: read, cut and joined without reprinting a definition.

use std::borrow::Cow;
use std::fmt::Write as _;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::error::Error;
use super::message::Members;
use super::tools_cache::Tool;

/// One page, as far as a client must look into it.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'a> {
    /// The definitions.
    #[serde(borrow)]
    pub tools: Vec<&'a RawValue>,
    /// Where the next page starts; an empty one is legal.
    #[serde(borrow)]
    pub next_cursor: Option<Cow<'a, str>>,
    /// How long the page may be used.
    #[serde(borrow)]
    ttl_ms: Option<&'a RawValue>,
}

impl<'a> Page<'a> {
    /// The page in this result.
    pub(super) fn read(result: &'a [u8]) -> Result<Self, Error> {
        Ok(serde_json::from_slice(result)?)
    }

    /// `ttlMs`, where it is a whole number that is not negative.
    pub(super) fn ttl_ms(&self) -> Option<u64> {
        self.ttl_ms?.get().parse().ok()
    }

    /// The definition of the tool called `name`.
    pub(super) fn find(&self, name: &str) -> Option<&'a RawValue> {
        #[derive(serde::Deserialize)]
        struct Named<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
        }
        self.tools.iter().copied().find(|tool| {
            serde_json::from_str::<Named<'_>>(tool.get()).is_ok_and(|tool| tool.name == name)
        })
    }
}

/// The page without the tools a client must not use (2026-07-28: an invalid `x-mcp-header`). The same bytes when
/// there are none, as nearly always.
pub(super) fn without_unusable(result: Bytes) -> Result<Bytes, Error> {
    let page = Page::read(&result)?;
    let usable = |tool: &&&RawValue| Tool::read(tool).is_none_or(|(_, facts)| facts.is_usable());
    let kept: Vec<&RawValue> = page.tools.iter().filter(usable).copied().collect();
    if kept.len() == page.tools.len() {
        return Ok(result);
    }
    log::warn!(
        dropped = page.tools.len() - kept.len();
        "tools with an invalid x-mcp-header left out of a list"
    );
    rewritten(&result, &kept, true)
}

/// One list out of all pages: the first page's members, every page's tools, no cursor.
pub(super) fn joined(pages: &[Bytes]) -> Result<Bytes, Error> {
    let [first, rest @ ..] = pages else {
        return Err(Error::Internal("no page to join".into()));
    };
    let mut tools = Page::read(first)?.tools;
    for page in rest {
        tools.extend(Page::read(page)?.tools);
    }
    rewritten(first, &tools, false)
}

/// `result` with other `tools`, and with or without its cursor.
fn rewritten(result: &Bytes, tools: &[&RawValue], cursor: bool) -> Result<Bytes, Error> {
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
        if name == "tools" {
            let list: Vec<&str> = tools.iter().map(|tool| tool.get()).collect();
            // Writing into a string cannot fail.
            let _ = write!(out, "{quoted}:[{}]", list.join(","));
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
        assert_eq!(without_unusable(result.clone()).unwrap(), result);
    }

    #[test]
    fn unusable_tools_are_cut_out() {
        let bad = r#"{"name":"b","inputSchema":{"properties":{"x":{"type":"number","x-mcp-header":"X"}}}}"#;
        let result = format!(r#"{{"tools":[{{"name":"a"}},{bad}],"nextCursor":"","_meta":{{}}}}"#);
        assert_eq!(
            without_unusable(Bytes::from(result)).unwrap(),
            r#"{"tools":[{"name":"a"}],"nextCursor":"","_meta":{}}"#
        );
    }

    #[test]
    fn pages_join_into_one_list() {
        let pages = [
            Bytes::from_static(br#"{"ttlMs":5,"tools":[{"name":"a"}],"nextCursor":"1"}"#),
            Bytes::from_static(br#"{"tools":[],"nextCursor":"2"}"#),
            Bytes::from_static(br#"{"tools":[{"name":"b","n":1.10}]}"#),
        ];
        assert_eq!(
            joined(&pages).unwrap(),
            r#"{"ttlMs":5,"tools":[{"name":"a"},{"name":"b","n":1.10}]}"#
        );
    }
}
