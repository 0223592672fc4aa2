//! Streaming responses: upstream notifications as they arrive, then the result.
//!
//! As server-sent events or as lines of JSON. What is refused before the stream begins has its own status; from then on the status is
//! 200, and the last event is `result` or `error`. Dropping the body, as actix does when the caller has gone, cancels the request. How
//! the request is made and its end is written is for the future that is given: nothing of tools or JSON-RPC is known here.

use std::collections::VecDeque;
use std::pin::Pin;
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

use crate::api::error::kinds::About;
use crate::api::error::wording::Summary;
use crate::api::request::context::Context;
use crate::mcp::client::session_guard::SessionGuard;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::SMALL;
use crate::mcp::protocol::message::Notification;
use crate::mcp::stream::notifications::{Queued, Watch};

/// Keeps nginx from holding events back.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Between ping comments on a stream without other events: proxies close a connection that is silent for 60 s.
const PING_INTERVAL: Duration = Duration::from_secs(15);

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Server-sent events.
    Events,
    /// One line of JSON per event.
    Lines,
}

/// How a streamed request ends.
pub(crate) struct Ending {
    /// The session to be named to the caller before the last event.
    pub(crate) session: Option<SessionGuard>,
    /// The result, or the error as it is written.
    pub(crate) outcome: Result<Pieces, (Summary, Pieces)>,
}

/// The body of a streaming response.
struct Body {
    frame: Frame,
    notifications: mpsc::Receiver<Queued>,
    /// The request, which goes on and meets its deadline also while the caller does not read.
    request: JoinHandle<Vec<LastEvent>>,
    is_done: bool,
    /// The event being written, and the notification whose memory is given back once it is.
    current: Option<(Event, Option<Queued>)>,
    last: VecDeque<LastEvent>,
    ping: Interval,
}

/// An event to be written.
struct Event {
    before: Bytes,
    json: Pieces,
    after: &'static [u8],
}

/// An event of the end. The one that names a session has the session, for it is the caller's only once the caller is told.
type LastEvent = (Event, Option<SessionGuard>);

/// What the response is about, for problems and the log, as copies that outlive the handler.
struct Subject {
    request_id: String,
    server: Option<String>,
    tool: Option<String>,
    route: &'static str,
    started: Instant,
}

/// Responds with the notifications that `request` passes to its watch, then with its end. It runs as a task of its own.
pub(crate) fn stream(
    context: &Context<'_>,
    frame: Frame,
    request: impl AsyncFnOnce(Watch, About<'_>) -> Ending + 'static,
) -> HttpResponse {
    let (watch, notifications) = Watch::new();
    let subject = Subject {
        request_id: context.id.clone(),
        server: context.server_name.as_deref().map(Into::into),
        tool: context.tool.as_deref().map(Into::into),
        route: context.route,
        started: context.started,
    };
    let request = async move {
        let ending = request(watch, subject.about()).await;
        subject.log(&ending);
        ending.events(frame)
    };
    let body = Body {
        frame,
        notifications,
        request: actix_rt::spawn(request),
        is_done: false,
        current: None,
        last: VecDeque::new(),
        ping: interval_at(
            actix_rt::time::Instant::now() + PING_INTERVAL,
            PING_INTERVAL,
        ),
    };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, frame.media_type()))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-cache")))
        .insert_header((NO_BUFFERING, HeaderValue::from_static("no")))
        .streaming(body.map(Ok::<_, actix_web::Error>))
}

// === impl Subject ===

impl Subject {
    fn about(&self) -> About<'_> {
        About {
            request_id: &self.request_id,
            server: self.server.as_deref(),
            tool: self.tool.as_deref(),
            prompt: None,
            hint: None,
        }
    }

    fn log(&self, ending: &Ending) {
        log::info!(
            target: "mcp_rest::access",
            request_id = self.request_id.as_str(),
            route = self.route,
            server = self.server.as_deref(),
            tool = self.tool.as_deref(),
            code = ending.outcome.as_ref().err().map(|(summary, _)| summary.code.name()),
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            "stream ended"
        );
    }
}

// === impl Ending ===

impl Ending {
    fn events(self, frame: Frame) -> Vec<LastEvent> {
        let session = self.session.map(|session| {
            let id = session.id().as_str();
            let named = serde_json::json!({"sessionId": id}).to_string();
            let event = frame.event("session", Pieces::of(named.into()));
            (event, Some(session))
        });
        let last = match self.outcome {
            Ok(result) => frame.event("result", result),
            Err((_, problem)) => frame.event("error", problem),
        };
        session.into_iter().chain([(last, None)]).collect()
    }
}

// === impl Frame ===

impl Frame {
    /// The `Content-Type` of a stream.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Lines => "application/x-ndjson",
        }
    }

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

    fn notification(self, notification: &Notification) -> Event {
        let params = match notification.params.clone() {
            none if none.is_empty() => Bytes::from_static(b"{}"),
            params => params,
        };
        match &notification.method[..] {
            b"notifications/progress" => self.event("progress", Pieces::of(params)),
            b"notifications/message" => self.event("log", Pieces::of(params)),
            _ => {
                let mut whole = Pieces::of(Bytes::from_static(b"{\"method\":\""));
                whole.push(notification.method.clone());
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
    /// The next part: the whole event if it is small, else as much as is written at once.
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

// === impl Body ===

impl Stream for Body {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        if !this.is_done
            && let Poll::Ready(ended) = this.request.poll_unpin(context)
        {
            this.is_done = true;
            // It fails only by a panic, which the panic hook has logged.
            this.last = ended.unwrap_or_default().into();
        }
        loop {
            if let Some((event, _)) = &mut this.current {
                if let Some(part) = event.next_part() {
                    return Poll::Ready(Some(part));
                }
                this.current = None;
            }
            // Pending notifications come before the last events; their channel closes with the request.
            match this.notifications.poll_next_unpin(context) {
                Poll::Ready(Some(told)) => {
                    this.ping.reset();
                    let event = this.frame.notification(&told.notification);
                    this.current = Some((event, Some(told)));
                }
                Poll::Ready(None) if this.is_done => {
                    let Some((event, session)) = this.last.pop_front() else {
                        return Poll::Ready(None);
                    };
                    drop(session.map(SessionGuard::release));
                    this.current = Some((event, None));
                }
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if this.frame == Frame::Events && this.ping.poll_tick(context).is_ready() {
            return Poll::Ready(Some(Bytes::from_static(b":\n\n")));
        }
        Poll::Pending
    }
}

impl Drop for Body {
    /// The caller has gone: dropping the task's future cancels the request.
    fn drop(&mut self) {
        self.request.abort();
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
