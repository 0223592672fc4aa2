//! Every rule by itself; then all of them at once, however the network cuts the stream.

use bytes::Bytes;
use proptest::prelude::*;

use crate::mcp::stream::sse::{Event, Limits, Reader, TooLarge};

const ROOMY: Limits = Limits {
    event_bytes: 1 << 20,
    events: 1 << 20,
};

/// The events up to the end of the stream, or up to the limit that ended it.
pub(crate) type Outcome = (Vec<Event>, Option<TooLarge>);

fn outcome(chunks: impl IntoIterator<Item = Bytes>, limits: Limits) -> Outcome {
    let mut reader = Reader::new(limits);
    let mut events = Vec::new();
    for mut chunk in chunks {
        loop {
            match reader.next_event(&mut chunk) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(too_large) => return (events, Some(too_large)),
            }
        }
        assert!(chunk.is_empty());
        assert!(reader.partial_line.len() <= limits.event_bytes);
    }
    match reader.finish() {
        Ok(last) => events.extend(last),
        Err(too_large) => return (events, Some(too_large)),
    }
    assert_eq!(reader.finish(), Ok(None));
    (events, None)
}

/// The pieces of `stream` between `cuts`, which may come in any order and lie anywhere.
pub(crate) fn cut(stream: &[u8], cuts: &[usize]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|at| at % (stream.len() + 1)).collect();
    cuts.sort_unstable();
    let mut rest = Bytes::copy_from_slice(stream);
    let mut chunks = Vec::new();
    for at in cuts {
        chunks.push(rest.split_to(at - (stream.len() - rest.len())));
    }
    chunks.push(rest);
    chunks
}

pub(crate) fn events(chunks: impl IntoIterator<Item = Bytes>) -> Vec<Event> {
    let (events, too_large) = outcome(chunks, ROOMY);
    assert_eq!(too_large, None);
    events
}

fn read(stream: impl AsRef<[u8]>) -> Vec<Event> {
    events([Bytes::copy_from_slice(stream.as_ref())])
}

fn message(data: &'static str) -> Event {
    Event {
        data: data.into(),
        ..Event::default()
    }
}

// === The rules ===

#[test]
fn lines_end_in_lf_crlf_or_cr() {
    for line_end in ["\n", "\r\n", "\r"] {
        let stream = ["data: 1", "data: 2", "", "data: 3", "", ""].join(line_end);
        assert_eq!(
            read(&stream),
            [message("1\n2"), message("3")],
            "{line_end:?}"
        );
    }
    assert_eq!(
        read("data: 1\r\rdata: 2\n\r\n"),
        [message("1"), message("2")]
    );
}

#[test]
fn an_event_is_there_as_soon_as_its_blank_line_has_ended() {
    for stream in [
        "data: 1\n\n",
        "data: 1\r\n\r\n",
        "data: 1\r\n\r",
        "data: 1\r\r",
    ] {
        let mut chunk = Bytes::from_static(stream.as_bytes());
        let event = Reader::new(ROOMY).next_event(&mut chunk);
        assert_eq!(event, Ok(Some(message("1"))), "{stream:?}");
    }
}

#[test]
fn byte_order_marks_at_the_start_are_removed() {
    for marks in 0..3 {
        let stream = "\u{feff}".repeat(marks) + "data: 1\n\n";
        assert_eq!(read(stream), [message("1")], "{marks}");
    }
    assert_eq!(read("\u{feff}"), []);
    assert_eq!(
        read("data: \u{feff}1\n\n\u{feff}data: 2\n\n"),
        [message("\u{feff}1")]
    );
}

#[test]
fn one_space_after_the_colon_is_optional() {
    assert_eq!(
        read("data:1\n\ndata: 2\n\ndata:  3\n\ndata:\t4\n\n"),
        [message("1"), message("2"), message(" 3"), message("\t4")]
    );
}

#[test]
fn data_lines_are_joined_by_lf_and_may_be_empty() {
    assert_eq!(
        read("data: 1\ndata\ndata:\ndata: 2: 3\n\n"),
        [message("1\n\n\n2: 3")]
    );
    assert_eq!(read("data\ndata\n\n"), [message("\n")]);
}

#[test]
fn comments_and_unknown_fields_mean_nothing() {
    let stream = ": ping - 2026\n\n:\n\n: ok\ndata: 1\n:data: 2\nDATA: 3\n data: 4\nfoo\nfoo: 5\ndatax\n\n\n\n";
    assert_eq!(read(stream), [message("1")]);
}

#[test]
fn fields_come_in_any_order_and_the_last_one_stands() {
    let event = Event {
        data: "1".into(),
        name: Some("endpoint".into()),
        id: Some("b".into()),
        retry: Some(3000),
    };
    for stream in [
        "event: endpoint\nid: b\nretry: 3000\ndata: 1\n\n",
        "data: 1\nretry: 3000\nid: a\nid: b\nevent: message\nevent: endpoint\n\n",
    ] {
        assert_eq!(read(stream), std::slice::from_ref(&event));
    }
}

#[test]
fn an_id_with_nul_is_ignored_and_an_empty_one_kept() {
    let ids = |stream: &str| -> Vec<_> { read(stream).into_iter().map(|event| event.id).collect() };
    assert_eq!(ids("id: a\nid: b\0\ndata: 1\n\n"), [Some("a".into())]);
    assert_eq!(
        ids("id\ndata: 1\n\nid: 0/2\n\n"),
        [Some("".into()), Some("0/2".into())]
    );
}

#[test]
fn retry_is_digits_only() {
    let retry = |value: &str| read(format!("data: 1\nretry:{value}\n\n"))[0].retry;
    assert_eq!(retry(" 3000"), Some(3000));
    assert_eq!(retry("007"), Some(7));
    for bad in [
        "",
        "+5",
        "-5",
        "5 ",
        "  5",
        "1e3",
        "0x5",
        "٣",
        "18446744073709551616",
    ] {
        assert_eq!(retry(bad), None, "{bad:?}");
    }
    assert_eq!(read("data: 1\nretry: 5\nretry: x\n\n")[0].retry, Some(5));
}

#[test]
fn priming_events_have_no_data_but_their_id_and_delay() {
    for data in ["", "data\n", "data:\n", "data: \n"] {
        let priming = Event {
            id: Some("0/2".into()),
            retry: Some(100),
            ..Event::default()
        };
        assert_eq!(
            read(format!("id: 0/2\n{data}retry: 100\n\ndata: 1\n\n")),
            [priming, message("1")],
            "{data:?}"
        );
    }
    let delay = Event {
        retry: Some(100),
        ..Event::default()
    };
    assert_eq!(read("retry: 100\n\nevent: message\n\n"), [delay]);
}

#[test]
fn an_event_that_nothing_terminates_is_handed_out_at_the_end() {
    for end in ["", "\n", "\r", "\r\n"] {
        assert_eq!(
            read(format!("data: 1\n\ndata: 2{end}")),
            [message("1"), message("2")]
        );
    }
    assert_eq!(read(""), []);
    assert_eq!(read(": the end"), []);
}

#[test]
fn bytes_that_are_not_utf8_become_replacement_characters() {
    assert_eq!(
        read(b"data: a\xffb\ndata: \xe2\x82\n\n"),
        [message("a\u{fffd}b\n\u{fffd}")]
    );
    assert_eq!(
        read(b"data: 1\nid: \xff\n\n")[0].id,
        Some("\u{fffd}".into())
    );
}

#[test]
fn an_event_of_one_line_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b": ok\n\nevent: message\r\nid: 1\r\ndata: {}\r\n\r\n");
    for event in events([chunk.clone()]) {
        // Panics unless the data lies in the chunk.
        assert_eq!(chunk.slice_ref(&event.data), "{}");
    }
}

// === The limits ===

fn limited(stream: &str, event_bytes: usize, events: usize) -> Outcome {
    let limits = Limits {
        event_bytes,
        events,
    };
    let whole = outcome(cut(stream.as_bytes(), &[]), limits);
    for at in 0..=stream.len() {
        assert_eq!(
            outcome(cut(stream.as_bytes(), &[at]), limits),
            whole,
            "{stream:?} cut at {at}"
        );
    }
    let bytewise: Vec<usize> = (0..stream.len()).collect();
    assert_eq!(
        outcome(cut(stream.as_bytes(), &bytewise), limits),
        whole,
        "{stream:?} bytewise"
    );
    whole
}

#[test]
fn an_event_may_be_as_long_as_allowed_and_no_longer() {
    let stream = "data: 1\r\n\r\ndata: 2\r\n\r\n";
    assert_eq!(
        limited(stream, 9, 9),
        (vec![message("1"), message("2")], None)
    );
    assert_eq!(limited(stream, 8, 9), (vec![], Some(TooLarge::Event(8))));
    assert_eq!(
        limited("data: 1\n\ndata: 23\n\n", 9, 9),
        (vec![message("1")], Some(TooLarge::Event(9)))
    );
}

#[test]
fn whatever_an_event_is_made_of_counts() {
    for flood in [": \r\n", ":\r", "x\n", "data\r\n", "id: 1\r\n", "x"] {
        let stream = flood.repeat(64);
        assert_eq!(
            limited(&stream, 60, 9),
            (vec![], Some(TooLarge::Event(60))),
            "{flood:?}"
        );
    }
}

#[test]
fn whatever_a_blank_line_ends_counts_as_an_event() {
    for flood in ["\n", "\r", "\r\n", ":\n\n", "event: x\r\n\r\n"] {
        let stream = flood.repeat(5);
        assert_eq!(
            limited(&stream, 60, 4),
            (vec![], Some(TooLarge::Events(4))),
            "{flood:?}"
        );
        assert_eq!(limited(&stream, 60, 5), (vec![], None), "{flood:?}");
    }
    assert_eq!(
        limited("data: 1\n\ndata: 2", 60, 1),
        (vec![message("1")], Some(TooLarge::Events(1)))
    );
}

// === However the stream is cut ===

#[test]
fn every_split_gives_the_same_events() {
    let streams: [&[u8]; 6] = [
        b"event: message\r\nid: 7f\r\ndata: {\"a\":\"1\"}\r\n\r\n: ping\r\n\r\ndata: {}\r\n\r\n",
        b"data: \nid: 0/2\nretry: 3000\n\ndata: {}\nid: 1/2\n\n",
        b"id: 85\r\rdata: \r\rretry: 100\r\rdata: 1\rdata: 2\r\r",
        "\u{feff}\u{feff}data: żółw 🐢\r\ndata:🐢\n\rid:\n\n".as_bytes(),
        b"data: \xf0\x9f\x90\r\ndata\xff: \xe2\x82\r\ndata: \xc0\xaf\n\n",
        b"\r\n\n\rdata: 1\n\r\n\r\n:\n\ndata: unterminated\r",
    ];
    for stream in streams {
        let whole = read(stream);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let chunks = cut(stream, &[first, second]);
                assert_eq!(events(chunks.clone()), whole, "{chunks:?}");
            }
        }
        let bytewise: Vec<usize> = (0..stream.len()).collect();
        assert_eq!(events(cut(stream, &bytewise)), whole);
    }
}

/// Streams that are made of what such streams are made of, with some bytes that have no business there.
pub(crate) fn streams() -> impl Strategy<Value = Vec<u8>> {
    let usual = prop::sample::select(vec![
        "data", "data:", "data: ", "data: {}", "id: ", "id", "event: ", "event: x", "retry: ", ":",
        ": ping", "foo", "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", " ", "\0", "7", "\u{feff}", "é",
        "🐢",
    ]);
    let piece = prop_oneof![
        9 => usual.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

pub(crate) fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..12)
}

proptest! {
    #[test]
    fn cuts_and_limits_never_change_what_is_read(stream in streams(), cuts in cuts(), event_bytes in 0..80_usize, events in 0..9_usize) {
        let limits = Limits { event_bytes, events };
        let whole = outcome(cut(&stream, &[]), limits);
        prop_assert_eq!(outcome(cut(&stream, &cuts), limits), whole.clone());

        let unlimited = outcome(cut(&stream, &[]), ROOMY).0;
        prop_assert!(unlimited.starts_with(&whole.0));
        prop_assert!(whole.1.is_some() || unlimited == whole.0);
    }

    #[test]
    fn all_text_is_utf8(stream in streams(), cuts in cuts()) {
        for event in events(cut(&stream, &cuts)) {
            for text in [Some(event.data), event.name, event.id].into_iter().flatten() {
                prop_assert!(std::str::from_utf8(&text).is_ok());
            }
        }
    }

    #[test]
    fn what_is_written_in_any_form_is_read_back(
        data in "[^\r]{0,80}",
        id in prop::option::of("[^\r\n\0]{0,9}"),
        line_end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        noise in prop::sample::select(vec!["", ": ping", "foo: bar", "foo"]),
        id_first in any::<bool>(),
        cuts in cuts(),
    ) {
        let id_line = id.iter().map(|id| format!("id: {id}{line_end}"));
        let data_lines = data.split('\n').map(|line| format!("data: {line}{line_end}"));
        let lines: String = if id_first { id_line.chain(data_lines).collect() } else { data_lines.chain(id_line).collect() };
        let stream = format!("{noise}{line_end}{lines}{line_end}");
        let written = Event { data: data.into(), id: id.map(Bytes::from), ..Event::default() };
        prop_assert_eq!(events(cut(stream.as_bytes(), &cuts)), [written]);
    }
}
