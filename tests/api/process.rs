//! What the operating system says of the running service: its memory, its processor time, its descriptors.

use std::fs;

/// Hundredths of a second of processor time: the unit of `/proc/PID/stat` (`CLK_TCK`, 100 on Linux).
pub type Ticks = u64;

/// A process, by its id.
#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// The most memory it has had since [`Process::forget_peak`], in MiB.
    pub fn peak_mib(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:"));
        let kib: u64 = line
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        kib / 1024
    }

    /// Lets the peak begin anew with what is in memory now.
    pub fn forget_peak(self) {
        fs::write(format!("/proc/{}/clear_refs", self.0), "5").unwrap();
    }

    /// Processor time of the threads that answer requests.
    pub fn ticks_of_workers(self) -> Ticks {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0)).unwrap();
        threads
            .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("stat")).ok())
            .filter(|stat| stat.contains("(actix-rt|"))
            .map(|stat| {
                // After the name in parentheses: state, then numbers; the 12th and 13th are user and system time.
                let (_, fields) = stat.rsplit_once(") ").unwrap();
                let times = fields.split(' ').skip(11).take(2);
                times
                    .map(|ticks| ticks.parse::<Ticks>().unwrap())
                    .sum::<Ticks>()
            })
            .sum()
    }
}
