//! Identifiers of operations and components: legal and distinct for every client generator, and independent of the rest of the list.

use std::collections::{HashMap, HashSet};

use ring::digest::{SHA256, digest};

/// The longest identifier made of a name.
const LONGEST: usize = 80;

/// What is added to an identifier for the components of a tool.
pub(crate) const SUFFIXES: [&str; 3] = ["_input", "_output", "_result"];

/// An identifier for each of `names`, in their order. A name that is an identifier stays one, unless generators, who write
/// them in their own notations (`get_sum`, `getSum`), would confuse it or a component of it with another, or with one that is `taken`:
/// then it gets a hash as a suffix.
pub(crate) fn identifiers(names: &[String], taken: &[String]) -> Vec<String> {
    let taken: HashSet<String> = taken.iter().map(|name| bare(name)).collect();
    let is_taken = |identifier: &str| {
        let mut components = SUFFIXES
            .iter()
            .map(|suffix| bare(&format!("{identifier}{suffix}")));
        components.any(|component| taken.contains(&component))
    };
    let mut alike: HashMap<String, usize> = HashMap::new();
    let plain: Vec<(String, bool)> = names.iter().map(|name| plain(name)).collect();
    for (identifier, _) in &plain {
        *alike.entry(bare(identifier)).or_default() += 1;
    }
    let marked = names.iter().zip(plain).map(|(name, (identifier, lossy))| {
        let alone = alike.get(&bare(&identifier)) == Some(&1);
        if alone && !lossy && !is_taken(&identifier) {
            (identifier, false)
        } else {
            (format!("{identifier}_{}", mark(name)), true)
        }
    });
    unique(marked.collect(), names)
}

/// Distinct identifiers: one with a suffix that equals another gets one more suffix, and a plain one stays.
fn unique(identifiers: Vec<(String, bool)>, names: &[String]) -> Vec<String> {
    let plain = identifiers.iter().filter(|(_, is_marked)| !is_marked);
    let mut seen: HashSet<String> = plain.map(|(identifier, _)| bare(identifier)).collect();
    let distinct = identifiers
        .into_iter()
        .zip(names)
        .map(|((identifier, is_marked), name)| {
            let mut candidate = identifier.clone();
            let mut attempt = 0;
            while is_marked && !seen.insert(bare(&candidate)) {
                attempt += 1;
                candidate = format!("{identifier}_{}", mark(&format!("{name} {attempt}")));
            }
            candidate
        });
    distinct.collect()
}

/// `name` with `_` for illegal characters, and whether too little of it is left.
fn plain(name: &str) -> (String, bool) {
    let mut identifier: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let says_nothing = bare(&identifier).is_empty();
    if !identifier.starts_with(|c: char| c.is_ascii_alphabetic()) {
        identifier.insert_str(0, "tool_");
    }
    let too_long = identifier.len() > LONGEST;
    identifier.truncate(LONGEST);
    (identifier, !name.is_ascii() || says_nothing || too_long)
}

/// What all notations of an identifier have in common.
pub(crate) fn bare(identifier: &str) -> String {
    let kept = identifier.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// Six hexadecimal digits that tell a name from others.
fn mark(name: &str) -> String {
    let digest = digest(&SHA256, name.as_bytes());
    let start: [u8; 4] = digest.as_ref().first_chunk().copied().unwrap_or_default();
    format!("{:06x}", u32::from_be_bytes(start) >> 8)
}

/// A part of a component's name: letters, digits, `_` and `-`.
pub(crate) fn component_part(name: &str) -> String {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let part: String = name
        .chars()
        .map(|c| if legal(c) { c } else { '_' })
        .collect();
    if part == name {
        part
    } else {
        format!("{part}_{}", mark(name))
    }
}

#[cfg(test)]
mod tests {
    use crate::api::tool_docs::names::identifiers;

    fn of(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        identifiers(&names, &["CallToolResult".to_owned()])
    }

    #[test]
    fn plain_names_stay_and_kebab_case_becomes_snake_case() {
        assert_eq!(
            of(&["add", "get-sum", "a/b c", "1st"]),
            ["add", "get_sum", "a_b_c", "tool_1st"]
        );
    }

    #[test]
    fn names_that_look_alike_are_marked_whatever_their_order() {
        let forth = of(&["get_sum", "getSum", "add"]);
        let back = of(&["add", "getSum", "get_sum"]);
        assert_eq!(forth[0], back[2]);
        assert_eq!(forth[1], back[1]);
        assert_ne!(forth[0], forth[1]);
        assert_eq!(forth[2], "add");
    }

    #[test]
    fn a_name_that_looks_like_a_mark_is_no_other() {
        let names = of(&["get_sum", "getSum", "get_sum_9096b3"]);
        assert_eq!(names[2], "get_sum_9096b3");
        assert_ne!(names[0], names[2]);
        let twice = of(&["a", "A", "b"]);
        assert_eq!(twice.len(), 3);
    }

    #[test]
    fn components_are_not_taken_for_ours() {
        assert_eq!(of(&["call_tool_x"]), ["call_tool_x"]);
        for name in ["call_tool", "callTool"] {
            assert!(of(&[name])[0].starts_with(&format!("{name}_")), "{name}");
        }
    }

    #[test]
    fn every_name_gives_a_legal_identifier() {
        for name in ["", "___", "grüße", "工具", "a b", "💥", &"x".repeat(200)] {
            let [identifier] = &of(&[name])[..] else {
                unreachable!("one name, one identifier");
            };
            assert!(identifier.starts_with(|c: char| c.is_ascii_alphabetic()));
            assert!(
                identifier
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_')
            );
            assert!(identifier.len() < 100);
        }
    }
}
