//! Requests to a legacy server (2024-11-05 to 2025-11-25): in the caller's session, without one, or after a handshake.

use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use bytes::Bytes;

use crate::mcp::client::conversation::{Conversation, Standalone};
use crate::mcp::client::operation::Operation;
use crate::mcp::client::options::Init;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::{Kind, Session};
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Refusal, Stage};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::lists::Listing;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::protocol::request::{Meta, Params};
use crate::mcp::stream::notifications::Watch;

/// Timeout of the request that finds out whether a server has started to want sessions, while the caller's response waits.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

impl<'a> Client<'a> {
    /// One request to a legacy server: in the caller's session, without one, or after a handshake, as the server and the
    /// caller want it.
    pub(crate) async fn legacy(
        &mut self,
        operation: &Operation<'_>,
        wants_session: Option<bool>,
    ) -> Result<Bytes, Error> {
        if let Kind::Caller(_) = self.session.kind {
            let is_expired = |error: &Error| {
                refusal::in_session(error, operation.method) == Meaning::SessionExpired
            };
            return match self.send_legacy(operation).await {
                Err(error) if is_expired(&error) => Err(Error::SessionExpired(Refusal::of(error))),
                outcome => outcome,
            };
        }
        if self.session.version.is_some() {
            return self.send_legacy(operation).await;
        }
        let handshake_first = match self.init {
            Init::Always => true,
            Init::Auto => wants_session == Some(true),
            Init::Never => false,
        };
        let mut refusal = if handshake_first {
            None
        } else {
            match self.without_session(operation, wants_session).await {
                Err(error) if self.is_for_want_of_session(&error, operation, wants_session) => {
                    Some(error)
                }
                outcome => return outcome,
            }
        };
        if let Some(refusal) = refusal.take_if(|_| self.init == Init::Never) {
            return Err(Error::SessionRequired(Some(Refusal::of(refusal))));
        }
        self.handshake().await?;
        let wants_session = match self.session.kind {
            Kind::Opened(_) if refusal.is_some() => Some(true),
            Kind::Opened(_) => wants_session,
            _ => Some(false),
        };
        self.server.state.set_era(match self.session.kind {
            Kind::Stream(_) => Era::HttpSse,
            _ => Era::Legacy { wants_session },
        });
        self.send_legacy(operation).await
    }

    /// One request without a session. A result shows that the server works without sessions. Where a server that did so refuses the
    /// request, a second one, which runs nothing, finds out whether it now wants sessions.
    async fn without_session(
        &mut self,
        operation: &Operation<'_>,
        wants_session: Option<bool>,
    ) -> Result<Bytes, Error> {
        let outcome = self.send_legacy(operation).await;
        let meaning = match &outcome {
            Ok(_) if operation.method == "ping" => Meaning::Other,
            Ok(_) => Meaning::ServedWithoutSession,
            Err(error) => refusal::without_session(error, operation.method),
        };
        if wants_session != Some(false) {
            if meaning == Meaning::ServedWithoutSession {
                self.server.state.set_era(Era::Legacy {
                    wants_session: Some(false),
                });
            }
        } else if matches!(
            meaning,
            Meaning::SessionRequired | Meaning::MaySessionBeRequired
        ) {
            let list = Operation::list(Listing::Tools, None);
            let left = self.deadline.saturating_duration_since(Instant::now());
            let asking = timeout(
                PROBE_TIMEOUT.min(left / 2),
                Box::pin(self.send_legacy(&list)),
            );
            if let Ok(Err(error)) = asking.await
                && refusal::of_probe_without_session(&error) == Meaning::SessionRequired
            {
                self.server.state.set_era(Era::Legacy {
                    wants_session: Some(true),
                });
            }
        }
        outcome
    }

    /// Whether a request was refused, and not carried out, because it was sent without a session.
    fn is_for_want_of_session(
        &self,
        error: &Error,
        operation: &Operation<'_>,
        wants_session: Option<bool>,
    ) -> bool {
        let is_refusal = match refusal::without_session(error, operation.method) {
            Meaning::SessionRequired => true,
            // A handshake will show it.
            Meaning::MaySessionBeRequired => self.init == Init::Auto,
            _ => false,
        };
        // Another request may have been served without a session in the meantime.
        let serves_without = |wants_session| wants_session == Some(false);
        let is_known = matches!(self.server.state.era(), Some(Era::Legacy { wants_session }) if serves_without(wants_session));
        !serves_without(wants_session) && !is_known && is_refusal
    }

    /// One request over HTTP+SSE, after a handshake: its stream belongs to this request alone.
    pub(crate) async fn over_http_sse(
        &mut self,
        operation: &Operation<'_>,
    ) -> Result<Bytes, Error> {
        if self.init == Init::Never {
            return Err(Error::SessionRequired(None));
        }
        if !matches!(self.session.kind, Kind::Stream(_)) {
            self.handshake().await?;
        }
        self.send_legacy(operation).await
    }

    async fn send_legacy(&mut self, operation: &Operation<'_>) -> Result<Bytes, Error> {
        let watch = self.watch_for(operation);
        let params = Params {
            meta: (operation.meta.is_some() || watch.is_some()).then_some(Meta {
                callers: operation.meta,
                modern: false,
                progress_token: watch.as_ref().map(Watch::token),
            }),
            ..operation.params
        };
        let id = Id::random();
        let body = self.encoded(&id, operation.method, &params)?;
        if !(operation.may_ask && self.may_have_standalone_stream()) {
            return self.converse(id, body, Standalone::Absent, watch).await;
        }
        self.clock.enter(Stage::Preparing);
        let standalone = self.standalone_stream(&id).await;
        let has_none = matches!(standalone, Standalone::Absent);
        let outcome = self.converse(id, body, standalone, watch).await;
        if has_none && outcome.is_ok() {
            // Only now: a refusal may be about the session.
            self.server.state.set_no_stream();
        }
        outcome
    }

    /// Sends a request and waits for its reply. Until that is there, dropping the session cancels the request.
    pub(crate) async fn converse(
        &mut self,
        id: Id,
        body: Bytes,
        standalone: Standalone,
        watch: Option<Watch>,
    ) -> Result<Bytes, Error> {
        self.clock.enter(Stage::Operation);
        let conversation = Conversation {
            watch,
            ..self.conversation()
        };
        let Session { kind, running, .. } = &mut self.session;
        let id = running.insert(id);
        let outcome = match kind {
            Kind::Stream(channel) => channel.request(&conversation, id, body).await,
            _ => conversation.request(id, body, standalone).await,
        };
        self.session.note_outcome(&outcome);
        outcome
    }

    pub(crate) fn conversation(&self) -> Conversation<'a> {
        Conversation {
            transport: &self.pool.transport,
            server: self.server,
            target: self.session.target(),
            headers: self.session.headers(),
            watch: None,
        }
    }
}
