//! Requests to a legacy server (2025-03-26 to 2025-11-25): in the caller's session, without one, or after a handshake.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use super::{Client, Init, Operation, Session, refused, result_of, unwritable};
use crate::mcp::closer::Opened;
use crate::mcp::era::{self, Era};
use crate::mcp::error::{Error, Refusal, Stage};
use crate::mcp::header;
use crate::mcp::message::{self, Id, Meta, Params};
use crate::mcp::transport::Post;
use crate::servers::Protocol;

/// How long an `initialize` whose caller has gone is still waited for, to end the session it opens.
const GRACE: Duration = Duration::from_secs(10);

impl Client<'_> {
    /// One request to a legacy server: in the session there is, or without one, or after a handshake, whichever the
    /// server and the caller want.
    pub(super) async fn legacy(
        &mut self,
        operation: &Operation<'_>,
        wants_session: bool,
    ) -> Result<Bytes, Error> {
        if let Session::Callers(_) = self.session {
            return match self.send_legacy(operation).await {
                Err(error) if era::lost_session(&error, operation.method) => {
                    Err(Error::SessionExpired(Refusal::of(error)))
                }
                outcome => outcome,
            };
        }
        if self.version.is_some() {
            return self.send_legacy(operation).await;
        }
        let handshake_first = match self.init {
            Init::Always => true,
            Init::Auto => wants_session,
            Init::Never => false,
        };
        if !handshake_first {
            match self.send_legacy(operation).await {
                Err(error) if era::wants_session(&error, operation.method) => {
                    if self.init == Init::Never {
                        return Err(Error::SessionRequired(Refusal::of(error)));
                    }
                }
                outcome => return outcome,
            }
        }
        self.handshake().await?;
        self.remember(Era::Legacy {
            wants_session: matches!(self.session, Session::Opened(_))
                && (wants_session || !handshake_first),
        });
        self.send_legacy(operation).await
    }

    async fn send_legacy(&mut self, operation: &Operation<'_>) -> Result<Bytes, Error> {
        self.clock.enter(Stage::Operation);
        let params = Params {
            meta: operation.meta.map(|callers| Meta {
                callers: Some(callers),
                modern: false,
            }),
            ..operation.params
        };
        let headers = self.legacy_headers();
        self.exchange(operation.method, &params, &headers).await
    }

    fn legacy_headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let session = match &self.session {
            Session::None => None,
            Session::Callers(session) => Some(session),
            Session::Opened(opened) => opened.id(),
        };
        let mut headers = Vec::with_capacity(2);
        headers.extend(session.map(|session| (header::SESSION_ID, session.header())));
        headers.extend(
            self.version
                .map(|version| (header::PROTOCOL_VERSION, HeaderValue::from_static(version))),
        );
        headers
    }

    /// `initialize` and `notifications/initialized`, both waited for: old servers break on a request in between.
    pub(super) async fn handshake(&mut self) -> Result<Bytes, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct InitializeResult {
            protocol_version: String,
        }
        self.clock.enter(Stage::Handshake);
        self.era = self
            .era
            .filter(|era| *era != Era::Modern)
            .or(Some(Era::LEGACY));
        let (opened, result) = self.open().await?;
        self.session = opened.map_or(Session::None, Session::Opened);
        let settled: InitializeResult = serde_json::from_slice(&result)?;
        let version = era::legacy_version(&settled.protocol_version)
            .ok_or_else(|| Error::Malformed("the server settled on an unknown revision".into()))?;
        self.version = Some(version);
        let reply = self
            .pool
            .transport
            .post(&Post {
                server: self.server,
                headers: &self.legacy_headers(),
                body: message::encode(None, "notifications/initialized", &Params::default())
                    .map_err(|error| unwritable(&error))?
                    .into(),
                id: None,
            })
            .await?;
        if !reply.status.is_success() {
            return Err(refused(reply));
        }
        Ok(result)
    }

    /// `initialize`. It must not be cancelled, and the session it opens must not be lost: it runs on even if this
    /// request is dropped, and then ends what it has opened.
    async fn open(&self) -> Result<(Option<Opened>, Bytes), Error> {
        let offered = match self.server.protocol {
            Protocol::Legacy(version) => version,
            Protocol::Auto | Protocol::Modern => era::LEGACY,
        };
        let id = Id::random();
        let body = message::encode(Some(&id), "initialize", &Params::initialize(offered))
            .map_err(|error| unwritable(&error))?;
        let transport = self.pool.transport.clone();
        let server = Arc::clone(self.server);
        let closer = self.pool.shared.closer.clone();
        let left = self.deadline.saturating_duration_since(Instant::now());
        let exchange = async move {
            let mut reply = transport
                .post(&Post {
                    server: &server,
                    headers: &[],
                    body: body.into(),
                    id: Some(&id),
                })
                .await?;
            // Python SDKs put a fresh id that leads nowhere on their refusals: only a success counts.
            let session = reply.session.take();
            let result = result_of(reply)?;
            let opened = session.map(|id| Opened::new(server, id, closer));
            Ok((opened, result))
        };
        actix_rt::spawn(timeout(left + GRACE, exchange))
            .await
            .map_err(|error| Error::Internal(error.to_string()))?
            .unwrap_or(Err(Error::Deadline))
    }
}
