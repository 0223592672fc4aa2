//! Calls in every body that a developer may have, and bodies that are none.

use serde_json::{Value, json};

use super::*;

fn of(api: ModelApi, body: &Value) -> Result<Vec<(String, String, String)>, Unreadable> {
    let body = RawValue::from_string(body.to_string()).unwrap();
    let calls = read(api, &body, 3, 8)?.into_iter();
    let text = |call: &Call| call.arguments.as_ref().unwrap().to_string();
    Ok(calls
        .map(|call| (call.id.clone(), call.name.clone(), text(&call)))
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

#[test]
fn a_list_is_read_to_its_end_or_refused() {
    let part = json!({"text": "x"});
    let call = json!({"functionCall": {"name": "s__t", "args": {"a": 1}}});
    let mut parts = vec![part; MOST_ELEMENTS - 1];
    parts.push(call);
    assert_eq!(
        of(ModelApi::Gemini, &json!(parts)),
        Ok(one("", "{\"a\":1}"))
    );
    parts.insert(0, json!({"text": "x"}));
    for &api in ModelApi::ALL {
        assert_eq!(of(api, &json!(parts)), Err(Unreadable::TooLong), "{api:?}");
    }
    let response = json!({"candidates": [{"content": {"parts": parts}}]});
    assert_eq!(of(ModelApi::Gemini, &response), Err(Unreadable::TooLong));
}
