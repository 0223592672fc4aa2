//! Starting, refusing to start, and who may call.

use serde_json::{Value, json};

use crate::app::{Ended, SERVER, TestApp, config, execute, run};
use crate::http::Request;
use crate::problem::says;
use crate::upstream::{Upstream, servers};

fn any_config() -> Value {
    json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1:9/mcp"}}})
}

/// Everything the process has said.
fn said(ended: &Ended) -> String {
    format!("{}{}", ended.stdout, ended.stderr)
}

#[track_caller]
fn is_refused(ended: &Ended, reasons: &[&str]) {
    assert_eq!(ended.status.code(), Some(2), "{}", said(ended));
    for reason in reasons {
        assert!(
            said(ended).contains(reason),
            "{reason} is not in {}",
            said(ended)
        );
    }
}

// === --check ===

#[test]
fn check_accepts_a_good_configuration_and_ends() {
    let config = json!({"mcpServers": {
        "a b": {"type": "http", "url": "https://example.com/mcp", "headers": {"X": "${UNSET:-x}"}, "protocol": "auto", "timeoutMs": 1000},
        "b": {"type": "streamable-http", "url": "http://example.com/${KEY}"},
        "c": {"type": "streamableHttp", "url": "http://[::1]:80/"},
        "d": {"type": "streamable_http", "url": "http://localhost/", "toolErrors": "status", "hideUrl": true},
    }, "gateway": {"limits": {"requestBytes": 4_194_304}}});
    let ended = run(&config, &["--check"], &[("KEY", "x")]);
    assert_eq!(ended.status.code(), Some(0), "{}", said(&ended));
}

#[test]
fn all_mistakes_are_told_at_once() {
    let config = json!({
        "mcpServers": {
            "kind": {"type": "htp", "url": "http://127.0.0.1/mcp"},
            "no_url": {"type": "http"},
            "bad_url": {"type": "http", "url": "not a url"},
            "scheme": {"type": "http", "url": "ftp://127.0.0.1/"},
            "unset": {"type": "http", "url": "http://127.0.0.1/", "headers": {"X": "${NOT_SET_ANYWHERE}"}},
            "key": {"type": "http", "url": "http://127.0.0.1/", "timoutMs": 5},
            "pin": {"type": "http", "url": "http://127.0.0.1/", "protocol": "newest"},
        },
        "gateway": {"limits": {"requestBites": 1}},
        "unknownTop": 1,
    });
    for args in [&["--check"][..], &[]] {
        let ended = run(&config, args, &[]);
        is_refused(
            &ended,
            &[
                "kind",
                "no_url",
                "bad_url",
                "scheme",
                "NOT_SET_ANYWHERE",
                "timoutMs",
                "protocol",
                "requestBites",
                "unknownTop",
            ],
        );
    }
}

#[test]
fn a_file_that_is_no_json_is_refused() {
    is_refused(&run(&"{\"mcpServers\": {", &[], &[]), &["servers-"]);
    is_refused(&run(&"[]", &[], &[]), &["servers-"]);
    is_refused(&run(&"{}", &[], &[]), &["mcpServers"]);
}

#[test]
fn unknown_flags_are_refused() {
    is_refused(
        &run(&any_config(), &["--no-such-flag"], &[]),
        &["--no-such-flag"],
    );
}

#[test]
fn headers_that_belong_to_the_protocol_are_refused() {
    for name in [
        "Mcp-Session-Id",
        "Accept",
        "Content-Type",
        "Host",
        "Content-Length",
        "Mcp-Method",
        "bad name",
    ] {
        let config = json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1/", "headers": {name: "x"}}}});
        is_refused(&run(&config, &["--check"], &[]), &[name]);
    }
}

#[test]
fn secrets_are_not_in_the_mistakes() {
    let config = json!({"mcpServers": {
        SERVER: {"type": "http", "url": "http://u:USER-SECRET@127.0.0.1/${KEY}?k=QUERY-SECRET", "headers": {"X": "HEADER-SECRET"}, "oops": 1},
    }});
    let ended = run(&config, &["--check"], &[("KEY", "PATH-SECRET")]);
    is_refused(&ended, &["oops"]);
    assert!(!said(&ended).contains("-SECRET"), "{}", said(&ended));
}

// === Where it listens ===

#[test]
fn a_bind_to_everybody_without_keys_is_refused() {
    for host in ["0.0.0.0", "::"] {
        is_refused(
            &run(&any_config(), &[], &[("HOST", host)]),
            &["apiKeys", "--allow-unauthenticated"],
        );
    }
}

#[test]
fn a_bind_to_everybody_is_possible_when_it_is_meant() {
    let mut guarded = any_config();
    guarded["gateway"] = json!({"auth": {"apiKeys": ["${KEY}"]}});
    let env = [("HOST", "0.0.0.0"), ("KEY", "KEY-SECRET-0123456789")];
    TestApp::spawn_with(&guarded, &[], &env);
    TestApp::spawn_with(&any_config(), &["--allow-unauthenticated"], &env)
        .list_servers()
        .ok();
}

#[test]
fn it_binds_to_loopback_unless_told() {
    let app = TestApp::spawn(&any_config());
    assert!(app.address.ip().is_loopback());
    assert_ne!(app.address.port(), 0);
}

#[test]
fn sigterm_ends_it_cleanly() {
    let ended = TestApp::spawn(&any_config()).stop();
    assert!(ended.status.success(), "{ended:?}");
}

#[test]
fn the_log_is_json_lines() {
    let app = TestApp::spawn(&any_config());
    app.list_servers().ok();
    for line in app.stop().stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        assert!(line["message"].is_string(), "{line}");
    }
}

// === Keys ===

const KEY: &str = "KEY-SECRET-0123456789abcdef";
/// SHA-256 of "open sesame".
const HASH: &str = "41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb";

fn guarded(upstream: &Upstream) -> TestApp {
    let mut config = config(upstream, json!({}));
    config["gateway"] = json!({"auth": {"apiKeys": ["${KEY}", HASH]}});
    TestApp::spawn_with(&config, &[], &[("KEY", KEY)])
}

/// An operator who configures a list of keys wants the service to be protected: an empty list must not open it to everybody.
#[test]
fn a_list_of_keys_without_a_key_is_refused() {
    for keys in ["", ",", " , ,", "  "] {
        let env = [("MCP_REST_AUTH_API_KEYS", keys)];
        for args in [&[][..], &["--check"], &["--allow-unauthenticated"]] {
            let ended = run(&any_config(), args, &env);
            is_refused(&ended, &["MCP_REST_AUTH_API_KEYS"]);
            let told = said(&ended);
            let told = told
                .lines()
                .find(|line| line.contains("MCP_REST_AUTH_API_KEYS"));
            says("configuration_error_no_key", told.unwrap());
        }
    }
    let mut config = any_config();
    config["gateway"] = json!({"auth": {"apiKeys": []}});
    is_refused(&run(&config, &[], &[]), &["gateway.auth.apiKeys"]);
}

#[test]
fn a_key_opens_the_door_and_goes_no_further() {
    let upstream = Upstream::start(servers::toolbox);
    let app = guarded(&upstream);
    for (name, value) in [
        ("X-API-Key", KEY.to_owned()),
        ("Authorization", format!("Bearer {KEY}")),
        ("authorization", format!("bearer {KEY}")),
        ("x-api-key", "open sesame".to_owned()),
    ] {
        app.request(&execute(SERVER, "echo", "").json("{}").header(name, value))
            .ok();
    }
    for request in upstream.requests() {
        assert_eq!(
            (request.header("x-api-key"), request.header("authorization")),
            (None, None)
        );
        assert!(!format!("{request:?}").contains(KEY));
    }
    assert!(!app.stop().stderr.contains(KEY));
}

#[test]
fn without_the_key_nothing_happens() {
    let upstream = Upstream::start(servers::toolbox);
    let app = guarded(&upstream);
    let call = || execute(SERVER, "echo", "").json("{}");
    for request in [
        call(),
        call().header("x-api-key", ""),
        call().header("x-api-key", "wrong"),
        call().header("x-api-key", HASH),
        call().header("x-api-key", KEY.trim_end_matches('f')),
        call().header("x-api-key", b"\xff\xfe"),
        call().header("authorization", KEY),
        call().header("authorization", format!("Basic {KEY}")),
        call().header("authorization", "Bearer "),
        execute(SERVER, "echo", &format!("?apiKey={KEY}")).json("{}"),
        Request::get("/api/list-servers"),
        Request::get("/api/mcp/nope/tools"),
    ] {
        let response = app.request(&request);
        let problem = response.is_refused(401, "unauthorized");
        assert_eq!(problem.text("origin"), "gateway");
        assert_eq!(problem.text("title"), "Authentication failed");
        assert!(response.header("www-authenticate").is_some());
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}

#[test]
fn probes_need_no_key() {
    let upstream = Upstream::start(servers::toolbox);
    let app = guarded(&upstream);
    for path in ["/livez", "/readyz"] {
        assert_eq!(app.get(path).status, 200);
    }
}

// === --healthcheck and --demo ===

#[test]
fn healthcheck_tells_by_its_exit_code() {
    let app = TestApp::spawn(&any_config());
    let port = app.address.port().to_string();
    let healthy = run(&any_config(), &["--healthcheck"], &[("PORT", &port)]);
    assert_eq!(healthy.status.code(), Some(0), "{}", said(&healthy));
    drop(app);
    let ill = run(&any_config(), &["--healthcheck"], &[("PORT", &port)]);
    assert_eq!(ill.status.code(), Some(1), "{}", said(&ill));
}

#[test]
fn the_first_call_of_the_demo_works() {
    let app = TestApp::spawn_with(&any_config(), &["--demo"], &[]);
    let body = app.execute("demo", "add", &json!({"a": 2, "b": 3})).ok();
    assert_eq!(body["structuredContent"]["sum"], 5);
    let names: Vec<String> = app.tools("demo").ok()["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["echo", "add", "count_slowly", "introduce", "pixel", "fail"]
    );
    app.execute("demo", "fail", &json!({}))
        .header("mcp-tool-error")
        .unwrap();
    app.execute("demo", "no_such_tool", &json!({}))
        .is_refused(404, "tool_not_found");
}

#[test]
fn the_walk_through_a_tool_that_asks_back_works() {
    let app = TestApp::spawn_with(&any_config(), &["--demo"], &[]);
    let mut envelope = json!({"name": "introduce"});
    let refused = app.call("demo", &envelope);
    let problem = refused.is_refused(502, "upstream_error");
    assert_eq!(
        problem.0["upstream"]["jsonrpc"]["data"],
        json!({"requiredCapabilities": {"elicitation": {}}})
    );
    envelope["_meta"] = json!({"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}});
    let asked = app.call("demo", &envelope);
    let problem = asked.is_refused(409, "input_required");
    assert_eq!(
        problem.0["inputRequests"]["who"]["params"]["message"],
        "Who are you?"
    );
    envelope["requestState"] = problem.0["requestState"].clone();
    envelope["inputResponses"] = json!({"who": {"action": "accept", "content": {"name": "Ada"}}});
    let answered = app.call("demo", &envelope).ok();
    assert_eq!(answered["content"][0]["text"], "Hello, Ada!");
    envelope["requestState"] = "another".into();
    app.call("demo", &envelope)
        .is_refused(422, "invalid_arguments");
}
