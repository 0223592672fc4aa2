//! One HTTP request out, one reply back: connection pool, redirects, content types, caps, and the retries that can do no
//! harm.
//!
//! What a reply means is not decided here; see `outcome`. Deadlines are set outside, around whole operations.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::net::TcpStream;
use actix_rt::time::{sleep, timeout};
use actix_service::ServiceExt as _;
use actix_tls::connect as tcp;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use awc::http::uri::Authority;
use awc::http::{Method, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, Stream, StreamExt};
use url::Url;

use super::budget::{Budget, Share};
use super::collapse::{Collapse, Step};
use super::error::{Cap, Error};
use super::header::{self, ACCEPT_BOTH, SessionId};
use super::message::{self, Answer, Id};
use super::outcome::Head;
use super::socket::{Flight, Socket};
use crate::servers::Server;
use crate::settings::Limits;

/// Node and uvicorn close idle connections after 5 s: ours are given up before that.
const IDLE: Duration = Duration::from_secs(4);
/// No connection is used for longer, so that a name is resolved anew now and then.
const LIFETIME: Duration = Duration::from_secs(60);
/// A connection that is found closed so soon after it was used was closed with its last answer. The next request may reach
/// such a server just before it closes, and then nobody can tell whether it was read.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a server that does so gets a connection for each request.
const CLOSING: Duration = Duration::from_secs(600);
/// For DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
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
/// What is read of an event stream after its answer, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The HTTP client of one worker. Cheap to clone; not `Send`, as awc is not.
#[derive(Clone)]
pub struct Transport {
    pool: Rc<RefCell<Pool>>,
    tls: Arc<rustls::ClientConfig>,
    limits: Limits,
    budget: Budget,
}

/// awc closes idle connections only when the same server is asked again. So a pool is replaced as a whole: when nothing
/// was sent for a while, and once a minute; what is under way goes on with the old one.
struct Pool {
    http: awc::Client,
    born: Instant,
    used: Option<Instant>,
    /// Servers that close connections they have just used without saying so, and when that was last seen.
    closing: HashMap<Authority, Instant>,
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
pub struct Reply {
    /// Status and headers.
    pub head: Head,
    /// The rest.
    pub body: Body,
}

/// What a reply holds beside its head.
pub enum Body {
    /// A JSON-RPC answer, or nothing that could be read as one.
    Read(Option<Answer>),
    /// An event stream, still to be read.
    Events(Box<Events>),
}

/// An event stream on its way in. Dropping it closes the connection.
pub struct Events {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>,
    /// What it is read with.
    pub collapse: Collapse,
    share: Share,
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
        let pool = Rc::new(RefCell::new(Pool::new(&tls)));
        actix_rt::spawn(give_up_idle(Rc::downgrade(&pool), Arc::clone(&tls)));
        Self {
            pool,
            tls,
            limits,
            budget,
        }
    }

    /// The caps on answers.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a message and reads the reply to it, up to the first event of a stream.
    pub async fn post(&self, post: Post<'_>) -> Result<Reply, Error> {
        let response = self
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
            self.read(response, id).await?
        } else {
            drain_in_background(response);
            Body::Read(None)
        };
        Ok(Reply { head, body })
    }

    /// GET of an event stream, on which the answer to `id` is looked for. `None` where the server answers with anything else,
    /// whose status then says why.
    pub async fn listen(
        &self,
        server: &Server,
        headers: &[(HeaderName, HeaderValue)],
        id: Id,
    ) -> Result<(StatusCode, Option<Box<Events>>), Error> {
        let response = self
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
        let events = self.events(response, id);
        Ok((status, Some(Box::new(events))))
    }

    /// Ends a session. Every status is fine: 405 means that the server does not allow it, 404 that it is gone.
    pub async fn delete(&self, server: &Server, session: &SessionId) -> Result<StatusCode, Error> {
        let headers = [(header::SESSION_ID, session.header())];
        let response = self
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
        awc::ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>,
        Error,
    > {
        let mut target = request.target.clone();
        let mut redirects = 0;
        loop {
            let response = self.send_until_it_arrives(request, &target).await?;
            let status = response.status();
            if !status.is_redirection() {
                return Ok(response);
            }
            redirects += 1;
            target = redirected(&target, status, response.headers())
                .filter(|_| redirects <= REDIRECTS)
                .ok_or(Error::Redirect(status))?;
        }
    }

    /// Sends a request again where it is certain that it did not arrive: no connection was made, or the server had
    /// closed the one that was used. Whatever it asks for, it cannot have run.
    async fn send_until_it_arrives(
        &self,
        request: &Request<'_>,
        target: &Uri,
    ) -> Result<
        awc::ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>,
        Error,
    > {
        let (mut refused, mut stale) = (0, 0);
        loop {
            let now = Instant::now();
            let flight = Flight::begin(now);
            let sending = self.request(request, target, now);
            let sent = flight.carry(sending.send_body(request.body.clone())).await;
            if flight.found_closed().is_some_and(|idle| idle < AT_ONCE) {
                self.pool.borrow_mut().note_closing(target, now);
            }
            let error = match sent {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if let SendRequestError::Connect(ConnectError::Io(_)) = error
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
                self.pool.borrow_mut().note_closing(target, now);
                stale += 1;
                continue;
            }
            return Err(error);
        }
    }

    fn request(&self, request: &Request<'_>, target: &Uri, now: Instant) -> awc::ClientRequest {
        let server = request.server;
        let (http, reuse) = {
            let mut pool = self.pool.borrow_mut();
            (pool.client(&self.tls, now), !pool.closes(target, now))
        };
        let mut outgoing = http.request(request.method.clone(), target.clone());
        if !reuse {
            outgoing = outgoing.force_close();
        }
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
        outgoing
    }

    async fn read<S>(&self, mut response: awc::ClientResponse<S>, id: &Id) -> Result<Body, Error>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let kind = Kind::of(response.headers());
        let answer = match (response.status().is_success(), kind) {
            (true, Kind::EventStream) => {
                return Ok(Body::Events(Box::new(self.events(response, id.clone()))));
            }
            (true, Kind::Json) => {
                let cap = self.limits.response_bytes;
                let body = read_body(&mut response, cap, self.budget.share()).await?;
                if message::nests_deeper_than(&body, self.limits.depth) {
                    return Err(Error::TooLarge(Cap::Depth));
                }
                message::find_lone_answer(&body, id)?
            }
            (true, Kind::Other) => return Err(Error::ContentType),
            // The status alone says enough; a body that cannot be read or is no JSON-RPC error adds nothing.
            (false, _) => match read_body(&mut response, ERROR_BODY, self.budget.share()).await {
                Ok(body) => message::find_lone_answer(&body, id).unwrap_or(None),
                Err(_) => None,
            },
        };
        Ok(Body::Read(answer))
    }

    fn events(
        &self,
        chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
        id: Id,
    ) -> Events {
        Events {
            chunks: Box::pin(chunks),
            collapse: Collapse::new(id, self.limits),
            share: self.budget.share(),
        }
    }
}

// === impl Pool ===

impl Pool {
    fn new(tls: &Arc<rustls::ClientConfig>) -> Self {
        // awc leaves Nagle's algorithm on: the last segment of a longer body would wait a round trip, or a delayed
        // acknowledgement, for those before it.
        let tcp = tcp::Connector::default().service().map(
            |connection: tcp::Connection<Uri, TcpStream>| {
                let (stream, uri) = connection.into_parts();
                if let Err(error) = stream.set_nodelay(true) {
                    log::debug!("a connection keeps Nagle's algorithm: {error}");
                }
                let under_tls = uri.scheme_str() == Some("https");
                tcp::Connection::new(uri, Socket::new(stream, under_tls))
            },
        );
        // Calls in flight are not limited here: awc's limit counts over all hosts, so that two slow streams could starve
        // another server.
        let connector = awc::Connector::new()
            .connector(tcp)
            .rustls_0_23(Arc::clone(tls))
            .limit(0)
            .timeout(CONNECT)
            .handshake_timeout(CONNECT)
            .conn_keep_alive(IDLE);
        let http = awc::Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .finish();
        Self {
            http,
            born: Instant::now(),
            used: None,
            closing: HashMap::new(),
        }
    }

    fn client(&mut self, tls: &Arc<rustls::ClientConfig>, now: Instant) -> awc::Client {
        if now.duration_since(self.born) > LIFETIME {
            self.renew(tls);
        }
        self.used = Some(now);
        self.http.clone()
    }

    /// Leaves the connections there are to those who use them.
    fn renew(&mut self, tls: &Arc<rustls::ClientConfig>) {
        let closing = std::mem::take(&mut self.closing);
        *self = Self {
            closing,
            ..Self::new(tls)
        };
    }

    /// Notes that a server closes connections that it has just used.
    fn note_closing(&mut self, target: &Uri, now: Instant) {
        if let Some(authority) = target.authority() {
            self.closing.insert(authority.clone(), now);
        }
    }

    /// Whether a server is known to do so.
    fn closes(&self, target: &Uri, now: Instant) -> bool {
        let Some(authority) = target.authority().filter(|_| !self.closing.is_empty()) else {
            return false;
        };
        let since = self.closing.get(authority);
        since.is_some_and(|since| now.duration_since(*since) < CLOSING)
    }
}

/// Replaces a pool from which nothing was sent for a while, which closes its idle connections.
async fn give_up_idle(pool: Weak<RefCell<Pool>>, tls: Arc<rustls::ClientConfig>) {
    loop {
        sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut pool = pool.borrow_mut();
        if pool.used.is_some_and(|used| used.elapsed() > IDLE) {
            pool.renew(&tls);
        }
    }
}

/// Between a tenth of a second and twice that before the second attempt, and twice as long before each that follows. The
/// half that is left to chance keeps replicas from coming back all at once.
pub fn pause_before(retry: u32) -> Duration {
    const FIRST: Duration = Duration::from_millis(100);
    FIRST
        .saturating_mul(1 << retry.saturating_sub(1).min(6))
        .mul_f64(1.0 + rand::random::<f64>())
}

// === impl Reply ===

impl Reply {
    /// The result, where nothing but the answer is of interest.
    pub async fn outcome(self) -> Result<Bytes, Error> {
        let answer = match self.body {
            Body::Read(answer) => answer,
            Body::Events(events) => events.answer().await?,
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
            self.share.hold(self.collapse.held())?;
            match self.chunks.next().await {
                Some(chunk) => self.collapse.push(chunk.map_err(broken)?)?,
                None => return self.collapse.end(),
            }
        }
    }

    /// The answer, passing over everything else.
    async fn answer(mut self: Box<Self>) -> Result<Option<Answer>, Error> {
        while let Some(step) = self.next().await? {
            if let Step::Answer(answer) = step {
                self.leave();
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    /// Goes on with another stream of the same answer.
    pub fn resume(&mut self, stream: Box<Self>) {
        self.chunks = stream.chunks;
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

/// What a body is, by its `Content-Type`. None at all is read as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    EventStream,
    Other,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else {
            return Self::Json;
        };
        if header::is_media_type(value.as_bytes(), header::JSON) {
            Self::Json
        } else if header::is_media_type(value.as_bytes(), header::EVENT_STREAM) {
            Self::EventStream
        } else {
            Self::Other
        }
    }
}

/// The whole body, without a copy where it came in one piece.
async fn read_body<S>(
    response: &mut awc::ClientResponse<S>,
    cap: usize,
    mut share: Share,
) -> Result<Bytes, Error>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let announced = announced_length(response.headers());
    let mut body = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(broken)?;
        if body.len() + pieces.len() + chunk.len() > cap {
            return Err(Error::TooLarge(Cap::ResponseBytes));
        }
        if body.is_empty() && pieces.is_empty() {
            body = chunk;
        } else {
            if pieces.is_empty() {
                pieces.reserve(announced.unwrap_or(0).clamp(body.len() + chunk.len(), cap));
                pieces.extend_from_slice(&std::mem::take(&mut body));
            }
            pieces.extend_from_slice(&chunk);
            share.hold(pieces.len())?;
        }
    }
    if !pieces.is_empty() {
        body = pieces.freeze();
    }
    // awc takes a body that ends before its announced length for a whole one.
    if announced.is_some_and(|length| length != body.len()) {
        return Err(Error::Lost("the body was cut short".into()));
    }
    Ok(body)
}

/// `Content-Length`, where it speaks of the bytes that are read here.
fn announced_length(headers: &HeaderMap) -> Option<usize> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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

/// Gives a connection that is no longer needed back to the pool, if its body ends soon; else it is closed.
async fn drain<S>(body: &mut S)
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Some(Ok(chunk)) = body.next().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Past the time the connection is closed by dropping the body: nothing to report.
    let _ = timeout(DRAIN_TIME, read).await;
}

fn drain_in_background<S>(mut body: S)
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
{
    // Mostly the end has come together with what was wanted, and no task is needed.
    if let Some(None | Some(Err(_))) = body.next().now_or_never() {
        return;
    }
    actix_rt::spawn(async move { drain(&mut body).await });
}

fn broken(error: PayloadError) -> Error {
    match error {
        PayloadError::EncodingCorrupted => Error::Malformed("broken content encoding".into()),
        error => Error::Lost(error.to_string()),
    }
}

fn unanswered(error: SendRequestError) -> Error {
    match error {
        // By its name this comes before the request; awc reports so a server that hangs up instead of answering.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            Error::Lost("the server hung up".into())
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

/// The TLS configuration of this process: the ring provider, Mozilla's roots, HTTP/1.1 alone (awc does not multiplex
/// HTTP/2, and one connection is slower than several here).
pub fn tls() -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
