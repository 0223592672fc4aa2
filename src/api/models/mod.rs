//! Tools as the APIs of models take them, and calls as those APIs give them: names, schemas, calls, answers.
//!
//! Everything here is pure: which servers there are, lists and calls are the handlers' (`model_tools`, `call_tools`).
//!
//! - `names`: one name for a server and its tool, and back
//! - `schema_cut`: a JSON Schema within what an API accepts; `dialect`: what that is; `gemini_schema`: the form that Gemini has for it;
//!   `place` and `members`: where a keyword is, and what stands beside it; `numbers`: those that cannot be kept
//! - `definition`: one tool for one API
//! - `calls`: the tool calls in a model's response
//! - `content`: what of a result a model can read; `failure`: why there is none; `answer`: that as the API's message

pub(crate) mod answer;
pub(crate) mod calls;
pub(crate) mod content;
pub(crate) mod definition;
pub(crate) mod dialect;
pub(crate) mod failure;
pub(crate) mod gemini_schema;
pub(crate) mod members;
pub(crate) mod names;
pub(crate) mod numbers;
pub(crate) mod place;
pub(crate) mod schema_cut;
