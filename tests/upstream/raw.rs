//! A scripted server below HTTP, for what happens on a connection or between two responses: a function serves each connection, and
//! reads and writes as it likes. The server counts the calls that it executes.

use std::io::{self, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

use super::{Request, wire};

/// A running server; stopped when dropped.
pub struct Raw {
    address: SocketAddr,
    book: Arc<Book>,
}

#[derive(Default)]
struct Book {
    runs: AtomicUsize,
    connections: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// One connection.
pub struct Wire {
    reader: BufReader<TcpStream>,
    book: Arc<Book>,
    /// Which it is, counted from one.
    pub number: usize,
    resets: bool,
}

impl Raw {
    /// Starts a server on a free port.
    pub fn start(serve: impl Fn(&mut Wire) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Book::default());
        let (shared, serve) = (Arc::clone(&book), Arc::new(serve));
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let number = shared.note(&stream);
                let (serve, book) = (Arc::clone(&serve), Arc::clone(&shared));
                thread::spawn(move || {
                    stream.set_nodelay(true).ok();
                    let reader = BufReader::new(stream);
                    let mut wire = Wire {
                        reader,
                        book,
                        number,
                        resets: false,
                    };
                    // An error here is a client that went away, or the end of the test.
                    serve(&mut wire).ok();
                    if !wire.resets {
                        wire.reader.get_ref().shutdown(Shutdown::Both).ok();
                    }
                });
            }
        });
        Self { address, book }
    }

    /// Where the endpoint is.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// How many calls were carried out.
    pub fn runs(&self) -> usize {
        self.book.runs.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.book.stopped.store(true, Ordering::SeqCst);
        for connection in self.book.connections.lock().unwrap().drain(..) {
            // It may be closed already.
            connection.shutdown(Shutdown::Both).ok();
        }
        // Wakes the listener.
        TcpStream::connect(self.address).ok();
    }
}

impl Book {
    fn note(&self, stream: &TcpStream) -> usize {
        let mut connections = self.connections.lock().unwrap();
        connections.extend(stream.try_clone());
        connections.len()
    }
}

impl Wire {
    /// The next request; an error if there is none.
    pub fn request(&mut self) -> io::Result<Request> {
        let message = wire::read_request(&mut self.reader)?;
        message
            .map(Request::from)
            .ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// The next call of a tool. Notifications before it are taken.
    pub fn call(&mut self) -> io::Result<Request> {
        loop {
            let request = self.request()?;
            if request.rpc() == "tools/call" {
                return Ok(request);
            }
            self.write("HTTP/1.1 202 \r\ncontent-length: 0\r\n\r\n")?;
        }
    }

    /// Notes that a call was carried out.
    pub fn run(&self) {
        self.book.runs.fetch_add(1, Ordering::SeqCst);
    }

    /// Writes exactly these bytes.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.reader.get_mut().write_all(bytes.as_ref())
    }

    /// Runs a call and answers it with a text.
    pub fn answer(&mut self, request: &Request, text: &str) -> io::Result<()> {
        self.run();
        let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}]}}"#);
        self.write(json(200, &request.result(&result)))
    }

    /// Ends this side of the connection, and resets it after that.
    pub fn end_and_reset(&mut self) -> io::Result<()> {
        let stream = self.reader.get_ref();
        stream.shutdown(Shutdown::Write)?;
        self.reset()
    }

    /// Has the connection reset when it is dropped.
    pub fn reset(&mut self) -> io::Result<()> {
        let forgotten = {
            let mut connections = self.book.connections.lock().unwrap();
            // The other handle would keep it open.
            let peer = self.reader.get_ref().peer_addr()?;
            let of_it = |held: &TcpStream| held.peer_addr().is_ok_and(|other| other == peer);
            let at = connections.iter().position(of_it);
            at.map(|at| std::mem::replace(&mut connections[at], nowhere()))
        };
        drop(forgotten);
        self.resets = true;
        SockRef::from(self.reader.get_ref()).set_linger(Some(Duration::ZERO))
    }
}

/// Stands for a connection that is closed, so that the others keep their numbers.
fn nowhere() -> TcpStream {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    TcpStream::connect(listener.local_addr().unwrap()).unwrap()
}

/// A whole response in JSON.
pub fn json(status: u16, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} \r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
