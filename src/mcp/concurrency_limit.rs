//! The concurrency limit of one server: how many requests to it may be in flight, and a short queue for a permit.
//!
//! A server that hangs holds its own callers and no others: the queue is bounded in number and in time, and a request that finds
//! no room in it is refused at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::mcp::protocol::error::Error;

/// The limit of one server. Shared by all workers.
#[derive(Debug)]
pub(crate) struct ConcurrencyLimit {
    permits: Semaphore,
    waiting: AtomicUsize,
    queue: Queue,
}

/// The queue for permits, where all of them are taken.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// How many may wait.
    pub length: usize,
    /// And how long.
    pub timeout: Duration,
}

/// One request in the queue.
struct Waiting<'a>(&'a AtomicUsize);

impl ConcurrencyLimit {
    /// As many permits as requests may be `in_flight`.
    pub(crate) fn new(in_flight: usize, queue: Queue) -> Self {
        Self {
            permits: Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS)),
            waiting: AtomicUsize::new(0),
            queue,
        }
    }

    /// A permit, to be held while the request is in flight. They are given out in the order in which they are asked for.
    pub(crate) async fn acquire(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Error> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        log::debug!("a call waits for a permit");
        let _waiting = self.join_queue().ok_or(Error::Overloaded)?;
        let left = deadline.saturating_duration_since(Instant::now());
        let acquired = timeout(self.queue.timeout.min(left), self.permits.acquire()).await;
        // The semaphore is never closed, so that the only failure is the timeout.
        acquired.ok().and_then(Result::ok).ok_or(Error::Overloaded)
    }

    fn join_queue(&self) -> Option<Waiting<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        (before < self.queue.length).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
