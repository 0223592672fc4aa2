//! Offloaded work that a request waits for, until its deadline at most.
//!
//! It bounds the wait, not the work: a thread cannot be stopped. Threads and permits are `crate::offload`'s.

use std::future::Future;
use std::time::Instant;

use actix_rt::time::timeout;

use crate::api::error::kinds::Error;
use crate::offload;

/// The outcome of a job. `prepare` makes the job once it has a permit, so that nothing is copied while it waits for one.
pub(crate) async fn run<J, T>(deadline: Instant, prepare: impl FnOnce() -> J) -> Result<T, Error>
where
    J: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    within(deadline, offload::always(prepare)).await
}

/// The outcome of work on so many `bytes`: on the worker itself if they are few.
pub(crate) async fn if_large<T: Send + 'static>(
    bytes: usize,
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    within(deadline, offload::run(bytes, work)).await
}

async fn within<T>(deadline: Instant, work: impl Future<Output = Option<T>>) -> Result<T, Error> {
    let left = deadline.saturating_duration_since(Instant::now());
    let done = timeout(left, work)
        .await
        .map_err(|_elapsed| Error::DeadlinePassed)?;
    done.ok_or(Error::Internal)
}
