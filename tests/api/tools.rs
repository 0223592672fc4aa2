//! Lists of tools, and one tool of them.

use serde_json::json;

use crate::app::{SERVER, TestApp, encode, path};
use crate::upstream::{Reply, Request, Upstream, servers, tools};

/// A stateless legacy server with this list of pages: cursor, result.
fn with_pages(pages: &'static [(Option<&str>, &str)]) -> Upstream {
    Upstream::start(move |request, state| {
        if request.rpc() != "tools/list" {
            return servers::ts_v1_stateless(request, state);
        }
        let cursor = request.message["params"]["cursor"].as_str();
        match pages.iter().find(|(at, _)| *at == cursor) {
            Some((_, result)) => Reply::json(200, request.result(result)),
            None => Reply::json(200, request.error(-32602, "Invalid cursor")),
        }
    })
}

const PAGES: &[(Option<&str>, &str)] = &[
    (None, r#"{"tools":[{"name":"a","n":1.10}],"nextCursor":""}"#),
    (
        Some(""),
        r#"{"tools":[{"name":"b"}, {"name":"c","x":12345678901234567890123}],"nextCursor":"p/3+ü&=x"}"#,
    ),
    (
        Some("p/3+ü&=x"),
        r#"{"tools":[{"name":"grüße"}],"nextCursor":null,"_meta":{"k":1}}"#,
    ),
];

fn cursors(upstream: &Upstream) -> Vec<Option<String>> {
    let cursor = |request: &Request| {
        request.message["params"]["cursor"]
            .as_str()
            .map(str::to_owned)
    };
    upstream.received("tools/list").iter().map(cursor).collect()
}

#[test]
fn a_list_is_the_servers_own_result() {
    for (name, row) in servers::STATEFUL.into_iter().chain(servers::STATELESS) {
        let response = TestApp::over(&Upstream::start(row)).tools(SERVER);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert_eq!(
            response.text(),
            format!(r#"{{"tools":{}}}"#, tools::list()),
            "{name}"
        );
    }
    for (name, row) in servers::MODERN {
        let response = TestApp::over(&Upstream::start(row)).tools(SERVER);
        assert_eq!(response.status, 200, "{name}: {}", response.text());
        assert!(response.text().contains(&tools::list()), "{name}");
        assert_eq!(response.json()["cacheScope"], "private", "{name}");
    }
}

#[test]
fn a_cursor_is_passed_on_as_it_is_and_an_empty_one_is_one() {
    let upstream = with_pages(PAGES);
    let app = TestApp::over(&upstream);
    for (query, page) in [
        ("tools".to_owned(), 0),
        ("tools?cursor=".to_owned(), 1),
        (format!("tools?cursor={}", encode("p/3+ü&=x")), 2),
    ] {
        let response = app.get(&path(SERVER, &query));
        assert_eq!((response.status, response.text()), (200, PAGES[page].1));
    }
    assert_eq!(
        cursors(&upstream),
        PAGES
            .iter()
            .map(|(cursor, _)| cursor.map(str::to_owned))
            .collect::<Vec<_>>()
    );
}

#[test]
fn all_follows_every_page() {
    let upstream = with_pages(PAGES);
    let response = TestApp::over(&upstream).get(&path(SERVER, "tools?all=true"));
    let body = response.ok();
    let names: Vec<&str> = body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|tool| tool["name"].as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c", "grüße"]);
    assert!(body["nextCursor"].is_null(), "{body}");
    for definition in [
        r#"{"name":"a","n":1.10}"#,
        r#"{"name":"c","x":12345678901234567890123}"#,
    ] {
        assert!(response.text().contains(definition), "{}", response.text());
    }
}

#[test]
fn all_in_a_session_of_its_own_uses_one() {
    let upstream = Upstream::start(|request, state| {
        let paged = request.rpc() == "tools/list" && request.header("mcp-session-id").is_some();
        match request.message["params"]["cursor"].as_str() {
            None if paged => Reply::json(
                200,
                request.result(r#"{"tools":[{"name":"a"}],"nextCursor":"2"}"#),
            ),
            _ => servers::ts_v1_stateful(request, state),
        }
    });
    let app = TestApp::over(&upstream);
    let body = app.get(&path(SERVER, "tools?all=true")).ok();
    assert_eq!(
        body["tools"].as_array().unwrap().len(),
        1 + tools::TOOLS.len()
    );
    upstream.wait_until_no_session_is_left();
    assert_eq!(upstream.opened().len(), 1);
}

#[test]
fn pages_without_end_are_given_up() {
    for page in [
        r#"{"tools":[],"nextCursor":"again"}"#,
        r#"{"tools":[{"name":"a"}],"nextCursor":"again"}"#,
    ] {
        let upstream = Upstream::start(move |request, state| match request.rpc() {
            "tools/list" => Reply::json(200, request.result(page)),
            _ => servers::ts_v1_stateless(request, state),
        });
        let problem = TestApp::over(&upstream)
            .get(&path(SERVER, "tools?all=true"))
            .problem();
        assert_eq!(problem.text("code"), "upstream_invalid_response");
        assert_eq!(problem.text("title"), "Failed to list tools");
    }
}

#[test]
fn one_tool_is_its_definition_from_whatever_page() {
    let upstream = with_pages(PAGES);
    let app = TestApp::over(&upstream);
    for (name, definition) in [
        ("a", r#"{"name":"a","n":1.10}"#),
        ("c", r#"{"name":"c","x":12345678901234567890123}"#),
        ("grüße", r#"{"name":"grüße"}"#),
    ] {
        let response = app.get(&path(SERVER, &format!("tools/{}", encode(name))));
        let unclosed = definition.strip_suffix('}').unwrap();
        let rest = response.text().strip_prefix(unclosed);
        assert_eq!(response.status, 200);
        assert!(
            rest.is_some_and(|rest| rest.starts_with(",\"example\":{")),
            "{}",
            response.text()
        );
    }
}

#[test]
fn a_tool_that_is_not_there_is_404_with_what_may_be_meant() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let problem = app
            .get(&path(SERVER, "tools/ECHO"))
            .is_refused(404, "tool_not_found");
        assert_eq!(problem.text("title"), "Tool not found", "{name}");
        assert_eq!(problem.did_you_mean(), ["echo"], "{name}");
        let problem = app
            .get(&path(SERVER, "tools/no_such_tool_xyz"))
            .is_refused(404, "tool_not_found");
        assert_eq!(problem.did_you_mean(), Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_list_that_fails_says_so() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.error(-32603, "no")),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    for query in ["tools", "tools?all=true", "tools/echo"] {
        let problem = app.get(&path(SERVER, query)).problem();
        assert_eq!(
            (problem.text("code"), problem.text("title")),
            ("upstream_error", "Failed to list tools")
        );
        assert_eq!(problem.0["upstream"]["jsonrpc"]["code"], -32603);
    }
}

#[test]
fn a_server_without_tools_is_501() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/list" => Reply::json(200, request.error(-32601, "Method not found")),
        _ => servers::ts_v1_stateless(request, state),
    });
    TestApp::over(&upstream)
        .tools(SERVER)
        .is_refused(501, "not_supported");
}

#[test]
fn a_cursor_that_a_server_refuses_is_an_error() {
    let upstream = with_pages(PAGES);
    let problem = TestApp::over(&upstream)
        .get(&path(SERVER, "tools?cursor=CURSOR-SECRET"))
        .problem();
    assert_eq!(
        problem.0["upstream"]["jsonrpc"],
        json!({"code": -32602, "message": "Invalid cursor", "data": null})
    );
    assert!(
        !problem.0.to_string().contains("CURSOR-SECRET"),
        "{}",
        problem.0
    );
}
