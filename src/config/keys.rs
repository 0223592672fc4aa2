//! API keys: how they are written, kept and compared.
//!
//! Only digests are kept. How a request presents a key is `api`'s part.

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::Value;
use subtle::{Choice, ConstantTimeEq};

use crate::config::errors::ConfigErrors;
use crate::config::expand::{Environment, Piece, expand_or, pieces};

/// The API keys that clients may present, as SHA-256 digests.
#[derive(Clone, Default, Deserialize)]
pub struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// Whether no key is configured, so that none is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `presented` is one of the keys, in a time that does not depend on which, or on how nearly.
    pub fn accepts(&self, presented: &[u8]) -> bool {
        let presented = sha256(presented);
        let none = Choice::from(0);
        self.0
            .iter()
            .fold(none, |found, key| found | key.ct_eq(&presented))
            .into()
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ApiKeys({})", self.0.len())
    }
}

/// The SHA-256 of one configured API key. After an error it is a digest that no key has: the start is refused anyway,
/// and must not be refused for missing keys as well.
pub(crate) fn key_digest(
    entry: &Value,
    path: &str,
    environment: &Environment,
    errors: &mut ConfigErrors,
) -> [u8; 32] {
    let no_key = [0; 32];
    let entry = entry.as_str().unwrap_or_default();
    if let Some(digest) = from_hex(entry) {
        return digest;
    }
    let mut parts = pieces(entry);
    let (Some(Piece::Variable { default: None, .. }), None) = (parts.next(), parts.next()) else {
        errors.add(
            path,
            "not the SHA-256 of a key",
            "write its 64 hex digits (printf %s \"$KEY\" | sha256sum), or ${NAME} of a variable with the key",
        );
        return no_key;
    };
    // No default: that would be a key which everybody can read.
    let fix = |_: &str| "set it".to_owned();
    let Some(key) = expand_or(entry, path, environment, errors, fix) else {
        return no_key;
    };
    if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        errors.add(
            path,
            "this variable holds no key that a client could send",
            "use visible ASCII; a variable read from a file often ends in a line break",
        );
        return no_key;
    }
    sha256(key.as_bytes())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The SHA-256 of `letmein`.
    const LETMEIN: &str = "1c8bfe8f801d79745c4631d09fff36c82aa37fc4cce4fc946683d7b336b63032";

    fn digest(entry: &Value) -> Result<[u8; 32], String> {
        let environment = [("KEY", "letmein"), ("EMPTY", ""), ("LINE", "letmein\n")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let mut errors = ConfigErrors::default();
        let digest = key_digest(entry, "p", &environment, &mut errors);
        if errors.is_empty() {
            Ok(digest)
        } else {
            Err(errors.to_string())
        }
    }

    #[test]
    fn no_default_is_suggested_for_a_key() {
        let errors = digest(&json!("${NONE}")).unwrap_err();
        assert_eq!(
            errors.trim_end(),
            "p: the environment variable NONE is not set; set it"
        );
    }

    #[test]
    fn a_key_is_written_as_its_digest_or_as_a_variable() {
        for entry in [LETMEIN, "${KEY}"] {
            assert_eq!(digest(&json!(entry)).ok(), from_hex(LETMEIN), "{entry}");
        }
        for entry in [
            json!("letmein"),
            json!(1),
            json!(""),
            json!("${KEY:-letmein}"),
            json!("x${KEY}"),
            json!("${NONE}"),
            json!("${EMPTY}"),
            json!("${LINE}"),
            json!(LETMEIN.trim_start_matches('1')),
            json!(LETMEIN.replacen("1c", "+c", 1)),
        ] {
            let errors = digest(&entry).unwrap_err();
            assert!(
                errors.starts_with("p: ") && !errors.contains("letmein"),
                "{errors}"
            );
        }
    }

    #[test]
    fn a_presented_key_is_accepted_when_its_digest_is_there() {
        let digest = from_hex(&LETMEIN.to_uppercase()).unwrap();
        let keys = ApiKeys(vec![[0; 32], digest]);
        assert!(keys.accepts(b"letmein"));
        for wrong in [
            &b""[..],
            b"letmei",
            b"letmein ",
            b"Letmein",
            LETMEIN.as_bytes(),
        ] {
            assert!(!keys.accepts(wrong));
        }
        assert_eq!(format!("{keys:?}"), "ApiKeys(2)");
        assert!(ApiKeys::default().is_empty() && !ApiKeys::default().accepts(b""));
    }
}
