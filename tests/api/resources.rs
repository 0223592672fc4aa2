//! Resources: listed, expanded from templates, and read as MCP's result or as the content itself.

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, encode, path};
use crate::http::{Request, Response};
use crate::upstream::servers::Behaviour;
use crate::upstream::{Modern, Reply, Upstream, servers};

const TEXT: &str = r##"{"contents":[{"uri":"demo://a.md","mimeType":"text/markdown","text":"# Grüße","_meta":{"n":1.10}}],"ttlMs":60000,"cacheScope":"public"}"##;
const BLOB: &str =
    r#"{"contents":[{"uri":"demo://p.png","mimeType":"image/png","blob":"iVBORw0KGgo="}]}"#;
const BOTH: &str = r#"{"contents":[{"uri":"demo://b","mimeType":"text/html","text":"<p>"},{"uri":"demo://b","mimeType":"image/gif","blob":"R0lG"}]}"#;
const BARE: &str = r#"{"contents":[{"uri":"demo://n","text":"plain"}]}"#;
const BROKEN: &str = r#"{"contents":[{"uri":"demo://x","mimeType":"image/png","blob":"%%%"}]}"#;

/// A legacy and a modern server with these resources.
const BOTH_ERAS: [(&str, Behaviour, i64); 2] = [
    ("legacy", servers::ts_v1_stateless, -32002),
    ("modern", servers::ts_v2, -32602),
];

fn serving(behaviour: Behaviour, unknown: i64) -> Upstream {
    Upstream::start(move |request, state| {
        match request.rpc() {
        "resources/list" => Reply::json(
            200,
            request.result(match request.message["params"]["cursor"].as_str() {
                Some("2") => r#"{"resources":[{"uri":"demo://b","name":"b"}]}"#,
                _ => r#"{"resources":[{"uri":"demo://a.md","name":"a","size":1e3}],"nextCursor":"2"}"#,
            }),
        ),
        "resources/templates/list" => Reply::json(
            200,
            request.result(r#"{"resourceTemplates":[{"uriTemplate":"demo://{id}","name":"t"}]}"#),
        ),
        "resources/read" => {
            let uri = request.message["params"]["uri"].as_str().unwrap_or_default();
            let result = match uri {
                "demo://a.md" => TEXT,
                "demo://p.png" => BLOB,
                "demo://b" => BOTH,
                "demo://n" => BARE,
                "demo://x" => BROKEN,
                _ => return Reply::json(200, request.error(unknown, "Resource not found")),
            };
            Reply::json(200, request.result(result))
        }
        _ => behaviour(request, state),
    }
    })
}

fn legacy() -> Upstream {
    serving(servers::ts_v1_stateless, -32002)
}

fn read(uri: &str) -> Request {
    Request::get(&path(
        SERVER,
        &format!("resources/read?uri={}", encode(uri)),
    ))
}

#[test]
fn lists_are_the_server_s_own_bytes_in_both_eras() {
    for (era, behaviour, unknown) in BOTH_ERAS {
        let upstream = serving(behaviour, unknown);
        let app = TestApp::over(&upstream);
        let first = app.get(&path(SERVER, "resources"));
        let bytes =
            r#"{"resources":[{"uri":"demo://a.md","name":"a","size":1e3}],"nextCursor":"2"}"#;
        assert_eq!((first.status, first.text()), (200, bytes), "{era}");
        let second = app.get(&path(SERVER, "resources?cursor=2")).ok();
        assert_eq!(second["resources"][0]["name"], "b", "{era}");
        let all = app.get(&path(SERVER, "resources?all=true"));
        let joined = r#"{"resources":[{"uri":"demo://a.md","name":"a","size":1e3},{"uri":"demo://b","name":"b"}]}"#;
        assert_eq!(all.text(), joined, "{era}");
        let templates = app.get(&path(SERVER, "resources/templates")).ok();
        assert_eq!(
            templates["resourceTemplates"][0]["uriTemplate"],
            "demo://{id}"
        );
    }
}

#[test]
fn a_resource_is_the_server_s_result_unless_more_is_asked() {
    for (era, behaviour, unknown) in BOTH_ERAS {
        let upstream = serving(behaviour, unknown);
        let app = TestApp::over(&upstream);
        for request in [
            read("demo://a.md"),
            read("demo://a.md").header("accept", "*/*"),
            read("demo://a.md").header("accept", "text/markdown;q=0.5, application/json"),
        ] {
            let response = app.request(&request);
            assert_eq!((response.status, response.text()), (200, TEXT), "{era}");
            assert_eq!(response.headers.media_type(), Some("application/json"));
        }
        let sent = &upstream.received("resources/read")[0];
        assert_eq!(sent.message["params"]["uri"], "demo://a.md");
        let header = sent.header("mcp-name");
        assert_eq!(header, (era == "modern").then_some("demo://a.md"), "{era}");
    }
}

#[test]
fn the_content_comes_as_what_it_is() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    for (uri, accept, media_type, disposition, body) in [
        (
            "demo://a.md",
            "text/*",
            "text/markdown; charset=utf-8",
            "inline; filename=\"a.md\"",
            "# Grüße".as_bytes(),
        ),
        (
            "demo://p.png",
            "image/png",
            "image/png",
            "inline; filename=\"p.png\"",
            b"\x89PNG\r\n\x1a\n",
        ),
        (
            "demo://b",
            "image/*, text/html;q=0.9",
            "image/gif",
            "inline; filename=\"b\"",
            b"GIF",
        ),
        (
            "demo://b",
            "text/html",
            "text/html; charset=utf-8",
            "attachment; filename=\"b\"",
            b"<p>",
        ),
        (
            "demo://n",
            "text/plain",
            "text/plain; charset=utf-8",
            "inline; filename=\"n\"",
            b"plain",
        ),
    ] {
        let response = app.request(&read(uri).header("accept", accept));
        assert_eq!(
            (response.status, &response.body[..]),
            (200, body),
            "{uri} {accept}"
        );
        assert_eq!(response.header("content-type"), Some(media_type));
        assert_eq!(response.header("content-disposition"), Some(disposition));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(response.header("content-security-policy"), Some("sandbox"));
        assert_eq!(response.header("vary"), Some("Accept"));
    }
    let asked = app.get(&path(
        SERVER,
        "resources/read?uri=demo%3A%2F%2Fp.png&result=content",
    ));
    assert_eq!(asked.header("content-type"), Some("image/png"));
    let whole = read("demo://p.png").header("accept", "image/png");
    let forced =
        Request::get(&format!("{}&result=mcp", whole.target)).header("accept", "image/png");
    assert_eq!(app.request(&forced).text(), BLOB);
}

#[test]
fn what_there_is_not_is_406_and_names_what_there_is() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    let response = app.request(&read("demo://b").header("accept", "audio/*, text/html;q=0"));
    let problem = response.problem();
    assert_eq!(
        problem.facts(),
        (406, "not_acceptable", "gateway", "yes", false)
    );
    let available = json!(["application/json", "text/html", "image/gif"]);
    assert_eq!(problem.0["available"], available);
}

#[test]
fn a_content_that_is_no_base64_is_the_server_s_fault() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    let response = app.request(&read("demo://x").header("accept", "image/png"));
    let facts = (502, "upstream_invalid_response", "upstream", "yes", false);
    assert_eq!(response.problem().facts(), facts);
}

#[test]
fn what_the_caller_has_already_is_304() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    let first = app.request(&read("demo://a.md"));
    let tag = first.header("etag").unwrap().to_owned();
    assert_eq!(first.header("cache-control"), Some("public, max-age=60"));
    let untold = app.request(&read("demo://p.png"));
    assert_eq!(untold.header("cache-control"), Some("private, no-cache"));
    let with = |tag: &str| app.request(&read("demo://a.md").header("if-none-match", tag));
    for known in [&tag, &format!("W/{tag}"), &format!("\"x\", {tag}"), "*"] {
        let response: Response = with(known);
        assert_eq!((response.status, response.body.len()), (304, 0), "{known}");
        assert_eq!(response.header("etag"), Some(tag.as_str()));
        assert_eq!(response.header("content-type"), None);
    }
    assert_eq!(with("\"other\"").status, 200);
    // The content is something else than the result, and so is its tag.
    let content = app.request(&read("demo://a.md").header("accept", "text/markdown"));
    assert_ne!(content.header("etag"), Some(tag.as_str()));
}

#[test]
fn an_unknown_resource_is_404_in_the_codes_of_both_eras() {
    for (era, behaviour, _) in BOTH_ERAS {
        for code in [-32002, -32602] {
            let upstream = serving(behaviour, code);
            let app = TestApp::over(&upstream);
            let problem = app
                .request(&read("demo://nowhere/else"))
                .is_refused(404, "resource_not_found");
            assert_eq!(problem.0["upstream"]["jsonrpc"]["code"], code, "{era}");
            assert_eq!(problem.text("title"), "Resource not found", "{era}");
        }
        // Python SDK 1 says 0 to every failure: there its lists decide.
        let upstream = serving(behaviour, 0);
        let app = TestApp::over(&upstream);
        let problem = app.request(&read("other://x"));
        problem.is_refused(404, "resource_not_found");
        let problem = app.request(&read("demo://in-the-template")).problem();
        assert_eq!(
            (problem.text("code"), problem.0["status"].as_u64()),
            ("upstream_error", Some(502))
        );
    }
}

#[test]
fn templates_are_expanded_as_rfc_6570_says() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    for (query, uri) in [
        (
            "template=demo%3A%2F%2F%7Bid%7D&id=a%20b%2Fc",
            "demo://a%20b%2Fc",
        ),
        (
            "template=file%3A%2F%2F%7B%2Bpath%7D&path=/a/b",
            "file:///a/b",
        ),
        ("template=x%3A%7B%3Fq*%7D&q=1&q=2", "x:?q=1&q=2"),
        ("template=x%3A%7B%23f%7D&f=%C3%BC", "x:#%C3%BC"),
        ("template=x%3A%7Ba%7D/%7Bmissing%7D&a=1", "x:1/"),
        ("template=x%3A%7Btemplate%7D&arg.template=t", "x:t"),
    ] {
        let target = path(SERVER, &format!("resources/templates/expand?{query}"));
        assert_eq!(app.get(&target).ok(), json!({"uri": uri}), "{query}");
    }
    for query in ["", "template=x%7B"] {
        let target = path(SERVER, &format!("resources/templates/expand?{query}"));
        app.get(&target).is_refused(400, "invalid_request");
    }
    let nowhere = path("nope", "resources/templates/expand?template=x");
    app.get(&nowhere).is_refused(404, "server_not_found");
    assert_eq!(upstream.requests().len(), 0, "no server is asked");
}

#[test]
fn a_resource_is_read_by_template_too() {
    let upstream = legacy();
    let app = TestApp::over(&upstream);
    let target = "resources/read?template=demo%3A%2F%2F%7Bid%7D&id=b&timeoutMs=5000";
    assert_eq!(app.get(&path(SERVER, target)).text(), BOTH);
    for (query, why) in [
        ("", "neither"),
        ("?uri=", "empty"),
        ("?uri=a%3Ab&template=c", "both"),
        ("?uri=a%3Ab&result=text", "no such form"),
        ("?uri=a%3Ab&uri=c", "twice"),
    ] {
        let target = path(SERVER, &format!("resources/read{query}"));
        let problem = app.get(&target).is_refused(400, "invalid_request");
        assert!(!problem.text("detail").is_empty(), "{why}");
    }
}

#[test]
fn a_server_without_resources_is_501() {
    let modern: Behaviour = |request, state| Modern::ONLY.answer(request, state);
    for (era, behaviour) in [("modern", modern), ("legacy", servers::ts_v1_stateless)] {
        let upstream = Upstream::start(behaviour);
        let app = TestApp::over(&upstream);
        for target in ["resources", "resources/templates", "prompts"] {
            let problem = app
                .get(&path(SERVER, target))
                .is_refused(501, "not_supported");
            assert_eq!(problem.0["upstream"]["jsonrpc"]["code"], -32601, "{era}");
        }
        let problem: Value = app
            .request(&read("demo://a"))
            .is_refused(501, "not_supported")
            .0;
        assert_eq!(problem["server"], SERVER);
    }
}

#[test]
fn a_session_that_was_opened_for_what_cannot_be_given_is_ended() {
    let upstream = serving(servers::ts_v1_stateful, -32002);
    let app = TestApp::over(&upstream);
    let target = path(SERVER, "resources/read?uri=demo%3A%2F%2Fb&init=true");
    let refused = app.request(&Request::get(&target).header("accept", "audio/*"));
    assert_eq!((refused.status, refused.session()), (406, None));
    upstream.wait_until_no_session_is_left();
}
