//! Removes secrets from URLs before they are logged or returned; the only place that does.

use crate::config::expand::{Piece, pieces};

/// The placeholder of what is never shown.
const HIDDEN: &str = "***";

/// A URL as it may be shown, from its text in the file, before `${NAME}` is expanded: without userinfo and
/// fragment, query values as `***`. Text that does not look like a URL is `***` as a whole.
///
/// A variable that the URL begins with is shown without its default, which may hold any part of a URL.
pub(crate) fn redact_url(written: &str) -> String {
    let Some(url) = Shown::of(written) else {
        return HIDDEN.to_owned();
    };
    let mut shown = url.start + url.authority + url.path;
    if let Some(query) = url.query {
        let hidden: Vec<_> = query.split('&').map(hide_value).collect();
        shown.push('?');
        shown.push_str(&hidden.join("&"));
    }
    shown
}

/// The same, cut to `scheme://host[:port]`.
pub(crate) fn origin_only(written: &str) -> String {
    Shown::of(written).map_or_else(|| HIDDEN.to_owned(), |url| url.start + url.authority)
}

/// Host and port of a URL as they may be shown, with the `port` that is used where none is written.
pub(crate) fn address_only(written: &str, port: u16) -> String {
    let Some(url) = Shown::of(written) else {
        return HIDDEN.to_owned();
    };
    if !url.start.ends_with("://") {
        return url.start + url.authority;
    }
    // A variable may hold a port.
    let has_port = url.authority.contains("${") || after_last(url.authority, ']').contains(':');
    if has_port {
        url.authority.to_owned()
    } else {
        format!("{}:{port}", url.authority)
    }
}

/// `name=***`. A pair without `=` may be a bare key, and one with a variable before its `=` a default that holds one.
fn hide_value(pair: &str) -> String {
    match pair.split_once('=') {
        Some((name, _)) if !name.contains("${") => format!("{name}={HIDDEN}"),
        None if pair.is_empty() => String::new(),
        _ => HIDDEN.to_owned(),
    }
}

/// The parts of a written URL, userinfo and fragment already gone.
struct Shown<'a> {
    /// `https://`, `${SCHEME}://`, or a variable that holds an unknown part of the URL: `${BASE}`.
    start: String,
    authority: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Shown<'a> {
    fn of(written: &'a str) -> Option<Self> {
        let (start, rest) = start(written)?;
        let (authority, rest) = rest.split_at(authority_end(rest));
        let authority = after_last(authority, '@');
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let may_lack_host = start.ends_with('}');
        // A path of `//...` is an authority to some parsers, and then it may hold userinfo.
        (is_authority(authority, may_lack_host) && !path.starts_with("//")).then_some(Self {
            start,
            authority,
            path,
            query,
        })
    }
}

fn start(written: &str) -> Option<(String, &str)> {
    for scheme in ["https://", "http://"] {
        if let Some((head, rest)) = written.split_at_checked(scheme.len())
            && head.eq_ignore_ascii_case(scheme)
        {
            return Some((scheme.to_owned(), rest));
        }
    }
    let Some(Piece::Variable { name, .. }) = pieces(written).next() else {
        return None;
    };
    let (_, rest) = written.split_once('}')?;
    match rest.strip_prefix("://") {
        Some(rest) => Some((format!("${{{name}}}://"), rest)),
        None => Some((format!("${{{name}}}"), rest)),
    }
}

/// Where the authority ends: at the first `/`, `?` or `#` that is not inside `${...}`.
fn authority_end(rest: &str) -> usize {
    let mut inside = false;
    let mut previous = ' ';
    rest.find(|c| {
        let opens = previous == '$' && c == '{';
        let ends = !inside && matches!(c, '/' | '?' | '#');
        inside = opens || (inside && c != '}');
        previous = c;
        ends
    })
    .unwrap_or(rest.len())
}

fn after_last(text: &str, separator: char) -> &str {
    text.rsplit_once(separator).map_or(text, |(_, after)| after)
}

/// Whether `authority` is `host[:port]` with every variable's default in its place: `user:pa/ss@host` is cut off at
/// its slash and must not pass for a host.
fn is_authority(authority: &str, may_lack_host: bool) -> bool {
    let text: String = pieces(authority)
        .map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Variable { default, .. } => default.unwrap_or("0"),
            Piece::Unclosed => "}",
        })
        .collect();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (text.as_str(), "0"),
    };
    let in_host = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
    let host_is_good = match host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
    {
        Some(ipv6) => ipv6.chars().all(|c| c == ':' || in_host(c)),
        None => host.chars().all(in_host) && (may_lack_host || !host.is_empty()),
    };
    host_is_good && !port.is_empty() && port.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_shown_as_written_without_their_secrets() {
        for (written, expected) in [
            ("https://h/mcp", "https://h/mcp"),
            ("HTTP://H:80", "http://H:80"),
            ("https://[::1]:3000/mcp", "https://[::1]:3000/mcp"),
            ("http://[::1]/", "http://[::1]/"),
            ("https://SECRET:SECRET@h/mcp#SECRET", "https://h/mcp"),
            ("https://SECRET@SECRET@h", "https://h"),
            (
                "https://h/p?key=SECRET&b=SECRET=&SECRET&",
                "https://h/p?key=***&b=***&***&",
            ),
            ("https://h?k=SECRET?x=SECRET#k=SECRET", "https://h?k=***"),
            (
                "https://h/${KEY}/${P:-x}/mcp",
                "https://h/${KEY}/${P:-x}/mcp",
            ),
            ("https://h/@scope/x", "https://h/@scope/x"),
            (
                "https://${HOST:-h.x}:${PORT:-80}/",
                "https://${HOST:-h.x}:${PORT:-80}/",
            ),
            ("https://${HOST}:${PORT}/", "https://${HOST}:${PORT}/"),
            ("https://${U}:${P:-SECRET/?#@}@h/mcp", "https://h/mcp"),
            ("https://h/?k=${KEY:-SECRET&SECRET}", "https://h/?k=***&***"),
            ("https://h/?${Q:-k=SECRET}", "https://h/?***"),
            ("${URL}", "${URL}"),
            (
                "${URL:-https://u:SECRET@h/?k=SECRET}/mcp?k=SECRET",
                "${URL}/mcp?k=***",
            ),
            ("${BASE}:8080/mcp", "${BASE}:8080/mcp"),
            ("${SCHEME:-https}://SECRET@h/", "${SCHEME}://h/"),
            ("${SCHEME}u:SECRET@h/", "${SCHEME}h/"),
        ] {
            assert_eq!(redact_url(written), expected, "{written}");
        }
    }

    #[test]
    fn what_does_not_look_like_a_url_is_hidden_whole() {
        for written in [
            "",
            "SECRET",
            " https://u:SECRET@h/",
            "https:/u:SECRET@h/",
            "https:u:SECRET@h/",
            "https:///u:SECRET@h/",
            "https://u:SECRET/x@h/mcp",
            "https://u:${P:-SECRET}/x@h/mcp",
            "https://u:SECRET",
            "https://${A:-SECRET",
            "https://${H:-u:SECRET@h}/",
            "https://h SECRET/",
            "${A}s://u:SECRET@h/",
            "${A}//u:SECRET@h/",
            "${A",
            "ftp://u:SECRET@h/",
            "httpsü://u:SECRET@h",
        ] {
            assert_eq!(redact_url(written), HIDDEN, "{written}");
            assert_eq!(origin_only(written), HIDDEN, "{written}");
        }
    }

    #[test]
    fn the_address_alone() {
        for (written, expected) in [
            ("https://u:SECRET@h:8443/a/b?k=v#f", "h:8443"),
            ("https://h/mcp", "h:443"),
            ("https://[::1]/mcp", "[::1]:443"),
            ("https://[::1]:8080/mcp", "[::1]:8080"),
            ("https://${HOST}/mcp", "${HOST}"),
            ("${URL:-x}/secret/path", "${URL}"),
            ("${BASE}:8080/mcp", "${BASE}:8080"),
            ("SECRET", HIDDEN),
        ] {
            assert_eq!(address_only(written, 443), expected);
        }
    }

    #[test]
    fn the_origin_alone() {
        for (written, expected) in [
            ("https://u:SECRET@h:8443/a/b?k=v#f", "https://h:8443"),
            ("${URL:-x}/secret/path", "${URL}"),
        ] {
            assert_eq!(origin_only(written), expected);
        }
    }
}
