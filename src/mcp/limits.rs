//! The limit on the memory of all bodies together (`limits.bufferedBytes`): each request and response is limited by itself, but many
//! large ones at the same time are more than any machine has.
//!
//! A body counts while it is put together, and then until its last slice is dropped: a response that a client is slow to read
//! counts until its last piece is written. A copy counts by itself. A body that is no larger than [`SMALL`] does not count once it
//! is complete: every connection has buffers of that size, and most calls are spared the work.
//!
//! Not counted are bodies that live within one step of a worker (while they are parsed or converted), caches, and the buffers of the
//! kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// The largest body that does not count: as many bytes as a connection buffers anyway.
pub const SMALL: usize = 32 * 1024;

/// The bytes that all bodies together may take. Shared by all workers.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Total>);

#[derive(Debug)]
struct Total {
    held: AtomicUsize,
    most: usize,
}

/// The bytes that one body has reserved, released when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    held: usize,
}

/// The limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// Bytes and their reservation, dropped together.
struct Kept {
    bytes: Bytes,
    _reservation: Reservation,
}

impl Budget {
    /// A limit of so many bytes.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Total {
            held: AtomicUsize::new(0),
            most,
        }))
    }

    /// A reservation of nothing yet.
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            held: 0,
        }
    }

    /// The same bytes with a reservation that lasts until their last slice is dropped; small ones without.
    pub fn keep(&self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        if bytes.len() <= SMALL {
            return Ok(bytes);
        }
        self.reservation().keep(bytes)
    }
}

impl Reservation {
    /// Changes the reservation to so many bytes. At the limit it stays what it was.
    pub fn resize(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let Total { held, most } = &*self.budget.0;
        if bytes > self.held {
            let more = bytes - self.held;
            let before = held.fetch_add(more, Ordering::Relaxed);
            if before + more > *most {
                held.fetch_sub(more, Ordering::Relaxed);
                return Err(NoRoom);
            }
        } else if bytes < self.held {
            held.fetch_sub(self.held - bytes, Ordering::Relaxed);
        }
        self.held = bytes;
        Ok(())
    }

    /// The same bytes with this reservation, small or not; it lasts until their last slice is dropped.
    pub fn keep(mut self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        self.resize(bytes.len())?;
        Ok(Bytes::from_owner(Kept {
            bytes,
            _reservation: self,
        }))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.held > 0 {
            self.budget.0.held.fetch_sub(self.held, Ordering::Relaxed);
        }
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.reservation(), budget.reservation());
        one.resize(6).unwrap();
        assert_eq!(other.resize(5), Err(NoRoom));
        one.resize(2).unwrap();
        other.resize(8).unwrap();
        assert_eq!(one.resize(3), Err(NoRoom));
        drop(one);
        drop(other);
        assert!(budget.reservation().resize(10).is_ok());
    }

    #[test]
    fn what_finds_no_room_takes_none_from_others() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.reservation(), budget.reservation());
        one.resize(6).unwrap();
        assert_eq!(other.resize(8), Err(NoRoom));
        one.resize(10).unwrap();
    }

    #[test]
    fn bytes_count_until_their_last_slice_is_dropped() {
        let budget = Budget::new(3 * SMALL);
        let large = || Bytes::from(vec![b'x'; 2 * SMALL]);
        let kept = budget.keep(large()).unwrap();
        let slice = kept.slice(10..20);
        drop(kept);
        assert_eq!(budget.keep(large()), Err(NoRoom));
        assert_eq!(slice, "xxxxxxxxxx");
        drop(slice);
        assert_eq!(budget.keep(large()).unwrap().len(), 2 * SMALL);
        assert_eq!(budget.0.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_small_does_not_count() {
        let budget = Budget::new(0);
        let small = Bytes::from(vec![b'x'; SMALL]);
        assert_eq!(budget.keep(small.clone()), Ok(small));
    }
}
