//! One POST out, one reply back: connection pool, redirects, content types, caps.
//!
//! What a reply means is not decided here, beyond reading it: status, JSON-RPC answer, and the headers a client may
//! look at. Deadlines are set outside, around whole operations.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_rt::time::timeout;
use actix_service::ServiceExt as _;
use actix_tls::connect as tcp;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap,
    HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use awc::http::{Method, StatusCode, Uri};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, Stream, StreamExt};

use super::error::{Cap, Error};
use super::header::{self, ACCEPT_BOTH, SessionId};
use super::message::{self, Answer, Id};
use super::sse;
use crate::servers::Server;
use crate::settings::Limits;

/// Node and uvicorn close idle connections after 5 s: ours are given up before that.
const IDLE: Duration = Duration::from_secs(4);
/// For DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Who asks.
const OURSELVES: HeaderValue =
    HeaderValue::from_static(concat!("mcp-rest/", env!("CARGO_PKG_VERSION")));
/// Headers every request has; room is made for them at once.
const HEADERS: usize = 5;
/// Same-origin 307 and 308 followed for one request. Starlette answers `/mcp` with 307 to `/mcp/` or back.
const REDIRECTS: usize = 3;
/// An error body over this is not looked into.
const ERROR_BODY: usize = 1024 * 1024;
/// What is read of an event stream after its answer, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;
/// For how long.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The HTTP client of one worker. Cheap to clone; not `Send`, as awc is not.
#[derive(Clone)]
pub struct Transport {
    http: awc::Client,
    limits: Limits,
}

/// One message to send.
pub struct Post<'a> {
    /// To where, with the configured headers.
    pub server: &'a Server,
    /// The headers of this message beside `Accept` and `Content-Type`.
    pub headers: &'a [(HeaderName, HeaderValue)],
    /// The message.
    pub body: Bytes,
    /// Whose answer is waited for; `None` for a notification.
    pub id: Option<&'a Id>,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status, redirects followed.
    pub status: StatusCode,
    /// The JSON-RPC answer, if the body holds one.
    pub answer: Option<Answer>,
    /// `Mcp-Session-Id`; to be believed only on a successful `initialize`.
    pub session: Option<SessionId>,
    /// `WWW-Authenticate`, in order.
    pub challenges: Vec<HeaderValue>,
    /// `Retry-After`.
    pub retry_after: Option<HeaderValue>,
}

impl Transport {
    /// A pool with the process's TLS configuration. Calls in flight are not limited here: awc's limit counts over
    /// all hosts, so that two slow streams could starve another server.
    pub fn new(tls: Arc<rustls::ClientConfig>, limits: Limits) -> Self {
        // awc leaves Nagle's algorithm on: the last segment of a longer body would wait a round trip, or a delayed
        // acknowledgement, for those before it.
        let tcp = tcp::Connector::default().service().map(
            |connection: tcp::Connection<Uri, TcpStream>| {
                if let Err(error) = connection.io_ref().set_nodelay(true) {
                    log::debug!("a connection keeps Nagle's algorithm: {error}");
                }
                connection
            },
        );
        let connector = awc::Connector::new()
            .connector(tcp)
            .rustls_0_23(tls)
            .limit(0)
            .timeout(CONNECT)
            .handshake_timeout(CONNECT)
            .conn_keep_alive(IDLE);
        let http = awc::Client::builder()
            .connector(connector)
            .disable_redirects()
            .disable_timeout()
            .finish();
        Self { http, limits }
    }

    /// The caps on answers.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Sends a message and reads the reply to it.
    pub async fn post(&self, post: &Post<'_>) -> Result<Reply, Error> {
        let response = self
            .send(Method::POST, post.server, post.headers, &post.body)
            .await?;
        self.read(response, post.id).await
    }

    /// Ends a session. Every status is fine: 405 means that the server does not allow it, 404 that it is gone.
    pub async fn delete(&self, server: &Server, session: &SessionId) -> Result<StatusCode, Error> {
        let headers = [(header::SESSION_ID, session.header())];
        let mut response = self
            .send(Method::DELETE, server, &headers, &Bytes::new())
            .await?;
        drain(&mut response).await;
        Ok(response.status())
    }

    /// Sends a request, to where the server redirects it if need be.
    async fn send(
        &self,
        method: Method,
        server: &Server,
        headers: &[(HeaderName, HeaderValue)],
        body: &Bytes,
    ) -> Result<
        awc::ClientResponse<impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<>>,
        Error,
    > {
        let mut target = server.url.clone();
        let mut redirects = 0;
        loop {
            let mut request = self.http.request(method.clone(), target.clone());
            let sent = request.headers_mut();
            sent.reserve(HEADERS + server.headers.len() + headers.len());
            for (name, value) in &server.headers {
                sent.insert(name.clone(), value.clone());
            }
            for (name, value) in headers {
                sent.insert(name.clone(), value.clone());
            }
            sent.insert(HOST, server.host.clone());
            sent.insert(ACCEPT, ACCEPT_BOTH);
            sent.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
            sent.insert(USER_AGENT, OURSELVES);
            if !body.is_empty() {
                sent.insert(CONTENT_TYPE, HeaderValue::from_static(header::JSON));
            }
            let response = request.send_body(body.clone()).await.map_err(unanswered)?;
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

    async fn read<S>(
        &self,
        mut response: awc::ClientResponse<S>,
        id: Option<&Id>,
    ) -> Result<Reply, Error>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let status = response.status();
        let headers = response.headers();
        let mut reply = Reply {
            status,
            answer: None,
            session: headers
                .get(header::SESSION_ID)
                .and_then(|value| SessionId::parse(value.as_bytes())),
            challenges: headers.get_all(WWW_AUTHENTICATE).cloned().collect(),
            retry_after: headers.get(RETRY_AFTER).cloned(),
        };
        let Some(id) = id else {
            drain(&mut response).await;
            return Ok(reply);
        };
        let kind = Kind::of(headers);
        reply.answer = match (status.is_success(), kind) {
            (true, Kind::EventStream) => self.collapse(response, id).await?,
            (true, Kind::Json) => {
                let body = read_body(&mut response, self.limits.response_bytes).await?;
                self.check_depth(&body)?;
                message::find_lone_answer(&body, id)?
            }
            (true, Kind::Other) => {
                drain(&mut response).await;
                return Err(Error::ContentType);
            }
            // The status alone says enough; a body that cannot be read or is no JSON-RPC error adds nothing.
            (false, _) => match read_body(&mut response, ERROR_BODY).await {
                Ok(body) => message::find_lone_answer(&body, id).unwrap_or(None),
                Err(_) => None,
            },
        };
        Ok(reply)
    }

    /// Reads an event stream up to the answer to `id`, and no further: some servers leave it open after that.
    async fn collapse<S>(&self, mut body: S, id: &Id) -> Result<Option<Answer>, Error>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin + 'static,
    {
        let mut reader = sse::Reader::new(sse::Limits {
            event_bytes: self.limits.event_bytes,
            events: self.limits.events,
        });
        let mut left = self.limits.response_bytes;
        while let Some(chunk) = body.next().await {
            let mut chunk = chunk.map_err(broken)?;
            left = left
                .checked_sub(chunk.len())
                .ok_or(Error::TooLarge(Cap::ResponseBytes))?;
            while let Some(event) = reader.next_event(&mut chunk).map_err(too_large)? {
                self.check_depth(&event.data)?;
                if let Some(answer) = answer_in(&event, id) {
                    drain_in_background(body);
                    return Ok(Some(answer));
                }
            }
        }
        let Some(last) = reader.finish().map_err(too_large)? else {
            return Ok(None);
        };
        self.check_depth(&last.data)?;
        Ok(answer_in(&last, id))
    }

    fn check_depth(&self, json: &[u8]) -> Result<(), Error> {
        if message::nests_deeper_than(json, self.limits.depth) {
            return Err(Error::TooLarge(Cap::Depth));
        }
        Ok(())
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

/// The answer to `id` in one event. Priming events are empty; an event that is no JSON-RPC message is not for us.
fn answer_in(event: &sse::Event, id: &Id) -> Option<Answer> {
    if event.data.is_empty() {
        return None;
    }
    message::find_answer(&event.data, id).ok().flatten()
}

/// The whole body, without a copy where it came in one piece.
async fn read_body<S>(response: &mut awc::ClientResponse<S>, cap: usize) -> Result<Bytes, Error>
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

/// Where a redirect leads, if it may be followed: 307 or 308 (they keep method and body), same scheme, host and port.
fn redirected(from: &Uri, status: StatusCode, headers: &HeaderMap) -> Option<Uri> {
    let keeps_request =
        status == StatusCode::TEMPORARY_REDIRECT || status == StatusCode::PERMANENT_REDIRECT;
    let location = headers.get(LOCATION)?.to_str().ok()?;
    if !keeps_request {
        return None;
    }
    let target: Uri = location.parse().ok()?;
    let Some(authority) = target.authority() else {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = Some(target.path_and_query()?.clone());
        return target
            .path()
            .starts_with('/')
            .then(|| Uri::from_parts(parts).ok())?;
    };
    let same_origin = target.scheme() == from.scheme()
        && Some(authority.host()) == from.host()
        && port(&target) == port(from);
    same_origin.then_some(target)
}

fn port(uri: &Uri) -> u16 {
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    uri.port_u16().unwrap_or(default)
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
    // Mostly the end has come together with the answer, and no task is needed.
    if let Some(None | Some(Err(_))) = body.next().now_or_never() {
        return;
    }
    actix_rt::spawn(async move { drain(&mut body).await });
}

fn too_large(cap: sse::TooLarge) -> Error {
    Error::TooLarge(match cap {
        sse::TooLarge::Event(_) => Cap::EventBytes,
        sse::TooLarge::Events(_) => Cap::Events,
    })
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
