//! The limit on URIs that are expanded from templates.

use crate::app::{SERVER, TestApp, encode, path};
use crate::schema_limits::Cost;
use crate::upstream::{Upstream, servers};

/// A query of some 60 KB, which would expand to 600 MB.
fn query() -> String {
    let template = encode(&"{a}".repeat(3_000));
    format!("template={template}&a={}", "x".repeat(30_000))
}

#[test]
fn a_template_stands_for_64_kib_at_most() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let cost = Cost::of(&app);
    let expand = path(SERVER, &format!("resources/templates/expand?{}", query()));
    let problem = app.get(&expand).is_refused(400, "invalid_request");
    problem.says("invalid_request_template_too_long");
    let read = path(SERVER, &format!("resources/read?{}", query()));
    app.get(&read).is_refused(400, "invalid_request");
    cost.is_within(&app, 64, 500);
    assert_eq!(upstream.count("resources/read"), 0);

    let template = encode("x:{a}{a}");
    let whole = format!("template={template}&a={}", "x".repeat(32_767));
    let whole = path(SERVER, &format!("resources/templates/expand?{whole}"));
    let uri = app.get(&whole).ok()["uri"].as_str().unwrap().len();
    assert_eq!(uri, 64 << 10);
}
