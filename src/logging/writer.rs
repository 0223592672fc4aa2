//! One thread that writes the log, behind a buffer with a bound: who logs never waits for who reads.
//!
//! What lines look like is `logging`'s part.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of lines that wait to be written. As many more are in the writer's hands.
const CAPACITY: usize = 1024 * 1024;
/// Between two writes. What is logged meanwhile is written at once, and the writer need not be woken for it.
const GATHERING: Duration = Duration::from_millis(5);

/// The lines between those who log and the one who writes.
pub(crate) struct Buffer {
    state: Mutex<State>,
    /// For a writer that waits: there are lines.
    filled: Condvar,
    /// For who waits for the end: every line is written.
    emptied: Condvar,
    dropped: AtomicU64,
}

struct State {
    lines: Vec<u8>,
    /// Lines dropped since the log has last told of any.
    untold: u64,
    /// Every line is written, and the writer has to be woken for the next one.
    idle: bool,
}

impl Buffer {
    pub(crate) const fn new() -> Self {
        Self {
            state: Mutex::new(State {
                lines: Vec::new(),
                untold: 0,
                idle: true,
            }),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Hands over a line with its end; drops it where there is no room.
    pub(crate) fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.len() + line.len() > CAPACITY {
            state.untold += 1;
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

    /// Waits until every line is written, or for `patience`. Whether they are.
    pub(crate) fn finish(&self, patience: Duration) -> bool {
        let waited = self
            .emptied
            .wait_timeout_while(self.lock(), patience, |state| !state.idle);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Writes lines for ever, many with one write. `tell` makes a line of how many were dropped since it was last asked.
    pub(crate) fn write_to(&self, out: &mut impl Write, tell: impl Fn(&mut Vec<u8>, u64)) -> ! {
        let mut batch = Vec::new();
        loop {
            let untold = self.take(&mut batch);
            if untold > 0 {
                tell(&mut batch, untold);
            }
            let unwritten = write(out, &batch);
            let lost = memchr::memchr_iter(b'\n', unwritten).count();
            self.dropped
                .fetch_add(u64::try_from(lost).unwrap_or_default(), Ordering::Relaxed);
            batch.clear();
            thread::sleep(GATHERING);
        }
    }

    /// Waits for lines, takes them all in exchange for an empty `batch`, and says how many are missing after them.
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
        std::mem::take(&mut state.untold)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes all of `bytes`, however long the reader takes. What is left when nobody reads any more.
fn write<'a>(out: &mut impl Write, mut bytes: &'a [u8]) -> &'a [u8] {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(written) if written > 0 => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Whoever shares the pipe may have made it one that does not block.
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(GATHERING),
            Ok(_) | Err(_) => break,
        }
    }
    bytes
}

/// A way to the buffer for who wants to write.
pub(crate) struct Way(pub(crate) &'static Buffer);

impl Write for Way {
    /// Takes one whole line.
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
    fn lines_are_written_however_little_the_reader_takes() {
        let mut reader = Reader {
            read: Vec::new(),
            writes: 9,
        };
        assert_eq!(write(&mut reader, b"abcd\n"), b"d\n");
        assert_eq!(reader.read, b"abc");
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
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
