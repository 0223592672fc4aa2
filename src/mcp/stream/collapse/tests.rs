//! Any legal form of a stream comes to the same steps, and no bytes at all come to a panic or over a cap.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Small ones.
pub(crate) const LIMITS: Limits = Limits {
    request_bytes: 0,
    response_bytes: 1 << 20,
    event_bytes: 1 << 16,
    events: 100,
    list_bytes: 0,
    depth: 16,
    buffered_bytes: 0,
    batch: 0,
    in_flight: 0,
    queued: 0,
};

/// Our id, as a server writes it.
const ID: &str = "\"0123abcd\"";

fn collapse(limits: Limits) -> Collapse {
    Collapse::new("0123abcd".into(), limits, Budget::new(usize::MAX))
}

/// The steps of a stream cut at these places, up to the reply or the end.
fn steps(collapse: &mut Collapse, stream: &[u8], cuts: &[Index]) -> Result<Vec<String>, Error> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let mut found = Vec::new();
    for place in places.windows(2) {
        let [from, to] = place else { continue };
        collapse.push(Bytes::copy_from_slice(stream.get(*from..*to).unwrap()))?;
        while let Some(step) = collapse.next_step()? {
            found.push(shown(&step));
            if matches!(step, Step::Reply(_)) {
                return Ok(found);
            }
        }
    }
    found.extend(collapse.end()?.as_ref().map(shown));
    Ok(found)
}

fn shown(step: &Step) -> String {
    match step {
        Step::Reply(Reply::Result(result)) => format!("result {}", text(result)),
        Step::Reply(Reply::Error(error)) => format!("error {} {}", error.code, error.message()),
        Step::Request(request) => format!("request {}", text(&request.reply())),
        Step::Endpoint(endpoint) => format!("endpoint {}", text(endpoint)),
        Step::Notification(it) => format!("notification {} {}", text(&it.method), text(&it.params)),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

// === Streams that are legal ===

/// A message that is not the reply, and the step it comes to.
fn other_message() -> impl Strategy<Value = (String, Option<String>)> {
    let ping = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
    let pong = r#"request {"jsonrpc":"2.0","id":7,"result":{}}"#;
    select(vec![
        (
            r#"{"method":"notifications/progress","params":{"data: ":"ü\n"}}"#,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":"0123abcde","result":{"foreign":1}}"#,
            None,
        ),
        (
            r#"{"jsonrpc":"2.0","id":123,"error":{"code":1,"message":"m"}}"#,
            None,
        ),
        (
            r#"[{"method":"notifications/message"},{"id":"x","result":{}}]"#,
            None,
        ),
        (ping, Some(pong)),
        ("", None),
        ("no JSON: id: data: 🙂", None),
    ])
    .prop_map(|(message, step)| (message.to_owned(), step.map(str::to_owned)))
}

/// Results with all that is easily lost: order, precision, escapes, letters of several bytes, line ends between members.
fn result() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("1.10".to_owned()),
        Just("12345678901234567890123".to_owned()),
        Just("{\"a\":[1,{}],\n\"a\":null}".to_owned()),
        "[a-zA-Z üß漢🙂:]{0,40}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    prop::collection::vec(value, 0..6).prop_map(|values| {
        let members: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(number, value)| format!("\"m{}\":{value}", 9 - number))
            .collect();
        format!("{{{}}}", members.join(",\n "))
    })
}

/// How one event is written.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
struct Form {
    name: &'static str,
    id: Option<u8>,
    retry: bool,
    fields_after: bool,
    comment: bool,
    space: bool,
    unknown: bool,
}

fn form() -> impl Strategy<Value = Form> {
    (
        select(vec![
            "",
            "event: message",
            "event:message",
            "event: progress",
            "event",
        ]),
        any::<Option<u8>>(),
        any::<[bool; 5]>(),
    )
        .prop_map(|(name, id, flags)| {
            let [retry, fields_after, comment, space, unknown] = flags;
            Form {
                name,
                id,
                retry,
                fields_after,
                comment,
                space,
                unknown,
            }
        })
}

impl Form {
    fn lines(&self, data: &str) -> Vec<String> {
        let colon = if self.space { "data: " } else { "data:" };
        let mut data: Vec<String> = data
            .split('\n')
            .map(|line| format!("{colon}{line}"))
            .collect();
        // A value that begins with a space needs one before it.
        if !self.space {
            for line in &mut data {
                if line.starts_with("data: ") {
                    line.insert(5, ' ');
                }
            }
        }
        let mut fields: Vec<String> = vec![self.name.to_owned()];
        fields.extend(self.id.map(|id| format!("id: {id}")));
        fields.extend(self.retry.then(|| "retry: 20".to_owned()));
        fields.extend(self.unknown.then(|| "x-data: {}".to_owned()));
        fields.extend(self.comment.then(|| ": ping - now".to_owned()));
        fields.retain(|field| !field.is_empty());
        if self.fields_after {
            data.append(&mut fields);
            return data;
        }
        fields.append(&mut data);
        fields
    }
}

proptest! {
    #[test]
    fn every_form_of_a_stream_comes_to_the_same(
        result in result(),
        before in prop::collection::vec((other_message(), form()), 0..5),
        form in form(),
        after in prop::collection::vec((other_message(), self::form()), 0..3),
        in_array in any::<bool>(),
        marks in 0_usize..3,
        ends in select(vec![&["\n"][..], &["\r\n"], &["\r"], &["\n", "\r\n"], &["\r", "\r\n"]]),
        is_ended in any::<bool>(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let mut ends = ends.iter().cycle();
        let mut stream = "\u{feff}".repeat(marks);
        let mut write = |stream: &mut String, form: &Form, data: &str, is_ended: bool| {
            for line in form.lines(data) {
                stream.push_str(&line);
                stream.push_str(ends.next().unwrap());
            }
            if is_ended {
                stream.push_str(ends.next().unwrap());
            }
        };
        let mut expected = Vec::new();
        for ((message, step), form) in &before {
            write(&mut stream, form, message, true);
            expected.extend(step.clone());
        }
        let mut reply = format!("{{\"id\":{ID},\"result\":{result},\"jsonrpc\":\"2.0\"}}");
        if in_array {
            reply = format!("[{{\"method\":\"x\"}}, {reply}]");
        }
        // An event that nothing ends must be the last.
        let is_ended = is_ended || !after.is_empty();
        write(&mut stream, &form, &reply, is_ended);
        expected.push(format!("result {result}"));
        for ((message, _), form) in &after {
            write(&mut stream, form, message, true);
        }

        let found = steps(&mut collapse(LIMITS), stream.as_bytes(), &cuts);
        prop_assert_eq!(found.unwrap(), expected, "{:?}", stream);
    }

    #[test]
    fn no_bytes_do_harm(
        stream in prop::collection::vec(
            prop_oneof![
                any::<u8>().prop_map(|byte| vec![byte]),
                select(vec![
                    "data:", "id:", "event: endpoint", "retry: 1", "\n", "\r", "\n\n", "\u{feff}", "{", "[", "\"id\"",
                    "\"0123abcd\"", "\"result\":", "\"method\":\"ping\"", ",", "}", "]", ":", "null", "{}",
                ]).prop_map(|text| text.as_bytes().to_vec()),
            ],
            0..400,
        ),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        event_bytes in 1_usize..300,
        events in 1_usize..10,
        response_bytes in 1_usize..600,
    ) {
        let stream = stream.concat();
        let limits = Limits { response_bytes, event_bytes, events, ..LIMITS };
        let mut collapse = collapse(limits);
        let outcome = steps(&mut collapse, &stream, &cuts);
        prop_assert!(collapse.events() <= events);
        match outcome {
            Ok(found) => {
                prop_assert!(found.iter().all(|step| step.len() <= event_bytes + 100), "{found:?}");
                prop_assert!(stream.len() <= response_bytes || !found.is_empty());
            }
            Err(error) => prop_assert!(matches!(error, Error::TooLarge(_)), "{error}"),
        }
    }
}

// === What is remembered ===

#[test]
fn the_place_to_resume_from_is_the_last_that_was_named() {
    let mut collapse = collapse(LIMITS);
    let stream = b"id: 1\ndata:\n\nretry: 250\n\ndata: {}\n\nid: 2\ndata: {}\n\n";
    steps(&mut collapse, stream, &[]).unwrap();
    assert_eq!(collapse.last_event_id().unwrap(), "2");
    assert_eq!(collapse.retry(), Some(Duration::from_millis(250)));
    collapse.resume();
    assert_eq!(collapse.last_event_id().unwrap(), "2");
    steps(&mut collapse, b"id\ndata:\n\n", &[]).unwrap();
    assert_eq!(collapse.last_event_id(), None, "an empty id takes it back");
}

#[test]
fn caps_count_over_all_streams_of_one_answer() {
    let mut collapse = collapse(Limits {
        events: 3,
        response_bytes: 40,
        ..LIMITS
    });
    steps(&mut collapse, b"id: 1\n\nid: 2\n\n", &[]).unwrap();
    collapse.resume();
    let outcome = steps(&mut collapse, b"id: 3\n\nid: 4\n\n", &[]);
    assert!(matches!(outcome, Err(Error::TooLarge(Cap::Events))));
    collapse.resume();
    let outcome = steps(&mut collapse, b": 12345678901\n\n", &[]);
    assert!(matches!(outcome, Err(Error::TooLarge(Cap::ResponseBytes))));
}

#[test]
fn an_error_without_an_id_counts_at_the_end() {
    let error = "data: {\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\"}}\n\n";
    let reply = format!("data: {{\"id\":{ID},\"result\":{{}}}}\n\n");
    let alone = steps(&mut collapse(LIMITS), error.as_bytes(), &[]).unwrap();
    assert_eq!(alone, ["error -1 \"m\""]);
    let both = steps(
        &mut collapse(LIMITS),
        format!("{error}{reply}").as_bytes(),
        &[],
    );
    assert_eq!(both.unwrap(), ["result {}"]);
}

#[test]
fn among_other_answers_an_error_without_an_id_is_nobody_s() {
    let error = "data: {\"id\":null,\"error\":{\"code\":-1,\"message\":\"m\"}}\n\n";
    let found = steps(&mut collapse(LIMITS).among_others(), error.as_bytes(), &[]);
    assert!(found.unwrap().is_empty());
}

#[test]
fn nesting_is_capped() {
    let nested = format!(
        "data: {{\"id\":{ID},\"result\":{}{}}}\n\n",
        "[".repeat(20),
        "]".repeat(20)
    );
    let outcome = steps(&mut collapse(LIMITS), nested.as_bytes(), &[]);
    assert!(matches!(outcome, Err(Error::TooLarge(Cap::Depth))));
}

#[test]
fn notifications_are_told_to_who_asked_for_them() {
    let stream = format!(
        "data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progress\": 1.10}}}}\n\n\
         data: {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}}\n\n\
         data: {{\"jsonrpc\":\"2.0\",\"id\":{ID},\"result\":{{}}}}\n\n"
    );
    let mut silent = collapse(LIMITS);
    assert_eq!(
        steps(&mut silent, stream.as_bytes(), &[]).unwrap(),
        ["result {}"]
    );
    let mut watched = collapse(LIMITS);
    watched.keep_notifications();
    assert_eq!(
        steps(&mut watched, stream.as_bytes(), &[]).unwrap(),
        [
            "notification notifications/progress {\"progress\": 1.10}",
            "notification notifications/message ",
            "result {}"
        ]
    );
}
