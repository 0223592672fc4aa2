//! URI templates (RFC 6570), all four levels, with variables that are texts or lists of texts: what a query can hold.
//!
//! A library was to do it, but the only one that is maintained, complete and under a permissive licence panics at callers' input; see
//! `ARCHITECTURE.md`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A variable with its values: one is a text, several are a list.
pub(super) type Variable<'a> = (&'a str, Vec<&'a str>);

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

/// How an expression is written out (RFC 6570, appendix A).
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

/// The URI that `template` stands for; `None` if it is no template. Variables that are not given are left out.
pub(super) fn expand(template: &str, variables: &[Variable<'_>]) -> Option<String> {
    let mut uri = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        let (expression, after) = after.split_once('}')?;
        push_literal(&mut uri, literal)?;
        push_expression(&mut uri, expression, variables)?;
        rest = after;
    }
    push_literal(&mut uri, rest)?;
    Some(uri)
}

fn push_literal(uri: &mut String, literal: &str) -> Option<()> {
    if literal.contains('}') {
        return None;
    }
    uri.push_str(&encoded(literal, true));
    Some(())
}

fn push_expression(uri: &mut String, expression: &str, variables: &[Variable<'_>]) -> Option<()> {
    let (operator, list) = Operator::of(expression);
    let mut pieces = Vec::new();
    for written in list.split(',') {
        let spec = Spec::parse(written)?;
        let given = variables.iter().find(|(name, _)| *name == spec.name);
        if let Some((_, values)) = given {
            spec.pieces(&operator, values, &mut pieces)?;
        }
    }
    for (index, piece) in pieces.iter().enumerate() {
        uri.push_str(if index == 0 {
            operator.first
        } else {
            operator.between
        });
        uri.push_str(piece);
    }
    Some(())
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

    fn value(&self, name: &str, value: &str) -> String {
        match (self.named, value) {
            (false, _) => value.to_owned(),
            (true, "") => format!("{name}{}", self.if_empty),
            (true, _) => format!("{name}={value}"),
        }
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

    /// What this variable comes to. A list cannot be cut (section 2.4.1).
    fn pieces(&self, operator: &Operator, values: &[&str], pieces: &mut Vec<String>) -> Option<()> {
        let [single] = values else {
            if self.most.is_some() {
                return None;
            }
            let mut items = values.iter().map(|value| encoded(value, operator.reserved));
            if self.exploded {
                pieces.extend(items.map(|item| operator.value(self.name, &item)));
            } else {
                let joined = items.by_ref().collect::<Vec<_>>().join(",");
                pieces.push(operator.value(self.name, &joined));
            }
            return Some(());
        };
        let cut: String = single
            .chars()
            .take(self.most.unwrap_or(usize::MAX))
            .collect();
        let value = encoded(&cut, operator.reserved);
        pieces.push(operator.value(self.name, &value));
        Some(())
    }
}

/// 1 to 9999.
fn length(written: &str) -> Option<usize> {
    let digits = written.len() <= 4 && !written.starts_with(['0', '+']);
    digits.then(|| written.parse().ok())?
}

fn encoded(text: &str, reserved: bool) -> String {
    if !reserved {
        return utf8_percent_encode(text, UNRESERVED).to_string();
    }
    let mut written = String::with_capacity(text.len());
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default();
    written.extend(utf8_percent_encode(first, AND_RESERVED));
    for part in parts {
        let digits = part.as_bytes().first_chunk::<2>();
        let is_encoding = digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        written.push_str(if is_encoding { "%" } else { "%25" });
        written.extend(utf8_percent_encode(part, AND_RESERVED));
    }
    written
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
                Some(uri),
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
                Some(uri),
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
            assert_eq!(expand(broken, &variables), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn a_uri_is_ascii_and_percent_encoded_whole(
            template in "[a-z:/é%]{0,3}(\\{[+#./;?&]?[a-b]([*]|:[1-9][0-9]?)?(,[a-b][*]?)?\\}[a-z/%é]{0,2}){0,3}",
            values in prop::collection::vec("(\\PC|%[0-9A-F]{1,2}|[%é😀]){0,5}", 1..3),
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            if let Some(uri) = expand(&template, &[("a", values.clone()), ("b", vec![values[0]])]) {
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
            expand(&template, &[("a", vec![&value])]);
        }
    }
}
