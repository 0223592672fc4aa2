//! Ends sessions off the critical path: those the gateway made for itself, and those nobody is left to own.
//!
//! A session that was opened is an [`Opened`] from the moment its id is known. Whoever drops it ends it, be it because
//! the work is done, an error, a deadline or a caller that went away; only [`Opened::hand_out`] makes it the caller's.

use std::sync::Arc;
use std::time::Duration;

use actix_rt::time::timeout;
use futures::channel::{mpsc, oneshot};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, select};

use super::header::SessionId;
use super::transport::Transport;
use crate::servers::Server;

/// A server that takes longer to end a session is left to its own clean-up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where sessions are sent to be ended. Shared by all workers.
#[derive(Debug, Clone)]
pub struct Closer(mpsc::UnboundedSender<Job>);

#[derive(Debug)]
enum Job {
    End(Arc<Server>, SessionId),
    Flush(oneshot::Sender<()>),
}

/// A session this service has opened and not handed out.
#[derive(Debug)]
pub struct Opened {
    server: Arc<Server>,
    id: Option<SessionId>,
    closer: Closer,
}

// === impl Closer ===

impl Closer {
    /// Starts the one task that ends sessions, on the runtime of the calling thread. That is the main thread's: it
    /// outlives the workers.
    pub fn start(transport: Transport) -> Self {
        let (sender, jobs) = mpsc::unbounded();
        actix_rt::spawn(run(jobs, transport));
        Self(sender)
    }

    /// Ends a session some time soon.
    pub fn end(&self, server: Arc<Server>, session: SessionId) {
        if self.0.unbounded_send(Job::End(server, session)).is_err() {
            log::warn!("a session is left to its server: the task that ends sessions is gone");
        }
    }

    /// Waits until every session sent here so far is ended.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.0.unbounded_send(Job::Flush(done)).is_ok() {
            // An error means that the task is gone, and nothing is left to wait for.
            let _ = flushed.await;
        }
    }
}

async fn run(mut jobs: mpsc::UnboundedReceiver<Job>, transport: Transport) {
    let mut ending = FuturesUnordered::new();
    loop {
        select! {
            job = jobs.next() => match job {
                Some(Job::End(server, session)) => ending.push(end(&transport, server, session)),
                Some(Job::Flush(done)) => {
                    while ending.next().await.is_some() {}
                    // Whoever asked may have stopped waiting.
                    let _ = done.send(());
                }
                None => return,
            },
            () = ending.select_next_some() => {}
        }
    }
}

async fn end(transport: &Transport, server: Arc<Server>, session: SessionId) {
    match timeout(PATIENCE, transport.delete(&server, &session)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => log::warn!(server = server.name; "a session was not ended: {error}"),
        Err(_) => log::warn!(server = server.name; "a session was not ended in time"),
    }
}

// === impl Opened ===

impl Opened {
    /// Takes charge of a session.
    pub fn new(server: Arc<Server>, id: SessionId, closer: Closer) -> Self {
        Self {
            server,
            id: Some(id),
            closer,
        }
    }

    /// The id, to use it.
    pub fn id(&self) -> Option<&SessionId> {
        self.id.as_ref()
    }

    /// Makes the session the caller's.
    pub fn hand_out(mut self) -> Option<SessionId> {
        self.id.take()
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.closer.end(Arc::clone(&self.server), id);
        }
    }
}
