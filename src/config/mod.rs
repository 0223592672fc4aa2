//! Configuration: how this process runs, which servers there are, and the file that says both.

pub mod errors;
pub mod expand;
mod file;
pub mod servers;
pub mod settings;
