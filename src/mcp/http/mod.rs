//! One HTTP request to a server and its response: connections, bodies, and what the kernel knows of them. Nothing about MCP's methods.

mod body;
pub mod connections;
mod counts;
mod dial;
pub mod events;
mod failed;
pub mod pieces;
pub(crate) mod redirect;
mod socket;
pub mod transport;
mod unpack;
