//! Whose a session is, and who ends it.
//!
//! - **Sent by the caller**: nobody, for it stays the caller's. With `close`, this service ends it after the result or the error; a caller
//!   that goes away before that keeps it.
//! - **Opened for one request** (`init=auto`, or `close`): this service, after the request, whatever its outcome.
//! - **Opened for the caller** (`init=true`): the caller, once it was released to it. Before that, this service, by dropping the guard:
//!   after an error, a deadline, or when the caller goes away.
//! - **The stream of HTTP+SSE**: this service, by closing it after the request.
//!
//! A request that a legacy server may still be working on is cancelled first. Ends and cancellations are sent in the background, by the
//! task in `sessions`.

use std::borrow::Cow;
use std::time::Duration;

use awc::http::Uri;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use futures::channel::{mpsc, oneshot};

use crate::mcp::client::http_sse::Channel;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::concurrency_limit::ConcurrencyLimit;
use crate::mcp::http::transport::Transport;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header::{self, SessionId};
use crate::mcp::protocol::id::Id;
use crate::mcp::server_state::Upstream;

/// The session of one request, and what is to be done at its end. Dropping it does that.
pub(crate) struct Session<'a> {
    server: &'a Upstream,
    transport: &'a Transport,
    sessions: &'a Sessions,
    pub(crate) kind: Kind,
    /// The era of the last request. There are no sessions in the modern one, whatever the caller has sent.
    pub(crate) era: Option<Era>,
    /// The revision settled on in a handshake of this request. In a session of the caller's it is unknown, and its header is left out
    /// rather than guessed (every measured server accepts that).
    pub(crate) version: Option<&'static str>,
    /// The request that a legacy server may be working on. A modern one notices that the connection is closed.
    pub(crate) running: Option<Id>,
    /// A session that is opened is for the caller.
    for_caller: bool,
    close: bool,
    /// The caller gets an error.
    failed: bool,
}

/// The session in use.
#[derive(Default)]
pub(crate) enum Kind {
    #[default]
    None,
    /// Sent by the caller.
    Caller(SessionId),
    /// Opened by this service.
    Opened(SessionGuard),
    /// The stream of the HTTP+SSE transport.
    Stream(Channel),
}

/// A session, to be released to the caller once the caller is told of it. Dropping the guard of a session that this service has opened
/// ends the session.
#[derive(Debug)]
pub struct SessionGuard {
    id: SessionId,
    /// How to end it; `None` for the caller's own session and for one that was released.
    end: Option<(Upstream, Sessions)>,
}

/// A request to be cancelled.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) id: Id,
    /// The headers of messages in its session.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The sender to the task that opens and ends sessions. Shared by all workers; the task ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Sessions {
    pub(crate) jobs: mpsc::UnboundedSender<Job>,
}

/// The session that `initialize` opened, where it opened one, and its result.
pub(crate) type Opening = Result<(Option<SessionGuard>, Bytes), Error>;

/// A job at a server that is done whether or not the caller is still connected.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) server: Upstream,
    pub(crate) task: Task,
}

#[derive(Debug)]
pub(crate) enum Task {
    /// `initialize`.
    Open {
        offered: &'static str,
        timeout: Duration,
        sessions: Sessions,
        done: oneshot::Sender<Opening>,
    },
    /// First what still runs is cancelled, then its session is ended.
    End {
        running: Option<Running>,
        session: Option<SessionId>,
    },
}

// === impl Session ===

impl<'a> Session<'a> {
    pub(crate) fn new(
        server: &'a Upstream,
        transport: &'a Transport,
        sessions: &'a Sessions,
        options: CallOptions,
    ) -> Self {
        // A handshake is never made in a live session: a caller that asks for one gets a new session.
        let sent = options.session.filter(|_| options.init != Init::Always);
        Self {
            server,
            transport,
            sessions,
            kind: sent.map_or(Kind::None, Kind::Caller),
            era: None,
            version: None,
            running: None,
            for_caller: options.init == Init::Always && !options.close,
            close: options.close,
            failed: false,
        }
    }

    /// The revision, once it is settled, and the session, if there is one.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let id = match &self.kind {
            Kind::None | Kind::Stream(_) => None,
            Kind::Caller(id) => Some(id),
            Kind::Opened(guard) => Some(guard.id()),
        };
        let mut headers = Vec::new();
        headers.extend(id.map(|id| (header::SESSION_ID, id.header())));
        headers.extend(
            self.version
                .map(|version| (header::PROTOCOL_VERSION, HeaderValue::from_static(version))),
        );
        headers
    }

    /// Where messages go.
    pub(crate) fn target(&self) -> Cow<'a, Uri> {
        match &self.kind {
            Kind::Stream(channel) => Cow::Owned(channel.endpoint.clone()),
            _ => Cow::Borrowed(&self.server.url),
        }
    }

    /// Notes that the caller gets an error.
    pub(crate) fn fail(&mut self) {
        self.failed = true;
    }

    /// Notes the outcome of the running request: whether it may still run.
    pub(crate) fn note_outcome<T>(&mut self, outcome: &Result<T, Error>) {
        let is_broken = matches!(outcome, Err(Error::Lost(_) | Error::NoReply));
        if is_broken && matches!(self.kind, Kind::Stream(_)) {
            // The stream was the session, and its end is the end of all that ran in it.
            self.kind = Kind::None;
            self.version = None;
            self.running = None;
        }
        if !outcome.as_ref().is_err_and(Error::leaves_it_running) {
            self.running = None;
        }
    }

    /// Cancels the request that a legacy server may be working on.
    pub(crate) fn cancel(&mut self) {
        if let Some(running) = self.take_running() {
            self.sessions.cancel(self.server.clone(), running);
        }
    }

    /// The request was answered: ends a session that is to be ended, and returns the one that is the caller's or is to be released to it.
    pub(crate) fn into_guard(mut self) -> Option<SessionGuard> {
        match std::mem::take(&mut self.kind) {
            Kind::Opened(guard) if self.for_caller => Some(guard),
            Kind::Caller(id) if self.era != Some(Era::Modern) => {
                if self.close {
                    self.sessions.end(self.server.clone(), id);
                    return None;
                }
                Some(SessionGuard { id, end: None })
            }
            Kind::None | Kind::Caller(_) | Kind::Opened(_) | Kind::Stream(_) => None,
        }
    }

    fn take_running(&mut self) -> Option<Running> {
        let id = self.running.take()?;
        let headers = self.headers();
        Some(Running { id, headers })
    }
}

impl Drop for Session<'_> {
    /// Whatever the reason: a result, an error, a deadline, a caller that went away, or the end of the process.
    fn drop(&mut self) {
        let running = self.take_running();
        match (std::mem::take(&mut self.kind), running) {
            (Kind::Opened(guard), Some(running)) => guard.cancel_and_end(running),
            (Kind::Stream(channel), Some(running)) => {
                let (transport, server) = (self.transport.clone(), self.server.clone());
                channel.cancel_and_close(transport, server, &running.id);
            }
            (kind, running) => {
                if let Some(running) = running {
                    self.sessions.cancel(self.server.clone(), running);
                }
                // `close` holds after an error too; a caller that went away keeps its session.
                if let Kind::Caller(id) = kind
                    && self.failed
                    && self.close
                    && self.era != Some(Era::Modern)
                {
                    self.sessions.end(self.server.clone(), id);
                }
            }
        }
    }
}

// === impl SessionGuard ===

impl SessionGuard {
    /// The guard of a session that this service has opened.
    pub(crate) fn opened(id: SessionId, server: Upstream, sessions: Sessions) -> Self {
        let end = Some((server, sessions));
        Self { id, end }
    }

    /// The id, to use it or to tell the caller.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The caller has been told: from now on the session is the caller's.
    pub fn release(mut self) -> SessionId {
        self.end = None;
        self.id.clone()
    }

    /// Ends the session after cancelling what still runs in it.
    fn cancel_and_end(mut self, running: Running) {
        if let Some((server, sessions)) = self.end.take() {
            let session = Some(self.id.clone());
            let running = Some(running);
            sessions.send(server, Task::End { running, session });
        }
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        if let Some((server, sessions)) = self.end.take() {
            sessions.end(server, self.id.clone());
        }
    }
}

// === impl Sessions ===

impl Sessions {
    /// `initialize`, offering the revision `offered`. It is carried through even if the caller of this does not wait, for
    /// at most `timeout`; a session that nobody takes is ended.
    pub(crate) async fn open(
        &self,
        server: Upstream,
        offered: &'static str,
        timeout: Duration,
    ) -> Opening {
        let (done, opened) = oneshot::channel();
        let task = Task::Open {
            offered,
            timeout,
            sessions: self.clone(),
            done,
        };
        if !self.send(server, task) {
            return Err(Error::Overloaded);
        }
        let gone = |_| Error::Internal("the task that opens sessions is gone".into());
        opened.await.map_err(gone)?
    }

    fn end(&self, server: Upstream, session: SessionId) {
        let task = Task::End {
            running: None,
            session: Some(session),
        };
        self.send(server, task);
    }

    fn cancel(&self, server: Upstream, running: Running) {
        let task = Task::End {
            running: Some(running),
            session: None,
        };
        self.send(server, task);
    }

    /// Sends a job, unless too many wait at its server. Ends and cancellations that are given up are counted, and logged ever more rarely.
    fn send(&self, server: Upstream, task: Task) -> bool {
        if !task.limit(&server).join_queue() {
            if matches!(task, Task::End { .. }) {
                let dropped = server.state.count_dropped();
                if dropped.is_power_of_two() {
                    log::warn!(
                        server = server.name, dropped = dropped;
                        "sessions are not ended and calls are not cancelled: too many are waiting for this server"
                    );
                }
            }
            return false;
        }
        let is_taken = self.jobs.unbounded_send(Job { server, task }).is_ok();
        if !is_taken {
            log::warn!("a session is not ended: the task that ends sessions is gone");
        }
        is_taken
    }
}

// === impl Task ===

impl Task {
    /// How many of its kind may be under way at its server.
    pub(crate) fn limit<'s>(&self, server: &'s Upstream) -> &'s ConcurrencyLimit {
        match self {
            Self::Open { .. } => &server.state.handshakes,
            Self::End { .. } => &server.state.endings,
        }
    }
}
