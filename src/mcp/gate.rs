//! How many requests to one server are in flight: a limit each, and a short queue before it.
//!
//! A server that hangs holds its own callers and no others: what waits for it is bounded in number and in time, and
//! whoever finds no place is told so at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::mcp::protocol::error::Error;

/// The way to one server. Shared by all workers.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Semaphore,
    waiting: AtomicUsize,
    queue: Queue,
}

/// The queue before a server whose places are all taken.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// How many may wait.
    pub length: usize,
    /// And how long.
    pub patience: Duration,
}

/// One who waits.
struct Turn<'a>(&'a AtomicUsize);

impl Gate {
    /// Lets `in_flight` through at a time.
    pub(crate) fn new(in_flight: usize, queue: Queue) -> Self {
        Self {
            places: Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            queue,
        }
    }

    /// A place, held until it is dropped. Those who wait get theirs in the order they came.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(place) = self.places.try_acquire() {
            return Ok(place);
        }
        log::debug!("a call waits for a place");
        let _turn = self.queue_up().ok_or(Error::Overloaded)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = timeout(self.queue.patience.min(left), self.places.acquire()).await;
        // The semaphore is never closed: whoever is not let in has waited in vain.
        waited.ok().and_then(Result::ok).ok_or(Error::Overloaded)
    }

    fn queue_up(&self) -> Option<Turn<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = Turn(&self.waiting);
        (before < self.queue.length).then_some(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
