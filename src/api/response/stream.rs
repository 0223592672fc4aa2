//! An answer while it comes about: what the server tells during a request, as it arrives, and then what the request came to.
//!
//! As server-sent events or as lines of JSON. What is refused before anything is sent to the server has its own status; from
//! then on the status is 200, and the last event is `result` or `error`. Dropping the body, as actix does when the caller
//! has gone, cancels the request.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task;
use std::task::Poll;
use std::time::{Duration, Instant};

use actix_rt::task::JoinHandle;
use actix_rt::time::{Interval, interval_at};
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use bytes::{BufMut, Bytes, BytesMut};
use futures::channel::mpsc;
use futures::{FutureExt, Stream, StreamExt};

use crate::api::error::kinds::{About, Error};
use crate::api::error::verdict::Verdict;
use crate::api::handlers::rpc;
use crate::api::handlers::tools::checked_call;
use crate::api::request::body;
use crate::api::request::context::Context;
use crate::api::response::negotiate::{LINES, LIVE};
use crate::api::state::State;
use crate::config::servers::{Server, ToolErrors};
use crate::mcp::client::operation::ToolCall;
use crate::mcp::client::options::CallOptions;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::SessionGuard;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom, SMALL};
use crate::mcp::protocol::codes;
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::message::Notification;
use crate::mcp::stream::notifications::{Told, Watch};

/// Keeps nginx from holding events back.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Between comments on a stream on which nothing else is said: proxies give up on a silence of 60 s.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// `text/event-stream`.
    Events,
    /// `application/x-ndjson`.
    Lines,
}

/// What is asked of the server.
pub(crate) enum Job {
    /// A tool call: its body is the arguments, or an envelope.
    Tool {
        body: Bytes,
        is_envelope: bool,
        tool_errors: ToolErrors,
    },
    /// A JSON-RPC request.
    Rpc { request: Bytes },
}

/// The body of a live answer.
struct Live {
    frame: Frame,
    notifications: mpsc::Receiver<Told>,
    /// The request, which goes on and comes to its deadline also while the caller does not read.
    work: JoinHandle<Vec<Last>>,
    is_done: bool,
    /// What is being written, and what holds on until it is.
    current: Option<(Event, Option<Told>)>,
    last: VecDeque<Last>,
    silence: Interval,
}

/// An event on its way out.
struct Event {
    before: Bytes,
    json: Pieces,
    after: &'static [u8],
}

/// One of the events after which nothing comes; that which names a session, with the session, for it is the caller's only once
/// the caller is told.
type Last = (Event, Option<SessionGuard>);

/// What an answer is about, kept for longer than the request.
struct Subject {
    request_id: String,
    server: String,
    tool: Option<String>,
    route: &'static str,
    started: Instant,
}

/// Answers with what happens.
pub(crate) fn stream(
    context: &Context<'_>,
    server: &Arc<Server>,
    wishes: CallOptions,
    frame: Frame,
    job: Job,
) -> HttpResponse {
    let (watch, notifications) = Watch::new();
    let state = Rc::clone(context.state);
    let server = Arc::clone(server);
    let subject = Subject {
        request_id: context.id.clone(),
        server: server.name.clone(),
        tool: context.tool.clone(),
        route: context.route,
        started: context.started,
    };
    let work = async move {
        let mut client = state.pool.client(&server, wishes);
        client.watched_by(watch);
        let outcome = job.run(&state, &server, &mut client, &subject).await;
        // A tool's own error is no failure of the call.
        let is_answered = matches!(outcome, Ok(_) | Err((Error::Tool { .. }, _)));
        let session = if is_answered {
            client.guard_session()
        } else {
            None
        };
        subject.last_events(frame, outcome, session, state.pool.budget())
    };
    let live = Live {
        frame,
        notifications,
        work: actix_rt::spawn(work),
        is_done: false,
        current: None,
        last: VecDeque::new(),
        silence: interval_at(actix_rt::time::Instant::now() + SIGN_OF_LIFE, SIGN_OF_LIFE),
    };
    let media_type = match frame {
        Frame::Events => LIVE,
        Frame::Lines => LINES,
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .insert_header((NO_BUFFERING, HeaderValue::from_static("no")))
        .streaming(live.map(Ok::<_, actix_web::Error>))
}

/// What a job came to: the JSON of the last event, or the error and how it is put.
type Outcome = Result<Pieces, (Error, Put)>;

/// How an error is put.
enum Put {
    /// As a problem.
    Problem,
    /// As the JSON-RPC response to this request.
    Response(Bytes),
}

impl Job {
    async fn run(
        &self,
        state: &State,
        server: &Server,
        client: &mut Client<'_>,
        subject: &Subject,
    ) -> Outcome {
        match self {
            Self::Tool {
                body,
                is_envelope,
                tool_errors,
            } => {
                let to = (state, server, client);
                let outcome = call_tool(to, subject, body, *is_envelope, *tool_errors).await;
                outcome
                    .map(Pieces::of)
                    .map_err(|error| (error, Put::Problem))
            }
            Self::Rpc { request: body } => {
                let answered = match rpc::Request::read(body) {
                    Ok(request) => {
                        let sent = request.send(state, server, client).await;
                        sent.and_then(|outcome| {
                            let written = rpc::response_to(&request, &outcome, state.pool.budget());
                            written.map_err(|NoRoom| Error::NoRoom(Executed::Yes))
                        })
                    }
                    // It was read once before.
                    Err((_, error, _)) => Err(error),
                };
                answered.map_err(|error| (error, Put::Response(body.clone())))
            }
        }
    }
}

impl Put {
    fn write(&self, error: &Error, about: About<'_>, budget: &Budget) -> (Verdict, Pieces) {
        match self {
            Self::Problem => error.problem(about, budget),
            Self::Response(body) => {
                let id = rpc::Request::read(body).ok().map(|request| request.id);
                rpc::error_response(error, about, codes::IMPLEMENTATION_DEFINED, id, budget)
            }
        }
    }
}

async fn call_tool(
    (state, server, client): (&State, &Server, &mut Client<'_>),
    subject: &Subject,
    body: &Bytes,
    is_envelope: bool,
    tool_errors: ToolErrors,
) -> Result<Bytes, Error> {
    let nothing = body::object(b"{}")?;
    let name = subject.tool.as_deref().unwrap_or_default();
    let envelope = if is_envelope {
        Some(body::envelope(body)?)
    } else {
        None
    };
    let tool_call = match &envelope {
        Some(envelope) => envelope.tool_call(nothing),
        None => ToolCall::of(name, body::object(body)?),
    };
    let result = checked_call(state, server, client, &tool_call).await?;
    if result.is_error && tool_errors == ToolErrors::Status {
        return Err(Error::Tool {
            result: result.bytes,
            session: None,
        });
    }
    Ok(result.bytes)
}

impl Subject {
    /// The events that end a stream, and the line in the log.
    fn last_events(
        &self,
        frame: Frame,
        outcome: Outcome,
        session: Option<SessionGuard>,
        budget: &Budget,
    ) -> Vec<Last> {
        let about = About {
            request_id: &self.request_id,
            server: Some(&self.server),
            tool: self.tool.as_deref(),
            prompt: None,
        };
        let mut events = Vec::new();
        if let Some(session) = session {
            let id = session.id().map(SessionId::as_str);
            let named = serde_json::json!({"sessionId": id}).to_string();
            let named = Pieces::of(named.into());
            events.push((frame.event("session", named), Some(session)));
        }
        let mut code = None;
        match outcome {
            Ok(result) => events.push((frame.event("result", result), None)),
            Err((error, put)) => {
                let (verdict, written) = put.write(&error, about, budget);
                code = Some(verdict.code.name());
                events.push((frame.event("error", written), None));
            }
        }
        log::info!(
            target: "mcp_rest::access",
            request_id = self.request_id.as_str(),
            route = self.route,
            server = self.server.as_str(),
            tool = self.tool.as_deref(),
            code = code,
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            "stream ended"
        );
        events
    }
}

// === impl Frame ===

impl Frame {
    /// One event: its name, and JSON.
    fn event(self, name: &str, json: Pieces) -> Event {
        let (before, between, after): (_, _, &[u8]) = match self {
            Self::Events => ("event: ", "\ndata: ", b"\n\n"),
            Self::Lines => ("{\"event\":\"", "\",\"data\":", b"}\n"),
        };
        Event {
            before: format!("{before}{name}{between}").into(),
            json,
            after,
        }
    }

    fn notification(self, told: &Notification) -> Event {
        let params = match told.params.clone() {
            none if none.is_empty() => Bytes::from_static(b"{}"),
            params => params,
        };
        match &told.method[..] {
            b"notifications/progress" => self.event("progress", Pieces::of(params)),
            b"notifications/message" => self.event("log", Pieces::of(params)),
            _ => {
                let mut whole = Pieces::of(Bytes::from_static(b"{\"method\":\""));
                whole.push(told.method.clone());
                whole.push(Bytes::from_static(b"\",\"params\":"));
                whole.push(params);
                whole.push(Bytes::from_static(b"}"));
                self.event("notification", whole)
            }
        }
    }
}

// === impl Event ===

impl Event {
    /// The next part of it: all of an event that is small, else as much as is written at once.
    fn next_part(&mut self) -> Option<Bytes> {
        if self.after.is_empty() {
            return None;
        }
        let mut part = BytesMut::from(&*std::mem::take(&mut self.before));
        while let Some(piece) = self.json.next_piece() {
            // JSON has line breaks between its tokens only, where a space means the same.
            part.extend(piece.iter().map(|byte| match byte {
                b'\n' | b'\r' => b' ',
                other => *other,
            }));
            if part.len() >= SMALL {
                return Some(part.freeze());
            }
        }
        part.put_slice(std::mem::take(&mut self.after));
        Some(part.freeze())
    }
}

// === impl Live ===

impl Stream for Live {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if !this.is_done
            && let Poll::Ready(ended) = this.work.poll_unpin(context)
        {
            this.is_done = true;
            // It ends without a word only where it panicked, and the panic hook has written why.
            this.last = ended.unwrap_or_default().into();
        }
        loop {
            if let Some((event, _)) = &mut this.current {
                if let Some(part) = event.next_part() {
                    return Poll::Ready(Some(part));
                }
                this.current = None;
            }
            // What is still on its way comes before the last events; the way ends with the work.
            match this.notifications.poll_next_unpin(context) {
                Poll::Ready(Some(told)) => {
                    this.silence.reset();
                    let event = this.frame.notification(&told.notification);
                    this.current = Some((event, Some(told)));
                }
                Poll::Ready(None) if this.is_done => {
                    let Some((event, session)) = this.last.pop_front() else {
                        return Poll::Ready(None);
                    };
                    session.and_then(SessionGuard::release);
                    this.current = Some((event, None));
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if this.frame == Frame::Events && this.silence.poll_tick(context).is_ready() {
            return Poll::Ready(Some(Bytes::from_static(b":\n\n")));
        }
        Poll::Pending
    }
}

impl Drop for Live {
    /// Nobody waits any more: dropping the work cancels the request.
    fn drop(&mut self) {
        self.work.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_of_data() {
        for (frame, expected) in [
            (Frame::Events, "event: result\ndata: {   \"a\": 1.10  }\n\n"),
            (
                Frame::Lines,
                "{\"event\":\"result\",\"data\":{   \"a\": 1.10  }}\n",
            ),
        ] {
            let json = Pieces::of(Bytes::from_static(b"{\n  \"a\": 1.10\r\n}"));
            let mut event = frame.event("result", json);
            assert_eq!(event.next_part().unwrap(), expected);
            assert!(event.next_part().is_none());
        }
    }

    #[test]
    fn a_large_event_is_written_in_parts() {
        let json = Bytes::from(format!("[\n\"{}\"]", "x".repeat(5 * SMALL)));
        let mut event = Frame::Events.event("result", Pieces::of(json.clone()));
        let mut written = Vec::new();
        while let Some(part) = event.next_part() {
            assert!(part.len() <= 2 * SMALL);
            written.extend_from_slice(&part);
        }
        let line = String::from_utf8_lossy(&json).replace('\n', " ");
        let expected = format!("event: result\ndata: {line}\n\n");
        assert!(written == expected.as_bytes());
    }
}
