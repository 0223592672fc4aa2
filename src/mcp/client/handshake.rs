//! The handshake of legacy servers: `initialize` and `notifications/initialized`, over whichever transport the server has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::config::servers::Protocol;
use crate::mcp::client::http_sse::Channel;
use crate::mcp::client::{Client, Session};
use crate::mcp::protocol::era;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Stage};
use crate::mcp::protocol::message;
use crate::mcp::protocol::message::{Id, Params};

/// How long an `initialize` whose caller has gone is still waited for, to end the session it opens.
const GRACE: Duration = Duration::from_secs(10);

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
        let version = era::legacy_version(&settled.protocol_version)
            .ok_or_else(|| Error::Malformed("the server settled on an unknown revision".into()))?;
        self.version = Some(version);
        let initialized = message::encode(None, "notifications/initialized", &Params::default())
            .map_err(|error| Error::unwritable(&error))?;
        self.conversation().tell(initialized.into()).await?;
        Ok(result)
    }

    /// `initialize` over Streamable HTTP; over HTTP+SSE where the server is known to speak that, or refuses the other in
    /// the way of one that does.
    async fn initialize_in_era(&mut self) -> Result<Bytes, Error> {
        if self.era == Some(Era::HttpSse) {
            if let Some(result) = self.initialize_over_http_sse().await? {
                return Ok(result);
            }
            // It may have learnt more since.
            self.pool.shared.eras.forget(&self.server.identity);
            return Err(Error::NoAnswer);
        }
        let offered = self.offered();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let sessions = &self.pool.shared.sessions;
        let opening = sessions.open(Arc::clone(self.server), offered, left + GRACE);
        let refusal = match opening.await {
            Ok((opened, result)) => {
                self.session = opened.map_or(Session::None, Session::Opened);
                self.era = self
                    .era
                    .filter(|era| *era != Era::Modern)
                    .or(Some(Era::LEGACY));
                return Ok(result);
            }
            Err(error) => error,
        };
        if !era::may_be_http_sse(&refusal) {
            return Err(refusal);
        }
        match self.initialize_over_http_sse().await {
            Ok(Some(result)) => {
                self.era = Some(Era::HttpSse);
                Ok(result)
            }
            Ok(None) | Err(_) => Err(refusal),
        }
    }

    /// Opens the stream and initializes on it; `None` if the server has no such stream.
    async fn initialize_over_http_sse(&mut self) -> Result<Option<Bytes>, Error> {
        let opening = Channel::open(&self.pool.transport, self.server);
        let Some(channel) = Box::pin(opening).await? else {
            return Ok(None);
        };
        self.session = Session::Channel(channel);
        let id = Id::random();
        let body = message::encode(Some(&id), "initialize", &Params::initialize(self.offered()))
            .map_err(|error| Error::unwritable(&error))?;
        let conversation = self.conversation();
        let Session::Channel(channel) = &mut self.session else {
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
            Protocol::Auto | Protocol::Modern => era::LEGACY,
        }
    }
}
