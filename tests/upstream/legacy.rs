//! What servers of 2025-11-25 and before have in common, and the points in which they differ.
//!
//! It is strict where any real server is: the order of the handshake, the exact `Accept`, known protocol versions.

use super::tools;
use super::{Reply, Request, State, as_json, error};

/// A legacy server. A row of the table says in which points it differs from [`Legacy::STATELESS`].
#[derive(Clone, Copy)]
pub struct Legacy {
    /// How it keeps sessions, if it does.
    pub sessions: Option<Sessions>,
    /// The revisions it speaks, newest first.
    pub versions: &'static [&'static str],
    /// The answer to a revision it does not speak in `MCP-Protocol-Version`; `None` ignores the header.
    pub unknown_version: Option<fn(&Request) -> Reply>,
    /// The answer to a method it does not have.
    pub unknown_method: fn(&Request) -> Reply,
    /// The member, `"result":...` or `"error":...`, that answers a call of a tool it does not have.
    pub unknown_tool: fn(&str) -> String,
    /// How a reply is put together from its member.
    pub compose: fn(&Request, &str) -> String,
    /// How a reply is sent.
    pub frame: fn(&str) -> Reply,
}

/// How a server keeps sessions.
#[derive(Clone, Copy)]
pub struct Sessions {
    /// The answer to a request without a session id.
    pub missing: fn(&Request) -> Reply,
    /// The answer to a request in a session it does not know.
    pub unknown: fn(&Request) -> Reply,
    /// The id is on every reply in the session, not on that to `initialize` alone.
    pub on_every_reply: bool,
    /// Errors with 4xx carry the id of a session that does not exist.
    pub phantom: bool,
    /// The status of a `DELETE` that ends a session.
    pub deleted: u16,
}

/// The id of a session that does not exist, as the Python SDK puts on its errors.
pub const PHANTOM: &str = "phantom0123456789abcdef0123456789";

impl Legacy {
    /// No sessions, replies in JSON.
    pub const STATELESS: Self = Self {
        sessions: None,
        versions: &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"],
        unknown_version: None,
        unknown_method: |request| as_json(&request.error(-32601, "Method not found")),
        unknown_tool: |name| error(-32602, &format!("Tool {name} not found")),
        compose: Request::reply,
        frame: as_json,
    };

    /// The answer to one request.
    pub fn answer(&self, request: &Request, state: &State) -> Reply {
        let reply = match request.method.as_str() {
            "POST" => self.post(request, state),
            "DELETE" => self.delete(request, state),
            _ => Reply::untyped(405, "Method Not Allowed").header("allow", "POST, DELETE"),
        };
        match self.sessions {
            Some(sessions) if sessions.phantom && (400..500).contains(&reply.status()) => {
                reply.header("mcp-session-id", PHANTOM)
            }
            _ => reply,
        }
    }

    fn post(&self, request: &Request, state: &State) -> Reply {
        if request.header("accept") != Some("application/json, text/event-stream") {
            return Reply::json(406, refusal("Not Acceptable"));
        }
        if request.headers.media_type() != Some("application/json") {
            return Reply::json(415, refusal("Unsupported Media Type"));
        }
        match self.sessions {
            Some(sessions) => self.post_with_sessions(sessions, request, state),
            None if request.rpc() == "initialize" => self.initialize(request),
            None => self.operate(request, state),
        }
    }

    fn post_with_sessions(&self, sessions: Sessions, request: &Request, state: &State) -> Reply {
        let Some(id) = request.header("mcp-session-id") else {
            if request.rpc() != "initialize" {
                return (sessions.missing)(request);
            }
            let reply = self.initialize(request);
            let opened = reply.status() == 200;
            return if opened {
                reply.header("mcp-session-id", &state.open_session())
            } else {
                reply
            };
        };
        if !state.is_open(id) {
            return (sessions.unknown)(request);
        }
        let reply = match request.rpc() {
            "initialize" => Reply::json(400, refusal("Server already initialized")),
            "notifications/initialized" => {
                state.initialize_session(id);
                Reply::empty(202)
            }
            // Python SDK 1.9 to 1.13.
            _ if !state.is_initialized(id) => {
                (self.frame)(&request.error(-32602, "Invalid request parameters"))
            }
            _ => self.operate(request, state),
        };
        if sessions.on_every_reply {
            reply.header("mcp-session-id", id)
        } else {
            reply
        }
    }

    fn initialize(&self, request: &Request) -> Reply {
        let offered = request.message["params"]["protocolVersion"]
            .as_str()
            .unwrap_or_default();
        let version = self
            .versions
            .iter()
            .find(|known| **known == offered)
            .or(self.versions.first());
        let result = format!(
            r#"{{"protocolVersion":"{}","capabilities":{{"tools":{{"listChanged":true}}}},"serverInfo":{{"name":"scripted","version":"1.0"}},"instructions":"Grüße"}}"#,
            version.unwrap_or(&"2025-11-25")
        );
        self.send(request, &format!(r#""result":{result}"#))
    }

    fn operate(&self, request: &Request, state: &State) -> Reply {
        let version = request.header("mcp-protocol-version");
        if let (Some(version), Some(refuse)) = (version, self.unknown_version)
            && !self.versions.contains(&version)
        {
            return refuse(request);
        }
        match request.rpc() {
            "ping" => self.send(request, r#""result":{}"#),
            "tools/list" => self.send(
                request,
                &format!(r#""result":{{"tools":{}}}"#, tools::list()),
            ),
            "tools/call" => match tools::find(request.tool()) {
                Some(tool) => {
                    state.executed();
                    self.send(
                        request,
                        &format!(r#""result":{}"#, (tool.run)(request.arguments())),
                    )
                }
                None => self.send(request, &(self.unknown_tool)(request.tool())),
            },
            method if method.starts_with("notifications/") => Reply::empty(202),
            _ => (self.unknown_method)(request),
        }
    }

    fn delete(&self, request: &Request, state: &State) -> Reply {
        let Some(sessions) = self.sessions else {
            return Reply::untyped(405, "Method Not Allowed").header("allow", "POST");
        };
        let id = request.header("mcp-session-id").unwrap_or_default();
        if state.close_session(id) {
            Reply::empty(sessions.deleted)
        } else {
            (sessions.unknown)(request)
        }
    }

    fn send(&self, request: &Request, member: &str) -> Reply {
        (self.frame)(&(self.compose)(request, member))
    }
}

fn refusal(message: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0",{},"id":null}}"#,
        error(-32000, message)
    )
}
