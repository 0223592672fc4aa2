//! The numbers of a schema that a tree of it would not keep: those that are too large to be read, which would make the whole schema
//! unreadable, and whole numbers that would become others.

use std::borrow::Cow;

use serde_json::Value;

/// A text instead of such a number, and as it is written in JSON.
const LOST: &str = "\0";
const WRITTEN: &str = "\"\\u0000\"";

/// The JSON with each number that would not be kept replaced: see [`is_lost`].
pub(crate) fn replaced(json: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut kept_to, mut at) = (0, 0);
    let (mut in_string, mut escaped) = (false, false);
    let bytes = json.as_bytes();
    while let Some(byte) = bytes.get(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'-' | b'0'..=b'9' if !in_string => {
                let rest = json.get(at..).unwrap_or_default();
                let number = number(rest);
                if !is_kept(number) {
                    out.push_str(json.get(kept_to..at).unwrap_or_default());
                    out.push_str(WRITTEN);
                    kept_to = at + number.len();
                }
                at += number.len();
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    if kept_to == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(kept_to..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether a value stands for a number that was replaced.
pub(crate) fn is_lost(value: &Value) -> bool {
    value.as_str() == Some(LOST)
}

/// The number at the start of a text; at least one byte, as it starts with one of its characters.
fn number(text: &str) -> &str {
    let is_of_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let end = text.find(|c| !is_of_number(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// A fraction may be rounded; a whole number may not.
fn is_kept(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let read: f64 = number.parse().unwrap_or(f64::INFINITY);
    let is_whole = !number.contains(['.', 'e', 'E']);
    read.is_finite() && (!is_whole || format!("{read:.0}") == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_would_change_are_replaced() {
        for kept in [
            r#"{"a":[1,-2.50,1e5,18446744073709551615,-9223372036854775808,1e-400,-0]}"#,
            r#"{"1e400":"\"12345678901234567890123"}"#,
            "10000000000000000000000",
        ] {
            assert_eq!(replaced(kept), kept);
        }
        let long = "9".repeat(400);
        for lost in ["1e400", "-1.5E+999", "12345678901234567890123", &long] {
            let json = format!(r#"{{"é":[{lost}, 1],"b":{lost}}}"#);
            let read: Value = serde_json::from_str(&replaced(&json)).unwrap();
            assert!(is_lost(&read["é"][0]) && is_lost(&read["b"]), "{read}");
            assert_eq!(read["é"][1], 1);
        }
    }
}
