//! What servers of 2026-07-28 have in common, and the points in which they differ.
//!
//! It is strict: every header and every member of `_meta` that the revision demands is checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tools::{self, Tool};
use super::{Reply, Request, State, as_json, error};

/// A modern server.
#[derive(Clone, Copy)]
pub struct Modern {
    /// The answer to requests of the older revisions.
    pub legacy: fn(&Request, &State) -> Reply,
    /// Status and member that answer a call of a tool it does not have.
    pub unknown_tool: fn(&str) -> (u16, String),
    /// Whether results say `"resultType":"complete"`.
    pub result_type: bool,
    /// How a result is sent.
    pub frame: fn(&str) -> Reply,
}

/// The revision.
pub const VERSION: &str = "2026-07-28";

impl Modern {
    /// No other revision; replies in JSON.
    pub const ONLY: Self = Self {
        legacy: |request, _| unsupported_version(request, &[VERSION]),
        unknown_tool: |name| (200, error(-32602, &format!("Tool {name} not found"))),
        result_type: true,
        frame: as_json,
    };

    /// The answer to one request.
    pub fn answer(&self, request: &Request, state: &State) -> Reply {
        if request.method != "POST" {
            return Reply::untyped(405, "Method Not Allowed").header("allow", "POST");
        }
        if request.header("mcp-protocol-version") != Some(VERSION) {
            return (self.legacy)(request, state);
        }
        if let Err(reply) = check(request) {
            return reply;
        }
        match request.rpc() {
            "server/discover" => self.send(request, DISCOVERED),
            "tools/list" => {
                let list = format!(
                    r#"{{"tools":{},"ttlMs":0,"cacheScope":"private"}}"#,
                    tools::list()
                );
                self.send(request, &list)
            }
            "tools/call" => self.call(request, state),
            _ => Reply::json(404, request.error(-32601, "Method not found")),
        }
    }

    fn call(&self, request: &Request, state: &State) -> Reply {
        let Some(tool) = tools::find(request.tool()) else {
            let (status, member) = (self.unknown_tool)(request.tool());
            return Reply::json(status, request.reply(&member));
        };
        if let Err(reply) = check_mirrored(tool, request) {
            return reply;
        }
        state.executed();
        self.send(request, &(tool.run)(request.arguments()))
    }

    fn send(&self, request: &Request, result: &str) -> Reply {
        let rest = result.strip_prefix('{').unwrap_or(result);
        let kind = if self.result_type {
            r#""resultType":"complete","#
        } else {
            ""
        };
        (self.frame)(&request.result(&format!("{{{kind}{rest}")))
    }
}

const DISCOVERED: &str = r#"{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"instructions":"Grüße","ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"scripted","version":"1.0"}}}"#;

/// 400 with -32022, naming `supported`.
pub fn unsupported_version(request: &Request, supported: &[&str]) -> Reply {
    let requested = request
        .header("mcp-protocol-version")
        .unwrap_or("2025-03-26");
    let member = format!(
        r#""error":{{"code":-32022,"message":"Unsupported protocol version: {requested}","data":{{"supported":{supported:?},"requested":"{requested}"}}}}"#
    );
    Reply::json(400, request.reply(&member))
}

/// 400 with -32020.
pub fn header_mismatch(request: &Request, detail: &str) -> Reply {
    let message = format!("Bad Request: the request headers and body disagree: {detail}");
    let message = serde_json::Value::from(message);
    let member =
        format!(r#""error":{{"code":-32020,"message":{message},"data":{{"mismatch":{{}}}}}}"#);
    Reply::json(400, request.reply(&member))
}

fn check(request: &Request) -> Result<(), Reply> {
    let meta = &request.message["params"]["_meta"];
    if meta["io.modelcontextprotocol/protocolVersion"] != VERSION {
        return Err(invalid(
            request,
            "Invalid params: request requires protocolVersion in request _meta",
        ));
    }
    if !meta["io.modelcontextprotocol/clientCapabilities"].is_object() {
        return Err(invalid(
            request,
            "Invalid params: request requires clientCapabilities in request _meta",
        ));
    }
    if request.header("accept") != Some("application/json, text/event-stream") {
        return Err(Reply::json(406, request.error(-32000, "Not Acceptable")));
    }
    if request.headers.media_type() != Some("application/json") {
        return Err(Reply::json(
            415,
            request.error(-32000, "Unsupported Media Type"),
        ));
    }
    if request.header("mcp-method") != Some(request.rpc()) {
        return Err(header_mismatch(request, "Mcp-Method"));
    }
    let named = request.header("mcp-name").map(decode);
    if request.rpc() == "tools/call" && named.as_deref() != Some(request.tool()) {
        return Err(header_mismatch(request, "Mcp-Name"));
    }
    Ok(())
}

/// The headers that mirror arguments must be there and say the same.
fn check_mirrored(tool: &Tool, request: &Request) -> Result<(), Reply> {
    for (argument, header) in tool.mirrored {
        let value = &request.arguments()[argument];
        let expected = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if request.header(header).map(decode) != Some(expected) {
            let detail =
                format!("the body carries {argument}={value} but the {header} header is absent");
            return Err(header_mismatch(request, &detail));
        }
    }
    Ok(())
}

fn invalid(request: &Request, message: &str) -> Reply {
    Reply::json(400, request.error(-32602, message))
}

/// A header value with the Base64 form taken off.
fn decode(value: &str) -> String {
    let encoded = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    let decoded = encoded
        .and_then(|text| STANDARD.decode(text).ok())
        .map(String::from_utf8);
    match decoded {
        Some(Ok(text)) => text,
        _ => value.to_owned(),
    }
}
