//! Typed OpenAPI documents of servers' tools.

pub(crate) mod common;
pub(crate) mod document;
mod embed;
mod names;
