//! Servers behind an HTTP proxy, as the environment of most company networks names it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::app::{SERVER, TestApp};
use crate::private_ca::Ca;
use crate::problem::says;
use crate::upstream::{Upstream, servers};

/// A host that no resolver knows: only through the proxy is there a server.
const HOST: &str = "mcp.example.invalid";

/// A proxy that leads every CONNECT to one server.
struct Proxy {
    address: SocketAddr,
    /// The heads of the requests for tunnels.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Answers CONNECT with `status`, and makes the tunnel if that is 200.
    fn start(upstream: SocketAddr, status: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, noted) = (stream.unwrap(), Arc::clone(&noted));
                thread::spawn(move || tunnel(stream, upstream, status, &noted).ok());
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(
    stream: TcpStream,
    upstream: SocketAddr,
    status: &str,
    noted: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head)?;
    }
    noted.lock().unwrap().push(head);
    let mut writer = stream;
    // In two pieces, as it may come over a network.
    let (first, second) = status.split_at(5);
    writer.write_all(first.as_bytes())?;
    writer.flush()?;
    write!(writer, "{second}\r\nVia: 1.1 test\r\n\r\n")?;
    if !status.contains(" 200 ") {
        return Ok(());
    }
    let upstream = TcpStream::connect(upstream)?;
    let (mut there, mut back) = (upstream.try_clone()?, upstream);
    thread::spawn(move || {
        copy(&mut reader, &mut there).ok();
        there.shutdown(Shutdown::Write).ok();
    });
    copy(&mut back, &mut writer)?;
    writer.shutdown(Shutdown::Both)
}

fn config(url: &str) -> Value {
    json!({"mcpServers": {SERVER: {"url": url, "headers": {"Authorization": "Bearer ${TOKEN}"}, "retries": 0}}})
}

fn spawn(url: &str, env: &[(&str, &str)]) -> TestApp {
    let env: Vec<_> = env
        .iter()
        .copied()
        .chain([("TOKEN", "TOKEN-SECRET")])
        .collect();
    TestApp::spawn_with(&config(url), &[], &env)
}

#[test]
fn a_server_is_reached_through_the_proxy_of_its_scheme() {
    let upstream = Upstream::start(servers::toolbox);
    let proxy = Proxy::start(upstream.address(), "HTTP/1.1 200 Connection established");
    let url = format!("http://me:PROXY-SECRET@{}", proxy.address);
    let app = spawn(&format!("http://{HOST}/mcp"), &[("http_proxy", &url)]);
    app.echo().ok();
    app.echo().ok();
    let log = app.stop().stderr;
    assert!(
        log.contains("reached through the proxy of the environment"),
        "{log}"
    );
    assert!(!log.contains("SECRET"), "{log}");

    let asked = proxy.asked();
    assert!(asked[0].starts_with(&format!(
        "CONNECT {HOST}:80 HTTP/1.1\r\nHost: {HOST}:80\r\n"
    )));
    assert!(asked[0].contains("\r\nProxy-Authorization: Basic bWU6UFJPWFktU0VDUkVU\r\n"));
    assert!(!asked.concat().contains("TOKEN-SECRET"), "{asked:?}");
    // Tunnels are used again as connections are.
    assert!(asked.len() < upstream.requests().len(), "{asked:?}");
    for request in upstream.requests() {
        assert_eq!(request.header("proxy-authorization"), None);
        assert_eq!(request.header("host"), Some(HOST));
        assert_eq!(request.header("authorization"), Some("Bearer TOKEN-SECRET"));
    }
}

#[test]
fn tls_is_spoken_with_the_server_inside_the_tunnel() {
    let upstream = Upstream::start(servers::toolbox);
    let ca = Ca::new();
    let proxy = Proxy::start(ca.serve(HOST, upstream.address()), "HTTP/1.0 200 OK");
    let url = format!("http://{}/", proxy.address);
    let env = [("https_proxy", url.as_str()), ("SSL_CERT_FILE", ca.path())];
    spawn(&format!("https://{HOST}:8443/mcp"), &env).echo().ok();
    assert!(proxy.asked()[0].starts_with(&format!("CONNECT {HOST}:8443 ")));
    // The certificate is the server's: without its CA there is no connection.
    let app = spawn(&format!("https://{HOST}/mcp"), &[("https_proxy", &url)]);
    app.echo().is_refused(502, "upstream_unreachable");
}

#[test]
fn this_machine_and_exceptions_are_reached_directly() {
    let upstream = Upstream::start(servers::toolbox);
    let proxy = Proxy::start(upstream.address(), "HTTP/1.1 200 OK");
    let url = proxy.address.to_string();
    let env = [("ALL_PROXY", url.as_str()), ("HTTP_PROXY", url.as_str())];
    spawn(&upstream.url(), &env).echo().ok();
    let env = [
        ("HTTP_PROXY", url.as_str()),
        ("NO_PROXY", "example.invalid"),
    ];
    let app = spawn(&format!("http://{HOST}/mcp"), &env);
    app.echo().is_refused(502, "upstream_unreachable");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn a_proxy_that_makes_no_connection_is_told_apart_from_the_server() {
    let upstream = Upstream::start(servers::toolbox);
    let mut told = String::new();
    for status in [
        "HTTP/1.1 407 Proxy Authentication Required",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 503 Service Unavailable",
        "ICAP/1.0 200 OK",
    ] {
        let proxy = Proxy::start(upstream.address(), status);
        let url = format!("http://me:PROXY-SECRET@{}", proxy.address);
        let app = spawn(&format!("https://{HOST}/mcp"), &[("HTTPS_PROXY", &url)]);
        let response = app.echo();
        let problem = response.is_refused(502, "upstream_unreachable");
        assert_eq!(
            problem.0["retryable"],
            status.contains("503"),
            "{}",
            problem.0
        );
        writeln!(told, "{status}: {}", problem.text("detail")).unwrap();
        assert!(!app.stop().stderr.contains("SECRET"));
        assert!(proxy.asked()[0].starts_with(&format!("CONNECT {HOST}:443 ")));
    }
    let nobody = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let url = nobody.to_string();
    let app = spawn(&format!("https://{HOST}/mcp"), &[("HTTPS_PROXY", &url)]);
    let response = app.echo();
    told.push_str(
        response
            .is_refused(502, "upstream_unreachable")
            .text("detail"),
    );
    assert!(
        !told.contains("SECRET") && upstream.requests().is_empty(),
        "{told}"
    );
    says("upstream_unreachable_proxies", &told);
}
