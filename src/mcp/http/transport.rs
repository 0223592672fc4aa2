//! One HTTP request out, one reply back: redirects, content types, caps, and the retries that can do no harm.
//!
//! What a reply means is not decided here; see `outcome`. Deadlines are set outside, around whole operations.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION,
    RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use awc::http::{Method, StatusCode, Uri};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use url::Url;

use crate::config::servers::Server;
use crate::config::settings::Limits;
use crate::descriptors;
use crate::json;
use crate::mcp::http::body::{Kind, broken, drain_in_background, is_all, is_framed, read_body};
use crate::mcp::http::connections::Connections;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::http::socket::{Connection, Flight};
use crate::mcp::http::unpack::unpacked;
use crate::mcp::limits::{Budget, SMALL};
use crate::mcp::protocol::error::{Cap, Error};
use crate::mcp::protocol::header;
use crate::mcp::protocol::header::{ACCEPT_BOTH, SessionId};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::message;
use crate::mcp::protocol::message::{BodyReply, Reply};
use crate::mcp::protocol::outcome::Head;
use crate::mcp::stream::collapse::{Collapse, Step};
use crate::mcp::stream::notifications::Watch;
use crate::offload;

/// Who asks.
const OURSELVES: HeaderValue =
    HeaderValue::from_static(concat!("mcp-rest/", env!("CARGO_PKG_VERSION")));
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static(header::EVENT_STREAM);
/// Headers every request has; room is made for them at once.
const HEADERS: usize = 5;
/// Same-origin 307 and 308 followed for one request. Starlette answers `/mcp` with 307 to `/mcp/` or back.
const REDIRECTS: usize = 3;
/// Connections that turn out to be closed before a request could arrive, for one request.
const STALE: usize = 3;
/// An error body over this is not looked into.
const ERROR_BODY: usize = 1024 * 1024;
/// The HTTP client of one worker. Cheap to clone; not `Send`, as awc is not.
#[derive(Clone)]
pub struct Transport {
    connections: Connections,
    limits: Limits,
    budget: Budget,
}

/// One message to send.
pub struct Post<'a> {
    /// The configured server, whose headers go along.
    pub server: &'a Server,
    /// To where: its URL, or the endpoint it has named on the same origin.
    pub target: &'a Uri,
    /// The headers of this message beside `Accept` and `Content-Type`.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The message.
    pub body: Bytes,
    /// Whose answer is waited for; `None` for a notification.
    pub id: Option<&'a Id>,
}

/// What came back.
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The rest.
    pub body: Body,
}

/// What a reply holds beside its head.
pub enum Body {
    /// A JSON-RPC answer, or nothing that could be read as one.
    Read(Option<Reply>),
    /// An event stream, still to be read.
    Events(Box<Events>),
}

/// An event stream on its way in. Dropping it closes the connection.
pub struct Events {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    /// What it is read with.
    pub collapse: Collapse,
    connection: Connection,
}

/// What is asked of HTTP.
struct Request<'a> {
    method: Method,
    server: &'a Server,
    target: &'a Uri,
    headers: &'a [(HeaderName, HeaderValue)],
    body: &'a Bytes,
}

// === impl Transport ===

impl Transport {
    /// A pool with the process's TLS configuration. Must be made on the runtime it is used on.
    pub fn new(tls: Arc<rustls::ClientConfig>, limits: Limits, budget: Budget) -> Self {
        Self {
            connections: Connections::new(tls),
            limits,
            budget,
        }
    }

    /// What bodies share.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The caps on answers.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a message and reads the reply to it, up to the first event of a stream.
    pub async fn post(&self, post: Post<'_>) -> Result<Response, Error> {
        let (response, connection) = self
            .send(&Request {
                method: Method::POST,
                server: post.server,
                target: post.target,
                headers: post.headers,
                body: &post.body,
            })
            .await?;
        let head = head_of(&response);
        let body = if let Some(id) = post.id {
            self.read(response, connection, id).await?
        } else {
            drain_in_background(response);
            Body::Read(None)
        };
        Ok(Response { head, body })
    }

    /// GET of an event stream, on which the answer to `id` is looked for. `None` where the server answers with anything else,
    /// whose status then says why.
    pub async fn listen(
        &self,
        server: &Server,
        headers: &[(HeaderName, HeaderValue)],
        id: Id,
    ) -> Result<(StatusCode, Option<Box<Events>>), Error> {
        let (response, connection) = self
            .send(&Request {
                method: Method::GET,
                server,
                target: &server.url,
                headers,
                body: &Bytes::new(),
            })
            .await?;
        let status = response.status();
        if !status.is_success() || Kind::of(response.headers()) != Kind::EventStream {
            return Ok((status, None));
        }
        let mut events = self.events(response, connection, id);
        events.collapse = events.collapse.among_others();
        Ok((status, Some(Box::new(events))))
    }

    /// Ends a session. Every status is fine: 405 means that the server does not allow it, 404 that it is gone.
    pub async fn delete(&self, server: &Server, session: &SessionId) -> Result<StatusCode, Error> {
        let headers = [(header::SESSION_ID, session.header())];
        let (response, _) = self
            .send(&Request {
                method: Method::DELETE,
                server,
                target: &server.url,
                headers: &headers,
                body: &Bytes::new(),
            })
            .await?;
        let status = response.status();
        drain_in_background(response);
        Ok(status)
    }

    /// Sends a request to where the server redirects it, if need be.
    async fn send(
        &self,
        request: &Request<'_>,
    ) -> Result<
        (
            awc::ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>,
            Connection,
        ),
        Error,
    > {
        let mut target = Cow::Borrowed(request.target);
        let mut redirects = 0;
        loop {
            let (response, connection) = self.send_until_it_arrives(request, &target).await?;
            if !is_all(&response) {
                connection.spoil();
            }
            let status = response.status();
            if !status.is_redirection() {
                return Ok((response, connection));
            }
            redirects += 1;
            let elsewhere = redirected(&target, status, response.headers())
                .filter(|_| redirects <= REDIRECTS)
                .ok_or(Error::Redirect(status))?;
            target = Cow::Owned(elsewhere);
        }
    }

    /// Sends a request again where it is certain that it did not arrive: no connection was made, or the server had
    /// closed the one that was used. Whatever it asks for, it cannot have run.
    async fn send_until_it_arrives(
        &self,
        request: &Request<'_>,
        target: &Uri,
    ) -> Result<
        (
            awc::ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>,
            Connection,
        ),
        Error,
    > {
        let (mut refused, mut stale) = (0, 0);
        loop {
            let now = Instant::now();
            let flight = Flight::begin(now);
            let sending = self.request(request, target, now);
            let sent = flight.carry(send(sending, request.body)).await;
            self.connections.learn_from(&flight, target, now);
            let error = match sent {
                Ok(response) => return Ok((unpacked(response), flight.connection())),
                Err(error) => error,
            };
            if let SendRequestError::Connect(ConnectError::Io(cause)) = &error
                && !descriptors::are_wanting(cause)
                && refused < request.server.retries
            {
                log::debug!(server = request.server.name; "the connection was refused; trying again");
                refused += 1;
                sleep(pause_before(refused)).await;
                continue;
            }
            let error = unanswered(error);
            if matches!(error, Error::Lost(_)) && flight.never_arrived().await {
                if stale == STALE {
                    return Err(Error::Unreachable("it closes every connection".into()));
                }
                self.connections.note_closing(target, now);
                stale += 1;
                continue;
            }
            return Err(error);
        }
    }

    fn request(&self, request: &Request<'_>, target: &Uri, now: Instant) -> awc::ClientRequest {
        let server = request.server;
        let mut outgoing = self.connections.request(&request.method, target, now);
        let sent = outgoing.headers_mut();
        sent.reserve(HEADERS + server.headers.len() + request.headers.len());
        for (name, value) in &server.headers {
            sent.insert(name.clone(), value.clone());
        }
        for (name, value) in request.headers {
            sent.insert(name.clone(), value.clone());
        }
        sent.insert(HOST, server.host.clone());
        let accept = if request.method == Method::GET {
            ACCEPT_EVENTS
        } else {
            ACCEPT_BOTH
        };
        sent.insert(ACCEPT, accept);
        sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        sent.insert(USER_AGENT, OURSELVES);
        if !request.body.is_empty() {
            sent.insert(CONTENT_TYPE, HeaderValue::from_static(header::JSON));
        }
        // Bodies are unpacked here.
        outgoing.no_decompress()
    }

    /// Reads a response, unless it is a stream. Whoever gets the answer to another may see everybody's answers shifted: then
    /// the connection is not used again.
    async fn read<S>(
        &self,
        mut response: awc::ClientResponse<S>,
        connection: Connection,
        id: &Id,
    ) -> Result<Body, Error>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        if response.status().is_success() && !is_framed(&response) {
            return Err(Error::Unframed);
        }
        let kind = Kind::of(response.headers());
        if (response.status().is_success(), kind) == (true, Kind::EventStream) {
            let events = self.events(response, connection, id.clone());
            return Ok(Body::Events(Box::new(events)));
        }
        let found = self.read_lone(&mut response, kind, id).await;
        if matches!(found, Err(_) | Ok(BodyReply::OfAnother)) {
            connection.spoil();
        }
        Ok(Body::Read(match found? {
            BodyReply::Reply(answer) => Some(answer),
            BodyReply::OfAnother | BodyReply::Nothing => None,
        }))
    }

    async fn read_lone<S>(
        &self,
        response: &mut awc::ClientResponse<S>,
        kind: Kind,
        id: &Id,
    ) -> Result<BodyReply, Error>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    {
        if !response.status().is_success() {
            // The status alone says enough; a body that cannot be read or is no JSON-RPC error adds nothing.
            let Ok(body) = read_body(response, ERROR_BODY, self.budget.share()).await else {
                return Ok(BodyReply::Nothing);
            };
            let found = self.reply_in_body(body, id).await;
            return Ok(found.unwrap_or(BodyReply::Nothing));
        }
        if kind == Kind::Other {
            return Err(Error::ContentType);
        }
        let cap = self.limits.response_bytes;
        let body = read_body(response, cap, self.budget.share()).await?;
        self.reply_in_body(body, id).await
    }

    async fn reply_in_body(&self, body: Bytes, id: &Id) -> Result<BodyReply, Error> {
        let depth = self.limits.depth;
        if !offload::is_large(body.len()) {
            return reply_in_body(&body, id, depth);
        }
        let id = id.clone();
        let reading = offload::run(body.len(), move || reply_in_body(&body, &id, depth));
        let read = reading.await;
        read.unwrap_or_else(|| Err(Error::Internal("an answer could not be read".into())))
    }

    fn events(
        &self,
        chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
        connection: Connection,
        id: Id,
    ) -> Events {
        Events {
            chunks: Box::pin(chunks),
            collapse: Collapse::new(id, self.limits, self.budget.clone()),
            connection,
        }
    }
}

/// A large body is written in pieces: awc copies what it is given at once.
fn send(request: awc::ClientRequest, body: &Bytes) -> awc::SendClientRequest {
    if body.len() <= SMALL {
        request.send_body(body.clone())
    } else {
        request.send_body(Pieces::of(body.clone()))
    }
}

/// The answer to `id` in a body that holds nothing else.
fn reply_in_body(body: &Bytes, id: &Id, depth: usize) -> Result<BodyReply, Error> {
    if json::nests_deeper_than(body, depth) {
        return Err(Error::TooLarge(Cap::Depth));
    }
    Ok(message::reply_in_body(body, id)?)
}

/// Between a tenth of a second and twice that before the second attempt, and twice as long before each that follows. The
/// half that is left to chance keeps replicas from coming back all at once.
pub fn pause_before(retry: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    FIRST
        .saturating_mul(1 << retry.saturating_sub(1).min(6))
        .mul_f64(1.0 + rand::random::<f64>())
}

// === impl Response ===

impl Response {
    /// The result. What else the server says until it is there is for who watches, if anybody does.
    pub async fn outcome(self, watch: Option<&Watch>) -> Result<Bytes, Error> {
        let answer = match self.body {
            Body::Read(answer) => answer,
            Body::Events(events) => events.answer(watch).await?,
        };
        self.head.outcome(answer)
    }
}

// === impl Events ===

impl Events {
    /// What comes next that somebody must look at; `None` at the end of the stream.
    ///
    /// Nothing is lost if this is dropped before it is done.
    pub async fn next(&mut self) -> Result<Option<Step>, Error> {
        loop {
            if let Some(step) = self.collapse.next_step()? {
                return Ok(Some(step));
            }
            if let Some(chunk) = self.chunks.next().await {
                self.collapse.push(chunk.map_err(broken)?)?;
                continue;
            }
            let last = self.collapse.end()?;
            if last.is_none() {
                // Perhaps it was the stream of another.
                self.connection.spoil();
            }
            return Ok(last);
        }
    }

    /// The answer, passing over everything that nobody watches for.
    async fn answer(mut self: Box<Self>, watch: Option<&Watch>) -> Result<Option<Reply>, Error> {
        if watch.is_some() {
            self.collapse.keep_notifications();
        }
        while let Some(step) = self.next().await? {
            match (step, watch) {
                (Step::Reply(answer), _) => {
                    self.leave();
                    return Ok(Some(answer));
                }
                (Step::Notification(told), Some(watch)) => watch.tell(told).await,
                _ => {}
            }
        }
        Ok(None)
    }

    /// Goes on with another stream of the same answer.
    pub fn resume(&mut self, stream: Box<Self>) {
        self.chunks = stream.chunks;
        self.connection = stream.connection;
        self.collapse.resume();
    }

    /// The answer is there. Gives the connection back to the pool, if the stream ends soon.
    pub fn leave(self: Box<Self>) {
        drain_in_background(self.chunks);
    }
}

fn head_of<S>(response: &awc::ClientResponse<S>) -> Head {
    let headers = response.headers();
    Head {
        status: response.status(),
        session: headers
            .get(header::SESSION_ID)
            .and_then(|value| SessionId::parse(value.as_bytes())),
        challenges: headers.get_all(WWW_AUTHENTICATE).cloned().collect(),
        retry_after: headers.get(RETRY_AFTER).cloned(),
    }
}

/// Where a redirect leads, if it may be followed: 307 or 308 (they keep method and body), to the same origin.
fn redirected(from: &Uri, status: StatusCode, headers: &HeaderMap) -> Option<Uri> {
    let keeps_request =
        status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT;
    let location = headers.get(LOCATION)?.to_str().ok()?;
    keeps_request.then(|| same_origin(from, location))?
}

/// What `reference` means where it is found at `base`, if that has the same scheme, host and port. Anything else must not
/// see the credentials that are meant for `base`.
pub fn same_origin(base: &Uri, reference: &str) -> Option<Uri> {
    let base = Url::parse(&base.to_string()).ok()?;
    let mut target = base.join(reference).ok()?;
    target.set_fragment(None);
    let names_nobody = target.username().is_empty() && target.password().is_none();
    (names_nobody && target.origin() == base.origin()).then(|| target.as_str().parse().ok())?
}

fn unanswered(error: SendRequestError) -> Error {
    match error {
        // By its name this comes before the request; awc reports so a server that hangs up instead of answering.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Error::Lost("the server hung up".into())
        }
        SendRequestError::Connect(ConnectError::Io(error)) if descriptors::are_wanting(&error) => {
            Error::NoDescriptors
        }
        SendRequestError::Connect(error) => Error::Unreachable(error.to_string()),
        SendRequestError::Url(error) => Error::Unreachable(error.to_string()),
        // Behind a head that cannot be parsed may be a connection that broke in it.
        SendRequestError::Response(error)
            if error.source().is_some_and(<dyn StdError>::is::<io::Error>) =>
        {
            Error::Lost(error.to_string())
        }
        SendRequestError::Response(error) => Error::Malformed(error.to_string()),
        error => Error::Lost(error.to_string()),
    }
}
