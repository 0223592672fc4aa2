//! No caller gets the response to another: a connection is not reused after bytes that do not belong to its request.

use std::io;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::http::Response;
use crate::upstream::Request;
use crate::upstream::raw::{self, Raw, Wire};

/// A service with one worker, so that every call finds the connection of the one before.
fn over(raw: &Raw, protocol: &str) -> TestApp {
    let entry = json!({"url": raw.url(), "protocol": protocol});
    let config = json!({"mcpServers": {SERVER: entry}});
    TestApp::spawn_with(&config, &["--workers", "1"], &[])
}

fn say(app: &TestApp, message: &str) -> Response {
    app.execute(SERVER, "echo", &json!({"message": message}))
}

/// What the call asks to be told.
fn message(request: &Request) -> &str {
    request.arguments()["message"].as_str().unwrap_or_default()
}

/// On its first connection, the server answers a call in this way, and every later request with the response to the one before.
/// On other connections it answers correctly.
fn shifts(first: impl Fn(&mut Wire, &Request) -> io::Result<()> + Send + Sync + 'static) -> Raw {
    Raw::start(move |wire| {
        let mut last = wire.call()?;
        if wire.number > 1 {
            loop {
                let text = message(&last).to_owned();
                wire.answer(&last, &text)?;
                last = wire.call()?;
            }
        }
        wire.run();
        first(wire, &last)?;
        loop {
            let next = wire.request()?;
            wire.run();
            wire.write(raw::json(
                400,
                &last.reply(r#""error":{"code":-32000,"message":"of another"}"#),
            ))?;
            last = next;
        }
    })
}

/// The first call fails as its server fails; the second has its own answer.
#[track_caller]
fn is_put_right(upstream: &Raw, executed: &str) {
    let app = over(upstream, "legacy");
    let problem = say(&app, "one").problem();
    assert_eq!(problem.text("executed"), executed, "{}", problem.0);
    for text in ["two", "three"] {
        let body = say(&app, text).ok();
        assert_eq!(body["content"][0]["text"], text);
    }
    assert_eq!(upstream.runs(), 3);
}

#[test]
fn an_interim_response_is_the_last_on_its_connection() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n",
        "HTTP/1.1 102 Processing\r\ncontent-length: 0\r\n\r\n",
    ] {
        is_put_right(&shifts(move |wire, _| wire.write(interim)), "unknown");
    }
}

#[test]
fn so_is_an_error_that_does_not_say_where_it_ends() {
    for status in [409, 500, 503] {
        let head = format!("HTTP/1.1 {status} \r\ncontent-type: application/json\r\n\r\n");
        is_put_right(&shifts(move |wire, _| wire.write(&head)), "unknown");
    }
}

#[test]
fn so_is_an_error_for_another_request() {
    for status in [200, 409, 500] {
        let error =
            r#"{"jsonrpc":"2.0","id":"other","error":{"code":-32602,"message":"of another"}}"#;
        let upstream = shifts(move |wire, _| wire.write(raw::json(status, error)));
        is_put_right(&upstream, "unknown");
    }
}

#[test]
fn so_is_a_result_for_another_request() {
    let result = r#"{"jsonrpc":"2.0","id":"other","result":{"content":[]}}"#;
    is_put_right(
        &shifts(move |wire, _| wire.write(raw::json(200, result))),
        "unknown",
    );
    let stream = format!("data: {result}\n\n");
    let framed = format!(
        "HTTP/1.1 200 \r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{stream}",
        stream.len()
    );
    is_put_right(&shifts(move |wire, _| wire.write(&framed)), "unknown");
}

#[test]
fn an_error_that_names_another_is_never_shown() {
    for status in [200, 400, 409, 500] {
        for id in [r#""other""#, "7", r#""""#] {
            let error = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"of another"}}}}"#
            );
            let upstream = Raw::start(move |wire| {
                wire.request()?;
                wire.write(raw::json(status, &error))
            });
            let app = over(&upstream, "modern");
            let response = say(&app, "one");
            let problem = response.problem();
            assert_eq!(
                problem.text("executed"),
                "unknown",
                "{status} {id}: {}",
                problem.0
            );
            assert_eq!(
                problem.0["upstream"]["jsonrpc"],
                Value::Null,
                "{status} {id}"
            );
            assert!(!response.text().contains("of another"));
        }
    }
}

#[test]
fn a_notification_s_response_that_does_not_end_is_the_last_on_its_connection() {
    // 202 without a length: whatever follows would be taken for the answer to the call.
    let upstream = Raw::start(|wire| {
        loop {
            let request = wire.request()?;
            let initialize = r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
            match request.rpc() {
                "initialize" => wire.write(raw::json(200, &request.result(initialize)))?,
                "notifications/initialized" => {
                    wire.write("HTTP/1.1 202 Accepted\r\n\r\n")?;
                    let late = wire.request()?;
                    wire.run();
                    wire.write(raw::json(
                        400,
                        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"late"}}"#,
                    ))?;
                    wire.answer(&late, "late")?;
                }
                "" => wire.write("HTTP/1.1 405 \r\ncontent-length: 0\r\n\r\n")?,
                _ => wire.answer(&request, message(&request))?,
            }
        }
    });
    let app = over(&upstream, "legacy");
    let body = app
        .execute_with(SERVER, "echo", "?init=true", &json!({"message": "one"}))
        .ok();
    assert_eq!(body["content"][0]["text"], "one");
    assert_eq!(upstream.runs(), 1);
}

#[test]
fn what_comes_after_an_answer_proves_nothing_of_the_next_call() {
    // An error without an id, after every answer: it may reach the service after the next call has reached the server.
    let late = raw::json(
        400,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"of another"}}"#,
    );
    for pieces in [1, 2, 3] {
        let late = late.clone();
        let upstream = Raw::start(move |wire| {
            loop {
                let request = wire.call()?;
                wire.answer(&request, message(&request))?;
                for _ in 0..pieces {
                    wire.write(&late)?;
                }
            }
        });
        let app = over(&upstream, "legacy");
        for call in 1..=50 {
            let text = call.to_string();
            let before = upstream.runs();
            let response = say(&app, &text);
            if response.status == 200 {
                assert_eq!(response.ok()["content"][0]["text"], text);
            } else {
                let problem = response.problem();
                let ran = upstream.runs() > before;
                assert!(
                    !ran || problem.text("executed") == "unknown",
                    "{}",
                    problem.0
                );
            }
            assert!(upstream.runs() <= call, "{pieces}");
        }
    }
}
