//! The public address of this service: as configured, or as a trusted proxy forwards it.

use actix_web::HttpResponse;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, VARY};
use url::Url;

use crate::api::request::context::Context;
use crate::config::settings::form::is_path_prefix;

const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// `Vary` where proxies are trusted.
const FORWARDED: HeaderValue =
    HeaderValue::from_static("Accept, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix");

/// The base of the URLs of this service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// Scheme and authority, where a trusted proxy names them.
    origin: Option<String>,
    /// A path without a slash at the end; may be empty.
    prefix: String,
}

impl Base {
    /// As configured, or as the proxy says that the request came through, if it is trusted.
    pub(crate) fn of(context: &Context<'_>) -> Self {
        let settings = &context.state.settings;
        let peer = context
            .request
            .peer_addr()
            .map(|peer| peer.ip().to_canonical());
        let trusted = peer.is_some_and(|peer| {
            let mut networks = settings.trusted_proxies.iter();
            networks.any(|network| network.contains(&peer))
        });
        if trusted {
            Self::forwarded(context.request.headers(), &settings.base_path)
        } else {
            Self {
                origin: None,
                prefix: settings.base_path.clone(),
            }
        }
    }

    fn forwarded(headers: &HeaderMap, configured: &str) -> Self {
        let proto = first(headers, &PROTO).filter(|proto| matches!(*proto, "http" | "https"));
        let host = first(headers, &FORWARDED_HOST).filter(|host| is_authority(host));
        let known = || first(headers, &HOST).filter(|host| is_authority(host));
        let origin = match (proto, host) {
            (None, None) => None,
            (proto, host) => host
                .or_else(known)
                .map(|host| format!("{}://{host}", proto.unwrap_or("http"))),
        };
        let prefix = first(headers, &PREFIX).map(|prefix| prefix.trim_end_matches('/'));
        Self {
            origin,
            prefix: prefix
                .filter(|prefix| is_path_prefix(prefix))
                .unwrap_or(configured)
                .to_owned(),
        }
    }

    /// The URL for `servers` of an OpenAPI document.
    pub(crate) fn url(&self) -> String {
        let url = format!(
            "{}{}",
            self.origin.as_deref().unwrap_or_default(),
            self.prefix
        );
        if url.is_empty() { "/".to_owned() } else { url }
    }

    /// The URL of a path, with the host of the request where no proxy names one.
    pub(crate) fn absolute(&self, context: &Context<'_>, path: &str) -> String {
        let host = first(context.request.headers(), &HOST).filter(|host| is_authority(host));
        let named = || format!("http://{}", host.unwrap_or("localhost"));
        let origin = self.origin.clone().unwrap_or_else(named);
        format!("{origin}{}{path}", self.prefix)
    }
}

/// Whether the origin of a page is this service's: its authority is the one in `Host`, or the one that a trusted proxy names.
/// The scheme is not compared, for it is unknown without such a proxy.
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
    let forwarded = Base::of(context).origin;
    let forwarded = forwarded.as_deref().and_then(|url| url.split_once("://"));
    let own = [
        first(context.request.headers(), &HOST),
        forwarded.map(|(_, authority)| authority),
    ];
    let page = host_and_port(authority);
    page.is_some()
        && own
            .into_iter()
            .flatten()
            .any(|own| host_and_port(own) == page)
}

/// Adds `Vary` to a response that contains URLs of this service, which depend on the headers of trusted proxies.
pub(crate) fn varying_by_proxy(context: &Context<'_>, mut response: HttpResponse) -> HttpResponse {
    if !context.state.settings.trusted_proxies.is_empty() {
        response.headers_mut().insert(VARY, FORWARDED);
    }
    response
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
        Base::forwarded(&map, "/configured").url()
    }

    #[test]
    fn what_a_proxy_says_is_put_together() {
        for (headers, url) in [
            (&[][..], "/configured"),
            (&[("x-forwarded-prefix", "/a/b/")], "/a/b"),
            (&[("x-forwarded-prefix", "/")], "/"),
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
