//! The thread that writes the log, behind a bounded buffer: a log call never waits for the reader of standard error.
//!
//! The format of lines is `logging`'s part.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of lines that wait to be written. The writer may hold as many more.
const CAPACITY: usize = 1024 * 1024;
/// The pause between two writes: what is logged meanwhile becomes one write, and need not wake the writer.
const BATCH_INTERVAL: Duration = Duration::from_millis(5);

/// The lines that are logged and not yet written.
pub(crate) struct Buffer {
    state: Mutex<State>,
    /// Wakes the writer: there are lines.
    filled: Condvar,
    /// Wakes [`Buffer::finish`]: every line is written.
    emptied: Condvar,
    dropped: AtomicU64,
}

struct State {
    lines: Vec<u8>,
    /// Lines dropped since the log has last reported any.
    unreported: u64,
    /// Every line is written, and the next one has to wake the writer.
    idle: bool,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                lines: Vec::new(),
                unreported: 0,
                idle: true,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Adds a line with its line end, or drops it where there is no room.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.len() + line.len() > CAPACITY {
            state.unreported += 1;
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.lines.extend_from_slice(line);
        let writer_sleeps = std::mem::replace(&mut state.idle, false);
        drop(state);
        if writer_sleeps {
            self.filled.notify_one();
        }
    }

    /// Lines that were dropped so far, or could not be written.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every line is written, or for `timeout`. Returns whether all are written.
    pub(crate) fn finish(&self, timeout: Duration) -> bool {
        let waited = self
            .emptied
            .wait_timeout_while(self.lock(), timeout, |state| !state.idle);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Writes lines for ever, many with one write. `report` makes a line of how many were dropped since the last report.
    pub(crate) fn write_to(&self, out: &mut impl Write, report: impl Fn(&mut Vec<u8>, u64)) -> ! {
        let mut batch = Vec::new();
        loop {
            let unreported = self.take(&mut batch);
            if unreported > 0 {
                report(&mut batch, unreported);
            }
            let unwritten = write(out, &batch);
            let lost = memchr::memchr_iter(b'\n', unwritten).count();
            self.dropped
                .fetch_add(u64::try_from(lost).unwrap_or_default(), Ordering::Relaxed);
            batch.clear();
            thread::sleep(BATCH_INTERVAL);
        }
    }

    /// Waits for lines, takes them all in exchange for an empty `batch`, and returns how many were dropped after them.
    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        let mut state = self.lock();
        while state.lines.is_empty() {
            state.idle = true;
            self.emptied.notify_all();
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle = false;
        std::mem::swap(&mut state.lines, batch);
        std::mem::take(&mut state.unreported)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of `bytes`, however long the reader takes. Returns what is left when standard error is closed.
fn write<'a>(out: &mut impl Write, mut bytes: &'a [u8]) -> &'a [u8] {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Another process that shares the pipe may have made it non-blocking.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(BATCH_INTERVAL),
            Ok(_) | Err(_) => break,
        }
    }
    bytes
}

/// The buffer as [`Write`].
pub(crate) struct BufferWriter(pub(crate) &'static Buffer);

impl Write for BufferWriter {
    /// Adds one whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes some bytes at a time, with interruptions, up to a number of writes.
    struct Reader {
        read: Vec<u8>,
        writes: usize,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let Some(writes) = self.writes.checked_sub(1) else {
                return Err(ErrorKind::BrokenPipe.into());
            };
            self.writes = writes;
            match writes % 3 {
                0 => Err(ErrorKind::Interrupted.into()),
                1 => Err(ErrorKind::WouldBlock.into()),
                _ => {
                    self.read.push(bytes[0]);
                    Ok(1)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_to_a_reader_that_takes_little() {
        let mut reader = Reader {
            read: Vec::new(),
            writes: 9,
        };
        assert_eq!(write(&mut reader, b"abcd\n"), b"d\n");
        assert_eq!(reader.read, b"abc");
    }

    #[test]
    fn lines_without_room_are_dropped_and_counted() {
        let buffer = Buffer::new();
        let line = vec![b'x'; CAPACITY / 4];
        for _ in 0..6 {
            buffer.push(&line);
        }
        buffer.push(b"short\n");
        let mut batch = Vec::new();
        assert_eq!(buffer.take(&mut batch), 3);
        assert_eq!((batch.len(), buffer.dropped()), (CAPACITY, 3));
        batch.clear();
        buffer.push(b"later\n");
        assert_eq!(buffer.take(&mut batch), 0);
        assert_eq!(batch, b"later\n");
    }
}
