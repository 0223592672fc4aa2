//! What can be asked of a server, in the words of both eras.

use awc::http::header::HeaderValue;
use serde_json::value::RawValue;

use super::{AnyCall, PromptCall, ToolCall};
use crate::mcp::error::Error;
use crate::mcp::lists::Listing;
use crate::mcp::message::{Members, Params};

/// What is asked of the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation<'a> {
    pub(super) method: &'a str,
    /// The same for a modern server.
    pub(super) modern_method: &'a str,
    pub(super) params: Params<'a>,
    /// What is asked for, which a header says too: `Mcp-Name`.
    pub(super) name: Option<&'a str>,
    pub(super) meta: Option<&'a RawValue>,
    /// It runs something on the server that may ask its client back, or tell it how far it is.
    pub(super) may_ask: bool,
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

    pub(super) fn list(listing: Listing, cursor: Option<&'a str>) -> Self {
        let params = Params {
            cursor,
            ..Params::default()
        };
        Self::new(listing.method(), params)
    }

    pub(super) fn call(call: &ToolCall<'a>) -> Self {
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
            ..Self::new("tools/call", params)
        }
    }

    pub(super) fn prompt(call: &PromptCall<'a>) -> Self {
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

    pub(super) fn read(uri: &'a str) -> Self {
        let params = Params {
            uri: Some(uri),
            ..Params::default()
        };
        Self {
            may_ask: true,
            ..Self::new("resources/read", params)
        }
    }

    pub(super) fn ping() -> Self {
        Self {
            modern_method: "server/discover",
            ..Self::new("ping", Params::default())
        }
    }

    /// Any method with any parameters.
    pub(super) fn any(call: &AnyCall<'a>) -> Self {
        Self {
            name: call.name,
            meta: call.meta,
            may_ask: true,
            ..Self::others(call.method, call.params)
        }
    }

    /// Parameters under their own names.
    pub(super) fn others(method: &'a str, others: &'a Members<'a>) -> Self {
        let params = Params {
            others: (!others.0.is_empty()).then_some(others),
            ..Params::default()
        };
        Self::new(method, params)
    }

    /// `Mcp-Method`.
    pub(super) fn method_header(&self) -> Result<HeaderValue, Error> {
        HeaderValue::from_str(self.modern_method)
            .map_err(|error| Error::Internal(format!("a method cannot be a header: {error}")))
    }
}
