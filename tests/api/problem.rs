//! The one shape of errors, checked as a whole.

use insta::Settings;
use serde_json::Value;

use crate::http::Response;

/// The body of an error whose shape has been checked.
#[derive(Debug)]
pub struct Problem(pub Value);

impl Response {
    /// The error this response is. Fails the test if a member is missing, is of the wrong kind, or says something
    /// else than another one or the HTTP status.
    #[track_caller]
    pub fn problem(&self) -> Problem {
        assert_eq!(
            self.headers.media_type(),
            Some("application/problem+json"),
            "{}",
            self.text()
        );
        let body = self.json();
        for member in [
            "type",
            "title",
            "detail",
            "error",
            "message",
            "code",
            "origin",
            "executed",
            "requestId",
        ] {
            let text = body[member].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {member} in {body}");
        }
        let problem = Problem(body);
        assert_eq!(
            problem.text("type"),
            format!("urn:mcp-rest:{}", problem.text("code"))
        );
        assert_eq!(problem.0["status"], self.status, "{}", problem.0);
        assert_eq!(problem.text("error"), problem.text("title"));
        assert_eq!(problem.text("message"), problem.text("detail"));
        assert_eq!(Some(problem.text("requestId")), self.header("x-request-id"));
        assert!(
            matches!(problem.text("origin"), "gateway" | "upstream"),
            "{}",
            problem.0
        );
        assert!(
            matches!(problem.text("executed"), "no" | "yes" | "unknown"),
            "{}",
            problem.0
        );
        assert!(problem.0["retryable"].is_boolean(), "{}", problem.0);
        problem
    }

    /// Checks that this is an error of that status and code which ran nothing.
    #[track_caller]
    pub fn is_refused(&self, status: u16, code: &str) -> Problem {
        let problem = self.problem();
        assert_eq!(
            (self.status, problem.text("code")),
            (status, code),
            "{}",
            problem.0
        );
        assert_eq!(problem.text("executed"), "no", "{}", problem.0);
        problem
    }
}

/// Checks a sentence for callers against `snapshots/{name}.snap`, the one place beside the source that spells it out. Cases that
/// share a name say the same. `INSTA_UPDATE=always cargo test --test api` writes these files anew.
#[track_caller]
pub fn says(name: &str, sentence: &str) {
    let mut settings = Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, without_ports(sentence)));
}

/// The sentence with `PORT` for each port of this machine, which is another one in every run.
fn without_ports(sentence: &str) -> String {
    let mut shown = sentence.to_owned();
    for host in ["127.0.0.1:", "localhost:"] {
        let mut parts = shown.split(host);
        let first = parts.next().unwrap_or_default().to_owned();
        shown = parts.fold(first, |shown, part| {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            shown + host + if rest.len() < part.len() { "PORT" } else { "" } + rest
        });
    }
    shown
}

impl Problem {
    /// Checks the sentence for callers, see [`says`].
    #[track_caller]
    pub fn says(&self, name: &str) {
        says(name, self.text("detail"));
    }

    /// A member that is a string.
    pub fn text(&self, member: &str) -> &str {
        self.0[member].as_str().unwrap_or_default()
    }

    /// What a program decides by: status, code, origin, executed, retryable.
    pub fn facts(&self) -> (u64, &str, &str, &str, bool) {
        (
            self.0["status"].as_u64().unwrap(),
            self.text("code"),
            self.text("origin"),
            self.text("executed"),
            self.0["retryable"].as_bool().unwrap(),
        )
    }

    /// The names offered in place of an unknown one; none if there is nothing to offer.
    pub fn did_you_mean(&self) -> Vec<&str> {
        let names = self.0["didYouMean"].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).collect()
    }
}
