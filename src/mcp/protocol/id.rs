//! The ids of JSON-RPC requests that this service sends, and the random bits they are made of.

use std::borrow::Cow;

use serde_json::value::RawValue;

/// The JSON-RPC id of one request: 128 random bits in hex.
///
/// Random, because replicas of this service may send requests into the same session at the same time, and ids that
/// count from one would collide there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id(String);

impl Id {
    /// A fresh random id.
    pub fn random() -> Self {
        Self(random_hex())
    }

    /// The id as it is sent, without the quotes.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `raw` is this id: a JSON string with these characters. The number `1` is not the string `"1"`.
    pub(crate) fn is(&self, raw: &RawValue) -> bool {
        let raw = raw.get();
        let as_written = raw
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .is_some_and(|inner| inner == self.0);
        as_written || serde_json::from_str::<Cow<'_, str>>(raw).is_ok_and(|id| id == self.0)
    }
}

impl From<&str> for Id {
    /// A chosen id, for tests and fuzz targets.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// 128 random bits as 32 hexadecimal digits. Unlike `{:032x}` it costs next to nothing, and every request needs two.
pub fn random_hex() -> String {
    let bits: u128 = rand::random();
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut digits = [0; 32];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bits.to_ne_bytes()) {
        if let [high, low] = pair {
            (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
        }
    }
    // Hexadecimal digits are ASCII.
    String::from_utf8(digits.into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_hex_is_32_digits_and_differs() {
        let (one, other) = (random_hex(), random_hex());
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')));
    }
}
