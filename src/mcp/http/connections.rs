//! The connection pool of one worker, and when its connections are closed.
//!
//! What is sent over them is the part of `transport`; what happens to a request on one of them, of `socket`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::time::sleep;
use actix_service::fn_service;
use actix_tls::connect as tcp;
use awc::http::uri::Authority;
use awc::http::{Method, Uri};
use rustls::pki_types::CertificateDer;

use crate::config::outbound::Outbound;
use crate::config::proxies::Proxies;
use crate::mcp::http::dial::dial;
use crate::mcp::http::socket::Flight;

/// Node and uvicorn close idle connections after 5 s: ours are closed before that.
const IDLE: Duration = Duration::from_secs(4);
/// No connection is used for longer, so that a name is resolved anew now and then.
const LIFETIME: Duration = Duration::from_secs(60);
/// A connection that is found closed so soon after its last use was closed with its last response. The next request may reach
/// such a server just before it closes, and then it cannot be known whether it was read.
const AT_ONCE: Duration = Duration::from_secs(1);
/// How long a server that does so gets a connection for each request.
const CLOSING: Duration = Duration::from_secs(600);
/// For DNS, TCP and TLS together.
const CONNECT: Duration = Duration::from_secs(10);
/// Cheap to clone; not `Send`, as awc is not.
#[derive(Clone)]
pub(crate) struct Connections {
    pool: Rc<RefCell<Pool>>,
    way: Way,
}

/// How connections are made. Cheap to clone.
#[derive(Clone)]
pub struct Way {
    /// For `https://`.
    pub tls: Arc<rustls::ClientConfig>,
    /// The proxies that lead to servers.
    pub proxies: Arc<Proxies>,
}

/// awc closes idle connections only with the next request to the same server. So a pool is replaced as a whole: when nothing
/// was sent for a while, and once a minute; what is under way goes on with the old one.
struct Pool {
    http: awc::Client,
    born: Instant,
    used: Option<Instant>,
    /// Servers that close connections after a response without `Connection: close`, and when that was last seen.
    closing: HashMap<Authority, Instant>,
}

// === impl Connections ===

impl Connections {
    /// None yet. Must be made on the runtime it is used on.
    pub(crate) fn new(way: Way) -> Self {
        let pool = Rc::new(RefCell::new(Pool::new(&way)));
        actix_rt::spawn(give_up_idle(Rc::downgrade(&pool), way.clone()));
        Self { pool, way }
    }

    /// A request to be sent over a connection that is there or a new one; over one of its own where the server is known
    /// to close them without a word.
    pub(crate) fn request(
        &self,
        method: &Method,
        target: &Uri,
        now: Instant,
    ) -> awc::ClientRequest {
        let (http, closes) = {
            let mut pool = self.pool.borrow_mut();
            (pool.client(&self.way, now), pool.closes(target, now))
        };
        let request = http.request(method.clone(), target.clone());
        if closes {
            return request.force_close();
        }
        request
    }

    /// Learns from how a request fared whether its server closes connections that it has just used.
    pub(crate) fn learn_from(&self, flight: &Flight, target: &Uri, now: Instant) {
        if flight.found_closed().is_some_and(|idle| idle < AT_ONCE) {
            self.note_closing(target, now);
        }
    }

    /// Notes that a server closed a connection when it was about to be used again.
    pub(crate) fn note_closing(&self, target: &Uri, now: Instant) {
        self.pool.borrow_mut().note_closing(target, now);
    }
}

// === impl Pool ===

impl Pool {
    fn new(way: &Way) -> Self {
        let connector = tcp::Connector::default().service();
        let proxies = Arc::clone(&way.proxies);
        let tcp = fn_service(move |info| dial(connector.clone(), Arc::clone(&proxies), info));
        // Calls in flight are not limited here: awc's limit counts over all hosts, so that two slow streams could starve
        // another server.
        let connector = awc::Connector::new()
            .connector(tcp)
            .rustls_0_23(Arc::clone(&way.tls))
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

    fn client(&mut self, way: &Way, now: Instant) -> awc::Client {
        if now.duration_since(self.born) > LIFETIME {
            self.renew(way);
        }
        self.used = Some(now);
        self.http.clone()
    }

    /// Replaces the pool; requests under way keep their connections.
    fn renew(&mut self, way: &Way) {
        let closing = std::mem::take(&mut self.closing);
        *self = Self {
            closing,
            ..Self::new(way)
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
        let since = target.authority().and_then(|it| self.closing.get(it));
        since.is_some_and(|since| now.duration_since(*since) < CLOSING)
    }
}

/// Replaces a pool from which nothing was sent for a while, which closes its idle connections.
async fn give_up_idle(pool: Weak<RefCell<Pool>>, way: Way) {
    loop {
        sleep(IDLE).await;
        let Some(pool) = pool.upgrade() else {
            return;
        };
        let mut pool = pool.borrow_mut();
        if pool.used.is_some_and(|used| used.elapsed() > IDLE) {
            pool.renew(&way);
        }
    }
}

impl Way {
    /// As it is configured.
    pub fn of(outbound: &Outbound) -> Result<Self, rustls::Error> {
        Ok(Self {
            tls: tls(&outbound.roots)?,
            proxies: Arc::clone(&outbound.proxies),
        })
    }
}

/// The TLS configuration of this process: the ring provider, Mozilla's roots and `more` of them, HTTP/1.1 alone (awc does not multiplex
/// HTTP/2, and one connection is slower than several here).
fn tls(more: &[CertificateDer<'static>]) -> Result<Arc<rustls::ClientConfig>, rustls::Error> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for root in more {
        roots.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
