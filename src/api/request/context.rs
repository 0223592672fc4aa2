//! The state of one REST request: the request itself, and what handlers note for the response and the log.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::{HttpRequest, web};

use crate::api::error::code::Code;
use crate::api::error::kinds::{About, Error};
use crate::api::request::query::{self, Query};
use crate::api::request::request_id;
use crate::api::state::State;
use crate::caller_connection::Exchange;
use crate::mcp::client::pool::Client;
use crate::mcp::server_state::Upstream;

/// One request. Fields for the log hold nothing from a header or a query, but a valid id.
pub(crate) struct Context<'a> {
    /// What the worker shares.
    pub state: &'a Rc<State>,
    /// The request without its body.
    pub request: &'a HttpRequest,
    /// The state of its connection.
    pub exchange: Exchange,
    /// The body, until it is read to its end.
    pub payload: Option<web::Payload>,
    /// `X-Request-Id`.
    pub id: String,
    /// When it arrived.
    pub started: Instant,
    /// The path of its route; empty without a route.
    pub route: &'static str,
    /// `{server}`, decoded.
    pub server_name: Option<Cow<'a, str>>,
    /// `{tool}`, decoded, or the name in a call envelope.
    pub tool: Option<Cow<'a, str>>,
    /// `{prompt}`, decoded.
    pub prompt: Option<Cow<'a, str>>,
    /// `{file}`, as it came.
    pub file: &'a str,
    /// The query, decoded.
    pub query: Query,
    /// Time spent before the upstream operation, and in it.
    pub timing: Cell<(Duration, Duration)>,
    /// The code of the problem in the response, if any.
    pub code: Option<Code>,
    /// What is probably wrong with the request, for the problem.
    pub hint: Cell<Option<&'static str>>,
}

/// The variable segments of a path, still percent-encoded.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Captures<'p> {
    /// `{server}`.
    pub server: Option<&'p str>,
    /// `{tool}`.
    pub tool: Option<&'p str>,
    /// `{prompt}`.
    pub prompt: Option<&'p str>,
    /// `{file}`.
    pub file: Option<&'p str>,
}

impl<'a> Context<'a> {
    /// A request that has just come in.
    pub(crate) fn new(
        state: &'a Rc<State>,
        request: &'a HttpRequest,
        payload: web::Payload,
    ) -> Self {
        Self {
            state,
            request,
            exchange: request.conn_data().cloned().unwrap_or_default(),
            payload: Some(payload),
            id: request_id::of(request.headers()),
            started: Instant::now(),
            route: "",
            server_name: None,
            tool: None,
            prompt: None,
            file: "",
            query: Query::default(),
            timing: Cell::default(),
            code: None,
            hint: Cell::default(),
        }
    }

    /// Decodes path and query.
    pub(crate) fn read_target(&mut self, captures: Captures<'a>) -> Result<(), Error> {
        self.server_name = captures.server.map(query::segment).transpose()?;
        self.tool = captures.tool.map(query::segment).transpose()?;
        self.prompt = captures.prompt.map(query::segment).transpose()?;
        self.file = captures.file.unwrap_or_default();
        if let Some(query) = self.request.uri().query() {
            self.query = Query::parse(query)?;
        }
        Ok(())
    }

    /// The configured server the path names.
    pub(crate) fn server(&self) -> Result<&'a Upstream, Error> {
        let name = self.server_name.as_deref().unwrap_or_default();
        self.state.server(name)
    }

    /// The tool the request is about.
    pub(crate) fn tool(&self) -> &str {
        self.tool.as_deref().unwrap_or_default()
    }

    /// The subject of a response.
    pub(crate) fn about(&self) -> About<'_> {
        About {
            request_id: &self.id,
            server: self.server_name.as_deref(),
            tool: self.tool.as_deref(),
            prompt: self.prompt.as_deref(),
            hint: self.hint.get(),
        }
    }

    /// Whether a request was sent to a server.
    pub(crate) fn has_asked(&self) -> bool {
        self.timing.get() != (Duration::ZERO, Duration::ZERO)
    }

    /// Notes where a client's time went.
    pub(crate) fn note_timing(&self, client: &mut Client<'_>) {
        self.timing.set(client.timing());
    }
}
