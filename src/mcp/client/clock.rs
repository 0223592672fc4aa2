//! Where the time of a request went, and how far it has come.

use std::time::{Duration, Instant};

use crate::mcp::protocol::error::Stage;

/// Where the time of a request went.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) stage: Stage,
    since: Instant,
    pub(crate) preparing: Duration,
    pub(crate) operation: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            stage: Stage::Preparing,
            since: Instant::now(),
            preparing: Duration::ZERO,
            operation: Duration::ZERO,
        }
    }

    /// Goes on to `stage`; the time since the last step is the last stage's.
    pub(crate) fn enter(&mut self, stage: Stage) {
        let now = Instant::now();
        let spent = now.duration_since(self.since);
        match self.stage {
            Stage::Operation => self.operation += spent,
            Stage::Preparing | Stage::Handshake => self.preparing += spent,
        }
        self.stage = stage;
        self.since = now;
    }
}
