//! Arguments of a call checked against the tool's own schema (on an `offload` thread if expensive), and the error for a query that does
//! not fit that schema.
//!
//! The check itself is `schema::validate`'s, and reading a query is `schema::from_query`'s: neither knows servers or responses.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::api::error::code::Code;
use crate::api::error::kinds::{Error, Task};
use crate::api::offloaded;
use crate::json::named;
use crate::mcp::client::operation::ToolCall;
use crate::mcp::client::pool::Client;
use crate::schema::from_query::Refused;
use crate::schema::validate::{MAX_SCHEMA_BYTES, Validators};

/// Refuses arguments that do not match the schema which the server's own list has for the tool. The list is requested if it is not
/// cached.
pub(crate) async fn check(
    validators: &Arc<Validators>,
    client: &mut Client<'_>,
    tool: &str,
    arguments: &RawValue,
) -> Result<(), Error> {
    let tools = client.tools().await;
    let tools = tools.map_err(|failure| Error::upstream(Task::CallTool, failure))?;
    let Some(schema) = tools.get(tool).and_then(|tool| tool.input_schema()) else {
        return Ok(());
    };
    let errors = if let Some(errors) = validators.validate_if_quick(schema.get(), arguments.get()) {
        errors
    } else {
        let prepare = || {
            let (schema, arguments) = (schema.get().to_owned(), arguments.get().to_owned());
            let validators = Arc::clone(validators);
            move || validators.validate(&schema, &arguments)
        };
        offloaded::run(client.deadline(), prepare).await?
    };
    if errors.is_empty() {
        return Ok(());
    }
    Err(Error::InvalidArguments(errors))
}

/// Said of arguments that are wrapped in another object, as they are in an envelope.
const WRAPPED: &str = "The tool has no argument 'arguments': send what is inside of it. The body of POST .../execute is the arguments object \
                       itself; the envelope {\"name\", \"arguments\"} belongs to POST /api/mcp/{server}/call";

/// What is probably wrong with a call that has failed: its arguments are wrapped in `{"arguments": {...}}`, and the tool's own schema has
/// no such property.
pub(crate) async fn hint(
    client: &mut Client<'_>,
    tool_call: &ToolCall<'_>,
    error: &Error,
) -> Option<&'static str> {
    let may_be_arguments = matches!(error.code(), Code::InvalidArguments | Code::ToolError);
    let is_wrapped = || {
        member(tool_call.arguments, "arguments")?
            .get()
            .starts_with('{')
            .then_some(())
    };
    if !may_be_arguments || is_wrapped().is_none() {
        return None;
    }
    let tools = client.tools().await.ok()?;
    let properties = member(tools.get(tool_call.name)?.input_schema()?, "properties")?;
    member(properties, "arguments").is_none().then_some(WRAPPED)
}

/// A member of an object that is not too large to be read for a hint.
fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if object.get().len() > MAX_SCHEMA_BYTES {
        return None;
    }
    let [member] = named(object.get(), [name]).ok()?;
    member
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unknown(name) => Self::invalid(format!(
                "The tool has no argument '{name}'; its schema names those it has"
            )),
            Refused::Invalid(errors) => Self::InvalidArguments(errors),
            Refused::TooLarge => Self::invalid(
                "The tool's schema is over 256 KiB, so that a query cannot be read by it: call the tool by POST",
            ),
            Refused::TooMuch => Self::invalid(
                "It takes too much work to read this query by the tool's schema: call the tool by POST",
            ),
            Refused::Broken => Self::Internal,
        }
    }
}
