//! The real servers, one function each: which replies they send, down to the byte.
//!
//! Measured on the versions named; the replies are theirs, typing mistakes and all. Where a server has several modes,
//! each has a function.

use super::legacy::Sessions;
use super::{
    Legacy, Modern, Reply, Request, State, as_crlf_event, as_event, as_event_after_notification,
    as_json, as_primed_event, as_rmcp_events, error, unsupported_version,
};

/// How a server answers.
pub type Behaviour = fn(&Request, &State) -> Reply;
/// A behaviour with the name of its server, for tests that go through all of them.
pub type Row = (&'static str, Behaviour);

/// Servers that want a session.
pub const STATEFUL: [Row; 16] = [
    ("server_everything", server_everything),
    ("ts_v1_stateful", ts_v1_stateful),
    ("ts_v1_stateful_json", ts_v1_stateful_json),
    ("python_v1_stateful", python_v1_stateful),
    ("python_v1_stateful_json", python_v1_stateful_json),
    ("python_1_13_stateful", python_1_13_stateful),
    ("python_1_13_terminated", python_1_13_terminated),
    ("python_v2_legacy", python_v2_legacy),
    ("fastmcp_2", fastmcp_2),
    ("pypi_mcp_proxy", pypi_mcp_proxy),
    ("rmcp_session", rmcp_session),
    ("rmcp_0_8_session", rmcp_0_8_session),
    ("go_sdk_stateful", go_sdk_stateful),
    ("fastmcp_ts", fastmcp_ts),
    ("supergateway_stateful", supergateway_stateful),
    ("npm_mcp_proxy", npm_mcp_proxy),
];

/// Legacy servers that answer every call without a session.
pub const STATELESS: [Row; 8] = [
    ("ts_v1_stateless", ts_v1_stateless),
    ("ts_1_12_stateless", ts_1_12_stateless),
    ("python_v1_stateless", python_v1_stateless),
    ("python_1_9_stateless", python_1_9_stateless),
    ("rmcp_stateless_2025", rmcp_stateless_2025),
    ("rmcp_0_8_stateless", rmcp_0_8_stateless),
    ("fastmcp_ts_stateless", fastmcp_ts_stateless),
    ("supergateway_stateless", supergateway_stateless),
];

/// Servers that speak 2026-07-28, alone or beside the older revisions.
pub const MODERN: [Row; 9] = [
    ("ts_v2", ts_v2),
    ("ts_v2_legacy_reject", ts_v2_legacy_reject),
    ("python_v2", python_v2),
    ("fastmcp_4", fastmcp_4),
    ("rmcp_both", rmcp_both),
    ("rmcp_strict", rmcp_strict),
    ("go_sdk_stateless", go_sdk_stateless),
    ("toolbox", toolbox),
    ("npm_mcp_proxy_both", npm_mcp_proxy_both),
];

/// All of them.
pub fn all() -> impl Iterator<Item = Row> {
    STATEFUL.into_iter().chain(STATELESS).chain(MODERN)
}

// === TypeScript SDK 1 ===

/// npm `@modelcontextprotocol/server-everything` 2026.8.31, `streamableHttp`.
pub fn server_everything(request: &Request, state: &State) -> Reply {
    let sessions = Sessions {
        missing: |_| {
            Reply::json(
                400,
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Server not initialized"},"id":null}"#,
            )
        },
        unknown: |_| {
            Reply::json(
                400,
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"}}"#,
            )
        },
        on_every_reply: true,
        phantom: false,
        deleted: 200,
    };
    Legacy {
        sessions: Some(sessions),
        frame: as_primed_event,
        ..TS_V1
    }
    .answer(request, state)
}

/// npm `@modelcontextprotocol/sdk` 1.32 behind the router its examples show.
pub fn ts_v1_stateful(request: &Request, state: &State) -> Reply {
    Legacy {
        sessions: Some(TS_ROUTER),
        ..TS_V1
    }
    .answer(request, state)
}

/// The same with `enableJsonResponse`.
pub fn ts_v1_stateful_json(request: &Request, state: &State) -> Reply {
    Legacy {
        sessions: Some(TS_ROUTER),
        frame: as_json,
        ..TS_V1
    }
    .answer(request, state)
}

/// npm `@modelcontextprotocol/sdk` 1.32 without sessions.
pub fn ts_v1_stateless(request: &Request, state: &State) -> Reply {
    TS_V1.answer(request, state)
}

/// npm `@modelcontextprotocol/sdk` 1.12 without sessions: `MCP-Protocol-Version` means nothing to it.
pub fn ts_1_12_stateless(request: &Request, state: &State) -> Reply {
    let server = Legacy {
        versions: &["2025-03-26", "2024-11-05", "2024-10-07"],
        unknown_version: None,
        unknown_tool: |name| error(-32602, &format!("MCP error -32602: Tool {name} not found")),
        ..TS_V1
    };
    server.answer(request, state)
}

const TS_V1: Legacy = Legacy {
    unknown_version: Some(|request| {
        let version = request.header("mcp-protocol-version").unwrap_or_default();
        Reply::json(
            400,
            format!(
                r#"{{"jsonrpc":"2.0","error":{{"code":-32000,"message":"Bad Request: Unsupported protocol version: {version} (supported versions: 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05, 2024-10-07)"}},"id":null}}"#
            ),
        )
    }),
    unknown_tool: |name| is_error(&format!("MCP error -32602: Tool {name} not found")),
    unknown_method: |request| as_event(&request.reply_id_last(&error(-32601, "Method not found"))),
    compose: Request::reply_id_last,
    frame: as_event,
    ..Legacy::STATELESS
};

const TS_ROUTER: Sessions = Sessions {
    missing: |_| no_valid_session_id(),
    unknown: |_| no_valid_session_id(),
    on_every_reply: true,
    phantom: false,
    deleted: 200,
};

fn no_valid_session_id() -> Reply {
    Reply::json(
        400,
        r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: No valid session ID provided"},"id":null}"#,
    )
}

// === TypeScript SDK 1, wrapped ===

/// npm `fastmcp`: unknown tools are an unknown method to it.
pub fn fastmcp_ts(request: &Request, state: &State) -> Reply {
    Legacy {
        sessions: Some(TS_PROXY),
        ..FASTMCP_TS
    }
    .answer(request, state)
}

/// npm `fastmcp` without sessions.
pub fn fastmcp_ts_stateless(request: &Request, state: &State) -> Reply {
    FASTMCP_TS.answer(request, state)
}

/// npm `supergateway --stateful` over a server of TypeScript SDK 1.32.
pub fn supergateway_stateful(request: &Request, state: &State) -> Reply {
    Legacy {
        sessions: Some(TS_PROXY),
        ..TS_V1
    }
    .answer(request, state)
}

/// npm `supergateway` 4.0: modern calls are answered as well, but discovery is not, and nothing has a `resultType`.
pub fn supergateway_stateless(request: &Request, state: &State) -> Reply {
    if request.rpc() == "server/discover" {
        return Reply::json(404, request.error(-32601, "Method not found"));
    }
    let server = Legacy {
        unknown_version: None,
        frame: as_event_after_notification,
        ..TS_V1
    };
    server.answer(request, state)
}

/// npm `mcp-proxy` before 6.7.
pub fn npm_mcp_proxy(request: &Request, state: &State) -> Reply {
    Legacy {
        sessions: Some(TS_PROXY),
        ..TS_V1
    }
    .answer(request, state)
}

/// npm `mcp-proxy` 6.7: both eras.
pub fn npm_mcp_proxy_both(request: &Request, state: &State) -> Reply {
    Modern {
        legacy: npm_mcp_proxy,
        ..Modern::ONLY
    }
    .answer(request, state)
}

const FASTMCP_TS: Legacy = Legacy {
    unknown_version: Some(|_| {
        Reply::json(
            400,
            r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Bad Request: Unsupported protocol version","data":{"reason":"server_missing_modern_protocol_support"}},"id":null}"#,
        )
    }),
    unknown_tool: |name| error(-32601, &format!("MCP error -32601: Unknown tool: {name}")),
    ..TS_V1
};

const TS_PROXY: Sessions = Sessions {
    unknown: |_| {
        Reply::json(
            404,
            r#"{"error":{"code":-32001,"message":"Session not found"},"id":null,"jsonrpc":"2.0"}"#,
        )
    },
    ..TS_ROUTER
};

// === TypeScript SDK 2 ===

/// npm `@modelcontextprotocol/server` 2.4: both eras, legacy without sessions.
pub fn ts_v2(request: &Request, state: &State) -> Reply {
    let server = Modern {
        legacy: |request, state| {
            let unknown_tool = |name: &str| error(-32602, &format!("Tool {name} not found"));
            Legacy {
                unknown_tool,
                ..TS_V1
            }
            .answer(request, state)
        },
        ..Modern::ONLY
    };
    server.answer(request, state)
}

/// The same with `legacy: 'reject'`.
pub fn ts_v2_legacy_reject(request: &Request, state: &State) -> Reply {
    Modern::ONLY.answer(request, state)
}

// === Python ===

/// PyPI `mcp` 1.30.
pub fn python_v1_stateful(request: &Request, state: &State) -> Reply {
    PYTHON_V1_STATEFUL.answer(request, state)
}

/// PyPI `mcp` 1.30 with `json_response`.
pub fn python_v1_stateful_json(request: &Request, state: &State) -> Reply {
    Legacy {
        frame: as_json,
        ..PYTHON_V1_STATEFUL
    }
    .answer(request, state)
}

/// PyPI `mcp` 1.13 to 1.30 without sessions.
pub fn python_v1_stateless(request: &Request, state: &State) -> Reply {
    PYTHON_V1.answer(request, state)
}

/// PyPI `mcp` 1.13.
pub fn python_1_13_stateful(request: &Request, state: &State) -> Reply {
    let sessions = Sessions {
        unknown: |_| Reply::untyped(400, "Bad Request: No valid session ID provided"),
        ..PYTHON_SESSIONS
    };
    Legacy {
        sessions: Some(sessions),
        ..PYTHON_V1
    }
    .answer(request, state)
}

/// PyPI `mcp` 1.13, which remembers what it has ended.
pub fn python_1_13_terminated(request: &Request, state: &State) -> Reply {
    let sessions = Sessions {
        unknown: |_| Reply::untyped(404, "Not Found: Session has been terminated"),
        ..PYTHON_SESSIONS
    };
    Legacy {
        sessions: Some(sessions),
        ..PYTHON_V1
    }
    .answer(request, state)
}

/// PyPI `mcp` 1.9 without sessions: answers discovery with an error inside a 200 and modern calls by the old rules.
pub fn python_1_9_stateless(request: &Request, state: &State) -> Reply {
    let server = Legacy {
        versions: &["2025-03-26", "2024-11-05"],
        unknown_version: None,
        unknown_method: |request| {
            as_crlf_event(&request.error(-32602, "Invalid request parameters"))
        },
        ..PYTHON_V1
    };
    server.answer(request, state)
}

/// PyPI `fastmcp` 2.
pub fn fastmcp_2(request: &Request, state: &State) -> Reply {
    PYTHON_V1_STATEFUL.answer(request, state)
}

/// PyPI `mcp-proxy`.
pub fn pypi_mcp_proxy(request: &Request, state: &State) -> Reply {
    PYTHON_V1_STATEFUL.answer(request, state)
}

/// PyPI `mcp` 2.3: both eras, legacy with sessions.
pub fn python_v2(request: &Request, state: &State) -> Reply {
    let server = Modern {
        legacy: python_v2_legacy,
        unknown_tool: |name| (200, is_error(&format!("Unknown tool: {name}"))),
        ..Modern::ONLY
    };
    server.answer(request, state)
}

/// The older half of PyPI `mcp` 2.3 by itself.
pub fn python_v2_legacy(request: &Request, state: &State) -> Reply {
    PYTHON_V2_LEGACY.answer(request, state)
}

/// PyPI `fastmcp` 4: as the Python SDK 2, with quotes.
pub fn fastmcp_4(request: &Request, state: &State) -> Reply {
    let server = Modern {
        legacy: python_v2_legacy,
        unknown_tool: |name| (200, is_error(&format!("Unknown tool: '{name}'"))),
        ..Modern::ONLY
    };
    server.answer(request, state)
}

const PYTHON_V1: Legacy = Legacy {
    unknown_version: Some(|request| {
        let version = request.header("mcp-protocol-version").unwrap_or_default();
        Reply::json(
            400,
            format!(
                r#"{{"jsonrpc":"2.0","id":"server-error","error":{{"code":-32600,"message":"Bad Request: Unsupported protocol version: {version}. Supported versions: 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25"}}}}"#
            ),
        )
    }),
    unknown_tool: |name| is_error(&format!("Unknown tool: {name}")),
    unknown_method: |request| as_crlf_event(&request.error(-32602, "Invalid request parameters")),
    frame: as_crlf_event,
    ..Legacy::STATELESS
};

const PYTHON_V1_STATEFUL: Legacy = Legacy {
    sessions: Some(PYTHON_SESSIONS),
    ..PYTHON_V1
};

const PYTHON_SESSIONS: Sessions = Sessions {
    missing: |_| {
        Reply::json(
            400,
            r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
        )
    },
    unknown: |_| {
        Reply::json(
            404,
            r#"{"jsonrpc":"2.0","id":"server-error","error":{"code":-32600,"message":"Session not found"}}"#,
        )
    },
    on_every_reply: true,
    phantom: true,
    deleted: 200,
};

const PYTHON_V2_LEGACY: Legacy = Legacy {
    sessions: Some(Sessions {
        missing: |_| {
            Reply::json(
                400,
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}"#,
            )
        },
        unknown: |_| {
            Reply::json(
                404,
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Session not found"}}"#,
            )
        },
        ..PYTHON_SESSIONS
    }),
    unknown_method: |request| as_crlf_event(&request.error(-32601, "Method not found")),
    ..PYTHON_V1
};

// === rmcp ===

/// Crate `rmcp` 3.9, session mode, the older half.
pub fn rmcp_session(request: &Request, state: &State) -> Reply {
    if request.method == "DELETE"
        && !state.is_open(request.header("mcp-session-id").unwrap_or_default())
    {
        return Reply::empty(202);
    }
    Legacy {
        sessions: Some(RMCP_SESSIONS),
        ..RMCP
    }
    .answer(request, state)
}

/// Crate `rmcp` 3.9: both eras.
pub fn rmcp_both(request: &Request, state: &State) -> Reply {
    let unknown_tool = |_: &str| (200, error(-32602, "tool not found"));
    Modern {
        legacy: rmcp_session,
        unknown_tool,
        frame: as_event,
        ..Modern::ONLY
    }
    .answer(request, state)
}

/// Crate `rmcp` 3.9, modern only.
pub fn rmcp_strict(request: &Request, state: &State) -> Reply {
    let server = Modern {
        legacy: |request, _| {
            let message = "Invalid params: request requires protocolVersion in request _meta";
            Reply::json(400, request.error(-32602, message))
        },
        unknown_tool: |_| (200, error(-32602, "tool not found")),
        ..Modern::ONLY
    };
    server.answer(request, state)
}

/// Crate `rmcp` of the older revisions, stateless mode.
pub fn rmcp_stateless_2025(request: &Request, state: &State) -> Reply {
    Legacy {
        frame: as_event,
        ..RMCP
    }
    .answer(request, state)
}

/// Crate `rmcp` 0.8.5, session mode: a dead session is a 401.
pub fn rmcp_0_8_session(request: &Request, state: &State) -> Reply {
    let sessions = Sessions {
        missing: |request| match request.rpc() {
            "server/discover" => rmcp_cannot_read(),
            _ => Reply::untyped(422, "Unexpected message, expect initialize request"),
        },
        unknown: |_| Reply::untyped(401, "Unauthorized: Session not found"),
        ..RMCP_SESSIONS
    };
    Legacy {
        sessions: Some(sessions),
        ..RMCP_0_8
    }
    .answer(request, state)
}

/// Crate `rmcp` 0.8.5, stateless mode.
pub fn rmcp_0_8_stateless(request: &Request, state: &State) -> Reply {
    Legacy {
        frame: as_event,
        ..RMCP_0_8
    }
    .answer(request, state)
}

const RMCP: Legacy = Legacy {
    unknown_tool: |_| error(-32602, "tool not found"),
    unknown_method: |request| as_rmcp_events(&request.error(-32601, request.rpc())),
    frame: as_rmcp_events,
    ..Legacy::STATELESS
};

const RMCP_0_8: Legacy = Legacy {
    versions: &["2025-03-26"],
    unknown_method: |_| rmcp_cannot_read(),
    ..RMCP
};

const RMCP_SESSIONS: Sessions = Sessions {
    missing: |_| Reply::untyped(400, "Bad Request: Session ID is required"),
    unknown: |_| Reply::untyped(404, "Not Found: Session not found"),
    on_every_reply: false,
    phantom: false,
    deleted: 202,
};

fn rmcp_cannot_read() -> Reply {
    let text = "fail to deserialize request body data did not match any variant of untagged enum JsonRpcMessage";
    Reply::typed(415, "text/plain; charset=utf-8", text)
}

// === Go ===

/// go-sdk (in kubernetes-mcp-server): refuses inside a 200, and knows discovery without speaking 2026-07-28.
pub fn go_sdk_stateful(request: &Request, state: &State) -> Reply {
    let sessions = Sessions {
        missing: |request| {
            let modern = request.header("mcp-protocol-version") == Some("2026-07-28");
            match request.rpc() {
                "server/discover" => as_json(&request.result(
                    r#"{"supportedVersions":["2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"capabilities":{"tools":{"listChanged":true}},"resultType":"complete"}"#,
                )),
                _ if modern => unsupported_version(request, &["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"]),
                method => {
                    let message = format!("method \"{method}\" is invalid during session initialization");
                    as_event(&request.error(0, &message))
                }
            }
        },
        unknown: |_| Reply::typed(404, "text/plain; charset=utf-8", "session not found\n"),
        on_every_reply: false,
        phantom: false,
        deleted: 204,
    };
    Legacy {
        sessions: Some(sessions),
        ..GO_SDK
    }
    .answer(request, state)
}

/// go-sdk started stateless: both eras.
pub fn go_sdk_stateless(request: &Request, state: &State) -> Reply {
    let server = Modern {
        legacy: |request, state| GO_SDK.answer(request, state),
        unknown_tool: |name| (400, error(-32602, &format!("unknown tool \"{name}\""))),
        ..Modern::ONLY
    };
    server.answer(request, state)
}

const GO_SDK: Legacy = Legacy {
    unknown_tool: |name| error(-32602, &format!("unknown tool \"{name}\"")),
    unknown_method: |request| {
        let text = format!("JSON RPC not handled: \"{}\" unsupported\n", request.rpc());
        Reply::typed(400, "text/plain; charset=utf-8", text)
    },
    frame: as_event,
    ..Legacy::STATELESS
};

/// MCP Toolbox 1.12: both eras, JSON only, sessions a formality.
pub fn toolbox(request: &Request, state: &State) -> Reply {
    if request.method == "DELETE" {
        return Reply::empty(200);
    }
    let offered = &request.message["params"]["protocolVersion"];
    if request.rpc() == "initialize" && offered == "2026-07-28" {
        return Reply::json(404, request.error(-32601, "invalid method initialize"));
    }
    let server = Modern {
        legacy: |request, state| {
            let unknown_tool = |name: &str| toolbox_unknown_tool(name);
            Legacy {
                unknown_tool,
                ..Legacy::STATELESS
            }
            .answer(request, state)
        },
        unknown_tool: |name| (200, toolbox_unknown_tool(name)),
        ..Modern::ONLY
    };
    server.answer(request, state)
}

fn toolbox_unknown_tool(name: &str) -> String {
    error(
        -32602,
        &format!("invalid tool name: tool with name \"{name}\" does not exist"),
    )
}

// === Older still ===

/// A server of 2024-11-05: events on `GET`, nothing on `POST`.
pub fn http_sse_2024(request: &Request, _: &State) -> Reply {
    match request.method.as_str() {
        "GET" => Reply::events("event: endpoint\ndata: /messages?sessionId=1\n\n"),
        _ => Reply::typed(
            405,
            "text/html; charset=utf-8",
            "<!DOCTYPE html><pre>Cannot POST /mcp</pre>",
        ),
    }
}

/// The member of a result that says a tool failed.
fn is_error(text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#""result":{{"content":[{{"type":"text","text":{text}}}],"isError":true}}"#)
}
