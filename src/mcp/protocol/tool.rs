//! One tool, as its server's list defines it: its definition, the arguments that are mirrored into headers, and its hints.

use std::borrow::Cow;

use awc::http::header::{HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::json::Members;
use crate::mcp::protocol::mirrors::Mirrors;

/// One tool of a server.
#[derive(Debug, Clone)]
pub struct Tool {
    /// The whole definition, as it came.
    pub definition: Box<RawValue>,
    /// Arguments that go into headers; `None` if the annotations break the rules, so that the tool must not be used.
    mirrors: Option<Mirrors>,
    /// `readOnlyHint` or `idempotentHint`.
    idempotent: bool,
    read_only: bool,
}

impl Tool {
    /// Name and facts of one definition; `None` if it has no name.
    pub(crate) fn read(definition: &RawValue) -> Option<(String, Self)> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Definition<'a> {
            #[serde(borrow)]
            name: Cow<'a, str>,
            #[serde(borrow)]
            input_schema: Option<&'a RawValue>,
            #[serde(borrow)]
            annotations: Option<&'a RawValue>,
        }
        let tool: Definition<'_> = serde_json::from_str(definition.get()).ok()?;
        let hint = |name: &str| {
            tool.annotations
                .and_then(|raw| Members::of(raw.get()).ok())
                .and_then(|members| members.get(name))
                .is_some_and(|value| value.get() == "true")
        };
        let facts = Self {
            mirrors: tool.input_schema.map_or_else(
                || Some(Mirrors::default()),
                |schema| Mirrors::of(schema.get()),
            ),
            idempotent: hint("readOnlyHint") || hint("idempotentHint"),
            read_only: hint("readOnlyHint"),
            definition: definition.to_owned(),
        };
        Some((tool.name.into_owned(), facts))
    }

    /// Whether the annotations keep the rules. A client must not use a tool whose do not (2026-07-28).
    pub(crate) fn is_usable(&self) -> bool {
        self.mirrors.is_some()
    }

    /// Whether running it twice does no harm, by its own annotations.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.idempotent
    }

    /// Whether running it changes nothing, by its own annotations.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The JSON Schema of its arguments, as it came.
    pub fn input_schema(&self) -> Option<&RawValue> {
        self.member("inputSchema")
    }

    /// A member of its definition.
    pub fn member(&self, name: &str) -> Option<&RawValue> {
        Members::of(self.definition.get()).ok()?.get(name)
    }

    /// Whether arguments of a call go into headers as well.
    pub(crate) fn mirrors_any(&self) -> bool {
        self.mirrors.as_ref().is_some_and(|it| !it.is_empty())
    }

    /// The `Mcp-Param-*` headers for a call with these arguments.
    pub(crate) fn headers(&self, arguments: &RawValue) -> Vec<(HeaderName, HeaderValue)> {
        let mirrors = self.mirrors.as_ref();
        mirrors.map_or_else(Vec::new, |it| it.headers(arguments))
    }

    /// Bytes of memory that its mirrored arguments take.
    pub(crate) fn mirrored_bytes(&self) -> usize {
        self.mirrors.as_ref().map_or(0, Mirrors::bytes)
    }
}

#[cfg(test)]
mod tests {
    use crate::mcp::protocol::tool::Tool;

    #[test]
    fn hints_are_read() {
        let read = |annotations: &str| {
            let raw = format!(r#"{{"name":"t","annotations":{annotations}}}"#);
            Tool::read(serde_json::from_str(&raw).unwrap()).unwrap().1
        };
        assert!(read(r#"{"readOnlyHint":true}"#).is_idempotent());
        assert!(read(r#"{"idempotentHint":true}"#).is_idempotent());
        assert!(!read(r#"{"readOnlyHint":"true"}"#).is_idempotent());
        assert!(!read("null").is_idempotent());
    }
}
