//! Parts of a line that both formats have: the level that is shown, texts of bounded length, and the time.

use std::io;
use std::num::NonZeroU8;
use std::time::SystemTime;

use log::{Level, Record};
use time::OffsetDateTime;
use time::format_description::well_known::Iso8601;
use time::format_description::well_known::iso8601::{Config, EncodedConfig, TimePrecision};

/// Bytes of a text in a key-value; names come from clients and servers.
pub(super) const MAX_TEXT: usize = 256;
/// Bytes of a message.
pub(super) const MAX_MESSAGE: usize = 16 * 1024;
/// What actix-http logs as an error is a fault of a client, or its disconnect.
pub(super) const HTTP_LIBRARY: &str = "actix_http";
/// RFC 3339 with milliseconds.
const TIMESTAMP: EncodedConfig = Config::DEFAULT
    .set_time_precision(TimePrecision::Second {
        decimal_digits: NonZeroU8::new(3),
    })
    .encode();

/// The level under which a record is shown.
pub(super) fn level(record: &Record<'_>) -> Level {
    if record.target().starts_with(HTTP_LIBRARY) {
        Level::Debug
    } else {
        record.level()
    }
}

/// The first `most` bytes of a text, or a few less: no character is cut.
pub(super) fn cut(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let mut shorter = (0..=most).rev().filter_map(|end| text.get(..end));
    shorter.next().unwrap_or_default()
}

/// The time as RFC 3339 in UTC with milliseconds: `2026-11-20T21:40:19.123Z`. A clock before 1970 reads as 1970.
pub(super) fn timestamp(now: SystemTime) -> String {
    let mut text = Vec::new();
    // Writing to a vector cannot fail.
    let _ = write_timestamp(&mut text, now);
    String::from_utf8(text).unwrap_or_default()
}

pub(super) fn write_timestamp(line: &mut Vec<u8>, now: SystemTime) -> io::Result<()> {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH);
    let since_epoch = since_epoch.unwrap_or_default().try_into();
    let time =
        OffsetDateTime::UNIX_EPOCH.saturating_add(since_epoch.unwrap_or(time::Duration::MAX));
    let written = time.format_into(line, &Iso8601::<TIMESTAMP>);
    written.map(drop).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abc", 2), "ab");
        assert_eq!(cut("aü", 2), "a");
        assert_eq!(cut("ü", 1), "");
    }
}
