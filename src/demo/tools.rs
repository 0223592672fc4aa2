//! The tools of the demo server: their definitions, and what each does.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, rt};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value, json};

use crate::demo::message::{Era, Params, Refusal, Reply, from_object, is_id};

/// One orange pixel as PNG.
pub(crate) const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4n8YAAAPNAWb9kSz2AAAAAElFTkSuQmCC";

pub(crate) fn tools() -> Value {
    let hints = json!({"readOnlyHint": true, "idempotentHint": true, "openWorldHint": false});
    let nothing = json!({"type": "object", "additionalProperties": false});
    json!([
        {"name": "echo", "title": "Echo", "description": "Returns the message unchanged",
         "inputSchema": {"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
         "annotations": hints},
        {"name": "add", "title": "Add",
         "description": "Adds two numbers: 64-bit integers exactly, others in double precision",
         "inputSchema": {
             "type": "object",
             "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
             "required": ["a", "b"]},
         "outputSchema": {"type": "object", "properties": {"sum": {"type": "number"}}, "required": ["sum"]},
         "annotations": hints},
        {"name": "count_slowly", "title": "Count slowly",
         "description": "Counts from 1, waiting delayMs milliseconds before each step, and reports progress",
         "inputSchema": {
             "type": "object",
             "properties": {
                 "to": {"type": "integer", "minimum": 1, "maximum": 20, "default": 5},
                 "delayMs": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 200}}},
         "annotations": hints},
        {"name": "introduce", "title": "Introduce",
         "description": "Asks for a name and greets it, to show how a tool asks back",
         "inputSchema": nothing, "annotations": hints},
        {"name": "pixel", "title": "Pixel", "description": "Returns an image of one orange pixel",
         "inputSchema": nothing, "annotations": hints},
        {"name": "fail", "title": "Fail",
         "description": "Always fails, to show what a tool's own error looks like",
         "inputSchema": nothing, "annotations": hints},
    ])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    content: [Content<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Value>,
    is_error: bool,
}

#[derive(Serialize)]
#[serde(
    tag = "type",
    rename_all = "lowercase",
    rename_all_fields = "camelCase"
)]
enum Content<'a> {
    Text { text: Text<'a> },
    Image { data: &'a str, mime_type: &'a str },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Text<'a> {
    /// A JSON string of the request, escapes and all.
    AsSent(&'a RawValue),
    Own(String),
}

impl<'a> CallResult<'a> {
    fn new(content: Content<'a>) -> Self {
        Self {
            content: [content],
            structured_content: None,
            is_error: false,
        }
    }

    fn text(text: String) -> Self {
        let text = Text::Own(text);
        Self::new(Content::Text { text })
    }

    fn error(text: String) -> Self {
        Self {
            is_error: true,
            ..Self::text(text)
        }
    }
}

fn takes_nothing(arguments: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Nothing {}
    from_object::<Nothing>(arguments).is_ok()
}

/// Runs a tool. An unknown name is a JSON-RPC error; an error of the tool itself, invalid arguments included, is a
/// result with `isError`, so that a model reads the text and can correct itself.
pub(crate) fn call_tool(era: Era, id: &RawValue, params: &Params) -> Result<HttpResponse, Refusal> {
    let arguments = params.arguments.map_or("{}", RawValue::get);
    if !arguments.starts_with('{') {
        return Err(Refusal::InvalidParams("arguments must be an object".into()));
    }
    let outcome = match params.name.as_deref() {
        Some("introduce" | "pixel" | "fail") if !takes_nothing(arguments) => {
            Err("Invalid arguments: this tool takes none".into())
        }
        Some("echo") => echo(arguments),
        Some("add") => add(arguments),
        Some("count_slowly") => match Count::parse(arguments) {
            Ok(count) => return Ok(count_slowly(era, id, count, params.meta.progress_token)),
            Err(text) => Err(text),
        },
        Some("introduce") => return introduce(era, id, params),
        Some("pixel") => Ok(CallResult::new(Content::Image {
            data: PIXEL,
            mime_type: "image/png",
        })),
        Some("fail") => Err("This tool always fails".into()),
        Some(unknown) => return Err(Refusal::InvalidParams(format!("Unknown tool: {unknown}"))),
        None => return Err(Refusal::InvalidParams("name is missing".into())),
    };
    let result = outcome.unwrap_or_else(CallResult::error);
    Ok(HttpResponse::Ok().json(Reply::new(era, id, result)))
}

fn parse_arguments<'a, T: Deserialize<'a>>(arguments: &'a str) -> Result<T, String> {
    from_object(arguments).map_err(|error| format!("Invalid arguments: {error}"))
}

fn echo(arguments: &str) -> Result<CallResult<'_>, String> {
    #[derive(Deserialize)]
    struct Echo<'a> {
        #[serde(borrow)]
        message: &'a RawValue,
    }
    let Echo { message } = parse_arguments(arguments)?;
    if !message.get().starts_with('"') {
        return Err("Invalid arguments: message must be a string".into());
    }
    let text = Text::AsSent(message);
    Ok(CallResult::new(Content::Text { text }))
}

fn add(arguments: &str) -> Result<CallResult<'_>, String> {
    #[derive(Deserialize)]
    struct Add {
        a: Number,
        b: Number,
    }
    let Add { a, b } = parse_arguments(arguments)?;
    let exact = || Number::from_i128(a.as_i128()? + b.as_i128()?);
    let rounded = || Number::from_f64(a.as_f64()? + b.as_f64()?);
    let sum = exact().or_else(rounded).ok_or("The sum is out of range")?;
    let structured = json!({"sum": sum});
    let result = CallResult::text(structured.to_string());
    Ok(CallResult {
        structured_content: Some(structured),
        ..result
    })
}

/// The state of the one question of this server. It keeps none itself: the client sends it back.
const ASKED: &str = "introduce/1+name==";

/// Asks for a name, and greets once the client has answered: a multi round-trip request (2026-07-28).
fn introduce(era: Era, id: &RawValue, params: &Params) -> Result<HttpResponse, Refusal> {
    #[derive(Deserialize)]
    struct Responses {
        who: Response,
    }
    #[derive(Deserialize)]
    struct Response {
        action: String,
        content: Option<Content>,
    }
    #[derive(Deserialize)]
    struct Content {
        name: String,
    }
    let said =
        |text: String| Ok(HttpResponse::Ok().json(Reply::new(era, id, CallResult::text(text))));
    if era == Era::Legacy {
        let result = CallResult::error("Only clients of 2026-07-28 can be asked".into());
        return Ok(HttpResponse::Ok().json(Reply::new(era, id, result)));
    }
    let Some(responses) = params.input_responses else {
        return ask(id, params);
    };
    if params.request_state.as_deref() != Some(ASKED) {
        return Err(Refusal::InvalidParams(
            "requestState is not what was given".into(),
        ));
    }
    let Responses { who } = from_object(responses.get()).map_err(Refusal::InvalidParams)?;
    match who {
        Response {
            action,
            content: Some(Content { name }),
        } if action == "accept" => said(format!("Hello, {name}!")),
        _ => said("Hello, stranger!".into()),
    }
}

fn ask(id: &RawValue, params: &Params) -> Result<HttpResponse, Refusal> {
    #[derive(Deserialize)]
    struct Capabilities {
        elicitation: Option<serde::de::IgnoredAny>,
    }
    let declared = params.meta.client_capabilities.map_or("{}", RawValue::get);
    let declared: Capabilities = from_object(declared).map_err(Refusal::MalformedParams)?;
    if declared.elicitation.is_none() {
        return Err(Refusal::MissingCapability("elicitation"));
    }
    let schema =
        json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]});
    let question = json!({"mode": "form", "message": "Who are you?", "requestedSchema": schema});
    let result = json!({
        "inputRequests": {"who": {"method": "elicitation/create", "params": question}},
        "requestState": ASKED,
    });
    Ok(HttpResponse::Ok().json(Reply::input_required(id, result)))
}

#[derive(Clone, Copy, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Count {
    to: u64,
    delay_ms: u64,
}

impl Default for Count {
    fn default() -> Self {
        Self {
            to: 5,
            delay_ms: 200,
        }
    }
}

impl Count {
    fn parse(arguments: &str) -> Result<Self, String> {
        let count: Self = parse_arguments(arguments)?;
        if !(1..=20).contains(&count.to) || count.delay_ms > 1000 {
            return Err("Invalid arguments: to must be 1 to 20, delayMs 0 to 1000".into());
        }
        Ok(count)
    }
}

/// Streams the steps as they happen. When the response is dropped, as actix does when the client disconnects, the counting ends.
fn count_slowly(era: Era, id: &RawValue, count: Count, token: Option<&RawValue>) -> HttpResponse {
    let Count { to, delay_ms } = count;
    let token = token.filter(|token| is_id(token)).map(ToOwned::to_owned);
    let id = id.to_owned();
    let steps = stream::iter(1..=to).filter_map(move |step| {
        let progress = token
            .as_deref()
            .map(|token| progress_event(token, step, to));
        async move {
            rt::time::sleep(Duration::from_millis(delay_ms)).await;
            progress.map(Ok)
        }
    });
    let result = stream::once(async move {
        let result = CallResult::text(format!("Counted to {to}"));
        serde_json::to_string(&Reply::new(era, &id, result)).map(|json| event(&json))
    });
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .streaming(steps.chain(result))
}

fn progress_event(token: &RawValue, step: u64, total: u64) -> Bytes {
    event(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{step},"total":{total},"message":"{step} of {total}"}}}}"#
    ))
}

fn event(json: &str) -> Bytes {
    format!("event: message\ndata: {json}\n\n").into()
}
