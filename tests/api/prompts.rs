//! Prompts and completion.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::http::Request;
use crate::upstream::servers::Behaviour;
use crate::upstream::{Reply, Upstream, servers};

const FILLED: &str = r#"{"description":"d","messages":[{"role":"user","content":{"type":"text","text":"Grüße"}}],"n":1.10}"#;
const COMPLETED: &str = r#"{"completion":{"values":["dutch"],"total":1e0}}"#;

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateless),
    ("modern", servers::ts_v2),
];

fn serving(behaviour: Behaviour, refusal: i64) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "prompts/list" => Reply::json(
            200,
            request.result(r#"{"prompts":[{"name":"greet"},{"name":"a/b"}]}"#),
        ),
        "prompts/get" if request.arguments().get("name").is_some() => {
            Reply::json(200, request.result(FILLED))
        }
        "prompts/get" => Reply::json(200, request.error(refusal, "no")),
        "completion/complete" => Reply::json(200, request.result(COMPLETED)),
        _ => behaviour(request, state),
    })
}

fn get(prompt: &str) -> Request {
    Request::post(&path(SERVER, &format!("prompts/{prompt}/get")))
}

#[test]
fn a_prompt_is_filled_in_and_comes_back_as_it_is() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = serving(behaviour, -32602);
        let app = TestApp::over(&upstream);
        let listed = app.get(&path(SERVER, "prompts")).ok();
        assert_eq!(listed["prompts"][1]["name"], "a/b", "{era}");
        let response = app.request(&get("a%2Fb").json(r#"{"name": "Ada"}"#));
        assert_eq!((response.status, response.text()), (200, FILLED), "{era}");
        let sent = upstream.only("prompts/get");
        assert_eq!(sent.message["params"]["name"], "a/b");
        assert!(
            sent.body.contains(r#""arguments":{"name": "Ada"}"#),
            "{}",
            sent.body
        );
        let header = sent.header("mcp-name");
        assert_eq!(header, (era == "modern").then_some("a/b"), "{era}");
    }
}

#[test]
fn an_unknown_prompt_is_404_and_wrong_arguments_are_not() {
    for (era, behaviour) in BOTH_ERAS {
        for code in [-32602, -32603, 0] {
            let upstream = serving(behaviour, code);
            let app = TestApp::over(&upstream);
            let problem = app
                .request(&get("gret"))
                .is_refused(404, "prompt_not_found");
            assert_eq!(problem.did_you_mean(), ["greet"], "{era} {code}");
            assert_eq!(
                (problem.text("prompt"), problem.text("title")),
                ("gret", "Prompt not found")
            );
            let problem = app.request(&get("greet")).problem();
            let expected = if code == -32602 {
                "invalid_arguments"
            } else {
                "upstream_error"
            };
            assert_eq!(problem.text("code"), expected, "{era} {code}");
        }
    }
}

#[test]
fn arguments_of_a_prompt_are_an_object() {
    let upstream = serving(servers::ts_v1_stateless, -32602);
    let app = TestApp::over(&upstream);
    for body in ["[]", "7", "{", "\"x\""] {
        app.request(&get("greet").json(body))
            .is_refused(400, "invalid_request");
    }
    let form = get("greet").header("content-type", "text/plain").body("{}");
    app.request(&form).is_refused(415, "unsupported_media_type");
    assert_eq!(upstream.requests().len(), 0);
}

#[test]
fn an_argument_is_completed() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = serving(behaviour, -32602);
        let app = TestApp::over(&upstream);
        let asked = json!({
            "ref": {"type": "ref/prompt", "name": "greet"},
            "argument": {"name": "language", "value": "d"},
            "context": {"arguments": {"name": "Ada"}},
        });
        let response = app.post(&path(SERVER, "complete"), &asked);
        assert_eq!(
            (response.status, response.text()),
            (200, COMPLETED),
            "{era}"
        );
        let mut sent = upstream.only("completion/complete").message["params"].clone();
        sent.as_object_mut().unwrap().remove("_meta");
        assert_eq!(sent, asked, "{era}");
    }
}

#[test]
fn a_completion_names_what_is_to_be_completed() {
    let upstream = serving(servers::ts_v1_stateless, -32602);
    let app = TestApp::over(&upstream);
    let wrong: [Value; 4] = [
        json!({}),
        json!({"ref": {}}),
        json!({"ref": "x", "argument": {}}),
        json!({"ref": {}, "argument": {}, "_meta": {}}),
    ];
    for body in wrong {
        app.post(&path(SERVER, "complete"), &body)
            .is_refused(400, "invalid_request");
    }
}

#[test]
fn a_session_is_closed_after_an_error_too() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let id = app.open_session();
    let target = path(SERVER, &format!("prompts/x/get?close=true&sessionId={id}"));
    app.request(&Request::post(&target))
        .is_refused(501, "not_supported");
    upstream.wait_until_no_session_is_left();
}
