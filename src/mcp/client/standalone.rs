//! The stream of a session that belongs to no request (2025-03-26 to 2025-11-25, "Listening for Messages from the Server").
//!
//! Some servers send their own requests on this stream and not on the one of the request that they belong to, and wait for the reply
//! for ever: Python SDK 1 all of them, TypeScript SDK 1 some. What they send while it is not open is lost. So it is
//! opened before a request that may lead to such requests, for as long as that lasts. These servers cannot be told from others;
//! a server without such a stream is asked for it only now and then.

use std::time::Duration;

use actix_rt::time::timeout;
use awc::http::StatusCode;

use crate::config::servers::Listen;
use crate::mcp::client::conversation::Standalone;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::Kind;
use crate::mcp::protocol::id::Id;

/// Timeout of the stream's head, which is sent at once where there is a stream.
const HEAD_TIMEOUT: Duration = Duration::from_secs(1);
/// How long it stays cached that a server has none.
const CACHED: Duration = Duration::from_secs(600);

impl Client<'_> {
    /// Whether there may be such a stream: in a session, unless it is cached or configured that there is none.
    pub(crate) fn may_have_standalone_stream(&self) -> bool {
        let in_session = matches!(self.session.kind, Kind::Caller(_) | Kind::Opened(_));
        in_session
            && self.server.listen == Listen::Auto
            && !self.server.state.had_no_stream_within(CACHED)
    }

    /// Opens it, if the server has one.
    pub(crate) async fn standalone_stream(&self, id: &Id) -> Standalone {
        let headers = self.session.headers();
        let listening = self
            .pool
            .transport
            .listen(self.server, &headers, id.clone());
        match timeout(HEAD_TIMEOUT, Box::pin(listening)).await {
            Ok(Ok((_, Some(events)))) => Standalone::Open(events),
            // 409: TypeScript and Python SDKs, to every client but the first.
            Ok(Ok((status, None))) if status == StatusCode::CONFLICT || is_passing(status) => {
                Standalone::Taken
            }
            Ok(Ok((_, None))) | Err(_) => Standalone::Absent,
            Ok(Err(error)) => {
                log::debug!(server = self.server.name; "no standalone stream: {error}");
                Standalone::Taken
            }
        }
    }
}

/// Whether another attempt may succeed.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status.as_u16() != 501)
}
