//! What a server says of itself, in the result of `initialize` or of `server/discover`.

use serde_json::value::RawValue;

use crate::json::{named, text_of};

/// Bytes of a name or a version that are kept.
const NAME: usize = 256;
/// Bytes of instructions that are kept.
const INSTRUCTIONS: usize = 16 << 10;

/// What is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Its title, else its name.
    pub title: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// How to use it.
    pub instructions: Option<String>,
    /// It opened a session.
    pub has_sessions: bool,
}

impl ServerInfo {
    /// Out of a result. What is not there, or no text, is left out.
    pub(crate) fn of(result: &[u8], has_sessions: bool) -> Self {
        let text = std::str::from_utf8(result).unwrap_or_default();
        let members = named(text, ["serverInfo", "instructions", "_meta"]);
        let [info, instructions, meta] = members.unwrap_or_default();
        let info = info.or_else(|| {
            let [info] = named(meta?.get(), ["io.modelcontextprotocol/serverInfo"]).ok()?;
            info
        });
        let info = info.and_then(|info| named(info.get(), ["title", "name", "version"]).ok());
        let [title, name, version] = info.unwrap_or_default();
        Self {
            title: kept(title, NAME).or_else(|| kept(name, NAME)),
            version: kept(version, NAME),
            instructions: kept(instructions, INSTRUCTIONS),
            has_sessions,
        }
    }
}

/// The beginning of a text that says something.
fn kept(text: Option<&RawValue>, most: usize) -> Option<String> {
    let text = text_of(text?)?;
    let mut ends = (0..=most.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end))?;
    let (start, rest) = text.split_at_checked(end)?;
    let mark = if rest.is_empty() { "" } else { "..." };
    (!start.trim().is_empty()).then(|| format!("{start}{mark}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_eras_are_read() {
        let legacy = br#"{"serverInfo":{"name":"n","title":"","version":"1"},"instructions":"do"}"#;
        let modern = br#"{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"n","version":"1"}},"instructions":"do"}"#;
        for result in [&legacy[..], modern] {
            let info = ServerInfo::of(result, false);
            let texts = [info.title, info.version, info.instructions];
            let texts = texts.map(Option::unwrap_or_default);
            assert_eq!(texts, ["n", "1", "do"].map(str::to_owned));
        }
        let long = format!(r#"{{"instructions":"{}"}}"#, "ü".repeat(INSTRUCTIONS));
        let info = ServerInfo::of(long.as_bytes(), true);
        assert_eq!(
            info.instructions.unwrap_or_default().len(),
            INSTRUCTIONS + 3
        );
        assert_eq!(ServerInfo::of(b"[]", false).title, None);
    }
}
