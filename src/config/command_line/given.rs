//! Servers given on the command line: `--server` and `--header`, made the entries that the file would hold.

use serde_json::{Map, Value, json};

use crate::config::errors::ConfigErrors;

/// The name of a server that is given by its URL alone.
const UNNAMED: &str = "default";

/// `NAME=URL`, or `URL` alone for a server called `default`.
pub(crate) const SERVER: &str = "--server";
/// `Name: value` for every server of the command line, `NAME=Name: value` for one.
pub(crate) const HEADER: &str = "--header";

/// The servers by name, in the order of the command line. Texts are never repeated in errors: they may hold secrets.
pub(crate) fn entries(
    servers: &[String],
    headers: &[String],
    errors: &mut ConfigErrors,
) -> Map<String, Value> {
    let mut urls: Vec<(&str, &str)> = Vec::new();
    for text in servers {
        match name_and_url(text) {
            None => errors.add(SERVER, "names no URL", "write --server NAME=URL"),
            Some((name, _)) if urls.iter().any(|(other, _)| *other == name) => {
                let what = format!("'{name}' is given twice");
                errors.add(SERVER, what, "give each server a name: --server NAME=URL");
            }
            Some(server) => urls.push(server),
        }
    }
    let mut entries = Map::new();
    for (name, url) in &urls {
        // What is meant for one server wins over what is meant for all.
        let (own, common): (Vec<_>, Vec<_>) = headers
            .iter()
            .filter_map(|text| header(text, &urls))
            .filter(|header| header.server.is_none_or(|server| server == *name))
            .partition(|header| header.server.is_some());
        let given = common.iter().chain(&own);
        let headers: Map<_, _> = given
            .map(|header| (header.name.to_owned(), header.value.into()))
            .collect();
        entries.insert((*name).to_owned(), json!({"url": url, "headers": headers}));
    }
    for text in headers {
        match header(text, &urls) {
            None => errors.add(HEADER, "is no header", "write --header 'Name: value'"),
            Some(header) if header.name.contains('=') => {
                let what = "what stands before = is no server of the command line";
                let fix = "write --header 'NAME=Name: value' with the NAME of a --server";
                errors.add(HEADER, what, fix);
            }
            Some(_) if servers.is_empty() => {
                let what = "there is no --server that it could be sent to";
                let fix = "put headers of the file's servers into the file";
                errors.add(HEADER, what, fix);
            }
            Some(_) => {}
        }
    }
    entries
}

fn name_and_url(text: &str) -> Option<(&str, &str)> {
    match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => Some((name, url)),
        _ => text.contains("://").then_some((UNNAMED, text)),
    }
}

struct Header<'a> {
    /// The server that it is meant for, if it is meant for one.
    server: Option<&'a str>,
    name: &'a str,
    value: &'a str,
}

/// A header; `None` if it has no colon.
fn header<'a>(text: &'a str, servers: &[(&'a str, &str)]) -> Option<Header<'a>> {
    let named = servers.iter().filter_map(|(server, _)| {
        let header = text.strip_prefix(server)?.strip_prefix('=')?;
        Some((*server, header))
    });
    let (server, header) = match named.max_by_key(|(server, _)| server.len()) {
        Some((server, header)) => (Some(server), header),
        None => (None, text),
    };
    let (name, value) = header.split_once(':')?;
    Some(Header {
        server,
        name: name.trim(),
        value: value.trim(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(servers: &[&str], headers: &[&str]) -> (Value, String) {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|&text| text.to_owned())
                .collect::<Vec<_>>()
        };
        let mut errors = ConfigErrors::default();
        let entries = entries(&owned(servers), &owned(headers), &mut errors);
        (entries.into(), errors.to_string())
    }

    #[test]
    fn headers_are_for_all_servers_or_for_one() {
        let servers = ["a=https://h/mcp?k=v", "a b=https://h/b", "https://h/?x=y"];
        let headers = [
            "X-All: 1",
            "a=X-Own:2:3",
            "a b=X-All: 4",
            "a=Authorization: Bearer ${TOKEN}",
        ];
        let expected = json!({
            "a": {
                "url": "https://h/mcp?k=v",
                "headers": {"X-All": "1", "X-Own": "2:3", "Authorization": "Bearer ${TOKEN}"},
            },
            "a b": {"url": "https://h/b", "headers": {"X-All": "4"}},
            "default": {"url": "https://h/?x=y", "headers": {"X-All": "1"}},
        });
        assert_eq!(run(&servers, &headers), (expected, String::new()));
    }

    #[test]
    fn errors_repeat_no_text() {
        for (servers, headers, expected) in [
            (&["sEcReT"][..], &[][..], "--server: names no URL"),
            (
                &["a=http://h", "a=http://h"],
                &[],
                "--server: 'a' is given twice",
            ),
            (
                &["http://h", "http://g"],
                &[],
                "--server: 'default' is given twice",
            ),
            (&["a=http://h"], &["sEcReT"], "--header: is no header"),
            (
                &["a=http://h"],
                &["b=X: sEcReT"],
                "--header: what stands before =",
            ),
            (&[], &["X: sEcReT"], "--header: there is no --server"),
        ] {
            let (_, errors) = run(servers, headers);
            assert!(errors.starts_with(expected), "{errors}");
            assert!(!errors.contains("sEcReT"), "{errors}");
        }
    }
}
