//! The file descriptors of this process: as many as the system allows, with a reserve for the responses that say that none are left.
//!
//! The kernel gives a new descriptor the lowest free number. So the number alone says how many are in use at least, and nothing
//! has to be counted.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

/// `ENFILE` and `EMFILE`: the same numbers on every Unix.
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
/// Descriptors that no upstream connection gets, and on which clients are only told so. A quarter of all where there are few.
const RESERVE: u64 = 64;

/// A limit below this is warned of: the service itself needs some twenty, and each call two.
const FEW: u64 = 128;

/// The first number of the reserve.
static RESERVED_FROM: AtomicI32 = AtomicI32::new(RawFd::MAX);

/// Raises the soft limit of this process to the hard one, and sets the reserve aside.
pub fn raise_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => {
            let reserved_from = limit - RESERVE.min(limit / 4);
            let reserved_from = RawFd::try_from(reserved_from).unwrap_or(RawFd::MAX);
            RESERVED_FROM.store(reserved_from, Ordering::Relaxed);
            if limit < FEW {
                log::warn!(limit = limit; "few file descriptors: most calls will be refused; raise `ulimit -n`");
            }
        }
        Err(error) => log::warn!("the limit on file descriptors stays as it is: {error}"),
    }
}

/// Whether this descriptor is in the reserve: all others are in use.
pub fn is_reserved(descriptor: &impl AsRawFd) -> bool {
    descriptor.as_raw_fd() >= RESERVED_FROM.load(Ordering::Relaxed)
}

/// Returns `opened`, or closes it where its descriptor is in the reserve, as if there had been none.
pub fn unless_reserved<T: AsRawFd>(opened: T) -> io::Result<T> {
    if is_reserved(&opened) {
        return Err(io::Error::from_raw_os_error(EMFILE));
    }
    Ok(opened)
}

/// Whether an error means that no descriptors are left, in this process or the whole machine.
pub fn are_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(EMFILE | ENFILE))
}
