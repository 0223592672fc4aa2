//! Two replicas behind nginx, as they are deployed; one is told to stop in the middle of the load. No call fails, and none
//! runs twice.

use std::fs;
use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::{SERVER, TestApp, config, execute};
use crate::http::Response;
use crate::upstream::{Upstream, servers, wire};

/// Callers at the same time.
const CALLERS: usize = 8;
/// Calls before the one replica is told to stop, and after it has ended.
const CALLS: usize = 400;
/// How long nginx may take to start; only used up when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_replica_that_is_told_to_stop_costs_no_call() {
    let Some(program) = nginx() else {
        assert!(
            std::env::var_os("REQUIRE_NGINX").is_none(),
            "nginx is not installed"
        );
        eprintln!("skipped: nginx is not installed");
        return;
    };
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let replica = || {
        let delay = ("MCP_REST_DRAIN_DELAY_MS", "300");
        TestApp::spawn_with(&config(&upstream, json!({})), &[], &[delay])
    };
    let (leaving, staying) = (replica(), replica());
    let nginx = Nginx::start(&program, &[&leaving, &staying]);

    let made = AtomicUsize::new(0);
    let failed = AtomicUsize::new(0);
    let enough = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let response = nginx.call();
                    if response.status != 200 {
                        eprintln!("{} {}", response.status, response.text());
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let wait_for_more = || {
            let target = upstream.count("tools/call") + CALLS;
            upstream.wait_for("tools/call", target);
        };
        wait_for_more();
        let ended = leaving.stop();
        assert!(ended.status.success(), "{}", ended.stderr);
        wait_for_more();
        enough.store(true, Ordering::Relaxed);
    });

    let made = made.into_inner();
    assert_eq!(failed.into_inner(), 0, "of {made} calls");
    assert_eq!(upstream.executions(), made);
    assert!(staying.stop().status.success());
    assert_eq!(upstream.open(), Vec::<String>::new());
}

/// Where nginx is, if it is.
fn nginx() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
}

/// nginx before some replicas, listening on a socket in a folder of its own.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Nginx {
    fn start(program: &Path, replicas: &[&TestApp]) -> Self {
        let name = format!("nginx-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let configuration = folder.join("nginx.conf");
        fs::write(&configuration, configuration_for(&folder, replicas)).unwrap();
        let child = Command::new(program)
            .arg("-e")
            .arg(folder.join("error.log"))
            .arg("-c")
            .arg(configuration)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { child, folder };
        let started = Instant::now();
        while UnixStream::connect(nginx.socket()).is_err() {
            assert!(started.elapsed() < PATIENCE, "nginx does not start");
            thread::yield_now();
        }
        nginx
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    fn call(&self) -> Response {
        let call = execute(SERVER, "echo", "").json(r#"{"message":"hi"}"#);
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let any_host = ([127, 0, 0, 1], 80).into();
        stream.write_all(&call.to_bytes(any_host)).unwrap();
        wire::read_response(&mut BufReader::new(&stream))
            .unwrap()
            .into()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            let log = fs::read_to_string(self.folder.join("error.log"));
            eprintln!("{}", log.unwrap_or_default());
        }
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// What the README recommends, and paths that need no rights.
fn configuration_for(folder: &Path, replicas: &[&TestApp]) -> String {
    let folder = folder.display();
    let servers: Vec<String> = replicas
        .iter()
        .map(|replica| format!("server {};", replica.address))
        .collect();
    let servers = servers.join("\n");
    format!(
        "daemon off;
        master_process off;
        pid {folder}/pid;
        error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}/body;
            proxy_temp_path {folder}/proxy;
            fastcgi_temp_path {folder}/fastcgi;
            uwsgi_temp_path {folder}/uwsgi;
            scgi_temp_path {folder}/scgi;
            upstream mcp_rest {{
                {servers}
                keepalive 32;
            }}
            server {{
                listen unix:{folder}/socket;
                location / {{
                    proxy_pass http://mcp_rest;
                    proxy_http_version 1.1;
                    proxy_set_header Connection \"\";
                }}
            }}
        }}"
    )
}
