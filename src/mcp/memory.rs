//! A small bounded map from servers to what was learnt of them. Losing an entry costs a question, never an answer.

use std::sync::{Mutex, PoisonError};

use crate::config::servers::{ByIdentity, Identity};

/// Servers remembered at the same time, each with each credential it is asked with.
const CAPACITY: usize = 1024;
/// Bytes of everything that is remembered of all servers together. More than that only where one entry alone takes more.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// What is known of servers, by name and credential. Shared by all workers.
#[derive(Debug)]
pub(crate) struct Memory<V>(Mutex<Known<V>>);

#[derive(Debug)]
struct Known<V> {
    entries: ByIdentity<Entry<V>>,
    bytes: usize,
    /// How many were ever learnt.
    learnt: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
    /// How many were learnt before it.
    learnt: u64,
}

impl<V: Clone> Memory<V> {
    /// Nothing known.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Known {
            entries: ByIdentity::default(),
            bytes: 0,
            learnt: 0,
        }))
    }

    /// What is known of `server`.
    pub(crate) fn get(&self, server: &Identity) -> Option<V> {
        self.lock().entries.get(server).map(|it| it.value.clone())
    }

    /// Remembers a `value` of next to no size.
    pub(crate) fn put(&self, server: Identity, value: V) {
        self.put_large(server, value, 0);
    }

    /// Remembers a `value` that takes so many bytes, forgetting what was learnt longest ago where there is no room.
    pub(crate) fn put_large(&self, server: Identity, value: V, bytes: usize) {
        let mut known = self.lock();
        // Let go of when others need not wait for that any more.
        let mut forgotten = vec![known.forget(&server)];
        while known.entries.len() >= CAPACITY || known.bytes + bytes > MOST_BYTES {
            let oldest = known.entries.iter().min_by_key(|(_, it)| it.learnt);
            let Some((oldest, _)) = oldest else { break };
            let oldest = *oldest;
            forgotten.push(known.forget(&oldest));
        }
        known.learnt += 1;
        known.bytes += bytes;
        let entry = Entry {
            value,
            bytes,
            learnt: known.learnt,
        };
        known.entries.insert(server, entry);
        drop(known);
        drop(forgotten);
    }

    /// Forgets `server`.
    pub(crate) fn forget(&self, server: &Identity) {
        let forgotten = self.lock().forget(server);
        drop(forgotten);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known<V>> {
        // Every entry is whole at every moment: a panic elsewhere leaves nothing half done here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Known<V> {
    fn forget(&mut self, server: &Identity) -> Option<Entry<V>> {
        let forgotten = self.entries.remove(server)?;
        self.bytes -= forgotten.bytes;
        Some(forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::servers::Server;

    fn server(name: &str) -> Identity {
        Server::http(name, "http://h/".parse().unwrap()).identity
    }

    #[test]
    fn what_was_learnt_longest_ago_makes_room() {
        let memory = Memory::new();
        let [one, two, three] = ["1", "2", "3"].map(server);
        memory.put_large(one, 1, MOST_BYTES / 2);
        memory.put_large(two, 2, MOST_BYTES / 2);
        memory.put_large(one, 11, MOST_BYTES / 2);
        memory.put_large(three, 3, MOST_BYTES / 2);
        let known = [one, two, three].map(|server| memory.get(&server));
        assert_eq!(known, [Some(11), None, Some(3)]);
        memory.put_large(two, 2, 2 * MOST_BYTES);
        let known = [one, two, three].map(|server| memory.get(&server));
        assert_eq!(known, [None, Some(2), None]);
        memory.forget(&two);
        memory.put(one, 1);
        assert_eq!((memory.get(&one), memory.get(&two)), (Some(1), None));
    }
}
