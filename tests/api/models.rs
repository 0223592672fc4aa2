//! Tools and calls in the formats of model APIs: what they accept, and the messages that go back to them. The APIs' own libraries are
//! tried in `outside`.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::Request;
use crate::upstream::{Reply, Upstream, servers, tools};

const FORMATS: [&str; 5] = [
    "openai",
    "openai-responses",
    "anthropic",
    "gemini",
    "ollama",
];

/// The definitions in a response, whatever the format.
fn definitions(answer: &Value) -> Vec<Value> {
    let tools = &answer["tools"];
    let list = match tools.pointer("/0/functionDeclarations") {
        Some(declarations) => declarations.as_array(),
        None => tools.as_array(),
    };
    let bare = |tool: &Value| tool.get("function").unwrap_or(tool).clone();
    list.unwrap().iter().map(bare).collect()
}

fn names(answer: &Value) -> Vec<String> {
    let names = definitions(answer).into_iter();
    names
        .map(|it| it["name"].as_str().unwrap().to_owned())
        .collect()
}

/// A model's calls as its API writes them.
fn calls(format: &str, calls: &[(&str, Value)]) -> Value {
    let numbered = calls.iter().enumerate();
    let all = numbered.map(|(n, (name, arguments))| {
        let (id, text) = (format!("c{n}"), arguments.to_string());
        match format {
            "openai" => {
                json!({"id": id, "type": "function", "function": {"name": name, "arguments": text}})
            }
            "openai-responses" => {
                json!({"type": "function_call", "call_id": id, "name": name, "arguments": text})
            }
            "anthropic" => json!({"type": "tool_use", "id": id, "name": name, "input": arguments}),
            "gemini" => json!({"functionCall": {"id": id, "name": name, "args": arguments}}),
            _ => json!({"function": {"name": name, "arguments": arguments}}),
        }
    });
    all.collect()
}

/// What each answer says, in order, with whether it says that it is an error.
fn contents(format: &str, answer: &Value) -> Vec<(bool, String)> {
    let messages = answer["messages"].as_array().unwrap();
    let of_one = |list: &str| messages[0][list].as_array().unwrap().clone();
    let answers = match format {
        "anthropic" => of_one("content"),
        "gemini" => of_one("parts"),
        _ => messages.clone(),
    };
    let numbered = answers.iter().enumerate();
    let content = |(n, answer): (usize, &Value)| {
        let (id, text) = match format {
            "openai" => (&answer["tool_call_id"], &answer["content"]),
            "openai-responses" => (&answer["call_id"], &answer["output"]),
            "anthropic" => (&answer["tool_use_id"], &answer["content"][0]["text"]),
            "gemini" => {
                let response = &answer["functionResponse"];
                let output = &response["response"];
                (
                    &response["id"],
                    output.get("output").unwrap_or(&output["error"]),
                )
            }
            _ => (&Value::Null, &answer["content"]),
        };
        assert!(id.is_null() || *id == format!("c{n}"), "{answer}");
        let text = text.as_str().unwrap();
        let is_error = match format {
            "anthropic" => answer["is_error"] == true,
            "gemini" => answer["functionResponse"]["response"]
                .get("error")
                .is_some(),
            _ => text.starts_with("Error: "),
        };
        (is_error, text.trim_start_matches("Error: ").to_owned())
    };
    numbered.map(content).collect()
}

// === definitions ===

/// The tools of a server whose names are as odd as those of its tools.
fn odd() -> (Upstream, TestApp) {
    let upstream = Upstream::start(servers::ts_v2);
    let down = "http://127.0.0.1:9/mcp";
    let app = TestApp::spawn(&json!({"mcpServers": {
        SERVER: {"url": upstream.url()},
        "My Wiki (über)": {"url": upstream.url()},
        "down": {"url": down, "retries": 0},
    }}));
    (upstream, app)
}

#[test]
fn every_api_gets_tools_under_names_that_lead_back() {
    let (_upstream, app) = odd();
    for format in FORMATS {
        let answer = app.get(&format!("/api/tools?format={format}")).ok();
        assert_eq!(answer["failedServers"][0]["server"], "down");
        let names = names(&answer);
        assert_eq!(answer["count"], 2 * tools::TOOLS.len());
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        for name in &names {
            let is_legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            assert!(name.len() <= 64 && name.chars().all(is_legal), "{name}");
        }
        assert_eq!(names[0], format!("{SERVER}__echo"));
        // Each of them is called under its name, on either server.
        let echoes: Vec<(&str, Value)> = names
            .iter()
            .zip(tools::TOOLS.iter().cycle())
            .filter(|(_, tool)| matches!(tool.name, "echo" | "a/b c" | "grüße"))
            .map(|(name, tool)| (name.as_str(), json!({"message": tool.name})))
            .collect();
        let answer = app.post(
            &format!("/api/call-tools?format={format}"),
            &calls(format, &echoes),
        );
        let expected = ["echo", "a/b c", "grüße", "echo", "a/b c", "grüße"];
        let expected = expected.map(|name| (false, format!("Echo: {name}")));
        assert_eq!(contents(format, &answer.ok()), expected, "{format}");
    }
}

#[test]
fn definitions_are_those_of_the_api() {
    let (_upstream, app) = odd();
    let first = |format: &str| {
        app.get(&format!("/api/tools?format={format}&q=echo")).ok()["tools"][0].clone()
    };
    let schema = json!({"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]});
    let (name, description) = (format!("{SERVER}__echo"), "Says it again");
    let function = json!({"name": name, "description": description, "parameters": schema});
    assert_eq!(
        first("openai"),
        json!({"type": "function", "function": function})
    );
    assert_eq!(
        first("ollama"),
        json!({"type": "function", "function": function})
    );
    assert_eq!(
        first("openai-responses"),
        json!({"type": "function", "name": name, "description": description, "parameters": schema, "strict": false})
    );
    assert_eq!(
        first("anthropic"),
        json!({"name": name, "description": description, "input_schema": schema})
    );
    let upper = json!({"type": "OBJECT", "properties": {"message": {"type": "STRING"}}, "required": ["message"]});
    let declaration = json!({"name": name, "description": description, "parameters": upper});
    assert_eq!(first("gemini")["functionDeclarations"][0], declaration);
}

/// A server with one tool, whose definition is this.
fn with_tool(definition: &Value) -> (Upstream, TestApp) {
    let list = json!({"tools": [definition]}).to_string();
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.result(&list)),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    (upstream, app)
}

#[test]
fn what_an_api_does_not_accept_is_cut_and_listed() {
    let (_upstream, app) = with_tool(&json!({
        "name": "rich",
        "description": "d".repeat(2000),
        "inputSchema": {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "anyOf": [{"required": ["tree"]}, {"required": ["n"]}],
            "properties": {"tree": {"$ref": "#/definitions/Tree"}, "n": {"type": "integer", "enum": [1, 2]}},
            "additionalProperties": false,
            "definitions": {"Tree": {"type": "object", "properties": {"next": {"$ref": "#/definitions/Tree"}}}},
        },
    }));
    for (format, cuts) in [
        ("openai", &["description", "anyOf", "$ref"][..]),
        ("anthropic", &["anyOf", "$ref"]),
        ("gemini", &["anyOf", "$ref", "additionalProperties", "enum"]),
        ("ollama", &["anyOf", "$ref", "additionalProperties"]),
    ] {
        let of_all = app.get(&format!("/api/tools?format={format}")).ok();
        let of_one = app
            .get(&path(SERVER, &format!("tools?format={format}")))
            .ok();
        assert_eq!(of_all, of_one);
        let lossy = of_all["lossy"].as_array().unwrap();
        let listed: HashSet<&str> = lossy
            .iter()
            .map(|it| it["keyword"].as_str().unwrap())
            .collect();
        assert_eq!(listed, cuts.iter().copied().collect(), "{format}");
        assert!(
            lossy
                .iter()
                .all(|it| it["tool"] == format!("{SERVER}__rich"))
        );
        let definition = &definitions(&of_all)[0];
        let text = definition.to_string();
        assert!(
            !text.contains("$ref") && !text.contains("definitions"),
            "{text}"
        );
        let description = definition["description"].as_str().unwrap();
        let is_cut = description.chars().count() == 1024;
        assert_eq!(is_cut, format == "openai");
    }
}

#[test]
fn a_format_that_is_none_is_refused() {
    let (_upstream, app) = odd();
    let paths = ["/api/tools".to_owned(), path(SERVER, "tools")];
    for path in paths {
        app.get(&format!("{path}?format=mistral"))
            .is_refused(400, "invalid_request");
    }
    app.get(&path(SERVER, "tools?format=openai&cursor=x"))
        .is_refused(400, "invalid_request");
    app.get("/api/mcp/down/tools?format=openai")
        .is_refused(502, "upstream_unreachable");
    for query in ["", "?format=mistral"] {
        app.post(&format!("/api/call-tools{query}"), &json!([]))
            .is_refused(400, "invalid_request");
    }
}

// === calls ===

#[test]
fn a_call_that_fails_is_answered_in_words_and_fails_no_other() {
    let (_upstream, app) = odd();
    let add = format!("{SERVER}__add");
    let fail = format!("{SERVER}__fail");
    for format in FORMATS {
        let wanted = calls(
            format,
            &[
                (&add, json!({"a": 1, "b": 2})),
                (&fail, json!({})),
                ("down__x", json!({})),
                ("add", json!({})),
                (&format!("{SERVER}__ad"), json!({})),
                (&add, json!([1])),
                (&add, json!({"a": 3, "b": 4})),
            ],
        );
        let answer = app.post(&format!("/api/call-tools?format={format}"), &wanted);
        let answer = contents(format, &answer.ok());
        let errors: Vec<bool> = answer.iter().map(|(is_error, _)| *is_error).collect();
        assert_eq!(
            errors,
            [false, true, true, true, true, true, false],
            "{answer:?}"
        );
        assert_eq!((answer[0].1.as_str(), answer[6].1.as_str()), ("3", "7"));
        assert_eq!(answer[1].1, "It failed");
        assert!(answer[2].1.contains("'down'"), "{}", answer[2].1);
        assert!(
            answer[3].1.contains("Did you mean") && answer[3].1.contains(&add),
            "{}",
            answer[3].1
        );
        assert!(
            answer[4].1.contains(&format!("Did you mean {add}")),
            "{}",
            answer[4].1
        );
        assert!(
            answer[5].1.contains("must be a JSON object"),
            "{}",
            answer[5].1
        );
    }
}

#[test]
fn arguments_go_on_as_they_came_and_broken_ones_are_told() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let call = |arguments: &str| {
        let function = json!({"name": format!("{SERVER}__echo"), "arguments": arguments});
        let calls = json!([{"id": "c0", "type": "function", "function": function}]);
        let answer = app.post("/api/call-tools?format=openai", &calls).ok();
        contents("openai", &answer).remove(0)
    };
    let (is_error, text) = call(r#"{"message":"#);
    assert!(is_error && text.contains("not valid JSON"), "{text}");
    let (is_error, text) = call(&format!("{}1{}", "[".repeat(500), "]".repeat(500)));
    assert!(is_error && text.contains("nest"), "{text}");
    assert_eq!(upstream.count("tools/call"), 0);
    assert_eq!(call(""), (false, "Echo: ".to_owned()));
    let written = r#"{"message":"x","n":1.10,"big":12345678901234567890123}"#;
    assert_eq!(call(written), (false, "Echo: x".to_owned()));
    let sent = upstream.received("tools/call").pop().unwrap();
    let sent = sent.body;
    assert!(sent.contains(written), "{sent}");
}

#[test]
fn arguments_that_do_not_fit_are_told_one_by_one() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over_with(&upstream, json!({"argumentChecks": "on"}));
    let wanted = calls(
        "anthropic",
        &[(&format!("{SERVER}__add"), json!({"a": "x"}))],
    );
    let answer = app.post("/api/call-tools?format=anthropic", &wanted).ok();
    let (is_error, text) = contents("anthropic", &answer).remove(0);
    assert!(
        is_error && text.contains("/a: ") && text.contains('b'),
        "{text}"
    );
}

#[test]
fn a_response_without_calls_has_no_messages_and_others_are_refused() {
    let upstream = Upstream::start(servers::ts_v2);
    let limits = json!({"limits": {"batch": 2}});
    let config = json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": limits});
    let app = TestApp::spawn(&config);
    let at = "/api/call-tools?format=anthropic";
    let text = json!({"role": "assistant", "content": [{"type": "text", "text": "Hi"}]});
    assert_eq!(app.post(at, &text).ok(), json!({"messages": []}));
    let echo = (&*format!("{SERVER}__echo"), json!({}));
    let three = calls("anthropic", &[echo.clone(), echo.clone(), echo]);
    for wrong in [
        json!({"choices": []}),
        json!("x"),
        json!([{"type": "tool_use", "name": "t", "input": {}}]),
        three,
    ] {
        app.post(at, &wrong).is_refused(400, "invalid_request");
    }
    for broken in ["", "{"] {
        let request = Request::post(at).json(broken);
        app.request(&request).is_refused(400, "invalid_request");
    }
    assert_eq!(upstream.count("tools/call"), 0);
}

#[test]
fn a_call_after_more_elements_than_are_read_is_not_passed_over() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let at = "/api/call-tools?format=gemini";
    let echo = (&*format!("{SERVER}__echo"), json!({"message": "x"}));
    let of = |texts: usize| {
        let mut parts = vec![json!({"text": "a"}); texts];
        let call = calls("gemini", std::slice::from_ref(&echo));
        parts.extend(call.as_array().unwrap().iter().cloned());
        json!({"candidates": [{"content": {"role": "model", "parts": parts}}]})
    };
    let refused = app.post(at, &of(10_000));
    refused.is_refused(400, "invalid_request");
    assert!(refused.text().contains("10000"), "{}", refused.text());
    assert_eq!(upstream.count("tools/call"), 0);
    let answer = contents("gemini", &app.post(at, &of(9_999)).ok());
    assert_eq!(answer, [(false, "Echo: x".to_owned())]);
}

#[test]
fn large_bodies_are_called_as_small_ones_are() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let long = "\"[\\é".repeat(50_000);
    let echo = (&*format!("{SERVER}__echo"), json!({"message": long}));
    let unread = (&*format!("{SERVER}__echo"), json!([long]));
    for format in FORMATS {
        let at = format!("/api/call-tools?format={format}");
        let wanted = calls(format, &[echo.clone(), unread.clone()]);
        let answer = contents(format, &app.post(&at, &wanted).ok());
        assert_eq!(answer[0], (false, format!("Echo: {long}")), "{format}");
        assert!(answer[1].0, "{format}");
        let broken = wanted.to_string().replacen("[{", "[{,", 1);
        let request = Request::post(&at).json(&broken);
        app.request(&request).is_refused(400, "invalid_request");
    }
    assert_eq!(upstream.count("tools/call"), FORMATS.len());
}

#[test]
fn calls_run_side_by_side_within_one_deadline() {
    // One of them is never answered.
    let upstream = Upstream::start(|request, state| {
        if request.rpc() == "tools/call" && request.tool() == "fail" {
            return Reply::empty(200).stalled();
        }
        servers::ts_v2(request, state)
    });
    let app = TestApp::over(&upstream);
    let wanted = calls(
        "gemini",
        &[
            (&format!("{SERVER}__fail"), json!({})),
            (&format!("{SERVER}__echo"), json!({"message": "x"})),
        ],
    );
    let answer = app
        .post("/api/call-tools?format=gemini&timeoutMs=700", &wanted)
        .ok();
    let answer = contents("gemini", &answer);
    assert!(
        answer[0].0 && answer[0].1.contains("deadline"),
        "{answer:?}"
    );
    assert_eq!(answer[1], (false, "Echo: x".to_owned()));
}

#[test]
fn answers_together_are_no_larger_than_one_response() {
    let long = "x".repeat(60_000);
    let result = json!({"content": [{"type": "text", "text": long}]}).to_string();
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.result(&result)),
        _ => servers::ts_v1_stateless(request, state),
    });
    let limits = json!({"limits": {"responseBytes": 100_000}});
    let config = json!({"mcpServers": {SERVER: {"url": upstream.url()}}, "gateway": limits});
    let app = TestApp::spawn(&config);
    let echo = (&*format!("{SERVER}__echo"), json!({}));
    let wanted = calls("openai", &[echo.clone(), echo]);
    let answer = app.post("/api/call-tools?format=openai", &wanted).ok();
    let answer = contents("openai", &answer);
    let mut failed: Vec<bool> = answer.iter().map(|(is_error, _)| *is_error).collect();
    failed.sort_unstable();
    assert_eq!(failed, [false, true]);
}

#[test]
fn images_are_shown_where_the_api_takes_them() {
    let upstream = Upstream::start(|request, state| {
        match request.rpc() {
        "tools/call" => Reply::json(
            200,
            request.result(r#"{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}],"structuredContent":{"n":1.10}}"#),
        ),
        _ => servers::ts_v1_stateless(request, state),
    }
    });
    let app = TestApp::over(&upstream);
    let message = |format: &str| {
        let wanted = calls(format, &[(&format!("{SERVER}__echo"), json!({}))]);
        let answer = app.post(&format!("/api/call-tools?format={format}"), &wanted);
        answer.ok()["messages"][0].clone()
    };
    let source = json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="});
    let blocks =
        json!([{"type": "text", "text": "{\"n\":1.10}"}, {"type": "image", "source": source}]);
    assert_eq!(message("anthropic")["content"][0]["content"], blocks);
    let url = "data:image/png;base64,iVBORw0KGgo=";
    assert_eq!(
        message("openai-responses")["output"][1],
        json!({"type": "input_image", "image_url": url})
    );
    let part = json!({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}});
    assert_eq!(
        message("gemini")["parts"][0]["functionResponse"]["parts"],
        json!([part])
    );
    for format in ["openai", "ollama"] {
        let text = message(format)["content"].as_str().unwrap().to_owned();
        assert_eq!(text, "[image, image/png, 8 bytes: not shown]\n{\"n\":1.10}");
    }
}
