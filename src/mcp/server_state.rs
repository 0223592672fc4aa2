//! What belongs to one configured server beside its configuration: what was learnt of it, and the limits of what is done at it.
//!
//! What was learnt may be lost at any time: it saves requests, and no answer depends on it. A state belongs to a server and a credential: where a
//! configuration is read again, an entry whose URL and headers are the same may keep its state ([`Upstream`] is a pair of two
//! handles for that).

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::servers::{Server, Servers};
use crate::mcp::concurrency_limit::{ConcurrencyLimit, Queue};
use crate::mcp::protocol::era::Era;
use crate::mcp::tools_cache::{CachedTools, ToolsCache};

/// Ends of sessions and cancellations sent to one server at the same time. A call takes three requests with a session of its own,
/// and one after it; what these hold is less than what the calls hold that they come after.
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
    // Every call looks here: to compare a few names costs less than to hash one.
    by_name: BTreeMap<String, Upstream>,
}

/// A configured server with its state. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Upstream {
    config: Arc<Server>,
    pub(crate) state: Arc<ServerState>,
}

/// What was learnt of one server, and its limits. Shared by all workers.
#[derive(Debug)]
pub(crate) struct ServerState {
    learnt: Mutex<Learnt>,
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
struct Learnt {
    era: Option<Era>,
    /// Since when the server is known to have no stream but those that answer requests.
    no_stream_since: Option<Instant>,
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
            learnt: Mutex::default(),
            tools: CachedTools::new(cache),
            calls: ConcurrencyLimit::new(server.in_flight, queue),
            // What callers wait for is bounded by their permits; what they have gone from is bounded by the same.
            handshakes: ConcurrencyLimit::new(server.in_flight, JOBS),
            endings: ConcurrencyLimit::new(ENDINGS, JOBS),
            dropped: AtomicU64::new(0),
        }
    }

    /// The era it was last found to speak.
    pub(crate) fn era(&self) -> Option<Era> {
        self.lock().era
    }

    pub(crate) fn set_era(&self, era: Era) {
        self.lock().era = Some(era);
    }

    pub(crate) fn forget_era(&self) {
        self.lock().era = None;
    }

    /// Whether it was found, within that time, to have no stream but those that answer requests.
    pub(crate) fn had_no_stream_within(&self, time: Duration) -> bool {
        let since = self.lock().no_stream_since;
        since.is_some_and(|since| since.elapsed() <= time)
    }

    pub(crate) fn set_no_stream(&self) {
        self.lock().no_stream_since = Some(Instant::now());
    }

    /// Counts an end or a cancellation that was given up: how many there were.
    pub(crate) fn count_dropped(&self) -> u64 {
        self.dropped.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, Learnt> {
        // Both facts are whole at every moment: a panic elsewhere leaves nothing half done here.
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
