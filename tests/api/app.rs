//! The service as it runs for real: the binary, a configuration file, a port, and a verb for each thing a caller does.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::openapi;
use crate::process::Process;
use crate::upstream::Upstream;

/// The name of the server in the configuration of [`TestApp::over`].
pub const SERVER: &str = "s";

/// How long a test waits for the process; only used up when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service; killed when dropped.
pub struct TestApp {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    logs: Logs,
    _config: ConfigFile,
}

/// What became of a process that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Code or signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error: the log.
    pub stderr: String,
}

impl TestApp {
    /// Starts the service with this `mcp.servers.json`.
    pub fn spawn(config: &Value) -> Self {
        Self::spawn_with(config, &[], &[])
    }

    /// The same with more arguments and environment variables.
    pub fn spawn_with(config: &impl Display, args: &[&str], env: &[(&str, &str)]) -> Self {
        let file = ConfigFile::write(config);
        let command = command(&file, args, env);
        Self::start(command, file)
    }

    /// The same where a process may have only so many descriptors: `limits` is what `ulimit` is told.
    pub fn spawn_within(config: &Value, limits: &str, env: &[(&str, &str)]) -> Self {
        let file = ConfigFile::write(config);
        let service = command(&file, &[], env);
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg(format!("ulimit {limits}; exec \"$0\" \"$@\""))
            .arg(service.get_program())
            .args(service.get_args())
            .env_clear()
            .envs(
                service
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        Self::start(command, file)
    }

    fn start(mut command: Command, file: ConfigFile) -> Self {
        let mut child = command.spawn().unwrap();
        let logs = Logs::follow(&mut child);
        let Some(address) = logs.address() else {
            child.kill().ok();
            panic!("the service does not listen; its log:\n{}", logs.text());
        };
        Self {
            address,
            child,
            logs,
            _config: file,
        }
    }

    /// Starts the service with one server, [`SERVER`].
    pub fn over(upstream: &Upstream) -> Self {
        Self::over_with(upstream, json!({}))
    }

    /// The same with more members in the server's entry.
    pub fn over_with(upstream: &Upstream, members: Value) -> Self {
        Self::spawn(&config(upstream, members))
    }

    // === What a caller does ===

    /// `GET /api/list-servers`
    pub fn list_servers(&self) -> Response {
        self.get("/api/list-servers")
    }

    /// `POST .../initialize`
    pub fn initialize(&self, server: &str) -> Response {
        self.request(&Request::post(&path(server, "initialize")))
    }

    /// Initialises [`SERVER`] and gives the session's id, which must be there.
    pub fn open_session(&self) -> String {
        let response = self.initialize(SERVER);
        response.ok();
        response.session().unwrap().to_owned()
    }

    /// `DELETE .../session`
    pub fn end_session(&self, server: &str, id: &str) -> Response {
        self.request(&Request::delete(&path(server, "session")).header("mcp-session-id", id))
    }

    /// `GET .../tools`
    pub fn tools(&self, server: &str) -> Response {
        self.get(&path(server, "tools"))
    }

    /// `POST .../tools/{tool}/execute`
    pub fn execute(&self, server: &str, tool: &str, arguments: &Value) -> Response {
        self.execute_with(server, tool, "", arguments)
    }

    /// The same with a query, written as in `?init=true`.
    pub fn execute_with(
        &self,
        server: &str,
        tool: &str,
        query: &str,
        arguments: &Value,
    ) -> Response {
        self.request(&execute(server, tool, query).json(arguments))
    }

    /// The same in a session of the caller's.
    pub fn execute_in(&self, id: &str, server: &str, tool: &str, arguments: &Value) -> Response {
        let request = execute(server, tool, "").header("mcp-session-id", id);
        self.request(&request.json(arguments))
    }

    /// Says "hi" to the tool `echo` of [`SERVER`].
    pub fn echo(&self) -> Response {
        self.execute(SERVER, "echo", &json!({"message": "hi"}))
    }

    /// `POST .../call`
    pub fn call(&self, server: &str, envelope: &Value) -> Response {
        self.post(&path(server, "call"), envelope)
    }

    /// `GET`
    pub fn get(&self, path: &str) -> Response {
        self.request(&Request::get(path))
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.request(&Request::post(path).json(body))
    }

    /// Any request. The response must be as the service's own document says.
    #[track_caller]
    pub fn request(&self, request: &Request) -> Response {
        let response = request.send(self.address);
        openapi::check(request, &response);
        assert!(
            response.header("x-request-id").is_some(),
            "{:?}",
            response.headers
        );
        response
    }

    // === What an operator does ===

    /// Sends SIGTERM and waits for the end.
    pub fn stop(self) -> Ended {
        self.signal("TERM");
        self.ended()
    }

    /// The process, for what the system says of it.
    pub fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits until something is in the log.
    pub fn wait_for_log(&self, text: &str) {
        let found = self.logs.wait_while(|written| !written.text.contains(text));
        assert!(found.text.contains(text), "not in the log: {text}");
    }

    /// From now on nobody reads what the process writes to standard error.
    pub fn stop_reading_logs(&self) {
        self.logs.read(false);
    }

    /// From now on it is read again.
    pub fn read_logs(&self) {
        self.logs.read(true);
    }

    /// Waits for the end of a process whose log nobody reads, and reads it then.
    pub fn ended_unread(mut self) -> Ended {
        let (exited, exit) = mpsc::channel();
        let (pid, mut child) = (self.child.id(), std::mem::replace(&mut self.child, gone()));
        let waiting = thread::spawn(move || exited.send(child.wait().unwrap()));
        let status = exit.recv_timeout(PATIENCE);
        if status.is_err() {
            let mut kill = Command::new("kill");
            kill.args(["-s", "KILL", &pid.to_string()]).status().ok();
        }
        waiting.join().unwrap().ok();
        self.read_logs();
        assert!(self.logs.ends());
        Ended {
            status: status.unwrap(),
            stdout: String::new(),
            stderr: self.logs.text(),
        }
    }

    /// Sends a signal over and over, until the process has ended.
    pub fn signal_until_ended(&self, name: &str) {
        let interval = Duration::from_millis(50);
        let begun = Instant::now();
        while !self.logs.end_within(interval) {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            self.signal(name);
        }
    }

    /// Waits for the end.
    pub fn ended(mut self) -> Ended {
        assert!(
            self.logs.ends(),
            "the process does not end; its log:\n{}",
            self.logs.text()
        );
        Ended {
            status: self.child.wait().unwrap(),
            stdout: String::new(),
            stderr: self.logs.text(),
        }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A process that has ended.
fn gone() -> Child {
    Command::new("true").spawn().unwrap()
}

/// Runs the binary, with this text as `mcp.servers.json`, until it ends by itself.
pub fn run(config: &impl Display, args: &[&str], env: &[(&str, &str)]) -> Ended {
    let file = ConfigFile::write(config);
    let mut child = command(&file, args, env)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let logs = Logs::follow(&mut child);
    let mut stdout = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).unwrap();
        text
    });
    if !logs.ends() {
        child.kill().ok();
        panic!("the process does not end; its log:\n{}", logs.text());
    }
    Ended {
        status: child.wait().unwrap(),
        stdout: reader.join().unwrap(),
        stderr: logs.text(),
    }
}

/// A configuration with one server, [`SERVER`].
pub fn config(upstream: &Upstream, members: Value) -> Value {
    let mut entry = json!({"type": "http", "url": upstream.url()});
    entry
        .as_object_mut()
        .unwrap()
        .extend(members.as_object().unwrap().clone());
    json!({"mcpServers": {SERVER: entry}})
}

/// The path of something that belongs to a server.
pub fn path(server: &str, rest: &str) -> String {
    format!("/api/mcp/{}/{rest}", encode(server))
}

/// A call of a tool, without a body yet. The query is written as in `?init=true`.
pub fn execute(server: &str, tool: &str, query: &str) -> Request {
    Request::post(&path(
        server,
        &format!("tools/{}/execute{query}", encode(tool)),
    ))
}

/// Percent-encodes everything that is not unreserved (RFC 3986).
pub fn encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn command(file: &ConfigFile, args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-rest"));
    command
        .arg("--config")
        .arg(&file.0)
        .args(args)
        // Nothing of the machine the tests run on may change what they see.
        .env_clear()
        .env("PORT", "0")
        .env("MCP_REST_DRAIN_DELAY_MS", "0")
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

// === The log ===

/// What the process has written to standard error.
struct Logs(Arc<(Mutex<Written>, Condvar)>);

#[derive(Default)]
struct Written {
    text: String,
    address: Option<SocketAddr>,
    ended: bool,
    /// Nobody reads.
    paused: bool,
}

impl Logs {
    /// Reads standard error for as long as it is open.
    fn follow(child: &mut Child) -> Self {
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let logs = Self(Arc::default());
        let shared = Arc::clone(&logs.0);
        thread::spawn(move || {
            let (written, changed) = &*shared;
            for line in stderr.lines().map_while(Result::ok) {
                let written = written.lock().unwrap();
                let mut written = changed.wait_while(written, |it| it.paused).unwrap();
                written.address = written.address.or(listening_address(&line));
                written.text.push_str(&line);
                written.text.push('\n');
                changed.notify_all();
            }
            written.lock().unwrap().ended = true;
            changed.notify_all();
        });
        logs
    }

    fn read(&self, on: bool) {
        let (written, changed) = &*self.0;
        written.lock().unwrap().paused = !on;
        changed.notify_all();
    }

    fn text(&self) -> String {
        self.0.0.lock().unwrap().text.clone()
    }

    /// The address, as soon as the process listens; `None` if it ends before.
    fn address(&self) -> Option<SocketAddr> {
        self.wait_while(|written| written.address.is_none() && !written.ended)
            .address
    }

    /// Whether the process ends by itself.
    fn ends(&self) -> bool {
        self.wait_while(|written| !written.ended).ended
    }

    fn end_within(&self, time: Duration) -> bool {
        let (written, changed) = &*self.0;
        let waited = changed.wait_timeout_while(written.lock().unwrap(), time, |it| !it.ended);
        waited.unwrap().0.ended
    }

    fn wait_while(&self, condition: impl Fn(&Written) -> bool) -> MutexGuard<'_, Written> {
        let (written, changed) = &*self.0;
        let waited = changed.wait_timeout_while(written.lock().unwrap(), PATIENCE, |written| {
            condition(written)
        });
        waited.unwrap().0
    }
}

/// From a line in either format.
fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("listening on http://")?;
    let end = rest.find(['"', ' ']).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

// === The configuration ===

/// A configuration file, removed when it is dropped.
pub struct ConfigFile(PathBuf);

impl ConfigFile {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(config: &impl Display) -> Self {
        static WRITTEN: AtomicUsize = AtomicUsize::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let name = format!("servers-{}-{number}.json", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&path, config.to_string()).unwrap();
        Self(path)
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
