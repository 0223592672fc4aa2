//! The words of names and descriptions, split once for all searches.

use memchr::memmem::Finder;

/// The words of a text, in lower case: `getUserName` and `get-user_name` are three words each.
pub fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut after_lower = false;
    for c in text.chars() {
        let begins = c.is_uppercase() && after_lower;
        if (!c.is_alphanumeric() || begins) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The words of one text: each on a line of its own, with a line end also before the first.
#[derive(Debug, PartialEq, Eq)]
pub struct Words(Box<str>);

impl Words {
    /// Those of `text`.
    pub fn of(text: &str) -> Self {
        Self::joined(&split(text))
    }

    /// These words.
    pub fn joined(words: &[String]) -> Self {
        let mut lines = String::from("\n");
        for word in words {
            lines.push_str(word);
            lines.push('\n');
        }
        Self(lines.into())
    }

    /// The score of the word that `wanted` finds: 4 for the word itself, 2 for the beginning of one, 1 for a part, 0 if it is
    /// not there.
    pub fn likeness(&self, wanted: &Finder<'_>) -> u32 {
        let lines = self.0.as_bytes();
        let mut best = 0;
        for at in wanted.find_iter(lines) {
            let begins = at.checked_sub(1).and_then(|before| lines.get(before)) == Some(&b'\n');
            let ends = lines.get(at + wanted.needle().len()) == Some(&b'\n');
            match (begins, ends) {
                (true, true) => return 4,
                (true, false) => best = 2,
                (false, _) => best = best.max(1),
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_however_they_are_written() {
        for written in ["getUserName2", "get-user_name2", "Get user name2"] {
            assert_eq!(split(written), ["get", "user", "name2"], "{written}");
        }
        assert_eq!(split("HTTPServer"), ["httpserver"]);
        assert_eq!(split(" ü-Ö "), ["ü", "ö"]);
        assert!(split("--").is_empty());
    }

    #[test]
    fn a_word_counts_more_than_its_beginning_and_that_more_than_its_middle() {
        for (text, likeness) in [
            ("sum", 4),
            ("assume summary sum", 4),
            ("assume summary", 2),
            ("summary assume", 2),
            ("assume", 1),
            ("asum", 1),
            ("add", 0),
            ("su m", 0),
            ("", 0),
        ] {
            assert_eq!(
                Words::of(text).likeness(&Finder::new("sum")),
                likeness,
                "{text}"
            );
        }
    }
}
