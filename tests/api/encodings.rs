//! Request bodies that are compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute, path};
use crate::http::Request;
use crate::upstream::{Upstream, servers};

const CAP: usize = 100_000;

fn start() -> (Upstream, TestApp) {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut config = config(&upstream, json!({}));
    config["gateway"] = json!({"limits": {"requestBytes": CAP}});
    let app = TestApp::spawn(&config);
    (upstream, app)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn call(coding: &str, body: impl Into<Vec<u8>>) -> Request {
    let request = execute(SERVER, "echo", "").header("content-type", "application/json");
    request.header("content-encoding", coding).body(body)
}

/// A call with so many bytes in all.
fn long(bytes: usize) -> Vec<u8> {
    let rest = r#"{"message":""}"#.len();
    format!(r#"{{"message":"{}"}}"#, "x".repeat(bytes - rest)).into_bytes()
}

#[test]
fn a_gzip_body_is_what_is_in_it() {
    let (upstream, app) = start();
    for coding in ["gzip", "GZIP", "x-gzip", " gzip "] {
        app.request(&call(coding, gzip(br#"{"message":"Gr\u00fc\u00dfe"}"#)))
            .ok();
    }
    for request in upstream.received("tools/call") {
        assert_eq!(request.arguments(), &json!({"message": "Grüße"}));
    }
    app.request(&call("gzip", "")).ok();
    app.request(&call("gzip", gzip(b""))).ok();
    app.request(&call("gzip", gzip(&long(CAP)))).ok();
    assert_eq!(upstream.executions(), 7);
}

#[test]
fn a_small_one_needs_little_room() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let mut config = config(&upstream, json!({}));
    config["gateway"] = json!({"limits": {"bufferedBytes": 100_000}});
    let app = TestApp::spawn(&config);
    app.request(&call("gzip", gzip(br#"{"message":"hi"}"#)))
        .ok();
}

#[test]
fn so_it_is_on_every_route_that_takes_one() {
    let (_upstream, app) = start();
    for (target, body) in [
        (
            "call",
            json!({"name": "echo", "arguments": {"message": "hi"}}),
        ),
        (
            "rpc",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        ),
        ("initialize", json!({})),
    ] {
        let request = Request::post(&path(SERVER, target)).header("content-encoding", "gzip");
        app.request(&request.body(gzip(body.to_string().as_bytes())))
            .ok();
    }
}

#[test]
fn the_cap_is_for_what_is_in_it() {
    let (upstream, app) = start();
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < CAP);
    for body in [gzip(&long(CAP + 1)), bomb] {
        app.request(&call("gzip", body))
            .is_refused(413, "payload_too_large");
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}

/// A bomb costs what an honest body may: the service has room for that, and not for what is in it.
#[test]
fn a_bomb_takes_no_memory() {
    let (_upstream, app) = start();
    let bomb = call("gzip", gzip(&vec![b' '; 64 << 20]));
    app.request(&bomb).is_refused(413, "payload_too_large");
    let before = app.process().peak_memory();
    for _ in 0..5 {
        app.request(&bomb).is_refused(413, "payload_too_large");
    }
    let grown = app.process().peak_memory() - before;
    assert!(grown < 8 << 20, "{grown} bytes");
}

#[test]
fn what_is_no_gzip_is_400() {
    let (upstream, app) = start();
    let whole = gzip(br#"{"message":"hi"}"#);
    let cut = whole.split_at(whole.len() - 4).0.to_vec();
    let mut wrong_sum = whole.clone();
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let mut longer = whole.clone();
    longer.extend(b"{}");
    let members = [whole.clone(), gzip(b"")].concat();
    for body in [
        b"{}".to_vec(),
        cut,
        wrong_sum,
        longer,
        members,
        gzip(b"[1]"),
        gzip(b"{"),
    ] {
        app.request(&call("gzip", body))
            .is_refused(400, "invalid_request");
    }
    assert_eq!(upstream.order(), Vec::<String>::new());
}

#[test]
fn any_other_coding_is_415_and_names_the_one_that_is_taken() {
    let (upstream, app) = start();
    for coding in [
        "br",
        "deflate",
        "zstd",
        "compress",
        "gzip, gzip",
        "gzip, br",
        "identity, gzip",
        "*",
    ] {
        for body in ["{}", ""] {
            let response = app.request(&call(coding, body));
            let problem = response.is_refused(415, "unsupported_media_type");
            problem.says("unsupported_media_type_of_a_compressed_body");
            assert_eq!(response.header("accept-encoding"), Some("gzip"));
        }
    }
    let twice = call("gzip", "{}").header("content-encoding", "gzip");
    app.request(&twice)
        .is_refused(415, "unsupported_media_type");
    assert_eq!(upstream.order(), Vec::<String>::new());
    for coding in ["identity", ""] {
        app.request(&call(coding, "{}")).ok();
    }
}
