//! One request to a legacy server, and all that may pass between it and its answer: requests of the server's own, which
//! are answered by messages of their own; streams that end early and are resumed; and a second stream for what the server
//! does not send on the first.
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

/// How long a server may take to take an answer to its own request.
const TAKING: Duration = Duration::from_secs(10);
/// Answers under way at the same time. A server that asks more gets no further until it takes some.
const REPLIES: usize = 16;
/// How often one answer is waited for on another stream.
const RESUMPTIONS: usize = 1000;
/// How often in a row without a single event.
const FRUITLESS: u32 = 5;
/// The wait before a stream is resumed whose server does not say how long: doubled each time that brings nothing.
const WAIT: Duration = Duration::from_millis(100);
/// Between attempts to open a stream that somebody else holds, or that has ended.
const AGAIN: Duration = Duration::from_millis(500);
/// The least wait, whatever the server says.
const LEAST_WAIT: Duration = Duration::from_millis(10);

/// The stream of a session that belongs to no request; see `standalone`.
pub(crate) enum Standalone {
    /// It is not wanted, or the server has none.
    Absent,
    /// It is open.
    Open(Box<Events>),
    /// Somebody else has it open, who may leave it before this request is answered.
    Taken,
}

/// Where the messages of one conversation go, and with which headers.
pub(crate) struct Conversation<'a> {
    pub(crate) transport: &'a Transport,
    pub(crate) server: &'a Server,
    pub(crate) target: Cow<'a, Uri>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Who wants to know what the server tells before it answers.
    pub(crate) watch: Option<Watch>,
}

impl Conversation<'_> {
    /// Sends a request and waits for its answer, on the stream that answers the request or on `standalone`.
    pub(crate) async fn request(
        &self,
        id: &Id,
        body: Bytes,
        standalone: Standalone,
    ) -> Result<Bytes, Error> {
        let answered = self.post_and_follow(id, body);
        let stream = match standalone {
            Standalone::Absent => return answered.await,
            Standalone::Open(events) => Some(events),
            Standalone::Taken => None,
        };
        match select(pin!(answered), Box::pin(self.keep_listening(stream, id))).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((answer, _)) => Head::of(StatusCode::OK).outcome(Some(answer)),
        }
    }

    /// Attends the stream of the session for as long as this is awaited: servers end it now and then, and allow only one.
    /// A server that answers a request there is taken at its word.
    async fn keep_listening(&self, mut stream: Option<Box<Events>>, id: &Id) -> Reply {
        loop {
            if let Some(events) = stream.take()
                && let Ok(Some(answer)) = self.follow(events, id).await
            {
                return answer;
            }
            sleep(AGAIN).await;
            let listening = self
                .transport
                .listen(self.server, &self.headers, id.clone());
            stream = match listening.await {
                Ok((_, opened)) => opened,
                Err(_) => None,
            };
        }
    }

    /// Sends a message to which no answer comes.
    pub(crate) async fn tell(&self, body: Bytes) -> Result<(), Error> {
        self.post(body, None).await?.head.accepted()
    }

    async fn post_and_follow(&self, id: &Id, body: Bytes) -> Result<Bytes, Error> {
        let Response { head, body } = self.post(body, Some(id)).await?;
        let answer = match body {
            Body::Read(answer) => answer,
            Body::Events(events) => self.follow(events, id).await?,
        };
        head.outcome(answer)
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

    /// Reads a stream to the answer, and the streams on which it is resumed.
    async fn follow(&self, mut events: Box<Events>, id: &Id) -> Result<Option<Reply>, Error> {
        if self.watch.is_some() {
            events.collapse.keep_notifications();
        }
        let mut resumptions = 0;
        loop {
            let ended = match self.attend(&mut events).await {
                Ok(Some(answer)) => {
                    events.leave();
                    return Ok(Some(answer));
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

    /// Reads one stream to the answer or to its end, and answers what the server asks on it.
    pub(crate) async fn attend(&self, events: &mut Events) -> Result<Option<Reply>, Error> {
        loop {
            match events.next().await? {
                Some(Step::Reply(answer)) => return Ok(Some(answer)),
                Some(Step::Request(request)) => {
                    return Box::pin(self.attend_and_reply(events, &request)).await;
                }
                Some(Step::Notification(told)) => self.pass_on(told).await,
                Some(Step::Endpoint(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The same once the server has asked something: reading goes on while answers to it are under way.
    async fn attend_and_reply(
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
                Some(Step::Reply(answer)) => return Ok(Some(answer)),
                Some(Step::Request(request)) => {
                    if replies.len() >= REPLIES {
                        replies.next().await;
                    }
                    replies.push(self.reply_to(&request));
                }
                Some(Step::Notification(told)) => self.pass_on(told).await,
                Some(Step::Endpoint(_)) => {}
                None => {
                    // Polling servers end a stream after they have asked, and go on when they are answered.
                    while replies.next().await.is_some() {}
                    return Ok(None);
                }
            }
        }
    }

    async fn pass_on(&self, told: Notification) {
        if let Some(watch) = &self.watch {
            watch.tell(told).await;
        }
    }

    fn reply_to(&self, request: &ServerRequest) -> impl Future<Output = ()> + use<'_> {
        let reply = self.tell(request.reply().into());
        async {
            match timeout(TAKING, reply).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::debug!("an answer was not taken: {error}"),
                Err(_) => log::debug!("an answer was not taken in time"),
            }
        }
    }

    /// Opens the next stream of an answer (2025-03-26 to 2025-11-25, "Resumability and Redelivery"); `false` if there is
    /// nothing to resume from, or the server has no more.
    async fn resume(&self, events: &mut Events, id: &Id) -> bool {
        let Some(last_event_id) = events.collapse.last_event_id() else {
            return false;
        };
        let mut headers = self.headers.clone();
        headers.push((header::LAST_EVENT_ID, last_event_id.clone()));
        for attempt in 0..FRUITLESS {
            let wait = events.collapse.retry().unwrap_or(WAIT * (1 << attempt));
            sleep(wait.max(LEAST_WAIT)).await;
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
