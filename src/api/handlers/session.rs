//! Sessions, owned by servers and callers, never by this service: open one, end one; and ping.

use actix_web::HttpResponse;
use bytes::{BufMut, Bytes, BytesMut};

use crate::api::error::kinds::{Error, Task};
use crate::api::openapi::mcp::{Ignored, InitializeResult, Pong};
use crate::api::openapi::problems::{
    BodyProblems, RequestProblems, ServerProblems, SessionProblems, SiteProblems,
};
use crate::api::request::context::Context;
use crate::api::request::parameters::{Deadline, Handshake, InServer, Session};
use crate::api::request::{body, options};
use crate::api::response::json;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::protocol::header::SessionId;

/// Open a session
///
/// The caller owns the session and ends it. For a server without sessions, `sessionId` is `null`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/initialize",
    operation_id = "initialize",
    tag = "sessions",
    params(InServer, Deadline),
    request_body(content = Option<Ignored>, description = "Nothing; an object is accepted and ignored"),
    responses(
        (status = 200, description = "The server's `result`, and `sessionId`", body = InitializeResult,
            headers(("Mcp-Session-Id"))),
        RequestProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn initialize(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let body = body::read(context).await?;
    body::object(&body)?;
    let options = CallOptions {
        init: Init::Always,
        close: false,
        ..options::of(context, server, None)?
    };
    let mut client = context.state.pool.client(server, options);
    let outcome = client.initialize().await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::Initialize, failure))?;
    let session = client.release_session();
    let body = with_session_id(&result, session.as_ref());
    Ok(json::with_session(json::body(body), session.as_ref()))
}

/// End a session
///
/// The session id is required, in the query or in the header.
#[utoipa::path(
    delete,
    path = "/api/mcp/{server}/session",
    operation_id = "endSession",
    tag = "sessions",
    params(InServer, Session, Deadline),
    responses(
        (status = 204, description = "The session has ended, now or before, or the server ends it by itself"),
        ServerProblems,
        SiteProblems,
    ),
)]
pub(crate) async fn end(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    if options.session.is_none() {
        return Err(Error::invalid(
            "Name the session to end in 'sessionId' or in the header 'Mcp-Session-Id'",
        ));
    }
    let mut client = context.state.pool.client(
        server,
        CallOptions {
            init: Init::Never,
            ..options
        },
    );
    let outcome = client.end_session().await;
    context.note_timing(&mut client);
    outcome.map_err(|failure| Error::upstream(Task::EndSession, failure))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ping a server
///
/// One round trip: `ping`, or `server/discover` where the protocol version has no `ping`. `Server-Timing` has its duration.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/ping",
    operation_id = "ping",
    tag = "servers",
    params(InServer, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server answered", body = Pong, headers(("Mcp-Session-Id"))),
        SessionProblems,
        SiteProblems,
    ),
)]
pub(crate) async fn ping(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let options = options::of(context, server, None)?;
    let mut client = context.state.pool.client(server, options);
    let outcome = client.ping().await;
    context.note_timing(&mut client);
    outcome.map_err(|failure| Error::upstream(Task::Ping, failure))?;
    let session = client.release_session();
    Ok(json::with_session(
        json::body(Bytes::from_static(b"{}")),
        session.as_ref(),
    ))
}

/// The members of the result, unchanged, followed by `sessionId`.
fn with_session_id(result: &[u8], session: Option<&SessionId>) -> Bytes {
    let members = result.trim_ascii();
    let members = members
        .strip_suffix(b"}")
        .unwrap_or(members)
        .trim_ascii_end();
    let id = session.map(SessionId::as_str);
    let mut body = BytesMut::with_capacity(result.len() + 64);
    body.put_slice(members);
    if members != b"{" {
        body.put_u8(b',');
    }
    body.put_slice(b"\"sessionId\":");
    body.put_slice(&serde_json::to_vec(&id).unwrap_or_else(|_| b"null".to_vec()));
    body.put_u8(b'}');
    body.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_id_follows_the_results_members() {
        let id = SessionId::parse(b"a\"b");
        assert_eq!(
            with_session_id(br#" {"n": 1.10 } "#, id.as_ref()),
            r#"{"n": 1.10,"sessionId":"a\"b"}"#
        );
        assert_eq!(with_session_id(b"{}", None), r#"{"sessionId":null}"#);
    }
}
