//! JSON with comments and trailing commas, as editors write it, made plain JSON.
//!
//! Everything that JSON does not have is replaced by as many spaces, so that lines and columns stay what they are in the file.

/// Where a `/* ` begins that nothing closes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unclosed {
    /// Counted from 1.
    pub(crate) line: usize,
    /// In bytes, counted from 1.
    pub(crate) column: usize,
}

/// `text` without comments (`//` to the end of the line, `/* */`) and without commas before a closing bracket.
pub(crate) fn plain(text: &[u8]) -> Result<Vec<u8>, Unclosed> {
    let mut plain = text.to_vec();
    let mut at = 0;
    // The last byte of JSON that is no white space, if it is a comma.
    let mut comma = None;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let length = match byte {
            b'"' => string(rest),
            b'/' => comment(rest).ok_or_else(|| unclosed(text, at))?,
            _ => 1,
        };
        match byte {
            b'/' if length > 1 => blank(&mut plain, at, length),
            b']' | b'}' => {
                if let Some(comma) = comma.take() {
                    blank(&mut plain, comma, 1);
                }
            }
            b',' => comma = Some(at),
            byte if byte.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        at += length;
    }
    Ok(plain)
}

/// The length of the string that `rest` begins with; up to the end where nothing closes it.
fn string(rest: &[u8]) -> usize {
    let mut escaped = false;
    let closing = rest.iter().skip(1).position(|&byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(rest.len(), |length| length + 2)
}

/// The length of the comment that `rest` begins with: 1 if it is none, `None` if nothing closes it.
fn comment(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"//") {
        let end = rest.iter().position(|&byte| byte == b'\n');
        return Some(end.unwrap_or(rest.len()));
    }
    let Some(inside) = rest.strip_prefix(b"/*") else {
        return Some(1);
    };
    let end = inside.windows(2).position(|two| two == b"*/")?;
    Some(end + 4)
}

fn blank(plain: &mut [u8], at: usize, length: usize) {
    let blanked = plain.iter_mut().skip(at).take(length);
    blanked
        .filter(|byte| !byte.is_ascii_whitespace())
        .for_each(|byte| *byte = b' ');
}

fn unclosed(text: &[u8], at: usize) -> Unclosed {
    let before = text.get(..at).unwrap_or_default();
    let in_line = before.rsplit(|&byte| byte == b'\n').next();
    Unclosed {
        line: before.split(|&byte| byte == b'\n').count(),
        column: in_line.unwrap_or_default().len() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_does_not_have_becomes_spaces() {
        for (text, expected) in [
            ("", ""),
            ("{\"a\": 1, // one\n}", "{\"a\": 1        \n}"),
            ("[1, /* a\nb */ 2,]", "[1,     \n     2 ]"),
            ("[1, /* ] */ ]", "[1          ]"),
            (
                r#"["//", "/* ,]", "\"//", "\\", ]"#,
                r#"["//", "/* ,]", "\"//", "\\"  ]"#,
            ),
            ("{\"a\": [1,],}", "{\"a\": [1 ] }"),
            ("// é\n1", "     \n1"),
            ("[1,,2]", "[1,,2]"),
            ("[,]", "[ ]"),
            ("1 / 2", "1 / 2"),
            ("\"// no end", "\"// no end"),
            ("/**/1", "    1"),
        ] {
            let found = plain(text.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(found).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_comment_without_its_end_is_found() {
        for text in ["[\n  /* a", "[\n  /*/"] {
            assert_eq!(plain(text.as_bytes()), Err(Unclosed { line: 2, column: 3 }));
        }
    }
}
