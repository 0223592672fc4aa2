//! Collapses an event stream into the reply to our request; server requests and notifications before it are handed on.
//!
//! Pure: no I/O. It enforces the limits on a stream, knows from where it could be resumed, and reads no further than it is asked
//! to: some servers leave a stream open after the reply. Lines become events in `sse`, events become messages in `message`.

#[cfg(test)]
pub(crate) mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use awc::http::header::HeaderValue;
use bytes::Bytes;

use crate::config::settings::Limits;
use crate::json;
use crate::mcp::limits::{Budget, Reservation, SMALL};
use crate::mcp::protocol::error::{Cap, Error};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::message::{self, Message, Notification, Reply, RpcError, ServerRequest};
use crate::mcp::stream::sse;

/// An event id over this is not kept: a stream cannot be resumed from it.
const LONGEST_ID: usize = 4096;
/// Messages of interest in one event that is an array of them.
const MOST_MESSAGES: usize = 1000;

/// A message on a stream, as far as it concerns the request.
#[derive(Debug)]
pub enum Step {
    /// The reply. What comes after it is ignored.
    Reply(Reply),
    /// A request of the server, which expects a reply.
    Request(ServerRequest),
    /// A notification, where notifications are kept.
    Notification(Notification),
    /// The endpoint for messages: the first event of the HTTP+SSE transport of 2024-11-05.
    Endpoint(Bytes),
}

/// Reads the streams that together hold the reply to one request: mostly one, more where a stream is resumed. All limits
/// count over all of them.
#[derive(Debug)]
pub struct Collapse {
    id: Id,
    limits: Limits,
    budget: Budget,
    /// The reservation of the event that is incomplete.
    reservation: Reservation,
    reader: sse::Reader,
    chunk: Bytes,
    bytes_left: usize,
    events: usize,
    steps: VecDeque<Step>,
    unaddressed: Option<RpcError>,
    /// Whether a message has come that is not the reply.
    begun: bool,
    /// Whether the stream belongs to one request alone. JSON-RPC errors without an id are ignored on shared streams.
    alone: bool,
    /// Whether notifications are of interest.
    notifications: bool,
    last_event_id: Option<HeaderValue>,
    retry: Option<Duration>,
}

impl Collapse {
    /// At the start of a stream that is read for the reply to `id`.
    pub fn new(id: Id, limits: Limits, budget: Budget) -> Self {
        Self {
            id,
            limits,
            reservation: budget.reservation(),
            budget,
            reader: reader(limits),
            chunk: Bytes::new(),
            bytes_left: limits.response_bytes,
            events: 0,
            steps: VecDeque::new(),
            unaddressed: None,
            begun: false,
            alone: true,
            notifications: false,
            last_event_id: None,
            retry: None,
        }
    }

    /// For a stream that carries replies to other requests too.
    #[must_use]
    pub fn among_others(self) -> Self {
        Self {
            alone: false,
            ..self
        }
    }

    /// From now on, notifications are steps too.
    pub fn keep_notifications(&mut self) {
        self.notifications = true;
    }

    /// Adds the next chunk. The last one must be used up: [`Collapse::next_step`] has returned `None`.
    pub fn push(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.bytes_left = self
            .bytes_left
            .checked_sub(chunk.len())
            .ok_or(Error::TooLarge(Cap::ResponseBytes))?;
        // A chunk that was compressed may be large.
        self.chunk = self.budget.keep(chunk)?;
        Ok(())
    }

    /// The next step; `None` if it takes another chunk.
    pub fn next_step(&mut self) -> Result<Option<Step>, Error> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            match self.reader.next_event(&mut self.chunk) {
                Ok(Some(event)) => self.read(event)?,
                Ok(None) => {
                    self.reservation.resize(self.reader.held())?;
                    return Ok(None);
                }
                Err(cap) => return Err(too_large(cap)),
            }
        }
    }

    /// The stream has ended: an event that nothing terminates still counts, and an error without an id is the reply if there is no
    /// other.
    pub fn end(&mut self) -> Result<Option<Step>, Error> {
        if let Some(last) = self.reader.finish().map_err(too_large)? {
            self.read(last)?;
        }
        if let Some(step) = self.steps.pop_front() {
            return Ok(Some(step));
        }
        Ok(self.unaddressed.take().map(Reply::Error).map(Step::Reply))
    }

    /// Another stream follows, which goes on where the last one stopped. A server that does not know where that was may give
    /// the stream of the whole session instead.
    pub fn resume(&mut self) {
        self.alone = false;
        self.reader = reader(Limits {
            events: self.limits.events.saturating_sub(self.events),
            ..self.limits
        });
        self.chunk = Bytes::new();
    }

    /// From now on the stream is read for the reply to `id`.
    pub fn expect(&mut self, id: Id) {
        self.id = id;
        self.begun = false;
    }

    /// The last event id, from which the stream can be resumed (2025-03-26 to 2025-11-25, "Resumability").
    pub fn last_event_id(&self) -> Option<&HeaderValue> {
        self.last_event_id.as_ref()
    }

    /// How long the server wants a client to wait before it resumes.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Events read so far that were not empty, on all streams.
    pub fn events(&self) -> usize {
        self.events
    }

    fn read(&mut self, mut event: sse::Event) -> Result<(), Error> {
        self.events += 1;
        if let Some(id) = event.id {
            let id = HeaderValue::from_maybe_shared(id).ok();
            self.last_event_id = id.filter(|id| (1..=LONGEST_ID).contains(&id.len()));
        }
        if let Some(milliseconds) = event.retry {
            self.retry = Some(Duration::from_millis(milliseconds));
        }
        if event.data.is_empty() {
            return Ok(());
        }
        if event.data.len() > SMALL {
            let reservation = std::mem::replace(&mut self.reservation, self.budget.reservation());
            event.data = reservation.keep(event.data)?;
        }
        if event.name.as_deref() == Some(b"endpoint") {
            self.steps.push_back(Step::Endpoint(event.data));
            return Ok(());
        }
        if json::nests_deeper_than(&event.data, self.limits.depth) {
            return Err(Error::TooLarge(Cap::Depth));
        }
        let is_doubtful = std::mem::replace(&mut self.begun, true);
        let (steps, unaddressed) = (&mut self.steps, &mut self.unaddressed);
        let (alone, notifications) = (self.alone, self.notifications);
        message::for_each_message(&event.data, &self.id, |message| {
            match message {
                Message::Reply(Reply::Error(mut error)) => {
                    error.is_doubtful = is_doubtful;
                    steps.push_back(Step::Reply(Reply::Error(error)));
                }
                Message::Reply(reply) => steps.push_back(Step::Reply(reply)),
                Message::Request(request) => steps.push_back(Step::Request(request)),
                Message::ErrorWithoutId(error) => *unaddressed = alone.then_some(error),
                Message::Notification(notification) if notifications => {
                    steps.push_back(Step::Notification(notification));
                }
                Message::Notification(_) => {}
            }
            steps.len() < MOST_MESSAGES
        });
        if self.steps.len() >= MOST_MESSAGES {
            return Err(Error::TooLarge(Cap::Events));
        }
        Ok(())
    }
}

fn reader(limits: Limits) -> sse::Reader {
    sse::Reader::new(sse::Limits {
        event_bytes: limits.event_bytes,
        events: limits.events,
    })
}

fn too_large(cap: sse::TooLarge) -> Error {
    Error::TooLarge(match cap {
        sse::TooLarge::Event(_) => Cap::EventBytes,
        sse::TooLarge::Events(_) => Cap::Events,
    })
}
