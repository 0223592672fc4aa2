//! `POST /api/call-tools`: the tool calls of a model, made side by side and answered as the messages to append. A call that fails is answered
//! by a sentence that the model can act on, and fails no other.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use futures::FutureExt;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::fan_out;
use crate::api::invoke::{Invocation, invoke};
use crate::api::models::calls::{self, Call, MOST_ELEMENTS, Unreadable};
use crate::api::models::content::Content;
use crate::api::models::failure::sentence;
use crate::api::models::{answer, names};
use crate::api::offloaded;
use crate::api::openapi::problems::{BodyProblems, FanOutProblems};
use crate::api::request::context::Context;
use crate::api::request::encoding::no_room;
use crate::api::request::parameters::{Deadline, ModelApi, OfModel};
use crate::api::request::{body, options};
use crate::api::side_by_side::{Shared, null};
use crate::config::servers::ToolErrors;
use crate::mcp::client::operation::{ToolCall, ToolResult};
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{NoRoom, Reservation, SMALL};
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
    let (calls, copies) = read(context, api, asked).await?;
    let targets = targets(context, &calls, asked).await?;
    let shared = Rc::new(Calls {
        api,
        shared: Shared::of(context, asked),
        _copies: copies,
    });
    let around = answer::around(api, calls.len());
    let calls = calls.into_iter().zip(targets);
    let calls = calls.map(|(call, target)| Rc::clone(&shared).run(call, target));
    Ok(shared.shared.response(calls, around))
}

/// The calls in the body, and a reservation for their arguments, which are copies.
async fn read(
    context: &mut Context<'_>,
    api: ModelApi,
    asked: Option<Duration>,
) -> Result<(Vec<Call>, Reservation), Error> {
    let body = body::read(context).await?;
    let limits = context.state.settings.limits;
    let mut copies = context.state.pool.budget().reservation();
    let bytes = body.len();
    if bytes > SMALL {
        copies.resize(bytes).map_err(no_room)?;
    }
    let work = move || {
        // An empty or broken body is told as everywhere else.
        let json: &RawValue =
            serde_json::from_slice(&body).map_err(|error| body::not_json(&error))?;
        let calls = calls::read(api, json, limits.batch, limits.depth);
        let calls = calls.map_err(|why| unreadable(api, &why, limits.batch))?;
        Ok((calls, copies))
    };
    offloaded::if_large(bytes, deadline(context, asked), work).await?
}

fn unreadable(api: ModelApi, why: &Unreadable, most: usize) -> Error {
    Error::invalid(match why {
        Unreadable::Shape => {
            let expected = calls::expected(api);
            format!("The body is no response of this API: it must be {expected}")
        }
        Unreadable::Member(name) => {
            format!(
                "A tool call in the body has no '{name}', or one that is too long or not a text"
            )
        }
        Unreadable::TooMany => format!("The body holds more than {most} tool calls (limits.batch)"),
        Unreadable::TooLong => format!(
            "A list in the body has more than {MOST_ELEMENTS} elements, which is the most that is read"
        ),
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
    /// The room of all arguments together.
    _copies: Reservation,
}

impl Calls {
    /// Makes one call and writes its answer.
    async fn run(self: Rc<Self>, call: Call, target: Target) -> Pieces {
        let call = Arc::new(call);
        let answered = AssertUnwindSafe(self.answered(&call, &target)).catch_unwind();
        let answered = answered.await.unwrap_or(Err(Error::Internal));
        answered.unwrap_or_else(|error| self.failed(&call, &target, &error))
    }

    /// The answer with the tool's result.
    async fn answered(&self, call: &Arc<Call>, target: &Target) -> Result<Pieces, Error> {
        let (server, tool) = match target {
            Target::Tool { server, tool } => (server, tool),
            Target::Unknown(sentence) => return Ok(self.told(call, sentence.clone())),
        };
        let arguments = match &call.arguments {
            Ok(arguments) => arguments,
            Err(sentence) => return Ok(self.told(call, sentence.clone())),
        };
        let result = self.call(server, tool, arguments).await?;
        let api = self.api;
        let written = {
            let (call, bytes) = (Arc::clone(call), result.bytes.clone());
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
