//! The JSON-RPC error codes that MCP and its servers use, each named once.
//!
//! A code alone rarely says what happened; what a refusal means is decided in `refusal`. Codes outside of this table occur, and
//! are passed on as they are.

use std::ops::RangeInclusive;

/// JSON-RPC 2.0: the body is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// JSON-RPC 2.0: not a request. Python SDK: also a missing or unknown session.
pub const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC 2.0: an unknown method. `FastMCP` for TypeScript: also an unknown tool.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC 2.0: invalid parameters. MCP: also an unknown tool or prompt, and from 2026-07-28 on an unknown resource.
pub const INVALID_PARAMS: i64 = -32602;
/// JSON-RPC 2.0: a fault of the server. Python SDK 2: also an unknown prompt.
pub const INTERNAL_ERROR: i64 = -32603;
/// `METHOD_NOT_FOUND`, `INVALID_PARAMS` and `INTERNAL_ERROR`: about the request itself, never about a session.
pub const ABOUT_THE_REQUEST: RangeInclusive<i64> = INTERNAL_ERROR..=METHOD_NOT_FOUND;

/// The first code that JSON-RPC 2.0 leaves to implementations. This service uses it for what no other code means; the
/// TypeScript SDK for a missing or unknown session.
pub const IMPLEMENTATION_DEFINED: i64 = -32000;
/// MCP up to 2025-11-25: no such resource.
pub const RESOURCE_NOT_FOUND: i64 = -32002;
/// 2026-07-28: headers and body disagree.
pub const HEADER_MISMATCH: i64 = -32020;
/// 2026-07-28: the client has not declared a capability that is required.
pub const MISSING_CAPABILITY: i64 = -32021;
/// 2026-07-28: the server does not speak the protocol version; `data.supported` lists those it does.
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// The three codes of 2026-07-28. No legacy server sends them, and a request refused with one was not dispatched.
pub const MODERN: RangeInclusive<i64> = UNSUPPORTED_VERSION..=HEADER_MISMATCH;

/// Python SDK 2: the request was cancelled while it ran.
pub const CANCELLED: i64 = -32800;
/// Python SDK 1 for every failure; go-sdk for a request before `initialize`.
pub const UNSPECIFIED: i64 = 0;
