//! The REST side: routes, and the way of a request through them.
//!
//! Only here is actix-web's server half known. Servers are reached through [`crate::mcp`] alone.

mod argument_check;
mod doc_formats;
pub mod document;
pub(crate) mod error;
mod fan_out;
#[doc(hidden)]
pub mod fuzz;
mod handlers;
mod invoke;
mod models;
mod near_routes;
pub(crate) mod offloaded;
pub(crate) mod openapi;
mod paths;
mod request;
mod response;
pub mod routes;
pub(crate) mod serve;
mod side_by_side;
pub(crate) mod state;
pub(crate) mod tool_docs;
