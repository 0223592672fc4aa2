//! What can be asked of a server, in the words of both eras.

use serde_json::value::RawValue;

use super::ToolCall;
use crate::mcp::message::Params;

/// What is asked of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) method: &'static str,
    /// The same for a modern server.
    pub(super) modern_method: &'static str,
    pub(super) params: Params<'a>,
    pub(super) meta: Option<&'a RawValue>,
    /// It runs something on the server that may ask its client back.
    pub(super) may_ask: bool,
}

impl<'a> Operation<'a> {
    pub(super) fn list(cursor: Option<&'a str>) -> Self {
        Self {
            method: "tools/list",
            modern_method: "tools/list",
            params: Params {
                cursor,
                ..Params::default()
            },
            meta: None,
            may_ask: false,
        }
    }

    pub(super) fn call(call: &ToolCall<'a>) -> Self {
        Self {
            method: "tools/call",
            modern_method: "tools/call",
            params: Params {
                name: Some(call.name),
                arguments: Some(call.arguments),
                input_responses: call.input_responses,
                request_state: call.request_state,
                ..Params::default()
            },
            meta: call.meta,
            may_ask: true,
        }
    }

    pub(super) fn ping() -> Self {
        Self {
            method: "ping",
            modern_method: "server/discover",
            params: Params::default(),
            meta: None,
            may_ask: false,
        }
    }
}
