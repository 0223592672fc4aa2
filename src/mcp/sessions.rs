//! The task that opens sessions, ends them, and cancels requests; whose a session is, and when it ends, is `client::session_guard`'s.
//!
//! There is one, on the main thread, which outlives the workers: `initialize` must not be cancelled, and the session that it opens
//! must not be lost, even if the caller goes away in between and the process is told to stop.

use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use actix_rt::time::timeout;
use futures::channel::mpsc;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, select};

use crate::config::servers::Server;
use crate::mcp::client::session_guard::{Job, Opening, Running, SessionGuard, Sessions, Task};
use crate::mcp::http::transport::{Post, Transport};
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::request::{self, Params};
use crate::mcp::server_state::Upstream;

/// How long a server may take to end a session or to take a cancellation.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The task.
#[derive(Debug)]
pub struct SessionTask(JoinHandle<()>);

/// Starts the task on the runtime of the calling thread.
pub fn start(transport: Transport) -> (Sessions, SessionTask) {
    let (jobs, queue) = mpsc::unbounded();
    let task = actix_rt::spawn(run(queue, transport));
    (Sessions { jobs }, SessionTask(task))
}

impl SessionTask {
    /// Waits until everything that was asked for is done, or until `deadline`. The caller must have dropped its [`Sessions`]
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
                Some(job) => under_way.push(carry_out(job, &transport)),
                None => break,
            },
            () = under_way.select_next_some() => {}
        }
    }
    while under_way.next().await.is_some() {}
}

/// Waits for the job's turn, and does it. Thousands may wait, so that what comes after is boxed.
async fn carry_out(Job { server, task }: Job, transport: &Transport) {
    let _permit = task.limit(&server).acquire_queued().await;
    match task {
        Task::Open { done, .. } if done.is_canceled() => {}
        Task::Open {
            offered,
            timeout: limit,
            sessions,
            done,
        } => {
            let opening = Box::pin(open(transport, &server, offered, sessions));
            let opened = timeout(limit, opening).await;
            // The caller may have gone: then the guard is dropped here, which ends the session.
            let _ = done.send(opened.unwrap_or(Err(Error::Deadline)));
        }
        Task::End { running, session } => Box::pin(end(transport, &server, running, session)).await,
    }
}

async fn open(
    transport: &Transport,
    server: &Upstream,
    offered: &str,
    sessions: Sessions,
) -> Opening {
    let id = Id::random();
    let body = request::encode(Some(&id), "initialize", &Params::initialize(offered))?;
    let mut reply = transport
        .post(Post {
            server,
            target: &server.url,
            headers: &[],
            body: body.into(),
            id: Some(&id),
        })
        .await?;
    // Python SDKs put a fresh id that leads nowhere on their refusals: only a success counts.
    let session = reply.head.session.take();
    let result = reply.outcome(None).await?;
    let guard = session.map(|id| SessionGuard::opened(id, server.clone(), sessions));
    Ok((guard, result))
}

async fn end(
    transport: &Transport,
    server: &Server,
    running: Option<Running>,
    session: Option<SessionId>,
) {
    if let Some(running) = running {
        let post = Post {
            server,
            target: &server.url,
            headers: &running.headers,
            body: request::cancelled(&running.id).into(),
            id: None,
        };
        match timeout(TIMEOUT, transport.post(post)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                log::debug!(server = server.name; "a request was not cancelled: {error}");
            }
            Err(_) => log::debug!(server = server.name; "a request was not cancelled in time"),
        }
    }
    if let Some(session) = session {
        match timeout(TIMEOUT, transport.delete(server, &session)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => log::warn!(server = server.name; "a session was not ended: {error}"),
            Err(_) => log::warn!(server = server.name; "a session was not ended in time"),
        }
    }
}
