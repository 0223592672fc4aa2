//! Identifiers of operations and names of components: legal for every consumer, distinct for every client generator, and independent of
//! the rest of the list.

use std::collections::{HashMap, HashSet};

use ring::digest::{SHA256, digest};

/// The longest identifier of an operation. Model APIs take 64 characters as the name of a function; google-adk cuts at 60, and with it
/// the hash at the end.
const LONGEST: usize = 60;
/// The part of a component's name that is made of one name, at most.
const LONGEST_PART: usize = 64;

// === operations ===

/// An identifier for each of `names`, in their order: at most 60 letters, digits, `_` and `-`. A name that is one stays as it is, unless
/// generators, who write identifiers in their own notations (`get_sum`, `getSum`), would confuse it with another: then it gets a hash as
/// a suffix, as does a name of which too little is left.
pub(crate) fn identifiers(names: &[String]) -> Vec<String> {
    let mut alike: HashMap<String, usize> = HashMap::new();
    let plain: Vec<(String, bool)> = names.iter().map(|name| plain(name)).collect();
    for (identifier, _) in &plain {
        *alike.entry(bare(identifier)).or_default() += 1;
    }
    let is_plain =
        |(identifier, lossy): &(String, bool)| !lossy && alike.get(&bare(identifier)) == Some(&1);
    let kept = plain.iter().filter(|it| is_plain(it));
    let mut seen: HashSet<String> = kept.map(|(identifier, _)| bare(identifier)).collect();
    let distinct = plain.iter().zip(names).map(|(plain, name)| {
        if is_plain(plain) {
            return plain.0.clone();
        }
        let mut candidate = marked(&plain.0, name, 0);
        let mut attempt = 0;
        while !seen.insert(bare(&candidate)) {
            attempt += 1;
            candidate = marked(&plain.0, name, attempt);
        }
        candidate
    });
    distinct.collect()
}

/// `name` with `_` for illegal characters, and whether too little of it is left.
fn plain(name: &str) -> (String, bool) {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut identifier: String = name
        .chars()
        .map(|c| if legal(c) { c } else { '_' })
        .take(LONGEST + 1)
        .collect();
    let says_nothing = bare(&identifier).is_empty();
    if !identifier.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        identifier.insert_str(0, "tool_");
    }
    let too_long = identifier.len() > LONGEST;
    identifier.truncate(LONGEST);
    (identifier, !name.is_ascii() || says_nothing || too_long)
}

/// An identifier with a hash of the name.
fn marked(identifier: &str, name: &str, attempt: usize) -> String {
    let mark = mark(name, attempt);
    let kept = identifier.chars().take(LONGEST - mark.len() - 1);
    format!("{}_{mark}", kept.collect::<String>())
}

// === components ===

/// The names of a document's components.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// What their notations have in common.
    taken: HashSet<String>,
}

impl Names {
    /// With `taken` in it already.
    pub(crate) fn new<'n>(taken: impl Iterator<Item = &'n str>) -> Self {
        Self {
            taken: taken.map(bare).collect(),
        }
    }

    /// A name for a component, which is `wanted` unless that is taken: then with a hash of `name`, which it was made of.
    pub(crate) fn component(&mut self, wanted: &str, name: &str) -> String {
        let mut candidate = wanted.to_owned();
        let mut attempt = 0;
        while !self.taken.insert(bare(&candidate)) {
            candidate = format!("{wanted}{}", mark(name, attempt));
            attempt += 1;
        }
        candidate
    }
}

/// `get_sum` and `get-sum` as `GetSum`: letters and digits, as some gateways want the names of models.
pub(crate) fn pascal_case(name: &str) -> String {
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let mut whole = String::new();
    for part in parts {
        let mut characters = part.chars();
        whole.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        whole.extend(characters);
    }
    whole.truncate(LONGEST_PART);
    whole
}

/// What all notations of an identifier have in common.
pub(crate) fn bare(identifier: &str) -> String {
    let kept = identifier.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// Six hexadecimal digits that tell a name from others.
fn mark(name: &str, attempt: usize) -> String {
    let named = match attempt {
        0 => name.to_owned(),
        _ => format!("{name} {attempt}"),
    };
    let digest = digest(&SHA256, named.as_bytes());
    let start: [u8; 4] = digest.as_ref().first_chunk().copied().unwrap_or_default();
    format!("{:06x}", u32::from_be_bytes(start) >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        identifiers(&names)
    }

    #[test]
    fn a_name_that_is_an_identifier_stays_one() {
        assert_eq!(
            of(&["add", "get-sum", "a/b c", "1st", "_x", "call_tool"]),
            ["add", "get-sum", "a_b_c", "tool_1st", "_x", "call_tool"]
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
    }

    #[test]
    fn every_name_gives_a_legal_identifier() {
        let long = "x".repeat(200);
        let longer = "x".repeat(201);
        let names = of(&[
            "", "___", "grüße", "工具", "a b", "💥", &long, &longer, "-", "9",
        ]);
        for identifier in &names {
            assert!(identifier.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'));
            let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
            assert!(identifier.bytes().all(legal));
            assert!((1..=LONGEST).contains(&identifier.len()), "{identifier}");
        }
        let distinct: HashSet<String> = names.iter().map(|it| bare(it)).collect();
        assert_eq!(distinct.len(), names.len());
    }

    #[test]
    fn components_are_named_as_types_are() {
        for (name, expected) in [
            ("get_sum", "GetSum"),
            ("get-sum", "GetSum"),
            ("getSum", "GetSum"),
            ("API_call.2", "APICall2"),
            ("工具", ""),
        ] {
            assert_eq!(pascal_case(name), expected);
        }
        let mut names = Names::new(["CallToolResult"].into_iter());
        assert_eq!(names.component("GetSum", "get_sum"), "GetSum");
        let other = names.component("GetSum", "getSum");
        assert!(other.starts_with("GetSum") && other.len() == 12, "{other}");
        assert_ne!(names.component("CallToolResult", "a"), "CallToolResult");
    }
}
