//! Call options: session, handshake, deadline and what becomes of tool errors, from the query and the headers.

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};
use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde_json::value::RawValue;

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::request::headers::single_header;
use crate::config::servers::{Server, ToolErrors};
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::protocol::header::{SESSION_ID, SessionId};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// Session, handshake and deadline, from the query and the headers. `timeout_ms` is what a body says.
pub(crate) fn of(
    context: &Context<'_>,
    server: &Server,
    timeout_ms: Option<u64>,
) -> Result<CallOptions, Error> {
    let init = match context.query.get("init")? {
        None | Some("auto") => Init::Auto,
        Some("true") => Init::Always,
        Some("false") => Init::Never,
        Some(_) => {
            return Err(Error::invalid(
                "The parameter 'init' must be true, false or auto",
            ));
        }
    };
    Ok(CallOptions {
        session: session(context)?,
        init,
        close: context.query.flag("close")?,
        deadline: context.started + timeout(context, server.timeout, timeout_ms)?,
    })
}

/// The caller's session id: the query counts before the header; empty and `null` mean none.
pub(crate) fn session(context: &Context<'_>) -> Result<Option<SessionId>, Error> {
    let in_query = context.query.get("sessionId")?;
    let in_header = single_header(context.request.headers(), &SESSION_ID)?;
    let in_query = in_query.map(|id| session_id(id.as_bytes())).transpose()?;
    let in_header = in_header.map(|id| session_id(id.as_bytes())).transpose()?;
    Ok(in_query.flatten().or(in_header.flatten()))
}

/// A session id as a caller gives it; empty and `null` mean none.
pub(crate) fn session_id(bytes: &[u8]) -> Result<Option<SessionId>, Error> {
    if matches!(bytes, b"" | b"null") {
        return Ok(None);
    }
    SessionId::parse(bytes).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "A session id is 1 to {} characters of visible ASCII",
            SessionId::MAX_LEN
        ))
    })
}

/// The server's deadline if it has its own, else the gateway's, or a lower one that the caller asks for.
pub(crate) fn timeout(
    context: &Context<'_>,
    of_server: Option<Duration>,
    in_body: Option<u64>,
) -> Result<Duration, Error> {
    let most = of_server.unwrap_or(context.state.settings.timeout);
    let asked = asked_timeout(context, in_body)?;
    Ok(asked.map_or(most, |asked| asked.min(most)))
}

/// The deadline that the caller asks for, if it does.
pub(crate) fn asked_timeout(
    context: &Context<'_>,
    in_body: Option<u64>,
) -> Result<Option<Duration>, Error> {
    let in_query = match context.query.get("timeoutMs")? {
        None => None,
        Some(raw) => Some(whole(raw).ok_or_else(bad_timeout)?),
    };
    let asked = [in_query, in_body].into_iter().flatten().min();
    if asked == Some(0) {
        return Err(bad_timeout());
    }
    let preferred = preferred_wait(context.request.headers());
    let asked = asked.map(Duration::from_millis);
    Ok([asked, preferred].into_iter().flatten().min())
}

/// The value of a number that is whole, however it is written; the largest there is for what is larger.
fn whole(written: &str) -> Option<u64> {
    if let Ok(number) = written.parse() {
        return Some(number);
    }
    let number: f64 = written.parse().ok()?;
    if number.is_nan() || number < 0.0 || (number.is_finite() && number.fract() != 0.0) {
        return None;
    }
    Some(format!("{number:.0}").parse().unwrap_or(u64::MAX))
}

/// `timeoutMs` of a body.
pub(crate) fn milliseconds<'de, D: Deserializer<'de>>(body: D) -> Result<Option<u64>, D::Error> {
    let Some(written) = <Option<&RawValue>>::deserialize(body)? else {
        return Ok(None);
    };
    let number = whole(written.get());
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom("'timeoutMs' must be a whole number"))
}

fn bad_timeout() -> Error {
    Error::invalid("'timeoutMs' must be a whole number of milliseconds above 0")
}

/// `Prefer: wait=N` (RFC 7240), in seconds. A preference that is not understood is none.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(PREFER)
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
            (name.trim().eq_ignore_ascii_case("wait") && seconds > 0)
                .then(|| Duration::from_secs(seconds))
        })
}

/// Whether `isError` is to become a status: what the caller says, else what the server's entry says.
pub(crate) fn tool_errors(context: &Context<'_>, server: &Server) -> Result<ToolErrors, Error> {
    Ok(tool_errors_asked(context)?.unwrap_or(server.tool_errors))
}

/// The same, if the caller says anything.
pub(crate) fn tool_errors_asked(context: &Context<'_>) -> Result<Option<ToolErrors>, Error> {
    match context.query.get("toolErrors")? {
        None => Ok(None),
        Some("result") => Ok(Some(ToolErrors::Result)),
        Some("status") => Ok(Some(ToolErrors::Status)),
        Some(_) => Err(Error::invalid(
            "The parameter 'toolErrors' must be result or status",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_however_they_are_written() {
        for (written, number) in [
            ("5", Some(5)),
            ("5.0", Some(5)),
            ("5e3", Some(5000)),
            ("28640280889800019968", Some(u64::MAX)),
            ("1e400", Some(u64::MAX)),
            ("0", Some(0)),
            ("5.5", None),
            ("-1", None),
            ("", None),
            ("x", None),
            ("NaN", None),
        ] {
            assert_eq!(whole(written), number, "{written}");
        }
    }
}
