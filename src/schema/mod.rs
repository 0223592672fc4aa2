//! JSON Schema, in one home: what a schema costs, arguments checked against it, made up from it, and read from a query by it.
//!
//! No schema is resolved over the network, and none is used whose cost is not known beforehand.

pub(crate) mod cost;
pub(crate) mod example;
pub(crate) mod from_query;
pub(crate) mod pattern_cost;
pub(crate) mod validate;
pub(crate) mod work;
