//! JSON lines on stderr, and the one redaction: what a URL looks like wherever it is shown.
//!
//! Which level is logged is a setting; what is logged is decided where it happens.

use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};

use log::kv::{self, VisitSource, VisitValue};
use serde::Serialize;

use crate::expand::{Piece, pieces};

/// Stands where something was that is never shown.
pub const HIDDEN: &str = "***";

/// Starts the logger; a second call in one process (tests) changes nothing.
///
/// One line per record: `{"ts","level","target","message"}`, then the record's key-values as members of their own; one
/// without a value is left out. Dependencies are heard from `warn` up alone: what they log below that may hold headers.
pub fn init(level: log::LevelFilter) {
    let _ = env_logger::Builder::new()
        .filter_level(level.min(log::LevelFilter::Warn))
        .filter_module(env!("CARGO_CRATE_NAME"), level)
        .format(|out, record| line(out, SystemTime::now(), record))
        .try_init();
}

/// Writes one record. This runs once per request, and `out` is slow in small pieces: the line is put together first.
fn line(out: &mut impl Write, now: SystemTime, record: &log::Record<'_>) -> io::Result<()> {
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(b"{\"ts\":\"");
    line.extend_from_slice(&digits(now));
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(record.level().as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":");
    write_text(&mut line, record.target())?;
    line.extend_from_slice(b",\"message\":");
    match record.args().as_str() {
        Some(text) => write_text(&mut line, text)?,
        None => serde_json::to_writer(&mut line, record.args())?,
    }
    record
        .key_values()
        .visit(&mut Members(&mut line))
        .map_err(io::Error::other)?;
    line.extend_from_slice(b"}\n");
    out.write_all(&line)
}

/// Writes key-values as `,"key":value`: numbers and booleans as such, nothing for null, anything else as a string.
struct Members<'a>(&'a mut Vec<u8>);

/// One key-value on its way into the line.
struct Member<'a, 'k>(&'a mut Vec<u8>, kv::Key<'k>);

impl<'kvs> VisitSource<'kvs> for Members<'_> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(&mut Member(self.0, key))
    }
}

/// Writes a text as a JSON string. Hardly any needs escapes, and to find that out without stopping is cheaper than to look for them one
/// by one.
fn write_text(line: &mut Vec<u8>, text: &str) -> serde_json::Result<()> {
    let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text
        .bytes()
        .fold(false, |any, byte| any | needs_escape(byte))
    {
        return serde_json::to_writer(line, text);
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
    Ok(())
}

impl Member<'_, '_> {
    fn write(&mut self, value: impl Serialize) -> Result<(), kv::Error> {
        self.write_key()?;
        serde_json::to_writer(&mut *self.0, &value).map_err(kv::Error::boxed)
    }

    fn write_key(&mut self) -> Result<(), kv::Error> {
        self.0.push(b',');
        write_text(self.0, self.1.as_str()).map_err(kv::Error::boxed)?;
        self.0.push(b':');
        Ok(())
    }
}

impl VisitValue<'_> for Member<'_, '_> {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.write(format_args!("{value}"))
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.write(value)
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.write(value)
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.write(value)
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.write(value)
    }

    fn visit_str(&mut self, value: &str) -> Result<(), kv::Error> {
        self.write_key()?;
        write_text(self.0, value).map_err(kv::Error::boxed)
    }
}

/// The time as RFC 3339 in UTC with milliseconds: `2026-11-20T21:40:19.123Z`. A clock before 1970 reads as 1970.
pub fn timestamp(now: SystemTime) -> String {
    String::from_utf8_lossy(&digits(now)).into_owned()
}

fn digits(now: SystemTime) -> [u8; 24] {
    let since_epoch = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let seconds = since_epoch.as_secs();
    let (year, month, day) = civil_from_days(seconds / 86_400);

    let mut text = *b"0000-00-00T00:00:00.000Z";
    put(&mut text[0..4], year);
    put(&mut text[5..7], month);
    put(&mut text[8..10], day);
    put(&mut text[11..13], seconds / 3600 % 24);
    put(&mut text[14..16], seconds / 60 % 60);
    put(&mut text[17..19], seconds % 60);
    put(&mut text[20..23], since_epoch.subsec_millis().into());
    text
}

/// Year, month and day of a day counted from 1970-01-01: H. Hinnant's algorithm, whose years begin in March so that
/// the leap day comes last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let from_march_0000 = days + 719_468;
    let era = from_march_0000 / 146_097;
    let day_of_era = from_march_0000 % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Fills `slots` with the last decimal digits of `value`.
fn put(slots: &mut [u8], mut value: u64) {
    for slot in slots.iter_mut().rev() {
        *slot = u8::try_from(value % 10).map_or(b'0', |digit| b'0' + digit);
        value /= 10;
    }
}

/// A URL as it may be shown, from how it was written in the file, before `${NAME}` is filled in: without userinfo and
/// fragment, query values as `***`. Whatever does not look like a URL is `***` as a whole.
///
/// A variable that the URL begins with is shown without its default, which may hold any part of a URL.
pub fn redact_url(written: &str) -> String {
    let Some(url) = Shown::of(written) else {
        return HIDDEN.to_owned();
    };
    let mut shown = url.start + url.authority + url.path;
    if let Some(query) = url.query {
        let hidden: Vec<_> = query.split('&').map(hide_value).collect();
        shown.push('?');
        shown.push_str(&hidden.join("&"));
    }
    shown
}

/// `scheme://host[:port]` of the same.
pub fn origin_only(written: &str) -> String {
    Shown::of(written).map_or_else(|| HIDDEN.to_owned(), |url| url.start + url.authority)
}

/// `name=***`. A pair without `=` may be a bare key, and one with a variable before its `=` a default that holds one.
fn hide_value(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if !name.contains("${") => format!("{name}={HIDDEN}"),
        None if pair.is_empty() => String::new(),
        _ => HIDDEN.to_owned(),
    }
}

/// The parts of a written URL, userinfo and fragment already gone.
struct Shown<'a> {
    /// `https://`, `${SCHEME}://`, or a variable that holds an unknown part of the URL: `${BASE}`.
    start: String,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(written: &'a str) -> Option<Self> {
        let (start, rest) = start(written)?;
        let (authority, rest) = rest.split_at(authority_end(rest));
        let authority = after_last(authority, '@');
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let may_lack_host = start.ends_with('}');
        // A path of `//...` is an authority to some parsers, and then it may hold userinfo.
        (is_authority(authority, may_lack_host) && !path.starts_with("//")).then_some(Self {
            start,
            authority,
            path,
            query,
        })
    }
}

fn start(written: &str) -> Option<(String, &str)> {
    for scheme in ["https://", "http://"] {
        if let Some((head, rest)) = written.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme)
        {
            return Some((scheme.to_owned(), rest));
        }
    }
    let Some(Piece::Variable { name, .. }) = pieces(written).next() else {
        return None;
    };
    let (_, rest) = written.split_once('}')?;
    match rest.strip_prefix("://") {
        Some(rest) => Some((format!("${{{name}}}://"), rest)),
        None => Some((format!("${{{name}}}"), rest)),
    }
}

/// Where the authority ends: at the first `/`, `?` or `#` that is not inside `${...}`.
fn authority_end(rest: &str) -> usize {
    let mut inside = false;
    let mut previous = ' ';
    rest.find(|c| {
        let opens = previous == '$' && c == '{';
        let ends = !inside && matches!(c, '/' | '?' | '#');
        inside = opens || (inside && c != '}');
        previous = c;
        ends
    })
    .unwrap_or(rest.len())
}

fn after_last(text: &str, separator: char) -> &str {
    text.rsplit_once(separator).map_or(text, |(_, after)| after)
}

/// Whether `authority` is `host[:port]` with every variable's default in its place: `user:pa/ss@host` is cut off at
/// its slash and must not pass for a host.
fn is_authority(authority: &str, may_lack_host: bool) -> bool {
    let text: String = pieces(authority)
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Variable { default, .. } => default.unwrap_or("0"),
            Piece::Unclosed => "}",
        })
        .collect();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text.as_str(), "0"),
    };
    let in_host = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    let host_is_good = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(ipv6) => ipv6.chars().all(|c| c == ':' || in_host(c)),
        None => host.chars().all(in_host) && (may_lack_host || !host.is_empty()),
    };
    host_is_good && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ] {
            let now = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
            assert_eq!(timestamp(now), expected);
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(timestamp(before), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_record_is_one_json_line_with_its_key_values() {
        let key_values: &[(&str, kv::Value<'_>)] = &[
            ("status", 200.into()),
            ("big", u64::MAX.into()),
            ("low", (-1).into()),
            ("ms", 1.5.into()),
            ("nan", f64::NAN.into()),
            ("ok", true.into()),
            ("none", kv::Value::null()),
            ("wide", u128::MAX.into()),
            ("quo\"te", "a\nb\u{1}ü".into()),
        ];
        let mut out = Vec::new();
        let mut record = log::Record::builder();
        record
            .level(log::Level::Warn)
            .target("t")
            .key_values(&key_values);
        let written = line(
            &mut out,
            SystemTime::UNIX_EPOCH,
            &record.args(format_args!("say \"{}\"\r\n", "hi")).build(),
        );
        assert!(written.is_ok());
        assert_eq!(
            String::from_utf8(out).unwrap(),
            concat!(
                r#"{"ts":"1970-01-01T00:00:00.000Z","level":"WARN","target":"t","message":"say \"hi\"\r\n","#,
                r#""status":200,"big":18446744073709551615,"low":-1,"ms":1.5,"nan":null,"ok":true,"#,
                r#""wide":"340282366920938463463374607431768211455","quo\"te":"a\nb\u0001ü"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn urls_are_shown_as_written_without_their_secrets() {
        for (written, expected) in [
            ("https://h/mcp", "https://h/mcp"),
            ("HTTP://H:80", "http://H:80"),
            ("https://[::1]:3000/mcp", "https://[::1]:3000/mcp"),
            ("http://[::1]/", "http://[::1]/"),
            ("https://SECRET:SECRET@h/mcp#SECRET", "https://h/mcp"),
            ("https://SECRET@SECRET@h", "https://h"),
            (
                "https://h/p?key=SECRET&b=SECRET=&SECRET&",
                "https://h/p?key=***&b=***&***&",
            ),
            ("https://h?k=SECRET?x=SECRET#k=SECRET", "https://h?k=***"),
            (
                "https://h/${KEY}/${P:-x}/mcp",
                "https://h/${KEY}/${P:-x}/mcp",
            ),
            ("https://h/@scope/x", "https://h/@scope/x"),
            (
                "https://${HOST:-h.x}:${PORT:-80}/",
                "https://${HOST:-h.x}:${PORT:-80}/",
            ),
            ("https://${HOST}:${PORT}/", "https://${HOST}:${PORT}/"),
            ("https://${U}:${P:-SECRET/?#@}@h/mcp", "https://h/mcp"),
            ("https://h/?k=${KEY:-SECRET&SECRET}", "https://h/?k=***&***"),
            ("https://h/?${Q:-k=SECRET}", "https://h/?***"),
            ("${URL}", "${URL}"),
            (
                "${URL:-https://u:SECRET@h/?k=SECRET}/mcp?k=SECRET",
                "${URL}/mcp?k=***",
            ),
            ("${BASE}:8080/mcp", "${BASE}:8080/mcp"),
            ("${SCHEME:-https}://SECRET@h/", "${SCHEME}://h/"),
            ("${SCHEME}u:SECRET@h/", "${SCHEME}h/"),
        ] {
            assert_eq!(redact_url(written), expected, "{written}");
        }
    }

    #[test]
    fn what_does_not_look_like_a_url_is_hidden_whole() {
        for written in [
            "",
            "SECRET",
            " https://u:SECRET@h/",
            "https:/u:SECRET@h/",
            "https:u:SECRET@h/",
            "https:///u:SECRET@h/",
            "https://u:SECRET/x@h/mcp",
            "https://u:${P:-SECRET}/x@h/mcp",
            "https://u:SECRET",
            "https://${A:-SECRET",
            "https://${H:-u:SECRET@h}/",
            "https://h SECRET/",
            "${A}s://u:SECRET@h/",
            "${A}//u:SECRET@h/",
            "${A",
            "ftp://u:SECRET@h/",
            "httpsü://u:SECRET@h",
        ] {
            assert_eq!(redact_url(written), HIDDEN, "{written}");
            assert_eq!(origin_only(written), HIDDEN, "{written}");
        }
    }

    #[test]
    fn the_origin_alone() {
        for (written, expected) in [
            ("https://u:SECRET@h:8443/a/b?k=v#f", "https://h:8443"),
            ("${URL:-x}/secret/path", "${URL}"),
        ] {
            assert_eq!(origin_only(written), expected);
        }
    }
}
