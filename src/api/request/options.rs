//! Call options, from parameters and configuration: session, handshake, deadline, tool errors. A new parameter is declared in `parameters`.

use std::time::Duration;

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::parameters::{
    self, Appearance, DeadlineInHeader, DeadlineInQuery, Handshake, OnToolError, SessionInHeader,
    SessionInQuery,
};
use crate::config::servers::{Server, ToolErrors};
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::protocol::header::SessionId;

/// Session, handshake and deadline. `timeout_ms` is the deadline in a body.
pub(crate) fn of(
    context: &Context<'_>,
    server: &Server,
    timeout_ms: Option<u64>,
) -> Result<CallOptions, Error> {
    let handshake = Handshake::of(&context.query)?;
    Ok(CallOptions {
        session: session(context)?,
        init: match handshake.init {
            None | Some(parameters::Init::Auto) => Init::Auto,
            Some(parameters::Init::True) => Init::Always,
            Some(parameters::Init::False) => Init::Never,
        },
        close: handshake.close == Some(true),
        deadline: context.started + timeout(context, server.timeout, timeout_ms)?,
    })
}

/// The caller's session id: the query overrides the header; empty and `null` mean none.
pub(crate) fn session(context: &Context<'_>) -> Result<Option<SessionId>, Error> {
    let in_query = SessionInQuery::of(&context.query)?.session;
    let in_header = SessionInHeader::of(context.request.headers())?.session;
    Ok(in_query.or(in_header))
}

/// The server's deadline, else the configured default, or a lower one that the caller requests.
pub(crate) fn timeout(
    context: &Context<'_>,
    of_server: Option<Duration>,
    in_body: Option<u64>,
) -> Result<Duration, Error> {
    let most = of_server.unwrap_or(context.state.settings.timeout);
    let asked = asked_timeout(context, in_body)?;
    Ok(asked.map_or(most, |asked| asked.min(most)))
}

/// The deadline that the caller requests, if any.
pub(crate) fn asked_timeout(
    context: &Context<'_>,
    in_body: Option<u64>,
) -> Result<Option<Duration>, Error> {
    let in_query = DeadlineInQuery::of(&context.query)?.timeout_ms;
    let asked = [in_query, in_body].into_iter().flatten().min();
    if asked == Some(0) {
        return Err(parameters::bad_timeout());
    }
    let preferred = DeadlineInHeader::of(context.request.headers())?.wait;
    let asked = asked.map(Duration::from_millis);
    Ok([asked, preferred].into_iter().flatten().min())
}

/// Whether `isError` becomes a status: as the caller requests, else as the server is configured.
pub(crate) fn tool_errors(context: &Context<'_>, server: &Server) -> Result<ToolErrors, Error> {
    Ok(tool_errors_asked(context)?.unwrap_or(server.tool_errors))
}

/// The same, if the caller requests it.
pub(crate) fn tool_errors_asked(context: &Context<'_>) -> Result<Option<ToolErrors>, Error> {
    let asked = OnToolError::of(&context.query)?.tool_errors;
    Ok(asked.map(|asked| match asked {
        Appearance::Result => ToolErrors::Result,
        Appearance::Status => ToolErrors::Status,
    }))
}
