//! `mcp.servers.json` as an ordered JSON tree; comments and trailing commas are read. Duplicate keys, which `serde_json` accepts, are configuration errors.
//!
//! What the members mean is decided in `start`, `settings` and `servers`.

use std::{fmt, io::ErrorKind, path::Path};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::config::errors::{ConfigErrors, kind, member};
use crate::config::jsonc::{self, Unclosed};

/// The variable that names the file where `--config` does not.
pub(crate) const FILE_VARIABLE: &str = "MCP_SERVERS_FILE";
/// The file in the working directory that is read where neither names one.
pub(crate) const DEFAULT_NAME: &str = "mcp.servers.json";

/// The members of the object in the file at `path`; empty after an error, and empty when `may_be_missing` and it is.
pub(crate) fn read(
    path: &Path,
    may_be_missing: bool,
    errors: &mut ConfigErrors,
) -> Map<String, Value> {
    match std::fs::read(path) {
        Ok(bytes) => parse(&bytes, &path.display().to_string(), errors),
        Err(error) => {
            if !(may_be_missing && error.kind() == ErrorKind::NotFound) {
                errors.add(
                    path.display().to_string(),
                    format!("cannot be read: {error}"),
                    "create it (mcp.servers.example.json shows how), name another with --config or \
                     MCP_SERVERS_FILE, or try --demo",
                );
            }
            Map::new()
        }
    }
}

/// [`read`] on the bytes of a file; `name` is the name of the file in errors.
pub(crate) fn parse(bytes: &[u8], name: &str, errors: &mut ConfigErrors) -> Map<String, Value> {
    // Editors on Windows put a byte order mark first, which JSON does not have.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let bytes = match jsonc::plain(bytes) {
        Ok(bytes) => bytes,
        Err(Unclosed { line, column }) => {
            let place = format!("{name}:{line}:{column}");
            errors.add(place, "this comment does not end", "close it with */");
            return Map::new();
        }
    };
    let mut deserializer = serde_json::Deserializer::from_slice(&bytes);
    let tree = Tree {
        path: String::new(),
        errors,
    };
    let parsed = tree
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match parsed {
        Ok(Value::Object(members)) => return members,
        Ok(other) => errors.add(
            name,
            format!("expected an object, found {}", kind(&other)),
            r#"write {"mcpServers": {...}}"#,
        ),
        Err(error) => errors.add(
            format!("{name}:{}:{}", error.line(), error.column()),
            format!("not JSON: {}", without_place(&error)),
            "correct it there or just before",
        ),
    }
    Map::new()
}

/// What an error says beside its place, which is said in front.
fn without_place(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    text.strip_suffix(&place).unwrap_or(&text).to_owned()
}

/// Reads any JSON value. Of members with the same name the first is kept and the others are reported.
struct Tree<'a> {
    path: String,
    errors: &'a mut ConfigErrors,
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element_seed(Tree {
            path: format!("{}[{}]", self.path, elements.len()),
            errors: &mut *self.errors,
        })? {
            elements.push(element);
        }
        Ok(Value::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = member(&self.path, &name);
            let value = map.next_value_seed(Tree {
                path: path.clone(),
                errors: &mut *self.errors,
            })?;
            if members.contains_key(&name) {
                self.errors
                    .add(path, "is given twice", "remove or rename one of them");
            } else {
                members.insert(name, value);
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<Value, String> {
        let mut errors = ConfigErrors::default();
        let members = parse(text.as_bytes(), "f.json", &mut errors);
        if errors.is_empty() {
            Ok(Value::Object(members))
        } else {
            Err(errors.to_string())
        }
    }

    #[test]
    fn keeps_every_value_and_the_order() {
        let text = r#"{"z":[null,true,1,-1,1.5,"s"],"a":{"__proto__":{}}}"#;
        assert_eq!(run(text).unwrap().to_string(), text);
        assert_eq!(run("\u{FEFF}{}").unwrap().to_string(), "{}");
    }

    #[test]
    fn reports_a_name_given_twice_wherever_it_is() {
        let errors = run(r#"{"a":{"b c":1,"b c":2},"d":[{"e":1,"e":1}],"a":1}"#).unwrap_err();
        for path in [r#"a["b c"]: is given twice"#, "d[0].e: is given", "\na: is"] {
            assert!(errors.contains(path), "{errors}");
        }
    }

    #[test]
    fn says_where_it_stops_being_json() {
        assert!(
            run("{ // one\n  \"a\": 1,\n /* x */ b}")
                .unwrap_err()
                .starts_with("f.json:3:10: not JSON: key must be a string; ")
        );
        assert!(
            run("{\n  /* a\n}")
                .unwrap_err()
                .starts_with("f.json:2:3: this comment does not end")
        );
        assert!(run("{} x").unwrap_err().starts_with("f.json:1:4"));
        assert!(
            run("[]")
                .unwrap_err()
                .contains("expected an object, found an array")
        );
        assert!(run(&"[".repeat(10_000)).is_err());
        let mut errors = ConfigErrors::default();
        parse(b"{\"a\":\"\xFF\"}", "f.json", &mut errors);
        assert!(!errors.is_empty());
    }

    #[test]
    fn a_missing_file_is_an_error_unless_it_may_be_missing() {
        let absent = Path::new("no-such-directory/mcp.servers.json");
        for may_be_missing in [true, false] {
            let mut errors = ConfigErrors::default();
            assert!(read(absent, may_be_missing, &mut errors).is_empty());
            assert_eq!(errors.is_empty(), may_be_missing);
        }
    }
}
