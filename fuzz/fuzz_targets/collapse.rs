//! Any bytes as an event stream: no panic, no cap passed, and the same steps wherever the stream is cut.
//!
//! The first four bytes of an input are the caps and where the stream is cut; the rest is the stream.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mcp_rest::config::settings::Limits;
use mcp_rest::mcp::limits::Budget;
use mcp_rest::mcp::protocol::error::Error;
use mcp_rest::mcp::protocol::message::Reply;
use mcp_rest::mcp::stream::collapse::{Collapse, Step};

fuzz_target!(|input: &[u8]| {
    let Some((&[event_bytes, events, depth, piece], stream)) = input.split_first_chunk() else {
        return;
    };
    let limits = Limits {
        request_bytes: 0,
        response_bytes: 1 << 16,
        event_bytes: usize::from(event_bytes) * 16,
        events: usize::from(events),
        list_bytes: 0,
        depth: usize::from(depth % 64),
        buffered_bytes: 0,
        batch: 0,
        in_flight: 0,
        queued: 0,
    };
    let whole = steps(limits, std::iter::once(stream));
    let cut = steps(limits, stream.chunks(usize::from(piece % 16) + 1));
    match (whole, cut) {
        (Ok(whole), Ok(cut)) => assert_eq!(whole, cut),
        // What comes before a cap is passed is known earlier where the stream comes in pieces.
        (Err(Error::TooLarge(_)), Err(Error::TooLarge(_))) => {}
        (whole, cut) => panic!("{whole:?} {cut:?}"),
    }
});

/// What a stream comes to, up to the reply or the end.
fn steps<'a>(limits: Limits, pieces: impl Iterator<Item = &'a [u8]>) -> Result<Vec<String>, Error> {
    let mut collapse = Collapse::new("1".into(), limits, Budget::new(1 << 20));
    let mut found = Vec::new();
    for piece in pieces {
        collapse.push(Bytes::copy_from_slice(piece))?;
        while let Some(step) = collapse.next_step()? {
            found.push(format!("{step:?}"));
            if let Step::Reply(reply) = step {
                if let Reply::Result(result) = reply {
                    assert!(result.len() <= limits.event_bytes);
                }
                return Ok(found);
            }
            assert!(collapse.events() <= limits.events);
        }
    }
    found.extend(collapse.end()?.map(|step| format!("{step:?}")));
    Ok(found)
}
