//! What can be asked of a server, one method each; `tools/call` is in `retry`. How a request is sent is in `negotiation`, `modern` and `legacy`.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::servers::Protocol;
use crate::json::Members;
use crate::mcp::client::operation::{AnyCall, Operation, PromptCall};
use crate::mcp::client::pool::Client;
use crate::mcp::client::session_guard::Kind;
use crate::mcp::protocol::era::Era;
use crate::mcp::protocol::error::{Error, Failure, Stage};
use crate::mcp::protocol::lists::{Freshness, Listing};
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::stream::notifications::Watch;
use crate::mcp::tools::Tools;

impl Client<'_> {
    /// `initialize`, or `server/discover` where there is no handshake: the result.
    pub async fn initialize(&mut self) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let mut era = client.era().await?;
            client.session.era = Some(era);
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
            client.session.era = Some(Era::Modern);
            client.discovered.take().ok_or(Error::NoReply)
        })
        .await
    }

    /// One page of a list, as it is.
    pub async fn list(&mut self, listing: Listing, cursor: Option<&str>) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let page = client.request(&Operation::list(listing, cursor)).await?;
            client.checked_page(listing, page).await
        })
        .await
    }

    /// All pages of a list, as one page.
    pub async fn list_all(&mut self, listing: Listing) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let pages = client.all_pages(listing).await?;
            if listing == Listing::Tools {
                client.cache_tools(&pages).await?;
            }
            let joined = client.join(listing, pages).await?;
            client.checked_page(listing, joined).await
        })
        .await
    }

    /// The definition of one tool, and how long it may be cached.
    pub async fn find_tool(&mut self, name: &str) -> Result<(Bytes, Freshness), Failure> {
        self.with_permit(async |client| {
            let pages = client.all_pages(Listing::Tools).await?;
            client.definition(name, pages).await
        })
        .await
    }

    /// The server's tools: cached ones if they are fresh.
    pub async fn tools(&mut self) -> Result<Arc<Tools>, Failure> {
        if let Some(tools) = self.cached_tools() {
            return Ok(tools);
        }
        match self.list_tools().await {
            Err(failure) if refusal::of_request(&failure.error) == Meaning::NotSupported => {
                Ok(self.server.state.tools.put(Tools::unlistable()))
            }
            outcome => outcome,
        }
    }

    /// The server's tools as they are now, which are cached.
    pub async fn list_tools(&mut self) -> Result<Arc<Tools>, Failure> {
        self.with_permit(async |client| {
            let pages = client.all_pages(Listing::Tools).await?;
            client.cache_tools(&pages).await
        })
        .await
    }

    /// `resources/read`.
    pub async fn read_resource(&mut self, uri: &str) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let outcome = client.request(&Operation::read(uri)).await;
            match outcome {
                Ok(result) => client.completed(result),
                Err(error) => Err(client.resource_error(uri, error).await),
            }
        })
        .await
    }

    /// `prompts/get`.
    pub async fn get_prompt(&mut self, call: &PromptCall<'_>) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let outcome = client.request(&Operation::prompt(call)).await;
            match outcome {
                Ok(result) => client.completed(result),
                Err(error) => Err(client.prompt_error(call.name, error).await),
            }
        })
        .await
    }

    /// `completion/complete`, with these parameters.
    pub async fn complete(&mut self, params: &Members<'_>) -> Result<Bytes, Failure> {
        self.with_permit(async |client| {
            let operation = Operation::others("completion/complete", params);
            let result = client.request(&operation).await?;
            client.completed(result)
        })
        .await
    }

    /// Any request but a tool call: the result as it is, complete or not.
    pub async fn any(&mut self, call: &AnyCall<'_>) -> Result<Bytes, Failure> {
        self.with_permit(async |client| client.request(&Operation::any(call)).await)
            .await
    }

    /// Sends notifications before the reply to `watch`.
    pub fn notify(&mut self, watch: Watch) {
        self.watch = Some(watch);
    }

    /// One round trip: `ping`, or `server/discover` where there is none.
    pub async fn ping(&mut self) -> Result<(), Failure> {
        self.with_permit(async |client| client.request(&Operation::ping()).await.map(drop))
            .await
    }

    /// HTTP DELETE of the caller's session. It succeeds with every status that means that the session is gone or will expire. It
    /// needs no permit: it takes load off a server that is at its limit.
    pub async fn end_session(&mut self) -> Result<(), Failure> {
        self.with_deadline(async |client| {
            let Kind::Caller(session) = std::mem::take(&mut client.session.kind) else {
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
            refusal::of_session_end(status).map_or(Ok(()), Err)
        })
        .await
    }
}
