//! The one way to call a tool: argument checks, the call, `toolErrors`, timing, and whether the session is released or ended.
//!
//! `execute`, `call`, `batch` and `rpc` come through [`invoke`], streamed or not. Reading the request and writing the result is theirs.

use std::time::Duration;

use crate::api::argument_check;
use crate::api::error::kinds::{Error, Task};
use crate::api::response::content;
use crate::api::state::State;
use crate::config::servers::{ArgumentChecks, ToolErrors};
use crate::json::{Members, empty_object};
use crate::mcp::client::operation::{ToolCall, ToolResult};
use crate::mcp::client::options::CallOptions;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::SessionGuard;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::server_state::Upstream;
use crate::mcp::stream::notifications::Watch;

/// Where a request goes, and how the caller wants it made.
pub(crate) struct Invocation<'a> {
    /// Shared state.
    pub(crate) state: &'a State,
    /// The server.
    pub(crate) server: &'a Upstream,
    /// Session, handshake and deadline.
    pub(crate) options: CallOptions,
    /// Whether an error of the tool itself is a result.
    pub(crate) tool_errors: ToolErrors,
    /// Receives the notifications that come before the result.
    pub(crate) watch: Option<Watch>,
}

/// The outcome of a request to a server.
pub(crate) struct Invoked {
    /// The result, or why there is none.
    pub(crate) outcome: Result<ToolResult, Error>,
    /// The session to be released to the caller. Dropped, it ends, if it was opened for this request.
    pub(crate) session: Option<SessionGuard>,
    /// Time spent before the operation, and on it.
    pub(crate) timing: (Duration, Duration),
    /// What is probably wrong with the request.
    pub(crate) hint: Option<&'static str>,
}

/// Calls a tool, after its arguments are checked where that is configured.
pub(crate) async fn invoke(invocation: Invocation<'_>, tool_call: &ToolCall<'_>) -> Invoked {
    let Invocation {
        state,
        server,
        tool_errors,
        ..
    } = invocation;
    let mut client = invocation.client();
    if server.argument_checks == ArgumentChecks::On {
        let (name, arguments) = (tool_call.name, tool_call.arguments);
        let check = argument_check::check(&state.validators, &mut client, name, arguments);
        // Boxed, so that calls without a check do not carry its state.
        if let Err(error) = Box::pin(check).await {
            return Box::pin(Invoked::failed(client, tool_call, error)).await;
        }
    }
    let outcome = match client.call_tool(tool_call).await {
        Ok(result) if result.is_error && tool_errors == ToolErrors::Status => {
            Err(Box::pin(content::tool_error(&result, None)).await)
        }
        Ok(result) => Ok(result),
        Err(failure) => Err(Error::upstream(Task::CallTool, failure)),
    };
    match outcome {
        Ok(result) => Invoked::of(client, Ok(result)),
        Err(error) => Box::pin(Invoked::failed(client, tool_call, error)).await,
    }
}

impl<'a> Invocation<'a> {
    /// The client that makes the request.
    pub(crate) fn client(self) -> Client<'a> {
        let mut client = self.state.pool.client(self.server, self.options);
        if let Some(watch) = self.watch {
            client.notify(watch);
        }
        client
    }
}

impl Invoked {
    /// The end of a tool call that has failed.
    async fn failed(mut client: Client<'_>, tool_call: &ToolCall<'_>, error: Error) -> Self {
        let hint = argument_check::hint(&mut client, tool_call, &error).await;
        Self {
            hint,
            ..Self::of(client, Err(error))
        }
    }

    /// The end of a request. A session opened for it is the caller's with a result, also if that is an error of the tool itself, and
    /// ends without one.
    pub(crate) fn of(mut client: Client<'_>, outcome: Result<ToolResult, Error>) -> Self {
        let timing = client.timing();
        let session = match &outcome {
            Ok(_) | Err(Error::Tool { .. }) => client.guard_session(),
            Err(_) => None,
        };
        Self {
            outcome,
            session,
            timing,
            hint: None,
        }
    }

    /// The result, and the session released to the caller.
    pub(crate) fn release(self) -> Result<(ToolResult, Option<SessionId>), Error> {
        let session = self.session.map(SessionGuard::release);
        match self.outcome {
            Ok(result) => Ok((result, session)),
            Err(Error::Tool { result, said, .. }) => Err(Error::Tool {
                result,
                said,
                session,
            }),
            Err(error) => Err(error),
        }
    }
}

/// The members that a tool call has in the `params` of `tools/call`, but its name and those without a meaning here.
pub(crate) fn params<'a>(tool_call: &ToolCall<'a>) -> Members<'a> {
    let members = [
        ("arguments", Some(tool_call.arguments)),
        ("_meta", tool_call.meta),
        ("inputResponses", tool_call.input_responses),
        ("requestState", tool_call.request_state),
    ];
    let members = members.into_iter();
    Members(
        members
            .filter_map(|(name, value)| Some((name.into(), value?)))
            .collect(),
    )
}

/// The tool call with these `params`; no arguments are `{}`.
pub(crate) fn tool_call<'a>(name: &'a str, params: &Members<'a>) -> ToolCall<'a> {
    ToolCall {
        meta: params.get("_meta"),
        input_responses: params.get("inputResponses"),
        request_state: params.get("requestState"),
        ..ToolCall::of(name, params.get("arguments").unwrap_or_else(empty_object))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// The sources below `folder` that hold `call`.
    fn callers(folder: &Path, call: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| {
                if path.is_dir() {
                    return callers(&path, call);
                }
                let holds = fs::read_to_string(&path).unwrap().contains(call);
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                holds.then_some(name).into_iter().collect()
            })
            .collect()
    }

    #[test]
    fn every_tool_call_goes_through_here() {
        let api = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
        assert_eq!(callers(&api, &[".call", "_tool("].concat()), ["invoke.rs"]);
    }
}
