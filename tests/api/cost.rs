//! Worst cases: every route with the most that a caller can send, and with the worst that a server can answer. No
//! request may take more memory than the limits allow, or block the worker for long.
//!
//! The table is driven by the list of routes: a new route without a row fails. The service has one worker. How long it is
//! blocked is measured in its own processor time between a request for `/livez` and the response, so that other processes
//! on the machine do not count.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use mcp_rest::api;
use serde_json::{Map, Value, json};

use crate::app::TestApp;
use crate::http::Request;
use crate::process::{Process, Ticks};
use crate::upstream::hostile::{ANSWERS, BYTES, nested};
use crate::upstream::{Reply, Upstream, as_json};

/// Memory that the service may have while it answers one request, in MiB: what is remembered of lists (128) and of schemas (64),
/// what bodies may hold (32, below), and what a list or two take while they are looked into.
const PEAK_MIB: usize = 320;
/// Processor time of the worker that others may have to wait for, without optimisation: some twenty times what users see. What
/// came before these limits was seconds and minutes.
const PAUSE: Ticks = 200;
/// Up to here a request is tried on every hostile server; larger ones are tried on one that answers little.
const SMALL: usize = 1000;

/// A route, and the requests that cost most, to a server of that name where they reach one.
struct Row {
    method: &'static str,
    path: &'static str,
    worst: fn(&str) -> Vec<Request>,
}

const fn row(method: &'static str, path: &'static str, worst: fn(&str) -> Vec<Request>) -> Row {
    Row {
        method,
        path,
        worst,
    }
}

const ROWS: &[Row] = &[
    row("POST", "/api/mcp/{server}/tools/{tool}/execute", |s| {
        bodies(&format!("/api/mcp/{s}/tools/t0/execute"))
    }),
    row("GET", "/api/mcp/{server}/tools/{tool}/execute", |s| {
        let at = |tool, query: &str| get(&format!("/api/mcp/{s}/tools/{tool}/execute?{query}"));
        vec![
            at("t0", "p1=a&p2=b"),
            at("t1", "text=aaa"),
            at("t2", "p=a"),
            at("t3", "p0=a"),
            at("t0", &many_parameters()),
            at("t1", &format!("text={}", "a".repeat(60_000))),
            at("t2", &"p=a&".repeat(15_000)),
        ]
    }),
    row("POST", "/api/mcp/{server}/call", |s| {
        let call = |arguments: &str| {
            let envelope =
                format!(r#"{{"name":"t0","arguments":{arguments},"_meta":{arguments}}}"#);
            post(&format!("/api/mcp/{s}/call")).json(envelope)
        };
        let deep = format!(r#"{{"a":{}}}"#, nested(1_500_000));
        vec![call("{}"), call(&wide_object(1_500_000)), call(&deep)]
    }),
    row("GET", "/api/mcp/{server}/tools", |s| lists(s, "tools")),
    row("GET", "/api/mcp/{server}/tools/{tool}", |s| {
        let tools = ["t0", "t1", "t2", "t3", &"x".repeat(60_000)];
        tools
            .map(|tool| get(&format!("/api/mcp/{s}/tools/{tool}")))
            .into()
    }),
    row("POST", "/api/mcp/{server}/initialize", |s| {
        bodies(&format!("/api/mcp/{s}/initialize"))
    }),
    row("DELETE", "/api/mcp/{server}/session", |s| {
        let target = format!("/api/mcp/{s}/session");
        vec![Request::delete(&target).header("mcp-session-id", "s".repeat(60_000))]
    }),
    row("POST", "/api/mcp/{server}/ping", |s| {
        bodies(&format!("/api/mcp/{s}/ping"))
    }),
    row("POST", "/api/mcp/{server}/rpc", |s| {
        let target = format!("/api/mcp/{s}/rpc");
        let rpc = |method: &str, uri: usize| {
            let params = json!({"name": "t0", "uri": "u".repeat(uri), "arguments": {}});
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            post(&target).json(request)
        };
        let mut requests = bodies(&target);
        for method in ["tools/list", "tools/call", "resources/read", "x"] {
            requests.extend([rpc(method, 1), rpc(method, 3_000_000)]);
        }
        requests
    }),
    row("GET", "/api/mcp/{server}/resources", |s| {
        lists(s, "resources")
    }),
    row("GET", "/api/mcp/{server}/resources/read", |s| {
        let read = |uri: &str| get(&format!("/api/mcp/{s}/resources/read?uri={uri}"));
        vec![
            read("u"),
            read("u&result=content"),
            read(&"u".repeat(60_000)),
        ]
    }),
    row("GET", "/api/mcp/{server}/resources/templates", |s| {
        lists(s, "resources/templates")
    }),
    row("GET", "/api/mcp/{server}/resources/templates/expand", |s| {
        let expand = |template: &str, query: &str| {
            let target = format!("/api/mcp/{s}/resources/templates/expand");
            get(&format!("{target}?template={template}&{query}"))
        };
        vec![
            expand(
                &"%7Bx%7D".repeat(4000),
                &format!("x={}", "x".repeat(30_000)),
            ),
            expand(&"%7Bx*%7D".repeat(2000), &"x=a&".repeat(9000)),
            expand(&"%7Ba1%7D".repeat(1000), &many_parameters()),
        ]
    }),
    row("GET", "/api/mcp/{server}/prompts", |s| lists(s, "prompts")),
    row("POST", "/api/mcp/{server}/prompts/{prompt}/get", |s| {
        bodies(&format!("/api/mcp/{s}/prompts/t0/get"))
    }),
    row("POST", "/api/mcp/{server}/complete", |s| {
        let complete = |context: &str| {
            let argument = r#""argument":{"name":"a","value":"v"}"#;
            let reference = r#""ref":{"type":"ref/prompt","name":"p"}"#;
            let body = format!(r#"{{{reference},{argument},"context":{context}}}"#);
            post(&format!("/api/mcp/{s}/complete")).json(body)
        };
        vec![complete("{}"), complete(&wide_object(3_000_000))]
    }),
    row("GET", "/api/mcp/{server}", |s| {
        vec![get(&format!("/api/mcp/{s}"))]
    }),
    row("GET", "/api/mcp/{server}/openapi.json", |s| {
        vec![get(&format!("/api/mcp/{s}/openapi.json"))]
    }),
    row("GET", "/api/mcp/{server}/openapi.yaml", |s| {
        vec![get(&format!("/api/mcp/{s}/openapi.yaml"))]
    }),
    row("GET", "/api/mcp/{server}/docs", |s| {
        vec![get(&format!("/api/mcp/{s}/docs"))]
    }),
    row("POST", "/api/batch", |s| {
        let calls = |written: &str, count| {
            post("/api/batch").json(format!(
                r#"{{"calls":[{}]}}"#,
                vec![written; count].join(",")
            ))
        };
        let call = json!({"server": s, "tool": "t0"}).to_string();
        vec![calls(&call, 8), calls(&call, 32), calls("0", 2_000_000)]
    }),
    row("POST", "/api/call-tools", |s| {
        let calls = |format: &str, written: &str, count| {
            let calls = vec![written; count].join(",");
            post(&format!("/api/call-tools?format={format}")).json(format!("[{calls}]"))
        };
        let call = json!({"type": "tool_use", "id": "c", "name": format!("{s}__t0"), "input": {}});
        let unknown = call.to_string().replace("__t0", "__t0_0123456789ab");
        vec![
            calls("anthropic", &call.to_string(), 32),
            calls("anthropic", &unknown, 32),
            calls("openai", "0", 2_000_000),
        ]
    }),
    row("GET", "/api/tools", |s| {
        let search = |words: &str| get(&format!("/api/tools?server={s}&q={words}"));
        vec![
            get(&format!("/api/tools?server={s}&format=gemini&limit=1000")),
            get(&format!("/api/tools?server={s}&format=openai&limit=1000")),
            search(""),
            search("t1"),
            search(&"t+".repeat(30_000)),
            search(&"t".repeat(60_000)),
        ]
    }),
    row("GET", "/api/openapi.json", |_| {
        vec![get("/api/openapi.json")]
    }),
    row("GET", "/api/openapi.yaml", |_| {
        vec![get("/api/openapi.yaml")]
    }),
    row("GET", "/api/list-servers", |_| {
        vec![get("/api/list-servers")]
    }),
    row("GET", "/health", |_| vec![get("/health")]),
    row("GET", "/livez", |_| vec![get("/livez")]),
    row("GET", "/readyz", |_| vec![get("/readyz")]),
    row("GET", "/", |_| vec![get("/")]),
    row("GET", "/docs", |_| vec![get("/docs")]),
    row("GET", "/openapi.json", |_| vec![get("/openapi.json")]),
    row("GET", "/openapi.yaml", |_| {
        vec![get("/openapi.yaml?openapi=3.0")]
    }),
    row("GET", "/swagger-ui/{file}", |_| {
        let files = ["swagger-ui-bundle.js", &"x/".repeat(30_000)];
        files.map(|file| get(&format!("/swagger-ui/{file}"))).into()
    }),
];

// === What a caller can send ===

fn get(target: &str) -> Request {
    Request::get(target)
}

fn post(target: &str) -> Request {
    Request::post(target)
}

/// A request without a body, and with those that cost most for their size.
fn bodies(target: &str) -> Vec<Request> {
    vec![
        post(target),
        post(target).json(wide_object(4_000_000)),
        post(target).json(format!(r#"{{"a":{}}}"#, nested(4_000_000))),
        post(target).json(format!(r#"{{"text":"{}"}}"#, r"\u0000".repeat(650_000))),
        post(&format!("{target}?{}", many_parameters())),
        post(target).header("accept", "a/b;q=0.1,".repeat(6000)),
        post(target).header("prefer", "wait=5,".repeat(9000)),
    ]
}

fn lists(server: &str, what: &str) -> Vec<Request> {
    let target = format!("/api/mcp/{server}/{what}");
    vec![
        get(&target),
        get(&format!("{target}?all=true")),
        get(&format!("{target}?cursor={}", "c".repeat(60_000))),
        get(&target).header("if-none-match", r#""x","#.repeat(15_000)),
    ]
}

/// An object with as many members as fit into so many bytes.
fn wide_object(bytes: usize) -> String {
    let mut object = String::new();
    for number in 0..bytes / 10 {
        write!(object, r#","{number:x}":0"#).unwrap();
    }
    object.replacen(',', "{", 1) + "}"
}

fn many_parameters() -> String {
    let mut query = String::new();
    for number in 0..10_000 {
        write!(query, "{number:x}=&").unwrap();
    }
    query
}

// === The tests ===

#[test]
fn every_route_has_a_row() {
    let rows: BTreeSet<(&str, &str)> = ROWS.iter().map(|row| (row.method, row.path)).collect();
    assert_eq!(rows, api::routes::all().collect());
}

#[test]
fn no_request_costs_more_than_its_limit() {
    let upstream = Upstream::start(|request, _| {
        let server = request.path.rsplit('/').next().unwrap_or_default();
        match request.rpc() {
            "" | "initialize" => Reply::empty(405),
            "server/discover" => as_json(&request.result(
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{}}"#,
            )),
            _ => match ANSWERS.iter().find(|(name, _)| *name == server) {
                Some((_, answer)) => answer(request),
                None => as_json(&request.result(r#"{"content":[],"tools":[{"name":"t0"}]}"#)),
            },
        }
    });
    let names = ANSWERS.iter().map(|(name, _)| *name).chain(["plain"]);
    let servers: Map<String, Value> = names
        .map(|name| {
            (
                name.to_owned(),
                json!({"url": format!("{}/{name}", upstream.url())}),
            )
        })
        .collect();
    let limits = json!({"responseBytes": BYTES + 10_000, "bufferedBytes": 4 * BYTES});
    let config = json!({"mcpServers": servers, "gateway": {"limits": limits}});
    let app = TestApp::spawn_with(&config, &["--workers", "1"], &[]);
    let watch = Watch::begin(&app);
    let mut excesses = Vec::new();
    for row in ROWS {
        for server in servers.keys() {
            for (number, request) in (row.worst)(server).iter().enumerate() {
                let is_small = request.to_bytes(app.address).len() < SMALL;
                let asks = row.path.contains("{server}")
                    || row.method == "POST"
                    || row.path == "/api/tools";
                if server != "plain" && !(is_small && asks) {
                    continue;
                }
                let (peak, pause) = watch.during(|| drop(request.send(app.address)));
                if peak > PEAK_MIB || pause > PAUSE {
                    let what = format!("{} {} #{number} on {server}", row.method, row.path);
                    excesses.push(format!("{what}: {peak} MiB, {pause} ticks"));
                }
            }
        }
    }
    assert!(excesses.is_empty(), "{}", excesses.join("\n"));
}

/// A probe that requests `/livez` all the time, and measures pauses and memory.
struct Watch {
    process: Process,
    seen: Arc<Seen>,
    /// Taken when it is over.
    asking: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    rounds: AtomicU64,
    longest: AtomicU64,
    is_over: AtomicBool,
}

impl Watch {
    fn begin(app: &TestApp) -> Self {
        let (process, address) = (app.process(), app.address);
        let seen = Arc::<Seen>::default();
        let shared = Arc::clone(&seen);
        let asking = thread::spawn(move || shared.look(process, address));
        Self {
            process,
            seen,
            asking: Some(asking),
        }
    }

    /// The peak of memory in MiB and the longest pause while `work` is done.
    fn during(&self, work: impl FnOnce()) -> (usize, Ticks) {
        self.process.forget_peak();
        self.seen.longest.store(0, Ordering::SeqCst);
        work();
        // The round that is under way, and a whole one.
        let until = self.seen.rounds.load(Ordering::SeqCst) + 2;
        while self.seen.rounds.load(Ordering::SeqCst) < until {
            let is_over = self.asking.as_ref().is_some_and(JoinHandle::is_finished);
            assert!(!is_over, "`/livez` is not answered any more");
            thread::yield_now();
        }
        let pause = self.seen.longest.load(Ordering::SeqCst);
        (self.process.peak_memory() >> 20, pause)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.seen.is_over.store(true, Ordering::SeqCst);
        // If it has failed, that was told above.
        self.asking.take().map(JoinHandle::join);
    }
}

impl Seen {
    fn look(&self, process: Process, address: SocketAddr) {
        while !self.is_over.load(Ordering::SeqCst) {
            let before = process.ticks_of_workers();
            Request::get("/livez").send(address);
            let pause = process.ticks_of_workers().saturating_sub(before);
            self.longest.fetch_max(pause, Ordering::SeqCst);
            self.rounds.fetch_add(1, Ordering::SeqCst);
        }
    }
}
