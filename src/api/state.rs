//! What the handlers of one worker share. Nothing of one request is here.

use std::sync::Arc;

use bytes::Bytes;

use crate::api::tool_docs::common::Common;
use crate::config::settings::Settings;
use crate::mcp::client::pool::Pool;
use crate::mcp::server_state::Upstreams;
use crate::schema::validate::Validators;
use crate::shutdown::Shutdown;

/// What the handlers of one worker share.
pub(crate) struct State {
    /// How this process runs.
    pub settings: Arc<Settings>,
    /// Which servers there are.
    pub servers: Arc<Upstreams>,
    /// The way to them.
    pub pool: Pool,
    /// Our own OpenAPI document, as it is served.
    pub openapi: Bytes,
    /// What documents of tools share with it.
    pub common: Arc<Common>,
    /// Schemas that arguments are held against. All workers have the same.
    pub validators: Arc<Validators>,
    /// How far this process is on its way out.
    pub shutdown: Arc<Shutdown>,
}
