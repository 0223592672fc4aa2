//! How much of answers is held in memory at the same time, over all calls: what each call may hold is bounded, but many
//! calls to servers that flood are more than any machine has.
//!
//! Only what is put together from several chunks is counted. An answer that came in one piece is small, and an event that
//! was read is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::error::Error;

/// The bytes there are. Shared by all workers.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    held: AtomicUsize,
    most: usize,
}

/// What one answer holds of them, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    held: usize,
}

impl Budget {
    /// So many bytes in all.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Bytes {
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
}

impl Share {
    /// Holds so many bytes from now on. If there is no room for them, this answer must be given up.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Error> {
        let Bytes { held, most } = &*self.budget.0;
        if bytes > self.held {
            let more = bytes - self.held;
            let before = held.fetch_add(more, Ordering::Relaxed);
            self.held = bytes;
            if before + more > *most {
                return Err(Error::NoRoom);
            }
        } else if bytes < self.held {
            held.fetch_sub(self.held - bytes, Ordering::Relaxed);
            self.held = bytes;
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.held, Ordering::Relaxed);
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
        assert!(matches!(other.hold(5), Err(Error::NoRoom)));
        drop(other);
        let mut other = budget.share();
        one.hold(2).unwrap();
        other.hold(8).unwrap();
        assert!(matches!(one.hold(3), Err(Error::NoRoom)));
        drop(one);
        drop(other);
        assert!(budget.share().hold(10).is_ok());
    }
}
