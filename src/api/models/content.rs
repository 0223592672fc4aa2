//! What of a tool's result a model can read: its texts, one after the other, and images. Other content is named where it stood; structured
//! content is read where there are no texts.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::json::{for_each_element, named, text_of};

/// Images of one result; others are named.
const MOST_IMAGES: usize = 20;
/// What stands for a result without anything to read: some APIs refuse an empty text.
const NOTHING: &str = "(no content)";

/// The content of a result.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    /// The texts.
    pub(crate) text: String,
    /// The images that the API takes.
    pub(crate) images: Vec<Image<'a>>,
    /// The tool failed, or the call did.
    pub(crate) is_error: bool,
}

/// An image in Base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image<'a> {
    pub(crate) media_type: Cow<'a, str>,
    pub(crate) data: Cow<'a, str>,
}

impl<'a> Content<'a> {
    /// Of a `CallToolResult`. `takes` says which media types of images the API takes.
    pub(crate) fn of(result: &'a [u8], is_error: bool, takes: fn(&str) -> bool) -> Self {
        let result = std::str::from_utf8(result).unwrap_or_default();
        let [blocks, structured] =
            named(result, ["content", "structuredContent"]).unwrap_or_default();
        let mut content = Self {
            is_error,
            ..Self::default()
        };
        let mut has_text = false;
        if let Some(blocks) = blocks {
            let read = for_each_element(blocks.get().as_bytes(), |block| {
                has_text |= content.add(block, takes);
            });
            if let Err(error) = read {
                log::debug!("the content of a result is no list: {error}");
            }
        }
        if let Some(structured) = structured.filter(|it| !has_text && it.get() != "null") {
            content.line(structured.get());
        }
        if content.text.trim().is_empty() && content.images.is_empty() {
            NOTHING.clone_into(&mut content.text);
        }
        content
    }

    /// An error, in a sentence.
    pub(crate) fn error(sentence: String) -> Self {
        Self {
            text: sentence,
            images: vec![],
            is_error: true,
        }
    }

    /// The text, which says that it is an error, where an API has no other place for that.
    pub(crate) fn text_with_error(&self) -> Cow<'_, str> {
        if self.is_error {
            Cow::Owned(format!("Error: {}", self.text))
        } else {
            Cow::Borrowed(&self.text)
        }
    }

    fn line(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }

    /// Adds a block; whether it was a text.
    fn add(&mut self, block: &'a RawValue, takes: fn(&str) -> bool) -> bool {
        let names = [
            "type", "text", "data", "mimeType", "uri", "name", "resource",
        ];
        let Ok([kind, text, data, mime, uri, name, resource]) = named(block.get(), names) else {
            return false;
        };
        let said = |member: Option<&'a RawValue>| member.and_then(text_of).unwrap_or_default();
        match said(kind).as_ref() {
            "text" => {
                let text = said(text);
                self.line(&text);
                return !text.trim().is_empty();
            }
            "image" => {
                let (media_type, data) = (said(mime), said(data));
                if takes(&media_type) && is_base64(&data) && self.images.len() < MOST_IMAGES {
                    self.images.push(Image { media_type, data });
                } else {
                    self.left_out("image", &media_type, &data);
                }
            }
            "audio" => self.left_out("audio", &said(mime), &said(data)),
            "resource_link" => self.line(&format!("[{}: {}]", said(name), said(uri))),
            "resource" => return self.resource(resource),
            _ => self.line(block.get()),
        }
        false
    }

    /// An embedded resource: its text, or its name.
    fn resource(&mut self, resource: Option<&RawValue>) -> bool {
        let names = ["uri", "text", "mimeType", "blob"];
        let members = resource.and_then(|it| named(it.get(), names).ok());
        let [uri, text, mime, blob] = members.unwrap_or_default().map(|it| it.and_then(text_of));
        if let Some(text) = text {
            self.line(&text);
            return !text.trim().is_empty();
        }
        let uri = uri.unwrap_or_default();
        let (mime, blob) = (mime.unwrap_or_default(), blob.unwrap_or_default());
        self.left_out(&uri, &mime, &blob);
        false
    }

    /// Names what cannot be read here.
    fn left_out(&mut self, what: &str, media_type: &str, base64: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        // Writing into a String does not fail.
        let padding = base64.len() - base64.trim_end_matches('=').len();
        let bytes = (base64.len() / 4 * 3).saturating_sub(padding);
        let _ = write!(
            self.text,
            "[{what}, {media_type}, {bytes} bytes: not shown]"
        );
    }
}

/// Whether an API can decode it: one that it cannot would fail the whole conversation.
fn is_base64(data: &str) -> bool {
    let digits = data.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !digits.is_empty()
        && data.len().is_multiple_of(4)
        && data.len() - digits.len() <= 2
        && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn text(result: &Value) -> String {
        Content::of(result.to_string().as_bytes(), false, |_| false).text
    }

    #[test]
    fn texts_are_joined_and_other_content_is_named() {
        let blocks = json!({"content": [
            {"type": "text", "text": "a \"b\""},
            {"type": "image", "mimeType": "image/png", "data": "AAAA"},
            {"type": "audio", "mimeType": "audio/wav", "data": "AAAAAAAA"},
            {"type": "resource_link", "name": "Notes", "uri": "file:///n"},
            {"type": "resource", "resource": {"uri": "file:///t", "text": "inside"}},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": "AAAA", "mimeType": "x/y"}},
        ], "structuredContent": {"n": 1}});
        assert_eq!(
            text(&blocks),
            "a \"b\"\n[image, image/png, 3 bytes: not shown]\n[audio, audio/wav, 6 bytes: not shown]\n[Notes: file:///n]\n\
             inside\n[file:///b, x/y, 3 bytes: not shown]"
        );
    }

    #[test]
    fn without_texts_there_is_structured_content_or_nothing() {
        let raw = br#"{"content":[],"structuredContent":{"n":1.10,"m":12345678901234567890}}"#;
        let content = Content::of(raw, false, |_| false);
        assert_eq!(content.text, r#"{"n":1.10,"m":12345678901234567890}"#);
        for nothing in [
            json!({}),
            json!({"content": []}),
            json!({"content": [{"type": "text", "text": " "}]}),
            json!({"content": 7, "structuredContent": null}),
        ] {
            assert_eq!(text(&nothing), NOTHING, "{nothing}");
        }
    }

    #[test]
    fn images_are_those_that_can_be_decoded() {
        let result = json!({"content": [
            {"type": "image", "mimeType": "image/png", "data": "AAA="},
            {"type": "image", "mimeType": "image/png", "data": "A?A="},
            {"type": "image", "mimeType": "image/tiff", "data": "AAAA"},
        ]});
        let result = result.to_string();
        let content = Content::of(result.as_bytes(), false, |it| it == "image/png");
        assert_eq!(content.images.len(), 1);
        assert_eq!(content.text.matches("not shown").count(), 2);
    }
}
