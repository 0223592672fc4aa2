//! The protocol itself: messages, header names, eras, and what replies mean. Pure: nothing here waits, and nothing here does I/O.

pub mod codes;
pub mod era;
pub mod error;
mod executed;
pub mod header;
pub mod id;
pub mod lists;
pub mod message;
pub(crate) mod mirrors;
pub mod outcome;
pub mod refusal;
pub mod remedy;
pub mod request;
pub mod server_info;
pub mod tool;
pub mod unreachable;
pub(crate) mod versions;
