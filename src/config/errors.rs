//! Configuration errors: path, what is wrong, and the fix. All of them are collected and reported at once.
//!
//! What is valid is decided in `settings` and `servers`, not here. An error never quotes a header value, a URL or an API key.

use std::fmt;

use serde_json::Value;

/// One configuration error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// A JSON path in a file (`mcp.servers.json: mcpServers["My Server"].headers.Authorization`), a variable, a flag, or `file:line:column`.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub fix: String,
}

/// What is wrong with a value, and the fix; the path is known to the caller.
pub(crate) type Fault = (&'static str, &'static str);

/// All configuration errors, in the order in which they were found. Shown one per line: `path: what; fix`.
#[derive(Debug, Default)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn add(
        &mut self,
        path: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.0.push(ConfigError {
            path: path.into(),
            what: what.into(),
            fix: fix.into(),
        });
    }

    pub(crate) fn append(&mut self, mut later: ConfigErrors) {
        self.0.append(&mut later.0);
    }

    /// Names the file that all of them are in.
    pub(crate) fn locate(&mut self, file: &str) {
        for error in &mut self.0 {
            if !error.path.starts_with(file) {
                error.path = format!("{file}: {}", error.path);
            }
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The errors one by one.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ConfigError { path, what, fix }) in self.0.iter().enumerate() {
            let line_end = if index == 0 { "" } else { "\n" };
            write!(out, "{line_end}{path}: {what}; {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// From merging values that were checked one by one.
impl From<config::ConfigError> for ConfigErrors {
    fn from(error: config::ConfigError) -> Self {
        let mut errors = Self::default();
        errors.add("gateway", error.to_string(), "correct it");
        errors
    }
}

/// The path of `key` inside the object at `path`: `a.b`, or `a["b c"]` where a dot would be ambiguous.
pub(crate) fn member(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    match (path, key) {
        ("", _) => key.to_owned(),
        (_, key) if !key.is_empty() && key.chars().all(plain) => format!("{path}.{key}"),
        _ => format!("{path}[{}]", Value::from(key)),
    }
}

/// What kind of JSON value was found, without its content.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Characters that are shown of a text.
const SHOWN: usize = 40;

/// A value as it was found. Only for places where it cannot be a secret.
pub(crate) fn found(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let visible = |c: char| if c.is_control() { '?' } else { c };
            let start: String = text.chars().take(SHOWN).map(visible).collect();
            let cut = if start.len() < text.len() { "..." } else { "" };
            format!("'{start}{cut}'")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        other => kind(other).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_where_a_dot_would_be_ambiguous() {
        for (path, key, expected) in [
            ("", "gateway", "gateway"),
            ("headers", "X-Key", "headers.X-Key"),
            ("mcpServers", "My Server", r#"mcpServers["My Server"]"#),
            ("mcpServers", "a\"b", r#"mcpServers["a\"b"]"#),
            ("mcpServers", "", r#"mcpServers[""]"#),
        ] {
            assert_eq!(member(path, key), expected);
        }
    }

    #[test]
    fn a_found_value_is_short_and_one_line() {
        for (value, expected) in [
            (Value::from("lo\nud"), "'lo?ud'"),
            (
                Value::from("ü".repeat(50)),
                &format!("'{}...'", "ü".repeat(40)),
            ),
            (Value::from(1.5), "1.5"),
            (Value::Null, "null"),
            (Value::from(vec![1]), "an array"),
        ] {
            assert_eq!(found(&value), expected);
        }
    }

    #[test]
    fn errors_are_shown_one_per_line() {
        let mut errors = ConfigErrors::default();
        errors.add("a", "is wrong", "mend it");
        errors.add("--b", "is odd", "drop it");
        assert_eq!(
            errors.to_string(),
            "a: is wrong; mend it\n--b: is odd; drop it"
        );
    }
}
