//! A small bounded map from servers to what was learnt of them. Losing an entry costs a question, never an answer.

use std::sync::{Mutex, PoisonError};

use crate::servers::{ByIdentity, Identity};

/// Servers remembered at the same time, each with each credential it is asked with.
const CAPACITY: usize = 1024;

/// What is known of servers, by name and credential. Shared by all workers.
#[derive(Debug)]
pub(super) struct Memory<V>(Mutex<ByIdentity<V>>);

impl<V: Clone> Memory<V> {
    /// Nothing known.
    pub(super) fn new() -> Self {
        Self(Mutex::new(ByIdentity::default()))
    }

    /// What is known of `server`.
    pub(super) fn get(&self, server: &Identity) -> Option<V> {
        self.lock().get(server).cloned()
    }

    /// Remembers `value`, forgetting some other server where there is no room.
    pub(super) fn put(&self, server: Identity, value: V) {
        let mut known = self.lock();
        if known.len() >= CAPACITY && !known.contains_key(&server) {
            let victim = known.keys().next().copied();
            victim.map(|victim| known.remove(&victim));
        }
        known.insert(server, value);
    }

    /// Forgets `server`.
    pub(super) fn forget(&self, server: &Identity) {
        self.lock().remove(server);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, ByIdentity<V>> {
        // Every entry is whole at every moment: a panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
