//! The service and its documents as tools of others see them: validators, client generators, schemathesis, and a
//! browser. `tests/outside` has the script for each; here they run against a service with two real servers.

use std::path::Path;
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
    fn start(gateway: serde_json::Value, env: &[(&str, &str)]) -> Self {
        let servers = [
            ("everything", real::everything()),
            ("python 1", real::python_1("--stateless")),
            ("python 2", real::python_2("--stateless")),
        ];
        let mut entries = serde_json::Map::new();
        let mut running = Vec::new();
        for (name, server) in servers {
            let server = server.start();
            let url = format!("http://{}/mcp", server.address);
            entries.insert(name.to_owned(), json!({"url": url, "argumentChecks": "on"}));
            running.push(server);
        }
        let config = json!({"mcpServers": entries, "gateway": gateway});
        Self {
            app: TestApp::spawn_with(&config, &["--demo"], env),
            _servers: running,
        }
    }

    #[track_caller]
    fn passes(&self, program: &str, args: &[&str], after: &[&str]) {
        let url = format!("http://{}", self.app.address);
        run(program, &[args, &[&url], after].concat());
    }
}

/// Runs one of the tools and gives what it prints. One at a time: each takes all it can get.
#[track_caller]
pub fn run(program: &str, args: &[&str]) -> String {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let stamp = Path::new(FOLDER).join(".installed/stamp");
    assert!(stamp.exists(), "not installed: run tests/outside/install");
    let mut command = Command::new(program);
    let output = command.current_dir(FOLDER).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{program} {args:?}\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn all_documents_are_openapi_3_1() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("./validate", &[], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn all_documents_are_the_same_as_yaml_and_valid_as_openapi_3_0() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("formats/check", &["read"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn spectral_finds_no_error_in_either_version() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("formats/check", &["lint"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn postman_s_collection_runs_in_newman() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("formats/check", &["postman"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn orval_makes_a_client_of_both_versions() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("formats/check", &["orval"], &[]);
}

#[test]
#[ignore = "needs a JRE and the tools of tests/outside: make test installs them"]
fn openapi_generator_makes_a_client_of_both_versions() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("formats/check", &["generator"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn openapi_typescript_and_openapi_fetch_make_a_client() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("./client", &["fetch"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn hey_api_makes_a_client() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("./client", &["hey"], &[]);
}

#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn openapi_python_client_makes_a_client() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("./client", &["python"], &[]);
}

/// Tools that wait by design get a short deadline.
#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn schemathesis_finds_nothing() {
    let setting = Setting::start(json!({"timeoutMs": 600}), &[]);
    for document in [
        "openapi.json",
        "api/mcp/demo/openapi.json",
        "api/mcp/everything/openapi.json",
    ] {
        setting.passes("./schemathesis", &[], &[document]);
    }
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn a_browser_shows_the_pages_and_runs_tools() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("node", &["browser.mjs"], &[]);
}

#[test]
#[ignore = "needs Chromium and the tools of tests/outside"]
fn a_browser_does_so_with_a_key() {
    let keys = json!({"auth": {"apiKeys": ["${KEY}"]}});
    let setting = Setting::start(keys, &[("KEY", KEY)]);
    setting.passes("node", &["browser.mjs"], &[KEY]);
}

/// Five APIs, with the library of each for TypeScript's world and for Python's, against a stand-in for the API.
#[test]
#[ignore = "needs the tools of tests/outside: make test installs them"]
fn the_libraries_of_model_apis_list_and_call_tools() {
    let setting = Setting::start(json!({}), &[]);
    setting.passes("node", &["models/loop.mjs"], &[]);
}
