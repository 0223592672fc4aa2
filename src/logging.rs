//! JSON lines on standard error: the format of a line, and the logger.
//!
//! The level is a setting; what is logged is decided by the caller of `log`. A thread writes the lines (`writer`), so that a reader of
//! standard error that stalls does not block a request.

mod writer;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write};
use std::num::NonZeroU8;
use std::time::{Duration, SystemTime};
use std::{panic, thread};

use env_logger::Target;
use log::kv::{self, VisitSource, VisitValue};
use log::{Level, LevelFilter, Record};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

use crate::logging::writer::{Buffer, BufferWriter};

/// Bytes of a text in a key-value; names come from clients and servers.
const MAX_TEXT: usize = 256;
/// Bytes of a message.
const MAX_MESSAGE: usize = 16 * 1024;
/// How long the end of the process waits for a reader of standard error that stalls.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// RFC 3339 with milliseconds.
const TIMESTAMP: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: NonZeroU8::new(3),
    })
    .encode();
/// What actix-http logs as an error is a fault of a client, or its disconnect.
const HTTP_LIBRARY: &str = "actix_http";

static BUFFER: Buffer = Buffer::new();

/// Flushes the log when it is dropped.
#[derive(Debug)]
pub struct Log(());

impl Drop for Log {
    fn drop(&mut self) {
        finish();
    }
}

/// Starts the logger; a second call in one process (tests) changes nothing.
///
/// One line per record: `{"ts","level","target","message"}`, then the record's key-values as members of their own; a null
/// is left out. Of dependencies only `warn` and above is logged: what they log below that may hold headers.
pub fn init(level: LevelFilter) -> io::Result<Log> {
    let http_library = match level {
        LevelFilter::Debug | LevelFilter::Trace => LevelFilter::Warn,
        _ => LevelFilter::Off,
    };
    let started = env_logger::Builder::new()
        .filter_level(level.min(LevelFilter::Warn))
        .filter_module(HTTP_LIBRARY, http_library)
        .filter_module(env!("CARGO_CRATE_NAME"), level)
        .format(|out, record| line(out, SystemTime::now(), record))
        .target(Target::Pipe(Box::new(BufferWriter(&BUFFER))))
        .try_init();
    if started.is_ok() {
        panic::set_hook(Box::new(log_panic));
        thread::Builder::new()
            .name("log".into())
            .spawn(|| BUFFER.write_to(&mut io::stderr(), write_dropped))?;
    }
    Ok(Log(()))
}

/// Waits until every line is written, or for a second where the reader stalls. Returns whether all are written.
pub fn finish() -> bool {
    BUFFER.finish(FLUSH_TIMEOUT)
}

/// Lines that were dropped because the reader was too slow, or had closed standard error.
pub fn dropped_lines() -> u64 {
    BUFFER.dropped()
}

fn write_dropped(out: &mut Vec<u8>, lines: u64) {
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

/// Replaces the hook of the standard library, which writes to stderr itself and would wait for its reader.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    if trace.status() == BacktraceStatus::Captured {
        log::error!("{panic}\n{trace}");
    } else {
        log::error!("{panic}");
    }
}

/// Writes one record. This runs once per request, and small writes to `out` are slow: the line is put together first.
fn line(out: &mut impl Write, now: SystemTime, record: &Record<'_>) -> io::Result<()> {
    let level = if record.target().starts_with(HTTP_LIBRARY) {
        Level::Debug
    } else {
        record.level()
    };
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(b"{\"ts\":\"");
    write_timestamp(&mut line, now)?;
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(level.as_str().as_bytes());
    line.extend_from_slice(b"\",\"target\":");
    write_text(&mut line, record.target())?;
    line.extend_from_slice(b",\"message\":");
    match record.args().as_str() {
        Some(text) => write_text(&mut line, text)?,
        None => write_text(&mut line, cut(&record.args().to_string(), MAX_MESSAGE))?,
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

/// Writes the value of one key.
struct Member<'a, 'k>(&'a mut Vec<u8>, kv::Key<'k>);

impl<'kvs> VisitSource<'kvs> for Members<'_> {
    fn visit_pair(&mut self, key: kv::Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        value.visit(&mut Member(self.0, key))
    }
}

/// Writes a text as a JSON string. Hardly any text needs escapes, and a scan of all bytes is cheaper than to escape one by one.
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
        self.write_key();
        serde_json::to_writer(&mut *self.0, &value).map_err(kv::Error::boxed)
    }

    /// Writes the key as it is: keys are names in sources, of this service and its libraries, and need no escapes.
    fn write_key(&mut self) {
        self.0.extend_from_slice(b",\"");
        self.0.extend_from_slice(self.1.as_str().as_bytes());
        self.0.extend_from_slice(b"\":");
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
        self.write_key();
        write_text(self.0, cut(value, MAX_TEXT)).map_err(kv::Error::boxed)
    }
}

/// The time as RFC 3339 in UTC with milliseconds: `2026-11-20T21:40:19.123Z`. A clock before 1970 reads as 1970.
pub fn timestamp(now: SystemTime) -> String {
    let mut text = Vec::new();
    // Writing to a vector cannot fail.
    let _ = write_timestamp(&mut text, now);
    String::from_utf8(text).unwrap_or_default()
}

fn write_timestamp(line: &mut Vec<u8>, now: SystemTime) -> io::Result<()> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH);
    let since_epoch = since_epoch.unwrap_or_default().try_into();
    let time =
        OffsetDateTime::UNIX_EPOCH.saturating_add(since_epoch.unwrap_or(time::Duration::MAX));
    let written = time.format_into(line, &Iso8601::<TIMESTAMP>);
    written.map(drop).map_err(io::Error::other)
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
            ("text", "a\nb\u{1}ü".into()),
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
                r#""wide":"340282366920938463463374607431768211455","text":"a\nb\u0001ü"}"#,
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
