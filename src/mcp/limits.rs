//! How much memory the bodies of requests and answers take at the same time, over all calls: what each call may hold is
//! bounded, but many calls with large bodies are more than any machine has.
//!
//! A body counts while it is put together, and then until the last slice of it is dropped, whoever has it by then: an answer
//! that a caller is slow to take counts until its last piece is written. A copy counts by itself. What is no larger than
//! [`SMALL`] does not count once it is whole: every connection has buffers of that size, and most calls are spared the work.
//!
//! Not counted is what lives within one step of a worker alone (a body being parsed or changed into another form), what is
//! remembered of servers, and the system's own buffers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Bytes that do not count: as many as a connection buffers anyway.
pub const SMALL: usize = 32 * 1024;

/// The bytes there are. Shared by all workers.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Total>);

#[derive(Debug)]
struct Total {
    held: AtomicUsize,
    most: usize,
}

/// What one body holds of them, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    held: usize,
}

/// So many bytes more are not to be had at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

/// Bytes and their share, dropped together.
struct Kept {
    bytes: Bytes,
    _share: Share,
}

impl Budget {
    /// So many bytes in all.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Total {
            held: AtomicUsize::new(0),
            most,
        }))
    }

    /// A share that holds nothing yet.
    pub fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            held: 0,
        }
    }

    /// The same bytes, which count from now on until the last slice of them is dropped; unless they are small.
    pub fn keep(&self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        if bytes.len() <= SMALL {
            return Ok(bytes);
        }
        self.share().keep(bytes)
    }
}

impl Share {
    /// Holds so many bytes from now on, more or fewer than before. If there is no room for them it holds what it held.
    pub fn hold(&mut self, bytes: usize) -> Result<(), NoRoom> {
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

    /// Goes over to these bytes, small or not: they count until the last slice of them is dropped.
    pub fn keep(mut self, bytes: Bytes) -> Result<Bytes, NoRoom> {
        self.hold(bytes.len())?;
        Ok(Bytes::from_owner(Kept {
            bytes,
            _share: self,
        }))
    }
}

impl Drop for Share {
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
        let (mut one, mut other) = (budget.share(), budget.share());
        one.hold(6).unwrap();
        assert_eq!(other.hold(5), Err(NoRoom));
        one.hold(2).unwrap();
        other.hold(8).unwrap();
        assert_eq!(one.hold(3), Err(NoRoom));
        drop(one);
        drop(other);
        assert!(budget.share().hold(10).is_ok());
    }

    #[test]
    fn what_finds_no_room_takes_none_from_others() {
        let budget = Budget::new(10);
        let (mut one, mut other) = (budget.share(), budget.share());
        one.hold(6).unwrap();
        assert_eq!(other.hold(8), Err(NoRoom));
        one.hold(10).unwrap();
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
