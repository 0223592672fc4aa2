//! Generated documentation of servers' tools: typed OpenAPI documents, and the example in a definition.

pub(crate) mod call_example;
pub(crate) mod document;
mod embed;
pub(crate) mod names;
pub(crate) mod node;
mod operation;
mod references;
mod views;
