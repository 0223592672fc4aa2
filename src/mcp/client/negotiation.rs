//! Negotiation: the era of a server, cached until a refusal shows that it is wrong, and the version that a handshake settles on.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::servers::{Protocol, Transport};
use crate::mcp::client::http_sse::Channel;
use crate::mcp::client::operation::Operation;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::Kind;
use crate::mcp::protocol::era::{Discovered, Era};
use crate::mcp::protocol::error::{Error, Executed, Stage};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::protocol::request::{self, Params};
use crate::mcp::protocol::versions;

/// How long an `initialize` is still waited for after the deadline, to end the session that it opens.
const HANDSHAKE_GRACE: Duration = Duration::from_secs(10);

// === the era ===

impl Client<'_> {
    /// Sends an operation in the server's era. It is sent a second time only after a refusal that shows that the era was wrong.
    pub(super) async fn request(&mut self, operation: &Operation<'_>) -> Result<Bytes, Error> {
        let era = self.era().await?;
        let outcome = self.request_in(era, operation).await;
        let Err(error) = outcome else {
            return outcome;
        };
        match self.other_era(era, &error).await {
            Some(Era::Modern) => {
                // A server of both eras may have run it. Its error is then not about sessions.
                let said = error.not_of_sessions();
                if said.executed() != Executed::No {
                    return Err(said);
                }
                self.request_in(Era::Modern, operation).await
            }
            Some(era) => self.request_in(era, operation).await,
            None => Err(error),
        }
    }

    async fn request_in(&mut self, era: Era, operation: &Operation<'_>) -> Result<Bytes, Error> {
        self.session.era = Some(era);
        match era {
            Era::Modern => self.modern(operation).await,
            Era::Legacy { wants_session } => self.legacy(operation, wants_session).await,
            Era::HttpSse => self.over_http_sse(operation).await,
        }
    }

    /// The era to use: pinned, shown by the caller's session, cached, or detected.
    pub(crate) async fn era(&mut self) -> Result<Era, Error> {
        if let Some(era) = self.session.era {
            return Ok(era);
        }
        if self.server.transport == Transport::Sse {
            return Ok(Era::HttpSse);
        }
        match (
            self.server.protocol,
            self.server.state.era(),
            &self.session.kind,
        ) {
            (Protocol::Modern, ..) => Ok(Era::Modern),
            (_, Some(Era::HttpSse), _) => Ok(Era::HttpSse),
            (Protocol::Legacy(_), cached, _) => Ok(cached.unwrap_or(Era::LEGACY)),
            (Protocol::Auto, Some(era), Kind::None) => Ok(era),
            (Protocol::Auto, None, Kind::None) => self.detect().await,
            // There are no sessions: the caller's id has no meaning.
            (Protocol::Auto, Some(Era::Modern), _) => Ok(Era::Modern),
            (Protocol::Auto, ..) => Ok(Era::LEGACY),
        }
    }

    /// Detects the era, with a request that runs nothing.
    pub(crate) async fn detect(&mut self) -> Result<Era, Error> {
        self.clock.enter(Stage::Preparing);
        let mut found = self.discover().await?;
        if found == Discovered::AskAgain {
            found = self.discover().await?;
        }
        self.detected = true;
        let era = match (found, self.server.state.era()) {
            (Discovered::Modern, _) => Era::Modern,
            (Discovered::NoPost, _) => Era::Legacy {
                wants_session: Some(true),
            },
            // Detection shows nothing about sessions.
            (_, Some(legacy @ Era::Legacy { .. })) => legacy,
            (Discovered::Legacy | Discovered::AskAgain, _) => Era::LEGACY,
        };
        self.server.state.set_era(era);
        Ok(era)
    }

    pub(crate) async fn discover(&mut self) -> Result<Discovered, Error> {
        match self.send_modern(&Operation::ping(), &[]).await {
            Ok(result) => {
                let found = Discovered::of_result(&result);
                self.discovered = (found == Discovered::Modern).then_some(result);
                Ok(found)
            }
            Err(error) => refusal::of_discover(&error).ok_or(error),
        }
    }

    /// The server's actual era, if `error` shows that `era` is wrong, or makes that likely and detection confirms it.
    pub(crate) async fn other_era(&mut self, era: Era, error: &Error) -> Option<Era> {
        if self.server.protocol != Protocol::Auto || self.session.era == Some(Era::HttpSse) {
            return None;
        }
        let is_modern = era == Era::Modern;
        let meaning = if is_modern {
            refusal::of_modern(error)
        } else {
            refusal::of_legacy(error)
        };
        let other = match meaning {
            Meaning::OtherEra if is_modern => Some(Era::LEGACY),
            Meaning::OtherEra => Some(Era::Modern),
            Meaning::MayBeOtherEra if !self.detected => {
                let stage = self.clock.stage;
                let found = self.detect().await;
                self.clock.enter(stage);
                found
                    .ok()
                    .filter(|found| (*found == Era::Modern) != is_modern)
            }
            _ => None,
        }?;
        self.server.state.set_era(other);
        Some(other)
    }
}

// === the handshake ===

impl Client<'_> {
    /// `initialize` and `notifications/initialized`, both waited for: old servers break on a request in between.
    pub(crate) async fn handshake(&mut self) -> Result<Bytes, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct InitializeResult {
            protocol_version: String,
        }
        self.clock.enter(Stage::Handshake);
        let result = self.initialize_in_era().await?;
        let settled: InitializeResult = serde_json::from_slice(&result)?;
        let version = versions::legacy_version(&settled.protocol_version)
            .ok_or_else(|| Error::Malformed("the server settled on an unknown revision".into()))?;
        self.session.version = Some(version);
        let initialized = request::encode(None, "notifications/initialized", &Params::default())
            .map_err(|error| Error::unwritable(&error))?;
        self.conversation().send(initialized.into()).await?;
        Ok(result)
    }

    /// `initialize` over Streamable HTTP; over HTTP+SSE where that is cached, or where the refusal is one that servers of
    /// HTTP+SSE send.
    async fn initialize_in_era(&mut self) -> Result<Bytes, Error> {
        if self.session.era == Some(Era::HttpSse) {
            if let Some(result) = self.initialize_over_http_sse().await? {
                return Ok(result);
            }
            // The server may have been updated since.
            self.server.state.forget_era();
            return Err(Error::NoReply);
        }
        let offered = self.offered();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let sessions = &self.pool.sessions;
        let opening = sessions.open(self.server.clone(), offered, left + HANDSHAKE_GRACE);
        let error = match opening.await {
            Ok((opened, result)) => {
                self.session.kind = opened.map_or(Kind::None, Kind::Opened);
                let era = self.session.era.filter(|era| *era != Era::Modern);
                self.session.era = era.or(Some(Era::LEGACY));
                return Ok(result);
            }
            Err(error) => error,
        };
        if refusal::of_initialize(&error) != Meaning::MayBeHttpSse {
            return Err(error);
        }
        match self.initialize_over_http_sse().await {
            Ok(Some(result)) => {
                self.session.era = Some(Era::HttpSse);
                Ok(result)
            }
            Ok(None) | Err(_) => Err(error),
        }
    }

    /// Opens the stream and initializes on it; `None` if the server has no such stream.
    async fn initialize_over_http_sse(&mut self) -> Result<Option<Bytes>, Error> {
        let opening = Channel::open(&self.pool.transport, self.server);
        let Some(channel) = Box::pin(opening).await? else {
            return Ok(None);
        };
        self.session.kind = Kind::Stream(channel);
        let id = Id::random();
        let body = request::encode(Some(&id), "initialize", &Params::initialize(self.offered()))
            .map_err(|error| Error::unwritable(&error))?;
        let conversation = self.conversation();
        let Kind::Stream(channel) = &mut self.session.kind else {
            return Ok(None);
        };
        channel
            .request(&conversation, &id, body.into())
            .await
            .map(Some)
    }

    fn offered(&self) -> &'static str {
        match self.server.protocol {
            Protocol::Legacy(version) => version,
            Protocol::Auto | Protocol::Modern => versions::LEGACY,
        }
    }
}
