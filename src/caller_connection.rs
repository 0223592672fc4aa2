//! The TCP connections of callers: how long each may wait for what, and how much it brings.
//!
//! The HTTP library above bounds the head of a connection's first request and the idle time after an answer. Here is what it
//! leaves open: the heads of all other requests, answers that nobody takes, bytes of a request that belong to no body
//! (chunk extensions, trailers), and a body that nobody reads. What a request is, and what it is answered with, is not
//! known here; `api` says when one begins and ends, through the [`Exchange`] that each connection has.
//!
//! A timer is made only where something is really waited for: a call that comes whole and is answered whole makes none.

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

/// From the first byte of a request to the end of its head.
pub const HEAD: Duration = Duration::from_secs(5);
/// The same where descriptors are scarce, from the moment of the connection.
const SCARCE_HEAD: Duration = Duration::from_secs(1);

/// What is read at once, and what is read ahead of its turn beyond that. The HTTP library keeps what it cannot use yet, and
/// from 128 KiB on it tries again without a rest.
const BURST: usize = 32 * 1024;
/// An answer that is sent at once.
const SHORT: u64 = 16 * 1024;
/// What of an answer may wait in the system because the caller takes no more: where it takes half of this, it is not stalled.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 128 * 1024;

/// A connection from a caller.
pub struct CallerConnection {
    stream: TcpStream,
    exchange: Exchange,
    /// What was read since there was a chance to use it.
    burst: usize,
    /// Runs while a head is incomplete.
    head: Clock,
    /// Runs while the caller takes nothing of what is written.
    stall: Clock,
    longest_stall: Duration,
    _open: OpenConnection,
}

/// What goes on over one connection: shared by the connection and the requests it brings.
#[derive(Debug, Clone, Default)]
pub struct Exchange(Rc<State>);

#[derive(Default)]
struct State {
    phase: Cell<Phase>,
    received: Cell<u64>,
    /// What came ahead of its turn while a request is under way, and who is to be woken when reading goes on.
    ahead: Cell<usize>,
    paused: Cell<Option<Waker>>,
    /// The body of the request under way is being read.
    is_reading: Cell<bool>,
    is_scarce: bool,
    /// See [`Exchange::leave_unread`].
    unread: Cell<Option<Payload>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// The first request, whose head the HTTP library waits for.
    #[default]
    First,
    /// A head is on its way.
    Head,
    /// A request is being answered.
    UnderWay,
    /// Nothing came since the last answer.
    Idle,
}

/// A request that is being answered, until dropped.
#[derive(Debug)]
pub struct UnderWay(Exchange);

/// An answer that is not sent at once; until it is, its request is under way.
struct Sending {
    body: BoxBody,
    _under_way: UnderWay,
}

/// A timer that is made when it is first needed.
#[derive(Default)]
struct Clock(Option<Pin<Box<Sleep>>>);

// === impl Exchange ===

impl Exchange {
    /// A request has come in.
    pub fn begin(&self) -> UnderWay {
        // One that begins right after another had come ahead of its turn.
        if self.0.phase.replace(Phase::UnderWay) != Phase::Idle {
            self.0.ahead.set(0);
        }
        self.0.unread.set(None);
        UnderWay(self.clone())
    }

    /// All bytes that came over the connection, of whatever meaning.
    pub fn received(&self) -> u64 {
        self.0.received.get()
    }

    /// Whether the process has hardly any descriptor left.
    pub fn is_scarce(&self) -> bool {
        self.0.is_scarce
    }

    /// Keeps what may be left of a body that was not read. The HTTP library then closes the connection after the answer, but
    /// for a moment in which the caller can read it. If nobody kept a body in chunks, all of its chunks would be read, for
    /// as long as they come.
    pub fn leave_unread(&self, body: Payload) {
        self.0.unread.set(Some(body));
    }

    /// From now on, what comes is the body of the request under way; or it is that no longer.
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
            // A body that is still on its way takes up all that came before.
            Phase::UnderWay if state.is_reading.get() => state.ahead.set(0),
            Phase::UnderWay => state.ahead.set(state.ahead.get().saturating_add(bytes)),
            Phase::Idle => state.phase.set(Phase::Head),
            Phase::First | Phase::Head => {}
        }
    }

    /// Whether so much came ahead of its turn that it has to wait in the system.
    fn is_far_ahead(&self) -> bool {
        let state = &self.0;
        state.ahead.get() >= BURST
            && state.phase.get() == Phase::UnderWay
            && !state.is_reading.get()
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

// === impl UnderWay ===

impl UnderWay {
    /// Lets the request end with its answer.
    pub fn until_sent(self, response: HttpResponse) -> HttpResponse {
        match response.body().size() {
            BodySize::None => response,
            BodySize::Sized(length) if length <= SHORT => response,
            BodySize::Sized(_) | BodySize::Stream => response.map_body(|_, body| {
                BoxBody::new(Sending {
                    body,
                    _under_way: self,
                })
            }),
        }
    }
}

impl Drop for UnderWay {
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
    /// Takes over a connection whose caller may take nothing of an answer for `longest_stall`.
    pub fn new(stream: TcpStream, longest_stall: Duration, open: OpenConnection) -> Self {
        let is_scarce = descriptors::is_reserved(&stream);
        let phase = if is_scarce { Phase::Head } else { Phase::First };
        if let Err(error) = prepare(&stream) {
            log::debug!("a connection stays as it is: {error}");
        }
        Self {
            stream,
            exchange: Exchange(Rc::new(State {
                phase: Cell::new(phase),
                is_scarce,
                ..State::default()
            })),
            burst: 0,
            head: Clock::default(),
            stall: Clock::default(),
            longest_stall,
            _open: open,
        }
    }

    /// What goes on over it.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Whether a head has been on its way for too long.
    fn is_head_late(&mut self, context: &mut Context<'_>) -> bool {
        if self.exchange.0.phase.get() != Phase::Head {
            self.head.stop();
            return false;
        }
        let longest = if self.exchange.is_scarce() {
            SCARCE_HEAD
        } else {
            HEAD
        };
        self.head.has_run_out(longest, context)
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it a streamed answer waits 40 ms for the caller's acknowledgement.
    stream.set_nodelay(true)?;
    // The system keeps megabytes of what a slow caller has not taken, and only asks for more once a third of them is gone.
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
            // As if the caller had gone.
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
        } else if this.stall.has_run_out(this.longest_stall, context) {
            log::debug!("a caller that takes nothing of its answer is left");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }

    /// The HTTP library asks for this whenever it has read what there is and has begun every request that came whole: what
    /// is under way as a head here is incomplete.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.is_head_late(context) {
            // The next look finds the end of the connection.
            context.waker().wake_by_ref();
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

// === impl Clock ===

impl Clock {
    fn is_running(&self) -> bool {
        self.0.is_some()
    }

    /// Whether so much time has passed since this was first asked. Who asks is told when to ask again.
    fn has_run_out(&mut self, after: Duration, context: &mut Context<'_>) -> bool {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep(after)));
        timer.as_mut().poll(context).is_ready()
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}
