//! What a tool's result holds: structured content, content blocks, the value they stand for, and the first text.
//!
//! Values and blocks are written as the slices they came in. Which of it becomes the response is `negotiate`'s.

use std::io::Write;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::api::error::kinds::Error;
use crate::api::response::json;
use crate::json::{first_elements, for_each_element, named, nests_deeper_than, text_of};
use crate::mcp::client::operation::ToolResult;
use crate::mcp::http::pieces::{Builder, Pieces};
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::header::SessionId;
use crate::offload;

/// Characters of a text that are repeated in a sentence.
const MOST_SAID: usize = 300;
/// Content blocks among which the first text is looked for.
const FIRST_BLOCKS: usize = 16;

/// The parts of a result that have representations of their own.
pub(crate) struct Parts<'a> {
    whole: &'a Bytes,
    structured: Option<&'a RawValue>,
    texts: Vec<String>,
    media: Vec<Media>,
}

/// An image or audio, decoded.
pub(crate) struct Media {
    /// Its media type.
    pub(crate) media_type: String,
    /// The bytes.
    pub(crate) bytes: Bytes,
}

// === impl Parts ===

impl<'a> Parts<'a> {
    /// The parts of this result.
    pub(crate) fn of(whole: &'a Bytes) -> Self {
        let mut parts = Self {
            whole,
            structured: None,
            texts: Vec::new(),
            media: Vec::new(),
        };
        let text = std::str::from_utf8(whole).unwrap_or_default();
        let Ok([structured, content]) = named(text, ["structuredContent", "content"]) else {
            return parts;
        };
        parts.structured = structured;
        let content = content.map_or("", RawValue::get).as_bytes();
        // Content that is not an array has no parts.
        let _ = for_each_element(content, |block| parts.take(block));
        parts
    }

    fn take(&mut self, block: &RawValue) {
        let Some(block) = Block::of(block) else {
            return;
        };
        match block.kind.as_deref() {
            Some("text") => self.texts.extend(block.text.and_then(owned)),
            Some(kind @ ("image" | "audio")) => {
                // A block with a broken media type or broken Base64 is ignored.
                let is_one = |media_type: &String| {
                    let rest = media_type.strip_prefix(kind);
                    rest.is_some_and(|rest| rest.starts_with('/'))
                        && json::media_type(media_type).is_some()
                };
                let media_type = block.media_type.and_then(owned).filter(is_one);
                let data = block.data.and_then(text_of);
                let data = data.and_then(|data| BASE64_STANDARD.decode(data.trim()).ok());
                let media = media_type.zip(data).map(|(media_type, data)| Media {
                    media_type,
                    bytes: data.into(),
                });
                self.media.extend(media);
            }
            _ => {}
        }
    }

    /// `structuredContent`, a slice of the result.
    pub(crate) fn structured(&self) -> Option<Bytes> {
        Some(self.whole.slice_ref(self.structured?.get().as_bytes()))
    }

    /// Whether there is a text.
    pub(crate) fn has_text(&self) -> bool {
        !self.texts.is_empty()
    }

    /// All texts, a line break between them.
    pub(crate) fn text(&self) -> Option<String> {
        self.has_text().then(|| self.texts.join("\n"))
    }

    /// The images and audios.
    pub(crate) fn media(&self) -> &[Media] {
        &self.media
    }

    /// The first image or audio: `kind` is the top-level type.
    pub(crate) fn first_of_kind(&self, kind: &str) -> Option<&Media> {
        let is_of_kind = |media: &&Media| media.media_type.split('/').next() == Some(kind);
        self.media.iter().find(is_of_kind)
    }
}

fn owned(text: &RawValue) -> Option<String> {
    Some(text_of(text)?.into_owned())
}

/// The members of a content block that say what it holds.
struct Block<'a> {
    kind: Option<String>,
    text: Option<&'a RawValue>,
    media_type: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
}

impl<'a> Block<'a> {
    fn of(block: &'a RawValue) -> Option<Self> {
        let names = ["type", "text", "mimeType", "data"];
        let [kind, text, media_type, data] = named(block.get(), names).ok()?;
        Some(Self {
            kind: kind.and_then(owned),
            text,
            media_type,
            data,
        })
    }
}

// === the value ===

/// The value of a result, as JSON: `structuredContent`; else what its content block holds, or an array of that for several of them;
/// `null` for nothing.
///
/// A text that is JSON is that JSON, any other is a string. It counts as JSON only if it nests no deeper than `depth`, the limit for
/// all JSON. An image or audio is `{"mimeType","data"}`, any other block is itself.
pub(crate) fn value(whole: &Bytes, depth: usize, budget: &Budget) -> Result<Pieces, NoRoom> {
    let text = std::str::from_utf8(whole).unwrap_or_default();
    let sources = [whole.clone()];
    let mut value = Value {
        written: Builder::new(&sources, budget),
        depth,
    };
    match named(text, ["structuredContent", "content"]) {
        Ok([Some(structured), _]) if structured.get() != "null" => value.raw(structured),
        Ok([_, Some(content)]) => value.content(content),
        Ok([_, None]) => value.written.text(b"null"),
        // No object: no server in its right mind, but nothing is withheld.
        Err(_) => value.written.slice(whole.clone()),
    }
    value.written.finish()
}

/// The first image or audio of a result as `{"mimeType","data"}`; `kind` is `image` or `audio`.
pub(crate) fn media_as_json(
    whole: &Bytes,
    kind: &str,
    budget: &Budget,
) -> Option<Result<Pieces, NoRoom>> {
    let text = std::str::from_utf8(whole).unwrap_or_default();
    let [content] = named(text, ["content"]).ok()?;
    let mut found = None;
    for_each_element(content?.get().as_bytes(), |block| {
        let media = || {
            let block = Block::of(block).filter(|block| block.kind.as_deref() == Some(kind))?;
            block.media_type.zip(block.data)
        };
        found = found.or_else(media);
    })
    .ok()?;
    let (media_type, data) = found?;
    let sources = [whole.clone()];
    let mut value = Value {
        written: Builder::new(&sources, budget),
        depth: 0,
    };
    value.media(media_type, data);
    Some(value.written.finish())
}

/// A value while it is written.
struct Value<'a> {
    written: Builder<'a>,
    depth: usize,
}

impl Value<'_> {
    fn content(&mut self, content: &RawValue) {
        match first_elements(content, 2).as_deref() {
            // Not an array.
            None => self.raw(content),
            Some([]) => self.written.text(b"null"),
            Some([only]) => self.block(only),
            Some(_) => {
                let mut before: &[u8] = b"[";
                let blocks = for_each_element(content.get().as_bytes(), |block| {
                    self.written.text(std::mem::replace(&mut before, b","));
                    self.block(block);
                });
                // It was parsed with the result.
                if blocks.is_ok() {
                    self.written.text(b"]");
                }
            }
        }
    }

    fn block(&mut self, written: &RawValue) {
        let block = Block::of(written);
        let members = block
            .as_ref()
            .map(|it| (it.kind.as_deref(), it.text, it.media_type.zip(it.data)));
        match members {
            Some((Some("text"), Some(text), _)) => self.text(text),
            Some((Some("image" | "audio"), _, Some((media_type, data)))) => {
                self.media(media_type, data);
            }
            _ => self.raw(written),
        }
    }

    /// The JSON in a text, or the text as the string that it came as.
    fn text(&mut self, written: &RawValue) {
        let text = text_of(written).unwrap_or_default();
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(json) if !nests_deeper_than(json.get().as_bytes(), self.depth) => self.raw(json),
            _ => self.raw(written),
        }
    }

    fn media(&mut self, media_type: &RawValue, data: &RawValue) {
        self.written.text(b"{\"mimeType\":");
        self.raw(media_type);
        self.written.text(b",\"data\":");
        self.raw(data);
        self.written.text(b"}");
    }

    fn raw(&mut self, value: &RawValue) {
        // Writing there cannot fail; what is large is sliced from the result.
        let _ = self.written.write_all(value.get().as_bytes());
    }
}

// === errors of tools ===

/// The error for a result with `isError`.
pub(crate) async fn tool_error(result: &ToolResult, session: Option<&SessionId>) -> Error {
    let bytes = result.bytes.clone();
    let said = offload::run(bytes.len(), move || first_text(&bytes)).await;
    Error::Tool {
        result: result.bytes.clone(),
        said: said.flatten(),
        session: session.cloned(),
    }
}

/// The first text of a result, for a sentence: on one line, without control characters, 300 characters at most.
fn first_text(whole: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(whole).ok()?;
    let [content] = named(text, ["content"]).ok()?;
    let blocks = first_elements(content?, FIRST_BLOCKS)?;
    let mut texts = blocks.into_iter().filter_map(|block| {
        let block = Block::of(block)?;
        let text = text_of(
            block
                .text
                .filter(|_| block.kind.as_deref() == Some("text"))?,
        )?;
        Some(one_line(&text)).filter(|line| !line.is_empty())
    });
    texts.next()
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    for character in text.trim().chars() {
        let character = match character {
            space if space.is_whitespace() => ' ',
            control if control.is_control() => continue,
            other => other,
        };
        if character == ' ' && line.ends_with(' ') {
            continue;
        }
        if length == MOST_SAID {
            line.push('…');
            break;
        }
        line.push(character);
        length += 1;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(result: &str) -> String {
        let whole = Bytes::copy_from_slice(result.as_bytes());
        let pieces = value(&whole, 3, &Budget::new(1 << 20)).unwrap();
        String::from_utf8(pieces.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn a_value_is_what_the_result_holds() {
        let text = |text: &str| {
            let block = serde_json::json!({"type": "text", "text": text});
            format!(r#"{{"content":[{block}]}}"#)
        };
        for (result, value) in [
            (
                r#"{"structuredContent":{"n": 1.10},"content":[]}"#,
                r#"{"n": 1.10}"#,
            ),
            (
                r#"{"structuredContent":null,"content":[{"type":"text","text":"7"}]}"#,
                "7",
            ),
            (&text("12345678901234567890123"), "12345678901234567890123"),
            (&text(" {\"a\": 1.10}\n"), r#"{"a": 1.10}"#),
            (&text("true"), "true"),
            (&text("\"quoted\""), r#""quoted""#),
            (&text("plain"), r#""plain""#),
            (&text(""), r#""""#),
            (&text("[1] and more"), r#""[1] and more""#),
            (&text("NaN"), r#""NaN""#),
            // At the limit, and over it.
            (&text("[[[]]]"), "[[[]]]"),
            (&text("[[[[]]]]"), r#""[[[[]]]]""#),
            (
                r#"{"content":[{"type":"text","text":"\u0041\n"}]}"#,
                r#""\u0041\n""#,
            ),
            (r#"{"content":[]}"#, "null"),
            ("{}", "null"),
            (
                r#"{"content":[{"annotations":{},"data":"AA==","type":"image","mimeType":"image/png"}]}"#,
                r#"{"mimeType":"image/png","data":"AA=="}"#,
            ),
            (
                r#"{"content":[{"type":"text","text":"1.10"},{"type":"text","text":"x"},{"type":"audio","mimeType":"audio/wav","data":""},{"type":"resource_link", "uri":"a:b"},{"type":"text"},7]}"#,
                r#"[1.10,"x",{"mimeType":"audio/wav","data":""},{"type":"resource_link", "uri":"a:b"},{"type":"text"},7]"#,
            ),
            (r#"{"content":{"a":1}}"#, r#"{"a":1}"#),
            ("[1.10]", "[1.10]"),
        ] {
            assert_eq!(value_of(result), value, "{result}");
        }
    }

    #[test]
    fn the_first_text_is_one_short_line() {
        let with = |text: &str| {
            let blocks = serde_json::json!({"content": [{"type": "image"}, {"type": "text", "text": " \n"}, {"type": "text", "text": text}]});
            first_text(blocks.to_string().as_bytes())
        };
        assert_eq!(with("a\r\n\tb\u{7}\u{2028} c ").as_deref(), Some("a b c"));
        let long = with(&"ü".repeat(1000)).unwrap();
        assert_eq!(long, format!("{}…", "ü".repeat(300)));
        assert_eq!(with(""), None);
        assert_eq!(first_text(b"[]"), None);
    }
}
