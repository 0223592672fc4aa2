//! `${NAME}` and `${NAME:-default}` in configured values; `${env:NAME}`, as VS Code, Cursor and Windsurf write it, is the same.
//!
//! A default is literal text up to the first `}`; it does not nest. As in a shell, `:-` also replaces a variable that
//! is set but empty, while `${NAME}` takes the empty value. `$NAME` without braces is literal.

use std::collections::BTreeMap;

use crate::config::errors::{ConfigErrors, Fault};

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
    let fix = |name: &str| format!("set it, or write ${{{name}:-default}}");
    expand_or(written, path, environment, errors, fix)
}

/// The same, where `fix` makes the advice for a variable that is not set from its name.
pub(crate) fn expand_or(
    written: &str,
    path: &str,
    environment: &Environment,
    errors: &mut ConfigErrors,
    fix: impl Fn(&str) -> String,
) -> Option<String> {
    let mut expanded = String::with_capacity(written.len());
    let mut complete = true;
    for piece in pieces(written) {
        match piece {
            Piece::Text(text) => expanded.push_str(text),
            Piece::Variable { name, default } => {
                let name = variable(name);
                match (environment.get(name), default) {
                    _ if !is_name(name) => {
                        let (what, fix) = not_a_name(name);
                        errors.add(path, what, fix);
                        complete = false;
                    }
                    (Some(value), None) => expanded.push_str(value),
                    (Some(value), Some(_)) if !value.is_empty() => expanded.push_str(value),
                    (_, Some(default)) => expanded.push_str(default),
                    (None, None) => {
                        let what = format!("the environment variable {name} is not set");
                        errors.add(path, what, fix(name));
                        complete = false;
                    }
                }
            }
            Piece::Unclosed => {
                errors.add(path, "holds a ${ without its }", "close it: ${NAME}");
                complete = false;
            }
        }
    }
    complete.then_some(expanded)
}

/// The variable that is meant by what stands in the braces.
fn variable(inside: &str) -> &str {
    inside.strip_prefix("env:").unwrap_or(inside)
}

/// What is wrong with a `${...}` that names no variable. What is in the braces may be a secret.
fn not_a_name(inside: &str) -> Fault {
    match inside.split_once(':') {
        Some(("input", _)) => (
            "holds a ${input:...}, for which VS Code asks its user",
            "write ${NAME}, and set that environment variable",
        ),
        Some(("file" | "command" | "config", _)) => (
            "holds a ${...} that only other products understand",
            "write ${NAME}, and set that environment variable",
        ),
        _ => (
            "holds a ${...} that is not a variable name",
            "write ${NAME} or ${NAME:-default}, NAME being letters, digits and _",
        ),
    }
}

/// What is likely not meant in `written`: an empty variable, one without braces, a placeholder of another product. Literal text is never
/// repeated, for it may be a secret; the names of variables that are set are.
pub(crate) fn doubts(written: &str, environment: &Environment) -> Vec<String> {
    let mut doubts = Vec::new();
    for piece in pieces(written) {
        match piece {
            Piece::Variable {
                name,
                default: None,
            } if environment
                .get(variable(name))
                .is_some_and(String::is_empty) =>
            {
                let name = variable(name);
                doubts.push(format!("the environment variable {name} is empty"));
            }
            Piece::Text(text) => doubts.extend(without_braces(text, environment)),
            _ => {}
        }
    }
    if written.contains("{{") && written.contains("}}") {
        let doubt = "{{...}} is sent as it is; for an environment variable write ${NAME}";
        doubts.push(doubt.to_owned());
    }
    doubts
}

/// `$NAME`, which shells and the Gemini CLI would expand: where that variable is set, or the name is one by its capitals.
fn without_braces(text: &str, environment: &Environment) -> Option<String> {
    let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split('$').skip(1).find_map(|after| {
        let end = after.find(|c| !in_name(c)).unwrap_or(after.len());
        let name = after.get(..end).unwrap_or_default();
        if environment.contains_key(name) {
            return Some(format!(
                "${name} without braces is sent as it is; write ${{{name}}} for the variable"
            ));
        }
        let is_capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let like_a_variable = name.len() > 2 && is_name(name) && name.chars().all(is_capital);
        like_a_variable.then(|| {
            "$NAME without braces is sent as it is; write ${NAME} for a variable".to_owned()
        })
    })
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
            ("${env:A}${env:NONE:-x}", "onex"),
        ] {
            assert_eq!(run(written).as_deref(), Ok(expected), "{written}");
        }
    }

    #[test]
    fn what_is_likely_not_meant_is_named_without_literal_text() {
        let environment = [("TOKEN", "x"), ("lower", "x"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        for (written, expected) in [
            ("Bearer ${TOKEN}", ""),
            ("${EMPTY:-}", ""),
            ("${NONE}", ""),
            ("https://h/?$filter=a&price=$5&x=$A", ""),
            ("pa$sword {{", ""),
            ("Bearer ${EMPTY}", "the environment variable EMPTY is empty"),
            (
                "Bearer ${env:EMPTY}",
                "the environment variable EMPTY is empty",
            ),
            ("Bearer $TOKEN", "$TOKEN without braces"),
            ("$lower", "$lower without braces"),
            ("Bearer $SECRET", "$NAME without braces"),
            ("{{LIBRECHAT_USER_ID}}", "{{...}} is sent as it is"),
        ] {
            let found = doubts(written, &environment).join("\n");
            assert!(found.starts_with(expected), "{written}: {found}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{written}: {found}");
            assert!(!found.contains("SECRET"), "{found}");
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
