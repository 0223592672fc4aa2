//! What the writer makes of JSON. Whether readers of YAML find the same values in it is checked with readers of others
//! (`tests/api/formats.rs`).

use super::*;

#[track_caller]
fn becomes(json: &str, yaml: &str) {
    assert_eq!(from_json(json).as_deref(), Some(yaml));
}

#[test]
fn documents_look_as_people_write_them() {
    becomes(
        r#"{"openapi":"3.1.0","servers":[{"url":"/","x":[]},[1,[2]]],"paths":{"/a/{b}":{"get":{"description":"One.\n\nTwo: 2\n"}}},"e":{}}"#,
        "openapi: \"3.1.0\"\nservers:\n  - url: /\n    x: []\n  - - 1\n    - - 2\npaths:\n  /a/{b}:\n    get:\n      \
         description: |\n        One.\n\n        Two: 2\ne: {}\n",
    );
}

#[test]
fn what_readers_would_take_for_something_else_is_quoted() {
    for text in [
        "no",
        "Off",
        "null",
        "~",
        "1.0",
        "2026-01-01",
        "12:30",
        "0x1f",
        "1_000",
        "",
        " a",
        "a ",
        "a: b",
        "a:",
        "a #b",
        "- a",
        "*a",
        "&a",
        "!a",
        "{a",
        "[a",
        "%a",
        "@a",
        "`a",
        "<<",
        "=",
        "---",
        "?",
        ".inf",
        "NaN",
        "'a",
        "a\tb",
        "\u{7f}",
        "a\u{85}b",
        "a\u{2028}b",
    ] {
        let json = serde_json::to_string(text).unwrap();
        let yaml = from_json(&json).unwrap();
        assert!(
            yaml.starts_with('"') && yaml.ends_with("\"\n"),
            "{text:?}: {yaml}"
        );
    }
    for text in [
        "a",
        "a b",
        "a:b",
        "a#b",
        "it's",
        "#/x".trim_start_matches('#'),
        "$ref",
        "grüße, du",
        "💥x".trim_start_matches('💥'),
    ] {
        becomes(&serde_json::to_string(text).unwrap(), &format!("{text}\n"));
    }
}

#[test]
fn numbers_keep_their_digits() {
    for (json, yaml) in [
        ("1.10", "1.10"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1e400", "1.0e+400"),
        ("-1.50E-3", "-1.50e-3"),
        ("true", "true"),
        ("null", "null"),
    ] {
        becomes(json, &format!("{yaml}\n"));
        becomes(&format!(r#"{{"a": {json} }}"#), &format!("a: {yaml}\n"));
    }
}

#[test]
fn texts_that_lines_cannot_hold_are_quoted() {
    becomes(r#"{"a":"x\n  y\nz"}"#, "a: |-\n  x\n    y\n  z\n");
    becomes(r#"[["x\ny"]]"#, "- - |-\n    x\n    y\n");
    for text in [
        " x\ny",
        "\nx\ny",
        "x\ny\n\n",
        "x\ny ",
        "x\r\ny",
        "x\n\ty\u{0}",
    ] {
        let yaml = from_json(&serde_json::to_string(text).unwrap()).unwrap();
        assert!(yaml.starts_with('"'), "{yaml}");
    }
}

#[test]
fn a_hostile_text_grows_by_a_bounded_factor_only() {
    let nested = |levels: usize, inside: &str| {
        format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels))
    };
    let many = "1,".repeat(20_000);
    for json in [
        nested(30, &format!("{many}1")),
        nested(3000, "1"),
        format!(r#"{{"a":{}}}"#, nested(39, r#""\n\nx\ny\nz""#)),
        format!("[{}[1]]", format!("{},", nested(35, "1,2")).repeat(1000)),
        format!(r#"{{"{}":{{"b":1}}}}"#, "k".repeat(5000)),
    ] {
        let yaml = from_json(&json).unwrap();
        assert!(
            yaml.len() <= GROWTH * json.len() + 2 * SLACK,
            "{}",
            yaml.len()
        );
    }
}

#[test]
fn short_lines_far_to_the_right_are_not_written_as_lines_first() {
    let lines = "a\\n".repeat(50_000);
    let json = format!("{}\"{lines}\"{}", "[".repeat(33), "]".repeat(33));
    let yaml = from_json(&json).unwrap();
    assert!(yaml.ends_with("a\\na\\n\"\n"));
    // What was written before it was found too long would be in the capacity.
    let most = 2 * GROWTH * json.len();
    assert!(yaml.capacity() <= most, "{}", yaml.capacity());
}

#[test]
fn what_is_not_json_is_not_written() {
    for json in [
        "",
        "{",
        "[1",
        r#"{"a"}"#,
        r#"{"a":}"#,
        "[1 2]",
        "]",
        r#""a"#,
        "1 2",
        r#"{"a":1"#,
    ] {
        assert_eq!(from_json(json), None, "{json}");
    }
}
