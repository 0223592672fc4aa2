//! Servers behind TLS whose certificate a private CA has signed.

use std::io::{BufRead, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::app::{SERVER, TestApp, run};
use crate::upstream::{Upstream, servers};

/// A CA, written to a file.
pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Ca {
    pub fn new() -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("ca-{}-{number}.pem", std::process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let encoded = BASE64_STANDARD.encode(issuer.der());
        let pem =
            format!("The CA\n-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        std::fs::write(&file, pem).unwrap();
        Self { issuer, file }
    }

    /// The file with its certificate.
    pub fn path(&self) -> &str {
        self.file.to_str().unwrap()
    }

    /// The address of a TLS server for `host` whose certificate this CA has signed; what it receives goes to `upstream`.
    pub fn serve(&self, host: &str, upstream: SocketAddr) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(connection, stream.unwrap());
                // A client that does not trust the certificate goes away.
                thread::spawn(move || forward(stream, upstream).ok());
            }
        });
        address
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        std::fs::remove_file(&self.file).ok();
    }
}

/// Hands requests on, and their responses back, until the client goes.
fn forward(
    stream: StreamOwned<ServerConnection, TcpStream>,
    upstream: SocketAddr,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let request = message(&mut stream)?;
        let mut upstream = BufReader::new(TcpStream::connect(upstream)?);
        upstream.get_mut().write_all(&request)?;
        let response = message(&mut upstream)?;
        stream.get_mut().write_all(&response)?;
        stream.get_mut().flush()?;
    }
}

/// A request or a response whose body has a length, or none.
fn message(stream: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let (mut head, mut length) = (String::new(), 0);
    while !head.ends_with("\r\n\r\n") {
        let start = head.len();
        if stream.read_line(&mut head)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let line = head.get(start..).unwrap_or_default().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok([head.into_bytes(), body].concat())
}

#[test]
fn a_private_ca_is_trusted_where_it_is_named() {
    let upstream = Upstream::start(servers::toolbox);
    let (ca, other) = (Ca::new(), Ca::new());
    let port = ca.serve("localhost", upstream.address()).port();
    let url = format!("https://localhost:{port}/mcp");
    let plain = json!({"mcpServers": {SERVER: {"url": url}}});
    let mut configured = plain.clone();
    configured["gateway"] = json!({"tls": {"caFile": ca.path()}});
    let mut of_another = plain.clone();
    of_another["gateway"] = json!({"tls": {"caFile": other.path()}});

    for app in [
        TestApp::spawn(&configured),
        TestApp::spawn_with(&plain, &["--ca-file", ca.path()], &[]),
        TestApp::spawn_with(&plain, &[], &[("MCP_REST_TLS_CA_FILE", ca.path())]),
        TestApp::spawn_with(&plain, &[], &[("SSL_CERT_FILE", ca.path())]),
        // The variable adds to what is configured.
        TestApp::spawn_with(&configured, &[], &[("SSL_CERT_FILE", other.path())]),
        TestApp::spawn_with(&of_another, &[], &[("SSL_CERT_FILE", ca.path())]),
    ] {
        app.echo().ok();
    }
    let before = upstream.requests().len();
    for config in [&plain, &of_another] {
        TestApp::spawn(config)
            .echo()
            .is_refused(502, "upstream_unreachable");
    }
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn a_file_without_a_certificate_is_a_configuration_error() {
    let config = json!({"mcpServers": {}, "gateway": {"tls": {"caFile": "/no/such/ca.pem"}}});
    let ended = run(&config, &["--check"], &[("SSL_CERT_FILE", "/dev/null")]);
    assert_eq!(ended.status.code(), Some(2));
    let told = ended.stderr;
    assert!(
        told.contains("gateway.tls.caFile: /no/such/ca.pem: cannot be read: "),
        "{told}"
    );
    assert!(
        told.contains("SSL_CERT_FILE: /dev/null: holds no certificate; "),
        "{told}"
    );
}
