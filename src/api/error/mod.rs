//! What a caller is told when there is no result: one type, one match, one shape.

pub(crate) mod code;
pub(crate) mod kinds;
pub(crate) mod problem;
pub(crate) mod verdict;
