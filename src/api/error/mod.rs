//! What a client is told when there is no result: which errors there are, their codes, wording, and the body they are told in.

pub(crate) mod code;
pub(crate) mod kinds;
pub(crate) mod problem;
pub(crate) mod upstream;
pub(crate) mod wording;
