//! All servers asked for their tools at once. One that is down is named, and keeps nobody waiting for long.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::code::Code;
use crate::api::error::kinds::{About, Error, Task};
use crate::api::request::context::Context;
use crate::config::servers::Server;
use crate::mcp::client::options::CallOptions;
use crate::mcp::protocol::error::{Cap, Error as Cause, Failure};
use crate::mcp::server_state::Upstream;
use crate::mcp::tools::{MOST_TOOLS, Tools};

/// How long a server may take, unless the caller or the server's own deadline says less.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the servers have said, in the order of the configuration.
pub(crate) struct Survey<'a> {
    /// Those that have listed their tools.
    pub(crate) found: Vec<(&'a Server, Arc<Tools>)>,
    /// Those that have not.
    pub(crate) failed: Vec<FailedServer>,
}

/// A server that did not list its tools.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailedServer {
    /// Its name.
    server: String,
    /// The status that its own list has at the moment.
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

impl<'a> Survey<'a> {
    /// Bytes of all definitions.
    pub(crate) fn bytes(&self) -> usize {
        let lists = self.found.iter();
        lists.map(|(_, tools)| tools.definition_bytes()).sum()
    }

    /// For what all lists go into: no more than one server's list may be. Servers beyond that count as failed.
    pub(crate) fn within_one_list(self, context: &Context<'_>) -> Self {
        let mut survey = Self {
            found: Vec::new(),
            failed: self.failed,
        };
        let mut bytes = context.state.settings.limits.list_bytes;
        let mut count = MOST_TOOLS;
        for (server, tools) in self.found {
            let left = bytes.checked_sub(tools.definition_bytes());
            match left.zip(count.checked_sub(tools.len())) {
                Some(left) => {
                    (bytes, count) = left;
                    survey.found.push((server, tools));
                }
                None => survey.fail(
                    context,
                    server,
                    Failure::of_list(Cause::TooLarge(Cap::ListBytes)),
                ),
            }
        }
        survey
    }

    fn fail(&mut self, context: &Context<'_>, server: &'a Server, failure: Failure) {
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

/// Asks the servers for their tools. `remembered` lists will do where `fresh` is false.
pub(crate) async fn tools<'a>(
    context: &Context<'a>,
    servers: impl Iterator<Item = &'a Upstream>,
    timeout: Option<Duration>,
    fresh: bool,
) -> Survey<'a> {
    let asked = servers.map(async |server| {
        let own = server.timeout.unwrap_or(context.state.settings.timeout);
        let most = timeout.unwrap_or(PATIENCE).min(own);
        let wishes = CallOptions::within(context.started + most);
        let mut client = context.state.pool.client(server, wishes);
        let listed = if fresh {
            client.ask_for_tools().await
        } else {
            client.tools().await
        };
        (&**server, listed)
    });
    let mut survey = Survey {
        found: Vec::new(),
        failed: Vec::new(),
    };
    for (server, listed) in join_all(asked).await {
        match listed {
            Ok(tools) => survey.found.push((server, tools)),
            Err(failure) => survey.fail(context, server, failure),
        }
    }
    survey
}
