//! The MCP client: one per request, made of a few borrows and dropped with the answer.
//!
//! It finds out which era the server speaks, opens a session where one is wanted, sends the operation once, and says
//! what came of it. Below it, `eras` finds out the era, `modern` and `legacy` make a request in each, `conversation` is what
//! a legacy request may need to come to its answer, and `tools` knows what is particular to tools. Bytes on the wire are
//! `transport`'s; what an answer says of eras and sessions is `era`'s.

mod clock;
mod conversation;
mod eras;
mod handshake;
mod http_sse;
mod legacy;
mod modern;
mod names;
mod operation;
mod standalone;
mod tools;

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_rt::time::{sleep, timeout};
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::json::Members;
use crate::mcp::client::clock::Clock;
use crate::mcp::client::http_sse::Channel;
use crate::mcp::client::operation::Operation;

use crate::config::servers::{ByIdentity, Identity, Protocol, Server, Servers};
use crate::mcp::gate::Gate;
pub use crate::mcp::gate::Queue;
use crate::mcp::http::transport::{Post, Transport, pause_before};
use crate::mcp::limits::Budget;
use crate::mcp::memory::Memory;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Executed, Failure, Stage};
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::lists::{Freshness, Listing};
use crate::mcp::protocol::message;
use crate::mcp::protocol::message::{Id, Params};
use crate::mcp::sessions::{Abandoned, Opened, Sessions};
use crate::mcp::stream::notifications::Watch;
use crate::mcp::tools_cache::Tools;

/// What the clients of all workers have in common. Nothing that is remembered is needed to serve a call right, only to
/// serve it with fewer requests.
#[derive(Debug)]
pub struct Shared {
    eras: Memory<Era>,
    tools: Memory<Arc<Tools>>,
    /// Since when a server is known to have no stream but those that answer requests.
    without_stream: Memory<Instant>,
    gates: ByIdentity<Gate>,
    sessions: Sessions,
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
    /// Whatever else the caller wants sent.
    pub others: Option<&'a Members<'a>>,
}

/// A prompt to be filled in, as the caller gave it.
#[derive(Debug, Clone, Copy)]
pub struct PromptCall<'a> {
    /// The prompt.
    pub name: &'a str,
    /// Its arguments, an object.
    pub arguments: &'a RawValue,
}

/// Any request, as the caller gave it.
#[derive(Debug, Clone, Copy)]
pub struct AnyCall<'a> {
    /// The method.
    pub method: &'a str,
    /// Its parameters, but `_meta`.
    pub params: &'a Members<'a>,
    /// What it asks for by name, if it does: `params.name`, `params.uri` or the like.
    pub name: Option<&'a str>,
    /// The caller's `_meta`, an object.
    pub meta: Option<&'a RawValue>,
}

impl Wishes {
    /// Nothing but an answer by then.
    pub fn within(deadline: Instant) -> Self {
        Self {
            session: None,
            init: Init::Auto,
            close: false,
            deadline,
        }
    }
}

impl<'a> ToolCall<'a> {
    /// One with nothing but arguments.
    pub fn of(name: &'a str, arguments: &'a RawValue) -> Self {
        Self {
            name,
            arguments,
            meta: None,
            input_responses: None,
            request_state: None,
            others: None,
        }
    }
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
    /// The request that a legacy server may be at work on. A modern one notices that the connection is closed.
    running: Option<Id>,
    /// The caller gets an error for an answer.
    failed: bool,
    /// Who wants to know what the server tells before it answers.
    watch: Option<Watch>,
    clock: Clock,
}

/// A session that is the caller's, or will be once it is told so; until then, dropping it ends it.
#[derive(Debug)]
pub enum Kept {
    /// It was the caller's before.
    Callers(SessionId),
    /// It was opened for the caller.
    Opened(Opened),
}

#[derive(Debug)]
enum Session {
    None,
    Callers(SessionId),
    Opened(Opened),
    /// The stream of the HTTP+SSE transport.
    Channel(Channel),
}

// === impl Pool ===

impl Shared {
    /// Nothing known yet.
    pub fn new(servers: &Servers, queue: Queue, sessions: Sessions) -> Self {
        let gate = |server: &Arc<Server>| (server.identity, Gate::new(server.in_flight, queue));
        Self {
            eras: Memory::new(),
            tools: Memory::new(),
            without_stream: Memory::new(),
            gates: servers.iter().map(gate).collect(),
            sessions,
        }
    }

    fn remember(&self, server: Identity, tools: Tools) -> Arc<Tools> {
        let (bytes, tools) = (tools.bytes(), Arc::new(tools));
        self.tools.put_large(server, Arc::clone(&tools), bytes);
        tools
    }
}

impl Pool {
    /// The pool of one worker.
    pub fn new(transport: Transport, shared: Arc<Shared>) -> Self {
        Self { transport, shared }
    }

    /// What bodies share.
    pub fn budget(&self) -> &Budget {
        self.transport.budget()
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
            running: None,
            failed: false,
            watch: None,
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
            client.era = Some(era);
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

    /// A list: one page, as it is.
    pub async fn list(&mut self, listing: Listing, cursor: Option<&str>) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let page = client.request(&Operation::list(listing, cursor)).await?;
            client.listable(listing, page).await
        })
        .await
    }

    /// A list, every page of it: as one.
    pub async fn list_all(&mut self, listing: Listing) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let pages = client.every_page(listing).await?;
            if listing == Listing::Tools {
                client.learn(&pages).await?;
            }
            let joined = client.join(listing, pages).await?;
            client.listable(listing, joined).await
        })
        .await
    }

    /// The definition of one tool, and what the server says of keeping it.
    pub async fn find_tool(&mut self, name: &str) -> Result<(Bytes, Freshness), Failure> {
        self.bounded(async |client| {
            let pages = client.every_page(Listing::Tools).await?;
            client.definition(name, pages).await
        })
        .await
    }

    /// What is known of the server's tools, asked for if it is not known or not fresh.
    pub async fn tools(&mut self) -> Result<Arc<Tools>, Failure> {
        if let Some(tools) = self.known_tools() {
            return Ok(tools);
        }
        match self.ask_for_tools().await {
            Err(failure) if failure.error.rpc_code() == Some(-32601) => {
                Ok(self.store(Tools::unlistable()))
            }
            outcome => outcome,
        }
    }

    /// That the tools there are do not include one of this name: nothing was sent.
    pub async fn no_such_tool(tools: Arc<Tools>, name: &str) -> Failure {
        Failure {
            error: Error::ToolNotFound {
                did_you_mean: tools::close_names(tools, name).await,
                said: None,
            },
            stage: Stage::Preparing,
            executed: Executed::No,
            idempotent: false,
        }
    }

    /// The server's tools as they are now.
    pub async fn ask_for_tools(&mut self) -> Result<Arc<Tools>, Failure> {
        self.bounded(async |client| {
            let pages = client.every_page(Listing::Tools).await?;
            client.learn(&pages).await
        })
        .await
    }

    /// `resources/read`.
    pub async fn read_resource(&mut self, uri: &str) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let outcome = client.request(&Operation::read(uri)).await;
            match outcome {
                Ok(result) => client.completed(result),
                Err(error) => Err(client.unless_no_resource(uri, error).await),
            }
        })
        .await
    }

    /// `prompts/get`.
    pub async fn get_prompt(&mut self, call: &PromptCall<'_>) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let outcome = client.request(&Operation::prompt(call)).await;
            match outcome {
                Ok(result) => client.completed(result),
                Err(error) => Err(client.unless_no_prompt(call.name, error).await),
            }
        })
        .await
    }

    /// `completion/complete`, with these parameters.
    pub async fn complete(&mut self, params: &Members<'_>) -> Result<Bytes, Failure> {
        self.bounded(async |client| {
            let operation = Operation::others("completion/complete", params);
            let result = client.request(&operation).await?;
            client.completed(result)
        })
        .await
    }

    /// Any request but a tool call: the result as it is, be it complete or not.
    pub async fn any(&mut self, call: &AnyCall<'_>) -> Result<Bytes, Failure> {
        self.bounded(async |client| client.request(&Operation::any(call)).await)
            .await
    }

    /// From now on, `watch` is told what the server tells before it answers.
    pub fn watched_by(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// `tools/call`: once, but for a tool that may run twice if that is configured.
    pub async fn call_tool(&mut self, call: &ToolCall<'_>) -> Result<ToolResult, Failure> {
        self.bounded(async |client| {
            let mut retries = 0;
            loop {
                let outcome = client.request(&Operation::call(call)).await;
                let error = match client.judge(call.name, outcome).await {
                    Err(error) if retries < client.server.retries => error,
                    judged => return judged,
                };
                if !client.may_call_again(call.name, &error).await {
                    return Err(error);
                }
                retries += 1;
                sleep(pause_before(retries)).await;
            }
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

    /// HTTP DELETE of the caller's session. Every answer that means it is gone, or that it will go by itself, is fine. It
    /// needs no place among the calls in flight: a server that has too much to do gets less by it.
    pub async fn end_session(&mut self) -> Result<(), Failure> {
        self.in_time(async |client| {
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
        self.keep().and_then(Kept::hand_out)
    }

    /// The server's answer is of no use to the caller, who gets an error.
    pub fn give_up(mut self) {
        self.failed = true;
    }

    /// The same as `finish` for who cannot tell the caller at once.
    pub fn keep(mut self) -> Option<Kept> {
        let session = match std::mem::replace(&mut self.session, Session::None) {
            Session::Opened(opened) if self.init == Init::Always && !self.close => {
                return Some(Kept::Opened(opened));
            }
            Session::Callers(session) => session,
            Session::Opened(_) | Session::Channel(_) | Session::None => return None,
        };
        if self.era == Some(Era::Modern) {
            return None;
        }
        if self.close {
            self.end(session);
            return None;
        }
        Some(Kept::Callers(session))
    }

    fn end(&self, session: SessionId) {
        let sessions = &self.pool.shared.sessions;
        sessions.end(Arc::clone(self.server), session);
    }

    /// The moment up to which the request may take.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The time before the operation, and the time of the operation itself.
    pub fn timing(&mut self) -> (Duration, Duration) {
        self.clock.enter(self.clock.stage);
        (self.clock.preparing, self.clock.operation)
    }
}

// === impl Client: one operation ===

impl Client<'_> {
    /// Runs an operation at a place among those in flight and within the deadline.
    async fn bounded<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let gate = self.pool.shared.gates.get(&self.server.identity);
        let _place = match gate {
            Some(gate) => match gate.enter(self.deadline).await {
                Ok(place) => Some(place),
                Err(error) => return Err(self.failure(error)),
            },
            None => None,
        };
        self.in_time(operation).await
    }

    /// Runs an operation within the deadline, and says of a failure how far it had come.
    async fn in_time<T>(
        &mut self,
        operation: impl AsyncFnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match timeout(left, operation(self)).await {
            Ok(outcome) => outcome.map_err(|error| self.failure(error)),
            Err(_) => Err(self.failure(Error::Deadline)),
        }
    }

    fn failure(&mut self, error: Error) -> Failure {
        self.failed = true;
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
            Some(Era::Modern) => {
                // A server of both eras may have carried it out. What it says of that is nothing about sessions.
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

    /// Who is to be told of what happens before `operation` is answered, by the token that it carries.
    fn watch_over(&self, operation: &Operation<'_>) -> Option<Watch> {
        let watch = self.watch.as_ref().filter(|_| operation.may_ask)?;
        let callers = operation.meta.and_then(|meta| {
            let members = Members::of(meta.get()).ok()?;
            members.get("progressToken")
        });
        Some(match callers {
            Some(token) => watch.with_token(token.get()),
            None => watch.clone(),
        })
    }

    async fn request_in(&mut self, era: Era, operation: &Operation<'_>) -> Result<Bytes, Error> {
        self.era = Some(era);
        match era {
            Era::Modern => self.modern(operation).await,
            Era::Legacy { wants_session } => self.legacy(operation, wants_session).await,
            Era::HttpSse => self.over_http_sse(operation).await,
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
        watch: Option<&Watch>,
    ) -> Result<Bytes, Error> {
        let id = Id::random();
        let post = Post {
            server: self.server,
            target: &self.server.url,
            headers,
            body: self.written(&id, method, params)?,
            id: Some(&id),
        };
        self.pool.transport.post(post).await?.outcome(watch).await
    }
}

impl Client<'_> {
    /// A request as it is sent.
    fn written(&self, id: &Id, method: &str, params: &Params<'_>) -> Result<Bytes, Error> {
        let body =
            message::encode(Some(id), method, params).map_err(|error| Error::unwritable(&error))?;
        let budget = self.pool.transport.budget();
        let no_room = |_| Error::NoRoom { sent: false };
        budget.keep(body.into()).map_err(no_room)
    }
}

// === impl Client: leaving ===

impl Client<'_> {
    /// Tells a legacy server that nobody waits for the request it may be at work on.
    fn cancel(&mut self) {
        let Some(id) = self.running.take() else {
            return;
        };
        let server = Arc::clone(self.server);
        let headers = self.legacy_headers();
        let sessions = &self.pool.shared.sessions;
        sessions.cancel(server, Abandoned { id, headers });
    }
}

impl Drop for Client<'_> {
    /// Whatever the reason: an answer, an error, a deadline, a caller that went away, or the end of the process.
    fn drop(&mut self) {
        let running = self.running.take();
        let abandoned = running.map(|id| Abandoned {
            id,
            headers: self.legacy_headers(),
        });
        let session = std::mem::replace(&mut self.session, Session::None);
        if let Some(abandoned) = abandoned {
            let server = Arc::clone(self.server);
            match session {
                Session::Opened(opened) => return opened.abandon(abandoned),
                Session::Channel(channel) => {
                    let transport = self.pool.transport.clone();
                    return channel.abandon(transport, server, &abandoned.id);
                }
                Session::Callers(_) | Session::None => {
                    self.pool.shared.sessions.cancel(server, abandoned);
                }
            }
        }
        // After an error as after any other answer; a caller who has gone keeps its session.
        if let Session::Callers(session) = session
            && self.failed
            && self.close
            && self.era != Some(Era::Modern)
        {
            self.end(session);
        }
    }
}

// === impl Kept ===

impl Kept {
    /// Its id.
    pub fn id(&self) -> Option<&SessionId> {
        match self {
            Self::Callers(session) => Some(session),
            Self::Opened(opened) => opened.id(),
        }
    }

    /// The caller has been told: from now on it is the caller's.
    pub fn hand_out(self) -> Option<SessionId> {
        match self {
            Self::Callers(session) => Some(session),
            Self::Opened(opened) => opened.hand_out(),
        }
    }
}
