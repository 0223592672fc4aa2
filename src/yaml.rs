//! JSON as YAML: one pass over the text, without a tree, so that numbers keep their digits and members their order.
//!
//! What it writes means the same to readers of YAML 1.2 and 1.1 (`no`, `1.0`, `2026-01-01` stay strings). Block style, as people
//! write it; where that would make the text many times longer, as deep nesting does, the flow style that JSON itself is.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Write as _;

use memchr::memchr2;

use crate::json::Text;

/// How many levels are in block style.
const BLOCK_LEVELS: usize = 40;
/// How many times longer than its JSON a value in block style may be, and by how many bytes more.
const GROWTH: usize = 4;
const SLACK: usize = 4096;
/// Bytes of a key that stands alone on its line: YAML allows 1,024 characters before the colon.
const LONGEST_KEY: usize = 1000;

/// A JSON text as YAML; `None` if it is not JSON.
pub(crate) fn from_json(json: &str) -> Option<String> {
    let mut writer = Writer {
        rest: json,
        out: String::with_capacity(json.len() * 2),
    };
    writer.value(Position::Start, 0).ok()?;
    writer.rest.trim_ascii().is_empty().then_some(writer.out)
}

/// What stands before a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Start,
    Key,
    Dash,
}

/// Why a value is not written in block style.
enum Stop {
    /// The text is not JSON.
    NotJson,
    /// It becomes too long.
    TooLong,
}

struct Writer<'a> {
    /// What has not been read yet.
    rest: &'a str,
    out: String,
}

// === block style ===

impl Writer<'_> {
    /// The next value, and the end of its line. Members and items go to lines with so much `indent`.
    fn value(&mut self, position: Position, indent: usize) -> Result<(), Stop> {
        let next = self.peek()?;
        if !matches!(next, b'{' | b'[') || self.is_empty_container() {
            self.space(position);
            return self.scalar_or_empty(indent);
        }
        if indent / 2 <= BLOCK_LEVELS {
            let (rest, written) = (self.rest, self.out.len());
            match self.block(position, indent) {
                Err(Stop::TooLong) => {
                    self.rest = rest;
                    self.out.truncate(written);
                }
                done => return done,
            }
        }
        self.space(position);
        self.flow()?;
        self.out.push('\n');
        Ok(())
    }

    fn space(&mut self, position: Position) {
        if position != Position::Start {
            self.out.push(' ');
        }
    }

    /// A container that is not empty, a line for each member or item. The first stands beside the dash.
    fn block(&mut self, position: Position, indent: usize) -> Result<(), Stop> {
        let (before, written) = (self.rest.len(), self.out.len());
        let is_object = self.take()? == b'{';
        match position {
            Position::Start => {}
            Position::Key => self.out.push('\n'),
            Position::Dash => self.out.push(' '),
        }
        let mut is_first = true;
        loop {
            if !is_first || position == Position::Key {
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            is_first = false;
            if is_object {
                self.member(indent)?;
            } else {
                self.out.push('-');
                self.value(Position::Dash, indent + 2)?;
            }
            if self.out.len() - written > GROWTH * (before - self.rest.len()) + SLACK {
                return Err(Stop::TooLong);
            }
            self.peek()?;
            match self.take()? {
                b',' => {}
                b'}' | b']' => return Ok(()),
                _ => return Err(Stop::NotJson),
            }
        }
    }

    fn member(&mut self, indent: usize) -> Result<(), Stop> {
        self.peek()?;
        let token = self.token()?;
        let name = decoded(token);
        if token.len() > LONGEST_KEY {
            self.out.push_str("? ");
            self.quoted(name.as_deref(), token);
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent));
        } else if name.as_deref().is_some_and(is_plain) {
            self.out.push_str(name.as_deref().unwrap_or_default());
        } else {
            self.quoted(name.as_deref(), token);
        }
        self.colon()?;
        self.out.push(':');
        self.value(Position::Key, indent + 2)
    }

    /// A value on one line, or a text of several lines as such.
    fn scalar_or_empty(&mut self, indent: usize) -> Result<(), Stop> {
        if self.rest.starts_with('"') {
            let token = self.token()?;
            let text = decoded(token);
            match text.as_deref() {
                Some(text) if is_plain(text) => self.out.push_str(text),
                Some(text) if is_literal(text) && is_worth(text, indent, token) => {
                    self.literal(text, indent);
                    return Ok(());
                }
                _ => self.quoted(text.as_deref(), token),
            }
        } else {
            self.flow()?;
        }
        self.out.push('\n');
        Ok(())
    }

    fn literal(&mut self, text: &str, indent: usize) {
        let (lines, header) = match text.strip_suffix('\n') {
            Some(lines) => (lines, "|"),
            None => (text, "|-"),
        };
        self.out.push_str(header);
        self.out.push('\n');
        for line in lines.split('\n') {
            if !line.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', indented(indent)));
                self.out.push_str(line);
            }
            self.out.push('\n');
        }
    }
}

// === flow style ===

impl Writer<'_> {
    /// The next value on one line, whatever it is.
    fn flow(&mut self) -> Result<(), Stop> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.flow_text()?,
                opening @ (b'{' | b'[') => {
                    depth += 1;
                    self.take()?;
                    self.out.push(char::from(opening));
                }
                closing @ (b'}' | b']') => {
                    depth = depth.checked_sub(1).ok_or(Stop::NotJson)?;
                    self.take()?;
                    self.out.push(char::from(closing));
                }
                b',' => {
                    self.take()?;
                    self.out.push_str(", ");
                    continue;
                }
                b':' => {
                    self.take()?;
                    self.out.push_str(": ");
                    continue;
                }
                _ => {
                    let number = number(self.token()?);
                    self.out.push_str(&number);
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn flow_text(&mut self) -> Result<(), Stop> {
        let token = self.token()?;
        let is_key = self.rest.trim_ascii_start().starts_with(':');
        if is_key && token.len() > LONGEST_KEY {
            self.out.push_str("? ");
        }
        self.quoted(decoded(token).as_deref(), token);
        Ok(())
    }

    /// A text in double quotes. One that is no Unicode, by half a surrogate pair, stays as it is in JSON.
    fn quoted(&mut self, text: Option<&str>, token: &str) {
        let Some(text) = text else {
            self.out.push_str(token);
            return;
        };
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if is_printable(c) => self.out.push(c),
                c => {
                    // To write into a string cannot fail. All that is not printable is in the basic plane.
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
            }
        }
        self.out.push('"');
    }
}

// === reading JSON ===

impl<'a> Writer<'a> {
    /// The first byte after white space.
    fn peek(&mut self) -> Result<u8, Stop> {
        self.rest = self.rest.trim_ascii_start();
        self.rest.bytes().next().ok_or(Stop::NotJson)
    }

    /// Takes a byte of punctuation.
    fn take(&mut self) -> Result<u8, Stop> {
        let byte = self.rest.bytes().next().ok_or(Stop::NotJson)?;
        self.rest = self.rest.get(1..).ok_or(Stop::NotJson)?;
        Ok(byte)
    }

    fn colon(&mut self) -> Result<(), Stop> {
        match (self.peek()?, self.take()?) {
            (b':', _) => Ok(()),
            _ => Err(Stop::NotJson),
        }
    }

    /// Takes a string with its quotes, a number or a literal.
    fn token(&mut self) -> Result<&'a str, Stop> {
        let end = if self.rest.starts_with('"') {
            end_of_string(self.rest.as_bytes())
        } else {
            let ends = |c: char| c.is_ascii_whitespace() || ",:[]{}\"".contains(c);
            Some(self.rest.find(ends).unwrap_or(self.rest.len()))
        };
        let split = end.filter(|end| *end > 0);
        let split = split.and_then(|end| self.rest.split_at_checked(end));
        let (token, rest) = split.ok_or(Stop::NotJson)?;
        self.rest = rest;
        Ok(token)
    }

    fn is_empty_container(&self) -> bool {
        let inside = self.rest.get(1..).unwrap_or_default();
        inside.trim_ascii_start().starts_with(['}', ']'])
    }
}

fn end_of_string(json: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        let found = at + memchr2(b'"', b'\\', json.get(at..)?)?;
        if json.get(found) == Some(&b'"') {
            return Some(found + 1);
        }
        at = found + 2;
    }
}

fn decoded(token: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(token)
        .ok()
        .map(|text| text.0)
}

/// A number with a fraction and a sign before an exponent, without which it is a string to YAML 1.1. The digits stay. Other literals
/// as they are.
fn number(token: &str) -> Cow<'_, str> {
    let is_number = token.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    let Some((digits, exponent)) = token.split_once(['e', 'E']).filter(|_| is_number) else {
        return Cow::Borrowed(token);
    };
    let fraction = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    Cow::Owned(format!("{digits}{fraction}e{sign}{exponent}"))
}

// === texts ===

/// Whether a character may stand in YAML as it is, and means no line break there (YAML 1.2, section 5.1).
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Whether a text needs no quotes: it begins like a word, and no reader takes it for anything but a string.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 12] = [
        "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity",
    ];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '$'))
        && !text.ends_with([' ', ':'])
        && text.chars().all(is_printable)
        && !text.contains(": ")
        && !text.contains(" #")
        && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether a text of several lines can be written line by line.
fn is_literal(text: &str) -> bool {
    let lines = text.strip_suffix('\n').unwrap_or(text);
    lines.contains('\n')
        && !lines.starts_with(char::is_whitespace)
        && !lines.ends_with(char::is_whitespace)
        && text.chars().all(|c| c == '\n' || is_printable(c))
}

/// How far the lines of a text are indented: at the start of a document too.
fn indented(indent: usize) -> usize {
    indent.max(2)
}

/// Whether the lines of a text, with so much before each, grow no more than a value in block style may.
fn is_worth(text: &str, indent: usize, token: &str) -> bool {
    let lines = text.split('\n').filter(|line| !line.is_empty()).count();
    lines * indented(indent) + text.len() <= GROWTH * token.len() + SLACK
}
