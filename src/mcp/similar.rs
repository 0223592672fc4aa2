//! Names that a wrong one may have been meant for.

/// How many close names a caller is offered.
const SUGGESTIONS: usize = 3;
/// Letters of a wanted name that count.
const LETTERS: usize = 128;

/// Up to three of `names` that are close to `wanted`: at most a third of its letters away, case aside.
pub(crate) fn similar<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(LETTERS).collect();
    let most = (wanted.len() / 3).max(1);
    let mut close: Vec<(usize, &str)> = names
        .filter_map(|name| Some((distance(&wanted, name, most)?, name)))
        .collect();
    close.sort_unstable();
    close.truncate(SUGGESTIONS);
    close.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Levenshtein's distance between `wanted` (in lower case) and `name`, if it is not over `most`.
fn distance(wanted: &[char], name: &str, most: usize) -> Option<usize> {
    // A letter takes up to four bytes.
    if name.len() > 4 * (wanted.len() + most) {
        return None;
    }
    let name_letters = name.chars().flat_map(char::to_lowercase);
    if name_letters.clone().count().abs_diff(wanted.len()) > most {
        return None;
    }
    let mut row: Vec<usize> = (0..=wanted.len()).collect();
    for (line, letter) in name_letters.enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut least = left;
        for (expected, cell) in wanted.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(*expected != letter);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            least = least.min(left);
            *cell = left;
        }
        // It never comes down again.
        if least > most {
            return None;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().filter(|distance| *distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_offered() {
        let names = ["echo", "add", "get-sum", "Echo2"];
        assert_eq!(similar(names.into_iter(), "ecoh"), Vec::<String>::new());
        assert_eq!(similar(names.into_iter(), "ECHO"), ["echo", "Echo2"]);
        assert_eq!(similar(names.into_iter(), "getsum"), ["get-sum"]);
        assert!(similar(names.into_iter(), "no_such_tool").is_empty());
    }
}
