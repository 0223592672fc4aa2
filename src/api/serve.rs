//! One request from its arrival to its response: route, access and handler; errors and panics; the end of the connection.

use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::{ConnectionType, Version};
use actix_web::{HttpRequest, HttpResponse, web};
use futures::FutureExt;

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::response::{finish, json};
use crate::api::routes;
use crate::api::state::State;
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SESSION_ID;

/// The response to a request: that of its handler, or a problem.
pub(crate) async fn serve(
    state: Rc<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    let mut context = Context::new(&state, &request, payload);
    let active = context.exchange.begin();
    let outcome = AssertUnwindSafe(routes::answer(&mut context))
        .catch_unwind()
        .await;
    let response = match outcome {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => problem(&mut context, &error),
        // The panic hook has written what happened; without this the caller would see a dropped connection.
        Err(_) => problem(&mut context, &Error::Internal),
    };
    let response = in_pieces(&mut context, response);
    let mut response = finish::finish(&mut context, response);
    // HTTP/1.0 has no chunks: the end of the connection is the end of a body without a length.
    let ends_with_connection =
        request.head().version == Version::HTTP_10 && response.body().size() == BodySize::Stream;
    // A client that offers an upgrade (Java's: h2c) is not told otherwise that the connection is not kept.
    let is_last = state.shutdown.is_closing()
        || context.exchange.is_scarce()
        || request.head().upgrade()
        || ends_with_connection;
    if is_last {
        let head = response.head_mut();
        head.set_connection_type(ConnectionType::Close);
        head.no_chunking(ends_with_connection);
    }
    if let Some(unread) = context.payload.take() {
        context.exchange.keep_unread(unread);
    }
    active.until_sent(response)
}

/// The response to an error, whose code is noted for the log.
fn problem(context: &mut Context<'_>, error: &Error) -> HttpResponse {
    let (response, code) = json::problem(error, context.about(), context.state.pool.budget());
    context.code = Some(code);
    response
}

/// A large body is sent in pieces, and counts against the memory limit until the last of them is sent.
fn in_pieces(context: &mut Context<'_>, response: HttpResponse) -> HttpResponse {
    let head = match json::within_budget(context.state.pool.budget(), response) {
        Ok(response) => return response,
        Err(head) => head,
    };
    // There is a response: the server, if a request was sent to it, has answered.
    let executed = if context.has_asked() {
        Executed::Yes
    } else {
        Executed::No
    };
    let mut response = problem(context, &Error::NoRoom(executed));
    // The session is released to the caller all the same.
    if let Some(session) = head.headers().get(SESSION_ID) {
        let session = session.clone();
        response.headers_mut().insert(SESSION_ID, session);
    }
    response
}
