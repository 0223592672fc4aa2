//! From an MCP result to an HTTP response.

pub(crate) mod conditional;
pub(crate) mod content;
pub(crate) mod cors;
pub(crate) mod finish;
pub(crate) mod json;
pub(crate) mod negotiate;
pub(crate) mod stream;
