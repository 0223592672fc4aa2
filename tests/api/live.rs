//! What a server tells while it works reaches the caller while it works: as events, as lines, and through nginx.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, execute, path};
use crate::http::{Request, Response};
use crate::nginx::{self, Nginx};
use crate::upstream::servers::Behaviour;
use crate::upstream::{Part, Reply, Upstream, event, servers};

const RESULT: &str = r#"{"content":[{"type":"text","text":"done"}],"n":1.10}"#;
/// So that a hang fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

const BOTH_ERAS: [(&str, Behaviour); 2] = [
    ("legacy", servers::ts_v1_stateless),
    ("modern", servers::ts_v2),
];

/// A server that says how far it is, then works until the test lets it go on, then answers.
fn working(behaviour: Behaviour) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => {
            let token = &request.message["params"]["_meta"]["progressToken"];
            let told = [
                format!(
                    r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":1.50}}}}"#
                ),
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"another","progress":9}}"#.to_owned(),
                r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"half"}}"#.to_owned(),
                r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned(),
            ];
            let told: String = told.iter().map(|message| event(message)).collect();
            Reply::stream(vec![
                Part::Bytes(told.into_bytes()),
                Part::Stall,
                Part::Bytes(event(&request.result(RESULT)).into_bytes()),
            ])
        }
        _ => behaviour(request, state),
    })
}

fn live(accept: &str) -> Request {
    execute(SERVER, "echo", "")
        .header("accept", accept)
        .json("{}")
}

/// Reads from a connection until this has come.
fn read_until(stream: &mut impl Read, text: &str) -> String {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&read).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        let length = stream.read(&mut chunk).unwrap();
        assert_ne!(length, 0, "the stream ended: {so_far}");
        read.extend_from_slice(&chunk[..length]);
    }
}

/// The events of a stream with their data.
fn events(response: &Response) -> Vec<(String, Value)> {
    let blocks = response
        .text()
        .split("\n\n")
        .filter(|block| !block.is_empty());
    let blocks = blocks.filter(|block| !block.starts_with(':'));
    let pair = |block: &str| {
        let (name, data) = block.split_once('\n').unwrap();
        let name = name.strip_prefix("event: ").unwrap().to_owned();
        let data = data.strip_prefix("data: ").unwrap();
        (name, serde_json::from_str(data).unwrap())
    };
    blocks.map(pair).collect()
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn events_arrive_while_the_tool_runs() {
    for (era, behaviour) in BOTH_ERAS {
        let upstream = working(behaviour);
        let app = TestApp::over(&upstream);
        let mut stream = TcpStream::connect(app.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = live("text/event-stream").to_bytes(app.address);
        stream.write_all(&request).unwrap();
        // The server waits for the test: what is read here came before the answer.
        let before = read_until(&mut stream, "list_changed");
        for expected in [
            "content-type: text/event-stream\r\n",
            "x-accel-buffering: no\r\n",
            "event: progress\ndata: ",
            "\"progress\":1.50",
            "event: log\ndata: {\"level\":\"info\",\"data\":\"half\"}\n\n",
        ] {
            assert!(before.contains(expected), "{era}: {expected} in {before}");
        }
        assert!(
            !before.contains("another"),
            "{era}: progress of another request"
        );
        assert!(!before.contains("event: result"), "{era}: {before}");
        upstream.release();
        let after = read_until(&mut stream, "event: result");
        assert!(!after.contains("event: error"), "{era}: {after}");
    }
}

#[test]
#[ignore = "needs nginx"]
fn events_arrive_through_nginx_too() {
    let upstream = working(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let nginx = Nginx::start(&[&app]);
    let mut stream = nginx.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = live("text/event-stream").to_bytes(nginx::ANY_HOST);
    stream.write_all(&request).unwrap();
    let before = read_until(&mut stream, "event: log");
    assert!(before.contains("event: progress") && !before.contains("event: result"));
    upstream.release();
    read_until(&mut stream, "event: result");
}

#[test]
fn the_last_event_is_the_result_byte_for_byte() {
    let upstream = working(servers::ts_v1_stateless);
    upstream.release();
    let app = TestApp::over(&upstream);
    let response = app.request(&live("text/event-stream"));
    let told = events(&response);
    assert_eq!(names(&told), ["progress", "log", "notification", "result"]);
    let changed = json!({"method": "notifications/tools/list_changed", "params": {}});
    assert_eq!(told[2].1, changed);
    assert!(
        response
            .text()
            .ends_with(&format!("event: result\ndata: {RESULT}\n\n"))
    );
    let asked = upstream.only("tools/call");
    let token = &asked.message["params"]["_meta"]["progressToken"];
    assert_eq!(told[0].1["progressToken"], *token);
}

#[test]
fn lines_say_the_same() {
    let upstream = working(servers::ts_v2);
    upstream.release();
    let app = TestApp::over(&upstream);
    let response = app.request(&live("application/x-ndjson"));
    let lines: Vec<Value> = response
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["progress", "log", "notification", "result"]);
    let end = format!("{{\"event\":\"result\",\"data\":{RESULT}}}\n");
    assert!(response.text().ends_with(&end));
}

#[test]
fn a_modern_server_is_asked_for_its_log() {
    let upstream = working(servers::ts_v2);
    upstream.release();
    let app = TestApp::over(&upstream);
    app.request(&live("text/event-stream"));
    let meta = upstream.only("tools/call").message["params"]["_meta"].clone();
    assert_eq!(meta["io.modelcontextprotocol/logLevel"], "info");
    // Who does not listen asks for nothing.
    let quiet = Upstream::start(servers::ts_v2);
    TestApp::over(&quiet).echo();
    let meta = quiet.only("tools/call").message["params"]["_meta"].clone();
    assert_eq!(meta.get("progressToken"), None);
    assert_eq!(meta.get("io.modelcontextprotocol/logLevel"), None);
}

#[test]
fn the_token_of_the_caller_stands() {
    let upstream = working(servers::ts_v1_stateless);
    upstream.release();
    let app = TestApp::over(&upstream);
    let request = Request::post(&path(SERVER, "call"))
        .header("accept", "text/event-stream")
        .json(r#"{"name":"echo","_meta":{"progressToken":7}}"#);
    let told = events(&app.request(&request));
    assert_eq!(
        told[0],
        (
            "progress".to_owned(),
            json!({"progressToken": 7, "progress": 1.5})
        )
    );
}

#[test]
fn json_rpc_is_told_live_as_well() {
    let upstream = working(servers::ts_v2);
    upstream.release();
    let app = TestApp::over(&upstream);
    let request = Request::post(&path(SERVER, "rpc"))
        .header("accept", "text/event-stream")
        .json(r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo"}}"#);
    let told = events(&app.request(&request));
    assert_eq!(names(&told).last(), Some(&"result"));
    let last = &told.last().unwrap().1;
    assert_eq!(
        (&last["id"], &last["result"]["n"]),
        (&json!("a"), &json!(1.10))
    );
}

#[test]
fn an_error_is_the_last_event() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::json(200, request.error(-32603, "broke")),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    let response = app.request(&live("text/event-stream"));
    assert_eq!(response.status, 200);
    let told = events(&response);
    assert_eq!(names(&told), ["error"]);
    assert_eq!(
        (&told[0].1["code"], &told[0].1["status"]),
        (&json!("upstream_error"), &json!(502))
    );
    assert_eq!(
        told[0].1["requestId"],
        response.header("x-request-id").unwrap()
    );
    let request = Request::post(&path(SERVER, "rpc"))
        .header("accept", "application/x-ndjson")
        .json(r#"{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"echo"}}"#);
    let line = app.request(&request).text().to_owned();
    let expected = r#"{"event":"error","data":{"jsonrpc":"2.0","id":5,"error":{"code":-32603,"message":"broke"}}}"#;
    assert_eq!(line.trim_end(), expected);
}

#[test]
fn what_is_refused_at_once_has_its_own_status() {
    let app = TestApp::over(&Upstream::start(servers::ts_v1_stateless));
    let accept = |request: Request| request.header("accept", "text/event-stream");
    let nowhere = accept(execute("nope", "echo", "")).json("{}");
    app.request(&nowhere).is_refused(404, "server_not_found");
    let broken = accept(execute(SERVER, "echo", "")).json("{");
    app.request(&broken).is_refused(400, "invalid_request");
}

#[test]
fn a_session_that_was_opened_is_named_before_the_result() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let request = execute(SERVER, "echo", "?init=true").header("accept", "text/event-stream");
    let told = events(&app.request(&request.json("{}")));
    assert_eq!(names(&told), ["session", "result"]);
    let id = told[0].1["sessionId"].as_str().unwrap();
    assert_eq!(upstream.open(), [id]);
}

#[test]
fn a_caller_who_leaves_a_stream_cancels_the_call() {
    let upstream = working(servers::ts_v1_stateless);
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let mut stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = live("text/event-stream").to_bytes(app.address);
    stream.write_all(&request).unwrap();
    read_until(&mut stream, "event: progress");
    drop(stream);
    upstream.wait_for("notifications/cancelled", 1);
    upstream.release();
}

/// One event that everybody is told of, again and again.
const AGAIN: &[u8] = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"data\":\"\
    ................................................................................................................\"}}\n\n";

#[test]
fn the_deadline_passes_also_for_who_does_not_read() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => Reply::stream(vec![Part::Repeat(AGAIN)]),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy"}));
    let stream = TcpStream::connect(app.address).unwrap();
    let request = execute(SERVER, "echo", "?timeoutMs=3000").header("accept", "text/event-stream");
    let request = request.json("{}").to_bytes(app.address);
    (&stream).write_all(&request).unwrap();
    upstream.wait_for("notifications/cancelled", 1);
    drop(stream);
}

#[test]
fn a_tool_s_own_error_is_the_caller_s_like_any_answer() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let request = execute(SERVER, "fail", "?init=true&toolErrors=status");
    let request = request.header("accept", "text/event-stream").json("{}");
    let told = events(&app.request(&request));
    assert_eq!(names(&told), ["session", "error"]);
    let id = told[0].1["sessionId"].as_str().unwrap();
    assert_eq!(upstream.open(), [id]);
}

#[test]
fn what_is_no_notification_is_not_told() {
    let upstream = Upstream::start(|request, state| match request.rpc() {
        "tools/call" => {
            let odd: String = [r#"{"a":1}"#, r#""q\"""#, "7", r#""x/fine""#]
                .iter()
                .map(|method| event(&format!(r#"{{"method":{method},"params":{{}}}}"#)))
                .collect();
            let answer = event(&request.result(RESULT));
            Reply::events(odd + &answer)
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = TestApp::over(&upstream);
    let told = events(&app.request(&live("text/event-stream")));
    assert_eq!(names(&told), ["notification", "result"]);
    assert_eq!(told[0].1["method"], "x/fine");
}
