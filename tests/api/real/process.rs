//! A real server as a process of its own; `tests/real/README.md` says how they behave.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::FOLDER;

/// A running server; killed when dropped. One that outlives the test run ends with its standard input.
pub struct Process {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
}

impl Process {
    /// Starts a script of [`FOLDER`] and waits until it listens.
    pub fn start(interpreter: &str, script: &str, flags: &str) -> Self {
        let mut child = Command::new(interpreter)
            .arg(script)
            .args(flags.split_whitespace())
            .current_dir(FOLDER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{interpreter}: {error}"));

        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(address) = listening_address(&line) else {
            child.kill().ok();
            panic!("{interpreter} {script} {flags} does not listen: run it in {FOLDER} to see why");
        };
        Self { address, child }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let url = line.trim_end().strip_prefix("listening http://")?;
    url.split_once('/')?.0.parse().ok()
}
