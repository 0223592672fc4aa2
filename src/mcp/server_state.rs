//! The state of one configured server, beside its configuration: what is cached of it, and its concurrency limits.
//!
//! What is cached may be lost at any time: it saves requests, and no result depends on it. It is valid for one URL and
//! credential. The state is a separate `Arc`, so that a reload could keep it for unchanged servers.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::servers::{Server, Servers};
use crate::mcp::concurrency_limit::{ConcurrencyLimit, Queue};
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::server_info::ServerInfo;
use crate::mcp::tools_cache::{CachedTools, ToolsCache};

/// Ends of sessions and cancellations sent to one server at the same time. A call with a session of its own takes three requests, and
/// one of these after it, so that they hold fewer connections than the calls that they follow.
const ENDINGS: usize = 64;
/// The queue for handshakes, and the one for ends and cancellations. They have time limits of their own.
const JOBS: Queue = Queue {
    length: 1024,
    timeout: Duration::MAX,
};

/// The configured servers, each with its state, in file order. Shared by all workers.
#[derive(Debug)]
pub struct Upstreams {
    in_order: Vec<Upstream>,
    // Looked up by every call: comparing a few names costs less than hashing one.
    by_name: BTreeMap<String, Upstream>,
}

/// A configured server with its state. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Upstream {
    config: Arc<Server>,
    pub(crate) state: Arc<ServerState>,
}

/// What is cached of one server, and its limits. Shared by all workers.
#[derive(Debug)]
pub(crate) struct ServerState {
    cached: Mutex<Cached>,
    pub(crate) tools: CachedTools,
    /// Calls in flight.
    pub(crate) calls: ConcurrencyLimit,
    /// Handshakes under way.
    pub(crate) handshakes: ConcurrencyLimit,
    /// Ends of sessions and cancellations under way.
    pub(crate) endings: ConcurrencyLimit,
    /// Ends and cancellations given up, because too many were waiting.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Cached {
    era: Option<Era>,
    /// When the server was found to have no standalone stream.
    no_stream_since: Option<Instant>,
    /// What the server said of itself, and when.
    info: Option<(Instant, Arc<ServerInfo>)>,
}

// === impl Upstreams ===

impl Upstreams {
    /// Every configured server with a state of its own; `queue` is the one for calls.
    pub fn new(servers: &Servers, queue: Queue) -> Self {
        let cache = Arc::new(ToolsCache::default());
        let upstream = |server: &Arc<Server>| Upstream {
            config: Arc::clone(server),
            state: Arc::new(ServerState::new(server, queue, &cache)),
        };
        let in_order: Vec<_> = servers.iter().map(upstream).collect();
        let named = |server: &Upstream| (server.name.clone(), server.clone());
        Self {
            by_name: in_order.iter().map(named).collect(),
            in_order,
        }
    }

    /// The server of that name; upper and lower case differ.
    pub fn get(&self, name: &str) -> Option<&Upstream> {
        self.by_name.get(name)
    }

    /// All servers, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Upstream> {
        self.in_order.iter()
    }
}

// === impl Upstream ===

impl Upstream {
    /// Its configuration, to be kept.
    pub fn config(&self) -> &Arc<Server> {
        &self.config
    }
}

impl Deref for Upstream {
    type Target = Server;

    /// Its configuration.
    fn deref(&self) -> &Server {
        &self.config
    }
}

// === impl ServerState ===

impl ServerState {
    pub(crate) fn new(server: &Server, queue: Queue, cache: &Arc<ToolsCache>) -> Self {
        Self {
            cached: Mutex::default(),
            tools: CachedTools::new(cache),
            calls: ConcurrencyLimit::new(server.in_flight, queue),
            // Handshakes that callers wait for are bounded by the calls' permits; this bounds those whose callers went away.
            handshakes: ConcurrencyLimit::new(server.in_flight, JOBS),
            endings: ConcurrencyLimit::new(ENDINGS, JOBS),
            dropped: AtomicU64::new(0),
        }
    }

    /// The era that the server was last found to speak.
    pub(crate) fn era(&self) -> Option<Era> {
        self.lock().era
    }

    pub(crate) fn set_era(&self, era: Era) {
        self.lock().era = Some(era);
    }

    pub(crate) fn forget_era(&self) {
        self.lock().era = None;
    }

    /// Whether the server was found, within that time, to have no standalone stream.
    pub(crate) fn had_no_stream_within(&self, time: Duration) -> bool {
        let since = self.lock().no_stream_since;
        since.is_some_and(|since| since.elapsed() <= time)
    }

    pub(crate) fn set_no_stream(&self) {
        self.lock().no_stream_since = Some(Instant::now());
    }

    /// What the server said of itself, and when.
    pub(crate) fn info(&self) -> Option<(Instant, Arc<ServerInfo>)> {
        self.lock().info.clone()
    }

    pub(crate) fn set_info(&self, info: Arc<ServerInfo>) {
        self.lock().info = Some((Instant::now(), info));
    }

    /// Counts an end or a cancellation that was given up, and returns their number.
    pub(crate) fn count_dropped(&self) -> u64 {
        self.dropped.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, Cached> {
        // The values are consistent at every moment, so that a panic elsewhere does no harm.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
