//! The origins of other sites whose pages may use this service (`gateway.cors.origins`). What follows from them is `api`'s.

use serde::Deserialize;
use url::{Origin, Url};

/// Every origin but `null`.
const ANY: &str = "*";
/// What pages without an origin send: files, sandboxed frames. Only allowed where it is listed.
const OPAQUE: &str = "null";

/// Origins as browsers write them; `scheme://*.domain` for all subdomains; `*` for all origins.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Whether none is listed: the service answers pages of its own only.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every origin is allowed.
    pub fn allow_any(&self) -> bool {
        self.0.iter().any(|entry| entry == ANY)
    }

    /// Whether pages of this origin are allowed.
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|entry| match entry.split_once("//*.") {
            None if entry == ANY => origin != OPAQUE,
            None => entry == origin,
            Some((scheme, domain)) => is_subdomain(origin, scheme, domain),
        })
    }
}

/// Whether `origin` is `scheme//` with something before `.domain`, which may end with a port.
fn is_subdomain(origin: &str, scheme: &str, domain: &str) -> bool {
    let host = origin
        .strip_prefix(scheme)
        .and_then(|rest| rest.strip_prefix("//"));
    let label = host
        .and_then(|host| host.strip_suffix(domain))
        .and_then(|rest| rest.strip_suffix('.'));
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    label.is_some_and(|label| !label.is_empty() && label.bytes().all(legal))
}

/// An entry as browsers write it: lower case, without a default port. `None` if it is no origin.
pub(crate) fn origin(written: &str) -> Option<String> {
    if matches!(written, ANY | OPAQUE) {
        return Some(written.to_owned());
    }
    let (scheme, authority) = written.split_once("://")?;
    let (wildcard, authority) = match authority.strip_prefix("*.") {
        Some(domain) => ("*.", domain),
        None => ("", authority),
    };
    let url = Url::parse(&format!("{scheme}://{authority}")).ok()?;
    let is_bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && !authority.ends_with('/')
        && url.query().is_none()
        && url.fragment().is_none()
        && !authority.contains('*');
    let host = url.host_str().filter(|host| is_bare && !host.is_empty())?;
    match url.origin() {
        Origin::Tuple(scheme, host, _) if url.port().is_none() => {
            Some(format!("{scheme}://{wildcard}{host}"))
        }
        Origin::Tuple(scheme, host, port) => Some(format!("{scheme}://{wildcard}{host}:{port}")),
        // Of an application: `tauri://localhost`, `chrome-extension://...`.
        Origin::Opaque(_) => {
            let port = url.port().map(|port| format!(":{port}"));
            let port = port.unwrap_or_default();
            Some(format!("{}://{wildcard}{host}{port}", url.scheme()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_written_as_browsers_do() {
        for (written, expected) in [
            ("https://App.Example.com", Some("https://app.example.com")),
            (
                "https://app.example.com:443",
                Some("https://app.example.com"),
            ),
            ("http://localhost:5173", Some("http://localhost:5173")),
            ("http://[::1]:3000", Some("http://[::1]:3000")),
            ("https://*.Example.com", Some("https://*.example.com")),
            (
                "https://*.example.com:8443",
                Some("https://*.example.com:8443"),
            ),
            ("tauri://localhost", Some("tauri://localhost")),
            (
                "chrome-extension://abcdef",
                Some("chrome-extension://abcdef"),
            ),
            ("*", Some("*")),
            ("null", Some("null")),
            ("https://app.example.com/", None),
            ("https://app.example.com/path", None),
            ("https://user@app.example.com", None),
            ("https://*.*.example.com", None),
            ("https://app.*.com", None),
            ("https://*", None),
            ("app.example.com", None),
            ("https://", None),
            ("", None),
        ] {
            assert_eq!(origin(written).as_deref(), expected, "{written}");
        }
    }

    #[test]
    fn origins_are_compared_as_a_whole() {
        let entries = ["https://a.example", "https://*.b.example:8443"];
        let origins = Origins(entries.map(ToOwned::to_owned).into());
        for (origin, is_allowed) in [
            ("https://a.example", true),
            ("http://a.example", false),
            ("https://a.example:8443", false),
            ("https://x.a.example", false),
            ("https://a.example.evil", false),
            ("https://x.b.example:8443", true),
            ("https://x.y.b.example:8443", true),
            ("https://b.example:8443", false),
            ("https://.b.example:8443", false),
            ("https://xb.example:8443", false),
            ("https://x.b.example", false),
            ("https://evil/x.b.example:8443", false),
            ("https://evil@x.b.example:8443", false),
            ("null", false),
        ] {
            assert_eq!(origins.allow(origin), is_allowed, "{origin}");
        }
        let any = Origins(vec!["*".to_owned()]);
        assert!(any.allow("http://x") && !any.allow("null"));
        assert!(Origins(vec!["null".to_owned()]).allow("null"));
    }
}
