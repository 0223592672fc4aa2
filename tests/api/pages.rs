//! The pages for people, and what they are made of.

use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::json;

use crate::app::{SERVER, TestApp};
use crate::http::{Request, Response};

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
        .collect();
    assert_eq!(files.len(), 5, "{files:?}");
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
