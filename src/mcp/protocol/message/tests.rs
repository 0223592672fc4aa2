//! Messages as bytes, and what is read of them.

use super::*;

fn messages(id: &str, event: &str) -> Vec<Message> {
    let mut found = Vec::new();
    let event = Bytes::copy_from_slice(event.as_bytes());
    for_each_message(&event, &id.into(), |message| {
        found.push(message);
        true
    });
    found
}

fn reply_to(id: &str, event: &str) -> Option<Reply> {
    messages(id, event)
        .into_iter()
        .find_map(|found| match found {
            Message::Reply(reply) => Some(reply),
            _ => None,
        })
}

#[test]
fn a_result_is_the_slice_it_arrived_in() {
    let body = Bytes::from_static(br#"{"jsonrpc":"2.0","id":"7","result":{"b":1.10,"a":1e400}}"#);
    let mut found = None;
    for_each_message(&body, &"7".into(), |message| {
        found = Some(message);
        true
    });
    let Some(Message::Reply(Reply::Result(result))) = found else {
        unreachable!("the body answers id 7");
    };
    assert_eq!(result, r#"{"b":1.10,"a":1e400}"#);
    assert!(body.as_ptr_range().contains(&result.as_ptr()));
}

#[test]
fn ids_match_by_type_and_value() {
    assert!(reply_to("7", r#"{"id":7,"result":{}}"#).is_none());
    assert!(reply_to("7", r#"{"id":"8","result":{}}"#).is_none());
    assert!(reply_to("7", r#"{"id":"\u0037","result":{}}"#).is_some());
    assert!(reply_to("7", r#"{"method":"ping","id":"7"}"#).is_none());
    assert!(reply_to("7", r#"[{"method":"x"},{"id":"7","result":{}}]"#).is_some());
}

#[test]
fn what_is_no_message_spoils_nothing_beside_it() {
    assert!(reply_to("7", r#"[1,"x",null,[],{"id":{}},{"id":"7","result":{}}]"#).is_some());
    for nothing in ["", "[", "[]", "7", "null", "\"x\"", "{}", "{\"id\":\"7\"}"] {
        assert!(messages("7", nothing).is_empty(), "{nothing}");
    }
}

#[test]
fn requests_of_the_server_get_an_answer_with_their_own_id() {
    let pong = r#""result":{}"#;
    let unknown = r#""error":{"code":-32601,"message":"Method not found"}"#;
    for (id, method, outcome) in [
        ("0", "ping", pong),
        ("\"7 a\\u0022\"", "ping", pong),
        ("1e2", "sampling/createMessage", unknown),
        ("-1", "pin\\u0067", unknown),
    ] {
        let event = format!(r#"{{"method":"{method}","params":{{}},"id":{id},"jsonrpc":"2.0"}}"#);
        let [Message::Request(request)] = &messages("7", &event)[..] else {
            unreachable!("{event} is a request");
        };
        let expected = format!(r#"{{"jsonrpc":"2.0","id":{id},{outcome}}}"#);
        assert_eq!(request.reply(), expected.as_bytes());
    }
    for notification in [r#"{"method":"ping"}"#, r#"{"method":"ping","id":null}"#] {
        let found = messages("7", notification);
        assert!(
            matches!(&found[..], [Message::Notification(_)]),
            "{notification}"
        );
    }
    assert!(messages("7", r#"{"method":"ping","id":"8","result":{}}"#).is_empty());
}

#[test]
fn an_error_without_an_id_may_be_the_answer() {
    for id in [r#""id":null,"#, r#""id":"server-error","#, ""] {
        let event = format!(r#"{{{id}"error":{{"code":-32600,"message":"m"}}}}"#);
        assert!(matches!(
            &messages("7", &event)[..],
            [Message::ErrorWithoutId(error)] if error.code == -32600
        ));
    }
    assert!(messages("7", r#"{"id":"8","error":{"code":1}}"#).is_empty());
}

#[test]
fn a_lone_error_is_ours_unless_it_names_another() {
    let find = |id: &str| {
        let body = format!(r#"{{{id}"error":{{"code":-32600,"message":"m"}}}}"#);
        reply_in_body(&Bytes::from(body), &"7".into()).unwrap()
    };
    for id in [
        r#""id":null,"#,
        r#""id":"server-error","#,
        r#""id":"7","#,
        "",
    ] {
        let found = find(id);
        assert!(matches!(found, BodyReply::Reply(Reply::Error(error)) if error.code == -32600));
    }
    for id in [r#""id":"8","#, r#""id":7,"#, r#""id":"","#] {
        assert!(matches!(find(id), BodyReply::OfAnother), "{id}");
    }
}

#[test]
fn a_null_result_is_a_result() {
    assert!(matches!(
        reply_to("7", r#"{"id":"7","result":null}"#),
        Some(Reply::Result(_))
    ));
}

#[test]
fn marks_are_found_wherever_they_matter() {
    for (result, is_error, result_type) in [
        ("{}", false, "complete"),
        (
            r#"{"isError":false,"resultType":"complete"}"#,
            false,
            "complete",
        ),
        (r#"{"isError" : true}"#, true, "complete"),
        (r#"{"a":{"isError":true}}"#, false, "complete"),
        (r#"{"text":"\"isError\": true"}"#, false, "complete"),
        (
            r#"{"isError":false,"a":{"isError":true}}"#,
            false,
            "complete",
        ),
        (
            r#"{"resultType":"input_required"}"#,
            false,
            "input_required",
        ),
        (r#"{"resultType":7}"#, false, ""),
        ("7", false, "complete"),
    ] {
        assert_eq!(super::is_error(result.as_bytes()), is_error, "{result}");
        assert_eq!(
            super::result_type(result.as_bytes()),
            result_type,
            "{result}"
        );
    }
}
