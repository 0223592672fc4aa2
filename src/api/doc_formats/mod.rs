//! The forms that OpenAPI documents are served in: JSON or YAML, OpenAPI 3.1 or 3.0. Every document is made as JSON of 3.1; this is what
//! becomes of it.

pub(crate) mod format;
mod openapi_3_0;
