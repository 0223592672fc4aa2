//! The answer to a tool call as the message that the API wants, and the messages around the answers. One line appends them: each API
//! has a list of messages, and `messages` is a list of such.

use serde_json::{Value, json};

use crate::api::models::calls::Call;
use crate::api::models::content::{Content, Image};
use crate::api::request::parameters::ModelApi;
use crate::api::side_by_side::Around;

/// The text around the answers. Anthropic and Gemini have all answers of a turn in one message.
pub(crate) fn around(api: ModelApi, calls: usize) -> Around {
    let (open, close) = match api {
        _ if calls == 0 => ("{\"messages\":[", "]}"),
        ModelApi::OpenAi | ModelApi::OpenAiResponses | ModelApi::Ollama => {
            ("{\"messages\":[", "]}")
        }
        ModelApi::Anthropic => ("{\"messages\":[{\"role\":\"user\",\"content\":[", "]}]}"),
        ModelApi::Gemini => ("{\"messages\":[{\"role\":\"user\",\"parts\":[", "]}]}"),
    };
    Around { open, close }
}

/// Whether the API takes images of this media type in the answer to a tool call.
pub(crate) fn takes(api: ModelApi) -> fn(&str) -> bool {
    match api {
        ModelApi::OpenAi | ModelApi::Ollama => |_| false,
        ModelApi::OpenAiResponses | ModelApi::Anthropic => |media_type| {
            matches!(
                media_type,
                "image/png" | "image/jpeg" | "image/gif" | "image/webp"
            )
        },
        ModelApi::Gemini => {
            |media_type| matches!(media_type, "image/png" | "image/jpeg" | "image/webp")
        }
    }
}

/// The answer to one call.
pub(crate) fn of(api: ModelApi, call: &Call, content: &Content<'_>) -> Value {
    match api {
        ModelApi::OpenAi => json!({
            "role": "tool", "tool_call_id": call.id, "content": content.text_with_error(),
        }),
        ModelApi::OpenAiResponses => json!({
            "type": "function_call_output", "call_id": call.id, "output": output(content),
        }),
        ModelApi::Anthropic => anthropic(call, content),
        ModelApi::Gemini => gemini(call, content),
        ModelApi::Ollama => json!({
            "role": "tool", "tool_name": call.name, "content": content.text_with_error(),
        }),
    }
}

/// A text, or with images a list of parts.
fn output(content: &Content<'_>) -> Value {
    if content.images.is_empty() {
        return json!(content.text_with_error());
    }
    let text = (!content.text.is_empty())
        .then(|| json!({"type": "input_text", "text": content.text_with_error()}));
    let image = |Image { media_type, data }: &Image<'_>| json!({"type": "input_image", "image_url": format!("data:{media_type};base64,{data}")});
    text.into_iter()
        .chain(content.images.iter().map(image))
        .collect()
}

fn anthropic(call: &Call, content: &Content<'_>) -> Value {
    // An empty text block is refused.
    let text =
        (!content.text.trim().is_empty()).then(|| json!({"type": "text", "text": content.text}));
    let image = |Image { media_type, data }: &Image<'_>| json!({"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}});
    let blocks: Vec<Value> = text
        .into_iter()
        .chain(content.images.iter().map(image))
        .collect();
    let mut answer = json!({"type": "tool_result", "tool_use_id": call.id, "content": blocks});
    if let (true, Value::Object(members)) = (content.is_error, &mut answer) {
        members.insert("is_error".to_owned(), Value::Bool(true));
    }
    answer
}

/// `output` and `error` are the names that the API knows in `response`. Images are `parts` of their own, which Gemini 3 reads.
fn gemini(call: &Call, content: &Content<'_>) -> Value {
    let key = if content.is_error { "error" } else { "output" };
    let mut answer = json!({"name": call.name, "response": {key: content.text}});
    if let Value::Object(members) = &mut answer {
        if !call.id.is_empty() {
            members.insert("id".to_owned(), json!(call.id));
        }
        let image = |Image { media_type, data }: &Image<'_>| json!({"inlineData": {"mimeType": media_type, "data": data}});
        let images: Vec<Value> = content.images.iter().map(image).collect();
        if !images.is_empty() {
            members.insert("parts".to_owned(), Value::Array(images));
        }
    }
    json!({"functionResponse": answer})
}
