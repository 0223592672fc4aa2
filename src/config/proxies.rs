//! The proxies that servers are reached through: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case, the lower one first.
//!
//! As in Go and most programs: this machine is never asked for over a proxy, and `HTTP_PROXY` in capitals means nothing in a CGI program,
//! where it is a header of the caller's. How a connection through a proxy is made is `mcp::http`'s.

use std::net::IpAddr;

use awc::http::{Uri, header::HeaderValue};
use ipnet::IpNet;

use crate::config::expand::Environment;
use crate::config::servers::url::{check_url, is_loopback, split_userinfo};

/// A proxy that is spoken to in plain HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct Proxy {
    /// Its address, without credential.
    pub url: Uri,
    /// `Proxy-Authorization`, marked as sensitive.
    pub credential: Option<HeaderValue>,
}

/// Which proxy leads to which server.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    without: Vec<Without>,
}

/// An entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq)]
enum Without {
    Everything,
    /// These addresses, at any port or at one.
    Network(IpNet, Option<u16>),
    /// This host and those below it, at any port or at one.
    Host(String, Option<u16>),
}

impl Proxies {
    /// Reads the variables. One that names no usable proxy is ignored with a warning, which does not repeat it.
    pub(crate) fn read(environment: &Environment, warnings: &mut Vec<String>) -> Self {
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty());
        let is_cgi = environment.contains_key("REQUEST_METHOD");
        let mut proxy = |names: [&'static str; 4]| {
            let mut set = names
                .into_iter()
                .filter(|name| !(is_cgi && *name == "HTTP_PROXY"));
            let (name, value) = set.find_map(|name| Some((name, get(name)?)))?;
            let proxy = parse(value);
            if proxy.is_none() {
                let warning = format!(
                    "{name}: ignored, since it names no proxy that is spoken to in HTTP; write http://host:port"
                );
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
            proxy
        };
        let https = proxy(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]);
        let http = proxy(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]);
        let without = get("no_proxy").or_else(|| get("NO_PROXY"));
        let entries = without.map_or("", String::as_str).split([',', ' ']);
        Self {
            http,
            https,
            without: entries.filter_map(Without::parse).collect(),
        }
    }

    /// The proxy that leads to `target`, if one does.
    pub fn to(&self, target: &Uri) -> Option<&Proxy> {
        let (proxy, port) = match target.scheme_str() {
            Some("https") => (self.https.as_ref()?, 443),
            _ => (self.http.as_ref()?, 80),
        };
        let host = target.host()?;
        let port = target.port_u16().unwrap_or(port);
        let is_direct = is_loopback(host) || self.without.iter().any(|it| it.covers(host, port));
        (!is_direct).then_some(proxy)
    }
}

/// A proxy's URL, in which the scheme may be missing.
fn parse(value: &str) -> Option<Proxy> {
    let url = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let (bare, credential) = split_userinfo(&url);
    let url = check_url(&bare).ok()?;
    (url.scheme_str() == Some("http")).then_some(Proxy { url, credential })
}

impl Without {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some(network) = network(entry) {
            return Some(Self::Network(network, None));
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (entry, None),
        };
        if let Some(network) = network(host) {
            return Some(Self::Network(network, port));
        }
        let host = host
            .trim_start_matches("*.")
            .trim_matches('.')
            .to_ascii_lowercase();
        (!host.is_empty()).then_some(Self::Host(host, port))
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        match self {
            Self::Everything => true,
            Self::Network(network, at) => {
                let address = bare(host).parse::<IpAddr>();
                let is_in = address.is_ok_and(|address| network.contains(&address));
                is_in && at.is_none_or(|at| at == port)
            }
            Self::Host(name, at) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let below = host.strip_suffix(name.as_str());
                let is_named = below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                is_named && at.is_none_or(|at| at == port)
            }
        }
    }
}

/// Addresses: a network, or one address, for which IPv6 may have brackets.
fn network(text: &str) -> Option<IpNet> {
    let address = || bare(text).parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| address()).ok()
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Proxies, Vec<String>) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut warnings = Vec::new();
        let environment = variables.iter().map(owned).collect();
        (Proxies::read(&environment, &mut warnings), warnings)
    }

    fn to(variables: &[(&str, &str)], target: &str) -> Option<String> {
        let (proxies, _) = read(variables);
        let proxy = proxies.to(&target.parse().unwrap())?;
        Some(proxy.url.to_string())
    }

    #[test]
    fn the_proxy_of_the_scheme_is_taken() {
        let both = [("https_proxy", "http://s:1"), ("http_proxy", "p:2")];
        assert_eq!(to(&both, "https://h/mcp").as_deref(), Some("http://s:1/"));
        assert_eq!(to(&both, "http://h/mcp").as_deref(), Some("http://p:2/"));
        let all = [("HTTPS_PROXY", "http://S:1"), ("ALL_PROXY", "http://a:3")];
        assert_eq!(to(&all, "https://h").as_deref(), Some("http://S:1/"));
        assert_eq!(to(&all, "http://h").as_deref(), Some("http://a:3/"));
        let cases = [
            ("HTTPS_PROXY", "http://up:1"),
            ("https_proxy", "http://low:1"),
        ];
        assert_eq!(to(&cases, "https://h").as_deref(), Some("http://low:1/"));
        let cgi = [("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(
            (to(&cgi, "http://h"), to(&[("http_proxy", "")], "http://h")),
            (None, None)
        );
        for local in [
            "http://localhost:3000",
            "http://127.0.0.1/",
            "http://[::1]:80/",
        ] {
            assert_eq!(to(&both, local), None, "{local}");
        }
    }

    #[test]
    fn a_credential_is_taken_out_and_not_shown() {
        let (proxies, _) = read(&[("https_proxy", "http://me:sEc%40ReT@proxy:3128")]);
        let proxy = proxies.to(&Uri::from_static("https://h/")).unwrap();
        assert_eq!(proxy.url, "http://proxy:3128/");
        assert_eq!(proxy.credential.as_ref().unwrap(), "Basic bWU6c0VjQFJlVA==");
        let shown = format!("{proxies:?}");
        assert!(!shown.contains("sEc") && !shown.contains("bWU6"), "{shown}");
        for bad in [
            "socks5://me:sEcReT@h:1",
            "https://sEcReT:443",
            "http://",
            "http://h:sEcReT",
        ] {
            let (proxies, warnings) = read(&[("ALL_PROXY", bad)]);
            assert!(proxies.to(&Uri::from_static("https://h/")).is_none());
            assert_eq!(warnings.len(), 1, "{warnings:?}");
            assert!(!warnings.concat().contains("sEcReT"));
        }
    }

    #[test]
    fn no_proxy_names_hosts_domains_ports_and_networks() {
        for (without, target, is_direct) in [
            ("*", "https://h", true),
            ("example.com", "https://example.com", true),
            ("example.com", "https://A.Example.com", true),
            (".example.com", "https://a.example.com", true),
            ("*.example.com", "https://a.example.com", true),
            ("example.com", "https://badexample.com", false),
            ("other, example.com", "https://example.com./", true),
            ("example.com:8443", "https://example.com:8443", true),
            ("example.com:8443", "https://example.com", false),
            ("example.com:443", "https://example.com", true),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("192.0.2.7", "https://192.0.2.7:1", true),
            ("fd00::/8,[2001:db8::1]", "https://[2001:db8::1]:1", true),
            ("[2001:db8::1]:8080", "https://[2001:DB8:0::1]:8080", true),
            ("[2001:db8::1]:8080", "https://[2001:db8::1]", false),
            ("[2001:db8::1]:443", "https://[2001:db8::1]", true),
            ("192.0.2.7:8080", "https://192.0.2.7:8080", true),
            ("192.0.2.7:8080", "https://192.0.2.7", false),
            ("", "https://h", false),
        ] {
            let variables = [("https_proxy", "http://p:1"), ("NO_PROXY", without)];
            assert_eq!(
                to(&variables, target).is_none(),
                is_direct,
                "{without} {target}"
            );
        }
    }
}
