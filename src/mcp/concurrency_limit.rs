//! A concurrency limit of one server: how many requests of a kind may be in flight, and a short queue for a permit.
//!
//! A server that hangs holds its own callers and no others: the queue is bounded in number and in time, and a request that finds
//! no room in it is refused at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::mcp::protocol::error::Error;

/// One limit of one server. Shared by all workers.
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
        if !self.join_queue() {
            return Err(Error::Overloaded);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let acquired = timeout(self.queue.timeout.min(left), self.acquire_queued()).await;
        acquired.ok().flatten().ok_or(Error::Overloaded)
    }

    /// Takes a place in the queue, unless it is full. Every place must be given back by `acquire_queued`.
    pub(crate) fn join_queue(&self) -> bool {
        let has_room = self.waiting.fetch_add(1, Ordering::Relaxed) < self.queue.length;
        if !has_room {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        has_room
    }

    /// The permit of a request that has joined the queue, which it leaves when it has the permit or stops waiting.
    pub(crate) async fn acquire_queued(&self) -> Option<SemaphorePermit<'_>> {
        let _waiting = Waiting(&self.waiting);
        // The semaphore is never closed.
        self.permits.acquire().await.ok()
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use crate::mcp::concurrency_limit::{ConcurrencyLimit, Queue};

    #[test]
    fn permits_and_the_queue_are_bounded() {
        let queue = Queue {
            length: 2,
            timeout: Duration::MAX,
        };
        let limit = ConcurrencyLimit::new(1, queue);
        let acquire = || limit.acquire_queued().now_or_never().flatten();
        assert!(limit.join_queue() && limit.join_queue() && !limit.join_queue());
        // A request leaves the queue with its permit, or when it stops waiting.
        let permit = acquire();
        assert!(permit.is_some() && limit.join_queue() && !limit.join_queue());
        assert!(acquire().is_none() && limit.join_queue());
        drop(permit);
        assert!(acquire().is_some());
    }
}
