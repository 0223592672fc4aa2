//! The service and its documents in the hands of other people's tools: validators, generators of clients, schemathesis, and a
//! browser. `tests/outside` holds what is done with each; here it is done to a running service with two real servers.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::app::TestApp;
use crate::real;

/// Where the tools are, and what `make test` installs of them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/outside");
const KEY: &str = "k3y-of-the-test";

/// A service with the demo server and real ones behind it; those in Python give many schemas one title.
struct Setting {
    app: TestApp,
    _servers: Vec<real::Running>,
}

impl Setting {
    /// `None` where the tools are not installed and that is no mistake.
    fn start(gateway: serde_json::Value, env: &[(&str, &str)]) -> Option<Self> {
        if !is_installed() {
            return None;
        }
        let servers = [
            ("everything", real::everything()),
            ("python 1", real::python_1("--stateless")),
            ("python 2", real::python_2("--stateless")),
        ];
        let mut entries = serde_json::Map::new();
        let mut running = Vec::new();
        for (name, server) in servers {
            let server = server.start(name)?;
            let url = format!("http://{}/mcp", server.address);
            entries.insert(name.to_owned(), json!({"url": url, "argumentChecks": "on"}));
            running.push(server);
        }
        let config = json!({"mcpServers": entries, "gateway": gateway});
        Some(Self {
            app: TestApp::spawn_with(&config, &["--demo"], env),
            _servers: running,
        })
    }

    /// Runs one of the tools, one at a time: each takes all it can get.
    #[track_caller]
    fn passes(&self, program: &str, args: &[&str], after: &[&str]) {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = Command::new(program);
        command.current_dir(FOLDER).args(args);
        command.arg(format!("http://{}", self.app.address));
        let output = command.args(after).output().unwrap();
        assert!(
            output.status.success(),
            "{program} {args:?}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

fn is_installed() -> bool {
    if Path::new(FOLDER).join(".installed/stamp").exists() {
        return true;
    }
    let required = std::env::var_os("REQUIRE_REAL_SERVERS").is_some();
    assert!(
        !required,
        "the tools are not installed: run tests/outside/install"
    );
    let notice = "SKIPPED: tests/outside is not installed, 'make test' does it\n";
    std::io::stderr().write_all(notice.as_bytes()).unwrap();
    false
}

#[test]
fn all_documents_are_openapi_3_1() {
    if let Some(setting) = Setting::start(json!({}), &[]) {
        setting.passes("./validate", &[], &[]);
    }
}

#[test]
fn openapi_typescript_and_openapi_fetch_make_a_client() {
    if let Some(setting) = Setting::start(json!({}), &[]) {
        setting.passes("./client", &["fetch"], &[]);
    }
}

#[test]
fn hey_api_makes_a_client() {
    if let Some(setting) = Setting::start(json!({}), &[]) {
        setting.passes("./client", &["hey"], &[]);
    }
}

#[test]
fn openapi_python_client_makes_a_client() {
    if let Some(setting) = Setting::start(json!({}), &[]) {
        setting.passes("./client", &["python"], &[]);
    }
}

/// Tools that wait by design are cut short.
#[test]
fn schemathesis_finds_nothing() {
    if let Some(setting) = Setting::start(json!({"timeoutMs": 600}), &[]) {
        for document in [
            "openapi.json",
            "api/mcp/demo/openapi.json",
            "api/mcp/everything/openapi.json",
        ] {
            setting.passes("./schemathesis", &[], &[document]);
        }
    }
}

#[test]
fn a_browser_shows_the_pages_and_runs_tools() {
    if chromium().is_some()
        && let Some(setting) = Setting::start(json!({}), &[])
    {
        setting.passes("node", &["browser.mjs"], &[]);
    }
}

#[test]
fn a_browser_does_so_with_a_key() {
    let keys = json!({"auth": {"apiKeys": ["${KEY}"]}});
    if chromium().is_some()
        && let Some(setting) = Setting::start(keys, &[("KEY", KEY)])
    {
        setting.passes("node", &["browser.mjs"], &[KEY]);
    }
}

/// Where the browser is. Where there is none, its tests are left out, unless it is required.
fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let program = named.unwrap_or("/usr/bin/chromium".into());
    if program.is_file() {
        return Some(program);
    }
    let required = std::env::var_os("REQUIRE_CHROMIUM").is_some();
    assert!(!required, "chromium is not installed");
    eprintln!("skipped: chromium is not installed");
    None
}
