//! The tool calls of a model, read from what a developer has at hand: the whole response of the API, the message in it, a list of calls, or
//! one call. What is no call of a function (texts, thoughts, calls of an API's own tools) is passed over.
//!
//! Arguments stay as they were written; those that are broken are told with their call, so that it fails alone.
//!
//! All of it takes several passes over a body: work for `offload`.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::request::parameters::ModelApi;
use crate::json::{empty_object, first_elements, is_array, named, nests_deeper_than, text_of};

/// Characters of an id or a name.
const LONGEST: usize = 512;
/// Elements of a list, calls or not.
pub(crate) const MOST_ELEMENTS: usize = 10_000;

/// One call, as the model wrote it.
#[derive(Debug)]
pub(crate) struct Call {
    /// The id that its answer must have; empty where an API has none.
    pub(crate) id: String,
    /// The tool's name, as it was listed.
    pub(crate) name: String,
    /// The arguments, an object, which is `{}` if there are none; or a sentence for the model that says what is wrong with them.
    pub(crate) arguments: Result<Box<RawValue>, String>,
}

/// Why a body has no calls that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is nothing of what the API gives: see [`expected`].
    Shape,
    /// A call lacks a member, or it is not what it must be.
    Member(&'static str),
    /// There are more calls than so many.
    TooMany,
    /// A list has more than [`MOST_ELEMENTS`]: what comes after them might be calls.
    TooLong,
}

/// The calls in a body, at most `most`. `depth` is how deep arguments may nest that are a text.
pub(crate) fn read(
    api: ModelApi,
    body: &RawValue,
    most: usize,
    depth: usize,
) -> Result<Vec<Call>, Unreadable> {
    let written = match api {
        ModelApi::OpenAi => chat(body, "choices"),
        ModelApi::OpenAiResponses => typed(body, "output", "function_call"),
        ModelApi::Anthropic => typed(body, "content", "tool_use"),
        ModelApi::Gemini => gemini(body),
        ModelApi::Ollama => chat(body, "message"),
    }?;
    let mut calls = Vec::new();
    for element in written {
        let Some(call) = call(api, element, depth)? else {
            continue;
        };
        if calls.len() >= most {
            return Err(Unreadable::TooMany);
        }
        calls.push(call);
    }
    Ok(calls)
}

/// What a body may be.
pub(crate) fn expected(api: ModelApi) -> &'static str {
    match api {
        ModelApi::OpenAi => {
            "the response ('choices'), its message ('tool_calls'), or a list of tool calls"
        }
        ModelApi::OpenAiResponses => {
            "the response ('output'), its list of output items, or one 'function_call'"
        }
        ModelApi::Anthropic => {
            "the response or message ('content'), its list of content blocks, or one 'tool_use'"
        }
        ModelApi::Gemini => {
            "the response ('candidates'), its content ('parts'), a list of parts, or a list of function calls"
        }
        ModelApi::Ollama => "the response ('message'), its message, or a list of tool calls",
    }
}

// === where the calls are ===

/// The elements of a list.
fn elements(list: &RawValue) -> Result<Vec<&RawValue>, Unreadable> {
    let elements = first_elements(list, MOST_ELEMENTS + 1).ok_or(Unreadable::Shape)?;
    if elements.len() > MOST_ELEMENTS {
        return Err(Unreadable::TooLong);
    }
    Ok(elements)
}

/// The first element of a list: one answer of the model, of several that were asked for.
fn first(list: &RawValue) -> Result<&RawValue, Unreadable> {
    let first = first_elements(list, 1).and_then(|it| it.first().copied());
    first.ok_or(Unreadable::Shape)
}

fn is_list(json: &RawValue) -> bool {
    is_array(json.get().as_bytes())
}

fn is_null(json: &RawValue) -> bool {
    json.get() == "null"
}

/// The members of an object.
fn members<'a, const N: usize>(
    json: &'a RawValue,
    names: [&str; N],
) -> Result<[Option<&'a RawValue>; N], Unreadable> {
    let members = named(json.get(), names).map_err(|_no_object| Unreadable::Shape)?;
    // As some libraries write a member that is not there.
    Ok(members.map(|member| member.filter(|it| !is_null(it))))
}

/// Of Chat Completions and of Ollama, which differ in where a response has its message.
fn chat<'a>(json: &'a RawValue, response: &str) -> Result<Vec<&'a RawValue>, Unreadable> {
    if is_list(json) {
        return elements(json);
    }
    let names = [response, "message", "tool_calls", "role", "function"];
    let [response, message, calls, role, function] = members(json, names)?;
    let message = match response {
        Some(choices) if is_list(choices) => {
            let [message] = members(first(choices)?, ["message"])?;
            message
        }
        other => message.or(other),
    };
    match (message, calls, role, function) {
        (Some(message), ..) => {
            let [calls] = members(message, ["tool_calls"])?;
            calls.map_or(Ok(vec![]), elements)
        }
        (_, Some(calls), ..) => elements(calls),
        (.., Some(_)) => Ok(vec![json]),
        (_, _, Some(_), _) => Ok(vec![]),
        _ => Err(Unreadable::Shape),
    }
}

/// Of APIs whose messages are lists of items with a `type`.
fn typed<'a>(json: &'a RawValue, list: &str, kind: &str) -> Result<Vec<&'a RawValue>, Unreadable> {
    let items = if is_list(json) {
        elements(json)?
    } else {
        let [list, of_type] = members(json, [list, "type"])?;
        match list {
            Some(list) if is_list(list) => elements(list)?,
            // A text alone.
            Some(_) => vec![],
            None => {
                of_type.ok_or(Unreadable::Shape)?;
                vec![json]
            }
        }
    };
    let is_call = |item: &&RawValue| {
        let of_type = members(item, ["type"]).ok().and_then(|[of_type]| of_type);
        of_type.and_then(text_of).as_deref() == Some(kind)
    };
    Ok(items.into_iter().filter(is_call).collect())
}

/// Gemini's libraries write `functionCall` or `function_call`.
fn gemini(json: &RawValue) -> Result<Vec<&RawValue>, Unreadable> {
    if is_list(json) {
        return gemini_parts(json);
    }
    let [candidates, content, parts, role] =
        members(json, ["candidates", "content", "parts", "role"])?;
    let content = match candidates {
        Some(candidates) => match members(first(candidates)?, ["content"])? {
            [Some(content)] => Some(content),
            [None] => return Ok(vec![]),
        },
        None => content,
    };
    let (parts, role) = match content {
        Some(list) if is_list(list) => (Some(list), None),
        Some(content) => {
            let [parts, role] = members(content, ["parts", "role"])?;
            (parts, role)
        }
        None => (parts, role),
    };
    match (parts, role) {
        (Some(parts), _) => gemini_parts(parts),
        (_, Some(_)) => Ok(vec![]),
        _ => match gemini_part(json)? {
            Some(call) => Ok(vec![call]),
            None => Err(Unreadable::Shape),
        },
    }
}

fn gemini_parts(parts: &RawValue) -> Result<Vec<&RawValue>, Unreadable> {
    let calls = elements(parts)?.into_iter().map(gemini_part);
    calls.filter_map(Result::transpose).collect()
}

/// The call in a part, if it has one.
fn gemini_part(part: &RawValue) -> Result<Option<&RawValue>, Unreadable> {
    let [camel, snake, name, args] =
        members(part, ["functionCall", "function_call", "name", "args"])?;
    Ok(camel.or(snake).or(name.or(args).map(|_| part)))
}

// === one call ===

/// One call; `None` if it is of something else than a function.
fn call(api: ModelApi, json: &RawValue, depth: usize) -> Result<Option<Call>, Unreadable> {
    let (id, id_name, name, arguments) = match api {
        ModelApi::OpenAi | ModelApi::Ollama => {
            let [id, function] = members(json, ["id", "function"])?;
            let Some(function) = function else {
                return Ok(None);
            };
            let found = members(function, ["name", "arguments"]);
            let [name, arguments] = found.map_err(|_shape| Unreadable::Member("function"))?;
            (id, "id", name, arguments)
        }
        ModelApi::OpenAiResponses => {
            let names = ["call_id", "name", "arguments"];
            let [id, name, arguments] = members(json, names)?;
            (id, "call_id", name, arguments)
        }
        ModelApi::Anthropic => {
            let [id, name, arguments] = members(json, ["id", "name", "input"])?;
            (id, "id", name, arguments)
        }
        ModelApi::Gemini => {
            let [id, name, arguments] = members(json, ["id", "name", "args"])?;
            (id, "id", name, arguments)
        }
    };
    let needs_id = !matches!(api, ModelApi::Gemini | ModelApi::Ollama);
    let id = match id {
        None if !needs_id => String::new(),
        id => short(id, id_name)?,
    };
    Ok(Some(Call {
        id,
        name: short(name, "name")?,
        arguments: arguments.map_or_else(|| Ok(none()), |json| arguments_of(json, depth)),
    }))
}

fn short(json: Option<&RawValue>, name: &'static str) -> Result<String, Unreadable> {
    let text = json.and_then(text_of).map(Cow::into_owned);
    let text = text.filter(|text| !text.is_empty() && text.len() <= LONGEST);
    text.ok_or(Unreadable::Member(name))
}

fn none() -> Box<RawValue> {
    empty_object().to_owned()
}

/// The arguments: an object, or a text that holds one. Those that are no text nest no deeper than the body may.
fn arguments_of(json: &RawValue, depth: usize) -> Result<Box<RawValue>, String> {
    let arguments = match text_of(json) {
        None => json.to_owned(),
        Some(text) if text.trim_ascii().is_empty() => return Ok(none()),
        Some(text) if nests_deeper_than(text.as_bytes(), depth) => {
            return Err(format!("The arguments nest deeper than {depth} levels."));
        }
        Some(text) => RawValue::from_string(text.into_owned()).map_err(|error| {
            format!(
                "The arguments are not valid JSON: see line {}, column {}. Call the tool again with a JSON object.",
                error.line(),
                error.column()
            )
        })?,
    };
    if arguments.get().starts_with('{') {
        return Ok(arguments);
    }
    Err("The arguments must be a JSON object. Call the tool again with one.".to_owned())
}
