//! Representations of a tool's result: negotiation by `Accept` and `result`, and 406 where none matches.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, execute, path};
use crate::http::{Request, Response};
use crate::upstream::{Reply, Upstream, servers};

const FULL: &str = r#"{"content":[{"type":"text","text":"one\n"},{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="},{"type":"text","text":"Grüße"},{"type":"audio","mimeType":"audio/wav","data":"UklGRg=="}],"structuredContent":{"n": 1.10,"big":12345678901234567890123},"_meta":{}}"#;
const TEXT: &str = r#"{"content":[{"type":"text","text":"only text"}]}"#;
const FAILED: &str = r#"{"content":[{"type":"text","text":"It failed"}],"isError":true}"#;
const VALUE: &str = "application/vnd.mcp.value+json";
const STRUCTURED: &str = "application/vnd.mcp.structured+json";

fn returning(result: &'static str) -> (Upstream, TestApp) {
    let upstream = Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => {
            state.executed();
            Reply::json(200, request.result(result))
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    (upstream, app)
}

fn with(app: &TestApp, query: &str, accept: &str) -> Response {
    let request = execute(SERVER, "echo", query).json("{}");
    app.request(&if accept.is_empty() {
        request
    } else {
        request.header("accept", accept)
    })
}

#[test]
fn the_form_is_what_the_caller_accepts_best() {
    let (_upstream, app) = returning(FULL);
    let structured = r#"{"n": 1.10,"big":12345678901234567890123}"#.as_bytes();
    let text = "one\n\nGrüße".as_bytes();
    let full = FULL.as_bytes();
    for (query, accept, media_type, body) in [
        ("", "", "application/json", full),
        ("", "*/*", "application/json", full),
        (
            "",
            "application/json, text/plain, */*",
            "application/json",
            full,
        ),
        ("", "application/*", "application/json", full),
        (
            "",
            "text/html, application/xhtml+xml, */*;q=0.8",
            "application/json",
            full,
        ),
        // Java 8: a quality that is written against the grammar is no reason to refuse what has run.
        (
            "",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
            "application/json",
            full,
        ),
        (
            "",
            "text/xml, text/plain;q=.8",
            "text/plain; charset=utf-8",
            text,
        ),
        ("", STRUCTURED, STRUCTURED, structured),
        ("?result=structured", "", STRUCTURED, structured),
        ("?result=structured", "text/plain", STRUCTURED, structured),
        ("?result=mcp", "text/plain", "application/json", full),
        ("", VALUE, VALUE, structured),
        ("?result=value", "", VALUE, structured),
        ("?result=value", "text/plain", VALUE, structured),
        ("?result=image", "", "image/png", b"\x89PNG\r\n\x1a\n"),
        ("?result=audio", "application/json", "audio/wav", b"RIFF"),
        ("", "text/plain", "text/plain; charset=utf-8", text),
        ("", "text/*", "text/plain; charset=utf-8", text),
        ("?result=text", "", "text/plain; charset=utf-8", text),
        (
            "",
            "text/plain;q=0.5, application/json;q=0.4",
            "text/plain; charset=utf-8",
            text,
        ),
        (
            "",
            "text/plain;q=0.4, application/json;q=0.5",
            "application/json",
            full,
        ),
        ("", "image/*", "image/png", b"\x89PNG\r\n\x1a\n"),
        (
            "",
            "image/png, application/json;q=0.1",
            "image/png",
            b"\x89PNG\r\n\x1a\n",
        ),
        ("", "audio/*", "audio/wav", b"RIFF"),
        ("", "image/webp, audio/wav;q=0.5", "audio/wav", b"RIFF"),
    ] {
        let response = with(&app, query, accept);
        let found = (
            response.status,
            response.header("content-type"),
            &response.body[..],
        );
        assert_eq!(found, (200, Some(media_type), body), "{query} {accept}");
    }
}

/// A browser must not run here what a server has made.
#[test]
fn what_a_server_made_comes_in_a_sandbox() {
    let (_upstream, app) = returning(
        r#"{"content":[{"type":"image","mimeType":"image/svg+xml","data":"PHN2Zy8+"},{"type":"image","mimeType":"image/x\r\nset-cookie: a=b","data":""}]}"#,
    );
    let response = with(&app, "", "image/svg+xml");
    assert_eq!(response.header("content-security-policy"), Some("sandbox"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    // What cannot be a header is no media type.
    let odd = with(&app, "", "image/*;q=0.1, image/svg+xml;q=0").problem();
    assert_eq!(odd.text("code"), "not_acceptable");
}

#[test]
fn the_envelope_takes_the_same_wishes() {
    let (_upstream, app) = returning(FULL);
    let request = Request::post(&path(SERVER, "call"))
        .header("accept", "text/plain")
        .json(r#"{"name":"echo"}"#);
    assert_eq!(app.request(&request).text(), "one\n\nGrüße");
}

#[test]
fn what_a_result_can_be_is_told_once_and_not_endlessly() {
    let block = |media_type: &str| json!({"type": "image", "mimeType": media_type, "data": "AAAA"});
    let same = std::iter::repeat_n("image/same".to_owned(), 100);
    let others = (0..100).map(|number| format!("image/x{number}"));
    let blocks: Vec<Value> = same.chain(others).map(|kind| block(&kind)).collect();
    let (_upstream, app) = returning(json!({"content": blocks}).to_string().leak());
    let problem = with(&app, "", "audio/wav").problem();
    assert_eq!(
        problem.facts(),
        (406, "not_acceptable", "gateway", "yes", false)
    );
    let available = problem.0["available"].as_array().unwrap();
    let same = available.iter().filter(|&offer| offer == "image/same");
    // 32 of the result, and two kinds of streams.
    assert_eq!((same.count(), available.len()), (1, 34), "{available:?}");
    assert_eq!(
        problem.0["result"]["content"].as_array().unwrap().len(),
        200
    );
}

#[test]
fn what_can_never_be_is_refused_before_anything_runs() {
    let (upstream, app) = returning(FULL);
    for accept in [
        "application/xml",
        "video/*",
        "application/json;q=0, text/html",
    ] {
        let problem = with(&app, "", accept).is_refused(406, "not_acceptable");
        let available: &Value = &problem.0["available"];
        for offer in [
            "application/json",
            STRUCTURED,
            "text/plain",
            "image/*",
            "text/event-stream",
        ] {
            assert!(
                available.as_array().unwrap().contains(&json!(offer)),
                "{available}"
            );
        }
    }
    with(&app, "?result=xml", "").is_refused(400, "invalid_request");
    assert_eq!(upstream.executions(), 0);
}

#[test]
fn what_turns_out_not_to_be_there_is_406_with_the_result_in_it() {
    let (upstream, app) = returning(TEXT);
    for (query, accept) in [
        ("", "image/png"),
        ("", STRUCTURED),
        ("?result=structured", ""),
        ("?result=image", ""),
        ("?result=audio", "*/*"),
    ] {
        let response = with(&app, query, accept);
        let problem = response.problem();
        let facts = (406, "not_acceptable", "gateway", "yes", false);
        assert_eq!(problem.facts(), facts, "{query} {accept}");
        assert_eq!(
            problem.0["available"],
            json!([
                "application/json",
                VALUE,
                "text/plain",
                "text/event-stream",
                "application/x-ndjson"
            ])
        );
        assert!(response.text().contains(&format!("\"result\":{TEXT}")));
        assert!(problem.text("detail").contains("result=value"));
    }
    assert_eq!(upstream.executions(), 5);
}

#[test]
fn a_tool_s_error_is_told_whatever_was_wished() {
    let (_upstream, app) = returning(FAILED);
    let text = with(&app, "", "text/plain");
    assert_eq!((text.status, text.text()), (200, "It failed"));
    assert_eq!(text.header("mcp-tool-error"), Some("true"));
    for (query, accept) in [("", "image/*"), ("?result=structured", "")] {
        let response = with(&app, query, accept);
        let facts = (422, "tool_error", "upstream", "yes", false);
        assert_eq!(response.problem().facts(), facts);
    }
}

/// Results and their values, byte for byte.
const VALUES: [(&str, &str); 8] = [
    (
        r#"{"content":[{"type":"text","text":"{\"n\": 1.10, \"big\": 12345678901234567890123}\n"}]}"#,
        r#"{"n": 1.10, "big": 12345678901234567890123}"#,
    ),
    (TEXT, r#""only text""#),
    (
        r#"{"content":[{"type":"text","text":"42"}],"isError":false}"#,
        "42",
    ),
    (
        r#"{"content":[{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}]}"#,
        r#"{"mimeType":"image/png","data":"iVBORw0KGgo="}"#,
    ),
    (
        r#"{"content":[{"type":"text","text":"a\"b"},{"type":"text","text":"[1]"},{"type":"resource_link","uri":"demo://1","name":"one"}]}"#,
        r#"["a\"b",[1],{"type":"resource_link","uri":"demo://1","name":"one"}]"#,
    ),
    (r#"{"content":[]}"#, "null"),
    (
        r#"{"structuredContent":{"sum": 3.0},"content":[{"type":"text","text":"3"}]}"#,
        r#"{"sum": 3.0}"#,
    ),
    (FAILED, r#""It failed""#),
];

#[test]
fn every_result_has_a_value() {
    for (result, value) in VALUES {
        let (_upstream, app) = returning(result);
        for (query, accept, media_type) in [
            ("?result=value", "", VALUE),
            ("?result=value", "image/png", VALUE),
            ("", VALUE, VALUE),
        ] {
            let response = with(&app, query, accept);
            let found = (
                response.status,
                response.header("content-type"),
                response.text(),
            );
            assert_eq!(found, (200, Some(media_type), value), "{result}");
            let failed = (result == FAILED).then_some("true");
            assert_eq!(response.header("mcp-tool-error"), failed);
        }
        let batch = app.post(
            "/api/batch?result=value",
            &json!({"calls": [{"server": SERVER, "tool": "echo"}]}),
        );
        let error = if result == FAILED {
            r#","toolError":true"#
        } else {
            ""
        };
        assert_eq!(
            batch.text(),
            format!(r#"{{"results":[{{"status":200{error},"body":{value}}}]}}"#)
        );
    }
}

#[test]
fn a_stream_ends_with_the_form_that_is_asked_for() {
    for (result, query, last) in [
        (FULL, "", format!("event: result\ndata: {FULL}\n\n")),
        (
            FULL,
            "?result=value",
            "event: result\ndata: {\"n\": 1.10,\"big\":12345678901234567890123}\n\n".to_owned(),
        ),
        (
            FULL,
            "?result=text",
            "event: result\ndata: \"one\\n\\nGrüße\"\n\n".to_owned(),
        ),
        (
            FULL,
            "?result=audio",
            "event: result\ndata: {\"mimeType\":\"audio/wav\",\"data\":\"UklGRg==\"}\n\n"
                .to_owned(),
        ),
        (
            TEXT,
            "?result=value",
            "event: result\ndata: \"only text\"\n\n".to_owned(),
        ),
    ] {
        let (_upstream, app) = returning(result);
        let stream = with(&app, query, "text/event-stream").text().to_owned();
        assert!(stream.ends_with(&last), "{query} {stream}");
    }
    // A form without a place for it: the problem says that the tool failed.
    let (_upstream, app) = returning(FAILED);
    let stream = with(&app, "?result=value", "application/x-ndjson");
    let stream = stream.text();
    assert!(stream.contains("\"event\":\"error\""), "{stream}");
    assert!(stream.contains("\"code\":\"tool_error\""), "{stream}");
    assert!(stream.contains(FAILED), "{stream}");
    let (_upstream, app) = returning(TEXT);
    let stream = with(&app, "?result=image", "application/x-ndjson");
    assert!(stream.text().contains("\"code\":\"not_acceptable\""));
    assert!(stream.text().contains(TEXT));
}

/// The query overrides `Accept`, which overrides the server, which overrides the gateway.
#[test]
fn the_form_can_be_configured() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.result(FULL)),
        _ => servers::ts_v1_stateless(request, state),
    });
    let url = upstream.url();
    let app = TestApp::spawn(&json!({
        "mcpServers": {
            SERVER: {"url": url},
            "text": {"url": url, "result": "text"},
            "mcp": {"url": url, "result": "mcp"},
            "image": {"url": url, "result": "image"},
            "structured": {"url": url, "result": "structured"},
        },
        "gateway": {"result": "value"},
    }));
    let value = r#"{"n": 1.10,"big":12345678901234567890123}"#;
    let browser = "text/html, application/xhtml+xml, */*;q=0.8";
    for (server, query, accept, media_type, body) in [
        (SERVER, "", "", "application/json", value),
        (SERVER, "", "*/*", "application/json", value),
        (SERVER, "", "application/json", "application/json", value),
        (
            SERVER,
            "",
            "application/json, text/plain, */*",
            "application/json",
            value,
        ),
        (SERVER, "", browser, "application/json", value),
        (SERVER, "", STRUCTURED, STRUCTURED, value),
        (SERVER, "?result=mcp", "", "application/json", FULL),
        (
            SERVER,
            "",
            "text/plain",
            "text/plain; charset=utf-8",
            "one\n\nGrüße",
        ),
        ("text", "", "", "text/plain; charset=utf-8", "one\n\nGrüße"),
        (
            "text",
            "",
            browser,
            "text/plain; charset=utf-8",
            "one\n\nGrüße",
        ),
        ("text", "", "application/json", "application/json", FULL),
        ("text", "", VALUE, VALUE, value),
        ("text", "?result=value", "", VALUE, value),
        ("mcp", "", "", "application/json", FULL),
        ("structured", "", "", "application/json", value),
        (
            "image",
            "",
            "application/json;q=0.5",
            "application/json",
            FULL,
        ),
    ] {
        let request = execute(server, "echo", query).json("{}");
        let request = match accept {
            "" => request,
            accept => request.header("accept", accept),
        };
        let response = app.request(&request);
        let found = (
            response.status,
            response.header("content-type"),
            response.text(),
        );
        assert_eq!(
            found,
            (200, Some(media_type), body),
            "{server} {query} {accept}"
        );
    }
    let image = app.request(&execute("image", "echo", "").json("{}"));
    assert_eq!(image.header("content-type"), Some("image/png"));
    let calls =
        json!({"calls": [{"server": SERVER, "tool": "echo"}, {"server": "text", "tool": "echo"}]});
    let batch = app.post("/api/batch", &calls);
    let expected = format!(
        r#"{{"results":[{{"status":200,"body":{value}}},{{"status":200,"body":"one\n\nGrüße"}}]}}"#
    );
    assert_eq!(batch.text(), expected);
    // JSON-RPC has its own form.
    let rpc =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "echo"}});
    assert!(app.post(&path(SERVER, "rpc"), &rpc).text().contains(FULL));
}
