//! Why a call failed, as a sentence for a model: what it can do about it, and nothing about requests and routes, which it does not make.

use crate::api::error::kinds::{About, Error};
use crate::api::models::names;
use crate::json::text_of;
use crate::mcp::protocol::error::Error as Cause;

/// Characters that a server's own words take at most.
const LONGEST: usize = 1000;
/// Validation errors that are told.
const MOST_ERRORS: usize = 10;

/// The sentence for the model that called `name`.
pub(crate) fn sentence(error: &Error, about: About<'_>, name: &str) -> String {
    // It also writes the log.
    let detail = error.summary(about).detail;
    if let Error::InvalidArguments(errors) = error {
        let told = errors.iter().take(MOST_ERRORS);
        let told = told.map(|error| {
            let place = if error.pointer.is_empty() {
                "the object"
            } else {
                &error.pointer
            };
            format!("\n{place}: {}", error.message)
        });
        return format!(
            "The arguments do not match the schema of '{name}':{}",
            told.collect::<String>()
        );
    }
    match error.cause() {
        Some(Cause::ToolNotFound { did_you_mean, .. }) => {
            let server = about.server.unwrap_or_default();
            let alike = did_you_mean.iter().map(|tool| names::name(server, tool));
            let alike = alike.collect::<Vec<_>>().join(", ");
            let hint = if alike.is_empty() {
                String::new()
            } else {
                format!(" Did you mean {alike}?")
            };
            format!("There is no tool '{name}'.{hint}")
        }
        Some(Cause::InputRequired(_)) => {
            format!("The tool '{name}' asks for input that cannot be given here")
        }
        _ => match error.rpc().and_then(|rpc| text_of(rpc.message())) {
            Some(message) => {
                let message: String = message.chars().take(LONGEST).collect();
                format!("The tool '{name}' could not be called: {message}")
            }
            None => detail,
        },
    }
}
