//! What the handlers of one worker share. The state of one request is its context.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::error::kinds::Error;
use crate::api::openapi::common::Common;
use crate::config::settings::Settings;
use crate::mcp::client::pool::Pool;
use crate::mcp::server_state::{Upstream, Upstreams};
use crate::mcp::similar::similar;
use crate::schema::validate::Validators;
use crate::shutdown::Shutdown;

/// What the handlers of one worker share.
pub(crate) struct State {
    /// The settings of this process.
    pub settings: Arc<Settings>,
    /// The configured servers.
    pub servers: Arc<Upstreams>,
    /// Makes clients of servers.
    pub pool: Pool,
    /// The OpenAPI document of this service, as it is served.
    pub openapi: Bytes,
    /// Its parts that the documents of tools share.
    pub common: Arc<Common>,
    /// Compiled schemas, shared by all workers.
    pub validators: Arc<Validators>,
    /// Whether this process is shutting down.
    pub shutdown: Arc<Shutdown>,
}

// === impl State ===

impl State {
    /// The configured server of that name.
    pub(crate) fn server(&self, name: &str) -> Result<&Upstream, Error> {
        self.servers.get(name).ok_or_else(|| {
            let names = self.servers.iter().map(|server| server.name.as_str());
            Error::ServerNotFound(similar(names, name))
        })
    }
}
