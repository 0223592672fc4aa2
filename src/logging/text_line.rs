//! A record as a line of text, for people at a terminal.
//!
//! `21:40:19.123 POST /api/mcp/demo/tools/add/execute 200 3.1 ms`, and `21:40:19.123 WARN message key=value` for all but requests.
//! Names come from clients and servers, and a terminal obeys control characters: they are escaped.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::SystemTime;

use log::kv::{self, VisitSource, VisitValue};
use log::{Level, Record};

use crate::logging::texts::{MAX_MESSAGE, MAX_TEXT, cut, level, write_timestamp};

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const DIM: &str = "\x1b[2m";
pub(super) const BOLD: &str = "\x1b[1m";
pub(super) const PLAIN: &str = "\x1b[0m";
/// Where the time of day is in a timestamp.
const TIME_OF_DAY: std::ops::Range<usize> = 11..23;

/// Writes one record.
pub(super) fn line(
    out: &mut impl Write,
    now: SystemTime,
    record: &Record<'_>,
    coloured: bool,
) -> io::Result<()> {
    let mut pairs = Pairs::default();
    let visited = record.key_values().visit(&mut pairs);
    visited.map_err(io::Error::other)?;
    let mut line = Line {
        text: String::with_capacity(160),
        coloured,
    };
    let mut timestamp = Vec::new();
    write_timestamp(&mut timestamp, now)?;
    let time = timestamp.get(TIME_OF_DAY).unwrap_or_default();
    line.painted(DIM, &String::from_utf8_lossy(time));
    match pairs.take("status") {
        Some(status) => line.push_request(&status, &mut pairs),
        None => line.push_message(record),
    }
    for (key, value) in &pairs.0 {
        let mut pair = format!(" {key}=");
        push_escaped(&mut pair, value);
        line.painted(DIM, &pair);
    }
    line.text.push('\n');
    out.write_all(line.text.as_bytes())
}

/// Key-values that are not yet written.
#[derive(Default)]
struct Pairs(Vec<(String, String)>);

impl Pairs {
    fn take(&mut self, key: &str) -> Option<String> {
        let index = self.0.iter().position(|(it, _)| it == key)?;
        Some(self.0.remove(index).1)
    }
}

impl<'kvs> VisitSource<'kvs> for Pairs {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(&mut Pair(&mut self.0, key.as_str()))
    }
}

/// Adds the value of one key; a null is left out.
struct Pair<'a>(&'a mut Vec<(String, String)>, &'a str);

impl VisitValue<'_> for Pair<'_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.visit_str(&value.to_string())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        let value = cut(value, MAX_TEXT).to_owned();
        self.0.push((self.1.to_owned(), value));
        Ok(())
    }
}

struct Line {
    text: String,
    coloured: bool,
}

impl Line {
    fn painted(&mut self, colour: &str, text: &str) {
        if self.coloured && !colour.is_empty() {
            self.text.extend([colour, text, PLAIN]);
        } else {
            self.text.push_str(text);
        }
    }

    /// A request by its method, its path with the names in it, its status and its time; the id only of one that failed.
    fn push_request(&mut self, status: &str, pairs: &mut Pairs) {
        let mut request = String::from(" ");
        let route = pairs.take("route").filter(|route| !route.is_empty());
        let route = route.unwrap_or_else(|| "(no route)".to_owned());
        for part in [pairs.take("method").unwrap_or_default(), route] {
            push_escaped(&mut request, &part);
            request.push(' ');
        }
        for name in ["server", "tool"] {
            let variable = format!("{{{name}}}");
            if request.contains(&variable)
                && let Some(value) = pairs.take(name)
            {
                let mut escaped = String::new();
                push_escaped(&mut escaped, &value);
                request = request.replacen(&variable, &escaped, 1);
            }
        }
        self.text.push_str(&request);
        let colour = match status.as_bytes() {
            [b'5', ..] => RED,
            [b'4', ..] => YELLOW,
            _ => GREEN,
        };
        self.painted(colour, status);
        if let Some(micros) = pairs.take("micros") {
            self.painted(DIM, &format!(" {} ms", tenths(&micros)));
        }
        if colour == GREEN {
            pairs.take("request_id");
        }
    }

    /// The message with its level. Lines after the first are indented, so that none can pass for a record of its own.
    fn push_message(&mut self, record: &Record<'_>) {
        let level = level(record);
        let colour = match level {
            Level::Error => RED,
            Level::Warn => YELLOW,
            Level::Info => "",
            Level::Debug | Level::Trace => DIM,
        };
        self.text.push(' ');
        if level != Level::Info {
            self.painted(colour, level.as_str());
            self.text.push(' ');
        }
        let message = record.args().to_string();
        let mut lines = cut(&message, MAX_MESSAGE).lines();
        push_escaped(&mut self.text, lines.next().unwrap_or_default());
        for line in lines {
            self.text.push_str("\n    ");
            push_escaped(&mut self.text, line);
        }
    }
}

/// Microseconds as milliseconds with one decimal.
fn tenths(micros: &str) -> String {
    let tenths = micros.parse::<u64>().unwrap_or_default() / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Adds a text with its control characters escaped, and those that change the direction of what follows.
pub(super) fn push_escaped(to: &mut String, text: &str) {
    for character in text.chars() {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns {
            // Writing to a `String` cannot fail.
            let _ = write!(to, "{}", character.escape_unicode());
        } else {
            to.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn written(level: Level, message: &str, pairs: &[(&str, &str)], coloured: bool) -> String {
        let mut out = Vec::new();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_735_689_599_001);
        let mut record = Record::builder();
        record.level(level).target("t").key_values(&pairs);
        line(
            &mut out,
            now,
            &record.args(format_args!("{message}")).build(),
            coloured,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_its_path_status_and_time() {
        let pairs = [
            ("request_id", "id"),
            ("method", "POST"),
            ("route", "/api/mcp/{server}/tools/{tool}/execute"),
            ("server", "de mo"),
            ("tool", "add"),
            ("status", "200"),
            ("micros", "12345"),
        ];
        assert_eq!(
            written(Level::Info, "request", &pairs, false),
            "23:59:59.001 POST /api/mcp/de mo/tools/add/execute 200 12.3 ms\n"
        );
        let failed = [
            ("request_id", "id"),
            ("method", "GET"),
            ("route", "/x"),
            ("status", "502"),
            ("code", "upstream_timeout"),
            ("micros", "7"),
        ];
        assert_eq!(
            written(Level::Info, "request", &failed, true),
            "\x1b[2m23:59:59.001\x1b[0m GET /x \x1b[31m502\x1b[0m\x1b[2m 0.0 ms\x1b[0m\
             \x1b[2m request_id=id\x1b[0m\x1b[2m code=upstream_timeout\x1b[0m\n"
        );
    }

    #[test]
    fn other_records_are_their_message_and_key_values() {
        assert_eq!(
            written(
                Level::Warn,
                "first\nsecond\x1b[2J",
                &[("server", "a\r\u{202e}b")],
                false
            ),
            "23:59:59.001 WARN first\n    second\\u{1b}[2J server=a\\u{d}\\u{202e}b\n"
        );
        assert_eq!(
            written(Level::Info, "listening", &[], false),
            "23:59:59.001 listening\n"
        );
    }
}
