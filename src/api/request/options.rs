//! Call options, from parameters and configuration: session, handshake, deadline, tool errors. A new parameter is declared in `parameters`.

use std::time::Duration;

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::parameters::{
    self, Appearance, DeadlineInHeader, DeadlineInQuery, Handshake, OnToolError, SessionInHeader,
    SessionInQuery, ToolForm,
};
use crate::config::servers::{ResultForm, Server, ToolErrors};
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::protocol::error::{Allowed, SetBy};
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
        ..within(context, server, timeout_ms)?
    })
}

/// The deadline alone, for a request that is in no session of the caller's.
pub(crate) fn within(
    context: &Context<'_>,
    server: &Server,
    timeout_ms: Option<u64>,
) -> Result<CallOptions, Error> {
    let allowed = allowed(context, server.timeout, timeout_ms)?;
    Ok(CallOptions {
        allowed: Some(allowed),
        ..CallOptions::within(context.started + allowed.time)
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
    Ok(allowed(context, of_server, in_body)?.time)
}

/// The deadline that the caller requests, if any.
pub(crate) fn asked_timeout(
    context: &Context<'_>,
    in_body: Option<u64>,
) -> Result<Option<Duration>, Error> {
    Ok(asked(context, in_body)?.map(|asked| asked.time))
}

/// The time until the deadline, and what decides it.
fn allowed(
    context: &Context<'_>,
    of_server: Option<Duration>,
    in_body: Option<u64>,
) -> Result<Allowed, Error> {
    let configured = match of_server {
        Some(time) => Allowed {
            time,
            by: SetBy::Server,
        },
        None => Allowed {
            time: context.state.settings.timeout,
            by: SetBy::Gateway,
        },
    };
    let asked = asked(context, in_body)?;
    Ok(asked
        .filter(|asked| asked.time < configured.time)
        .unwrap_or(configured))
}

fn asked(context: &Context<'_>, in_body: Option<u64>) -> Result<Option<Allowed>, Error> {
    let in_query = DeadlineInQuery::of(&context.query)?.timeout_ms;
    let asked = [in_query, in_body].into_iter().flatten().min();
    if asked == Some(0) {
        return Err(parameters::bad_timeout());
    }
    let asked = asked.map(|milliseconds| Allowed {
        time: Duration::from_millis(milliseconds),
        by: SetBy::Caller,
    });
    let preferred = DeadlineInHeader::of(context.request.headers())?.wait;
    let preferred = preferred.map(|time| Allowed {
        time,
        by: SetBy::Prefer,
    });
    let both = [asked, preferred].into_iter().flatten();
    Ok(both.min_by_key(|allowed| allowed.time))
}

/// The form of a tool's result, if the caller requests one.
pub(crate) fn result_form(context: &Context<'_>) -> Result<Option<ResultForm>, Error> {
    let asked = parameters::ResultForm::of(&context.query)?.form;
    Ok(asked.map(|asked| match asked {
        ToolForm::Mcp => ResultForm::Mcp,
        ToolForm::Structured => ResultForm::Structured,
        ToolForm::Text => ResultForm::Text,
        ToolForm::Value => ResultForm::Value,
        ToolForm::Image => ResultForm::Image,
        ToolForm::Audio => ResultForm::Audio,
    }))
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
