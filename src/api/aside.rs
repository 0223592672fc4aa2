//! Work that may take longer than the other callers of a worker should wait: on threads of its own, few at once, and waited for no
//! longer than the call's deadline.
//!
//! What bounds the work itself is not here: a thread cannot be stopped.

use std::sync::Arc;
use std::time::Instant;

use actix_rt::task::spawn_blocking;
use actix_rt::time::timeout;
use tokio::sync::Semaphore;

use super::error::Error;

/// Jobs at the same time, over all workers. What waits for a permit holds no thread.
const AT_ONCE: usize = 2;

/// Permits for such work. Shared by all workers.
#[derive(Debug, Clone)]
pub(super) struct Aside(Arc<Semaphore>);

impl Default for Aside {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Aside {
    /// What a job comes to. `prepare` makes the job once there is a permit, so that who waits copies nothing.
    pub(super) async fn run<J, T>(
        &self,
        deadline: Instant,
        prepare: impl FnOnce() -> J,
    ) -> Result<T, Error>
    where
        J: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let work = async {
            let permits = Arc::clone(&self.0);
            let permit = permits.acquire_owned().await.map_err(|_closed| {
                log::error!("the permits for work aside are gone");
                Error::Internal
            })?;
            let job = prepare();
            // The permit is the job's: it goes on where nobody waits for it any more.
            let done = spawn_blocking(move || {
                let done = job();
                drop(permit);
                done
            });
            done.await.map_err(|error| {
                log::error!("work aside was not finished: {error}");
                Error::Internal
            })
        };
        let left = deadline.saturating_duration_since(Instant::now());
        timeout(left, work).await.unwrap_or(Err(Error::Late))
    }
}
