//! Work that would hold up a worker, on threads of its own.
//!
//! What is small is done at once: to go to another thread and back costs more than it does.

use std::sync::{Arc, LazyLock};
use std::thread::available_parallelism;

use tokio::sync::Semaphore;

/// Bytes of JSON that are looked into within some 3 ms.
const SMALL: usize = 128 * 1024;

/// As many at once as there are cores, and no more than this: each may take some 100 MiB for a list as long as it may be.
const MOST_AT_ONCE: usize = 8;

/// For what is looked into: more than there are cores would not be done sooner, and would take more from the workers.
static LOOKING: LazyLock<Arc<Semaphore>> = LazyLock::new(|| permits(1));
/// For what servers can make long by their schemas: whoever reads an answer does not wait for that.
static LONG: LazyLock<Arc<Semaphore>> = LazyLock::new(|| permits(2));

/// One for so many cores.
fn permits(cores: usize) -> Arc<Semaphore> {
    let there_are = available_parallelism().map_or(1, usize::from);
    Arc::new(Semaphore::new((there_are / cores).clamp(1, MOST_AT_ONCE)))
}

/// Whether so many bytes are better looked into on another thread.
pub(crate) fn is_large(bytes: usize) -> bool {
    bytes > SMALL
}

/// Does some work: here, or on another thread if it is work on many `bytes`. `None` if it panics there.
///
/// Whoever waits may give up at any time. Work that has begun goes on to its end and keeps its permit until then.
pub(crate) async fn run<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if is_large(bytes) {
        on_thread(&LOOKING, || work).await
    } else {
        Some(work())
    }
}

/// Does work that may be long on another thread. `prepare` makes the job once there is a thread for it.
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
    async fn only_what_is_large_goes_to_another_thread() {
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
