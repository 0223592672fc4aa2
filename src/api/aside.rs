//! Work that may take longer than the other callers of a worker should wait: on another thread, and waited for no longer than
//! the call's deadline.
//!
//! What bounds the work itself is not here: a thread cannot be stopped. Which threads, and how many, is `offload`'s.

use std::future::Future;
use std::time::Instant;

use actix_rt::time::timeout;

use crate::api::error::kinds::Error;
use crate::offload;

/// What a job comes to. `prepare` makes the job once it can begin, so that who waits copies nothing.
pub(crate) async fn run<J, T>(deadline: Instant, prepare: impl FnOnce() -> J) -> Result<T, Error>
where
    J: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    within(deadline, offload::always(prepare)).await
}

/// The same for work on so many bytes of lists: here, if they are few.
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
