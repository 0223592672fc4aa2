//! 2026-07-28 on the wire, and what its errors lead to.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, path};
use crate::upstream::modern::VERSION;
use crate::upstream::{
    Modern, Reply, Request, Upstream, as_event, header_mismatch, servers, tools,
    unsupported_version,
};

/// The names of all headers but those of HTTP itself.
fn header_names(request: &Request) -> Vec<String> {
    let http = [
        "host",
        "content-length",
        "accept-encoding",
        "user-agent",
        "connection",
        "date",
    ];
    let mut names: Vec<String> = request
        .headers
        .0
        .iter()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    names.retain(|name| !http.contains(&name.as_str()));
    names.sort();
    names
}

#[test]
fn headers_and_meta_are_exactly_what_the_revision_demands() {
    let upstream = Upstream::start(servers::ts_v2);
    TestApp::over(&upstream).echo().ok();
    assert_eq!(
        upstream.order(),
        ["server/discover", "tools/list", "tools/call"]
    );
    let mut ids = Vec::new();
    for request in upstream.requests() {
        let mut names = vec![
            "accept",
            "content-type",
            "mcp-method",
            "mcp-protocol-version",
        ];
        if request.rpc() == "tools/call" {
            names.insert(3, "mcp-name");
        }
        assert_eq!(header_names(&request), names);
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/mcp")
        );
        assert_eq!(
            request.header("accept"),
            Some("application/json, text/event-stream")
        );
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.header("mcp-protocol-version"), Some(VERSION));
        assert_eq!(request.header("mcp-method"), Some(request.rpc()));
        let meta = &request.message["params"]["_meta"];
        assert_eq!(meta["io.modelcontextprotocol/protocolVersion"], VERSION);
        assert_eq!(
            meta["io.modelcontextprotocol/clientCapabilities"],
            json!({})
        );
        assert_eq!(
            meta["io.modelcontextprotocol/clientInfo"]["name"],
            "mcp-rest"
        );
        assert_eq!(request.message["jsonrpc"], "2.0");
        ids.push(request.message["id"].as_str().unwrap().to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let call = upstream.only("tools/call");
    assert_eq!(call.header("mcp-name"), Some("echo"));
    assert_eq!(
        call.message["params"]["arguments"],
        json!({"message": "hi"})
    );
}

#[test]
fn the_callers_meta_is_kept_beside_ours() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let meta = json!({"progressToken": 7, "com.example/x": {"b": 1, "a": 1.5}});
    app.call(
        SERVER,
        &json!({"name": "echo", "arguments": {"message": "hi"}, "_meta": meta}),
    )
    .ok();
    let sent = &upstream.only("tools/call").message["params"]["_meta"];
    assert_eq!(
        (&sent["progressToken"], &sent["com.example/x"]),
        (&meta["progressToken"], &meta["com.example/x"])
    );
    assert_eq!(sent["io.modelcontextprotocol/protocolVersion"], VERSION);
}

#[test]
fn a_caller_cannot_change_the_protocols_own_meta() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "1999-01-01"});
    let response = app.call(SERVER, &json!({"name": "echo", "_meta": meta}));
    assert!(matches!(response.status, 200 | 400), "{}", response.text());
    for call in upstream.received("tools/call") {
        assert!(!call.body.contains("1999-01-01"), "{}", call.body);
    }
}

#[test]
fn names_outside_plain_ascii_are_sent_in_base64() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for (tool, header) in [("grüße", "=?base64?Z3LDvMOfZQ==?="), ("a/b c", "a/b c")] {
        app.execute(SERVER, tool, &json!({})).ok();
        assert_eq!(
            upstream
                .received("tools/call")
                .last()
                .unwrap()
                .header("mcp-name"),
            Some(header)
        );
    }
}

#[test]
fn annotated_arguments_are_mirrored_into_headers() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for (arguments, region, count, dry) in [
        (
            json!({"region": "us-east 1", "count": 3, "dry": true}),
            Some("us-east 1"),
            Some("3"),
            Some("true"),
        ),
        (
            json!({"region": "ü", "count": -7, "dry": false}),
            Some("=?base64?w7w=?="),
            Some("-7"),
            Some("false"),
        ),
        (
            json!({"region": " x", "count": 0}),
            Some("=?base64?IHg=?="),
            Some("0"),
            None,
        ),
        (
            json!({"region": "a\r\nb: c"}),
            Some("=?base64?YQ0KYjogYw==?="),
            None,
            None,
        ),
        (
            json!({"region": "=?base64?eA==?="}),
            Some("=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
            None,
            None,
        ),
        (json!({"region": "", "count": null}), Some(""), None, None),
        (json!({}), None, None, None),
    ] {
        app.execute(SERVER, "deploy", &arguments).ok();
        let calls = upstream.received("tools/call");
        let call = calls.last().unwrap();
        assert_eq!(call.header("mcp-param-region"), region, "{arguments}");
        assert_eq!(call.header("mcp-param-count"), count, "{arguments}");
        assert_eq!(call.header("mcp-param-dry"), dry, "{arguments}");
    }
}

#[test]
fn the_first_call_of_an_annotated_tool_is_right_at_once() {
    let upstream = Upstream::start(servers::ts_v2);
    TestApp::over(&upstream)
        .execute(SERVER, "deploy", &json!({"region": "us"}))
        .ok();
    assert_eq!(
        upstream.only("tools/call").header("mcp-param-region"),
        Some("us")
    );
}

#[test]
fn tool_lists_are_not_fetched_for_every_call() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    for _ in 0..5 {
        app.echo().ok();
    }
    assert_eq!(
        (upstream.count("tools/list"), upstream.executions()),
        (1, 5)
    );
}

/// A list with one page less than the tool needs.
fn page(
    request: &Request,
    cursor: Option<&str>,
    next: Option<&str>,
    definitions: &[&str],
) -> Option<Reply> {
    let asked = request.message["params"]["cursor"].as_str();
    let next = next
        .map(|next| format!(r#","nextCursor":"{next}""#))
        .unwrap_or_default();
    (request.rpc() == "tools/list" && asked == cursor).then(|| {
        let tools = definitions.join(",");
        Reply::json(
            200,
            request.result(&format!(
                r#"{{"resultType":"complete","tools":[{tools}]{next}}}"#
            )),
        )
    })
}

#[test]
fn an_annotated_tool_on_a_later_page_is_found() {
    let upstream = Upstream::start(|request, state| {
        let deploy = tools::find("deploy").unwrap().definition;
        page(request, None, Some("2"), &[])
            .or_else(|| page(request, Some("2"), None, &[deploy]))
            .unwrap_or_else(|| servers::ts_v2(request, state))
    });
    TestApp::over(&upstream)
        .execute(SERVER, "deploy", &json!({"region": "us"}))
        .ok();
    assert_eq!(
        upstream.only("tools/call").header("mcp-param-region"),
        Some("us")
    );
}

// === -32020 ===

#[test]
fn a_header_mismatch_leads_to_one_fresh_list_and_one_more_try() {
    let upstream = Upstream::start(|request, state| {
        let old = r#"{"name":"deploy","inputSchema":{"type":"object"}}"#;
        let first = state.count("tools/list") == 1;
        page(request, None, None, &[old])
            .filter(|_| first)
            .unwrap_or_else(|| servers::ts_v2(request, state))
    });
    let app = TestApp::over(&upstream);
    app.execute(SERVER, "deploy", &json!({"region": "us"})).ok();
    assert_eq!(
        upstream.order(),
        [
            "server/discover",
            "tools/list",
            "tools/call",
            "tools/list",
            "tools/call"
        ]
    );
    assert_eq!(upstream.executions(), 1);
    let calls = upstream.received("tools/call");
    assert_ne!(calls[0].message["id"], calls[1].message["id"]);
    assert_eq!(calls[1].header("mcp-param-region"), Some("us"));
}

#[test]
fn a_header_mismatch_that_stays_is_an_error() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => header_mismatch(request, "for ever"),
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    let problem = app
        .execute(SERVER, "deploy", &json!({"region": "us"}))
        .is_refused(502, "upstream_error");
    assert_eq!(problem.0["upstream"]["jsonrpc"]["code"], -32020);
    assert_eq!(
        (upstream.count("tools/call"), upstream.executions()),
        (2, 0)
    );
}

// === -32022 ===

#[test]
fn an_unsupported_version_that_names_ours_is_tried_once_more() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if state.count("tools/call") == 1 => unsupported_version(request, &[VERSION]),
        _ => servers::ts_v2(request, state),
    });
    TestApp::over(&upstream).echo().ok();
    assert_eq!(
        (upstream.count("tools/call"), upstream.executions()),
        (2, 1)
    );
}

#[test]
fn an_unsupported_version_that_stays_is_an_error() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => unsupported_version(request, &[VERSION]),
        _ => servers::ts_v2(request, state),
    });
    let problem = TestApp::over(&upstream)
        .echo()
        .is_refused(502, "upstream_error");
    assert_eq!(problem.0["upstream"]["jsonrpc"]["code"], -32022);
    assert_eq!(upstream.count("tools/call"), 2);
}

// === Tools that must not be used ===

const BROKEN: &str = r#"{"name":"broken","inputSchema":{"type":"object","properties":{"n":{"type":"number","x-mcp-header":"N"}}}}"#;
const FINE: &str = r#"{"name":"fine", "inputSchema":{"type":"object","maximum":1.10}}"#;

fn with_a_broken_tool() -> Upstream {
    Upstream::start(|request, state| {
        page(request, None, None, &[BROKEN, FINE]).unwrap_or_else(|| servers::ts_v2(request, state))
    })
}

#[test]
fn tools_with_broken_annotations_are_left_out_of_lists() {
    let app_of = |upstream: &Upstream| TestApp::over(upstream);
    let upstream = with_a_broken_tool();
    for query in ["tools", "tools?all=true"] {
        let response = app_of(&upstream).get(&path(SERVER, query));
        assert_eq!(response.ok()["tools"].as_array().unwrap().len(), 1);
        assert!(response.text().contains(FINE), "{}", response.text());
    }
}

#[test]
fn tools_with_broken_annotations_are_not_there() {
    let upstream = with_a_broken_tool();
    let app = TestApp::over(&upstream);
    app.get(&path(SERVER, "tools/broken"))
        .is_refused(404, "tool_not_found");
    app.execute(SERVER, "broken", &json!({"n": 1}))
        .is_refused(404, "tool_not_found");
    assert_eq!(upstream.executions(), 0);
}

// === Results ===

#[test]
fn answers_on_a_stream_are_understood() {
    let upstream = Upstream::start(|request, state| {
        Modern {
            frame: as_event,
            ..Modern::ONLY
        }
        .answer(request, state)
    });
    assert_eq!(
        TestApp::over(&upstream).echo().ok()["resultType"],
        "complete"
    );
}

fn giving(result: &'static str) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.result(result)),
        _ => servers::ts_v2(request, state),
    })
}

#[test]
fn a_result_of_an_unknown_type_is_invalid() {
    let problem = TestApp::over(&giving(r#"{"resultType":"task","content":[]}"#))
        .echo()
        .problem();
    assert_eq!(
        (problem.0["status"].clone(), problem.text("code")),
        (json!(502), "upstream_invalid_response")
    );
}

#[test]
fn a_server_that_wants_input_is_409_with_all_it_said() {
    const REQUESTS: &str =
        r#"{"name":{"method":"elicitation/create","params":{"message":"Who?","n":1.10}}}"#;
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" if request.message["params"]["requestState"].is_null() => {
            let result = format!(
                r#"{{"resultType":"input_required","inputRequests":{REQUESTS},"requestState":"s/+\u00fc=="}}"#
            );
            Reply::json(200, request.result(&result))
        }
        _ => servers::ts_v2(request, state),
    });
    let app = TestApp::over(&upstream);
    let response = app.echo();
    let problem = response.is_refused(409, "input_required");
    assert_eq!(
        problem.0["inputRequests"],
        serde_json::from_str::<Value>(REQUESTS).unwrap()
    );
    assert!(response.text().contains("1.10"), "{}", response.text());
    assert_eq!(problem.0["requestState"], "s/+ü==");

    let answers = json!({"name": {"action": "accept", "content": {"name": "x"}}});
    let envelope = json!({
        "name": "echo", "arguments": {"message": "hi"},
        "inputResponses": answers, "requestState": "s/+ü==",
    });
    app.call(SERVER, &envelope).ok();
    let calls = upstream.received("tools/call");
    assert_eq!(calls[1].message["params"]["inputResponses"], answers);
    assert_eq!(calls[1].message["params"]["requestState"], "s/+ü==");
    assert_ne!(calls[0].message["id"], calls[1].message["id"]);
}

#[test]
fn initialize_on_a_modern_server_is_discovery() {
    let upstream = Upstream::start(servers::ts_v2_legacy_reject);
    let body = TestApp::over(&upstream).initialize(SERVER).ok();
    assert_eq!(body["supportedVersions"], json!([VERSION]));
    assert!(body["sessionId"].is_null());
    assert!(
        upstream
            .order()
            .iter()
            .all(|name| name == "server/discover"),
        "{:?}",
        upstream.order()
    );
}
