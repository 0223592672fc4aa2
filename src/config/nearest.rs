//! The name that was probably meant: of keys, words, flags and variables.

use strsim::osa_distance;

/// The one of `known` that is nearest to `written`, if it is near: no more than a third of its characters differ; upper and lower
/// case, `_` and `-` do not count.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = letters(written);
    let near = known.into_iter().filter_map(|name| {
        let letters = letters(name);
        let most = (letters.len() / 3).max(1);
        if letters.len().abs_diff(written.len()) > most {
            return None;
        }
        let distance = osa_distance(&letters, &written);
        (distance <= most && distance < letters.len()).then_some((distance, name))
    });
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The fix for an unknown name: the one that was meant, or else all there are.
pub(crate) fn fix<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str, IntoIter: Clone>,
) -> String {
    let known = known.into_iter();
    match nearest(written, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("expected one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

fn letters(name: &str) -> String {
    let kept = name.chars().filter(|c| !matches!(c, '_' | '-'));
    kept.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_known_is_found() {
        let known = ["type", "url", "headers", "timeoutMs", "in"];
        for (written, expected) in [
            ("ur1", Some("url")),
            ("URL", Some("url")),
            ("ulr", Some("url")),
            ("header", Some("headers")),
            ("timeout_ms", Some("timeoutMs")),
            ("timoutms", Some("timeoutMs")),
            ("port", None),
            ("xy", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), expected, "{written}");
        }
        assert_eq!(fix("ur1", known), "did you mean `url`?");
        assert_eq!(fix("x", ["a", "bc"]), "expected one of a, bc");
    }
}
