//! Configuration: how this process runs, which servers there are, and the file that says both. [`start::read`] reads all of it.

pub mod command_line;
pub mod errors;
pub mod expand;
mod file;
mod jsonc;
pub mod keys;
mod nearest;
pub mod origins;
pub mod outbound;
pub mod proxies;
mod redact;
pub mod servers;
pub mod settings;
pub mod start;
