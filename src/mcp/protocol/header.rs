//! The HTTP headers of MCP: their names, the two media types, and how values are written.
//!
//! Nothing is sent from here.

use std::borrow::Cow;

use awc::http::header::{HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The session id of a legacy server.
pub const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// The protocol version: negotiated (legacy, after the handshake) or used (modern).
pub const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// Legacy: the event from which a stream is resumed.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Modern: the JSON-RPC method.
pub const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// Modern: the tool, prompt or resource that is meant.
pub const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Modern: the prefix of headers that mirror annotated arguments.
pub const PARAM_PREFIX: &str = "mcp-param-";

/// `application/json`.
pub const JSON: &str = "application/json";
/// `text/event-stream`.
pub const EVENT_STREAM: &str = "text/event-stream";
/// Both types, literally: `*/*` or one of them is refused by half of the real servers.
pub const ACCEPT_BOTH: HeaderValue =
    HeaderValue::from_static("application/json, text/event-stream");

/// A session id: one to 1024 characters of visible ASCII (2025-11-25, "Session Management"). It is as good as a
/// credential: it has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(HeaderValue);

impl SessionId {
    /// The longest id accepted.
    pub const MAX_LEN: usize = 1024;

    /// The id in these bytes, if they are one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        Self::of(&HeaderValue::from_bytes(bytes).ok()?)
    }

    /// The id in a header value, if it is one. Nothing is copied.
    pub fn of(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let legal =
            (1..=Self::MAX_LEN).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        let mut value = legal.then(|| value.clone())?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// The id as a header value.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(..)")
    }
}

/// Writes `text` as a header value (2026-07-28, "Value Encoding"): as it is where it is plain visible ASCII with
/// inner spaces or tabs, else as `=?base64?...?=` over its UTF-8; so too when it looks like that form itself.
pub fn encode_value(text: &str) -> HeaderValue {
    let bytes = text.as_bytes();
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let printable = bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || is_blank(byte));
    let padded = bytes.first().is_some_and(is_blank) || bytes.last().is_some_and(is_blank);
    let looks_encoded = text.starts_with("=?base64?") && text.ends_with("?=");
    let plain = printable && !padded && !looks_encoded;
    let written = if plain {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("=?base64?{}?=", STANDARD.encode(text)))
    };
    HeaderValue::from_str(&written).unwrap_or(HeaderValue::from_static(""))
}

/// Whether a `Content-Type` value names `media_type`: compared without parameters and case.
pub fn is_media_type(content_type: &[u8], media_type: &str) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(media_type.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_plain_where_they_can_be() {
        for (text, written) in [
            ("add", "add"),
            ("two words", "two words"),
            ("", ""),
            (" led", "=?base64?IGxlZA==?="),
            ("grüße", "=?base64?Z3LDvMOfZQ==?="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?YQ==?=", "=?base64?PT9iYXNlNjQ/WVE9PT89?="),
        ] {
            assert_eq!(encode_value(text), written, "{text:?}");
        }
    }

    #[test]
    fn session_ids_are_visible_ascii() {
        assert!(SessionId::parse(b"0/2-~!").is_some());
        for bad in [&b""[..], b"a b", b"a\r\nb", "ä".as_bytes(), &[b'x'; 1025]] {
            assert!(SessionId::parse(bad).is_none(), "{bad:?}");
        }
        let shown = SessionId::parse(b"secret").map(|id| format!("{id:?}"));
        assert_eq!(shown.as_deref(), Some("SessionId(..)"));
    }

    #[test]
    fn media_types_compare_without_parameters_and_case() {
        assert!(is_media_type(b"Application/JSON; charset=utf-8", JSON));
        assert!(!is_media_type(b"application/jsonx", JSON));
        assert!(!is_media_type(b"", JSON));
    }
}
