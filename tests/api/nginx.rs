//! nginx before the service, configured as the README recommends, for tests of what happens between the two.

use std::fs;
use std::io::{self, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::TestApp;
use crate::http::{Request, Response};
use crate::upstream::wire;

/// How long nginx may take to start; only used up when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);
/// What `Host` says; nothing depends on it.
pub const ANY_HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);

/// Where nginx is. Tests that need it are ignored, but for those who ask for them.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("nginx"))
        .find(|program| program.is_file())
        .unwrap_or_else(|| panic!("nginx is not installed"))
}

/// nginx before some replicas, listening on a socket in a folder of its own.
pub struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Nginx {
    pub fn start(replicas: &[&TestApp]) -> Self {
        Self::start_with(replicas, "")
    }

    /// The same with more directives for what it passes on.
    pub fn start_with(replicas: &[&TestApp], directives: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("nginx-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let configuration = folder.join("nginx.conf");
        fs::write(
            &configuration,
            configuration_for(&folder, replicas, directives),
        )
        .unwrap();
        let child = Command::new(program())
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

    /// A connection to it.
    pub fn connect(&self) -> UnixStream {
        UnixStream::connect(self.socket()).unwrap()
    }

    /// The same for those who know nothing but TCP: a way to the socket, for as long as the test runs.
    pub fn listen(&self) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let socket = self.socket();
        thread::spawn(move || {
            while let (Ok((near, _)), Ok(far)) = (listener.accept(), UnixStream::connect(&socket)) {
                let (mut near_end, mut far_end) =
                    (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (mut near, mut far) = (near, far);
                // Whichever side ends, the other is told.
                thread::spawn(move || {
                    io::copy(&mut near, &mut far).ok();
                    far.shutdown(Shutdown::Both).ok();
                });
                thread::spawn(move || {
                    io::copy(&mut far_end, &mut near_end).ok();
                    near_end.shutdown(Shutdown::Both).ok();
                });
            }
        });
        address
    }

    /// Sends a request on a connection of its own and reads the response.
    pub fn send(&self, request: &Request) -> Response {
        let mut stream = self.connect();
        stream.write_all(&request.to_bytes(ANY_HOST)).unwrap();
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
fn configuration_for(folder: &Path, replicas: &[&TestApp], directives: &str) -> String {
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
                    {directives}
                }}
            }}
        }}"
    )
}
