//! The stream of a session that belongs to no request (2025-03-26 to 2025-11-25, "Listening for Messages from the Server").
//!
//! Some servers send what they ask during a request on this stream and not on the one that answers it, and wait for the
//! answer for ever: Python SDK 1 all of it, TypeScript SDK 1 some. What they send while it is not open is lost. So it is
//! opened before a request that may come to that, for as long as the request lasts. Nothing that can be seen from
//! outside tells these servers from others; a server that has no such stream is asked for it only now and then.

use std::time::Duration;

use actix_rt::time::timeout;
use awc::http::StatusCode;

use crate::config::servers::Listen;
use crate::mcp::client::conversation::Standalone;
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::Kind;
use crate::mcp::protocol::id::Id;

/// How long the head of the stream is waited for. Where there is one, it is sent at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a server that has none is not asked again.
const KNOWN: Duration = Duration::from_secs(600);

impl Client<'_> {
    /// Whether there may be such a stream: in a session, and unless it is known or said that there is none.
    pub(crate) fn may_have_standalone_stream(&self) -> bool {
        let in_session = matches!(self.session.kind, Kind::Caller(_) | Kind::Opened(_));
        in_session
            && self.server.listen == Listen::Auto
            && !self.server.state.had_no_stream_within(KNOWN)
    }

    /// Opens it, if the server has one.
    pub(crate) async fn standalone_stream(&self, id: &Id) -> Standalone {
        let headers = self.session.headers();
        let listening = self
            .pool
            .transport
            .listen(self.server, &headers, id.clone());
        match timeout(PATIENCE, Box::pin(listening)).await {
            Ok(Ok((_, Some(events)))) => Standalone::Open(events),
            // 409: TypeScript and Python SDKs, to everybody but the first.
            Ok(Ok((status, None))) if status == StatusCode::CONFLICT || is_passing(status) => {
                Standalone::Taken
            }
            Ok(Ok((_, None))) | Err(_) => Standalone::Absent,
            Ok(Err(error)) => {
                log::debug!(server = self.server.name; "no stream beside the request's: {error}");
                Standalone::Taken
            }
        }
    }

    /// Notes that it has none. Only to be said once a request went well without: a refusal may be about the session.
    pub(crate) fn remember_no_standalone_stream(&self) {
        self.server.state.set_no_stream();
    }
}

/// Whether another attempt may fare better.
fn is_passing(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || (status.is_server_error() && status.as_u16() != 501)
}
