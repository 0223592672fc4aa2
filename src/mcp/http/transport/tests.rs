//! What becomes of a request over TLS whose connection breaks: what the server ran is not sent again, and what it had no chance
//! to run is. Over plain TCP, the tests of the whole service say the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures::StreamExt;
use futures::channel::mpsc;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

use super::*;
use crate::mcp::protocol::error::Executed;
use crate::mcp::stream::collapse::tests::LIMITS;

type Tls = StreamOwned<ServerConnection, TcpStream>;

/// How a server breaks a connection.
type Break = fn(Tls);

/// When a server breaks a connection.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Once it has run the next request.
    Called,
    /// Without waiting for one.
    Idle,
}

/// A server over TLS, and what it has run.
struct Upstream {
    server: Server,
    transport: Transport,
    runs: Arc<AtomicUsize>,
    /// Says so whenever a connection is over.
    over: mpsc::UnboundedReceiver<()>,
}

/// The two ends of TLS, which trust each other.
fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

impl Upstream {
    /// Each connection responds to `whole` requests, and is then broken in this way.
    fn start(whole: usize, breaks: Break, when: When) -> Self {
        let (config, client) = tls();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let runs = Arc::new(AtomicUsize::new(0));
        let (closed, over) = mpsc::unbounded();
        let counted = Arc::clone(&runs);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(connection, stream.unwrap());
                let (runs, closed) = (Arc::clone(&counted), closed.clone());
                thread::spawn(move || {
                    serve(stream, whole, breaks, when, &runs);
                    closed.unbounded_send(()).ok();
                });
            }
        });
        let way = Way {
            tls: client,
            proxies: Arc::default(),
        };
        let url = format!("https://localhost:{port}/mcp");
        Self {
            server: Server::http("s", url.parse().unwrap()),
            transport: Transport::new(way, LIMITS, Budget::new(usize::MAX)),
            runs,
            over,
        }
    }

    async fn call(&self) -> Result<Bytes, Error> {
        let id = Id::from("1");
        let post = Post {
            server: &self.server,
            target: &self.server.url,
            headers: &[],
            body: Bytes::from_static(br#"{"jsonrpc":"2.0","id":"1","method":"tools/call"}"#),
            id: Some(&id),
        };
        self.transport.post(post).await?.outcome(None).await
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

fn serve(stream: Tls, whole: usize, breaks: Break, when: When, runs: &AtomicUsize) {
    const RESULT: &str = r#"{"jsonrpc":"2.0","id":"1","result":{}}"#;
    let mut reader = BufReader::new(stream);
    let requests = whole + usize::from(when == When::Called);
    for request in 0..requests {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        runs.fetch_add(1, Ordering::SeqCst);
        if request < whole {
            let length = RESULT.len();
            let response = format!(
                "HTTP/1.1 200 \r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{RESULT}"
            );
            reader.get_mut().write_all(response.as_bytes()).unwrap();
            reader.get_mut().flush().unwrap();
        }
    }
    breaks(reader.into_inner());
}

fn end_and_reset(stream: Tls) {
    stream.sock.shutdown(Shutdown::Write).unwrap();
    reset(stream);
}

fn say_goodbye(stream: &mut Tls) {
    stream.conn.send_close_notify();
    stream.conn.complete_io(&mut stream.sock).unwrap();
}

fn reset(stream: Tls) {
    let socket = SockRef::from(&stream.sock);
    socket.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

/// The ways to break after a call has run.
const BREAKS: [(&str, Break); 7] = [
    ("end", drop),
    ("end, reset", end_and_reset),
    ("reset", reset),
    ("goodbye, end", |mut stream| say_goodbye(&mut stream)),
    ("goodbye, end, reset", |mut stream| {
        say_goodbye(&mut stream);
        end_and_reset(stream);
    }),
    ("half a record, end, reset", |stream| {
        (&stream.sock)
            .write_all(b"\x17\x03\x03\x00\x40half")
            .unwrap();
        end_and_reset(stream);
    }),
    // We reply with an alert.
    ("no record, end, reset", |stream| {
        (&stream.sock).write_all(b"HTTP/1.1 400 \r\n\r\n").unwrap();
        end_and_reset(stream);
    }),
];

#[actix_rt::test]
async fn what_ran_is_not_sent_again() {
    for (name, breaks) in BREAKS {
        for whole in [0, 1, 2] {
            let upstream = Upstream::start(whole, breaks, When::Called);
            for round in 1..=4 {
                for _ in 0..whole {
                    upstream.call().await.unwrap();
                }
                let error = upstream.call().await.unwrap_err();
                assert_eq!(
                    error.executed(),
                    Executed::Unknown,
                    "{name}, {whole}: {error}"
                );
                assert_eq!(upstream.runs(), round * (whole + 1), "{name}, {whole}");
            }
        }
    }
}

#[actix_rt::test]
async fn a_connection_that_ended_while_it_was_idle_costs_no_call() {
    let ends: [Break; 3] = [drop, |mut stream| say_goodbye(&mut stream), end_and_reset];
    for ends in ends {
        let mut upstream = Upstream::start(1, ends, When::Idle);
        for calls in 1..=20 {
            upstream.call().await.unwrap();
            assert_eq!(upstream.runs(), calls);
            upstream.over.next().await;
        }
    }
}
