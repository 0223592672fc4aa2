//! The cache of tool lists: one list for each server, and a limit in bytes on all of them together. To lose a list costs a request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::mcp::tools::Tools;

/// Bytes of all lists together. More only where one list alone takes more.
const MOST_BYTES: usize = 128 * 1024 * 1024;

/// The sizes of all cached lists. Shared by all servers.
#[derive(Debug, Default)]
pub(crate) struct ToolsCache {
    /// Oldest first. Locked before any single list.
    lists: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    place: Weak<Place>,
    bytes: usize,
}

/// The list of one server.
#[derive(Debug)]
pub(crate) struct CachedTools {
    place: Arc<Place>,
    cache: Arc<ToolsCache>,
}

type Place = Mutex<Option<Arc<Tools>>>;

impl CachedTools {
    /// No list yet.
    pub(crate) fn new(cache: &Arc<ToolsCache>) -> Self {
        Self {
            place: Arc::default(),
            cache: Arc::clone(cache),
        }
    }

    /// The list, fresh or not.
    pub(crate) fn get(&self) -> Option<Arc<Tools>> {
        lock(&self.place).clone()
    }

    /// Replaces the list. The oldest lists of other servers are evicted where there is no room.
    pub(crate) fn put(&self, tools: Tools) -> Arc<Tools> {
        let (bytes, tools) = (tools.bytes(), Arc::new(tools));
        let mut lists = lock(&self.cache.lists);
        // Lists are large: they are dropped after the lock is released.
        let mut dropped = vec![self.take(&mut lists)];
        let mut total = bytes + lists.iter().map(|list| list.bytes).sum::<usize>();
        while total > MOST_BYTES && !lists.is_empty() {
            let oldest = lists.remove(0);
            total -= oldest.bytes;
            let place = oldest.place.upgrade();
            dropped.push(place.and_then(|place| lock(&place).take()));
        }
        lists.push(Entry {
            place: Arc::downgrade(&self.place),
            bytes,
        });
        *lock(&self.place) = Some(Arc::clone(&tools));
        drop(lists);
        drop(dropped);
        tools
    }

    /// Forgets the list.
    pub(crate) fn forget(&self) {
        let dropped = self.take(&mut lock(&self.cache.lists));
        drop(dropped);
    }

    fn take(&self, lists: &mut Vec<Entry>) -> Option<Arc<Tools>> {
        let own = Arc::as_ptr(&self.place);
        // Entries of servers that no longer exist go too.
        lists.retain(|list| list.place.as_ptr() != own && list.place.strong_count() > 0);
        lock(&self.place).take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind the locks is consistent at every moment, so that a panic elsewhere does no harm.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::mcp::tools::Tools;
    use crate::mcp::tools_cache::{CachedTools, MOST_BYTES, ToolsCache};

    #[test]
    fn the_oldest_lists_are_evicted() {
        let cache = Arc::new(ToolsCache::default());
        let [one, two, three] = std::array::from_fn(|_| CachedTools::new(&cache));
        let cached = || [&one, &two, &three].map(|list| list.get().is_some());
        one.put(Tools::of_bytes(MOST_BYTES / 2));
        two.put(Tools::of_bytes(MOST_BYTES / 2));
        one.put(Tools::of_bytes(MOST_BYTES / 2));
        three.put(Tools::of_bytes(MOST_BYTES / 2));
        assert_eq!(cached(), [true, false, true]);
        two.put(Tools::of_bytes(2 * MOST_BYTES));
        assert_eq!(cached(), [false, true, false]);
        two.forget();
        one.put(Tools::of_bytes(1));
        assert_eq!(cached(), [true, false, false]);
        drop(one);
        three.put(Tools::of_bytes(MOST_BYTES));
        assert!(three.get().is_some());
    }
}
