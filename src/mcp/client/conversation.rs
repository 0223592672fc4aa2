//! One request to a legacy server, and all that may pass before its reply: requests from the server, which are answered by
//! messages of their own; streams that end early and are resumed; and the session's standalone stream beside them.
//!
//! Whether there is a session, and which, is decided before; see `legacy`.

use std::borrow::Cow;
use std::pin::pin;
use std::time::Duration;

use actix_rt::time::{sleep, timeout};
use awc::http::header::{HeaderName, HeaderValue};
use awc::http::{StatusCode, Uri};
use bytes::Bytes;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select_biased};

use crate::config::servers::Server;
use crate::mcp::http::events::Events;
use crate::mcp::http::transport::{Body, Post, Response, Transport};
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::message::{Notification, Reply, ServerRequest};
use crate::mcp::protocol::outcome::Head;
use crate::mcp::stream::collapse::Step;
use crate::mcp::stream::notifications::Watch;

/// Timeout of one reply to a request from the server.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Replies under way at the same time. A server that sends more requests is read no further until it accepts some.
const REPLIES: usize = 16;
/// Streams on which one reply is waited for.
const RESUMPTIONS: usize = 1000;
/// Attempts to resume without a single event in between.
const RESUME_ATTEMPTS: u32 = 5;
/// The pause before a stream is resumed, where the server sends no `retry`: doubled with each attempt that fails.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause between attempts to open the standalone stream, when another client holds it or it has ended.
const REOPEN_PAUSE: Duration = Duration::from_millis(500);
/// The shortest pause, whatever the server sends.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// The stream of a session that belongs to no request; see `standalone`.
pub(crate) enum Standalone {
    /// It is not needed, or the server has none.
    Absent,
    /// It is open.
    Open(Box<Events>),
    /// Another client has it open, and may close it before the reply to this request.
    Taken,
}

/// The target and the headers of all messages around one request.
pub(crate) struct Conversation<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) server: &'a Server,
    pub(crate) target: Cow<'a, Uri>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Where notifications before the reply go.
    pub(crate) watch: Option<Watch>,
}

impl Conversation<'_> {
    /// Sends a request and waits for its reply, on the request's own stream or on `standalone`.
    pub(crate) async fn request(
        &self,
        id: &Id,
        body: Bytes,
        standalone: Standalone,
    ) -> Result<Bytes, Error> {
        let answered = self.post_and_read(id, body);
        let stream = match standalone {
            Standalone::Absent => return answered.await,
            Standalone::Open(events) => Some(events),
            Standalone::Taken => None,
        };
        match select(pin!(answered), Box::pin(self.keep_listening(stream, id))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((reply, _)) => Head::of(StatusCode::OK).outcome(Some(reply)),
        }
    }

    /// Reads the standalone stream for as long as this is awaited, and opens it again when the server ends it. A reply that a
    /// server sends there counts.
    async fn keep_listening(&self, mut stream: Option<Box<Events>>, id: &Id) -> Reply {
        loop {
            if let Some(events) = stream.take()
                && let Ok(Some(reply)) = self.read_to_reply(events, id).await
            {
                return reply;
            }
            sleep(REOPEN_PAUSE).await;
            let listening = self
                .transport
                .listen(self.server, &self.headers, id.clone());
            stream = match listening.await {
                Ok((_, opened)) => opened,
                Err(_) => None,
            };
        }
    }

    /// Sends a message that has no reply.
    pub(crate) async fn send(&self, body: Bytes) -> Result<(), Error> {
        self.post(body, None).await?.head.accepted()
    }

    async fn post_and_read(&self, id: &Id, body: Bytes) -> Result<Bytes, Error> {
        let Response { head, body } = self.post(body, Some(id)).await?;
        let reply = match body {
            Body::Read(reply) => reply,
            Body::Events(events) => self.read_to_reply(events, id).await?,
        };
        head.outcome(reply)
    }

    async fn post(&self, body: Bytes, id: Option<&Id>) -> Result<Response, Error> {
        let post = Post {
            server: self.server,
            target: &self.target,
            headers: &self.headers,
            body,
            id,
        };
        self.transport.post(post).await
    }

    /// Reads a stream, and the streams on which it is resumed, to the reply.
    async fn read_to_reply(
        &self,
        mut events: Box<Events>,
        id: &Id,
    ) -> Result<Option<Reply>, Error> {
        if self.watch.is_some() {
            events.collapse.keep_notifications();
        }
        let mut resumptions = 0;
        loop {
            let ended = match self.read(&mut events).await {
                Ok(Some(reply)) => {
                    events.release();
                    return Ok(Some(reply));
                }
                // Losing the connection does not cancel a request in this era.
                Ok(None) => Ok(None),
                Err(lost @ Error::Lost(_)) => Err(lost),
                Err(error) => return Err(error),
            };
            resumptions += 1;
            if resumptions > RESUMPTIONS || !self.resume(&mut events, id).await {
                return ended;
            }
        }
    }

    /// Reads one stream to the reply or to its end, and answers the server's requests on it.
    pub(crate) async fn read(&self, events: &mut Events) -> Result<Option<Reply>, Error> {
        loop {
            match events.next().await? {
                Some(Step::Reply(reply)) => return Ok(Some(reply)),
                Some(Step::Request(request)) => {
                    return Box::pin(self.read_and_reply(events, &request)).await;
                }
                Some(Step::Notification(notification)) => self.forward(notification).await,
                Some(Step::Endpoint(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The same from the server's first request on: reading goes on while replies to its requests are under way.
    async fn read_and_reply(
        &self,
        events: &mut Events,
        first: &ServerRequest,
    ) -> Result<Option<Reply>, Error> {
        let mut replies = FuturesUnordered::new();
        replies.push(self.reply_to(first));
        loop {
            let step = select_biased! {
                () = replies.select_next_some() => continue,
                step = pin!(events.next().fuse()) => step?,
            };
            match step {
                Some(Step::Reply(reply)) => return Ok(Some(reply)),
                Some(Step::Request(request)) => {
                    if replies.len() >= REPLIES {
                        replies.next().await;
                    }
                    replies.push(self.reply_to(&request));
                }
                Some(Step::Notification(notification)) => self.forward(notification).await,
                Some(Step::Endpoint(_)) => {}
                None => {
                    // Polling servers end a stream after a request, and go on once it is answered.
                    while replies.next().await.is_some() {}
                    return Ok(None);
                }
            }
        }
    }

    async fn forward(&self, notification: Notification) {
        if let Some(watch) = &self.watch {
            watch.send(notification).await;
        }
    }

    fn reply_to(&self, request: &ServerRequest) -> impl Future<Output = ()> + use<'_> {
        let reply = self.send(request.reply().into());
        async {
            match timeout(REPLY_TIMEOUT, reply).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::debug!("a reply to the server was not accepted: {error}"),
                Err(_) => log::debug!("a reply to the server was not accepted in time"),
            }
        }
    }

    /// Opens the next stream of a reply (2025-03-26 to 2025-11-25, "Resumability and Redelivery"); `false` if there is
    /// no event id to resume from, or the server has no more events.
    async fn resume(&self, events: &mut Events, id: &Id) -> bool {
        let Some(last_event_id) = events.collapse.last_event_id() else {
            return false;
        };
        let mut headers = self.headers.clone();
        headers.push((header::LAST_EVENT_ID, last_event_id.clone()));
        for attempt in 0..RESUME_ATTEMPTS {
            let pause = events.collapse.retry().unwrap_or(PAUSE * (1 << attempt));
            sleep(pause.max(LEAST_PAUSE)).await;
            let listening = self.transport.listen(self.server, &headers, id.clone());
            match listening.await {
                Ok((_, Some(stream))) => {
                    events.resume(stream);
                    return true;
                }
                Ok((status, None)) if !status.is_server_error() => return false,
                Ok((_, None)) | Err(Error::Unreachable(_) | Error::Lost(_)) => {}
                Err(_) => return false,
            }
        }
        false
    }
}
