//! The vocabulary of our own OpenAPI document: parameters, schemas and problems that handlers name in their attributes.
//! The document that lists the handlers is `api/document.rs`.

pub(crate) mod common;
pub(crate) mod mcp;
pub(crate) mod problems;
