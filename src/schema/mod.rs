//! JSON Schema: what a schema costs, arguments validated against it, made up from it, and read from a query by it.
//!
//! Schemas come from servers and are hostile until they are examined: none is used whose cost is not known before, and none is resolved
//! over the network. Nothing here knows MCP or HTTP, or imports another room.
//!
//! - `keywords`: the one table of keywords that hold or refer to schemas
//! - `walk`: how schemas and values are walked, and the budget of a walk
//! - `cost`: the memory that a schema takes once it is compiled; `pattern_cost`: the size of a regular expression
//! - `dialect`: whether `$schema` changes what a schema means
//! - `work`: the time that validating one value takes
//! - `engine`: the library that validates, which a build may leave out
//! - `validate`: the cache of compiled schemas, and validation
//! - `example`: arguments that a schema allows
//! - `from_query`: arguments from texts, as a schema types them

pub(crate) mod cost;
pub(crate) mod dialect;
pub(crate) mod engine;
pub(crate) mod example;
pub(crate) mod from_query;
pub(crate) mod keywords;
pub(crate) mod pattern_cost;
pub(crate) mod validate;
pub(crate) mod walk;
pub(crate) mod work;
