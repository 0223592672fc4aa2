//! Calling a tool again whose reply was lost: where `retryIdempotent` allows it, and the tool is annotated as idempotent.
//!
//! Nothing else is sent again unless it certainly has not run, as `protocol::refusal` and `protocol::executed` tell of a reply:
//! - it did not arrive, or is redirected within the origin: `http::transport` (`send_until_it_arrives`, `send`);
//! - its refusal shows that the era was wrong, it is sent in the other era: `negotiation`;
//! - its headers were refused (-32020), or a version that the server says it supports (`AskAgain`): `modern`;
//! - it was refused for want of a session, it is sent after a handshake: `legacy`.

use actix_rt::time::sleep;

use crate::mcp::client::operation::{Operation, ToolCall, ToolResult};
use crate::mcp::client::pool::Client;
use crate::mcp::http::transport::pause_before;
use crate::mcp::protocol::error::{Error, Failure};
use crate::mcp::protocol::tool::Tool;

impl Client<'_> {
    /// `tools/call`: once, or again for an idempotent tool where that is configured.
    pub async fn call_tool(&mut self, call: &ToolCall<'_>) -> Result<ToolResult, Failure> {
        self.with_permit(async |client| {
            let mut retries = 0;
            loop {
                let outcome = client.request(&Operation::call(call)).await;
                let error = match client.tool_result(call.name, outcome).await {
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
            idempotent: self.is_known_idempotent(call.name),
            ..failure
        })
    }

    /// Whether a tool may be called again after its reply was lost: where that is configured, and the tool is annotated as idempotent.
    async fn may_call_again(&mut self, name: &str, error: &Error) -> bool {
        if !self.server.retry_idempotent || !error.is_transient() {
            return false;
        }
        self.session.cancel();
        let tools = match self.cached_tools() {
            Some(tools) => Some(tools),
            None => self.fetch_tools().await.ok(),
        };
        tools.is_some_and(|tools| tools.get(name).is_some_and(Tool::is_idempotent))
    }

    fn is_known_idempotent(&self, name: &str) -> bool {
        self.cached_tools()
            .is_some_and(|tools| tools.get(name).is_some_and(Tool::is_idempotent))
    }
}
