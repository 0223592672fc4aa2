//! The log: whoever reads it slowly, or not at all, holds nobody up, and what was lost is told.

use serde_json::{Value, json};

use crate::app::{TestApp, path};
use crate::http::{Request, send_raw};

/// More lines than a pipe, the writer and its buffer hold together.
const MANY: usize = 3500;

fn app() -> TestApp {
    app_with(&[])
}

fn app_with(args: &[&str]) -> TestApp {
    let servers = json!({"mcpServers": {"s": {"url": "http://127.0.0.1:9/mcp"}}});
    TestApp::spawn_with(&servers, args, &[])
}

/// A request whose line is long: it names a server that is not there.
fn long_line(number: usize) -> Request {
    let id = format!("{number:0>256}");
    Request::get(&path(&"s".repeat(1000), "tools")).header("x-request-id", id)
}

fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

fn access_lines(lines: &[Value]) -> usize {
    let of_requests = lines.iter().filter(|line| line["message"] == "request");
    of_requests.count()
}

#[test]
fn a_reader_that_stalls_holds_up_no_request_and_is_told_what_it_missed() {
    let app = app();
    app.stop_reading_logs();
    for number in 0..MANY {
        assert_eq!(long_line(number).send(app.address).status, 404);
    }
    app.read_logs();
    app.wait_for_log("lines were dropped");
    app.get("/livez").ok();
    let ended = app.stop();
    assert!(ended.status.success());
    let lines = lines(&ended.stderr);
    let told = lines.iter().filter_map(|line| line["dropped"].as_u64());
    let dropped = usize::try_from(told.sum::<u64>()).unwrap();
    assert!(dropped > 0);
    assert_eq!(access_lines(&lines) + dropped, MANY + 1);
}

#[test]
fn a_reader_that_stalls_does_not_keep_the_process_from_its_end() {
    for signals in [1, 2] {
        let app = app();
        app.stop_reading_logs();
        for number in 0..MANY {
            long_line(number).send(app.address);
        }
        for _ in 0..signals {
            app.signal("TERM");
        }
        let ended = app.ended_unread();
        assert!(matches!(ended.status.code(), Some(0 | 143)));
    }
}

#[test]
fn every_line_of_a_finished_request_is_out_at_the_end() {
    for signal in ["TERM", "INT"] {
        let app = app();
        for number in 0..300 {
            long_line(number).send(app.address);
        }
        app.signal(signal);
        let lines = lines(&app.ended().stderr);
        assert_eq!(access_lines(&lines), 300);
        assert_eq!(lines.last().unwrap()["message"], "stopped");
    }
}

#[test]
fn names_are_cut() {
    let app = app();
    let (server, tool) = ("ü".repeat(1000), format!("x{}", "ü".repeat(1000)));
    let call = path(
        &server,
        &format!("tools/{}/execute", crate::app::encode(&tool)),
    );
    Request::post(&call).send(app.address);
    Request::new(&"M".repeat(1000), "/livez").send(app.address);
    let lines = lines(&app.stop().stderr);
    let named = lines.iter().find(|line| line["tool"].is_string()).unwrap();
    assert_eq!(named["server"], "ü".repeat(128));
    assert_eq!(named["tool"], format!("x{}", "ü".repeat(127)));
    let methods = lines.iter().filter_map(|line| line["method"].as_str());
    assert!(methods.into_iter().all(|method| method.len() <= 256));
}

#[test]
fn broken_requests_are_not_errors_of_ours() {
    for (level, told) in [("info", false), ("debug", true)] {
        let app = app_with(&["--log-level", level]);
        for broken in [
            &b"no HTTP at all\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nhost: h\r\ncontent-length: x\r\n\r\n",
            b"POST /api/batch HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
            &[b"GET / HTTP/1.1\r\nh: ".to_vec(), vec![b'h'; 1 << 18]].concat(),
        ] {
            send_raw(app.address, broken);
        }
        let lines = lines(&app.stop().stderr);
        for line in &lines {
            let level = line["level"].as_str().unwrap();
            assert!(matches!(level, "INFO" | "DEBUG"), "{line}");
        }
        let of_actix = |line: &Value| line["target"].as_str().unwrap().starts_with("actix_http");
        assert_eq!(lines.iter().any(of_actix), told, "{lines:?}");
    }
}
