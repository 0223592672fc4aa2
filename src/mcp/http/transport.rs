//! One HTTP request and its response: headers, redirects, content types, limits, sending again what certainly did not arrive.
//!
//! Retries of calls: `client::retry`. What a response means: `outcome`, `refusal`. Deadlines are set outside, around whole operations.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use awc::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
    WWW_AUTHENTICATE,
};
use awc::http::uri::Scheme;
use awc::http::{Method, StatusCode, Uri};
use bytes::Bytes;

use crate::config::servers::Server;
use crate::config::settings::Limits;
use crate::mcp::http::body::{Announced, Kind, drain_in_background, media_type, read_body};
use crate::mcp::http::connections::{Connections, Way};
use crate::mcp::http::events::Events;
use crate::mcp::http::failed::unanswered;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::http::redirect::{elsewhere, redirected};
use crate::mcp::http::socket::{Connection, Flight};
use crate::mcp::http::unpack::{Unpacked, unpacked};
use crate::mcp::limits::{Budget, SMALL};
use crate::mcp::protocol::error::{Cap, Error, Lost};
use crate::mcp::protocol::header::{self, ACCEPT_BOTH, SessionId};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::message::{BodyReply, Reply, reply_in_body};
use crate::mcp::protocol::outcome::Head;
use crate::mcp::protocol::unreachable::{Tls, Unreachable};
use crate::mcp::stream::notifications::Watch;
use crate::{json, offload};

const OUR_USER_AGENT: HeaderValue =
    HeaderValue::from_static(concat!("mcp-rest/", env!("CARGO_PKG_VERSION")));
const ACCEPT_EVENTS: HeaderValue = HeaderValue::from_static(header::EVENT_STREAM);
/// Headers that every request has; their capacity is reserved at once.
const HEADERS: usize = 5;
/// Same-origin 307 and 308 followed for one request. Starlette redirects `/mcp` to `/mcp/` or back.
const REDIRECTS: usize = 3;
/// Connections that turn out to be closed before a request could arrive, for one request.
const STALE: usize = 3;
/// The longest error body that is read.
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
    /// The configured server, whose headers are sent too.
    pub server: &'a Server,
    /// Its URL, or the endpoint it has named on the same origin.
    pub target: &'a Uri,
    /// The headers of this message beside `Accept` and `Content-Type`.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The message.
    pub body: Bytes,
    /// The id of a request; `None` for a message that gets no reply.
    pub id: Option<&'a Id>,
}

/// The response to a [`Post`].
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, read or still to be read.
    pub body: Body,
}

/// The body of a response.
pub enum Body {
    /// The JSON-RPC reply in it, if there is one.
    Read(Option<Reply>),
    /// An event stream, still to be read.
    Events(Box<Events>),
}

/// An HTTP request.
struct Request<'a> {
    method: Method,
    server: &'a Server,
    target: &'a Uri,
    headers: &'a [(HeaderName, HeaderValue)],
    body: &'a Bytes,
}

/// A response whose body has not been read.
struct Arrived {
    response: Unpacked,
    body: Announced,
    connection: Connection,
}

// === impl Transport ===

impl Transport {
    /// A pool whose connections are made in this way. Must be made on the runtime it is used on.
    pub fn new(way: Way, limits: Limits, budget: Budget) -> Self {
        Self {
            connections: Connections::new(way),
            limits,
            budget,
        }
    }

    /// The memory that all bodies share.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The limits on responses.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a message and reads the response to it, up to the first event of a stream.
    pub async fn post(&self, post: Post<'_>) -> Result<Response, Error> {
        let arrived = self
            .send(&Request {
                method: Method::POST,
                server: post.server,
                target: post.target,
                headers: post.headers,
                body: &post.body,
            })
            .await?;
        let head = head_of(&arrived.response);
        let body = if let Some(id) = post.id {
            self.read(arrived, id).await?
        } else {
            drain_in_background(arrived.response);
            Body::Read(None)
        };
        Ok(Response { head, body })
    }

    /// GET of an event stream, on which the reply to `id` may come. `None` where the server responds with anything else; the
    /// status then says why.
    pub async fn listen(
        &self,
        server: &Server,
        headers: &[(HeaderName, HeaderValue)],
        id: Id,
    ) -> Result<(StatusCode, Option<Box<Events>>), Error> {
        let arrived = self
            .send(&Request {
                method: Method::GET,
                server,
                target: &server.url,
                headers,
                body: &Bytes::new(),
            })
            .await?;
        let status = arrived.response.status();
        if !status.is_success() || arrived.body.kind != Kind::EventStream {
            return Ok((status, None));
        }
        let mut events = self.events(arrived, id);
        events.collapse = events.collapse.among_others();
        Ok((status, Some(Box::new(events))))
    }

    /// Ends a session. Every status is fine: 405 means that the server does not allow it, 404 that it is gone.
    pub async fn delete(&self, server: &Server, session: &SessionId) -> Result<StatusCode, Error> {
        let headers = [(header::SESSION_ID, session.header())];
        let arrived = self
            .send(&Request {
                method: Method::DELETE,
                server,
                target: &server.url,
                headers: &headers,
                body: &Bytes::new(),
            })
            .await?;
        let status = arrived.response.status();
        drain_in_background(arrived.response);
        Ok(status)
    }

    /// Sends a request, and follows redirects.
    async fn send(&self, request: &Request<'_>) -> Result<Arrived, Error> {
        let mut target = Cow::Borrowed(request.target);
        let mut redirects = 0;
        loop {
            let arrived = self.send_until_it_arrives(request, &target).await?;
            let status = arrived.response.status();
            if !arrived.body.is_all(status) {
                arrived.connection.exclude();
            }
            if !status.is_redirection() {
                return Ok(arrived);
            }
            redirects += 1;
            let headers = arrived.response.headers();
            let followed = redirected(&target, status, headers).filter(|_| redirects <= REDIRECTS);
            target = Cow::Owned(followed.ok_or_else(|| Error::Redirect {
                status,
                to: elsewhere(&target, headers),
            })?);
        }
    }

    /// Sends a request again where it is certain that it did not arrive: no connection was made, or the server had
    /// closed the one that was used. Whatever it asks for, it cannot have run.
    async fn send_until_it_arrives(
        &self,
        request: &Request<'_>,
        target: &Uri,
    ) -> Result<Arrived, Error> {
        let (mut refused, mut stale) = (0, 0);
        loop {
            let now = Instant::now();
            let flight = Flight::begin(now);
            let sending = self.request(request, target, now);
            let sent = flight.carry(send(sending, request.body)).await;
            self.connections.learn_from(&flight, target, now);
            let error = match sent {
                Err(error) => unanswered(error),
                Ok(response) => {
                    return Ok(Arrived {
                        body: Announced::by(&response),
                        response: unpacked(response),
                        connection: flight.connection(),
                    });
                }
            };
            match error {
                Error::Unreachable(cause)
                    if cause.is_passing_at_once() && refused < request.server.retries =>
                {
                    log::debug!(server = request.server.name; "no connection ({cause}); trying again");
                    refused += 1;
                    sleep(pause_before(refused)).await;
                }
                Error::Lost(_) if flight.never_arrived().await => {
                    if stale == STALE {
                        return Err(Error::Unreachable(Unreachable::ClosesConnections));
                    }
                    self.connections.note_closing(target, now);
                    stale += 1;
                }
                _ => return Err(without_response(&flight, target, error)),
            }
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
        sent.insert(USER_AGENT, OUR_USER_AGENT);
        if !request.body.is_empty() {
            sent.insert(CONTENT_TYPE, HeaderValue::from_static(header::JSON));
        }
        // Bodies are unpacked by `unpack`.
        outgoing.no_decompress()
    }

    /// Reads a response, unless it is a stream. A reply to another request shows that the replies on this connection may be
    /// shifted: then it is not used again.
    async fn read(&self, arrived: Arrived, id: &Id) -> Result<Body, Error> {
        let is_success = arrived.response.status().is_success();
        if is_success && !arrived.body.is_framed {
            return Err(Error::Unframed);
        }
        if is_success && arrived.body.kind == Kind::EventStream {
            let events = self.events(arrived, id.clone());
            return Ok(Body::Events(Box::new(events)));
        }
        let Arrived {
            mut response,
            body,
            connection,
        } = arrived;
        let found = self.read_reply(&mut response, body, id).await;
        if matches!(found, Err(_) | Ok(BodyReply::OfAnother)) {
            connection.exclude();
        }
        Ok(Body::Read(match found? {
            BodyReply::Reply(reply) => Some(reply),
            BodyReply::OfAnother | BodyReply::Nothing => None,
        }))
    }

    async fn read_reply(
        &self,
        response: &mut Unpacked,
        announced: Announced,
        id: &Id,
    ) -> Result<BodyReply, Error> {
        let reservation = self.budget.reservation();
        if !response.status().is_success() {
            // The status alone says enough; a body that cannot be read or is no JSON-RPC error adds nothing.
            let Ok(body) = read_body(response, announced, ERROR_BODY, reservation).await else {
                return Ok(BodyReply::Nothing);
            };
            let found = self.find_reply(body, id).await;
            return Ok(found.unwrap_or(BodyReply::Nothing));
        }
        if announced.kind == Kind::Other {
            return Err(Error::ContentType(media_type(response.headers())));
        }
        let body = read_body(response, announced, self.limits.response_bytes, reservation).await?;
        self.find_reply(body, id).await
    }

    async fn find_reply(&self, body: Bytes, id: &Id) -> Result<BodyReply, Error> {
        let depth = self.limits.depth;
        if !offload::is_large(body.len()) {
            return find_reply(&body, id, depth);
        }
        let id = id.clone();
        let reading = offload::run(body.len(), move || find_reply(&body, &id, depth));
        let read = reading.await;
        read.unwrap_or_else(|| Err(Error::Internal("a response could not be read".into())))
    }

    fn events(&self, arrived: Arrived, id: Id) -> Events {
        Events::new(
            arrived.response,
            arrived.connection,
            id,
            self.limits,
            &self.budget,
        )
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

fn find_reply(body: &Bytes, id: &Id, depth: usize) -> Result<BodyReply, Error> {
    if json::nests_deeper_than(body, depth) {
        return Err(Error::TooLarge(Cap::Depth));
    }
    Ok(reply_in_body(body, id)?)
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
    /// The result. Notifications before it go to `watch`, if there is one.
    pub async fn outcome(self, watch: Option<&Watch>) -> Result<Bytes, Error> {
        let reply = match self.body {
            Body::Read(reply) => reply,
            Body::Events(events) => events.reply(watch).await?,
        };
        self.head.outcome(reply)
    }
}

/// Only what the status gives a meaning to is looked for.
fn head_of(response: &Unpacked) -> Head {
    let headers = response.headers();
    let mut head = Head::of(response.status());
    match head.status.as_u16() {
        200..=299 => head.session = headers.get(header::SESSION_ID).and_then(SessionId::of),
        401 | 403 => head.challenges = headers.get_all(WWW_AUTHENTICATE).cloned().collect(),
        429 | 503 => head.retry_after = headers.get(RETRY_AFTER).cloned(),
        _ => {}
    }
    head
}

/// The error of a request without a response, by what was seen on its connection. A TLS alert in reply to plain HTTP is from the
/// TLS of a server that has not read the request.
fn without_response(flight: &Flight, target: &Uri, error: Error) -> Error {
    match error {
        Error::Lost(_) | Error::Malformed(_)
            if flight.met_tls() && target.scheme() == Some(&Scheme::HTTP) =>
        {
            Error::Unreachable(Unreachable::Tls(Tls::Spoken))
        }
        Error::Lost(_) if !flight.was_answered() => Error::Lost(Lost::Unanswered),
        error => error,
    }
}
