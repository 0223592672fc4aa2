//! The MCP client: one per request, made of a few borrows and dropped with the answer.
//!
//! It finds out which era the server speaks, opens a session where one is wanted, sends the operation once, and says
//! what came of it. Below it, `eras` finds out the era, `modern` and `legacy` make a request in each, and `tools` knows
//! what is particular to tools. Bytes on the wire are `transport`'s; what an answer says of eras and sessions is `era`'s.

mod clock;
mod eras;
mod legacy;
mod modern;
mod operation;
mod tools;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::time::timeout;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::value::RawValue;

use clock::Clock;
use operation::Operation;

use super::closer::{Closer, Opened};
use super::era::Era;
use super::error::{Error, Executed, Failure, Stage};
use super::header::SessionId;
use super::memory::Memory;
use super::message::{self, Answer, Id, Params};
use super::tools_cache::Tools;
use super::tools_list::{self, Page};
use super::transport::{Post, Reply, Transport};
use crate::servers::{Protocol, Server, Transport as Kind};

/// What the clients of all workers know together. Nothing in it is needed to serve a call right, only to serve it
/// with fewer requests.
#[derive(Debug)]
pub struct Shared {
    eras: Memory<Era>,
    tools: Memory<Arc<Tools>>,
    closer: Closer,
}

/// What the clients of one worker share: connections, and what is known of the servers.
#[derive(Clone)]
pub struct Pool {
    transport: Transport,
    shared: Arc<Shared>,
}

/// Whether a handshake goes before the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Init {
    /// Only if the server wants it; such a session is ended again.
    #[default]
    Auto,
    /// Yes, and the session is the caller's.
    Always,
    /// Never.
    Never,
}

/// How a caller wants its request to be made.
#[derive(Debug)]
pub struct Wishes {
    /// The caller's session.
    pub session: Option<SessionId>,
    /// Whether to open one.
    pub init: Init,
    /// Whether to end the session in use after the answer.
    pub close: bool,
    /// When to give up.
    pub deadline: Instant,
}

/// A call of one tool, as the caller gave it.
#[derive(Debug, Clone, Copy)]
pub struct ToolCall<'a> {
    /// The tool.
    pub name: &'a str,
    /// Its arguments, an object.
    pub arguments: &'a RawValue,
    /// The caller's `_meta`, an object.
    pub meta: Option<&'a RawValue>,
    /// Answers to an earlier `input_required`.
    pub input_responses: Option<&'a RawValue>,
    /// The state that came with it.
    pub request_state: Option<&'a RawValue>,
}

/// What a tool returned.
#[derive(Debug)]
pub struct ToolResult {
    /// The `result`, byte for byte.
    pub bytes: Bytes,
    /// `isError: true`.
    pub is_error: bool,
}

/// A client for one request.
pub struct Client<'a> {
    pool: &'a Pool,
    server: &'a Arc<Server>,
    init: Init,
    close: bool,
    deadline: Instant,
    session: Session,
    /// The revision settled on, once this client has shaken hands itself. In a session of the caller's it is unknown,
    /// and the header is left out rather than guessed (every measured server takes that).
    version: Option<&'static str>,
    /// The era the last request was made in.
    era: Option<Era>,
    /// What `server/discover` answered within this request.
    discovered: Option<Bytes>,
    /// The server was asked for its era within this request.
    detected: bool,
    clock: Clock,
}

#[derive(Debug)]
enum Session {
    None,
    Callers(SessionId),
    Opened(Opened),
}

// === impl Pool ===

impl Shared {
    /// Nothing known yet.
    pub fn new(closer: Closer) -> Self {
        Self {
            eras: Memory::new(),
            tools: Memory::new(),
            closer,
        }
    }
}

impl Pool {
    /// The pool of one worker.
    pub fn new(transport: Transport, shared: Arc<Shared>) -> Self {
        Self { transport, shared }
    }

    /// A client for one request to `server`.
    pub fn client<'a>(&'a self, server: &'a Arc<Server>, wishes: Wishes) -> Client<'a> {
        let session = match wishes.session {
            // A handshake is never made in a live session: who asks for one gets a new session.
            Some(session) if wishes.init != Init::Always => Session::Callers(session),
            _ => Session::None,
        };
        Client {
            pool: self,
            server,
            init: wishes.init,
            close: wishes.close,
            deadline: wishes.deadline,
            session,
            version: None,
            era: None,
            discovered: None,
            detected: false,
            clock: Clock::start(),
        }
    }
}

// === impl Client: what can be asked ===

impl Client<'_> {
    /// `initialize`, or `server/discover` where there is no handshake: the result.
    pub async fn initialize(&mut self) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let mut era = client.era().await?;
            if era == Era::Modern && client.discovered.is_none() {
                era = client.detect().await?;
            }
            if era != Era::Modern {
                match client.handshake().await {
                    Ok(result) => return Ok(result),
                    Err(error) => match client.other_era(era, &error).await {
                        Some(Era::Modern) => {}
                        _ => return Err(error),
                    },
                }
            }
            client.era = Some(Era::Modern);
            client.discovered.take().ok_or(Error::NoAnswer)
        })
        .await
    }

    /// `tools/list`: one page, as it is.
    pub async fn list_tools(&mut self, cursor: Option<&str>) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let page = client.request(&Operation::list(cursor)).await?;
            client.listable(page)
        })
        .await
    }

    /// `tools/list`, every page: one list.
    pub async fn list_all_tools(&mut self) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let first = client.request(&Operation::list(None)).await?;
            let pages = client.pages_from(first).await?;
            client.learn(&pages)?;
            client.listable(tools_list::joined(&pages)?)
        })
        .await
    }

    /// The definition of one tool.
    pub async fn find_tool(&mut self, name: &str) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let first = client.request(&Operation::list(None)).await?;
            let pages = client.pages_from(first).await?;
            let tools = client.learn(&pages)?;
            let listed = tools.has(name) || client.era != Some(Era::Modern);
            for page in pages.iter().filter(|_| listed) {
                if let Some(definition) = Page::read(page)?.find(name) {
                    return Ok(page.slice_ref(definition.get().as_bytes()));
                }
            }
            Err(Error::ToolNotFound {
                did_you_mean: tools.similar_to(name),
                said: None,
            })
        })
        .await
    }

    /// `tools/call`, once.
    pub async fn call_tool(&mut self, call: &ToolCall<'_>) -> Result<ToolResult, Failure> {
        self.bounded(async |client| {
            let outcome = client.request(&Operation::call(call)).await;
            client.judge(call.name, outcome).await
        })
        .await
        .map_err(|failure| Failure {
            idempotent: self.known_idempotent(call.name),
            ..failure
        })
    }

    /// One round trip: `ping`, or `server/discover` where there is none.
    pub async fn ping(&mut self) -> Result<(), Failure> {
        self.bounded(async |client| client.request(&Operation::ping()).await.map(drop))
            .await
    }

    /// HTTP DELETE of the caller's session. Every answer that means it is gone, or that it will go by itself, is fine.
    pub async fn end_session(&mut self) -> Result<(), Failure> {
        self.bounded(async |client| {
            let Session::Callers(session) = std::mem::replace(&mut client.session, Session::None)
            else {
                return Ok(());
            };
            if client.server.protocol == Protocol::Modern {
                return Ok(());
            }
            client.clock.enter(Stage::Operation);
            let status = client
                .pool
                .transport
                .delete(client.server, &session)
                .await?;
            match status.as_u16() {
                403 => Err(Error::Forbidden { challenges: vec![] }),
                429 | 503 => Err(Error::Busy {
                    status,
                    retry_after: None,
                }),
                500.. => Err(Error::Status(status)),
                _ => Ok(()),
            }
        })
        .await
    }

    /// Ends what is to be ended and says which session is the caller's now, if any.
    pub fn finish(self) -> Option<SessionId> {
        match self.session {
            Session::Opened(opened) if self.init == Init::Always && !self.close => {
                opened.hand_out()
            }
            Session::Callers(_) if self.era == Some(Era::Modern) => None,
            Session::Callers(session) if self.close => {
                self.pool
                    .shared
                    .closer
                    .end(Arc::clone(self.server), session);
                None
            }
            Session::Callers(session) => Some(session),
            Session::Opened(_) | Session::None => None,
        }
    }

    /// The time before the operation, and the time of the operation itself.
    pub fn timing(&mut self) -> (Duration, Duration) {
        self.clock.enter(self.clock.stage);
        (self.clock.preparing, self.clock.operation)
    }
}

// === impl Client: one operation ===

impl Client<'_> {
    /// Runs an operation within the deadline, and says of a failure how far it had come.
    async fn bounded<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        if self.server.transport == Kind::Sse {
            return Err(self.failure(Error::UnsupportedTransport));
        }
        let left = self.deadline.saturating_duration_since(Instant::now());
        match timeout(left, operation(self)).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure(Error::Deadline)),
        }
    }

    fn failure(&self, error: Error) -> Failure {
        let stage = self.clock.stage;
        let executed = match stage {
            Stage::Operation => error.executed(),
            Stage::Preparing | Stage::Handshake => Executed::No,
        };
        Failure {
            error,
            stage,
            executed,
            idempotent: false,
        }
    }

    /// Sends an operation in the era the server speaks. It is sent a second time only after a refusal that shows that
    /// the era was wrong.
    async fn request(&mut self, operation: &Operation<'_>) -> Result<Bytes, Error> {
        let era = self.era().await?;
        let outcome = self.request_in(era, operation).await;
        let Err(error) = outcome else {
            return outcome;
        };
        match self.other_era(era, &error).await {
            Some(era) => self.request_in(era, operation).await,
            None => Err(error),
        }
    }

    async fn request_in(&mut self, era: Era, operation: &Operation<'_>) -> Result<Bytes, Error> {
        self.era = Some(era);
        match era {
            Era::Modern => self.modern(operation).await,
            Era::Legacy { wants_session } => self.legacy(operation, wants_session).await,
        }
    }
}

// === impl Client: one exchange ===

impl Client<'_> {
    async fn exchange(
        &self,
        method: &str,
        params: &Params<'_>,
        headers: &[(HeaderName, HeaderValue)],
    ) -> Result<Bytes, Error> {
        let id = Id::random();
        let body =
            message::encode(Some(&id), method, params).map_err(|error| unwritable(&error))?;
        let reply = self
            .pool
            .transport
            .post(&Post {
                server: self.server,
                headers,
                body: body.into(),
                id: Some(&id),
            })
            .await?;
        result_of(reply)
    }
}

/// The result in a reply, or what it says instead. Some statuses speak for themselves; else the body counts before
/// the status.
fn result_of(reply: Reply) -> Result<Bytes, Error> {
    match (reply.status.as_u16(), reply.answer) {
        (401 | 403 | 429 | 503, answer) => Err(refused(Reply { answer, ..reply })),
        (_, Some(Answer::Error(error))) => Err(Error::Rpc {
            status: reply.status,
            error,
        }),
        (200..=299, Some(Answer::Result(result))) if result.starts_with(b"{") => Ok(result),
        (200..=299, Some(Answer::Result(_))) => {
            Err(Error::Malformed("a result that is no object".into()))
        }
        (200..=299, None) => Err(Error::NoAnswer),
        _ => Err(Error::Status(reply.status)),
    }
}

/// What a status says that is no success.
fn refused(reply: Reply) -> Error {
    match reply.status.as_u16() {
        401 => Error::Unauthorized {
            challenges: reply.challenges,
        },
        403 => Error::Forbidden {
            challenges: reply.challenges,
        },
        429 | 503 => Error::Busy {
            status: reply.status,
            retry_after: reply.retry_after,
        },
        _ => Error::Status(reply.status),
    }
}

fn unwritable(error: &serde_json::Error) -> Error {
    Error::Internal(format!("a request could not be written: {error}"))
}
