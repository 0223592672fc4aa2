//! JSON lines on stderr, and the one redaction.
//!
//! Which level is logged is a setting; what is logged is decided where it happens. Lines are handed to a thread that writes
//! them (`writer`), so that a reader who stops to read stops nobody else.

mod redact;
mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};
use std::{panic, thread};

use env_logger::Target;
use log::kv::{self, VisitSource, VisitValue};
use log::{Level, LevelFilter, Record};
use serde::Serialize;

pub use crate::logging::redact::{HIDDEN, origin_only, redact_url};
use crate::logging::writer::{Buffer, Way};

/// Bytes of a text in a key-value: names come from callers and servers.
const LONGEST_TEXT: usize = 256;
/// Bytes of a message, for whatever may stand in one.
const LONGEST_MESSAGE: usize = 16 * 1024;
/// How long the end of the process waits for a reader who does not read.
const PATIENCE: Duration = Duration::from_secs(1);
/// What actix-http calls an error is what a caller does wrong, or goes away from.
const OF_CALLERS: &str = "actix_http";

static BUFFER: Buffer = Buffer::new();

/// The log while it is written. Dropping it waits for the lines that are not written yet.
#[derive(Debug)]
pub struct Log(());

impl Drop for Log {
    fn drop(&mut self) {
        finish();
    }
}

/// Starts the logger; a second call in one process (tests) changes nothing.
///
/// One line per record: `{"ts","level","target","message"}`, then the record's key-values as members of their own; one
/// without a value is left out. Dependencies are heard from `warn` up alone: what they log below that may hold headers.
pub fn init(level: LevelFilter) -> io::Result<Log> {
    let of_callers = match level {
        LevelFilter::Debug | LevelFilter::Trace => LevelFilter::Warn,
        _ => LevelFilter::Off,
    };
    let started = env_logger::Builder::new()
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module(OF_CALLERS, of_callers)
        .filter_module(env!("CARGO_CRATE_NAME"), level)
        .format(|out, record| line(out, SystemTime::now(), record))
        .target(Target::Pipe(Box::new(Way(&BUFFER))))
        .try_init();
    if started.is_ok() {
        panic::set_hook(Box::new(note_panic));
        thread::Builder::new()
            .name("log".into())
            .spawn(|| BUFFER.write_to(&mut io::stderr(), tell_of_dropped))?;
    }
    Ok(Log(()))
}

/// Waits until every line is written, but not long for a reader who does not read. Whether they are.
pub fn finish() -> bool {
    BUFFER.finish(PATIENCE)
}

/// Lines that were dropped because the reader was too slow, or had gone.
pub fn dropped_lines() -> u64 {
    BUFFER.dropped()
}

fn tell_of_dropped(out: &mut Vec<u8>, lines: u64) {
    let mut record = Record::builder();
    let key_values = [("dropped", lines)];
    record
        .level(Level::Warn)
        .target(module_path!())
        .key_values(&key_values);
    // Writing to a vector cannot fail.
    let _ = line(
        out,
        SystemTime::now(),
        &record
            .args(format_args!(
                "{lines} lines were dropped: standard error is read too slowly"
            ))
            .build(),
    );
}

/// Instead of the standard library's hook, which writes to stderr itself, and would wait for its reader.
fn note_panic(panic: &panic::PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        log::error!("{panic}\n{trace}");
    } else {
        log::error!("{panic}");
    }
}

/// Writes one record. This runs once per request, and `out` is slow in small pieces: the line is put together first.
fn line(out: &mut impl Write, now: SystemTime, record: &Record<'_>) -> io::Result<()> {
    let level = if record.target().starts_with(OF_CALLERS) {
        Level::Debug
    } else {
        record.level()
    };
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(b"{\"ts\":\"");
    line.extend_from_slice(&digits(now));
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(level.as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":");
    write_text(&mut line, record.target())?;
    line.extend_from_slice(b",\"message\":");
    match record.args().as_str() {
        Some(text) => write_text(&mut line, text)?,
        None => write_text(&mut line, cut(&record.args().to_string(), LONGEST_MESSAGE))?,
    }
    record
        .key_values()
        .visit(&mut Members(&mut line))
        .map_err(io::Error::other)?;
    line.extend_from_slice(b"}\n");
    out.write_all(&line)
}

/// The first `most` bytes of a text, or a few less: no character is cut.
fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut shorter = (0..=most).rev().filter_map(|end| text.get(..end));
    shorter.next().unwrap_or_default()
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
        self.visit_str(&value.to_string())
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
        write_text(self.0, cut(value, LONGEST_TEXT)).map_err(kv::Error::boxed)
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
        let mut record = Record::builder();
        record
            .level(Level::Warn)
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
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("ü", 1), "");
    }
}
