//! `--check --connect`: asks every configured server once, and says for each what it is or why it does not answer.

use std::io;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;

use crate::api::error::kinds::{About, Error, Task};
use crate::config::settings::Settings;
use crate::config::start::Start;
use crate::mcp::client::options::{CallOptions, Init};
use crate::mcp::client::pool::Pool;
use crate::mcp::concurrency_limit::Queue;
use crate::mcp::http::connections::Way;
use crate::mcp::http::transport::Transport;
use crate::mcp::limits::Budget;
use crate::mcp::protocol::error::{Allowed, Failure, SetBy};
use crate::mcp::protocol::versions;
use crate::mcp::server_state::{Upstream, Upstreams};
use crate::mcp::sessions::{self, SessionTask};

/// Servers that are asked at the same time.
const SIDE_BY_SIDE: usize = 16;
/// The longest that one server is waited for: a check that takes minutes is of no use.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the ends of sessions may take.
const ENDING: Duration = Duration::from_secs(5);
/// Characters that are shown of what a server says of itself.
const SHOWN: usize = 60;

/// Asks every server.
pub struct Connect {
    pool: Pool,
    servers: Upstreams,
    settings: Settings,
    session_task: SessionTask,
}

/// What came of asking one server: a line for people.
pub struct Asked {
    /// Whether it answers as it should.
    pub is_up: bool,
    /// One line, without its end.
    pub line: String,
}

impl Connect {
    /// Must be called on an actix runtime.
    pub fn new(start: &Start) -> io::Result<Self> {
        let settings = start.settings.clone();
        let way = Way::of(&start.outbound).map_err(io::Error::other)?;
        let budget = Budget::new(settings.limits.buffered_bytes);
        let transport = || Transport::new(way.clone(), settings.limits, budget.clone());
        let (sessions, session_task) = sessions::start(transport());
        let queue = Queue {
            length: settings.limits.queued,
            timeout: settings.queue,
        };
        Ok(Self {
            pool: Pool::new(transport(), sessions),
            servers: Upstreams::new(&start.servers, queue),
            settings,
            session_task,
        })
    }

    /// Asks the servers side by side; what comes of it, in file order.
    pub fn ask(&self) -> impl Stream<Item = Asked> {
        stream::iter(self.servers.iter())
            .map(|server| self.ask_one(server))
            .buffered(SIDE_BY_SIDE)
    }

    /// Ends the sessions that were opened.
    pub async fn finish(self) {
        drop(self.pool);
        self.session_task.finish(Instant::now() + ENDING).await;
    }

    async fn ask_one(&self, server: &Upstream) -> Asked {
        let name = &server.name;
        match self.describe(server).await {
            Ok(description) => Asked {
                is_up: true,
                line: format!("up      {name}: {description}"),
            },
            Err((task, failure)) => {
                let about = About {
                    request_id: "",
                    server: Some(name),
                    tool: None,
                    prompt: None,
                    hint: None,
                };
                let detail = Error::upstream(task, failure).detail(about);
                Asked {
                    is_up: false,
                    line: format!("failed  {name}: {detail}"),
                }
            }
        }
    }

    /// Era, protocol version, name, version and number of tools.
    async fn describe(&self, server: &Upstream) -> Result<String, (Task, Failure)> {
        let options = self.options(server);
        let deadline = options.deadline;
        let mut client = self.pool.client(server, options);
        let result = client.initialize().await;
        let result = result.map_err(|failure| (Task::Initialize, failure))?;
        client.release_session();

        let options = CallOptions {
            init: Init::Auto,
            deadline,
            ..self.options(server)
        };
        let mut client = self.pool.client(server, options);
        let tools = client.tools().await;
        let tools = tools.map_err(|failure| (Task::ListTools, failure))?;
        client.release_session();

        let tools = match tools.len() {
            1 => "1 tool".to_owned(),
            number => format!("{number} tools"),
        };
        let Ok(said) = serde_json::from_slice::<Said>(&result) else {
            return Ok(tools);
        };
        let protocol = match &said.protocol_version {
            Some(version) => format!("legacy {}", shown(version)),
            None => format!("modern {}", versions::MODERN),
        };
        let info = said.server_info.or(said.meta.server_info);
        let info = info.map_or_else(String::new, |info| {
            format!(", '{}' {}", shown(&info.name), shown(&info.version))
        });
        Ok(format!("{protocol}{info}, {tools}"))
    }

    /// The deadline of a call, but no more than [`PATIENCE`]; the session is ended.
    fn options(&self, server: &Upstream) -> CallOptions {
        let configured = match server.timeout {
            Some(time) => (time, SetBy::Server),
            None => (self.settings.timeout, SetBy::Gateway),
        };
        let (time, by) = configured;
        CallOptions {
            init: Init::Always,
            close: true,
            allowed: (time <= PATIENCE).then_some(Allowed { time, by }),
            ..CallOptions::within(Instant::now() + time.min(PATIENCE))
        }
    }
}

/// What a server says of itself. Modern servers say who they are in `_meta`.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Said {
    protocol_version: Option<String>,
    server_info: Option<Info>,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/serverInfo")]
    server_info: Option<Info>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Info {
    name: String,
    version: String,
}

/// A server's own words, for a terminal: short, and without control characters.
fn shown(text: &str) -> String {
    let visible = text.chars().filter(|c| !c.is_control());
    visible.take(SHOWN).collect()
}
