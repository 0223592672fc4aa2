//! The types a setting can have, and how each is parsed from text and JSON. Which settings exist is in `settings`.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ipnet::IpNet;
use log::LevelFilter;
use serde_json::Value;
use url::Url;

use crate::config::errors::{ConfigErrors, found, kind};
use crate::config::expand::Environment;
use crate::config::keys::key_digest;
use crate::config::origins::origin;

/// One setting. The `settings!` macro makes these.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Below `gateway` in the file.
    pub(crate) path: &'static str,
    pub(crate) form: Form,
    /// As it would be written in the environment; empty for none.
    pub(crate) default: &'static str,
    /// Environment variables, of which the first that is set wins: our own before one that other software knows too.
    pub(crate) variables: &'static [&'static str],
    /// Without its dashes.
    pub(crate) flag: Option<&'static str>,
    pub(crate) help: &'static str,
}

/// The type of a setting's value.
#[derive(Debug)]
pub(crate) enum Form {
    Address,
    Number(RangeInclusive<u64>),
    Milliseconds(RangeInclusive<u64>),
    Switch,
    Level,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// See [`key_digest`].
    Keys,
    /// See [`is_path_prefix`].
    PathPrefix,
    /// See [`public_url`].
    PublicUrl,
    /// Addresses and networks.
    Networks,
    /// The path of a file; empty for none.
    File,
    /// See [`origin`].
    Origins,
}

impl Form {
    /// `text` from the environment or a flag as the JSON that the file would hold; the text itself if it is no such thing.
    pub(crate) fn parse(&self, text: &str) -> Value {
        match (self, text) {
            (Form::Number(_) | Form::Milliseconds(_), _) => {
                text.parse::<u64>().map_or(text.into(), Value::from)
            }
            (Form::Switch, "true" | "1") => true.into(),
            (Form::Switch, "false" | "0") => false.into(),
            (Form::Keys | Form::Networks | Form::Origins, _) => {
                let entries = text.split(',').map(str::trim);
                entries.filter(|entry| !entry.is_empty()).collect()
            }
            _ => text.into(),
        }
    }

    /// Whether a wrong value may be shown: only where nobody would put a secret.
    fn shows_value(&self) -> bool {
        matches!(
            self,
            Self::Address
                | Self::Number(_)
                | Self::Milliseconds(_)
                | Self::Switch
                | Self::Level
                | Self::Choice(_)
                | Self::PathPrefix
        )
    }

    fn expected(&self) -> String {
        let text = match self {
            Form::Address => "an IP address or localhost",
            Form::Number(range) | Form::Milliseconds(range) => {
                return format!("a whole number from {} to {}", range.start(), range.end());
            }
            Form::Switch => "true or false",
            Form::Level => "off, error, warn, info, debug or trace",
            Form::Choice(words) => return format!("one of {}", words.join(", ")),
            Form::Keys => "an array of strings",
            Form::PathPrefix => "a path like /mcp, without a slash at its end",
            Form::File => "the path of a file",
            Form::PublicUrl => {
                "an http or https URL, perhaps with a path, without credentials and query"
            }
            Form::Origins => "an array of origins like https://app.example.com",
            Form::Networks => "an array of addresses or networks like 10.0.0.0/8",
        };
        text.to_owned()
    }
}

impl Setting {
    /// The value for the `config` crate, or `None` after reporting at `path` what is wrong with it.
    pub(crate) fn check(
        &self,
        value: &Value,
        path: &str,
        environment: &Environment,
        errors: &mut ConfigErrors,
    ) -> Option<config::Value> {
        let within = |range: &RangeInclusive<u64>| value.as_u64().filter(|n| range.contains(n));
        let checked: Option<config::Value> = match (&self.form, value) {
            (Form::Number(range), _) => within(range).map(config::Value::from),
            // Seconds and nanoseconds, as serde reads a `Duration`.
            (Form::Milliseconds(range), _) => {
                within(range).map(|ms| vec![ms / 1000, ms % 1000 * 1_000_000].into())
            }
            (Form::Switch, Value::Bool(on)) => Some((*on).into()),
            (Form::Address, Value::String(text)) => address(text).map(|ip| ip.to_string().into()),
            (Form::Level, Value::String(text)) => {
                let level = text.parse::<LevelFilter>().ok();
                level.map(|level| level.to_string().into())
            }
            (Form::Choice(words), Value::String(text)) => {
                words.contains(&text.as_str()).then(|| text.as_str().into())
            }
            (Form::Keys, Value::Array(entries)) => {
                let digests = entries.iter().enumerate().map(|(index, entry)| {
                    key_digest(entry, &format!("{path}[{index}]"), environment, errors).to_vec()
                });
                Some(digests.collect::<Vec<_>>().into())
            }
            (Form::PathPrefix, Value::String(text)) => {
                is_path_prefix(text).then(|| text.as_str().into())
            }
            (Form::File, Value::String(text)) => Some(text.as_str().into()),
            (Form::PublicUrl, Value::String(text)) => public_url(text).map(Into::into),
            (Form::Origins, Value::Array(entries)) => Some(origins(entries, path, errors).into()),
            (Form::Networks, Value::Array(entries)) => {
                let networks = entries.iter().map(|entry| network(entry.as_str()?));
                networks.collect::<Option<Vec<_>>>().map(Into::into)
            }
            _ => None,
        };
        if checked.is_none() {
            let found = if self.form.shows_value() {
                found(value)
            } else {
                kind(value).to_owned()
            };
            let what = format!("expected {}, found {found}", self.form.expected());
            let is_number = value
                .as_str()
                .is_some_and(|text| text.parse::<u64>().is_ok());
            let fix = match self.default {
                _ if is_number => "write it without quotes".to_owned(),
                "" => "correct it".to_owned(),
                default => format!("correct it, for example to {default}"),
            };
            errors.add(path, what, fix);
        }
        checked
    }
}

/// Origins as browsers write them, after reporting those that are none.
fn origins(entries: &[Value], path: &str, errors: &mut ConfigErrors) -> Vec<String> {
    let entries = entries.iter().enumerate();
    let origins = entries.filter_map(|(index, entry)| {
        let origin = entry.as_str().and_then(origin);
        if origin.is_none() {
            let what = format!("expected an origin, found {}", found(entry));
            let fix = "write scheme://host[:port] without a path, https://*.example.com for subdomains, or * for all";
            errors.add(format!("{path}[{index}]"), what, fix);
        }
        origin
    });
    origins.collect()
}

fn address(text: &str) -> Option<IpAddr> {
    match text {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().ok(),
    }
}

/// An address or a network, as a network.
fn network(text: &str) -> Option<String> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(address)?;
    Some(network.to_string())
}

/// An http or https URL with nothing but an authority and perhaps a path prefix, without a slash at its end; empty for none.
fn public_url(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let url = Url::parse(text).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && is_path_prefix(url.path().trim_end_matches('/'));
    is_plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

/// Whether this can be put before our paths: empty, or from a slash to anything but a slash.
pub fn is_path_prefix(path: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:@".contains(&byte);
    path.is_empty()
        || (path.starts_with('/')
            && !path.starts_with("//")
            && !path.ends_with('/')
            && path.split('/').all(|part| !matches!(part, "." | ".."))
            && path.bytes().all(legal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_an_origin_and_perhaps_a_path() {
        for (written, read) in [
            ("https://API.example.com", Some("https://api.example.com")),
            (
                "http://10.0.0.1:8080/mcp/",
                Some("http://10.0.0.1:8080/mcp"),
            ),
            ("", Some("")),
            ("api.example.com", None),
            ("ftp://example.com", None),
            ("https://user@example.com", None),
            ("https://example.com/?a=b", None),
            ("https://example.com/#a", None),
            ("https://example.com//a", None),
        ] {
            assert_eq!(public_url(written).as_deref(), read, "{written}");
        }
    }
}
