//! From the bytes of a request to checked values. Everything here refuses rather than guesses.

pub(crate) mod accept;
pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod context;
pub(crate) mod cors;
pub(crate) mod cross_site;
pub(crate) mod encoding;
pub(crate) mod forwarded;
pub(crate) mod headers;
pub(crate) mod numbers;
pub(crate) mod options;
pub(crate) mod owned;
pub(crate) mod parameters;
pub(crate) mod query;
pub(crate) mod request_id;
