//! Our reader against `eventsource-stream`, which was written by others from the same standard.
//!
//! Theirs gets the stream in the only form it can take: in one piece, without byte order marks, as valid UTF-8, and with
//! its last event terminated. Ours gets it as it is, in any pieces.

use std::convert::Infallible;

use eventsource_stream::EventStream;
use futures::{FutureExt, StreamExt, stream};
use proptest::prelude::*;

use crate::mcp::stream::sse::tests::{cut, cuts, events, streams};

/// An event that has data: its name, the id to resume from after it, its data and its delay in milliseconds.
type Seen = (String, String, String, Option<u128>);

fn theirs(stream: &[u8]) -> Vec<Seen> {
    let text = String::from_utf8_lossy(stream);
    let text = format!("{}\n\n", text.trim_start_matches('\u{feff}'));
    EventStream::new(stream::iter([Ok::<_, Infallible>(text)]))
        .map(|event| event.expect("a legal stream"))
        .filter(|event| std::future::ready(!event.data.is_empty()))
        .map(|event| {
            (
                event.event,
                event.id,
                event.data,
                event.retry.map(|delay| delay.as_millis()),
            )
        })
        .collect::<Vec<_>>()
        .now_or_never()
        .expect("a stream that is there already")
}

fn ours(stream: &[u8], cuts: &[usize]) -> Vec<Seen> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("decoded text");
    let mut last_id = String::new();
    let mut seen = Vec::new();
    for event in events(cut(stream, cuts)) {
        if let Some(id) = event.id {
            last_id = text(&id);
        }
        if event.data.is_empty() {
            continue;
        }
        let name = event
            .name
            .filter(|name| !name.is_empty())
            .unwrap_or("message".into());
        seen.push((
            text(&name),
            last_id.clone(),
            text(&event.data),
            event.retry.map(u128::from),
        ));
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn both_read_the_same_events(stream in streams(), cuts in cuts()) {
        prop_assert_eq!(ours(&stream, &cuts), theirs(&stream));
    }
}
