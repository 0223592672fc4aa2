//! Sessions, which are the server's and the caller's, never ours: open one, end one, and ask whether the server is there.

use actix_web::HttpResponse;
use bytes::{BufMut, Bytes, BytesMut};

use crate::api::error::kinds::{Error, Task};
use crate::api::openapi::mcp::{Ignored, InitializeResult, Pong};
use crate::api::openapi::problems::{
    BodyProblems, RequestProblems, ServerProblems, SessionProblems, SiteProblems,
};
use crate::api::request::body;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::request::parameters::{Deadline, Handshake, InServer, Session};
use crate::api::response::json;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::protocol::header::SessionId;

/// Open a session
///
/// The session is the caller's, to be ended by the caller. A server without sessions says what it is, and `sessionId` is
/// `null`.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/initialize",
    operation_id = "initialize",
    tag = "sessions",
    params(InServer, Deadline),
    request_body(content = Option<Ignored>, description = "Nothing; an object is accepted and not looked at"),
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
    let wishes = CallOptions {
        init: Init::Always,
        close: false,
        ..options::of(context, server, None)?
    };
    let mut client = context.state.pool.client(server, wishes);
    let outcome = client.initialize().await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::Initialize, failure))?;
    let session = client.release_session();
    let body = with_session_id(&result, session.as_ref());
    Ok(json::with_session(json::json(body), session.as_ref()))
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
        (status = 204, description = "The session is ended, was ended before, or will end by itself"),
        ServerProblems,
        SiteProblems,
    ),
)]
pub(crate) async fn end(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let wishes = options::of(context, server, None)?;
    if wishes.session.is_none() {
        return Err(Error::invalid(
            "Name the session to end in 'sessionId' or in the header 'Mcp-Session-Id'",
        ));
    }
    let mut client = context.state.pool.client(
        server,
        CallOptions {
            init: Init::Never,
            ..wishes
        },
    );
    let outcome = client.end_session().await;
    context.note_timing(&mut client);
    outcome.map_err(|failure| Error::upstream(Task::EndSession, failure))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ask a server for a sign of life
///
/// One round trip: `ping`, or `server/discover` where there is none. `Server-Timing` says how long it took.
#[utoipa::path(
    post,
    path = "/api/mcp/{server}/ping",
    operation_id = "ping",
    tag = "servers",
    params(InServer, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server has answered", body = Pong, headers(("Mcp-Session-Id"))),
        SessionProblems,
        SiteProblems,
    ),
)]
pub(crate) async fn ping(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let wishes = options::of(context, server, None)?;
    let mut client = context.state.pool.client(server, wishes);
    let outcome = client.ping().await;
    context.note_timing(&mut client);
    outcome.map_err(|failure| Error::upstream(Task::Ping, failure))?;
    let session = client.release_session();
    Ok(json::with_session(
        json::json(Bytes::from_static(b"{}")),
        session.as_ref(),
    ))
}

/// The result's members as they are, and `sessionId` after them.
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
