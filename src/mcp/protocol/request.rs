//! Outgoing JSON-RPC messages: requests and notifications as bytes.

use std::sync::LazyLock;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use crate::json::Members;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::versions;

/// The `params` of a request, in the members this service sends.
#[derive(Debug, Default, Clone, Copy)]
pub struct Params<'a> {
    /// `initialize`: the protocol version offered; `capabilities` (always `{}`, so that servers send no requests) and
    /// `clientInfo` go with it.
    pub protocol_version: Option<&'a str>,
    /// `tools/call`, `prompts/get`: the tool or the prompt.
    pub name: Option<&'a str>,
    /// `resources/read`: the resource.
    pub uri: Option<&'a str>,
    /// `tools/call`, `prompts/get`: the arguments object, byte for byte.
    pub arguments: Option<&'a RawValue>,
    /// Lists: where the page starts. An empty cursor is legal and is sent.
    pub cursor: Option<&'a str>,
    /// A repeated call (2026-07-28): the responses to its `inputRequests`, byte for byte.
    pub input_responses: Option<&'a RawValue>,
    /// A repeated call (2026-07-28): its `requestState`, byte for byte.
    pub request_state: Option<&'a RawValue>,
    /// Other members that the caller gives, under their own names.
    pub others: Option<&'a Members<'a>>,
    /// Request metadata; see [`Meta`].
    pub meta: Option<Meta<'a>>,
}

/// `{}`.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct NoCapabilities {}

/// The name and version this client gives to servers.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct ClientInfo {
    name: &'static str,
    version: &'static str,
}

/// `params._meta`: the caller's members first, then, for a modern server, those that 2026-07-28 requires.
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a> {
    /// The caller's `_meta`, an object.
    pub callers: Option<&'a RawValue>,
    /// Whether the 2026-07-28 members are added.
    pub modern: bool,
    /// Asks for notifications while the request runs: the token of progress notifications. A modern server sends log messages only
    /// where `logLevel` is set. The caller's own members take precedence.
    pub progress_token: Option<&'a str>,
}

// === impl Params ===

impl<'a> Params<'a> {
    /// `initialize`, offering `version`.
    pub fn initialize(version: &'a str) -> Self {
        Self {
            protocol_version: Some(version),
            ..Self::default()
        }
    }

    /// Whether there is nothing to send.
    fn is_empty(&self) -> bool {
        self.protocol_version.is_none()
            && self.name.is_none()
            && self.uri.is_none()
            && self.arguments.is_none()
            && self.cursor.is_none()
            && self.others.is_none()
            && self.meta.is_none()
    }
}

impl Serialize for Params<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(version) = self.protocol_version {
            map.serialize_entry("protocolVersion", version)?;
            map.serialize_entry("capabilities", &NoCapabilities {})?;
            map.serialize_entry("clientInfo", &ClientInfo::OURS)?;
        }
        for (name, text) in [
            ("name", self.name),
            ("uri", self.uri),
            ("cursor", self.cursor),
        ] {
            if let Some(text) = text {
                map.serialize_entry(name, text)?;
            }
        }
        for (name, raw) in [
            ("arguments", self.arguments),
            ("inputResponses", self.input_responses),
            ("requestState", self.request_state),
        ] {
            if let Some(raw) = raw {
                map.serialize_entry(name, raw)?;
            }
        }
        for (name, raw) in self.others.iter().flat_map(|others| &others.0) {
            map.serialize_entry(name, raw)?;
        }
        if let Some(meta) = &self.meta {
            map.serialize_entry("_meta", meta)?;
        }
        map.end()
    }
}

impl ClientInfo {
    const OURS: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
}

// === impl Meta ===

/// The prefix of the members the 2026-07-28 revision gives a meaning to.
const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
const PROGRESS_TOKEN: &str = "progressToken";

/// What every modern request carries, written once.
static OURS_ALONE: LazyLock<Box<RawValue>> = LazyLock::new(|| {
    let written = format!(
        r#"{{"{PROTOCOL_VERSION}":"{}","{CLIENT_CAPABILITIES}":{{}},"{CLIENT_INFO}":{{"name":"{}","version":"{}"}}}}"#,
        versions::MODERN,
        ClientInfo::OURS.name,
        ClientInfo::OURS.version,
    );
    RawValue::from_string(written).unwrap_or_default()
});

impl Serialize for Meta<'_> {
    /// The protocol version is always ours, for it must equal the header. Capabilities and client info are the
    /// caller's where it gives them: a caller that answers `inputRequests` may declare it. A legacy server gets
    /// none of the four, for a dual-era one would take them as the sign of a modern request.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.callers.is_none() && self.modern && self.progress_token.is_none() {
            return OURS_ALONE.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        let (mut capabilities, mut info) = (false, false);
        let (mut token, mut level) = (false, false);
        if let Some(raw) = self.callers {
            let members: Members<'_> =
                serde_json::from_str(raw.get()).map_err(serde::ser::Error::custom)?;
            for (name, value) in &members.0 {
                match name.as_ref() {
                    PROTOCOL_VERSION => continue,
                    CLIENT_CAPABILITIES | CLIENT_INFO | LOG_LEVEL if !self.modern => continue,
                    CLIENT_CAPABILITIES => capabilities = true,
                    CLIENT_INFO => info = true,
                    LOG_LEVEL => level = true,
                    PROGRESS_TOKEN => token = true,
                    _ => {}
                }
                map.serialize_entry(name, value)?;
            }
        }
        if let Some(ours) = self.progress_token {
            if !token {
                map.serialize_entry(PROGRESS_TOKEN, ours)?;
            }
            if self.modern && !level {
                map.serialize_entry(LOG_LEVEL, "info")?;
            }
        }
        if self.modern {
            map.serialize_entry(PROTOCOL_VERSION, versions::MODERN)?;
            if !capabilities {
                map.serialize_entry(CLIENT_CAPABILITIES, &NoCapabilities {})?;
            }
            if !info {
                map.serialize_entry(CLIENT_INFO, &ClientInfo::OURS)?;
            }
        }
        map.end()
    }
}

// === encoding ===

/// A request or, without an id, a notification:
/// `{"jsonrpc":"2.0","id":"...","method":"...","params":{...}}`.
pub fn encode(
    id: Option<&Id>,
    method: &str,
    params: &Params<'_>,
) -> Result<Vec<u8>, serde_json::Error> {
    #[derive(serde::Serialize)]
    struct Outgoing<'a> {
        jsonrpc: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        method: &'a str,
        #[serde(skip_serializing_if = "Params::is_empty")]
        params: &'a Params<'a>,
    }
    let arguments = params.arguments.map_or(0, |raw| raw.get().len());
    let mut bytes = Vec::with_capacity(arguments + 384);
    serde_json::to_writer(
        &mut bytes,
        &Outgoing {
            jsonrpc: "2.0",
            id: id.map(Id::as_str),
            method,
            params,
        },
    )?;
    Ok(bytes)
}

/// `notifications/cancelled` for the request `id`.
pub fn cancelled(id: &Id) -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":"{}","reason":"the client no longer waits for the reply"}}}}"#,
        id.as_str()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_meta_never_sets_the_protocol_version() {
        let raw = r#"{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"x","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
        let callers: &RawValue = serde_json::from_str(raw).unwrap();
        let with = |callers, modern, progress_token| {
            serde_json::to_string(&Meta {
                callers,
                modern,
                progress_token,
            })
            .unwrap()
        };
        let written = |modern| with(Some(callers), modern, None);
        assert_eq!(with(Some(callers), false, Some("t")), written(false));
        assert_eq!(with(None, false, Some("t")), r#"{"progressToken":"t"}"#);
        assert!(
            with(None, true, Some("t")).contains(r#""io.modelcontextprotocol/logLevel":"info""#)
        );
        assert_eq!(written(false), r#"{"progressToken":1}"#);
        assert_eq!(
            written(true),
            format!(
                r#"{{"progressToken":1,"io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{}}}},"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"mcp-rest","version":"{}"}}}}"#,
                env!("CARGO_PKG_VERSION")
            )
        );
    }

    #[test]
    fn requests_are_written_as_the_specification_prints_them() {
        let params = Params {
            name: Some("add"),
            arguments: Some(serde_json::from_str(r#"{"a": 1.10}"#).unwrap()),
            ..Params::default()
        };
        assert_eq!(
            String::from_utf8(encode(Some(&"7".into()), "tools/call", &params).unwrap()).unwrap(),
            r#"{"jsonrpc":"2.0","id":"7","method":"tools/call","params":{"name":"add","arguments":{"a": 1.10}}}"#
        );
        assert_eq!(
            String::from_utf8(
                encode(None, "notifications/initialized", &Params::default()).unwrap()
            )
            .unwrap(),
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#
        );
    }
}
