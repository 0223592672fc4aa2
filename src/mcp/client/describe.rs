//! What a server says of itself, asked once in a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::client::pool::Pool;
use crate::mcp::protocol::server_info::ServerInfo;
use crate::mcp::server_state::Upstream;

/// How long an answer is used without asking again.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a server is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

impl Pool {
    /// What `server` says of itself, as cached, or by `initialize` or `server/discover`; what it said before if it does not answer, and
    /// `None` if it never did. A session that it opens is ended.
    pub async fn describe(&self, server: &Upstream, deadline: Instant) -> Option<Arc<ServerInfo>> {
        let known = server.state.info();
        if let Some((since, info)) = &known
            && since.elapsed() < LIFETIME
        {
            return Some(Arc::clone(info));
        }
        let options = CallOptions {
            init: Init::Always,
            ..CallOptions::within(deadline.min(Instant::now() + PATIENCE))
        };
        let mut client = self.client(server, options);
        let Ok(result) = client.initialize().await else {
            client.fail();
            return known.map(|(_, info)| info);
        };
        // Dropping the guard ends the session.
        let has_sessions = client.guard_session().is_some();
        let info = Arc::new(ServerInfo::of(&result, has_sessions));
        server.state.set_info(Arc::clone(&info));
        Some(info)
    }
}
