//! `${NAME}` and `${NAME:-default}` in configured values.
//!
//! A default is literal text up to the first `}`; it does not nest. As in a shell, `:-` also replaces a variable that
//! is set but empty, while `${NAME}` takes the empty value. `$NAME` without braces is literal.

use std::collections::BTreeMap;

use crate::config::errors::ConfigErrors;

/// Environment variables. Passed in as a value, so that tests need not change the process.
pub type Environment = BTreeMap<String, String>;

/// A run of literal text, or one `${...}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Variable {
        name: &'a str,
        default: Option<&'a str>,
    },
    /// A `${` that no `}` follows.
    Unclosed,
}

/// Splits `written` into text and variables.
pub(crate) fn pieces(written: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = written;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let Some(opened) = rest.strip_prefix("${") else {
            let (text, after) = rest.split_at(rest.find("${").unwrap_or(rest.len()));
            rest = after;
            return Some(Piece::Text(text));
        };
        let Some((inside, after)) = opened.split_once('}') else {
            rest = "";
            return Some(Piece::Unclosed);
        };
        rest = after;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        Some(Piece::Variable { name, default })
    })
}

/// `written` with its variables expanded, or `None` after reporting at `path` each one that cannot be.
pub(crate) fn expand(
    written: &str,
    path: &str,
    environment: &Environment,
    errors: &mut ConfigErrors,
) -> Option<String> {
    let mut expanded = String::with_capacity(written.len());
    let mut complete = true;
    for piece in pieces(written) {
        match piece {
            Piece::Text(text) => expanded.push_str(text),
            Piece::Variable { name, .. } if !is_name(name) => {
                errors.add(
                    path,
                    "holds a ${...} that is not a variable name",
                    "write ${NAME} or ${NAME:-default}, NAME being letters, digits and _",
                );
                complete = false;
            }
            Piece::Variable { name, default } => match (environment.get(name), default) {
                (Some(value), None) => expanded.push_str(value),
                (Some(value), Some(_)) if !value.is_empty() => expanded.push_str(value),
                (_, Some(default)) => expanded.push_str(default),
                (None, None) => {
                    errors.add(
                        path,
                        format!("the environment variable {name} is not set"),
                        format!("set it, or write ${{{name}:-default}}"),
                    );
                    complete = false;
                }
            },
            Piece::Unclosed => {
                errors.add(path, "holds a ${ without its }", "close it: ${NAME}");
                complete = false;
            }
        }
    }
    complete.then_some(expanded)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(written: &str) -> Result<String, String> {
        let environment = [
            ("A", "one"),
            ("B_2", "two"),
            ("EMPTY", ""),
            ("NEST", "${A}"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let mut errors = ConfigErrors::default();
        expand(written, "p", &environment, &mut errors).ok_or_else(|| errors.to_string())
    }

    #[test]
    fn variables_are_expanded() {
        for (written, expected) in [
            ("", ""),
            ("plain $A $$ }", "plain $A $$ }"),
            ("${A}", "one"),
            ("x${A}y${B_2}z", "xoneytwoz"),
            ("${A:-other}", "one"),
            ("${NONE:-other:-x}", "other:-x"),
            ("${NONE:-}", ""),
            ("${EMPTY}", ""),
            ("${EMPTY:-other}", "other"),
            ("${NEST}", "${A}"),
            ("ü${A}ü", "üoneü"),
        ] {
            assert_eq!(run(written).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn every_variable_that_cannot_be_expanded_is_reported() {
        let both = run("${NONE} ${NADA} ${A}").unwrap_err();
        assert!(both.contains("NONE") && both.contains("NADA"), "{both}");
        for written in [
            "${",
            "a${A",
            "${}",
            "${1A}",
            "${input:key}",
            "${A-b}",
            "${A${B_2}}",
        ] {
            assert!(run(written).is_err(), "{written}");
        }
    }
}
