//! Work that would block a worker, on threads of its own.
//!
//! Small work is done at once: a hop to another thread and back costs more.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// Bytes of JSON that are read within some 3 ms.
const SMALL: usize = 128 * 1024;

/// The most jobs at a time, whatever the number of cores: each may take some 100 MiB for a list of the largest size.
const MAX_JOBS: usize = 8;

/// For reading bodies: one per core, since more would not be done sooner and would take more from the workers.
static READS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| permits(1));
/// For work that a server can make long by its schemas, so that reading a body does not wait for it.
static LONG: LazyLock<Arc<Semaphore>> = LazyLock::new(|| permits(2));

/// One permit for each `cores` of the machine.
fn permits(cores: usize) -> Arc<Semaphore> {
    let there_are = available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new((there_are / cores).clamp(1, MAX_JOBS)))
}

/// Whether work on so many bytes belongs on another thread.
pub(crate) fn is_large(bytes: usize) -> bool {
    bytes > SMALL
}

/// Does work: here, or on another thread if it is work on many `bytes`. `None` if it panics there.
///
/// The future may be dropped at any time. Work that has begun goes on to its end and keeps its permit until then.
pub(crate) async fn run<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if is_large(bytes) {
        on_thread(&READS, || work).await
    } else {
        Some(work())
    }
}

/// Does work that may be long on another thread. `prepare` makes the job once it has a permit.
pub(crate) async fn always<J, T>(prepare: impl FnOnce() -> J) -> Option<T>
where
    J: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    on_thread(&LONG, prepare).await
}

async fn on_thread<J, T>(permits: &Arc<Semaphore>, prepare: impl FnOnce() -> J) -> Option<T>
where
    J: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let permit = Arc::clone(permits).acquire_owned().await.ok()?;
    let job = prepare();
    let working = actix_rt::task::spawn_blocking(move || {
        let _permit = permit;
        job()
    });
    working.await.ok()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[actix_rt::test]
    async fn only_large_work_goes_to_another_thread() {
        let here = thread::current().id();
        let small = run(SMALL, || thread::current().id()).await;
        let large = run(SMALL + 1, || thread::current().id()).await;
        assert_eq!(small, Some(here));
        assert!(large.is_some_and(|there| there != here));
    }

    #[actix_rt::test]
    async fn work_that_panics_gives_its_permit_back() {
        for _ in 0..2000 {
            let nothing: Option<()> =
                run(SMALL + 1, || std::panic::resume_unwind(Box::new(()))).await;
            assert_eq!(nothing, None);
        }
    }
}
