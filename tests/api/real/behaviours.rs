//! What is asked of every real server. Each behaviour ends the sessions that it opens and leaves the service and the
//! server as it found them.

use serde_json::{Value, json};

use super::Server;
use crate::app::{SERVER, TestApp, path};
use crate::http::{Request, Response};

/// A behaviour and its name.
type Named = (&'static str, fn(&TestApp, &Server));

macro_rules! named {
    ($($behaviour:ident),* $(,)?) => { [$((stringify!($behaviour), $behaviour)),*] };
}

/// Every behaviour.
pub const ALL: [Named; 20] = named![
    lists_its_tools,
    lists_every_page_as_one,
    describes_one_tool,
    describes_no_unknown_tool,
    documents_every_schema,
    answers_a_one_shot_call,
    answers_the_envelope,
    gives_structured_content,
    keeps_unicode_in_arguments,
    keeps_unicode_in_tool_names,
    repeats_arguments_in_headers,
    says_that_a_tool_is_unknown,
    hands_on_the_errors_of_tools,
    says_what_the_handshake_says,
    keeps_a_session_across_calls,
    knows_no_ended_session,
    knows_no_bogus_session,
    hands_out_the_session_of_init_true,
    wants_a_session_with_init_false,
    answers_a_ping,
];

const NO_SUCH_SESSION: &str = "00000000-0000-4000-8000-000000000000";

// === Lists ===

fn lists_its_tools(app: &TestApp, server: &Server) {
    let names = names(&every_page(app).concat());
    let (structured, ..) = server.tools.structured;
    let (failing, _) = server.tools.failing;
    for name in [Some("echo"), Some(structured), Some(failing)]
        .into_iter()
        .chain([server.tools.greeting])
        .flatten()
    {
        assert!(names.iter().any(|listed| listed == name), "{names:?}");
    }
}

fn lists_every_page_as_one(app: &TestApp, server: &Server) {
    let pages = every_page(app);
    assert_eq!(pages.len() > 1, server.has_pages, "{pages:?}");
    let whole = app.get(&path(SERVER, "tools?all=true")).ok();
    assert_eq!(whole["tools"], Value::Array(pages.concat()));
    assert_eq!(whole.get("nextCursor"), None, "{whole}");
}

fn describes_one_tool(app: &TestApp, _: &Server) {
    let listed = every_page(app).concat();
    for tool in listed {
        let name = crate::app::encode(tool["name"].as_str().unwrap());
        let mut described = app.get(&path(SERVER, &format!("tools/{name}"))).ok();
        let example = described.as_object_mut().unwrap().shift_remove("example");
        assert_eq!(described, tool);
        let example = example.unwrap();
        let url = example["url"].as_str().unwrap();
        assert!(
            url.ends_with(&path(SERVER, &format!("tools/{name}/execute"))),
            "{url}"
        );
    }
}

fn documents_every_schema(app: &TestApp, _: &Server) {
    crate::documents::holds_all_schemas(app, SERVER);
}

fn describes_no_unknown_tool(app: &TestApp, _: &Server) {
    let problem = app
        .get(&path(SERVER, "tools/ecko"))
        .is_refused(404, "tool_not_found");
    assert_eq!(problem.did_you_mean(), ["echo"]);
}

/// The tools of each page, followed as a caller does.
fn every_page(app: &TestApp) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut page = app.tools(SERVER).ok();
    loop {
        pages.push(page["tools"].as_array().unwrap().clone());
        let Some(cursor) = page["nextCursor"].as_str() else {
            return pages;
        };
        let query = format!("tools?cursor={}", crate::app::encode(cursor));
        page = app.get(&path(SERVER, &query)).ok();
    }
}

fn names(tools: &[Value]) -> Vec<String> {
    let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
    tools.iter().map(name).collect()
}

// === Calls ===

fn answers_a_one_shot_call(app: &TestApp, server: &Server) {
    let response = app.echo();
    is_echo(&response, server);
    assert_eq!(response.session(), None, "the session is not the caller's");
    let result = response.ok();
    assert_eq!(
        result["resultType"] == "complete",
        server.is_modern,
        "{result}"
    );
}

fn answers_the_envelope(app: &TestApp, server: &Server) {
    let envelope = json!({"name": "echo", "arguments": {"message": "hi"}});
    is_echo(&app.call(SERVER, &envelope), server);
}

fn gives_structured_content(app: &TestApp, server: &Server) {
    let (tool, arguments, content) = server.tools.structured;
    let result = app.execute(SERVER, tool, &parse(arguments)).ok();
    assert_eq!(result["structuredContent"], parse(content));
}

fn keeps_unicode_in_arguments(app: &TestApp, server: &Server) {
    let message = "grüße 挨拶 🎉 \u{2028}\u{feff}\"\\\r\n";
    let response = app.execute(SERVER, "echo", &json!({"message": message}));
    let echoed = format!("{}{message}", server.tools.echo_prefix);
    assert_eq!(text(&response.ok()), echoed);
}

fn keeps_unicode_in_tool_names(app: &TestApp, server: &Server) {
    let Some(tool) = server.tools.greeting else {
        return;
    };
    let arguments = json!({"name": "Zoë"});
    let envelope = json!({"name": tool, "arguments": arguments});
    for response in [
        app.execute(SERVER, tool, &arguments),
        app.call(SERVER, &envelope),
    ] {
        assert_eq!(text(&response.ok()), "Grüße, Zoë! 👋");
    }
}

/// All the modern servers have a tool that refuses a call without the header.
fn repeats_arguments_in_headers(app: &TestApp, server: &Server) {
    if !server.is_modern {
        return;
    }
    for region in ["eu-west", "eu-ü", " spaced ", "=?base64?ZQ==?="] {
        let response = app.execute(SERVER, "header_region", &json!({"region": region}));
        assert_eq!(text(&response.ok()), region);
    }
}

fn answers_a_ping(app: &TestApp, _: &Server) {
    let response = app.request(&Request::post(&path(SERVER, "ping")));
    assert_eq!(response.ok(), json!({}));
}

// === Errors ===

fn says_that_a_tool_is_unknown(app: &TestApp, _: &Server) {
    let problem = app
        .execute(SERVER, "ecko", &json!({}))
        .is_refused(404, "tool_not_found");
    assert_eq!(problem.did_you_mean(), ["echo"]);
    assert_eq!(problem.text("title"), "Tool not found");
}

fn hands_on_the_errors_of_tools(app: &TestApp, server: &Server) {
    let (tool, arguments) = server.tools.failing;
    let response = app.execute(SERVER, tool, &parse(arguments));
    assert_eq!(response.ok()["isError"], true);
    assert_eq!(response.header("mcp-tool-error"), Some("true"));
}

// === Sessions ===

fn says_what_the_handshake_says(app: &TestApp, server: &Server) {
    let response = app.initialize(SERVER);
    let body = response.ok();
    assert_eq!(body["sessionId"].as_str(), response.session());
    assert_eq!(body["sessionId"].is_string(), server.has_sessions, "{body}");
    if server.is_modern {
        let versions = body["supportedVersions"].as_array().unwrap();
        assert!(versions.contains(&json!("2026-07-28")), "{body}");
    } else {
        assert_eq!(body["protocolVersion"], "2025-11-25");
    }
    end(app, response.session());
}

fn keeps_a_session_across_calls(app: &TestApp, server: &Server) {
    if !server.has_sessions {
        return;
    }
    let id = app.open_session();
    let (tool, answers) = server.tools.remembering;
    for answer in answers {
        let response = app.execute_in(&id, SERVER, tool, &json!({}));
        let result = response.ok();
        assert!(text(&result).starts_with(answer), "{result}");
        assert_eq!(response.session(), Some(id.as_str()));
    }
    let listed = app.request(&Request::get(&path(SERVER, "tools")).header("mcp-session-id", &id));
    assert!(!listed.ok()["tools"].as_array().unwrap().is_empty());
    end(app, Some(&id));
}

fn knows_no_ended_session(app: &TestApp, server: &Server) {
    if !server.has_sessions {
        return;
    }
    let id = app.open_session();
    end(app, Some(&id));
    app.execute_in(&id, SERVER, "echo", &json!({"message": "hi"}))
        .is_refused(410, "session_expired");
    // Ending it once more is no error, whatever the server makes of it.
    end(app, Some(&id));
}

fn knows_no_bogus_session(app: &TestApp, server: &Server) {
    let arguments = json!({"message": "hi"});
    let response = app.execute_in(NO_SUCH_SESSION, SERVER, "echo", &arguments);
    if server.has_sessions {
        response.is_refused(410, "session_expired");
    } else {
        is_echo(&response, server);
        end(app, Some(NO_SUCH_SESSION));
    }
}

fn hands_out_the_session_of_init_true(app: &TestApp, server: &Server) {
    let response = app.execute_with(SERVER, "echo", "?init=true", &json!({"message": "hi"}));
    is_echo(&response, server);
    assert_eq!(response.session().is_some(), server.has_sessions);
    if let Some(id) = response.session() {
        is_echo(
            &app.execute_in(id, SERVER, "echo", &json!({"message": "hi"})),
            server,
        );
    }
    end(app, response.session());
}

fn wants_a_session_with_init_false(app: &TestApp, server: &Server) {
    let response = app.execute_with(SERVER, "echo", "?init=false", &json!({"message": "hi"}));
    if server.has_sessions {
        response.is_refused(400, "session_required");
    } else {
        is_echo(&response, server);
    }
}

#[track_caller]
fn end(app: &TestApp, id: Option<&str>) {
    if let Some(id) = id {
        assert_eq!(app.end_session(SERVER, id).status, 204);
    }
}

// === Results ===

/// Checks the answer to "hi".
#[track_caller]
fn is_echo(response: &Response, server: &Server) {
    let echoed = format!("{}hi", server.tools.echo_prefix);
    assert_eq!(text(&response.ok()), echoed);
}

/// The text of the first block.
#[track_caller]
fn text(result: &Value) -> &str {
    match result["content"][0]["text"].as_str() {
        Some(text) => text,
        None => panic!("no text in {result}"),
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
