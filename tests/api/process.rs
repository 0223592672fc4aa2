//! What the operating system says of the running service: its memory, its processor time, its descriptors.

use std::fs::{read_dir, read_to_string, write};
use std::path::PathBuf;

/// Hundredths of a second of processor time (`CLK_TCK` is 100 on Linux).
pub type Ticks = u64;

/// A process, by its number.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// A file of its own below `/proc`.
    pub fn file(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.0))
    }

    /// The most memory it has held at once, in bytes.
    pub fn peak_memory(self) -> usize {
        let status = read_to_string(self.file("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kilobytes.parse::<usize>().unwrap() * 1024
    }

    /// From now on, the peak is counted from what is in memory now.
    pub fn forget_peak(self) {
        write(self.file("clear_refs"), "5").unwrap();
    }

    /// How many descriptors it has.
    pub fn descriptors(self) -> usize {
        read_dir(self.file("fd")).unwrap().count()
    }

    /// Processor time of the whole process.
    pub fn ticks(self) -> Ticks {
        spent(&read_to_string(self.file("stat")).unwrap())
    }

    /// Processor time of the threads that answer requests.
    pub fn ticks_of_workers(self) -> Ticks {
        let threads = read_dir(self.file("task")).unwrap();
        threads
            .filter_map(|thread| read_to_string(thread.ok()?.path().join("stat")).ok())
            .filter(|stat| stat.contains("(actix-rt|"))
            .map(|stat| spent(&stat))
            .sum()
    }
}

/// User and system time: the 12th and 13th field after the name in parentheses.
fn spent(stat: &str) -> Ticks {
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let times = fields.split(' ').skip(11).take(2);
    times.map(|ticks| ticks.parse::<Ticks>().unwrap()).sum()
}
