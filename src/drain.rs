//! How far this process is on its way out, so that whoever sends it requests can be told in time.
//!
//! First it is not ready any more, while everything is still served: load balancers go elsewhere. Then it listens no
//! more, and every connection ends with its next answer.

use std::sync::atomic::{AtomicU8, Ordering};

/// Shared by all workers.
#[derive(Debug, Default)]
pub struct Drain(AtomicU8);

const LEAVING: u8 = 1;
const CLOSING: u8 = 2;

impl Drain {
    /// From now on this process is not ready.
    pub fn leave(&self) {
        self.0.fetch_max(LEAVING, Ordering::Relaxed);
    }

    /// From now on connections end with their next answer.
    pub fn close(&self) {
        self.0.fetch_max(CLOSING, Ordering::Relaxed);
    }

    /// Whether requests should go to this process.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Relaxed) < LEAVING
    }

    /// Whether connections end with their next answer.
    pub fn is_closing(&self) -> bool {
        self.0.load(Ordering::Relaxed) == CLOSING
    }
}
