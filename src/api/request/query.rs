//! The target of a request: percent-decoded path segments and query parameters.
//!
//! Which parameters there are is not known here.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::api::error::kinds::Error;

/// Parameters of one query.
const MOST_PARAMETERS: usize = 1000;

/// Query parameters, decoded, in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Query(Vec<(String, String)>);

/// One path segment, percent-decoded once.
pub(crate) fn segment(raw: &str) -> Result<Cow<'_, str>, Error> {
    decode(raw).ok_or_else(|| Error::invalid("The path holds a broken percent-encoding"))
}

fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let bytes = raw.as_bytes();
    if raw.is_ascii() && memchr::memchr(b'%', bytes).is_none() {
        return Some(Cow::Borrowed(raw));
    }
    let broken = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if memchr::memchr_iter(b'%', bytes).any(broken) {
        return None;
    }
    percent_decode(bytes).decode_utf8().ok()
}

impl Query {
    /// The parameters of a raw query string.
    pub(crate) fn parse(raw: &str) -> Result<Self, Error> {
        if memchr::memchr_iter(b'&', raw.as_bytes()).count() >= MOST_PARAMETERS {
            return Err(Error::invalid(format!(
                "The query holds more than {MOST_PARAMETERS} parameters"
            )));
        }
        let parameters = raw.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = |raw: &str| decode(&raw.replace('+', " ")).map(Cow::into_owned);
            text(name).zip(text(value))
        });
        parameters
            .collect::<Option<_>>()
            .map(Self)
            .ok_or_else(|| Error::invalid("The query holds a broken percent-encoding"))
    }

    /// The value of a parameter that may be given once.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        let first = values.next().map(|(_, value)| value.as_str());
        if values.next().is_some() {
            return Err(Error::invalid(format!(
                "The parameter '{name}' is given more than once"
            )));
        }
        Ok(first)
    }

    /// All parameters but these groups of names, each with its values, in the order they came. `arg.NAME` is NAME, also where that is
    /// one of these.
    pub(crate) fn others(&self, these: &[&[&str]]) -> Vec<(&str, Vec<&str>)> {
        let mut others: Vec<(&str, Vec<&str>)> = Vec::new();
        for (name, value) in &self.0 {
            let name = match name.strip_prefix("arg.") {
                Some(name) => name,
                None if these.iter().any(|group| group.contains(&name.as_str())) => continue,
                None => name,
            };
            match others.iter_mut().find(|(other, _)| *other == name) {
                Some((_, values)) => values.push(value),
                None => others.push((name, vec![value])),
            }
        }
        others
    }

    /// A parameter that is `true` or `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        match self.get(name)? {
            None => Ok(None),
            Some("false") => Ok(Some(false)),
            Some("true") => Ok(Some(true)),
            Some(_) => Err(Error::invalid(format!(
                "The parameter '{name}' must be true or false"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(segment("a%2Fb").unwrap(), "a/b");
        assert_eq!(segment("a%252Fb").unwrap(), "a%2Fb");
        assert_eq!(segment("gr%C3%BC%C3%9Fe+x").unwrap(), "grüße+x");
        for broken in ["%", "%z", "%zz", "a%2", "%ff", "%C3%28"] {
            assert!(segment(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_parameter_may_be_given_once() {
        let query = Query::parse("a=1&b=x%20y+z&a=2&&c&d=").unwrap();
        assert!(query.get("a").is_err());
        assert_eq!(query.get("b").unwrap(), Some("x y z"));
        assert_eq!(query.get("c").unwrap(), Some(""));
        assert_eq!(query.get("d").unwrap(), Some(""));
        assert_eq!(query.get("e").unwrap(), None);
        assert!(Query::parse("a=%zz").is_err());
    }
}
