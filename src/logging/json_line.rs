//! A record as a JSON line, for the software that reads logs.

use std::io::{self, Write};
use std::time::SystemTime;

use log::Record;
use log::kv::{self, VisitSource, VisitValue};
use serde::Serialize;

use crate::logging::texts::{MAX_MESSAGE, MAX_TEXT, cut, level, write_timestamp};

/// Writes one record: `{"ts","level","target","message"}`, then its key-values as members of their own; a null is left out. This runs once per request, and small writes to `out` are slow: the line is put together first.
pub(super) fn line(out: &mut impl Write, now: SystemTime, record: &Record<'_>) -> io::Result<()> {
    let mut line = Vec::with_capacity(512);
    line.extend_from_slice(b"{\"ts\":\"");
    write_timestamp(&mut line, now)?;
    line.extend_from_slice(b"\",\"level\":\"");
    line.extend_from_slice(level(record).as_str().as_bytes());
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

#[cfg(test)]
mod tests {
    use log::Level;

    use super::*;

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
}
