//! Whether a request is preparing (negotiation, handshake, lists) or running its operation, and the time spent in each.

use std::time::{Duration, Instant};

use crate::mcp::protocol::error::Stage;

/// The stage of a request, and the time spent before the operation and on it.
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

    /// Enters `stage`; the time since the last change counts for the stage before.
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
