//! One name for a server and its tool, as every API of a model accepts it: 1 to 64 of `A-Z a-z 0-9 _ -`, a letter or `_` first.
//!
//! `server__tool` where that can be taken apart again: the first `__` separates the two. Any other pair gets a readable name that ends
//! in a hash of both, and is found again by comparing it with the names of the tools there are. A name depends on nothing but the pair, so
//! that it stays the same whatever else is listed.

use ring::digest::{SHA256, digest};

/// The longest name.
const LONGEST: usize = 64;
/// Hexadecimal digits of a hash.
const HASH: usize = 12;
/// Characters of a server's name in a name that is too long.
const SERVER: usize = 20;
const SEPARATOR: &str = "__";

/// The name of a server's tool.
pub(crate) fn name(server: &str, tool: &str) -> String {
    let whole = format!("{server}{SEPARATOR}{tool}");
    if is_plain(&whole, server, tool) {
        return whole;
    }
    let most = LONGEST - HASH - 1;
    let (server_part, tool_part) = (readable(server), readable(tool));
    let starts_well = server_part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let mut named = String::from(if starts_well { "" } else { "_" });
    let is_long = named.len() + server_part.len() + SEPARATOR.len() + tool_part.len() > most;
    let of_server = if is_long { SERVER } else { server_part.len() };
    named.extend(server_part.chars().take(of_server));
    named.push_str(SEPARATOR);
    named.extend(tool_part.chars().take(most.saturating_sub(named.len())));
    named.push('_');
    named.push_str(&hash(server, tool));
    named
}

/// Server and tool of a name without a hash.
pub(crate) fn parts(name: &str) -> Option<(&str, &str)> {
    let (server, tool) = name.split_once(SEPARATOR)?;
    is_plain(name, server, tool).then_some((server, tool))
}

/// Whether a name ends in a hash, so that it must be found among the names of the tools there are.
pub(crate) fn is_hashed(name: &str) -> bool {
    let Some((before, hash)) = name.rsplit_once('_') else {
        return false;
    };
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    !before.is_empty() && hash.len() == HASH && hash.bytes().all(is_digit)
}

/// Whether `whole` is a legal name that leads back to these two, and is not taken for one with a hash.
fn is_plain(whole: &str, server: &str, tool: &str) -> bool {
    !server.is_empty()
        && !tool.is_empty()
        && whole.len() <= LONGEST
        && whole.bytes().all(is_legal)
        && whole.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && whole.split_once(SEPARATOR) == Some((server, tool))
        && !is_hashed(whole)
}

fn is_legal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The same with `_` for each illegal character, as far as it can be of use.
fn readable(name: &str) -> String {
    let legal = |c: char| {
        if c.is_ascii() && u8::try_from(c).is_ok_and(is_legal) {
            c
        } else {
            '_'
        }
    };
    name.chars().take(LONGEST).map(legal).collect()
}

/// The start of SHA-256 over both. The length keeps pairs apart that read the same one after the other.
fn hash(server: &str, tool: &str) -> String {
    let both = format!("{} {server}{tool}", server.len());
    let digest = digest(&SHA256, both.as_bytes());
    let digits = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
    digits.take(HASH / 2).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Names of servers and tools: also empty and long ones, with separators, spaces and any Unicode, and those that look like a
    /// name with a hash.
    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z_-]{0,6}",
            "[a-zA-Z0-9_ ./:-]{1,30}",
            "(a|_|__|-| ){0,5}",
            "[a-z]{1,3}_[0-9a-f]{12}",
            "\\PC{0,12}",
            "[a-z_]{200}",
            Just("a".repeat(200)),
            Just("a".repeat(201)),
        ]
    }

    fn is_accepted(name: &str) -> bool {
        (1..=64).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(is_legal)
    }

    proptest! {
        #[test]
        fn every_name_is_accepted_and_leads_back(
            pairs in proptest::collection::hash_set((any_name(), any_name()), 1..40)
        ) {
            let mut by_name = HashMap::new();
            for (server, tool) in &pairs {
                let name = name(server, tool);
                prop_assert!(is_accepted(&name), "{name}");
                match parts(&name) {
                    Some(found) => prop_assert_eq!(found, (server.as_str(), tool.as_str())),
                    None => prop_assert!(is_hashed(&name), "{name}"),
                }
                prop_assert_eq!(by_name.insert(name, (server, tool)), None);
            }
        }

        #[test]
        fn no_name_is_two_kinds_at_once(name in "[a-z0-9_-]{1,64}") {
            prop_assert!(parts(&name).is_none() || !is_hashed(&name));
        }
    }

    #[test]
    fn names_are_plain_where_they_can_be() {
        for (server, tool, expected) in [
            ("demo", "add", "demo__add"),
            ("demo", "get-sum", "demo__get-sum"),
            ("demo", "_add", "demo___add"),
            ("demo", "a__b", "demo__a__b"),
        ] {
            assert_eq!(name(server, tool), expected);
            assert_eq!(parts(expected), Some((server, tool)));
        }
    }

    #[test]
    fn other_names_are_readable_and_do_not_change() {
        for (server, tool, expected) in [
            ("My Server", "a/b", "My_Server__a_b_"),
            ("1st", "add", "_1st__add_"),
            ("demo_", "add", "demo___add_"),
            ("de__mo", "add", "de__mo__add_"),
            ("", "", "____"),
        ] {
            let name = name(server, tool);
            assert_eq!(name.len(), expected.len() + HASH, "{name}");
            assert!(name.starts_with(expected), "{name}");
        }
        let long = name(&"s".repeat(200), &"t".repeat(200));
        assert!(long.starts_with("ssssssssssssssssssss__tttttttttttttttttttt"));
        assert_eq!(long.len(), LONGEST);
    }
}
