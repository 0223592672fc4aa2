//! A scripted MCP server on a real socket: it answers what a behaviour says, byte for byte, and keeps a record of
//! every request for the test to look at.
//!
//! A behaviour is a plain function from a request to a [`Reply`]. [`Legacy`] and [`Modern`] are what servers have in
//! common; `servers` holds the real ones, one function each. A test that wants something else wraps one of them:
//!
//! ```ignore
//! Upstream::start(|request, state| match request.rpc() {
//!     "tools/call" => Reply::hang_up(),
//!     _ => servers::toolbox(request, state),
//! })
//! ```
//!
//! It is no MCP implementation: what the tests do not need is not here.

pub mod faults;
pub mod hostile;
pub mod legacy;
pub mod modern;
pub mod raw;
mod reply;
pub mod servers;
pub mod tools;
pub mod wire;

use std::collections::{HashMap, VecDeque};
use std::io::BufReader;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;

pub use legacy::Legacy;
pub use modern::{Modern, header_mismatch, unsupported_version};
pub use reply::{
    Part, Reply, as_crlf_event, as_event, as_event_after_notification, as_json, as_primed_event,
    as_rmcp_events, event,
};
use wire::Headers;

/// How long a test waits for what must come; long, for it is only used up when the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running server; stopped when dropped.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
}

/// What the server has seen and what it keeps.
#[derive(Default)]
pub struct State {
    book: Mutex<Book>,
    changed: Condvar,
}

#[derive(Default)]
struct Book {
    requests: Vec<Request>,
    executions: usize,
    opened: Vec<String>,
    open: Vec<Session>,
    /// Those that are open, by the other end.
    connections: HashMap<SocketAddr, TcpStream>,
    /// How many are not any more.
    closed: usize,
    /// Requests that are being answered.
    answering: usize,
    said: VecDeque<String>,
    /// Streams that have listened for it; the last one gets it.
    listeners: usize,
    released: bool,
    stopped: bool,
}

struct Session {
    id: String,
    initialized: bool,
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`, `GET`, `DELETE`.
    pub method: String,
    /// The request target.
    pub path: String,
    /// In the order they came.
    pub headers: Headers,
    /// The body as text.
    pub body: String,
    /// The body as JSON; `null` if it is none.
    pub message: Value,
}

// === impl Upstream ===

impl Upstream {
    /// Starts a server on a free port.
    pub fn start(behaviour: impl Fn(&Request, &State) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_on(TcpListener::bind(("127.0.0.1", 0)).unwrap(), behaviour)
    }

    /// The same where somebody listens already.
    pub fn start_on(
        listener: TcpListener,
        behaviour: impl Fn(&Request, &State) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let behaviour = Arc::new(behaviour);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            while let Ok((stream, peer)) = listener.accept() {
                if !shared.admit(&stream, peer) {
                    return;
                }
                let (behaviour, state) = (Arc::clone(&behaviour), Arc::clone(&shared));
                thread::spawn(move || {
                    // An error here is a client that went away, or the end of the test.
                    serve(&stream, &*behaviour, &state).ok();
                    state.dismiss(stream, peer);
                });
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the endpoint is.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Everything received so far.
    pub fn requests(&self) -> Vec<Request> {
        self.state.book().requests.clone()
    }

    /// The received requests of that JSON-RPC method (for requests without one: of that HTTP method).
    pub fn received(&self, name: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.name() == name);
        requests
    }

    /// The only received request of that name.
    pub fn only(&self, name: &str) -> Request {
        let mut found = self.received(name);
        assert_eq!(found.len(), 1, "{name} in {:?}", self.order());
        found.remove(0)
    }

    /// How many requests of that name were received.
    pub fn count(&self, name: &str) -> usize {
        self.state.count(name)
    }

    /// The names of all requests in the order they came.
    pub fn order(&self) -> Vec<String> {
        self.requests()
            .iter()
            .map(|request| request.name().to_owned())
            .collect()
    }

    /// How many tool calls were carried out.
    pub fn executions(&self) -> usize {
        self.state.book().executions
    }

    /// The ids of all sessions ever opened.
    pub fn opened(&self) -> Vec<String> {
        self.state.book().opened.clone()
    }

    /// The ids of the sessions that are open now.
    pub fn open(&self) -> Vec<String> {
        self.state
            .book()
            .open
            .iter()
            .map(|session| session.id.clone())
            .collect()
    }

    /// Forgets a session without being asked, as a server that was started anew.
    pub fn forget(&self, id: &str) {
        self.state.close_session(id);
    }

    /// Waits until at least one session was opened and none is open any more: sessions may be closed after the
    /// answer.
    pub fn wait_until_no_session_is_left(&self) {
        self.wait_until("sessions are closed", |book| {
            !book.opened.is_empty() && book.open.is_empty()
        });
    }

    /// Waits until `times` requests of that name have come.
    pub fn wait_for(&self, name: &str, times: usize) {
        self.wait_until(name, |book| book.count(name) >= times);
    }

    /// Waits until this many connections are closed.
    pub fn wait_until_closed(&self, connections: usize) {
        self.wait_until("connections are closed", |book| book.closed >= connections);
    }

    /// Waits until nothing is being answered any more.
    pub fn wait_until_nothing_is_answered(&self) {
        self.wait_until("answers are over", |book| book.answering == 0);
    }

    /// Lets go on what stalls, now and later.
    pub fn release(&self) {
        self.state.change(|book| book.released = true);
    }

    fn wait_until(&self, what: &str, condition: impl Fn(&Book) -> bool) {
        let (book, timeout) = self
            .state
            .changed
            .wait_timeout_while(self.state.book(), PATIENCE, |book| !condition(book))
            .unwrap_or_else(PoisonError::into_inner);
        let order: Vec<&str> = book.requests.iter().map(Request::name).collect();
        assert!(
            !timeout.timed_out(),
            "waited in vain: {what}; received: {order:?}"
        );
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.change(|book| {
            book.stopped = true;
            for (_, connection) in book.connections.drain() {
                // It may be closed already.
                connection.shutdown(Shutdown::Both).ok();
            }
        });
        // Wakes the listener.
        TcpStream::connect(self.address).ok();
    }
}

fn serve(
    stream: &TcpStream,
    behaviour: &impl Fn(&Request, &State) -> Reply,
    state: &State,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(message) = wire::read_request(&mut reader)? {
        let request = Request::from(message);
        state.change(|book| {
            book.requests.push(request.clone());
            book.answering += 1;
        });
        let reply = behaviour(&request, state);
        let written = reply.write(&mut &*stream, state);
        state.change(|book| book.answering -= 1);
        if reply.resets() {
            return SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        if !written? {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

// === impl State ===

impl State {
    /// Notes that a tool was run.
    pub fn executed(&self) {
        self.change(|book| book.executions += 1);
    }

    /// How many requests of that name were received, the one being answered included.
    pub fn count(&self, name: &str) -> usize {
        self.book().count(name)
    }

    /// Opens a session and gives its id.
    pub fn open_session(&self) -> String {
        self.change(|book| {
            let id = format!("session-{}-0123456789abcdef", book.opened.len() + 1);
            book.opened.push(id.clone());
            book.open.push(Session {
                id: id.clone(),
                initialized: false,
            });
            id
        })
    }

    /// Whether the session is open.
    pub fn is_open(&self, id: &str) -> bool {
        self.book().open.iter().any(|session| session.id == id)
    }

    /// Whether the session is past `notifications/initialized`.
    pub fn is_initialized(&self, id: &str) -> bool {
        self.book()
            .open
            .iter()
            .any(|session| session.id == id && session.initialized)
    }

    /// Notes `notifications/initialized`.
    pub fn initialize_session(&self, id: &str) {
        self.change(|book| {
            for session in book.open.iter_mut().filter(|session| session.id == id) {
                session.initialized = true;
            }
        });
    }

    /// Closes a session; `false` if it was not open.
    pub fn close_session(&self, id: &str) -> bool {
        self.change(|book| {
            let before = book.open.len();
            book.open.retain(|session| session.id != id);
            book.open.len() < before
        })
    }

    /// `false` once the server is stopped.
    fn admit(&self, stream: &TcpStream, peer: SocketAddr) -> bool {
        self.change(|book| {
            let held = stream.try_clone().map(|stream| (peer, stream));
            book.connections.extend(held);
            !book.stopped
        })
    }

    /// Says something on the stream that waits for it: [`Part::Said`].
    pub fn say(&self, text: impl Into<String>) {
        self.change(|book| book.said.push_back(text.into()));
    }

    /// Closes a connection.
    fn dismiss(&self, stream: TcpStream, peer: SocketAddr) {
        drop(stream);
        self.change(|book| {
            book.connections.remove(&peer);
            book.closed += 1;
        });
    }

    fn wait_for_release(&self) {
        drop(self.wait_until(|book| book.released));
    }

    fn wait_for(&self, name: &str, times: usize) {
        drop(self.wait_until(|book| book.count(name) >= times));
    }

    /// Ends the streams that wait for what is said.
    pub fn end_streams(&self) {
        self.listen();
    }

    /// Takes over from whoever listened for what is said.
    fn listen(&self) -> usize {
        self.change(|book| {
            book.listeners += 1;
            book.listeners
        })
    }

    /// The next that is said; `None` when another listens, or the server is stopped.
    fn next_said(&self, listener: usize) -> Option<String> {
        let mut book = self.wait_until(|book| !book.said.is_empty() || book.listeners != listener);
        if book.listeners != listener {
            return None;
        }
        book.said.pop_front()
    }

    fn wait_until(&self, condition: impl Fn(&Book) -> bool) -> MutexGuard<'_, Book> {
        self.changed
            .wait_while(self.book(), |book| !condition(book) && !book.stopped)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> T {
        let changed = change(&mut self.book());
        self.changed.notify_all();
        changed
    }

    /// A test that failed while it held the lock has said why already.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn count(&self, name: &str) -> usize {
        self.requests
            .iter()
            .filter(|request| request.name() == name)
            .count()
    }
}

// === impl Request ===

impl From<wire::Message> for Request {
    fn from(message: wire::Message) -> Self {
        let mut start = message.start.split(' ');
        let mut word = || start.next().unwrap_or_default().to_owned();
        Self {
            method: word(),
            path: word(),
            headers: message.headers,
            message: serde_json::from_slice(&message.body).unwrap_or_default(),
            body: String::from_utf8_lossy(&message.body).into_owned(),
        }
    }
}

impl Request {
    /// The JSON-RPC method; empty if there is none.
    pub fn rpc(&self) -> &str {
        self.message["method"].as_str().unwrap_or_default()
    }

    /// The JSON-RPC method, or the HTTP method where there is none.
    pub fn name(&self) -> &str {
        if self.rpc().is_empty() {
            &self.method
        } else {
            self.rpc()
        }
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The id in JSON.
    pub fn id(&self) -> String {
        self.message["id"].to_string()
    }

    /// The tool that is called.
    pub fn tool(&self) -> &str {
        self.message["params"]["name"].as_str().unwrap_or_default()
    }

    /// The arguments of the tool.
    pub fn arguments(&self) -> &Value {
        &self.message["params"]["arguments"]
    }

    /// A reply to this request with that member, `"result":...` or `"error":...`.
    pub fn reply(&self, member: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{},{member}}}"#, self.id())
    }

    /// The same with the members in the order of the TypeScript SDK: the id comes last.
    pub fn reply_id_last(&self, member: &str) -> String {
        format!(r#"{{{member},"jsonrpc":"2.0","id":{}}}"#, self.id())
    }

    /// A reply to this request with that result.
    pub fn result(&self, result: &str) -> String {
        self.reply(&format!(r#""result":{result}"#))
    }

    /// A reply to this request with that error.
    pub fn error(&self, code: i64, message: &str) -> String {
        self.reply(&error(code, message))
    }
}

/// The member `"error":{...}`.
pub fn error(code: i64, message: &str) -> String {
    let message = Value::from(message);
    format!(r#""error":{{"code":{code},"message":{message}}}"#)
}
