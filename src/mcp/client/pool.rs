//! The clients of one worker: what they share, and one client for each request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::timeout_at;

use crate::json::Members;
use crate::mcp::client::clock::Clock;
use crate::mcp::client::operation::Operation;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::client::session_guard::{Session, SessionGuard, Sessions};
use crate::mcp::http::transport::Transport;
use crate::mcp::limits::Budget;
use crate::mcp::protocol::error::{Allowed, Error, Executed, Failure, Stage};
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::request::{self, Params};
use crate::mcp::server_state::Upstream;
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
    pub(super) deadline: Instant,
    /// How much time the request has, and why; for errors.
    allowed: Option<Allowed>,
    pub(super) session: Session<'a>,
    /// What `server/discover` answered within this request.
    pub(super) discovered: Option<Bytes>,
    /// The server was asked for its era within this request.
    pub(super) detected: bool,
    /// Where notifications before the reply go.
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

    /// The memory that all bodies share.
    pub fn budget(&self) -> &Budget {
        self.transport.budget()
    }

    /// A client for one request to `server`.
    pub fn client<'a>(&'a self, server: &'a Upstream, options: CallOptions) -> Client<'a> {
        Client {
            pool: self,
            server,
            init: options.init,
            deadline: options.deadline,
            allowed: options.allowed,
            session: Session::new(server, &self.transport, &self.sessions, options),
            discovered: None,
            detected: false,
            watch: None,
            clock: Clock::start(),
        }
    }
}

// === impl Client: one operation ===

impl Client<'_> {
    /// Runs an operation with a permit of the server's concurrency limit and within the deadline.
    pub(super) async fn with_permit<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let _permit = match self.server.state.calls.acquire(self.deadline).await {
            Ok(permit) => permit,
            Err(error) => return Err(self.failure(error)),
        };
        self.with_deadline(operation).await
    }

    /// Runs an operation within the deadline; a failure says in which stage it happened.
    pub(super) async fn with_deadline<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        match timeout_at(self.deadline.into(), operation(self)).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure(Error::Deadline)),
        }
    }

    /// The deadline of the request.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time before the operation, and the time of the operation itself.
    pub fn timing(&mut self) -> (Duration, Duration) {
        self.clock.enter(self.clock.stage);
        (self.clock.preparing, self.clock.operation)
    }

    fn failure(&mut self, error: Error) -> Failure {
        self.session.fail();
        let stage = self.clock.stage;
        let executed = match stage {
            Stage::Operation => error.executed(),
            Stage::Preparing | Stage::Handshake => Executed::No,
        };
        Failure {
            server: Some(Arc::clone(self.server.config())),
            allowed: self.allowed,
            ..Failure::new(error, stage, executed)
        }
    }

    /// Where notifications before the reply to `operation` go, with its progress token.
    pub(super) fn watch_for(&self, operation: &Operation<'_>) -> Option<Watch> {
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

    /// A request's body.
    pub(super) fn encoded(
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

// === impl Client: its end ===

impl Client<'_> {
    /// The request was answered: ends a session that is to be ended, and releases the caller's, if any, to be named in the response.
    pub fn release_session(self) -> Option<SessionId> {
        self.guard_session().map(SessionGuard::release)
    }

    /// The same where the response cannot be sent at once.
    pub fn guard_session(self) -> Option<SessionGuard> {
        self.session.into_guard()
    }

    /// The request was answered, but the caller gets an error.
    pub fn fail(mut self) {
        self.session.fail();
    }
}
