//! Finding out which era a server speaks, remembering it, and noticing that the memory is wrong.

use crate::config::servers::{Protocol, Transport};
use crate::mcp::client::{Client, Operation, Session};
use crate::mcp::protocol::era;
use crate::mcp::protocol::era::{Discovered, Era};
use crate::mcp::protocol::error::{Error, Stage};

impl Client<'_> {
    /// The era to use: pinned, shown by the caller's session, remembered, or asked for.
    pub(crate) async fn era(&mut self) -> Result<Era, Error> {
        if let Some(era) = self.era {
            return Ok(era);
        }
        if self.server.transport == Transport::Sse {
            return Ok(Era::HttpSse);
        }
        match (self.server.protocol, self.remembered(), &self.session) {
            (Protocol::Modern, ..) => Ok(Era::Modern),
            (_, Some(Era::HttpSse), _) => Ok(Era::HttpSse),
            (Protocol::Legacy(_), remembered, _) => Ok(remembered.unwrap_or(Era::LEGACY)),
            (Protocol::Auto, Some(era), Session::None) => Ok(era),
            (Protocol::Auto, None, Session::None) => self.detect().await,
            // There are no sessions: the caller's id means nothing.
            (Protocol::Auto, Some(Era::Modern), _) => Ok(Era::Modern),
            (Protocol::Auto, ..) => Ok(Era::LEGACY),
        }
    }

    /// Asks the server, with a request that runs nothing.
    pub(crate) async fn detect(&mut self) -> Result<Era, Error> {
        self.clock.enter(Stage::Preparing);
        let mut found = self.discover().await?;
        if found == Discovered::AskAgain {
            found = self.discover().await?;
        }
        self.detected = true;
        let era = match (found, self.remembered()) {
            (Discovered::Modern, _) => Era::Modern,
            (Discovered::NoMessages, _) => Era::Legacy {
                wants_session: Some(true),
            },
            // This does not ask for sessions.
            (_, Some(legacy @ Era::Legacy { .. })) => legacy,
            (Discovered::Legacy | Discovered::AskAgain, _) => Era::LEGACY,
        };
        self.remember(era);
        Ok(era)
    }

    pub(crate) async fn discover(&mut self) -> Result<Discovered, Error> {
        match self.send_modern(&Operation::ping(), &[]).await {
            Ok(result) => {
                let found = era::judge_discovered(&result);
                self.discovered = (found == Discovered::Modern).then_some(result);
                Ok(found)
            }
            Err(error) => era::judge_refused_discover(&error).ok_or(error),
        }
    }

    /// The era the server speaks after all, if `error` shows, or makes it likely enough to ask, that `era` is wrong.
    pub(crate) async fn other_era(&mut self, era: Era, error: &Error) -> Option<Era> {
        if self.server.protocol != Protocol::Auto || self.era == Some(Era::HttpSse) {
            return None;
        }
        let is_modern = era == Era::Modern;
        let other = match era::supported_versions(error) {
            Some(named) if is_modern && !named.modern && named.legacy => Some(Era::LEGACY),
            Some(named) if !is_modern && named.modern => Some(Era::Modern),
            Some(_) => None,
            None => {
                let doubtful = if is_modern {
                    era::looks_legacy(error)
                } else {
                    era::looks_modern(error)
                };
                if !doubtful || self.detected {
                    return None;
                }
                let stage = self.clock.stage;
                let found = self.detect().await;
                self.clock.enter(stage);
                found
                    .ok()
                    .filter(|found| (*found == Era::Modern) != is_modern)
            }
        }?;
        self.remember(other);
        Some(other)
    }

    pub(crate) fn remembered(&self) -> Option<Era> {
        self.pool.shared.eras.get(&self.server.identity)
    }

    pub(crate) fn remember(&self, era: Era) {
        if self.remembered() != Some(era) {
            self.pool.shared.eras.put(self.server.identity, era);
        }
    }
}
