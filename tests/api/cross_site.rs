//! Requests that a browser sends for a page of another site run nothing. Header by header here, in Chromium in
//! `other_sites`.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::{Request, Response, send_raw};
use crate::upstream::{Upstream, servers, wire};

fn start() -> (Upstream, TestApp) {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    (upstream, app)
}

/// A call without a body, as a form without fields, a beacon or a `fetch` sends it.
fn bare() -> Request {
    execute(SERVER, "echo", "")
}

/// The same over a connection whose `Host` is this.
fn send_to(app: &TestApp, host: &str, headers: &[(&str, &str)]) -> Response {
    let headers: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let headers = headers.concat();
    let target = path(SERVER, "tools/echo/execute");
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\n{headers}\r\n"
    );
    send_raw(app.address, head.as_bytes())
}

/// Driven by the list of routes: one that is new is asked too.
#[test]
fn every_route_that_may_run_something_refuses_other_sites() {
    let (upstream, app) = start();
    let mut asked = 0;
    for (method, pattern) in mcp_rest::api::routes::all() {
        if method == "GET" {
            continue;
        }
        let target = pattern
            .replace("{server}", SERVER)
            .replace("{tool}", "echo")
            .replace("{prompt}", "greet");
        let request = || Request::new(method, &target);
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://evil.test"),
        ] {
            let response = app.request(&request().header(name, value));
            let problem = response.is_refused(403, "forbidden");
            assert_eq!(problem.text("origin"), "gateway", "{method} {target}");
        }
        for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let response = app.request(&request().header("content-type", media_type));
            let problem = response.is_refused(415, "unsupported_media_type");
            problem.says("unsupported_media_type");
        }
        asked += 1;
    }
    assert!(asked > 5, "only {asked} routes");
    assert_eq!(upstream.order(), Vec::<String>::new());
}

#[test]
fn what_a_browser_says_of_the_page_decides() {
    let (upstream, app) = start();
    for site in [
        "cross-site",
        "same-site",
        "",
        "SAME-ORIGIN",
        "same-origin, none",
        "other",
    ] {
        // Whatever else is said.
        let request = bare().header("sec-fetch-site", site);
        app.request(&request).is_refused(403, "forbidden");
        let request = request.header("origin", format!("http://{}", app.address));
        app.request(&request.json("{}"))
            .is_refused(403, "forbidden");
    }
    let twice = bare().header("sec-fetch-site", "none");
    let twice = twice.header("sec-fetch-site", "same-origin");
    app.request(&twice).is_refused(403, "forbidden");
    assert_eq!(upstream.order(), Vec::<String>::new());

    for site in ["same-origin", "none"] {
        // A proxy may have changed `Host`: the browser knows better.
        let request = bare().header("sec-fetch-site", site);
        app.request(&request.header("origin", "https://public.test"))
            .ok();
    }
    assert_eq!(upstream.executions(), 2);
}

#[test]
fn without_that_the_origin_must_be_the_host() {
    let (upstream, app) = start();
    for (origin, host) in [
        ("http://evil.test", "service.test"),
        ("http://service.test.evil.test", "service.test"),
        ("http://evil-service.test", "service.test"),
        ("http://service.test:81", "service.test"),
        ("http://service.test", "service.test:81"),
        ("http://service.test:443", "service.test"),
        ("https://service.test:80", "service.test"),
        ("http://[::1]:8080", "[::2]:8080"),
        ("http://user@service.test", "service.test"),
        ("http://service.test/", "service.test"),
        ("chrome-extension://service.test", "service.test"),
        ("file://", "service.test"),
        ("service.test", "service.test"),
        ("http://", "service.test"),
        ("", "service.test"),
        ("null", "service.test"),
        ("null", "null"),
        ("http://evil.test http://service.test", "service.test"),
    ] {
        let response = send_to(&app, host, &[("origin", origin)]);
        response
            .is_refused(403, "forbidden")
            .says("forbidden_by_origin");
    }
    let twice = [
        ("origin", "http://service.test"),
        ("origin", "http://service.test"),
    ];
    send_to(&app, "service.test", &twice).is_refused(403, "forbidden");
    assert_eq!(upstream.order(), Vec::<String>::new());

    let own = [
        ("http://service.test", "service.test"),
        ("http://service.test", "service.test:80"),
        ("https://service.test", "service.test:443"),
        ("https://service.test", "service.test"),
        ("http://service.test:80", "service.test"),
        ("http://service.test:8080", "SERVICE.Test:8080"),
        ("http://127.0.0.1:8080", "127.0.0.1:8080"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://[::1]", "[0:0::1]:80"),
    ];
    for (origin, host) in own {
        send_to(&app, host, &[("origin", origin)]).ok();
    }
    assert_eq!(upstream.executions(), own.len());
}

#[test]
fn a_trusted_proxy_says_what_the_host_was() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut trusting = config(&upstream, json!({}));
    trusting["gateway"] = json!({"trustedProxies": ["127.0.0.1"]});
    let trusting = TestApp::spawn(&trusting);
    let through = |origin, forwarded| [("origin", origin), ("x-forwarded-host", forwarded)];
    for (origin, forwarded) in [
        ("http://evil.test", "service.test"),
        ("http://inner.test", "service.test, inner.test"),
        ("http://service.test:81", "service.test"),
    ] {
        let response = send_to(&trusting, "mcp_rest", &through(origin, forwarded));
        response.is_refused(403, "forbidden");
    }
    // One that is not trusted says nothing.
    let app = TestApp::over(&upstream);
    let own = through("https://service.test", "service.test");
    send_to(&app, "mcp_rest", &own).is_refused(403, "forbidden");
    assert_eq!(upstream.order(), Vec::<String>::new());

    for (origin, forwarded) in [
        ("https://service.test", "service.test"),
        ("https://service.test", "service.test:443, inner.test"),
        ("http://service.test:81", "Service.TEST:81"),
    ] {
        send_to(&trusting, "mcp_rest", &through(origin, forwarded)).ok();
    }
    // What it leaves alone counts as without it.
    send_to(
        &trusting,
        "service.test",
        &[("origin", "http://service.test")],
    )
    .ok();
    assert_eq!(upstream.executions(), 4);
}

#[test]
fn a_type_that_is_not_json_is_refused_with_a_body_and_without() {
    let (upstream, app) = start();
    for media_type in [
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/ping",
        "",
        "text/plain; a=application/json",
        "text/plain, application/json",
    ] {
        let request = bare().header("content-type", media_type);
        app.request(&request)
            .is_refused(415, "unsupported_media_type");
        app.request(&request.body("{}"))
            .is_refused(415, "unsupported_media_type");
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}

/// By the headers alone: the body may never arrive.
#[test]
fn it_is_refused_before_the_body_is_there_and_before_the_key_is_asked_for() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut config = config(&upstream, json!({}));
    config["gateway"] = json!({"auth": {"apiKeys": ["${KEY}"]}});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", "k")]);
    for (header, status, code) in [
        ("sec-fetch-site: cross-site", 403, "forbidden"),
        ("origin: null", 403, "forbidden"),
        ("content-type: text/plain", 415, "unsupported_media_type"),
    ] {
        let mut stream = TcpStream::connect(app.address).unwrap();
        let target = path(SERVER, "tools/echo/execute");
        let head =
            format!("POST {target} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n{header}\r\n\r\n{{");
        stream.write_all(head.as_bytes()).unwrap();
        let response = wire::read_response(&mut BufReader::new(&stream)).unwrap();
        Response::from(response).is_refused(status, code);
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}

/// A GET may come from links and images: there the annotation of the tool decides (`by_query`).
#[test]
fn reading_is_not_asked_where_from() {
    let (_upstream, app) = start();
    for target in [
        "/api/list-servers",
        "/api/mcp/s/tools",
        "/health",
        "/openapi.json",
    ] {
        let request = Request::get(target).header("sec-fetch-site", "cross-site");
        app.request(&request.header("origin", "http://evil.test"))
            .ok();
    }
}

#[test]
fn every_answer_is_for_pages_of_this_service_alone() {
    let (_upstream, app) = start();
    let requests = [
        Request::get("/health"),
        Request::get("/swagger-ui/"),
        Request::get("/swagger-ui/docs.js"),
        Request::get("/swagger-ui"),
        Request::get("/nowhere"),
        Request::new("PUT", "/health"),
        Request::get("/api/mcp/s/tools"),
        Request::get("/api/mcp/s/openapi.json"),
        bare().json(r#"{"message":"hi"}"#),
        bare()
            .header("accept", "text/event-stream")
            .json(r#"{"message":"hi"}"#),
        bare()
            .header("accept", "text/plain")
            .json(r#"{"message":"hi"}"#),
        bare().json("["),
        Request::delete(&path(SERVER, "session")).header("mcp-session-id", "x"),
    ];
    for request in requests {
        let response = request.send(app.address);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            let all = response.headers.all(name);
            assert_eq!(all, [value], "{} {}", request.method, request.target);
        }
    }
}
