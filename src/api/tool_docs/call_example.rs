//! The example of a call in a tool's definition: arguments made from its schema, where they go, and the same for a shell.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::json::Members;
use crate::schema::example::{Examples, MAX_BYTES};
use crate::schema::validate::Validators;

/// Where a tool is called.
pub(crate) struct CallExample {
    /// The URL of the operation.
    pub(crate) url: String,
    /// API keys are configured.
    pub(crate) key_wanted: bool,
}

impl CallExample {
    /// A definition with an example of a call as its last member; unchanged if it has an `example` itself.
    pub(crate) fn added_to(&self, definition: Bytes, validators: &Validators) -> Bytes {
        let text = std::str::from_utf8(&definition).unwrap_or_default();
        let Ok(members) = Members::of(text) else {
            return definition;
        };
        if members.get("example").is_some() {
            return definition;
        }
        let arguments = match members.get("inputSchema") {
            Some(schema) => Examples::new(validators).arguments(schema.get()),
            None => Some(json!({})),
        };
        let mut example = self.with(arguments.as_ref());
        // In the curl line the arguments are quoted twice, which can multiply their length.
        if example.len() > MAX_BYTES {
            example = self.with(None);
        }
        let whole = text.trim_end();
        let open = whole.strip_suffix('}').unwrap_or(whole);
        let comma = if members.0.is_empty() { "" } else { "," };
        Bytes::from(format!("{open}{comma}\"example\":{example}}}"))
    }

    /// The example of a call, with `arguments` if an example of them could be made.
    fn with(&self, arguments: Option<&Value>) -> String {
        let url = &self.url;
        let curl = arguments.map(|arguments| self.curl(arguments));
        json!({"method": "POST", "url": url, "arguments": arguments, "curl": curl}).to_string()
    }

    /// The call as a line for a shell.
    fn curl(&self, arguments: &Value) -> String {
        let key = if self.key_wanted {
            " -H \"X-API-Key: $API_KEY\""
        } else {
            ""
        };
        format!(
            "curl -X POST {}{key} -H 'Content-Type: application/json' -d {}",
            quoted(&self.url),
            quoted(&arguments.to_string())
        )
    }
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_the_line_apart_again() {
        let example = CallExample {
            url: "http://h/it's".to_owned(),
            key_wanted: false,
        };
        assert_eq!(
            example.curl(&json!({"a": "it's $HOME `x`"})),
            r#"curl -X POST 'http://h/it'\''s' -H 'Content-Type: application/json' -d '{"a":"it'\''s $HOME `x`"}'"#
        );
    }
}
