//! Pages of other sites, and the service's own, in Chromium (`tests/outside/other_sites.mjs`). Header by header: `cross_site`.

use serde_json::json;

use crate::app::{TestApp, config};
use crate::nginx::Nginx;
use crate::outside::run;
use crate::upstream::{Reply, Upstream, servers};

/// To a browser, this machine by a name that it does not trust as it trusts 127.0.0.1; so it does not say `Sec-Fetch-Site`.
const UNTRUSTED: &str = "service.test";

fn start() -> (Upstream, TestApp) {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut config = config(&upstream, json!({}));
    config["gateway"] = json!({"trustedProxies": ["127.0.0.1"]});
    let app = TestApp::spawn(&config);
    (upstream, app)
}

/// Opens the page of the server at `host:port`, runs `echo` there, and gives what the page shows.
fn used(host: &str, port: u16) -> String {
    let page = format!("http://{host}:{port}/api/mcp/s/docs");
    run("node", &["other_sites.mjs", "use", &page])
}

#[track_caller]
fn is_attacked(host: &str) {
    let (upstream, app) = start();
    let port = app.address.port();
    let target = format!("http://{host}:{port}/api/mcp/s/tools/echo/execute");
    let told = run("node", &["other_sites.mjs", "attack", &target]);
    assert!(told.lines().count() > 50, "{told}");
    assert_eq!(upstream.order(), Vec::<String>::new());
    // The service's own page is no other site.
    let shown = used(host, port);
    assert!(shown.starts_with("200 "), "{shown}");
    assert_eq!(upstream.executions(), 1);
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn no_page_of_another_site_runs_a_tool() {
    is_attacked("127.0.0.1");
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn no_page_does_over_plain_http() {
    is_attacked(UNTRUSTED);
}

/// A page on another port calls a tool with a key, as Open WebUI's does; the same page by another name may not.
#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn a_page_of_a_configured_origin_calls_a_tool() {
    const KEY: &str = "a-key-of-one-page";
    let page = Upstream::start(|_, _| {
        Reply::typed(
            200,
            "text/html",
            "<!doctype html><link rel=icon href=data:,>",
        )
    });
    let url = page.url();
    let port = url
        .trim_start_matches("http://127.0.0.1:")
        .trim_end_matches("/mcp");
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut config = config(&upstream, json!({}));
    let origins = [
        format!("http://127.0.0.1:{port}"),
        format!("http://*.friend.test:{port}"),
    ];
    config["gateway"] = json!({"auth": {"apiKeys": ["${KEY}"]}, "cors": {"origins": origins}});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", KEY)]);
    let service = format!(
        "http://127.0.0.1:{}/api/mcp/s/tools/echo/execute",
        app.address.port()
    );
    let ask = |host: &str| {
        let page = format!("http://{host}:{port}/");
        run("node", &["other_sites.mjs", "ask", &service, &page, KEY])
    };
    for host in ["127.0.0.1", "app.friend.test"] {
        let told = ask(host);
        let lines: Vec<&str> = told.lines().collect();
        assert!(lines[0].starts_with("200 application/json id {"), "{told}");
        assert!(
            lines[1].starts_with("401 application/problem+json id {"),
            "{told}"
        );
        assert!(
            lines[2].starts_with("200 text/event-stream id event: result"),
            "{told}"
        );
    }
    assert_eq!(upstream.executions(), 4);
    let refused = ask("stranger.test");
    assert_eq!(refused.trim(), "TypeError\nTypeError\nTypeError");
    assert_eq!(upstream.executions(), 4);
}

/// nginx names its upstream in `Host` unless it is told otherwise: the browser knows better what the page's origin is.
#[test]
#[ignore = "needs nginx, Chromium and the tools of tests/outside"]
fn the_page_works_behind_nginx_as_it_is() {
    let (upstream, app) = start();
    let nginx = Nginx::start(&[&app]);
    let shown = used("127.0.0.1", nginx.listen().port());
    assert!(shown.starts_with("200 "), "{shown}");
    assert_eq!(upstream.executions(), 1);
}

/// Where the browser does not say it, either header does; without one, the page is told what is missing.
#[test]
#[ignore = "needs nginx, Chromium and the tools of tests/outside"]
fn over_plain_http_nginx_must_say_the_host() {
    for (directives, status) in [
        ("", "403 "),
        ("proxy_set_header Host $http_host;", "200 "),
        ("proxy_set_header X-Forwarded-Host $http_host;", "200 "),
    ] {
        let (upstream, app) = start();
        let nginx = Nginx::start_with(&[&app], directives);
        let shown = used(UNTRUSTED, nginx.listen().port());
        assert!(shown.starts_with(status), "{directives} {shown}");
        assert_eq!(upstream.executions(), usize::from(status == "200 "));
        assert!(
            status == "200 " || shown.contains("X-Forwarded-Host"),
            "{shown}"
        );
    }
}
