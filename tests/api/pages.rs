//! The pages for people, and what they are made of.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::http::{Request, Response};
use crate::outside;
use crate::real;
use crate::upstream::{Upstream, servers};

const LASTING: &str = "public, max-age=31536000, immutable";

fn app() -> TestApp {
    TestApp::spawn(
        &json!({"mcpServers": {SERVER: {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}),
    )
}

/// What a page refers to: the values of `href` and `src`.
fn references(page: &Response) -> Vec<String> {
    let text = page.text().replace("src=\"", "href=\"");
    let values = text.split("href=\"").skip(1);
    values
        .filter_map(|value| Some(value.split_once('"')?.0.to_owned()))
        .collect()
}

#[test]
fn what_a_page_refers_to_is_there_compressed_and_for_keeping() {
    let app = app();
    let page = Request::get("/swagger-ui/").send(app.address);
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    let files: Vec<String> = references(&page)
        .iter()
        .filter_map(|it| Some(it.strip_prefix("../")?.to_owned()))
        .filter(|it| it.starts_with("swagger-ui/"))
        .collect();
    assert_eq!(files.len(), 7, "{files:?}");
    for file in files {
        let request = Request::get(&format!("/{file}"));
        let plain = app.request(&request);
        assert_eq!(plain.header("content-encoding"), None, "{file}");
        assert_eq!(plain.header("cache-control"), Some(LASTING), "{file}");
        assert_eq!(plain.header("vary"), Some("Accept-Encoding"), "{file}");
        let packed = app.request(&request.clone().header("accept-encoding", "br, gzip"));
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{file}");
        let mut unpacked = Vec::new();
        let mut decoder = GzDecoder::new(packed.body.as_slice());
        decoder.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == plain.body, "{file}");
        let refusing = request.clone().header("accept-encoding", "gzip;q=0");
        assert_eq!(app.request(&refusing).body, plain.body, "{file}");
        let tag = packed.header("etag").unwrap().to_owned();
        assert_eq!(plain.header("etag"), Some(tag.as_str()), "{file}");
        let again = app.request(&request.clone().header("if-none-match", &tag));
        assert_eq!((again.status, again.body.len()), (304, 0), "{file}");
        assert_eq!(again.header("cache-control"), Some(LASTING), "{file}");
    }
}

/// During an upgrade, a page of one version asks a replica of another.
#[test]
fn an_asset_of_another_version_is_served_and_not_kept() {
    let app = app();
    for file in ["docs.js", "another-version.docs.js"] {
        let asset = app.get(&format!("/swagger-ui/{file}"));
        let kept = asset.header("cache-control");
        assert_eq!((asset.status, kept), (200, Some("no-cache")), "{file}");
    }
    app.get("/swagger-ui/a.b.docs.js")
        .is_refused(404, "not_found");
}

#[test]
fn a_page_that_is_known_is_not_sent_again() {
    let app = app();
    for target in ["/swagger-ui/", "/api/mcp/s/docs"] {
        let request = Request::get(target);
        let page = request.send(app.address);
        let tag = page.header("etag").unwrap();
        let again = request.header("if-none-match", tag).send(app.address);
        assert_eq!((again.status, again.body.len()), (304, 0), "{target}");
    }
}

// === the front page ===

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[test]
fn the_front_page_is_a_page_for_browsers_and_links_for_programs() {
    let app = app();
    for accept in ["*/*", "application/json", "image/png"] {
        let home = app.request(&Request::get("/").header("accept", accept));
        let links = home.ok()["links"].as_object().unwrap().clone();
        assert_eq!(home.header("vary"), Some("Accept"), "{accept}");
        for (name, path) in links {
            let target = path.as_str().unwrap();
            let there = Request::get(target).send(app.address);
            assert_eq!(there.status, 200, "{name}: {target}");
        }
    }
    let page = app.request(&Request::get("/").header("accept", BROWSER));
    assert_eq!(
        (page.status, page.headers.media_type()),
        (200, Some("text/html"))
    );
    assert_eq!(page.header("vary"), Some("Accept"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self';"),
        "{policy}"
    );
    assert!(!page.text().contains("://") && !page.text().contains('{'));
    for reference in references(&page) {
        let target = reference.strip_prefix('.').unwrap();
        let there = Request::get(target).send(app.address);
        assert_eq!(there.status, 200, "{reference}");
    }
}

#[test]
fn docs_leads_to_the_page_with_and_without_a_slash() {
    let app = app();
    for (target, location) in [("/docs", "swagger-ui/"), ("/docs/", "../swagger-ui/")] {
        let there = app.get(target);
        let found = (there.status, there.header("location"));
        assert_eq!(found, (307, Some(location)), "{target}");
    }
}

#[test]
fn without_a_key_the_front_page_names_no_server() {
    let gateway = json!({"auth": {"apiKeys": ["${KEY}"]}});
    let server = json!({"SecretlyNamed": {"url": "http://127.0.0.1:9/mcp"}});
    let config = json!({"mcpServers": server, "gateway": gateway});
    let app = TestApp::spawn_with(&config, &[], &[("KEY", "k3y")]);
    for accept in [BROWSER, "*/*"] {
        let home = app.request(&Request::get("/").header("accept", accept));
        assert_eq!(home.status, 200);
        assert!(!home.text().contains("SecretlyNamed"), "{}", home.text());
    }
    app.get("/api/mcp/SecretlyNamed")
        .is_refused(401, "unauthorized");
    app.get("/api/mcp/Unknown").is_refused(401, "unauthorized");
}

// === GET /api/mcp/{server} ===

#[test]
fn a_server_is_described_whatever_its_era_and_its_session_is_ended() {
    for (name, row) in servers::all() {
        let upstream = Upstream::start(row);
        let app = TestApp::over(&upstream);
        let described = app.get(&format!("/api/mcp/{SERVER}"));
        let said = described.ok();
        assert_eq!(described.session(), None, "{name}");
        assert_eq!(said["name"], SERVER, "{name}");
        assert!(said["protocolVersion"].is_string(), "{name}: {said}");
        assert!(said["capabilities"].is_object(), "{name}: {said}");
        let is_modern = servers::MODERN.iter().any(|(modern, _)| *modern == name);
        let era = if is_modern { "modern" } else { "legacy" };
        assert_eq!(said["era"], era, "{name}");
        assert!(said["serverInfo"]["name"].is_string(), "{name}: {said}");
        for rest in ["tools", "openapi.json", "docs"] {
            let link = format!("/api/mcp/{SERVER}/{rest}");
            let mut links = said["links"].as_object().unwrap().values();
            assert!(links.any(|it| *it == link), "{name}: {said}");
        }
        app.stop();
        assert!(upstream.open().is_empty(), "{name}");
    }
}

#[test]
fn a_server_that_is_down_or_unknown_is_a_problem() {
    let app = app();
    app.get("/api/mcp/s")
        .is_refused(502, "upstream_unreachable");
    app.get("/api/mcp/other")
        .is_refused(404, "server_not_found");
}

// === in a browser ===

/// The demo, a server of others, and one that does not answer.
fn in_a_browser(gateway: &Value, key: Option<&str>) {
    let everything = real::everything().start();
    let config = json!({"gateway": gateway, "mcpServers": {
        "everything": {"url": format!("http://{}/mcp", everything.address)},
        "down": {"url": "http://127.0.0.1:9/mcp"},
    }});
    let env = key.map(|key| ("KEY", key));
    let app = TestApp::spawn_with(&config, &["--demo"], env.as_slice());
    let url = format!("http://{}", app.address);
    let mut args = vec!["pages/pages.mjs", &url];
    args.extend(key);
    outside::run("node", &args);
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn pages_fit_the_screen_show_pictures_and_are_accessible() {
    in_a_browser(&json!({}), None);
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn pages_ask_for_the_key_and_keep_it_nowhere() {
    let gateway = json!({"auth": {"apiKeys": ["${KEY}"]}, "publicUrl": "https://public.example"});
    in_a_browser(&gateway, Some("k3y-of-the-test"));
}
