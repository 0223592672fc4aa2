//! `POST /api/call-tools`: the tool calls of a model, made side by side and answered as the messages to append. A call that fails is answered
//! by a sentence that the model can act on, and fails no other.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use bytes::Bytes;
use futures::FutureExt;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::fan_out;
use crate::api::invoke::{Invocation, invoke};
use crate::api::models::calls::{self, Call, Unreadable};
use crate::api::models::content::Content;
use crate::api::models::failure::sentence;
use crate::api::models::{answer, names};
use crate::api::offloaded;
use crate::api::openapi::problems::{BodyProblems, FanOutProblems};
use crate::api::request::context::Context;
use crate::api::request::parameters::{Deadline, ModelApi, OfModel};
use crate::api::request::{body, options};
use crate::api::side_by_side::{Shared, null};
use crate::config::servers::ToolErrors;
use crate::json::{empty_object, nests_deeper_than};
use crate::mcp::client::operation::{ToolCall, ToolResult};
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::NoRoom;
use crate::mcp::protocol::error::Executed;
use crate::mcp::similar::similar;
use crate::mcp::tools::Tools;
use crate::offload;

/// Unknown names of one request for which similar ones are looked for.
const MOST_SUGGESTED: usize = 4;

/// What is to be appended to the conversation.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "it documents a body that is written piece by piece"
)]
pub(crate) struct ModelMessages {
    /// Messages, or input items, of that API; none if there were no calls.
    #[schema(value_type = Vec<Object>)]
    messages: Vec<serde_json::Value>,
}

/// Call the tools that a model wants
///
/// The calls run in parallel, within one deadline. The response is 200 with the messages to append, also where calls fail: the content says
/// so, in words for the model.
#[utoipa::path(
    post,
    path = "/api/call-tools",
    operation_id = "callTools",
    tag = "tools",
    params(OfModel, Deadline),
    request_body(
        content = serde_json::Value,
        description = "What the API gave: its whole response, the message in it, a list of tool calls, or one call. By `format`: \
            `choices`, `tool_calls` (openai); `output` (openai-responses); `content` (anthropic); `candidates`, `parts` (gemini); \
            `message`, `tool_calls` (ollama)"
    ),
    responses(
        (status = 200, description = "The messages, in the order of the calls", body = ModelMessages),
        FanOutProblems,
        BodyProblems,
    ),
)]
pub(crate) async fn call_tools(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let Some(api) = OfModel::of(&context.query)?.format else {
        return Err(ModelApi::missing("format"));
    };
    let asked = options::asked_timeout(context, None)?;
    let body = body::read(context).await?;
    // An empty or broken body is told as everywhere else.
    serde_json::from_slice::<&RawValue>(&body).map_err(|error| body::not_json(&error))?;
    let most = context.state.settings.limits.batch;
    let calls = calls::read(api, &body, most).map_err(|why| unreadable(&why, most))?;
    let targets = targets(context, &calls, asked).await?;
    let shared = Rc::new(Calls {
        api,
        shared: Shared::of(context, asked),
    });
    let around = answer::around(api, calls.len());
    let calls = calls.into_iter().zip(targets);
    let calls = calls.map(|(call, target)| Rc::clone(&shared).run(call, target));
    Ok(shared.shared.response(calls, around))
}

fn unreadable(why: &Unreadable, most: usize) -> Error {
    Error::invalid(match why {
        Unreadable::Shape(expected) => {
            format!("The body is no response of this API: it must be {expected}")
        }
        Unreadable::Member(name) => {
            format!(
                "A tool call in the body has no '{name}', or one that is too long or not a text"
            )
        }
        Unreadable::TooMany => format!("The body holds more than {most} tool calls (limits.batch)"),
    })
}

// === which tool ===

/// The tool that a call names.
enum Target {
    Tool {
        server: String,
        tool: String,
    },
    /// None; a sentence says so.
    Unknown(String),
}

/// The tools that the calls name. Servers are asked for their lists, which are mostly cached, if a name does not say by itself which it is.
async fn targets(
    context: &Context<'_>,
    calls: &[Call],
    asked: Option<Duration>,
) -> Result<Vec<Target>, Error> {
    let named = |call: &Call| {
        let (server, tool) = names::parts(&call.name)?;
        let server = context.state.servers.get(server)?;
        Some((server.name.clone(), tool.to_owned()))
    };
    let direct: Vec<_> = calls.iter().map(named).collect();
    if direct.iter().all(Option::is_some) {
        let direct = direct.into_iter().flatten();
        return Ok(direct
            .map(|(server, tool)| Target::Tool { server, tool })
            .collect());
    }
    let servers = context.state.servers.iter();
    let fan_out = fan_out::tools(context, servers, asked, false).await;
    let fan_out = fan_out.within_one_list(context);
    let failed: Vec<String> = fan_out
        .failed
        .iter()
        .map(|it| it.name().to_owned())
        .collect();
    let bytes = fan_out.bytes();
    let lists = fan_out.listed.into_iter();
    let lists: Vec<_> = lists
        .map(|(server, tools)| (server.name.clone(), tools))
        .collect();
    let open = calls
        .iter()
        .zip(&direct)
        .filter(|(_, direct)| direct.is_none());
    let open: Vec<String> = open.map(|(call, _)| call.name.clone()).collect();
    let deadline = deadline(context, asked);
    let found = offloaded::if_large(bytes, deadline, move || find(&lists, &open, &failed)).await?;
    let mut found = found.into_iter();
    let targets = direct.into_iter().map(|direct| match direct {
        Some((server, tool)) => Target::Tool { server, tool },
        None => found
            .next()
            .unwrap_or_else(|| Target::Unknown(String::new())),
    });
    Ok(targets.collect())
}

fn deadline(context: &Context<'_>, asked: Option<Duration>) -> Instant {
    let most = context.state.settings.timeout;
    context.started + asked.map_or(most, |asked| asked.min(most))
}

/// The tools with these names, among all there are.
fn find(lists: &[(String, Arc<Tools>)], wanted: &[String], failed: &[String]) -> Vec<Target> {
    let mut all: HashMap<String, (&str, &str)> = HashMap::new();
    for (server, tools) in lists {
        for (tool, _) in tools.iter() {
            all.insert(names::name(server, tool), (server, tool));
        }
    }
    let mut suggested = 0;
    let target = |name: &String| {
        if let Some((server, tool)) = all.get(name) {
            let (server, tool) = ((*server).to_owned(), (*tool).to_owned());
            return Target::Tool { server, tool };
        }
        suggested += 1;
        // A model may leave out the server.
        let with_server = all.iter().filter(|(_, (_, tool))| *tool == name);
        let with_server = with_server.map(|(whole, _)| whole.clone());
        let mut alike: Vec<String> = with_server.take(MOST_SUGGESTED).collect();
        alike.sort();
        if alike.is_empty() && suggested <= MOST_SUGGESTED {
            alike = similar(all.keys().map(String::as_str), name);
        }
        Target::Unknown(unknown(name, &alike, failed))
    };
    wanted.iter().map(target).collect()
}

fn unknown(name: &str, alike: &[String], failed: &[String]) -> String {
    let alike = match alike {
        [] => String::new(),
        names => format!(" Did you mean {}?", names.join(", ")),
    };
    let failed = match failed {
        [] => String::new(),
        names => format!(
            " These servers did not list their tools: {}.",
            names.join(", ")
        ),
    };
    format!("There is no tool '{name}'.{alike}{failed}")
}

// === one call ===

/// What the calls have in common, for tasks that outlive the handler.
struct Calls {
    api: ModelApi,
    shared: Rc<Shared>,
}

impl Calls {
    /// Makes one call and writes its answer.
    async fn run(self: Rc<Self>, call: Call, target: Target) -> Pieces {
        let answered = AssertUnwindSafe(self.answered(&call, &target)).catch_unwind();
        let answered = answered.await.unwrap_or(Err(Error::Internal));
        answered.unwrap_or_else(|error| self.failed(&call, &target, &error))
    }

    /// The answer with the tool's result.
    async fn answered(&self, call: &Call, target: &Target) -> Result<Pieces, Error> {
        let (server, tool) = match target {
            Target::Tool { server, tool } => (server, tool),
            Target::Unknown(sentence) => return Ok(self.told(call, sentence.clone())),
        };
        let arguments = match self.arguments(&call.arguments) {
            Ok(arguments) => arguments,
            Err(sentence) => return Ok(self.told(call, sentence)),
        };
        let result = self.call(server, tool, arguments).await?;
        let api = self.api;
        let written = {
            let (call, bytes) = (call.clone(), result.bytes.clone());
            // A result is not withheld once the tool has run, so this may take longer than the deadline.
            offload::run(bytes.len(), move || {
                let content = Content::of(&bytes, result.is_error, answer::takes(api));
                serde_json::to_vec(&answer::of(api, &call, &content))
            })
        };
        let Some(Ok(written)) = written.await else {
            return Err(Error::Internal);
        };
        self.shared.take(written.len(), Executed::Yes)?;
        let kept = self.shared.state.pool.budget().keep(written.into());
        kept.map(Pieces::of)
            .map_err(|NoRoom| Error::NoRoom(Executed::Yes))
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: &RawValue,
    ) -> Result<ToolResult, Error> {
        let state = &self.shared.state;
        let server = state.server(server)?;
        let invocation = Invocation {
            state,
            server,
            options: self.shared.options(server),
            tool_errors: ToolErrors::Result,
            watch: None,
        };
        let invoked = invoke(invocation, &ToolCall::of(tool, arguments)).await;
        let (result, _) = invoked.release()?;
        Ok(result)
    }

    /// The arguments, an object; or what is wrong with them. None are `{}`.
    fn arguments<'b>(&self, written: &'b Bytes) -> Result<&'b RawValue, String> {
        if written.trim_ascii().is_empty() {
            return Ok(empty_object());
        }
        let depth = self.shared.state.settings.limits.depth;
        if nests_deeper_than(written, depth) {
            return Err(format!("The arguments nest deeper than {depth} levels."));
        }
        let json: &RawValue = serde_json::from_slice(written).map_err(|error| {
            format!(
                "The arguments are not valid JSON: see line {}, column {}. Call the tool again with a JSON object.",
                error.line(),
                error.column()
            )
        })?;
        if json.get().starts_with('{') {
            return Ok(json);
        }
        Err("The arguments must be a JSON object. Call the tool again with one.".to_owned())
    }

    /// The answer of a call that failed.
    fn failed(&self, call: &Call, target: &Target, error: &Error) -> Pieces {
        let (server, tool) = match target {
            Target::Tool { server, tool } => (Some(server.as_str()), Some(tool.as_str())),
            Target::Unknown(_) => (None, None),
        };
        let about = self.shared.about(server, tool);
        self.told(call, sentence(error, about, &call.name))
    }

    /// The answer with a sentence for the model.
    fn told(&self, call: &Call, sentence: String) -> Pieces {
        let answer = answer::of(self.api, call, &Content::error(sentence));
        serde_json::to_vec(&answer).map_or_else(|_| null(), |written| Pieces::of(written.into()))
    }
}
