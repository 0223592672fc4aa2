//! How large a regular expression becomes when it is compiled, estimated from its text before anything is compiled: thirty letters can
//! stand for gigabytes.
//!
//! Nothing is decided by this alone: the engine has limits of its own, and an invalid pattern is reported by the engine.

use std::iter::Peekable;
use std::str::Chars;

/// A class of characters beyond ASCII: several sequences of bytes.
const WIDE: u64 = 24;
/// A class of Unicode (`\p{L}`): hundreds of ranges.
const PROPERTY: u64 = 400;
/// What letters become where case is ignored.
const EITHER_CASE: u64 = 4;

/// States of the automaton that a pattern is compiled to, estimated from above.
pub(crate) fn states(pattern: &str) -> u64 {
    let mut rest = pattern.chars().peekable();
    // The states of each group that is open, and those of what a repetition would repeat.
    let mut groups = vec![0_u64];
    let mut last = 0_u64;
    let mut factor = 1;
    while let Some(c) = rest.next() {
        let added = match c {
            '(' => {
                if rest.next_if_eq(&'?').is_some()
                    && rest.peek().is_some_and(|c| c.is_alphabetic() || *c == '-')
                {
                    factor = EITHER_CASE;
                }
                groups.push(0);
                last = 0;
                continue;
            }
            '{' => {
                let repeated = last.saturating_mul(repetitions(&mut rest));
                last = last.saturating_add(repeated).saturating_add(1);
                repeated.saturating_add(1)
            }
            '*' | '+' | '?' => {
                last = last.saturating_add(2);
                2
            }
            c => {
                last = match c {
                    ')' if groups.len() > 1 => groups.pop().unwrap_or_default().saturating_add(2),
                    '[' => class(&mut rest),
                    '\\' => escape(&mut rest),
                    '.' => WIDE,
                    c if c.is_ascii() => 1,
                    _ => 4,
                };
                last
            }
        };
        if let Some(group) = groups.last_mut() {
            *group = group.saturating_add(added);
        }
    }
    let sum = groups.into_iter().fold(1, u64::saturating_add);
    sum.saturating_mul(factor)
}

/// How often at most, after `{`; 0 if that is no repetition.
fn repetitions(rest: &mut Peekable<Chars<'_>>) -> u64 {
    let (mut most, mut number) = (0, 0_u64);
    while let Some(c) = rest.next_if(|c| c.is_ascii_digit() || matches!(c, ',' | ' ')) {
        match c.to_digit(10) {
            Some(digit) => {
                number = number.saturating_mul(10).saturating_add(digit.into());
                most = most.max(number);
            }
            None if c == ',' => number = 0,
            None => {}
        }
    }
    most
}

/// The states of a class, after `[`; nested ones are taken for one.
fn class(rest: &mut Peekable<Chars<'_>>) -> u64 {
    let mut states: u64 = if rest.peek() == Some(&'^') { WIDE } else { 1 };
    let (mut depth, mut is_first) = (1, true);
    while let Some(c) = rest.next() {
        match c {
            // Where it comes first, engines take it for a character.
            ']' if !is_first => depth -= 1,
            '[' => depth += 1,
            '\\' => states = states.saturating_add(escape(rest)),
            c if !c.is_ascii() => states = states.saturating_add(4),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        is_first = is_first && c == '^';
    }
    // A range from ASCII to beyond it.
    if states > 1 { states.max(WIDE) } else { states }
}

/// The states of an escape, after the backslash.
fn escape(rest: &mut Peekable<Chars<'_>>) -> u64 {
    match rest.next() {
        Some(kind @ ('p' | 'P' | 'u' | 'x')) => {
            // The braces of `\p{L}` and `\u{41}` repeat nothing.
            if rest.next_if_eq(&'{').is_some() {
                rest.by_ref().find(|c| *c == '}');
            }
            if kind.eq_ignore_ascii_case(&'p') {
                PROPERTY
            } else {
                4
            }
        }
        Some('S' | 'W' | 'D' | 's' | 'B' | 'b') => WIDE,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::pattern_cost::states;

    #[test]
    fn repetitions_multiply_what_they_repeat() {
        for (pattern, least, most) in [
            ("^abc$", 5, 10),
            ("^[a-z0-9_-]{1,64}$", 64, 80),
            (
                "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
                36,
                60,
            ),
            ("((a{100}){100}){100}", 1_000_000, 2_000_000),
            (r"[^\s]{255}", 255 * 24, 255 * 100),
            (r"\p{L}{64}", 64 * 400, 64 * 500),
            (r"[\p{L}\p{N}]+", 800, 900),
            ("(?i)k", 4, 40),
            ("a{,}b{x}c{", 3, 20),
            ("a{99999999999999999999}", u64::MAX / 2, u64::MAX),
        ] {
            let found = states(pattern);
            assert!((least..=most).contains(&found), "{pattern}: {found}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_counted_all_the_same() {
        for pattern in [
            "", ")", "(((", "[", "[]", "[^", "\\", "{", "{1", "a**", "]", "(?",
        ] {
            assert!(states(pattern) < 100, "{pattern}");
        }
    }
}
