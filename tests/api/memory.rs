//! Memory for bodies: it counts until it is written. However slowly callers read and however much they request at once, the service
//! stays within `limits.bufferedBytes`, and answers 503 to those for whom there is no room.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::app::{SERVER, TestApp, execute, path};
use crate::http::{Request, Response, send_raw};
use crate::upstream::{Part, Reply, Upstream, event, servers, wire};

const MIB: usize = 1024 * 1024;
/// So that a hang fails the test.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the service may take beside bodies: buffers of connections, what the allocator keeps, bodies while they are parsed.
const BESIDE: usize = 32 * MIB;

/// A result of about so many bytes.
fn result(bytes: usize) -> String {
    let text = "x".repeat(bytes);
    format!(r#"{{"content":[{{"type":"text","text":"{text}"}}],"n":1.10}}"#)
}

/// A server whose tool `large` returns so many bytes.
fn large(bytes: usize) -> Upstream {
    let result = result(bytes);
    Upstream::start(move |request, state| match request.tool() {
        "large" => Reply::json(200, request.result(&result)),
        "failing" => {
            let failed = result.replacen('{', r#"{"isError":true,"#, 1);
            Reply::json(200, request.result(&failed))
        }
        "refused" => Reply::json(
            200,
            request.reply(&format!(
                r#""error":{{"code":-32000,"message":"no","data":{result}}}"#
            )),
        ),
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// A server whose tool of that name answers once the test lets it.
fn stalling(tool: &'static str) -> Upstream {
    Upstream::start(move |request, state| match request.tool() {
        name if name == tool => Reply::json(200, request.result(r#"{"content":[]}"#)).stalled(),
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// The service on one worker with these limits.
fn over(upstream: &Upstream, limits: Value) -> TestApp {
    TestApp::spawn(&json!({
        "mcpServers": {SERVER: {"url": upstream.url(), "protocol": "legacy"}},
        "gateway": {"workers": 1, "limits": limits},
    }))
}

/// A caller that has sent its request, and takes next to nothing of what comes.
fn slow_caller(app: &TestApp, request: &Request) -> BufReader<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.connect(&app.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&request.to_bytes(app.address)).unwrap();
    BufReader::with_capacity(16, stream)
}

/// The status of what comes, and no more.
fn status(caller: &mut impl Read) -> u16 {
    let mut line = [0; 12];
    caller.read_exact(&mut line).unwrap();
    let line = String::from_utf8_lossy(&line).into_owned();
    line.strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

/// Repeats a call until it is answered with 200: what others held is given back when their connections are noticed to be gone.
fn until_there_is_room(mut call: impl FnMut() -> Response) {
    let begun = Instant::now();
    loop {
        let response = call();
        if response.status == 200 {
            return;
        }
        assert_eq!(response.status, 503, "{}", response.text());
        assert!(begun.elapsed() < PATIENCE, "there is no room any more");
    }
}

// === Responses that clients do not read ===

#[test]
fn answers_count_until_they_are_taken() {
    let upstream = large(8 * MIB);
    let app = over(&upstream, json!({"bufferedBytes": 32 * MIB}));
    app.echo().ok();
    let before = app.process().peak_memory();
    let request = execute(SERVER, "large", "").json("{}");
    let mut callers: Vec<_> = (0..20).map(|_| slow_caller(&app, &request)).collect();
    let statuses: Vec<u16> = callers.iter_mut().map(status).collect();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..=3).contains(&answered), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)));
    let grown = app.process().peak_memory() - before;
    assert!(grown < 32 * MIB + BESIDE, "{} MiB", grown / MIB);

    // There is no room for others, which get 503; small ones are served.
    let refused = app.execute(SERVER, "large", &json!({}));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let problem = refused.json();
    assert_eq!(
        (&problem["code"], &problem["executed"], &problem["origin"]),
        (&json!("overloaded"), &json!("unknown"), &json!("gateway"))
    );
    app.echo().ok();

    // One reads its response: there is room at once. The others disconnect.
    let taker = statuses.iter().position(|status| *status == 200).unwrap();
    let mut rest = Vec::new();
    callers[taker].read_to_end(&mut rest).unwrap();
    assert!(rest.ends_with(br#""n":1.10}"#));
    app.execute(SERVER, "large", &json!({})).ok();
    drop(callers);
    let mut again: Vec<_> = (0..3).map(|_| slow_caller(&app, &request)).collect();
    let last = again.pop().unwrap();
    drop((again, last));
    until_there_is_room(|| app.execute(SERVER, "large", &json!({})));
}

#[test]
fn large_answers_come_out_as_they_went_in() {
    let size = 200 * 1024;
    let upstream = large(size);
    let app = over(&upstream, json!({}));
    let expected = result(size);
    let call = |query: &str| execute(SERVER, "large", query).json("{}");
    let whole = app.request(&call(""));
    assert_eq!(
        (whole.text(), whole.header("content-length").unwrap()),
        (expected.as_str(), expected.len().to_string().as_str())
    );
    assert_eq!(app.request(&call("?result=text")).text().len(), size);

    let written = app.request(&call("").header("accept", "text/event-stream"));
    let event = format!("event: result\ndata: {expected}\n\n");
    assert!(written.text() == event, "{}", written.body.len());

    let rpc = |tool: &str| {
        let body =
            json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool}});
        app.post(&path(SERVER, "rpc"), &body)
    };
    let response = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{expected}}}"#);
    assert!(rpc("large").text() == response);
    let error = format!(
        r#"{{"jsonrpc":"2.0","id":7,"error":{{"code":-32000,"message":"no","data":{expected}}}}}"#
    );
    assert!(rpc("refused").text() == error);

    let failed = app.execute_with(SERVER, "failing", "?toolErrors=status", &json!({}));
    assert_eq!(failed.status, 422);
    assert!(failed.text().contains(expected.strip_prefix('{').unwrap()));
    let refused = app.execute(SERVER, "refused", &json!({}));
    assert_eq!(refused.status, 502);
    assert!(refused.text().contains(&expected));

    let calls = json!({"calls": [
        {"server": SERVER, "tool": "large"},
        {"server": SERVER, "tool": "failing"},
        {"server": SERVER, "tool": "refused"},
    ]});
    let batch = app.post("/api/batch?toolErrors=status", &calls);
    assert_eq!(batch.ok()["results"][1]["toolError"], true);
    assert!(batch.text().starts_with(&format!(
        r#"{{"results":[{{"status":200,"body":{expected}}},{{"status":422,"toolError":true,"body":{{"#
    )));
}

#[test]
fn a_large_document_has_its_length_with_and_without_its_body() {
    let upstream = Upstream::start(servers::ts_v2);
    let app = TestApp::over(&upstream);
    let document = app.get("/openapi.json");
    assert!(document.body.len() > 64 * 1024);
    let length = document.body.len().to_string();
    let mut stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = Request::new("HEAD", "/openapi.json").to_bytes(app.address);
    stream.write_all(&head).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(&format!("content-length: {length}\r\n")));
    assert!(answer.ends_with("\r\n\r\n"));
}

// === Batches ===

#[test]
fn a_batch_is_as_large_as_one_answer() {
    let upstream = large(6 * MIB);
    let limits = json!({"bufferedBytes": 48 * MIB, "responseBytes": 13 * MIB});
    let app = over(&upstream, limits);
    app.echo().ok();
    let before = app.process().peak_memory();
    let calls = vec![json!({"server": SERVER, "tool": "large"}); 32];
    let batch = app.post("/api/batch", &json!({"calls": calls}));
    let grown = app.process().peak_memory() - before;
    assert!(grown < 48 * MIB + BESIDE, "{} MiB", grown / MIB);
    let answer = batch.ok();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results.len(), 32);
    let (there, refused): (Vec<_>, Vec<_>) =
        results.iter().partition(|result| result["status"] == 200);
    assert!((1..=2).contains(&there.len()), "{}", there.len());
    for problem in refused.iter().map(|result| &result["body"]) {
        let told = (problem["code"].as_str(), problem["executed"].as_str());
        assert!(
            matches!(
                told,
                (Some("upstream_invalid_response"), Some("yes"))
                    | (Some("overloaded"), Some("unknown"))
            ),
            "{problem}"
        );
        assert_eq!(problem["server"], SERVER);
    }
    app.execute(SERVER, "large", &json!({})).ok();
}

#[test]
fn results_of_a_batch_are_written_as_they_come() {
    let upstream = stalling("slow");
    let app = over(&upstream, json!({}));
    let calls = json!({"calls": [
        {"server": "nope", "tool": "x"},
        {"server": SERVER, "tool": "slow"},
        {"server": SERVER, "tool": "echo"},
    ]});
    let mut stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = Request::post("/api/batch").json(&calls);
    stream.write_all(&request.to_bytes(app.address)).unwrap();
    // The server waits for the test: what is read here came before its answer.
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("server_not_found") {
        let mut chunk = [0; 1024];
        let length = stream.read(&mut chunk).unwrap();
        assert_ne!(length, 0);
        read.extend_from_slice(&chunk[..length]);
    }
    upstream.release();
    stream.read_to_end(&mut read).unwrap();
    let message = wire::read_response(&mut BufReader::new(&*read)).unwrap();
    let results = Response::from(message).ok()["results"].clone();
    let statuses = [0, 1, 2].map(|at| results[at]["status"].as_u64().unwrap());
    assert_eq!(statuses, [404, 200, 200]);
}

#[test]
fn a_caller_who_leaves_cancels_its_batch() {
    let upstream = stalling("slow");
    let app = over(&upstream, json!({}));
    let calls = vec![json!({"server": SERVER, "tool": "slow"}); 3];
    let request = Request::post("/api/batch").json(json!({"calls": calls}));
    let mut caller = slow_caller(&app, &request);
    upstream.wait_for("tools/call", 3);
    assert_eq!(status(&mut caller), 200);
    drop(caller);
    upstream.wait_for("notifications/cancelled", 3);
}

#[test]
fn calls_of_a_batch_come_to_their_deadline_though_nobody_reads() {
    let large = result(8 * MIB);
    let upstream = Upstream::start(move |request, state| match request.tool() {
        "large" => Reply::json(200, request.result(&large)),
        "slow" => Reply::json(200, "").stalled(),
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = over(&upstream, json!({}));
    let calls = ["large", "slow"].map(|tool| json!({"server": SERVER, "tool": tool}));
    let request = Request::post("/api/batch").json(json!({"calls": calls, "timeoutMs": 3000}));
    let caller = slow_caller(&app, &request);
    upstream.wait_for("notifications/cancelled", 1);
    drop(caller);
}

// === Streaming responses ===

#[test]
fn what_waits_for_a_slow_listener_is_bounded_in_bytes() {
    let text = "x".repeat(4 * MIB);
    let told = event(&format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/message","params":{{"data":"{text}"}}}}"#
    ));
    let upstream = Upstream::start(move |request, state| match request.tool() {
        "talk" => {
            let mut parts = vec![Part::Bytes(told.clone().into_bytes()); 40];
            parts.push(Part::Bytes(event(&request.result("{}")).into_bytes()));
            Reply::stream(parts)
        }
        _ => servers::ts_v1_stateless(request, state),
    });
    let app = over(&upstream, json!({"responseBytes": 512 * MIB}));
    app.echo().ok();
    let before = app.process().peak_memory();
    let request = execute(SERVER, "talk", "")
        .header("accept", "text/event-stream")
        .json("{}");
    let mut listener = slow_caller(&app, &request);
    assert_eq!(status(&mut listener), 200);
    // The one worker has many turns in which it could read on.
    for _ in 0..200 {
        app.echo().ok();
    }
    let grown = app.process().peak_memory() - before;
    assert!(grown < 40 * MIB, "{} MiB", grown / MIB);
    // And it does read on as soon as it may.
    let mut rest = Vec::new();
    listener.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 40 * 4 * MIB);
    assert!(String::from_utf8_lossy(&rest[rest.len() - 100..]).contains("event: result"));
}

// === Requests ===

#[test]
fn request_bodies_count_while_their_calls_run() {
    let upstream = stalling("wait");
    let app = over(&upstream, json!({"bufferedBytes": 20 * MIB}));
    let arguments = json!({"text": "x".repeat(3 * MIB)});
    let request = execute(SERVER, "wait", "").json(&arguments);
    // Twice three MiB each: what came, and what is sent.
    let mut callers: Vec<_> = (1..=3)
        .map(|times| {
            let caller = slow_caller(&app, &request);
            upstream.wait_for("tools/call", times);
            caller
        })
        .collect();
    let refused = send_raw(app.address, &request.to_bytes(app.address));
    refused.is_refused(503, "overloaded");
    let problem = refused.json();
    assert_eq!(
        (&problem["executed"], &problem["retryable"]),
        (&json!("no"), &json!(true))
    );
    assert_eq!(upstream.count("tools/call"), 3);
    app.echo().ok();
    upstream.release();
    for caller in &mut callers {
        assert_eq!(status(caller), 200);
    }
    until_there_is_room(|| app.request(&request));
}

#[test]
fn parameters_that_would_make_long_lists_are_refused() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = over(&upstream, json!({}));
    let many = r#""a":1,"#.repeat(10_000);
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x/y","params":{{{many}"b":2}}}}"#);
    let refused = app.request(&Request::post(&path(SERVER, "rpc")).json(body));
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (400, &json!(-32602))
    );
    let body = format!(r#"{{{many}"ref":{{}},"argument":{{}}}}"#);
    app.request(&Request::post(&path(SERVER, "complete")).json(body))
        .is_refused(400, "invalid_request");
    assert_eq!(upstream.count("x/y"), 0);
}
