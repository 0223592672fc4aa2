//! Opens sessions, and ends those that nobody is left to own. Cancels what nobody waits for any more.
//!
//! All of it is done by one task on the main thread, which outlives the workers: `initialize` must not be cancelled, and
//! the session that it opens must not be lost, even if the caller goes away in between and the process is told to stop.
//! What this service has opened is an [`Opened`] from the moment its id is known. Whoever drops it ends it, be it because
//! the work is done, an error, a deadline or a caller that went away; only [`Opened::release`] makes it the caller's.

use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use actix_rt::time::timeout;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};

use crate::config::servers::Server;
use crate::mcp::concurrency_limit::ConcurrencyLimit;
use crate::mcp::http::transport::{Post, Transport};
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::request;
use crate::mcp::protocol::request::Params;
use crate::mcp::server_state::Upstream;

/// A server that takes longer to end a session or to take a cancellation is left to itself.
const PATIENCE: Duration = Duration::from_secs(10);
/// The way to the task that opens and ends sessions. Shared by all workers; the task ends when nobody has it any more.
#[derive(Debug, Clone)]
pub struct Sessions {
    jobs: mpsc::UnboundedSender<Job>,
}

/// The task itself.
#[derive(Debug)]
pub struct Keeper(JoinHandle<()>);

/// A session this service has opened and not handed out.
#[derive(Debug)]
pub struct Opened {
    server: Upstream,
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
        server: Upstream,
        offered: &'static str,
        patience: Duration,
        sessions: Sessions,
        done: oneshot::Sender<Opening>,
    },
    /// First what still runs is cancelled, then its session is ended.
    Leave {
        server: Upstream,
        abandoned: Option<Abandoned>,
        session: Option<SessionId>,
    },
}

// === impl Sessions ===

impl Sessions {
    /// Starts the task on the runtime of the calling thread.
    pub fn start(transport: Transport) -> (Self, Keeper) {
        let (jobs, queue) = mpsc::unbounded();
        let task = actix_rt::spawn(run(queue, transport));
        (Self { jobs }, Keeper(task))
    }

    /// `initialize`, offering the revision `offered`. It is carried through even if the caller of this does not wait, for
    /// at most `patience`; a session that nobody takes is ended.
    pub async fn open(
        &self,
        server: Upstream,
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
    pub fn end(&self, server: Upstream, session: SessionId) {
        self.send(Job::Leave {
            server,
            abandoned: None,
            session: Some(session),
        });
    }

    /// Tells the server some time soon that nobody waits for an answer.
    pub fn cancel(&self, server: Upstream, abandoned: Abandoned) {
        self.send(Job::Leave {
            server,
            abandoned: Some(abandoned),
            session: None,
        });
    }

    /// Hands a job on, unless too many wait at its server.
    fn send(&self, job: Job) -> bool {
        if !job.join_queue() {
            return false;
        }
        let is_taken = self.jobs.unbounded_send(job).is_ok();
        if !is_taken {
            log::warn!("a session is left to its server: the task that ends sessions is gone");
        }
        is_taken
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

async fn run(mut jobs: mpsc::UnboundedReceiver<Job>, transport: Transport) {
    let mut under_way = FuturesUnordered::new();
    loop {
        select! {
            job = jobs.next() => match job {
                Some(job) => under_way.push(job.in_turn(&transport)),
                None => break,
            },
            () = under_way.select_next_some() => {}
        }
    }
    while under_way.next().await.is_some() {}
}

impl Job {
    fn server(&self) -> &Upstream {
        match self {
            Self::Open { server, .. } | Self::Leave { server, .. } => server,
        }
    }

    /// How many of its kind may be under way at its server.
    fn limit(&self) -> &ConcurrencyLimit {
        let state = &self.server().state;
        match self {
            Self::Open { .. } => &state.handshakes,
            Self::Leave { .. } => &state.endings,
        }
    }

    /// Whether there is room for it to wait. What is refused is counted, and told of ever more rarely.
    fn join_queue(&self) -> bool {
        let has_room = self.limit().join_queue();
        if let (false, Self::Leave { server, .. }) = (has_room, self) {
            let dropped = server.state.count_dropped();
            if dropped.is_power_of_two() {
                log::warn!(
                    server = server.name, dropped = dropped;
                    "sessions or calls are left to their server: it does not take ends and cancellations as fast as they come"
                );
            }
        }
        has_room
    }

    async fn in_turn(self, transport: &Transport) {
        // Held through a handle of its own, for the job is consumed.
        let server = self.server().clone();
        let _permit = match &self {
            Self::Open { .. } => server.state.handshakes.acquire_queued().await,
            Self::Leave { .. } => server.state.endings.acquire_queued().await,
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
    server: Upstream,
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
            server: self.server.clone(),
            abandoned: Some(abandoned),
            session: self.id.take(),
        });
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.sessions.end(self.server.clone(), id);
        }
    }
}
