//! Fan-out: the tool lists of several servers, requested in parallel. A server that fails is named, and delays the others by a few
//! seconds at most.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::code::Code;
use crate::api::error::kinds::{About, Error, Task};
use crate::api::request::context::Context;
use crate::mcp::client::options::CallOptions;
use crate::mcp::protocol::error::{Cap, Error as Cause, Failure};
use crate::mcp::server_state::Upstream;
use crate::mcp::tools::{MOST_TOOLS, Tools};

/// The deadline of each server, unless the caller's or its own is lower.
const DEADLINE: Duration = Duration::from_secs(10);

/// The tool lists of servers, in the order of the configuration.
pub(crate) struct FanOut<'a> {
    /// Servers that listed their tools.
    pub(crate) listed: Vec<(&'a Upstream, Arc<Tools>)>,
    /// Servers that did not.
    pub(crate) failed: Vec<FailedServer>,
}

/// A server that did not list its tools.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedServer {
    /// Its name.
    server: String,
    /// The status that its own tool list would have.
    status: u16,
    code: Code,
    /// What happened, for people.
    detail: String,
}

impl FailedServer {
    /// The server's name.
    pub(crate) fn name(&self) -> &str {
        &self.server
    }
}

impl<'a> FanOut<'a> {
    /// The size of all definitions in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let lists = self.listed.iter();
        lists.map(|(_, tools)| tools.definition_bytes()).sum()
    }

    /// All lists together within the limits of one list. Servers beyond them count as failed.
    pub(crate) fn within_one_list(self, context: &Context<'_>) -> Self {
        let mut fan_out = Self {
            listed: Vec::new(),
            failed: self.failed,
        };
        let mut bytes = context.state.settings.limits.list_bytes;
        let mut count = MOST_TOOLS;
        for (server, tools) in self.listed {
            let left = bytes.checked_sub(tools.definition_bytes());
            match left.zip(count.checked_sub(tools.len())) {
                Some(left) => {
                    (bytes, count) = left;
                    fan_out.listed.push((server, tools));
                }
                None => fan_out.fail(
                    context,
                    server,
                    Failure::of_list(Cause::TooLarge(Cap::ListBytes)),
                ),
            }
        }
        fan_out
    }

    fn fail(&mut self, context: &Context<'_>, server: &'a Upstream, failure: Failure) {
        let error = Error::upstream(Task::ListTools, failure);
        let about = About {
            server: Some(&server.name),
            ..context.about()
        };
        let summary = error.summary(about);
        self.failed.push(FailedServer {
            server: server.name.clone(),
            status: summary.code.status().as_u16(),
            code: summary.code,
            detail: summary.detail,
        });
    }
}

/// Requests the tool lists of servers. Unless `fresh`, cached lists are used.
pub(crate) async fn tools<'a>(
    context: &Context<'a>,
    servers: impl Iterator<Item = &'a Upstream>,
    timeout: Option<Duration>,
    fresh: bool,
) -> FanOut<'a> {
    let asked = servers.map(async |server| {
        let own = server.timeout.unwrap_or(context.state.settings.timeout);
        let most = timeout.unwrap_or(DEADLINE).min(own);
        let options = CallOptions::within(context.started + most);
        let mut client = context.state.pool.client(server, options);
        let listed = if fresh {
            client.list_tools().await
        } else {
            client.tools().await
        };
        (server, listed)
    });
    let mut fan_out = FanOut {
        listed: Vec::new(),
        failed: Vec::new(),
    };
    for (server, listed) in join_all(asked).await {
        match listed {
            Ok(tools) => fan_out.listed.push((server, tools)),
            Err(failure) => fan_out.fail(context, server, failure),
        }
    }
    fan_out
}
