//! Handlers: one file per family of routes.

pub(crate) mod batch;
pub(crate) mod call_tools;
pub(crate) mod docs;
pub(crate) mod find_tools;
pub(crate) mod health;
pub(crate) mod list_servers;
pub(crate) mod model_tools;
pub(crate) mod pages;
pub(crate) mod prompts;
pub(crate) mod resources;
pub(crate) mod rpc;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod tools;
