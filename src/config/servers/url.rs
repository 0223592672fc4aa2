//! The URL of a server: its checks, and the headers that are made of it.

use std::{borrow::Cow, net::IpAddr};

use awc::http::{Uri, header::HeaderValue};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;

use crate::config::errors::Fault;

/// The value of `Host` for requests to `url`: its host, and its port where that is not the scheme's own.
pub(crate) fn host_header(url: &Uri) -> HeaderValue {
    let host = url.host().unwrap_or_default();
    let written = match (url.port_u16(), url.scheme_str()) {
        (None, _) | (Some(80), Some("http")) | (Some(443), Some("https")) => host.to_owned(),
        (Some(port), _) => format!("{host}:{port}"),
    };
    HeaderValue::try_from(written).unwrap_or(HeaderValue::from_static(""))
}

/// Takes `user:password@` out of a URL and returns it as HTTP clients send it: basic authentication.
pub(crate) fn split_userinfo(url: &str) -> (Cow<'_, str>, Option<HeaderValue>) {
    let whole = (Cow::Borrowed(url), None);
    let Some((scheme, rest)) = url.split_once("://") else {
        return whole;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((userinfo, host)) = authority.rsplit_once('@') else {
        return whole;
    };
    let credential: Vec<u8> = percent_decode_str(userinfo).collect();
    let basic = format!("Basic {}", BASE64_STANDARD.encode(credential));
    let Ok(mut basic) = HeaderValue::from_str(&basic) else {
        return whole;
    };
    basic.set_sensitive(true);
    let after = rest.strip_prefix(authority).unwrap_or_default();
    (format!("{scheme}://{host}{after}").into(), Some(basic))
}

/// Checks a URL, variables expanded.
pub(crate) fn check_url(url: &str) -> Result<Uri, Fault> {
    if url.contains('#') {
        return Err(("holds a fragment", "remove the # and what follows"));
    }
    if !url.chars().all(|c| c.is_ascii_graphic()) {
        return Err(("holds a character URLs cannot carry", "percent-encode it"));
    }
    let incomplete = (
        "not a complete http or https URL",
        "write it like https://host/mcp",
    );
    let Ok(url) = url.parse::<Uri>() else {
        return Err(incomplete);
    };
    let (Some("http" | "https"), Some(authority)) = (url.scheme_str(), url.authority()) else {
        return Err(incomplete);
    };
    if authority.host().is_empty() {
        return Err(incomplete);
    }
    let has_port = authority.as_str() != authority.host();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(("its port is not a port", "write a number from 1 to 65535"));
    }
    Ok(url)
}

/// Whether `host` is this machine, whatever DNS says.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}
