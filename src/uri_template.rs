//! URI templates (RFC 6570), all four levels, with variables that are strings or lists of strings: what a query can hold.
//!
//! Not a library, because the only one that is maintained, complete and under a permissive licence panics at clients' input; see
//! `ARCHITECTURE.md`.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A variable with its values: one is a string, several are a list.
pub(crate) type Variable<'a> = (&'a str, Vec<&'a str>);

/// RFC 3986, section 2.3.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// RFC 3986, section 2.2.
const AND_RESERVED: &AsciiSet = &UNRESERVED
    .remove(b':')
    .remove(b'/')
    .remove(b'?')
    .remove(b'#')
    .remove(b'[')
    .remove(b']')
    .remove(b'@')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=');

/// How an expression is expanded (RFC 6570, appendix A).
struct Operator {
    first: &'static str,
    between: &'static str,
    /// Values follow their variable's name.
    named: bool,
    /// What follows the name of an empty value.
    if_empty: &'static str,
    /// Reserved characters and percent-encodings stay as they are.
    reserved: bool,
}

/// One variable of an expression.
struct Spec<'t> {
    name: &'t str,
    /// `:n`: no more characters than these.
    most: Option<usize>,
    /// `*`: each value of a list by itself.
    exploded: bool,
}

/// Bytes of a URI. Variables may stand in a template any number of times, so that a short one can stand for gigabytes.
pub(crate) const MAX_BYTES: usize = 64 << 10;

/// Why a template cannot be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unexpandable {
    /// The text is no template.
    NoTemplate,
    /// The URI would be longer than 64 KiB.
    TooLong,
}

/// A URI that is being written, and never grows beyond [`MAX_BYTES`].
struct Uri(String);

/// Expands `template` to a URI. Variables without a value are left out.
pub(crate) fn expand(template: &str, variables: &[Variable<'_>]) -> Result<String, Unexpandable> {
    let given: HashMap<&str, &[&str]> = variables
        .iter()
        .map(|(name, values)| (*name, values.as_slice()))
        .collect();
    let mut uri = Uri(String::with_capacity(template.len().min(MAX_BYTES)));
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (expression, after) = after.split_once('}').ok_or(Unexpandable::NoTemplate)?;
        uri.literal(literal)?;
        uri.expression(expression, &given)?;
        rest = after;
    }
    uri.literal(rest)?;
    Ok(uri.0)
}

impl Uri {
    fn push(&mut self, text: &str) -> Result<(), Unexpandable> {
        if self.0.len() + text.len() > MAX_BYTES {
            return Err(Unexpandable::TooLong);
        }
        self.0.push_str(text);
        Ok(())
    }

    fn literal(&mut self, literal: &str) -> Result<(), Unexpandable> {
        if literal.contains('}') {
            return Err(Unexpandable::NoTemplate);
        }
        self.encoded(literal, true)
    }

    fn expression(
        &mut self,
        expression: &str,
        given: &HashMap<&str, &[&str]>,
    ) -> Result<(), Unexpandable> {
        let (operator, list) = Operator::of(expression);
        let mut before = operator.first;
        for written in list.split(',') {
            let spec = Spec::parse(written).ok_or(Unexpandable::NoTemplate)?;
            let Some(values) = given.get(spec.name) else {
                continue;
            };
            // A list cannot be cut (section 2.4.1).
            if spec.most.is_some() && values.len() != 1 {
                return Err(Unexpandable::NoTemplate);
            }
            for (index, value) in values.iter().enumerate() {
                let is_first = index == 0;
                let starts = is_first || spec.exploded;
                self.push(if starts { before } else { "," })?;
                before = operator.between;
                let value = spec.cut(value);
                if operator.named && starts {
                    self.push(spec.name)?;
                    let alone = spec.exploded || values.len() == 1;
                    let empty = alone && value.is_empty();
                    self.push(if empty { operator.if_empty } else { "=" })?;
                }
                self.encoded(value, operator.reserved)?;
            }
        }
        Ok(())
    }

    fn encoded(&mut self, text: &str, reserved: bool) -> Result<(), Unexpandable> {
        if !reserved {
            let mut pieces = utf8_percent_encode(text, UNRESERVED);
            return pieces.try_for_each(|piece| self.push(piece));
        }
        for (index, part) in text.split('%').enumerate() {
            if index > 0 {
                let digits = part.as_bytes().first_chunk::<2>();
                let is_encoding =
                    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
                self.push(if is_encoding { "%" } else { "%25" })?;
            }
            let mut pieces = utf8_percent_encode(part, AND_RESERVED);
            pieces.try_for_each(|piece| self.push(piece))?;
        }
        Ok(())
    }
}

impl Operator {
    /// The operator of an expression, and the rest of it.
    fn of(expression: &str) -> (Self, &str) {
        let (first, between, named, if_empty, reserved) = match expression.bytes().next() {
            Some(b'+') => ("", ",", false, "", true),
            Some(b'#') => ("#", ",", false, "", true),
            Some(b'.') => (".", ".", false, "", false),
            Some(b'/') => ("/", "/", false, "", false),
            Some(b';') => (";", ";", true, "", false),
            Some(b'?') => ("?", "&", true, "=", false),
            Some(b'&') => ("&", "&", true, "=", false),
            _ => ("", ",", false, "", false),
        };
        let operator = Self {
            first,
            between,
            named,
            if_empty,
            reserved,
        };
        let list = expression.strip_prefix(['+', '#', '.', '/', ';', '?', '&']);
        (operator, list.unwrap_or(expression))
    }
}

impl<'t> Spec<'t> {
    fn parse(written: &'t str) -> Option<Self> {
        let (name, exploded) = match written.strip_suffix('*') {
            Some(name) => (name, true),
            None => (written, false),
        };
        let (name, most) = match name.split_once(':') {
            Some((name, most)) => (name, Some(length(most)?)),
            None => (name, None),
        };
        let legal = |part: &str| {
            let mut bytes = part.bytes();
            !part.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'%')
        };
        let fine = name.split('.').all(legal) && !(exploded && most.is_some());
        fine.then_some(Self {
            name,
            most,
            exploded,
        })
    }

    /// The prefix of a value that is asked for.
    fn cut<'v>(&self, value: &'v str) -> &'v str {
        let end = self.most.and_then(|most| value.char_indices().nth(most));
        end.and_then(|(end, _)| value.get(..end)).unwrap_or(value)
    }
}

/// 1 to 9999.
fn length(written: &str) -> Option<usize> {
    let digits = written.len() <= 4 && !written.starts_with(['0', '+']);
    digits.then(|| written.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The variables of the examples in RFC 6570, section 3.2, that are not associative arrays.
    fn variables() -> Vec<Variable<'static>> {
        vec![
            ("count", vec!["one", "two", "three"]),
            ("dom", vec!["example", "com"]),
            ("dub", vec!["me/too"]),
            ("hello", vec!["Hello World!"]),
            ("half", vec!["50%"]),
            ("var", vec!["value"]),
            ("who", vec!["fred"]),
            ("base", vec!["http://example.com/home/"]),
            ("path", vec!["/foo/bar"]),
            ("list", vec!["red", "green", "blue"]),
            ("v", vec!["6"]),
            ("x", vec!["1024"]),
            ("y", vec!["768"]),
            ("empty", vec![""]),
            ("semi", vec![";"]),
            ("wide", vec!["grüße 😀"]),
            ("encoded", vec!["a%20b%zz"]),
        ]
    }

    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let variables = variables();
        for (template, uri) in [
            ("{count}", "one,two,three"),
            ("{/count*}", "/one/two/three"),
            ("{;count}", ";count=one,two,three"),
            ("{;count*}", ";count=one;count=two;count=three"),
            ("{?count*}", "?count=one&count=two&count=three"),
            ("{&count*}", "&count=one&count=two&count=three"),
            ("{hello}", "Hello%20World%21"),
            ("{half}", "50%25"),
            ("O{empty}X", "OX"),
            ("O{undef}X", "OX"),
            ("?{x,empty}", "?1024,"),
            ("?{x,undef}", "?1024"),
            ("{var:30}", "value"),
            ("{+hello}", "Hello%20World!"),
            ("{+half}", "50%25"),
            ("{base}index", "http%3A%2F%2Fexample.com%2Fhome%2Findex"),
            ("{+base}index", "http://example.com/home/index"),
            ("O{+empty}X", "OX"),
            ("{+path}/here", "/foo/bar/here"),
            ("{+x,hello,y}", "1024,Hello%20World!,768"),
            ("{+path:6}/here", "/foo/b/here"),
            ("{+list*}", "red,green,blue"),
            ("{#x,hello,y}", "#1024,Hello%20World!,768"),
            ("foo{#empty}", "foo#"),
            ("foo{#undef}", "foo"),
            ("{#path:6}here", "#/foo/bhere"),
            ("{.who,who}", ".fred.fred"),
            ("{.half,who}", ".50%25.fred"),
            ("www{.dom*}", "www.example.com"),
            ("X{.empty}", "X."),
            ("X{.undef}", "X"),
            ("{/half,who}", "/50%25/fred"),
            ("{/who,dub}", "/fred/me%2Ftoo"),
            ("{/var,empty}", "/value/"),
            ("{/var:1,var}", "/v/value"),
            ("{/list*,path:4}", "/red/green/blue/%2Ffoo"),
            ("{;half}", ";half=50%25"),
            ("{;empty}", ";empty"),
            ("{;v,empty,who}", ";v=6;empty;who=fred"),
            ("{;v,bar,who}", ";v=6;who=fred"),
            ("{;hello:5}", ";hello=Hello"),
            ("{?x,y,empty}", "?x=1024&y=768&empty="),
            ("{?x,y,undef}", "?x=1024&y=768"),
            ("{?var:3}", "?var=val"),
            ("?fixed=yes{&x}", "?fixed=yes&x=1024"),
            ("{&var:3,list}", "&var=val&list=red,green,blue"),
            ("{semi:2}", "%3B"),
        ] {
            assert_eq!(
                expand(template, &variables).as_deref(),
                Ok(uri),
                "{template}"
            );
        }
    }

    #[test]
    fn characters_are_cut_and_encoded_whole() {
        let variables = variables();
        for (template, uri) in [
            ("{wide:3}", "gr%C3%BC"),
            ("{+wide:4}", "gr%C3%BC%C3%9F"),
            ("{?wide}", "?wide=gr%C3%BC%C3%9Fe%20%F0%9F%98%80"),
            ("{encoded}", "a%2520b%25zz"),
            ("{+encoded}", "a%20b%25zz"),
            ("é %{var}%41", "%C3%A9%20%25value%41"),
        ] {
            assert_eq!(
                expand(template, &variables).as_deref(),
                Ok(uri),
                "{template}"
            );
        }
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let variables = variables();
        for broken in [
            "{",
            "}",
            "{}",
            "{var",
            "var}",
            "{!var}",
            "{var:0}",
            "{var:}",
            "{var:10000}",
            "{list:2}",
            "{a,,b}",
            "{a b}",
            "{a{b}}",
            "{var:3*}",
            "{.a..b}",
            "{ü}",
        ] {
            assert_eq!(
                expand(broken, &variables),
                Err(Unexpandable::NoTemplate),
                "{broken}"
            );
        }
    }

    #[test]
    fn a_uri_is_64_kib_at_most() {
        let value = "x".repeat(1 << 10);
        let variables = [("a", vec![value.as_str()]), ("none", vec![""])];
        let full = expand(&"{a}".repeat(64), &variables).unwrap();
        assert_eq!(full.len(), MAX_BYTES);
        let many = format!("{}{{none}}", "{a}".repeat(64));
        assert_eq!(expand(&many, &variables).unwrap().len(), MAX_BYTES);
        for long in ["{a}".repeat(65), format!("{}.", "{a}".repeat(64))] {
            assert_eq!(expand(&long, &variables), Err(Unexpandable::TooLong));
        }
    }

    proptest! {
        #[test]
        fn a_uri_is_ascii_and_percent_encoded_whole(
            template in "[a-z:/é%]{0,3}(\\{[+#./;?&]?[a-b]([*]|:[1-9][0-9]?)?(,[a-b][*]?)?\\}[a-z/%é]{0,2}){0,3}",
            values in prop::collection::vec("(\\PC|%[0-9A-F]{1,2}|[%é😀]){0,5}", 1..3),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            if let Ok(uri) = expand(&template, &[("a", values.clone()), ("b", vec![values[0]])]) {
                for after in uri.split('%').skip(1) {
                    let digits = after.as_bytes().first_chunk::<2>();
                    let hexadecimal = digits.is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit));
                    prop_assert!(hexadecimal, "{}", uri);
                }
                prop_assert!(uri.bytes().all(|b| b.is_ascii_graphic()), "{}", uri);
            }
        }

        #[test]
        fn no_text_is_too_much(template in "\\PC{0,20}", value in "\\PC{0,9}") {
            expand(&template, &[("a", vec![&value])]).ok();
        }
    }
}
