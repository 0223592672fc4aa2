//! What is left out or ignored of the configured servers, said once for all servers it concerns.

use serde_json::{Map, Value};

use crate::config::servers::foreign::Foreign;

/// What a bridge is, for servers that are started as a command. The command itself is never shown: it may hold a secret.
const BRIDGE: &str = "put a bridge in front of each and give its url, for example: npx -y mcp-proxy --port 3001 -- COMMAND, \
     then \"url\": \"http://127.0.0.1:3001/mcp\"";

/// Collects the names of the servers concerned.
#[derive(Default)]
pub(crate) struct Notices<'a> {
    started: Vec<&'a str>,
    disabled: Vec<&'a str>,
    ignored: Vec<(Foreign, Vec<&'a str>)>,
}

impl<'a> Notices<'a> {
    /// Whether a server is left out: it is switched off, or it is started as a command, which is not supported.
    pub(crate) fn leaves_out(&mut self, name: &'a str, entry: &Map<String, Value>) -> bool {
        let is = |key: &str, value: &Value| entry.get(key) == Some(value);
        let has_url = ["url", "httpUrl", "serverUrl"]
            .iter()
            .any(|key| entry.contains_key(*key));
        let is_started = entry.contains_key("command") && !has_url
            || is("type", &"stdio".into())
            || is("transport", &"stdio".into());
        if is("disabled", &true.into()) || is("enabled", &false.into()) {
            self.disabled.push(name);
        } else if is_started {
            self.started.push(name);
        } else {
            return false;
        }
        true
    }

    /// Notes that a server's key of another product is ignored.
    pub(crate) fn ignores(&mut self, key: Foreign, name: &'a str) {
        match self.ignored.iter_mut().find(|(other, _)| *other == key) {
            Some((_, names)) => names.push(name),
            None => self.ignored.push((key, vec![name])),
        }
    }

    /// One sentence for each.
    pub(crate) fn into_warnings(self) -> impl Iterator<Item = String> {
        let disabled = sentence("switched off in the file, and left out", &self.disabled, "");
        let started = sentence(
            "left out, since servers that are started as a command (stdio) are not supported",
            &self.started,
            &format!("; {BRIDGE}"),
        );
        let ignored = self
            .ignored
            .into_iter()
            .map(|(key, names)| key.warning(&names.join(", ")));
        disabled.into_iter().chain(started).chain(ignored)
    }
}

fn sentence(what: &str, names: &[&str], end: &str) -> Option<String> {
    (!names.is_empty()).then(|| format!("{what}: {}{end}", names.join(", ")))
}
