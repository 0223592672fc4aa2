//! The clients of one worker: what they share, and one client for each request.

use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use bytes::Bytes;

use crate::json::Members;
use crate::mcp::client::clock::Clock;
use crate::mcp::client::operation::Operation;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::client::session_guard::{Session, SessionGuard};
use crate::mcp::http::transport::Transport;
use crate::mcp::limits::Budget;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Executed, Failure, Stage};
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::request;
use crate::mcp::protocol::request::Params;
use crate::mcp::server_state::Upstream;
use crate::mcp::sessions::{Abandoned, Sessions};
use crate::mcp::stream::notifications::Watch;

/// What the clients of one worker share: connections, and the way to the task that opens and ends sessions.
#[derive(Clone)]
pub struct Pool {
    pub(super) transport: Transport,
    pub(super) sessions: Sessions,
}

/// A client for one request.
pub struct Client<'a> {
    pub(super) pool: &'a Pool,
    pub(super) server: &'a Upstream,
    pub(super) init: Init,
    pub(super) close: bool,
    pub(super) deadline: Instant,
    pub(super) session: Session,
    /// The revision settled on, once this client has shaken hands itself. In a session of the caller's it is unknown,
    /// and the header is left out rather than guessed (every measured server takes that).
    pub(super) version: Option<&'static str>,
    /// The era the last request was made in.
    pub(super) era: Option<Era>,
    /// What `server/discover` answered within this request.
    pub(super) discovered: Option<Bytes>,
    /// The server was asked for its era within this request.
    pub(super) detected: bool,
    /// The request that a legacy server may be at work on. A modern one notices that the connection is closed.
    pub(super) running: Option<Id>,
    /// The caller gets an error for an answer.
    pub(super) failed: bool,
    /// Who wants to know what the server tells before it answers.
    pub(super) watch: Option<Watch>,
    pub(super) clock: Clock,
}

// === impl Pool ===

impl Pool {
    /// The pool of one worker.
    pub fn new(transport: Transport, sessions: Sessions) -> Self {
        Self {
            transport,
            sessions,
        }
    }

    /// What bodies share.
    pub fn budget(&self) -> &Budget {
        self.transport.budget()
    }

    /// A client for one request to `server`.
    pub fn client<'a>(&'a self, server: &'a Upstream, options: CallOptions) -> Client<'a> {
        let session = match options.session {
            // A handshake is never made in a live session: who asks for one gets a new session.
            Some(session) if options.init != Init::Always => Session::Callers(session),
            _ => Session::None,
        };
        Client {
            pool: self,
            server,
            init: options.init,
            close: options.close,
            deadline: options.deadline,
            session,
            version: None,
            era: None,
            discovered: None,
            detected: false,
            running: None,
            failed: false,
            watch: None,
            clock: Clock::start(),
        }
    }
}

// === impl Client: one operation ===

impl Client<'_> {
    /// Runs an operation with a permit of the server's concurrency limit and within the deadline.
    pub(super) async fn bounded<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let _permit = match self.server.state.calls.acquire(self.deadline).await {
            Ok(permit) => permit,
            Err(error) => return Err(self.failure(error)),
        };
        self.in_time(operation).await
    }

    /// Runs an operation within the deadline, and says of a failure how far it had come.
    pub(super) async fn in_time<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match timeout(left, operation(self)).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure(Error::Deadline)),
        }
    }

    /// The moment up to which the request may take.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time before the operation, and the time of the operation itself.
    pub fn timing(&mut self) -> (Duration, Duration) {
        self.clock.enter(self.clock.stage);
        (self.clock.preparing, self.clock.operation)
    }

    fn failure(&mut self, error: Error) -> Failure {
        self.failed = true;
        let stage = self.clock.stage;
        let executed = match stage {
            Stage::Operation => error.executed(),
            Stage::Preparing | Stage::Handshake => Executed::No,
        };
        Failure {
            error,
            stage,
            executed,
            idempotent: false,
        }
    }

    /// Who is to be told of what happens before `operation` is answered, by the token that it carries.
    pub(super) fn watch_over(&self, operation: &Operation<'_>) -> Option<Watch> {
        let watch = self.watch.as_ref().filter(|_| operation.may_ask)?;
        let callers = operation.meta.and_then(|meta| {
            let members = Members::of(meta.get()).ok()?;
            members.get("progressToken")
        });
        Some(match callers {
            Some(token) => watch.with_token(token.get()),
            None => watch.clone(),
        })
    }

    /// A request as it is sent.
    pub(super) fn written(
        &self,
        id: &Id,
        method: &str,
        params: &Params<'_>,
    ) -> Result<Bytes, Error> {
        let body =
            request::encode(Some(id), method, params).map_err(|error| Error::unwritable(&error))?;
        let budget = self.pool.transport.budget();
        let no_room = |_| Error::NoRoom { sent: false };
        budget.keep(body.into()).map_err(no_room)
    }
}

// === impl Client: leaving ===

impl Client<'_> {
    /// Ends what is to be ended and says which session is the caller's now, if any.
    pub fn release_session(self) -> Option<SessionId> {
        self.guard_session().and_then(SessionGuard::release)
    }

    /// The server's answer is of no use to the caller, who gets an error.
    pub fn fail(mut self) {
        self.failed = true;
    }

    /// The same as `release_session` for who cannot tell the caller at once.
    pub fn guard_session(mut self) -> Option<SessionGuard> {
        let session = match std::mem::replace(&mut self.session, Session::None) {
            Session::Opened(opened) if self.init == Init::Always && !self.close => {
                return Some(SessionGuard::Opened(opened));
            }
            Session::Callers(session) => session,
            Session::Opened(_) | Session::Channel(_) | Session::None => return None,
        };
        if self.era == Some(Era::Modern) {
            return None;
        }
        if self.close {
            self.end(session);
            return None;
        }
        Some(SessionGuard::Callers(session))
    }

    fn end(&self, session: SessionId) {
        let sessions = &self.pool.sessions;
        sessions.end(self.server.clone(), session);
    }

    /// Tells a legacy server that nobody waits for the request it may be at work on.
    pub(super) fn cancel(&mut self) {
        let Some(id) = self.running.take() else {
            return;
        };
        let server = self.server.clone();
        let headers = self.legacy_headers();
        let sessions = &self.pool.sessions;
        sessions.cancel(server, Abandoned { id, headers });
    }
}

impl Drop for Client<'_> {
    /// Whatever the reason: an answer, an error, a deadline, a caller that went away, or the end of the process.
    fn drop(&mut self) {
        let running = self.running.take();
        let abandoned = running.map(|id| Abandoned {
            id,
            headers: self.legacy_headers(),
        });
        let session = std::mem::replace(&mut self.session, Session::None);
        if let Some(abandoned) = abandoned {
            let server = self.server.clone();
            match session {
                Session::Opened(opened) => return opened.abandon(abandoned),
                Session::Channel(channel) => {
                    let transport = self.pool.transport.clone();
                    return channel.abandon(transport, server, &abandoned.id);
                }
                Session::Callers(_) | Session::None => {
                    self.pool.sessions.cancel(server, abandoned);
                }
            }
        }
        // After an error as after any other answer; a caller who has gone keeps its session.
        if let Session::Callers(session) = session
            && self.failed
            && self.close
            && self.era != Some(Era::Modern)
        {
            self.end(session);
        }
    }
}
