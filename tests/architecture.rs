//! The rules of `ARCHITECTURE.md` that the compiler does not know, checked by reading the sources.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every source file below `src/{place}`, or that file itself, with its text.
fn sources(place: &str) -> Vec<(PathBuf, String)> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src")
        .join(place);
    let mut found = Vec::new();
    let mut to_see = vec![place];
    while let Some(path) = to_see.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a folder of sources can be listed");
            to_see.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source can be read");
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "nothing to check");
    found
}

/// No line of code in `place`, comments aside, holds one of `words`.
fn never(place: &str, words: &[&str]) {
    for (path, text) in sources(place) {
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in words {
                assert!(
                    !code.contains(word),
                    "{}:{}: {word}",
                    path.display(),
                    number + 1
                );
            }
        }
    }
}

#[test]
fn the_mcp_side_does_not_know_the_rest_side() {
    never("mcp", &["crate::api", "actix_web", "crate::app", "utoipa"]);
}

#[test]
fn results_are_never_built_as_trees() {
    never("mcp", &["serde_json::Value", "json!("]);
}

#[test]
fn the_rest_side_reaches_servers_through_the_mcp_side() {
    never("api", &["awc::"]);
}

#[test]
fn the_configuration_knows_neither_side() {
    never("config", &["crate::api", "crate::mcp", "actix_web"]);
}

#[test]
fn what_is_pure_stays_pure() {
    for place in [
        "mcp/stream/collapse.rs",
        "mcp/stream/sse.rs",
        "mcp/protocol/message.rs",
        "mcp/protocol/request.rs",
        "mcp/protocol/outcome.rs",
        "mcp/protocol/refusal.rs",
        "mcp/protocol/executed.rs",
        "mcp/protocol/era.rs",
    ] {
        never(
            place,
            &["async ", ".await", "tokio", "actix_rt", "std::net"],
        );
    }
}

#[test]
fn every_source_says_what_it_is_for() {
    for (path, text) in sources("") {
        assert!(text.starts_with("//!"), "{}", path.display());
    }
}

/// Each promise of `SECURITY.md` names its tests as `file::test`.
#[test]
fn the_promises_of_security_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a file can be read");
    let page = read("SECURITY.md");
    let named: Vec<(&str, &str)> = page
        .split('`')
        .filter_map(|quoted| quoted.split_once("::"))
        .collect();
    assert!(named.len() > 40, "{named:?}");
    for (file, test) in named {
        let tests = read(&format!("tests/api/{file}.rs"));
        let definition = format!("fn {test}() {{");
        assert!(tests.contains(&definition), "{file}::{test}");
    }
    // A promise ends with the tests that hold it.
    let promises = page.split("\n- ").skip(1);
    for promise in promises {
        assert!(promise.contains("::"), "{promise}");
    }
}
