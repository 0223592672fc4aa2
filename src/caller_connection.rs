//! The TCP connections of clients: their timeouts, and how much they may send ahead.
//!
//! The HTTP library above bounds the head of a connection's first request and the idle time after a response. This file bounds what
//! the library leaves open: the heads of all other requests, responses that the client does not read, bytes of a request outside its
//! body (chunk extensions, trailers), and bodies that the handler does not read. It knows neither requests nor responses; `api` tells
//! when a request begins and ends, through the [`Exchange`] of its connection.
//!
//! A timer is made only when the connection really waits: a call that arrives whole and is answered whole makes none.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_rt::net::TcpStream;
use actix_rt::time::{Sleep, sleep};
use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::{Bytes, Payload};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::descriptors;
use crate::shutdown::OpenConnection;

/// The timeout of a request's head, from its first byte.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where descriptors are scarce, from the start of the connection.
const SCARCE_HEAD_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes that are read before the HTTP library has to make use of them, and bytes that are read ahead of a request that is not answered
/// yet. The library buffers what it cannot use yet, and from 128 KiB on it tries again in a busy loop.
const BURST: usize = 32 * 1024;
/// Bytes of a response that is sent in one piece.
const SHORT: u64 = 16 * 1024;
/// Bytes of a response that the kernel buffers for a slow client: one that reads half of this is not stalled.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// A connection from a client.
pub struct CallerConnection {
    stream: TcpStream,
    exchange: Exchange,
    /// Bytes read since the HTTP library last had a chance to use them.
    burst: usize,
    /// Runs while a head is incomplete.
    head: Timer,
    /// Runs while the client reads nothing of what is written.
    stall: Timer,
    stall_timeout: Duration,
    _open: OpenConnection,
}

/// The state of one connection, shared with the requests on it.
#[derive(Debug, Clone, Default)]
pub struct Exchange(Rc<State>);

#[derive(Default)]
struct State {
    phase: Cell<Phase>,
    received: Cell<u64>,
    /// Bytes that arrived ahead while a request is active, and the task to wake when reading goes on.
    ahead: Cell<usize>,
    paused: Cell<Option<Waker>>,
    /// Whether the body of the active request is being read.
    is_reading: Cell<bool>,
    is_scarce: bool,
    /// See [`Exchange::keep_unread`].
    unread: Cell<Option<Payload>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Before the first request; the HTTP library bounds its head.
    #[default]
    First,
    /// Within the head of a request.
    Head,
    /// A request is being answered.
    Active,
    /// Nothing has arrived since the last response.
    Idle,
}

/// A request that is being answered, until this is dropped.
#[derive(Debug)]
pub struct ActiveRequest(Exchange);

/// The body of a response that is sent in several pieces; until the last one, its request is active.
struct Sending {
    body: BoxBody,
    _active: ActiveRequest,
}

/// A timer that is made when it is first needed.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

// === impl Exchange ===

impl Exchange {
    /// Starts a request.
    pub fn begin(&self) -> ActiveRequest {
        // A request that begins right after another had arrived ahead.
        if self.0.phase.replace(Phase::Active) != Phase::Idle {
            self.0.ahead.set(0);
        }
        self.0.unread.set(None);
        ActiveRequest(self.clone())
    }

    /// Bytes received over this connection so far, heads and framing included.
    pub fn received(&self) -> u64 {
        self.0.received.get()
    }

    /// Whether the process has hardly any file descriptors left.
    pub fn is_scarce(&self) -> bool {
        self.0.is_scarce
    }

    /// Keeps a body that was not read to its end. The HTTP library then closes the connection after the response, and leaves the client a
    /// moment to read it. If a chunked body were dropped instead, the library would read all of its chunks, however many.
    pub fn keep_unread(&self, body: Payload) {
        self.0.unread.set(Some(body));
    }

    /// Sets whether the bytes that arrive are the body of the active request.
    pub fn set_reading(&self, is_reading: bool) {
        self.0.is_reading.set(is_reading);
        self.go_on();
    }

    fn note_received(&self, bytes: usize) {
        let state = &self.0;
        let more = u64::try_from(bytes).unwrap_or(u64::MAX);
        state
            .received
            .set(state.received.get().saturating_add(more));
        match state.phase.get() {
            // A body that is being read uses all bytes before it.
            Phase::Active if state.is_reading.get() => state.ahead.set(0),
            Phase::Active => state.ahead.set(state.ahead.get().saturating_add(bytes)),
            Phase::Idle => state.phase.set(Phase::Head),
            Phase::First | Phase::Head => {}
        }
    }

    /// Whether so much has arrived ahead that the rest has to wait in the kernel.
    fn is_far_ahead(&self) -> bool {
        let state = &self.0;
        state.ahead.get() >= BURST && state.phase.get() == Phase::Active && !state.is_reading.get()
    }

    fn pause(&self, context: &Context<'_>) {
        self.0.paused.set(Some(context.waker().clone()));
    }

    fn go_on(&self) {
        if let Some(waker) = self.0.paused.take() {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "State({:?})", self.phase.get())
    }
}

// === impl ActiveRequest ===

impl ActiveRequest {
    /// Keeps the request active until its response is sent.
    pub fn until_sent(self, response: HttpResponse) -> HttpResponse {
        match response.body().size() {
            BodySize::None => response,
            BodySize::Sized(length) if length <= SHORT => response,
            BodySize::Sized(_) | BodySize::Stream => response.map_body(|_, body| {
                BoxBody::new(Sending {
                    body,
                    _active: self,
                })
            }),
        }
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.0.phase.set(Phase::Idle);
        self.0.go_on();
    }
}

impl MessageBody for Sending {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.get_mut().body.as_pin_mut().poll_next(context)
    }
}

// === impl CallerConnection ===

impl CallerConnection {
    /// Takes over an accepted connection. A client that reads nothing of its response for `stall_timeout` is disconnected.
    pub fn new(stream: TcpStream, stall_timeout: Duration, open: OpenConnection) -> Self {
        let is_scarce = descriptors::is_reserved(&stream);
        let phase = if is_scarce { Phase::Head } else { Phase::First };
        if let Err(error) = prepare(&stream) {
            log::debug!("the options of a connection were not set: {error}");
        }
        Self {
            stream,
            exchange: Exchange(Rc::new(State {
                phase: Cell::new(phase),
                is_scarce,
                ..State::default()
            })),
            burst: 0,
            head: Timer::default(),
            stall: Timer::default(),
            stall_timeout,
            _open: open,
        }
    }

    /// Its state, for the requests on it.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether the head of a request takes too long.
    fn is_head_late(&mut self, context: &mut Context<'_>) -> bool {
        if self.exchange.0.phase.get() != Phase::Head {
            self.head.stop();
            return false;
        }
        let longest = if self.exchange.is_scarce() {
            SCARCE_HEAD_TIMEOUT
        } else {
            HEAD_TIMEOUT
        };
        self.head.has_run_out(longest, context)
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it a streamed response waits 40 ms for the client's acknowledgement.
    stream.set_nodelay(true)?;
    // The kernel buffers megabytes for a slow client, and asks for more only once a third of them is sent.
    #[cfg(target_os = "linux")]
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT)?;
    Ok(())
}

impl AsyncRead for CallerConnection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.head.is_running() && this.is_head_late(context) {
            // End of file, as if the client had disconnected.
            return Poll::Ready(Ok(()));
        }
        if this.exchange.is_far_ahead() {
            this.exchange.pause(context);
            return Poll::Pending;
        }
        if this.burst >= BURST {
            this.burst = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let received = buffer.filled().len().saturating_sub(before);
        if received > 0 {
            this.burst += received;
            this.exchange.note_received(received);
        } else {
            this.burst = 0;
        }
        read
    }
}

impl AsyncWrite for CallerConnection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        if written.is_ready() {
            this.stall.stop();
        } else if this.stall.has_run_out(this.stall_timeout, context) {
            log::debug!("a client that reads nothing of its response is disconnected");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    /// The HTTP library flushes whenever it has read all bytes and begun every complete request: a head that is still open here is
    /// incomplete.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_head_late(context) {
            // The next read reports the end of the connection.
            context.waker().wake_by_ref();
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

// === impl Timer ===

impl Timer {
    fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Whether `after` has passed since the first call. If not, the task is woken when it has.
    fn has_run_out(&mut self, after: Duration, context: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep(after)));
        timer.as_mut().poll(context).is_ready()
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}
