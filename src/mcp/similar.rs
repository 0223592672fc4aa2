//! Suggestions for a name that is unknown: those known names that are close to it.

use strsim::generic_levenshtein;

/// Names that are suggested at most.
const SUGGESTIONS: usize = 3;
/// Characters of the wanted name that are compared. They bound the work for each name: one that is much longer or shorter is not
/// compared at all.
const COMPARED: usize = 128;

/// Up to three of `names` that are close to `wanted`: at most a third of its characters away, ignoring case.
pub(crate) fn similar<'a>(names: impl Iterator<Item = &'a str>, wanted: &str) -> Vec<String> {
    let wanted: Vec<char> = wanted.to_lowercase().chars().take(COMPARED).collect();
    let most = (wanted.len() / 3).max(1);
    let distance = |name: &str| {
        // A character takes up to four bytes.
        if name.len() > 4 * (wanted.len() + most) {
            return None;
        }
        let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        if name.len().abs_diff(wanted.len()) > most {
            return None;
        }
        let distance = generic_levenshtein(&wanted, &name);
        (distance <= most).then_some(distance)
    };
    let mut close: Vec<(usize, &str)> = names
        .filter_map(|name| Some((distance(name)?, name)))
        .collect();
    close.sort_unstable();
    close.truncate(SUGGESTIONS);
    close.into_iter().map(|(_, name)| name.to_owned()).collect()
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
