//! Two replicas behind nginx; one is stopped under load. No call fails, and none runs twice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute};
use crate::nginx::Nginx;
use crate::upstream::{Upstream, servers};

/// Callers at the same time.
const CALLERS: usize = 8;
/// Calls before the one replica is told to stop, and after it has ended.
const CALLS: usize = 400;

#[test]
#[ignore = "needs nginx"]
fn a_replica_that_is_told_to_stop_costs_no_call() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let replica = || {
        let delay = ("MCP_REST_DRAIN_DELAY_MS", "300");
        TestApp::spawn_with(&config(&upstream, json!({})), &[], &[delay])
    };
    let (leaving, staying) = (replica(), replica());
    let nginx = Nginx::start(&[&leaving, &staying]);

    let call = execute(SERVER, "echo", "").json(r#"{"message":"hi"}"#);
    let made = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let response = nginx.send(&call);
                    if response.status != 200 {
                        eprintln!("{} {}", response.status, response.text());
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let wait_for_more = || {
            let target = upstream.count("tools/call") + CALLS;
            upstream.wait_for("tools/call", target);
        };
        wait_for_more();
        let ended = leaving.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
        wait_for_more();
        enough.store(true, Ordering::Relaxed);
    });

    let made = made.into_inner();
    assert_eq!(failed.into_inner(), 0, "of {made} calls");
    assert_eq!(upstream.executions(), made);
    assert!(staying.stop().status.success());
    assert_eq!(upstream.open(), Vec::<String>::new());
}
