//! Event streams in every form in which servers send them.

use crate::app::TestApp;
use crate::upstream::{Part, Reply, Request, Upstream, event, servers};

const RESULT: &str = r#"{"content":[{"type":"text","text":"Grüße 日本 😀"}],"n":1.10}"#;

/// A stateless legacy server that answers calls with this stream.
fn sending(parts: impl Fn(&Request) -> Vec<Part> + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |request, state| match request.rpc() {
        "tools/call" => {
            state.executed();
            Reply::stream(parts(request))
        }
        _ => servers::ts_v1_stateless(request, state),
    })
}

/// The stream this text makes, in one chunk.
fn text(text: impl Into<String>) -> Vec<Part> {
    vec![Part::Bytes(text.into().into_bytes())]
}

#[track_caller]
fn collapses(parts: impl Fn(&Request) -> Vec<Part> + Send + Sync + 'static) {
    let upstream = sending(parts);
    let response = TestApp::over(&upstream).echo();
    assert_eq!((response.status, response.text()), (200, RESULT));
    assert_eq!(upstream.executions(), 1);
}

#[track_caller]
fn is_no_answer(parts: impl Fn(&Request) -> Vec<Part> + Send + Sync + 'static) {
    let upstream = sending(parts);
    let app = TestApp::over(&upstream);
    let response = app.execute(
        crate::app::SERVER,
        "add",
        &serde_json::json!({"a": 1, "b": 2}),
    );
    let facts = (
        502,
        "upstream_invalid_response",
        "upstream",
        "unknown",
        false,
    );
    assert_eq!(response.problem().facts(), facts);
    assert_eq!(upstream.executions(), 1);
}

#[test]
fn line_ends_of_all_three_kinds() {
    for end in ["\n", "\r\n", "\r"] {
        collapses(move |request| {
            let message = request.result(RESULT);
            text(format!("event: message{end}data: {message}{end}{end}"))
        });
    }
}

#[test]
fn priming_events() {
    for priming in [
        "id: 1\ndata: \n\n",
        "data: \nid: 0/2\nretry: 3000\n\n",
        "id: 85\r\ndata: \r\nretry: 100\r\n\r\n",
        "data\n\n",
        "retry: 5\n\n",
    ] {
        collapses(move |request| text(format!("{priming}{}", event(&request.result(RESULT)))));
    }
}

#[test]
fn comments_and_keep_alives() {
    collapses(|request| {
        let message = request.result(RESULT);
        text(format!(
            ": ok\n\n: ping - 2026-01-01 00:00:00\r\n\r\n:\nevent: message\n: within\ndata: {message}\n: x\n\n:\n\n"
        ))
    });
}

#[test]
fn fields_in_any_order_without_event_and_without_a_space() {
    collapses(|request| text(format!("data:{}\nid: 1/2\n\n", request.result(RESULT))));
    collapses(|request| {
        text(format!(
            "id:1\nretry:10\nunknown: x\ndata: {}\nevent:message\n\n",
            request.result(RESULT)
        ))
    });
}

#[test]
fn a_byte_order_mark() {
    collapses(|request| text(format!("\u{feff}{}", event(&request.result(RESULT)))));
}

#[test]
fn data_on_several_lines() {
    let upstream = sending(|request| {
        let id = request.id();
        text(format!(
            "data: {{\"jsonrpc\":\"2.0\",\ndata: \"id\":{id},\ndata:  \"result\":\ndata: {RESULT}}}\n\n"
        ))
    });
    assert_eq!(TestApp::over(&upstream).echo().text(), RESULT);
}

#[test]
fn notifications_before_the_answer() {
    collapses(|request| {
        let progress = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"x","progress":1}}"#;
        let log = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"result":1,"id":2}}}"#;
        text(format!(
            "{}{}{}",
            event(progress),
            event(log),
            event(&request.result(RESULT))
        ))
    });
}

#[test]
fn answers_to_others_before_and_after_ours() {
    collapses(|request| {
        let other = |id: &str| {
            event(&format!(
                r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}"#
            ))
        };
        let ours = event(&request.result(RESULT));
        text(format!(
            "{}{}{}{ours}{}",
            other("1"),
            other("\"x\""),
            other("null"),
            other("2")
        ))
    });
}

#[test]
fn a_request_of_the_server_is_no_answer_though_its_id_is_ours() {
    collapses(|request| {
        let ping = format!(
            r#"{{"jsonrpc":"2.0","id":{},"method":"ping"}}"#,
            request.id()
        );
        text(format!(
            "{}{}",
            event(&ping),
            event(&request.result(RESULT))
        ))
    });
}

#[test]
fn members_in_any_order_and_escaped_ids() {
    collapses(|request| {
        text(event(&format!(
            r#"{{"result":{RESULT},"id":{},"jsonrpc":"2.0"}}"#,
            request.id()
        )))
    });
    collapses(|request| {
        let id = request.message["id"].as_str().unwrap_or_default();
        let escape = |letter| format!("\\u{:04x}", u32::from(letter));
        let escaped: Vec<String> = id.chars().map(escape).collect();
        text(event(&format!(
            r#"{{"jsonrpc":"2.0","id":"{}","result":{RESULT}}}"#,
            escaped.concat()
        )))
    });
}

#[test]
fn a_stream_cut_at_every_byte() {
    for end in ["\n", "\r\n"] {
        collapses(move |request| {
            let message = request.result(RESULT);
            let whole = format!(
                ": ok{end}{end}id: 1{end}data: {end}{end}event: message{end}data: {message}{end}{end}"
            );
            whole.bytes().map(|byte| Part::Bytes(vec![byte])).collect()
        });
    }
}

#[test]
fn an_answer_is_taken_at_once_though_the_stream_stays_open() {
    collapses(|request| {
        let mut parts = text(event(&request.result(RESULT)));
        parts.push(Part::Stall);
        parts
    });
}

#[test]
fn an_error_on_the_stream_is_an_error() {
    let upstream = sending(|request| text(event(&request.error(-32603, "it broke"))));
    let problem = TestApp::over(&upstream).echo().problem();
    assert_eq!(problem.text("code"), "upstream_error");
    assert_eq!(problem.0["upstream"]["jsonrpc"]["message"], "it broke");
}

#[test]
fn a_stream_that_ends_without_an_answer_is_an_error() {
    is_no_answer(|_| text(""));
    is_no_answer(|_| text(": ok\n\n"));
    is_no_answer(|_| text("data: \n\n"));
    is_no_answer(|_| text(event("not json")));
    is_no_answer(|_| text(event(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#)));
    is_no_answer(|_| {
        text(event(
            r#"{"jsonrpc":"2.0","method":"notifications/message","params":{}}"#,
        ))
    });
    is_no_answer(|request| {
        text(event(&format!(
            r#"{{"jsonrpc":"2.0","id":{}}}"#,
            request.id()
        )))
    });
}

#[test]
fn a_stream_that_breaks_off_is_an_error() {
    is_no_answer(|_| vec![Part::HangUp]);
    is_no_answer(|request| {
        let mut half = event(&request.result(RESULT)).into_bytes();
        half.truncate(half.len() / 2);
        vec![Part::Bytes(half), Part::HangUp]
    });
}
