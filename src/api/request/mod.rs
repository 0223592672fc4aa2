//! From the bytes of a request to checked values. Everything here refuses rather than guesses.

pub(crate) mod accept;
pub(crate) mod access;
pub(crate) mod arrival;
pub(crate) mod context;
pub(crate) mod cross_site;
pub(crate) mod encoding;
pub(crate) mod extract;
pub(crate) mod forwarded;
