//! What a caller can ask for (`ToolCall`, ...), turned into method and parameters for each era; and what a tool returns.

use awc::http::header::HeaderValue;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::Members;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::lists::Listing;
use crate::mcp::protocol::request::Params;

const TOOLS_CALL: &str = "tools/call";

/// A call of one tool.
#[derive(Debug, Clone, Copy)]
pub struct ToolCall<'a> {
    /// The tool.
    pub name: &'a str,
    /// Its arguments, an object.
    pub arguments: &'a RawValue,
    /// The caller's `_meta`, an object.
    pub meta: Option<&'a RawValue>,
    /// Answers to an earlier `input_required`.
    pub input_responses: Option<&'a RawValue>,
    /// The state that came with it.
    pub request_state: Option<&'a RawValue>,
    /// Other parameters.
    pub others: Option<&'a Members<'a>>,
}

/// What a tool returned.
#[derive(Debug)]
pub struct ToolResult {
    /// The `result`, byte for byte.
    pub bytes: Bytes,
    /// `isError: true`.
    pub is_error: bool,
}

/// A prompt and its arguments.
#[derive(Debug, Clone, Copy)]
pub struct PromptCall<'a> {
    /// The prompt.
    pub name: &'a str,
    /// Its arguments, an object.
    pub arguments: &'a RawValue,
}

/// Any request.
#[derive(Debug, Clone, Copy)]
pub struct AnyCall<'a> {
    /// The method.
    pub method: &'a str,
    /// Its parameters, but `_meta`.
    pub params: &'a Members<'a>,
    /// The name or URI of its target, if it has one: `params.name`, `params.uri` or the like.
    pub name: Option<&'a str>,
    /// The caller's `_meta`, an object.
    pub meta: Option<&'a RawValue>,
}

/// One request, for a server of either era.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation<'a> {
    pub(crate) method: &'a str,
    /// The same for a modern server.
    pub(crate) modern_method: &'a str,
    pub(crate) params: Params<'a>,
    /// The target, mirrored into a header: `Mcp-Name`.
    pub(crate) name: Option<&'a str>,
    pub(crate) meta: Option<&'a RawValue>,
    /// It runs something on the server that may send requests and notifications of its own.
    pub(crate) may_ask: bool,
}

impl<'a> Operation<'a> {
    fn new(method: &'a str, params: Params<'a>) -> Self {
        Self {
            method,
            modern_method: method,
            params,
            name: params.name.or(params.uri),
            meta: None,
            may_ask: false,
        }
    }

    pub(crate) fn list(listing: Listing, cursor: Option<&'a str>) -> Self {
        let params = Params {
            cursor,
            ..Params::default()
        };
        Self::new(listing.method(), params)
    }

    pub(crate) fn call(call: &ToolCall<'a>) -> Self {
        let params = Params {
            name: Some(call.name),
            arguments: Some(call.arguments),
            input_responses: call.input_responses,
            request_state: call.request_state,
            others: call.others,
            ..Params::default()
        };
        Self {
            meta: call.meta,
            may_ask: true,
            ..Self::new(TOOLS_CALL, params)
        }
    }

    pub(crate) fn prompt(call: &PromptCall<'a>) -> Self {
        let params = Params {
            name: Some(call.name),
            arguments: Some(call.arguments),
            ..Params::default()
        };
        Self {
            may_ask: true,
            ..Self::new("prompts/get", params)
        }
    }

    pub(crate) fn read(uri: &'a str) -> Self {
        let params = Params {
            uri: Some(uri),
            ..Params::default()
        };
        Self {
            may_ask: true,
            ..Self::new("resources/read", params)
        }
    }

    pub(crate) fn ping() -> Self {
        Self {
            modern_method: "server/discover",
            ..Self::new("ping", Params::default())
        }
    }

    /// Any method with any parameters.
    pub(crate) fn any(call: &AnyCall<'a>) -> Self {
        Self {
            name: call.name,
            meta: call.meta,
            may_ask: true,
            ..Self::others(call.method, call.params)
        }
    }

    /// Parameters under their own names.
    pub(crate) fn others(method: &'a str, others: &'a Members<'a>) -> Self {
        let params = Params {
            others: (!others.0.is_empty()).then_some(others),
            ..Params::default()
        };
        Self::new(method, params)
    }

    /// `Mcp-Method`.
    pub(crate) fn method_header(&self) -> Result<HeaderValue, Error> {
        if self.modern_method == TOOLS_CALL {
            // A static value is neither copied nor counted by each that holds it.
            return Ok(HeaderValue::from_static(TOOLS_CALL));
        }
        HeaderValue::from_str(self.modern_method)
            .map_err(|error| Error::Internal(format!("a method cannot be a header: {error}")))
    }
}

impl<'a> ToolCall<'a> {
    /// With a name and arguments only.
    pub fn of(name: &'a str, arguments: &'a RawValue) -> Self {
        Self {
            name,
            arguments,
            meta: None,
            input_responses: None,
            request_state: None,
            others: None,
        }
    }
}
