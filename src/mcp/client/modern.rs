//! Requests to a modern server (2026-07-28): each is stateless, with its version, method and target in headers and `params._meta`.

use std::sync::Arc;
use std::time::Instant;

use actix_rt::time::timeout;
use awc::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;

use crate::mcp::client::lists::off_worker;
use crate::mcp::client::operation::Operation;
use crate::mcp::client::pool::Client;
use crate::mcp::http::transport::Post;
use crate::mcp::protocol::error::{Error, Stage};
use crate::mcp::protocol::header::{self, encode_value};
use crate::mcp::protocol::id::Id;
use crate::mcp::protocol::refusal::{self, Meaning};
use crate::mcp::protocol::request::{Meta, Params};
use crate::mcp::protocol::versions;
use crate::mcp::stream::notifications::Watch;
use crate::mcp::tools::Tools;

impl Client<'_> {
    /// One request to a modern server; a tool call with its annotated arguments mirrored into headers. It is sent once more with
    /// a fresh tool list if the server refuses the headers (-32020).
    pub(crate) async fn modern(&mut self, operation: &Operation<'_>) -> Result<Bytes, Error> {
        let mirrored = self.mirrored(operation).await?.unwrap_or_default();
        self.clock.enter(Stage::Operation);
        let outcome = self.send_modern(operation, &mirrored).await;
        match &outcome {
            Err(error)
                if refusal::of_modern(error) == Meaning::HeaderMismatch
                    && operation.params.name.is_some() => {}
            _ => return outcome,
        }
        self.server.state.tools.forget();
        let mirrored = self.mirrored(operation).await;
        self.clock.enter(Stage::Operation);
        match mirrored? {
            Some(mirrored) => self.send_modern(operation, &mirrored).await,
            None => outcome,
        }
    }

    /// Sends a request with the headers and the `_meta` of 2026-07-28. It is sent once more if the server refuses the very
    /// version that it says it supports.
    pub(crate) async fn send_modern(
        &mut self,
        operation: &Operation<'_>,
        mirrored: &[(HeaderName, HeaderValue)],
    ) -> Result<Bytes, Error> {
        let mut headers = Vec::with_capacity(3 + mirrored.len());
        headers.push((
            header::PROTOCOL_VERSION,
            HeaderValue::from_static(versions::MODERN),
        ));
        headers.push((header::METHOD, operation.method_header()?));
        if let Some(name) = operation.name {
            headers.push((header::NAME, encode_value(name)));
        }
        headers.extend_from_slice(mirrored);
        let watch = self.watch_for(operation);
        let params = Params {
            meta: Some(Meta {
                callers: operation.meta,
                modern: true,
                progress_token: watch.as_ref().map(Watch::token),
            }),
            ..operation.params
        };
        let method = operation.modern_method;
        let outcome = self
            .exchange(method, &params, &headers, watch.as_ref())
            .await;
        match &outcome {
            Err(error) if refusal::of_modern(error) == Meaning::AskAgain => {
                self.exchange(method, &params, &headers, watch.as_ref())
                    .await
            }
            _ => outcome,
        }
    }

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
            body: self.encoded(&id, method, params)?,
            id: Some(&id),
        };
        self.pool.transport.post(post).await?.outcome(watch).await
    }

    /// The tool list, within half of the time that is left: the call itself needs the other half.
    async fn fetch_tools_in_time(&mut self) -> Result<Arc<Tools>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let fetching = timeout(left / 2, Box::pin(self.fetch_tools()));
        fetching.await.unwrap_or(Err(Error::Deadline))
    }

    /// The `Mcp-Param-*` headers of a tool call. They depend on the tool's schema, so that the list is fetched where it is not
    /// cached. `None` if that fails: most tools need no headers, and a server refuses a call that lacks some.
    async fn mirrored(
        &mut self,
        operation: &Operation<'_>,
    ) -> Result<Option<Vec<(HeaderName, HeaderValue)>>, Error> {
        let (Some(name), Some(arguments)) = (operation.params.name, operation.params.arguments)
        else {
            return Ok(Some(Vec::new()));
        };
        if operation.method != "tools/call" {
            return Ok(Some(Vec::new()));
        }
        let tools = match self.cached_tools() {
            Some(tools) => tools,
            None => match self.fetch_tools_in_time().await {
                Ok(tools) => tools,
                // The call would fail too.
                Err(error @ Error::Unreachable(_)) => return Err(error),
                Err(error)
                    if matches!(
                        refusal::of_modern(&error),
                        Meaning::AskAgain | Meaning::OtherEra | Meaning::NoCommonVersion
                    ) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    log::debug!(server = self.server.name; "a call is sent without the headers of its tool: {error}");
                    return Ok(None);
                }
            },
        };
        match tools.get(name) {
            Some(tool) if !tool.is_usable() => Err(Error::ToolNotFound {
                did_you_mean: vec![],
                refusal: None,
            }),
            Some(tool) if tool.mirrors_any() => {
                let (tools, name) = (Arc::clone(&tools), name.to_owned());
                let arguments = arguments.to_owned();
                let bytes = arguments.get().len();
                let headers = move || {
                    let tool = tools.get(&name);
                    tool.map_or_else(Vec::new, |tool| tool.headers(&arguments))
                };
                off_worker(bytes, headers).await.map(Some)
            }
            _ => Ok(Some(Vec::new())),
        }
    }
}
