//! Any text as a URI template, with any values: no panic, nothing but ASCII, and no URI longer than 64 KiB.
//!
//! Lines of an input are the template, then a variable each, `name=value`. A first byte above 0x7F repeats the template.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_rest::api::fuzz::{MAX_URI, expand};

fuzz_target!(|input: &[u8]| {
    let Some((&times, rest)) = input.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let template = template.repeat(usize::from(times.saturating_sub(0x7F)).max(1));
    let mut variables: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in lines {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => variables.push((name, vec![value])),
        }
    }
    if let Some(uri) = expand(&template, &variables) {
        assert!(uri.len() <= MAX_URI);
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri:?}");
    }
});
