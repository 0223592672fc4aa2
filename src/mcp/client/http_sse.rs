//! The transport of 2024-11-05, HTTP+SSE: one event stream for all messages of the server, whose first event names the
//! endpoint that messages are posted to.
//!
//! The stream is the session: it lasts as long as the client that opened it, and nobody else can use it.

use std::time::Duration;

use actix_rt::time::timeout;
use awc::http::{StatusCode, Uri};
use bytes::Bytes;

use crate::config::servers::Server;
use crate::mcp::client::conversation::Conversation;
use crate::mcp::http::events::Events;
use crate::mcp::http::redirect::same_origin;
use crate::mcp::http::transport::{Post, Transport};
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::outcome::Head;
use crate::mcp::protocol::request;
use crate::mcp::server_state::Upstream;
use crate::mcp::stream::collapse::Step;

/// Timeout of the first event.
const FIRST_EVENT: Duration = Duration::from_secs(5);
/// Timeout of a cancellation, for which the stream is kept open.
const CANCELLATION: Duration = Duration::from_secs(2);

/// An open stream, and where messages go.
pub(crate) struct Channel {
    events: Box<Events>,
    pub(crate) endpoint: Uri,
}

impl Channel {
    /// Opens the stream; `None` if the server's response is no such stream.
    pub(crate) async fn open(
        transport: &Transport,
        server: &Server,
    ) -> Result<Option<Self>, Error> {
        let Some(mut events) = transport.listen(server, &[], Id::random()).await?.1 else {
            return Ok(None);
        };
        match timeout(FIRST_EVENT, events.next()).await {
            Ok(Ok(Some(Step::Endpoint(endpoint)))) => {
                let endpoint = std::str::from_utf8(&endpoint).ok();
                let endpoint = endpoint.and_then(|path| same_origin(&server.url, path));
                let endpoint = endpoint.ok_or_else(|| {
                    Error::Malformed("the endpoint is not on the server's own origin".into())
                })?;
                Ok(Some(Self { events, endpoint }))
            }
            // A stream of another kind, whose server sends nothing by itself.
            _ => Ok(None),
        }
    }

    /// Posts a request and reads the stream to its reply.
    pub(crate) async fn request(
        &mut self,
        conversation: &Conversation<'_>,
        id: &Id,
        body: Bytes,
    ) -> Result<Bytes, Error> {
        self.events.collapse.expect(id.clone());
        if conversation.watch.is_some() {
            self.events.collapse.keep_notifications();
        }
        conversation.send(body).await?;
        let reply = conversation.read(&mut self.events).await?;
        Head::of(StatusCode::OK).outcome(reply)
    }

    /// Cancels what still runs, and closes the stream after that.
    pub(crate) fn cancel_and_close(self, transport: Transport, server: Upstream, id: &Id) {
        let body = request::cancelled(id).into();
        actix_rt::spawn(async move {
            let post = Post {
                server: &server,
                target: &self.endpoint,
                headers: &[],
                body,
                id: None,
            };
            // Closing the stream ends the request in any case.
            let _ = timeout(CANCELLATION, transport.post(post)).await;
            drop(self.events);
        });
    }
}
