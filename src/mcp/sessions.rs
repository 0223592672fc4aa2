//! Opens sessions, and ends those that nobody is left to own. Cancels what nobody waits for any more.
//!
//! All of it is done by one task on the main thread, which outlives the workers: `initialize` must not be cancelled, and
//! the session that it opens must not be lost, even if the caller goes away in between and the process is told to stop.
//! What this service has opened is an [`Opened`] from the moment its id is known. Whoever drops it ends it, be it because
//! the work is done, an error, a deadline or a caller that went away; only [`Opened::release`] makes it the caller's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use actix_rt::time::timeout;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::servers::{ByIdentity, Server, Servers};
use crate::mcp::http::transport::{Post, Transport};
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::request;
use crate::mcp::protocol::request::Params;

/// A server that takes longer to end a session or to take a cancellation is left to itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// Ends and cancellations sent to one server at the same time. A call takes three requests with a session of its own, and one
/// after it; what these hold is less than what the calls hold that they come after.
const LEAVING: usize = 64;
/// What may wait for that, and for a handshake, at one server.
const WAITING: usize = 1024;

/// The way to the task that opens and ends sessions. Shared by all workers; the task ends when nobody has it any more.
#[derive(Debug, Clone)]
pub struct Sessions {
    jobs: mpsc::UnboundedSender<Job>,
    lanes: Lanes,
}

type Lanes = Arc<ByIdentity<Lane>>;

/// What is done at one server at the same time: so many sockets it can hold that hangs.
#[derive(Debug)]
struct Lane {
    opening: Turns,
    leaving: Turns,
    /// Sessions and cancellations that were given up for there were too many.
    dropped: AtomicU64,
}

#[derive(Debug)]
struct Turns {
    free: Semaphore,
    waiting: AtomicUsize,
}

/// The task itself.
#[derive(Debug)]
pub struct Keeper(JoinHandle<()>);

/// A session this service has opened and not handed out.
#[derive(Debug)]
pub struct Opened {
    server: Arc<Server>,
    id: Option<SessionId>,
    sessions: Sessions,
}

/// A request that nobody waits for any more.
#[derive(Debug)]
pub struct Abandoned {
    /// Its id.
    pub id: Id,
    /// The headers of messages in its session.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// The session that `initialize` opened, where it opened one, and its result.
type Opening = Result<(Option<Opened>, Bytes), Error>;

#[derive(Debug)]
enum Job {
    Open {
        server: Arc<Server>,
        offered: &'static str,
        patience: Duration,
        sessions: Sessions,
        done: oneshot::Sender<Opening>,
    },
    /// First what still runs is cancelled, then its session is ended.
    Leave {
        server: Arc<Server>,
        abandoned: Option<Abandoned>,
        session: Option<SessionId>,
    },
}

// === impl Sessions ===

impl Sessions {
    /// Starts the task on the runtime of the calling thread.
    pub fn start(transport: Transport, servers: &Servers) -> (Self, Keeper) {
        let (sender, queue) = mpsc::unbounded();
        let lane = |server: &Arc<Server>| (server.identity, Lane::to(server));
        let lanes: Lanes = Arc::new(servers.iter().map(lane).collect());
        let task = actix_rt::spawn(run(queue, Arc::clone(&lanes), transport));
        let sessions = Self {
            jobs: sender,
            lanes,
        };
        (sessions, Keeper(task))
    }

    /// How many sessions and running requests were left to their servers, for there were too many to end.
    pub fn dropped(&self) -> u64 {
        let dropped = |lane: &Lane| lane.dropped.load(Ordering::Relaxed);
        self.lanes.values().map(dropped).sum()
    }

    /// `initialize`, offering the revision `offered`. It is carried through even if the caller of this does not wait, for
    /// at most `patience`; a session that nobody takes is ended.
    pub async fn open(
        &self,
        server: Arc<Server>,
        offered: &'static str,
        patience: Duration,
    ) -> Opening {
        let (done, opened) = oneshot::channel();
        let is_taken = self.send(Job::Open {
            server,
            offered,
            patience,
            sessions: self.clone(),
            done,
        });
        if !is_taken {
            return Err(Error::Overloaded);
        }
        let gone = |_| Error::Internal("the task that opens sessions is gone".into());
        opened.await.map_err(gone)?
    }

    /// Ends a session some time soon.
    pub fn end(&self, server: Arc<Server>, session: SessionId) {
        self.send(Job::Leave {
            server,
            abandoned: None,
            session: Some(session),
        });
    }

    /// Tells the server some time soon that nobody waits for an answer.
    pub fn cancel(&self, server: Arc<Server>, abandoned: Abandoned) {
        self.send(Job::Leave {
            server,
            abandoned: Some(abandoned),
            session: None,
        });
    }

    /// Hands a job on, unless too many wait at its server.
    fn send(&self, job: Job) -> bool {
        let lane = self.lanes.get(&job.server().identity);
        if lane.is_some_and(|lane| !lane.admits(&job)) {
            return false;
        }
        let is_taken = self.jobs.unbounded_send(job).is_ok();
        if !is_taken {
            log::warn!("a session is left to its server: the task that ends sessions is gone");
        }
        is_taken
    }
}

// === impl Lane ===

impl Lane {
    fn to(server: &Server) -> Self {
        Self {
            // What callers wait for is bounded by their places; what they have gone from is by the same.
            opening: Turns::of(server.in_flight),
            leaving: Turns::of(LEAVING),
            dropped: AtomicU64::new(0),
        }
    }

    fn turns(&self, job: &Job) -> &Turns {
        match job {
            Job::Open { .. } => &self.opening,
            Job::Leave { .. } => &self.leaving,
        }
    }

    /// Whether there is room for a job to wait. What is refused is counted, and told of ever more rarely.
    fn admits(&self, job: &Job) -> bool {
        let admits = self.turns(job).queue_up();
        if let (false, Job::Leave { server, .. }) = (admits, job) {
            let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
            if dropped.is_power_of_two() {
                log::warn!(
                    server = server.name, dropped = dropped;
                    "sessions or calls are left to their server: it does not take ends and cancellations as fast as they come"
                );
            }
        }
        admits
    }
}

// === impl Turns ===

impl Turns {
    fn of(at_a_time: usize) -> Self {
        Self {
            free: Semaphore::new(at_a_time.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
        }
    }

    fn queue_up(&self) -> bool {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING;
        if !has_room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        has_room
    }

    /// The turn of one that has queued up.
    async fn come(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        let turn = self.free.acquire().await.ok();
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        turn
    }
}

// === impl Keeper ===

impl Keeper {
    /// Waits until everything that was asked for is done, or until `deadline`. Whoever asks must have dropped its [`Sessions`]
    /// and be sure that everybody else drops theirs.
    pub async fn finish(self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if timeout(left, self.0).await.is_err() {
            log::warn!("sessions are left to their servers: ending them took too long");
        }
    }
}

async fn run(mut jobs: mpsc::UnboundedReceiver<Job>, lanes: Lanes, transport: Transport) {
    let mut under_way = FuturesUnordered::new();
    loop {
        select! {
            job = jobs.next() => match job {
                Some(job) => under_way.push(job.in_turn(&lanes, &transport)),
                None => break,
            },
            () = under_way.select_next_some() => {}
        }
    }
    while under_way.next().await.is_some() {}
}

impl Job {
    fn server(&self) -> &Arc<Server> {
        match self {
            Self::Open { server, .. } | Self::Leave { server, .. } => server,
        }
    }

    async fn in_turn(self, lanes: &ByIdentity<Lane>, transport: &Transport) {
        let lane = lanes.get(&self.server().identity);
        let _turn = match lane {
            Some(lane) => lane.turns(&self).come().await,
            None => None,
        };
        match &self {
            Self::Open { done, .. } if done.is_canceled() => {}
            _ => self.carry_out(transport).await,
        }
    }

    fn carry_out(self, transport: &Transport) -> LocalBoxFuture<'_, ()> {
        match self {
            Self::Open {
                server,
                offered,
                patience,
                sessions,
                done,
            } => async move {
                let opening = open(transport, server, offered, sessions);
                let opened = timeout(patience, opening).await;
                // Whoever wanted the session may be gone: then it is dropped here, and thereby ended.
                let _ = done.send(opened.unwrap_or(Err(Error::Deadline)));
            }
            .boxed_local(),
            Self::Leave {
                server,
                abandoned,
                session,
            } => async move {
                if let Some(abandoned) = abandoned {
                    cancel(transport, &server, abandoned).await;
                }
                if let Some(session) = session {
                    end(transport, &server, &session).await;
                }
            }
            .boxed_local(),
        }
    }
}

async fn open(
    transport: &Transport,
    server: Arc<Server>,
    offered: &str,
    sessions: Sessions,
) -> Opening {
    let id = Id::random();
    let body = request::encode(Some(&id), "initialize", &Params::initialize(offered))?;
    let mut reply = transport
        .post(Post {
            server: &server,
            target: &server.url,
            headers: &[],
            body: body.into(),
            id: Some(&id),
        })
        .await?;
    // Python SDKs put a fresh id that leads nowhere on their refusals: only a success counts.
    let session = reply.head.session.take();
    let result = reply.outcome(None).await?;
    let opened = session.map(|id| Opened {
        server,
        id: Some(id),
        sessions,
    });
    Ok((opened, result))
}

async fn cancel(transport: &Transport, server: &Server, abandoned: Abandoned) {
    let post = Post {
        server,
        target: &server.url,
        headers: &abandoned.headers,
        body: request::cancelled(&abandoned.id).into(),
        id: None,
    };
    match timeout(PATIENCE, transport.post(post)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => log::debug!(server = server.name; "a request was not cancelled: {error}"),
        Err(_) => log::debug!(server = server.name; "a request was not cancelled in time"),
    }
}

async fn end(transport: &Transport, server: &Server, session: &SessionId) {
    match timeout(PATIENCE, transport.delete(server, session)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => log::warn!(server = server.name; "a session was not ended: {error}"),
        Err(_) => log::warn!(server = server.name; "a session was not ended in time"),
    }
}

// === impl Opened ===

impl Opened {
    /// The id, to use it.
    pub fn id(&self) -> Option<&SessionId> {
        self.id.as_ref()
    }

    /// Makes the session the caller's.
    pub fn release(mut self) -> Option<SessionId> {
        self.id.take()
    }

    /// Ends the session after cancelling what still runs in it.
    pub fn abandon(mut self, abandoned: Abandoned) {
        self.sessions.send(Job::Leave {
            server: Arc::clone(&self.server),
            abandoned: Some(abandoned),
            session: self.id.take(),
        });
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.sessions.end(Arc::clone(&self.server), id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_much_to_end_is_dropped_and_counted() {
        let server = Arc::new(Server::http("s", "http://127.0.0.1/mcp".parse().unwrap()));
        let lane = Lane::to(&server);
        let leave = || Job::Leave {
            server: Arc::clone(&server),
            abandoned: None,
            session: None,
        };
        for _ in 0..WAITING {
            assert!(lane.admits(&leave()));
        }
        assert!(!lane.admits(&leave()));
        assert!(!lane.admits(&leave()));
        assert_eq!(lane.dropped.load(Ordering::Relaxed), 2);
        // Room is made when a turn comes.
        let turn = lane.leaving.come().now_or_never().flatten();
        assert!(turn.is_some() && lane.admits(&leave()) && !lane.admits(&leave()));
    }

    #[test]
    fn so_many_have_their_turn_at_the_same_time() {
        let turns = Turns::of(LEAVING);
        let held: Vec<_> = (0..LEAVING)
            .map(|_| turns.queue_up().then(|| turns.come().now_or_never()))
            .collect();
        assert!(turns.queue_up() && turns.come().now_or_never().is_none());
        drop(held);
        assert!(turns.queue_up() && turns.come().now_or_never().is_some());
    }
}
