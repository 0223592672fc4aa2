//! The public address of this service: as configured, as a trusted proxy forwards it, or as the request names it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue, VARY};
use url::Url;

use crate::api::request::context::Context;
use crate::config::settings::form::is_path_prefix;
use crate::mcp::protocol::lists::Freshness;

const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// `Vary` of what contains absolute URLs made from the request.
const BY_HOST: HeaderValue = HeaderValue::from_static("Accept, Host");
/// The same where proxies are trusted.
const BY_HOST_AND_PROXY: HeaderValue = HeaderValue::from_static(
    "Accept, Host, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix",
);
/// `Vary` of what contains paths, where proxies are trusted.
const BY_PROXY: HeaderValue =
    HeaderValue::from_static("Accept, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix");
/// No cache that others share may keep it, for a request may claim any host.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// The base of the URLs of this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// Scheme and authority, where the configuration or a trusted proxy names them.
    origin: Option<String>,
    /// A path without a slash at the end; may be empty.
    prefix: String,
    /// The host of the request.
    host: String,
    /// By `gateway.publicUrl`, so that it is the same for every request.
    is_configured: bool,
    proxies_are_trusted: bool,
}

impl Base {
    /// As configured; else as the proxy says that the request came through, if it is trusted; else the host of the request.
    pub(crate) fn of(context: &Context<'_>) -> Self {
        let settings = &context.state.settings;
        let headers = context.request.headers();
        let is_configured = !settings.public_url.is_empty();
        let (origin, prefix) = match is_configured {
            true => (Some(settings.public_url.clone()), String::new()),
            false if comes_through_proxy(context) => forwarded(headers, &settings.base_path),
            false => (None, settings.base_path.clone()),
        };
        Self {
            origin,
            prefix,
            host: host(headers).to_owned(),
            is_configured,
            proxies_are_trusted: !settings.trusted_proxies.is_empty(),
        }
    }

    /// The URL, absolute, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        let named = || format!("http://{}", self.host);
        format!(
            "{}{}",
            self.origin.clone().unwrap_or_else(named),
            self.prefix
        )
    }

    /// The same for links within this service: a path where nobody but the request names the host.
    pub(crate) fn link(&self) -> String {
        format!(
            "{}{}",
            self.origin.as_deref().unwrap_or_default(),
            self.prefix
        )
    }

    /// Adds `Vary` to a response that contains the URL, and keeps it out of shared caches, where the URL is the request's own.
    pub(crate) fn shown_in(&self, mut response: HttpResponse) -> HttpResponse {
        if !self.is_configured {
            let vary = if self.proxies_are_trusted {
                BY_HOST_AND_PROXY
            } else {
                BY_HOST
            };
            response.headers_mut().insert(VARY, vary);
            response.headers_mut().insert(CACHE_CONTROL, PRIVATE);
        }
        response
    }

    /// Adds `Vary` to a response that contains links, which depend on the headers of trusted proxies.
    pub(crate) fn linked_in(&self, mut response: HttpResponse) -> HttpResponse {
        if !self.is_configured && self.proxies_are_trusted {
            response.headers_mut().insert(VARY, BY_PROXY);
        }
        response
    }

    /// How long and by whom a response that contains the URL may be kept.
    pub(crate) fn freshness(&self, freshness: Freshness) -> Freshness {
        Freshness {
            public: freshness.public && self.is_configured,
            ..freshness
        }
    }
}

/// Whether a trusted proxy sends the request.
fn comes_through_proxy(context: &Context<'_>) -> bool {
    let peer = context.request.peer_addr();
    let peer = peer.map(|peer| peer.ip().to_canonical());
    peer.is_some_and(|peer| {
        let mut networks = context.state.settings.trusted_proxies.iter();
        networks.any(|network| network.contains(&peer))
    })
}

/// The origin that a trusted proxy names, and the path prefix; `configured` is that if it names none.
fn forwarded(headers: &HeaderMap, configured: &str) -> (Option<String>, String) {
    let proto = first(headers, &PROTO).filter(|proto| matches!(*proto, "http" | "https"));
    let named = first(headers, &FORWARDED_HOST).filter(|host| is_authority(host));
    let origin = (proto.is_some() || named.is_some()).then(|| {
        let host = named.unwrap_or_else(|| host(headers));
        format!("{}://{host}", proto.unwrap_or("http"))
    });
    let prefix = first(headers, &PREFIX).map(|prefix| prefix.trim_end_matches('/'));
    let prefix = prefix.filter(|prefix| is_path_prefix(prefix));
    (origin, prefix.unwrap_or(configured).to_owned())
}

/// `Host`, where it is a host.
fn host(headers: &HeaderMap) -> &str {
    let host = first(headers, &HOST).filter(|host| is_authority(host));
    host.unwrap_or("localhost")
}

/// Whether the origin of a page is this service's: its authority is the one in `Host`, that of `gateway.publicUrl`, or the one that a
/// trusted proxy names. The scheme is not compared, for it is unknown without such a proxy.
pub(crate) fn is_own_origin(context: &Context<'_>, origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let Some((scheme @ ("http" | "https"), authority)) = origin.split_once("://") else {
        return false;
    };
    // Compared as URLs, because a default port may be left out and a host be written in several ways.
    let host_and_port = |authority: &str| {
        let url = is_authority(authority).then(|| Url::parse(&format!("{scheme}://{authority}/")));
        let url = url?.ok()?;
        Some((url.host()?.to_owned(), url.port_or_known_default()))
    };
    let headers = context.request.headers();
    let configured = context.state.settings.public_url.split_once("://");
    let proxied = comes_through_proxy(context).then(|| first(headers, &FORWARDED_HOST));
    let own = [
        first(headers, &HOST),
        configured.and_then(|(_, rest)| rest.split('/').next()),
        proxied.flatten(),
    ];
    let page = host_and_port(authority);
    page.is_some()
        && own
            .into_iter()
            .flatten()
            .any(|own| host_and_port(own) == page)
}

/// The first of the values that proxies have appended: that of the proxy next to the caller.
fn first<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim)
}

/// Whether `text` is a host with an optional port.
fn is_authority(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    let is_host = |url: Url| url.host().is_some() && url.path() == "/";
    text.len() <= 255
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && text.bytes().all(legal)
        && Url::parse(&format!("http://{text}/")).is_ok_and(is_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_static(name);
            map.append(name, HeaderValue::from_static(value));
        }
        let (origin, prefix) = super::forwarded(&map, "/configured");
        format!("{}{prefix}", origin.unwrap_or_default())
    }

    #[test]
    fn what_a_proxy_says_is_put_together() {
        for (headers, url) in [
            (&[][..], "/configured"),
            (&[("x-forwarded-prefix", "/a/b/")], "/a/b"),
            (&[("x-forwarded-prefix", "/")], ""),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "api.example.com:8443, inner"),
                    ("x-forwarded-prefix", "/mcp"),
                ],
                "https://api.example.com:8443/mcp",
            ),
            (
                &[("x-forwarded-proto", "https"), ("host", "known")],
                "https://known/configured",
            ),
            (&[("x-forwarded-host", "h")], "http://h/configured"),
        ] {
            assert_eq!(forwarded(headers), url, "{headers:?}");
        }
    }

    #[test]
    fn what_cannot_be_is_left_out() {
        for headers in [
            [
                ("x-forwarded-proto", "javascript"),
                ("x-forwarded-host", "a/b"),
            ],
            [
                ("x-forwarded-host", "user@evil"),
                ("x-forwarded-prefix", "//evil"),
            ],
            [("x-forwarded-prefix", "/a\"<b>"), ("x-forwarded-host", "")],
        ] {
            assert_eq!(forwarded(&headers), "/configured", "{headers:?}");
        }
    }
}
