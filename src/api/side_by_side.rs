//! Several calls of one request: in parallel, within one deadline, written in the order of the request, each as soon as those before it
//! are. `limits.responseBytes` is for all their results together.
//!
//! Which calls there are, and how a result is written, is the handlers' (`batch`, `call_tools`).

use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use actix_web::HttpResponse;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt};

use crate::api::error::kinds::{About, Error, Task};
use crate::api::request::context::Context;
use crate::api::state::State;
use crate::config::servers::Server;
use crate::mcp::client::options::CallOptions;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::protocol::error::{Cap, Error as Cause, Executed, Failure, Stage};

/// What the calls have in common, for tasks that outlive the handler.
pub(crate) struct Shared {
    pub(crate) state: Rc<State>,
    request_id: String,
    route: &'static str,
    started: Instant,
    deadline: Instant,
    /// Bytes that the results still to come may have together.
    bytes_left: Cell<usize>,
}

/// The text around the results. A comma stands between two of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    pub(crate) open: &'static str,
    pub(crate) close: &'static str,
}

/// The body of the response. Dropping it, as actix does when the caller has gone, cancels the calls.
struct Results {
    /// Tasks, which meet their deadlines also while the caller does not read.
    calls: VecDeque<JoinHandle<Pieces>>,
    /// What is being written.
    current: Pieces,
    close: &'static str,
    is_first: bool,
    is_done: bool,
    shared: Rc<Shared>,
}

// === impl Shared ===

impl Shared {
    /// Of a request whose caller asks for this deadline.
    pub(crate) fn of(context: &Context<'_>, asked: Option<Duration>) -> Rc<Self> {
        let settings = &context.state.settings;
        let most = settings.timeout;
        Rc::new(Self {
            state: Rc::clone(context.state),
            request_id: context.id.clone(),
            route: context.route,
            started: context.started,
            deadline: context.started + asked.map_or(most, |asked| asked.min(most)),
            bytes_left: Cell::new(settings.limits.response_bytes),
        })
    }

    /// The options of a call to this server.
    pub(crate) fn options(&self, server: &Server) -> CallOptions {
        let own = server.timeout.map(|timeout| self.started + timeout);
        CallOptions::within(own.map_or(self.deadline, |own| own.min(self.deadline)))
    }

    /// The subject of an error.
    pub(crate) fn about<'a>(&'a self, server: Option<&'a str>, tool: Option<&'a str>) -> About<'a> {
        About {
            request_id: &self.request_id,
            server,
            tool,
            prompt: None,
            hint: None,
        }
    }

    /// Takes a result's bytes from those that all results may have together.
    pub(crate) fn take(&self, bytes: usize, executed: Executed) -> Result<(), Error> {
        let Some(left) = self.bytes_left.get().checked_sub(bytes) else {
            let too_large = Cause::TooLarge(Cap::BatchBytes);
            let failure = Failure::new(too_large, Stage::Operation, executed);
            return Err(Error::upstream(Task::CallTool, failure));
        };
        self.bytes_left.set(left);
        Ok(())
    }

    /// 200 with the results of these calls, which start now.
    pub(crate) fn response<F>(
        self: &Rc<Self>,
        calls: impl Iterator<Item = F>,
        around: Around,
    ) -> HttpResponse
    where
        F: Future<Output = Pieces> + 'static,
    {
        let results = Results {
            calls: calls.map(actix_rt::spawn).collect(),
            current: Pieces::of(Bytes::from_static(around.open.as_bytes())),
            close: around.close,
            is_first: true,
            is_done: false,
            shared: Rc::clone(self),
        };
        HttpResponse::Ok()
            .content_type("application/json")
            .streaming(results.map(Ok::<_, actix_web::Error>))
    }

    fn log_end(&self) {
        log::info!(
            target: "mcp_rest::access",
            request_id = self.request_id.as_str(),
            route = self.route,
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            "batch ended"
        );
    }
}

// === impl Results ===

impl Stream for Results {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(piece) = self.current.next_piece() {
                return Poll::Ready(Some(piece));
            }
            if let Some(call) = self.calls.front_mut() {
                // It fails only by a panic, which the panic hook has logged.
                let result = ready!(call.poll_unpin(context)).unwrap_or_else(|_| null());
                self.calls.pop_front();
                if !std::mem::take(&mut self.is_first) {
                    self.current.push(Bytes::from_static(b","));
                }
                self.current.append(result);
            } else if std::mem::replace(&mut self.is_done, true) {
                return Poll::Ready(None);
            } else {
                self.shared.log_end();
                let close = self.close.as_bytes();
                self.current.push(Bytes::from_static(close));
            }
        }
    }
}

impl Drop for Results {
    fn drop(&mut self) {
        for call in &self.calls {
            call.abort();
        }
    }
}

/// Keeps the body valid JSON where there is not even room for a problem.
pub(crate) fn null() -> Pieces {
    Pieces::of(Bytes::from_static(b"null"))
}
