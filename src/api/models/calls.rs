//! The tool calls of a model, read from what a developer has at hand: the whole response of the API, the message in it, a list of calls, or
//! one call. What is no call of a function (texts, thoughts, calls of an API's own tools) is passed over.
//!
//! Arguments stay the bytes they came as; whether they are JSON is found out where a call is made, so that one that is broken fails alone.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::api::request::parameters::ModelApi;
use crate::json::{first_elements, is_array, named, text_of};

/// Characters of an id or a name.
const LONGEST: usize = 512;
/// Elements of a list that are looked at, calls or not.
const MOST_ELEMENTS: usize = 10_000;

/// One call, as the model wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The id that its answer must have; empty where an API has none.
    pub(crate) id: String,
    /// The tool's name, as it was listed.
    pub(crate) name: String,
    /// The arguments as JSON, or what the model takes for it; none are empty.
    pub(crate) arguments: Bytes,
}

/// Why a body has no calls that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is nothing of what the API gives; the text says what would be.
    Shape(&'static str),
    /// A call lacks a member, or it is not what it must be.
    Member(&'static str),
    /// There are more calls than so many.
    TooMany,
}

/// The calls in a body, at most `most`.
pub(crate) fn read(api: ModelApi, body: &Bytes, most: usize) -> Result<Vec<Call>, Unreadable> {
    let shape = || Unreadable::Shape(expected(api));
    let json: &RawValue = serde_json::from_slice(body).map_err(|_not_json| shape())?;
    let written = match api {
        ModelApi::OpenAi => chat(json, "choices"),
        ModelApi::OpenAiResponses => typed(json, "output", "function_call"),
        ModelApi::Anthropic => typed(json, "content", "tool_use"),
        ModelApi::Gemini => gemini(json),
        ModelApi::Ollama => chat(json, "message"),
    };
    let written = written.ok_or_else(shape)?;
    let mut calls = Vec::new();
    for element in written {
        let Some(call) = call(api, element, body)? else {
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
fn expected(api: ModelApi) -> &'static str {
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
fn elements(list: &RawValue) -> Option<Vec<&RawValue>> {
    first_elements(list, MOST_ELEMENTS)
}

fn is_list(json: &RawValue) -> bool {
    is_array(json.get().as_bytes())
}

fn is_null(json: &RawValue) -> bool {
    json.get() == "null"
}

/// The members of an object; `None` of anything else.
fn members<'a, const N: usize>(
    json: &'a RawValue,
    names: [&str; N],
) -> Option<[Option<&'a RawValue>; N]> {
    let members = named(json.get(), names).ok()?;
    // As some libraries write a member that is not there.
    Some(members.map(|member| member.filter(|it| !is_null(it))))
}

/// Of Chat Completions and of Ollama, which differ in where a response has its message.
fn chat<'a>(json: &'a RawValue, response: &str) -> Option<Vec<&'a RawValue>> {
    if is_list(json) {
        return elements(json);
    }
    let names = [response, "message", "tool_calls", "role", "function"];
    let [response, message, calls, role, function] = members(json, names)?;
    if let Some(choices) = response.filter(|it| is_list(it)) {
        let first = elements(choices)?;
        return chat(first.first()?, "message");
    }
    match (message.or(response), calls, role, function) {
        (Some(message), ..) => {
            let [calls] = members(message, ["tool_calls"])?;
            calls.map_or(Some(vec![]), elements)
        }
        (_, Some(calls), ..) => elements(calls),
        (.., Some(_)) => Some(vec![json]),
        (_, _, Some(_), _) => Some(vec![]),
        _ => None,
    }
}

/// Of APIs whose messages are lists of items with a `type`.
fn typed<'a>(json: &'a RawValue, list: &str, kind: &str) -> Option<Vec<&'a RawValue>> {
    let items = if is_list(json) {
        elements(json)?
    } else {
        let [list, of_type] = members(json, [list, "type"])?;
        match list {
            Some(list) if is_list(list) => elements(list)?,
            // A text alone.
            Some(_) => vec![],
            None => {
                of_type?;
                vec![json]
            }
        }
    };
    let is_call = |item: &&RawValue| {
        let found = members(item, ["type"]).and_then(|[of_type]| text_of(of_type?));
        found.as_deref() == Some(kind)
    };
    Some(items.into_iter().filter(is_call).collect())
}

/// Gemini's libraries write `functionCall` or `function_call`.
fn gemini(json: &RawValue) -> Option<Vec<&RawValue>> {
    if is_list(json) {
        let parts = elements(json)?.into_iter();
        let calls = parts.map(gemini_part).collect::<Option<Vec<_>>>()?;
        return Some(calls.into_iter().flatten().collect());
    }
    let [candidates, content, parts, role] =
        members(json, ["candidates", "content", "parts", "role"])?;
    if let Some(candidates) = candidates {
        let candidates = elements(candidates)?;
        let [content] = members(candidates.first()?, ["content"])?;
        return content.map_or(Some(vec![]), gemini);
    }
    match (content, parts, role) {
        (Some(content), ..) => gemini(content),
        (_, Some(parts), _) => gemini(parts),
        (.., Some(_)) => Some(vec![]),
        _ => gemini_part(json).filter(|calls| !calls.is_empty()),
    }
}

/// The call in a part, if it has one; `None` if it is no object.
fn gemini_part(part: &RawValue) -> Option<Vec<&RawValue>> {
    let [camel, snake, name, args] =
        members(part, ["functionCall", "function_call", "name", "args"])?;
    let bare = name.or(args).map(|_| part);
    Some(camel.or(snake).or(bare).into_iter().collect())
}

// === one call ===

/// One call; `None` if it is of something else than a function.
fn call(api: ModelApi, json: &RawValue, body: &Bytes) -> Result<Option<Call>, Unreadable> {
    let shape = Unreadable::Shape(expected(api));
    let (id, id_name, name, arguments) = match api {
        ModelApi::OpenAi | ModelApi::Ollama => {
            let [id, function] = members(json, ["id", "function"]).ok_or(shape)?;
            let Some(function) = function else {
                return Ok(None);
            };
            let found = members(function, ["name", "arguments"]);
            let [name, arguments] = found.ok_or(Unreadable::Member("function"))?;
            (id, "id", name, arguments)
        }
        ModelApi::OpenAiResponses => {
            let names = ["call_id", "name", "arguments"];
            let [id, name, arguments] = members(json, names).ok_or(shape)?;
            (id, "call_id", name, arguments)
        }
        ModelApi::Anthropic => {
            let [id, name, arguments] = members(json, ["id", "name", "input"]).ok_or(shape)?;
            (id, "id", name, arguments)
        }
        ModelApi::Gemini => {
            let [id, name, arguments] = members(json, ["id", "name", "args"]).ok_or(shape)?;
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
        arguments: arguments.map_or_else(Bytes::new, |json| arguments_of(json, body)),
    }))
}

fn short(json: Option<&RawValue>, name: &'static str) -> Result<String, Unreadable> {
    let text = json.and_then(text_of).map(Cow::into_owned);
    let text = text.filter(|text| !text.is_empty() && text.len() <= LONGEST);
    text.ok_or(Unreadable::Member(name))
}

/// The arguments: an object, or a text that holds one.
fn arguments_of(json: &RawValue, body: &Bytes) -> Bytes {
    match text_of(json) {
        Some(Cow::Borrowed(text)) => body.slice_ref(text.as_bytes()),
        Some(Cow::Owned(text)) => Bytes::from(text),
        None => body.slice_ref(json.get().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(api: ModelApi, body: &Value) -> Result<Vec<(String, String, String)>, Unreadable> {
        let body = Bytes::from(body.to_string());
        let calls = read(api, &body, 3)?;
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        Ok(calls
            .into_iter()
            .map(|call| (call.id, call.name, text(&call.arguments)))
            .collect())
    }

    fn one(id: &str, arguments: &str) -> Vec<(String, String, String)> {
        vec![(id.into(), "s__t".into(), arguments.into())]
    }

    #[test]
    fn calls_are_found_in_whatever_a_developer_has() {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "s__t", "arguments": "{\"a\":1.10}"}});
        let message =
            json!({"role": "assistant", "content": null, "tool_calls": [call], "refusal": null});
        for body in [
            json!({"id": "r", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}),
            message,
            json!([call]),
            call.clone(),
        ] {
            assert_eq!(
                of(ModelApi::OpenAi, &body),
                Ok(one("c1", "{\"a\":1.10}")),
                "{body}"
            );
        }
        let item = json!({"type": "function_call", "id": "fc", "call_id": "c1", "name": "s__t", "arguments": "{}"});
        let items =
            json!([{"type": "reasoning", "summary": []}, item, {"type": "message", "content": []}]);
        for body in [json!({"object": "response", "output": items}), items, item] {
            assert_eq!(
                of(ModelApi::OpenAiResponses, &body),
                Ok(one("c1", "{}")),
                "{body}"
            );
        }
        let block = json!({"type": "tool_use", "id": "c1", "name": "s__t", "input": {"a": 1}});
        let blocks = json!([{"type": "text", "text": "Let me see."}, block]);
        let message = json!({"type": "message", "role": "assistant", "content": blocks});
        for body in [
            message,
            json!({"role": "assistant", "content": blocks}),
            blocks,
            block,
        ] {
            assert_eq!(
                of(ModelApi::Anthropic, &body),
                Ok(one("c1", "{\"a\":1}")),
                "{body}"
            );
        }
        let call = json!({"name": "s__t", "args": {"a": 1}});
        let parts = json!([{"text": "x", "thoughtSignature": "s"}, {"functionCall": call}]);
        let content = json!({"role": "model", "parts": parts});
        for body in [
            json!({"candidates": [{"content": content}]}),
            json!({"content": content}),
            content,
            parts,
            json!([{"function_call": call, "text": null}]),
            json!([call]),
            call,
        ] {
            assert_eq!(
                of(ModelApi::Gemini, &body),
                Ok(one("", "{\"a\":1}")),
                "{body}"
            );
        }
        let call = json!({"function": {"name": "s__t", "arguments": {"a": 1}}});
        let message = json!({"role": "assistant", "content": "", "tool_calls": [call]});
        for body in [
            json!({"model": "m", "message": message}),
            message,
            json!([call]),
            call.clone(),
        ] {
            assert_eq!(
                of(ModelApi::Ollama, &body),
                Ok(one("", "{\"a\":1}")),
                "{body}"
            );
        }
    }

    #[test]
    fn a_response_without_calls_has_none() {
        for (api, body) in [
            (
                ModelApi::OpenAi,
                json!({"role": "assistant", "content": "Hi", "tool_calls": null}),
            ),
            (
                ModelApi::OpenAi,
                json!({"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}),
            ),
            (
                ModelApi::OpenAi,
                json!([{"id": "c", "type": "custom", "custom": {"name": "x", "input": "y"}}]),
            ),
            (ModelApi::OpenAiResponses, json!({"output": []})),
            (
                ModelApi::Anthropic,
                json!({"role": "assistant", "content": "Hi"}),
            ),
            (
                ModelApi::Gemini,
                json!({"candidates": [{"finishReason": "STOP"}]}),
            ),
            (ModelApi::Gemini, json!([{"text": "Hi"}])),
            (
                ModelApi::Ollama,
                json!({"message": {"role": "assistant", "content": "Hi"}}),
            ),
        ] {
            assert_eq!(of(api, &body), Ok(vec![]), "{body}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for &api in ModelApi::ALL {
            for body in [
                json!({}),
                json!(7),
                json!("x"),
                json!({"tools": []}),
                json!([7]),
            ] {
                // A list may hold what is no call.
                let found = of(api, &body);
                assert!(
                    found.is_err() || body == json!([7]),
                    "{api:?} {body}: {found:?}"
                );
            }
        }
        let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "t", "arguments": "{}"}});
        let many: Vec<Value> = (0..4).map(|n| call(&format!("c{n}"))).collect();
        assert_eq!(of(ModelApi::OpenAi, &json!(many)), Err(Unreadable::TooMany));
        assert_eq!(
            of(ModelApi::OpenAi, &json!([call("")])),
            Err(Unreadable::Member("id"))
        );
        let nameless = json!([{"id": "c", "function": {"arguments": "{}"}}]);
        assert_eq!(
            of(ModelApi::OpenAi, &nameless),
            Err(Unreadable::Member("name"))
        );
    }
}
