//! What people get wrong in their first five minutes, made on purpose: each row is one mistake, and the answer names its cause and what
//! to do about it. Each whole sentence is kept in `snapshots/mistake_NAME.snap`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::app::{SERVER, TestApp, config, execute, path, run};
use crate::http::{Request, Response};
use crate::problem::says;
use crate::upstream::{Reply, Request as Incoming, State, Upstream, servers};

/// Status, code, origin, executed and retryable.
type Facts = (u64, &'static str, &'static str, &'static str, bool);

/// The answer to a mistake: these facts, and a sentence with all of these words.
#[track_caller]
fn is_told(mistake: &str, response: &Response, facts: Facts, words: &[&str]) {
    let problem = response.problem();
    assert_eq!(problem.facts(), facts, "{mistake}: {}", problem.0);
    let detail = problem.text("detail");
    for word in words {
        assert!(detail.contains(word), "{mistake}: no {word} in: {detail}");
    }
    problem.says(&format!("mistake_{mistake}"));
}

// === A server that cannot be reached, or is none ===

const UNREACHABLE: Facts = (502, "upstream_unreachable", "upstream", "no", true);
/// The same where trying again cannot help.
const MISCONFIGURED: Facts = (502, "upstream_unreachable", "upstream", "no", false);

/// A mistake in the entry of a server: its name, the entry, and what a call is told.
type Entry = (&'static str, Value, Facts, &'static [&'static str]);

/// One service with all these servers; a call of each.
fn are_told(entries: Vec<Entry>, gateway: &Value) {
    let servers: serde_json::Map<String, Value> = entries
        .iter()
        .map(|(name, entry, ..)| ((*name).to_owned(), entry.clone()))
        .collect();
    let app = TestApp::spawn_with(
        &json!({"mcpServers": servers, "gateway": gateway}),
        &[],
        &[("MCP_REST_RETRIES", "0")],
    );
    for (name, _, facts, words) in entries {
        let response = app.execute(name, "echo", &json!({"message": "hi"}));
        is_told(name, &response, facts, words);
    }
}

/// What answers every request with this.
fn always(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Upstream {
    Upstream::start(move |_, _| reply())
}

/// The port of an HTTP server that is sent something else: as Node, Go, uvicorn and nginx do, it answers 400 in plain text.
fn http_server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let refusal = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
                let _read = stream.read(&mut [0; 4096]);
                stream.write_all(refusal).ok();
                // To the end: a reset could overtake the refusal.
                std::io::copy(&mut stream, &mut std::io::sink()).ok();
            });
        }
    });
    port
}

#[test]
fn addresses() {
    // A port that is taken and does not listen, as long as the connection is held.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let held = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let nobody = format!("http://{}/mcp", held.local_addr().unwrap());
    // No resolver has to be asked for a name that DNS does not allow.
    let unknown = format!("http://{}.invalid/mcp?key=SECRET", "x".repeat(64));
    let silent = always(Reply::hang_up);
    let entries = vec![
        (
            "wrong_port",
            json!({"url": nobody}),
            UNREACHABLE,
            &["refused", "127.0.0.1:", "running", "container"][..],
        ),
        (
            "unknown_host",
            json!({"url": unknown}),
            MISCONFIGURED,
            &["xxx.invalid:80", "does not resolve", "'url'"],
        ),
        (
            "https_for_http",
            json!({"url": format!("https://localhost:{}/mcp", http_server())}),
            MISCONFIGURED,
            &["does not speak TLS", "'http://'"],
        ),
        (
            "http_for_https",
            json!({"url": format!("http://localhost:{}/mcp", tls_server(&self_signed(|_| ())))}),
            MISCONFIGURED,
            &["speaks TLS", "'https://'"],
        ),
        (
            "closed_without_an_answer",
            json!({"url": silent.url()}),
            (502, "upstream_invalid_response", "upstream", "no", true),
            &["without a response", "'https://'"],
        ),
    ];
    are_told(entries, &json!({}));
}

#[test]
fn paths() {
    let page = always(|| Reply::typed(200, "text/html; charset=utf-8", "<h1>PAGE</h1>"));
    let text = always(|| Reply::typed(200, "text/plain", "fine"));
    let not_found = always(|| Reply::typed(404, "text/html", "<h1>PAGE</h1>"));
    let no_post = always(|| Reply::typed(405, "text/html", "<h1>PAGE</h1>"));
    let files = always(|| Reply::typed(501, "text/html", "<h1>PAGE</h1>"));
    let moved = Upstream::start(|request, _| {
        let host = request.header("host").unwrap_or_default();
        Reply::empty(301).header("location", &format!("https://{host}/mcp?key=SECRET"))
    });
    let slash = always(|| Reply::empty(302).header("location", "/mcp/"));
    let login = always(|| Reply::empty(302).header("location", "https://login.example/?SECRET"));
    let host = always(|| Reply::typed(421, "text/plain", "Invalid Host header"));
    let plain = always(|| {
        Reply::typed(
            400,
            "text/html",
            "The plain HTTP request was sent to HTTPS port",
        )
    });
    let error = (502, "upstream_error", "upstream", "no", false);
    // Nothing proves that what answers so has run nothing.
    let no_mcp = (
        502,
        "upstream_invalid_response",
        "upstream",
        "unknown",
        false,
    );
    let entry = |upstream: &Upstream| json!({"url": upstream.url().replace("/mcp", "/")});
    let entries = vec![
        (
            "web_page",
            entry(&page),
            no_mcp,
            &["text/html", "web page", "'/mcp'"][..],
        ),
        (
            "plain_text",
            entry(&text),
            no_mcp,
            &["text/plain", "no MCP endpoint", "'/mcp'"],
        ),
        (
            "root_for_mcp",
            entry(&not_found),
            error,
            &["404", "/'", "'/mcp'"],
        ),
        (
            "page_without_post",
            entry(&no_post),
            error,
            &["405", "'/mcp'"],
        ),
        ("file_server", entry(&files), error, &["501", "'/mcp'"]),
        (
            "redirected_to_https",
            entry(&moved),
            error,
            &["redirect", "'https://'"],
        ),
        (
            "redirected_to_a_path",
            entry(&slash),
            error,
            &["redirect", "another path", "'url'"],
        ),
        (
            "login_page",
            entry(&login),
            error,
            &["redirect", "another host", "login page"],
        ),
        (
            "unknown_to_the_server",
            entry(&host),
            (502, "upstream_error", "upstream", "unknown", false),
            &["421", "host", "allows"],
        ),
        (
            "https_port_of_nginx",
            entry(&plain),
            error,
            &["400", "TLS", "'https://'"],
        ),
    ];
    are_told(entries, &json!({}));
}

#[test]
fn credentials() {
    let unauthorized = always(|| Reply::empty(401));
    let forbidden = always(|| Reply::empty(403));
    let url = unauthorized.url();
    let entries = vec![
        (
            "no_token",
            json!({"url": url}),
            (401, "unauthorized", "upstream", "no", false),
            &["wants a credential", "mcpServers.no_token.headers"][..],
        ),
        (
            "wrong_token",
            json!({"url": url, "headers": {"Authorization": "Bearer SECRET"}}),
            (401, "unauthorized", "upstream", "no", false),
            &["rejects", "mcpServers.wrong_token.headers.Authorization"],
        ),
        (
            "wrong_header",
            json!({"url": url, "headers": {"X-Token": "SECRET"}}),
            (401, "unauthorized", "upstream", "no", false),
            &["'x-token'", "mcpServers.wrong_header.headers"],
        ),
        (
            "forbidden_there",
            json!({"url": forbidden.url(), "headers": {"Authorization": "Bearer SECRET"}}),
            (403, "forbidden", "upstream", "no", false),
            &[
                "denies access",
                "mcpServers.forbidden_there.headers.Authorization",
                "host",
            ],
        ),
    ];
    are_told(entries, &json!({}));
}

// === Certificates ===

/// A certificate and its key.
struct Certified(Certificate, KeyPair);

/// A certificate for `localhost` that signs itself, changed like this.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Certified {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    change(&mut params);
    Certified(params.self_signed(&key).unwrap(), key)
}

/// The port of a TLS server with this certificate, which answers nothing.
fn tls_server(Certified(certificate, key): &Certified) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into());
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream.unwrap());
            // Ends with the client's alert, or with its own where the client speaks no TLS.
            thread::spawn(move || stream.read(&mut [0; 1024]).ok());
        }
    });
    port
}

/// A file with a certificate, for `gateway.tls.caFile`.
struct CaFile(PathBuf);

impl CaFile {
    fn write(certificate: &[u8]) -> Self {
        static WRITTEN: AtomicUsize = AtomicUsize::new(0);
        let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
        let name = format!("mistakes-{}-{number}.pem", std::process::id());
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let encoded = BASE64_STANDARD.encode(certificate);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
        std::fs::write(&file, pem).unwrap();
        Self(file)
    }
}

impl Drop for CaFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn certificates() {
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let of_another = CertificateParams::new(["other.example".to_owned()]).unwrap();
    let of_another = Certified(of_another.signed_by(&key, &ca).unwrap(), key);
    let own = self_signed(|_| ());
    let expired = self_signed(|params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let early = self_signed(|params| params.not_before = date_time_ymd(4000, 1, 1));
    // As `openssl req -x509` makes them.
    let as_ca = self_signed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let entry =
        |certified| json!({"url": format!("https://localhost:{}/mcp", tls_server(certified))});
    let entries = vec![
        (
            "self_signed",
            entry(&own),
            MISCONFIGURED,
            &[
                "localhost:",
                "not signed by a known CA",
                "'gateway.tls.caFile'",
            ][..],
        ),
        (
            "self_signed_as_ca",
            entry(&as_ca),
            MISCONFIGURED,
            &["a CA's own", "CA:FALSE", "'gateway.tls.caFile'"],
        ),
        (
            "expired",
            entry(&expired),
            MISCONFIGURED,
            &["expired", "Renew"],
        ),
        (
            "not_valid_yet",
            entry(&early),
            MISCONFIGURED,
            &["not valid yet", "clocks"],
        ),
        (
            "certificate_of_another_host",
            entry(&of_another),
            MISCONFIGURED,
            &["another host name", "'url'"],
        ),
    ];
    let file = CaFile::write(ca.der());
    are_told(
        entries,
        &json!({"tls": {"caFile": file.0.to_str().unwrap()}}),
    );
}

#[test]
fn a_certificate_that_does_not_verify_is_not_tried_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let target = tls_server(&self_signed(|_| ()));
    thread::spawn(move || {
        for client in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let (mut client, mut server) = (
                client.unwrap(),
                TcpStream::connect(("127.0.0.1", target)).unwrap(),
            );
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to).ok());
            thread::spawn(move || std::io::copy(&mut server, &mut client).ok());
        }
    });
    let url = format!("https://localhost:{port}/mcp");
    let entry = json!({"url": url, "protocol": "legacy", "retries": 3});
    let app = TestApp::spawn(&json!({"mcpServers": {SERVER: entry}}));
    app.echo().is_refused(502, "upstream_unreachable");
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

// === Time ===

#[test]
fn deadlines() {
    let slow = || {
        Upstream::start(|request: &Incoming, state: &State| match request.rpc() {
            "tools/call" => Reply::empty(200).stalled(),
            _ => servers::ts_v1_stateless(request, state),
        })
    };
    let late = (504, "upstream_timeout", "upstream", "unknown", false);
    let upstream = slow();
    let legacy = json!({"protocol": "legacy"});
    let app = TestApp::over_with(&upstream, legacy.clone());
    let add = json!({"a": 1, "b": 2});
    let response = app.execute_with(SERVER, "add", "?timeoutMs=150", &add);
    is_told(
        "timeout_of_the_request",
        &response,
        late,
        &["150 ms", "'timeoutMs' of the request"],
    );
    let prefer = execute(SERVER, "add", "")
        .json(&add)
        .header("prefer", "wait=1");
    let response = app.request(&prefer);
    is_told("prefer_wait", &response, late, &["1 s", "'Prefer: wait'"]);

    let upstream = slow();
    let app = TestApp::over_with(&upstream, json!({"protocol": "legacy", "timeoutMs": 250}));
    let response = app.execute(SERVER, "add", &add);
    is_told(
        "timeout_of_the_server",
        &response,
        late,
        &["250 ms", "'mcpServers.s.timeoutMs'"],
    );

    let upstream = slow();
    let timeout = [("MCP_REST_TIMEOUT_MS", "350")];
    let app = TestApp::spawn_with(&config(&upstream, legacy), &[], &timeout);
    let response = app.execute(SERVER, "add", &add);
    is_told(
        "timeout_of_the_gateway",
        &response,
        late,
        &["350 ms", "'gateway.timeoutMs'"],
    );
}

// === Requests ===

#[test]
fn names() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::spawn(&json!({"mcpServers": {"weather": {"url": upstream.url()}}}));
    let unknown_server = (404, "server_not_found", "gateway", "no", false);
    let response = app.tools("wether");
    is_told(
        "typo_in_server",
        &response,
        unknown_server,
        &["'wether'", "'weather'"],
    );
    assert_eq!(response.problem().did_you_mean(), ["weather"]);
    let response = app.tools("github");
    is_told(
        "other_server",
        &response,
        unknown_server,
        &["'github'", "/api/list-servers"],
    );
    assert!(response.problem().did_you_mean().is_empty());

    let unknown_tool = (404, "tool_not_found", "upstream", "no", false);
    let response = app.execute("weather", "ecco", &json!({}));
    is_told(
        "typo_in_tool",
        &response,
        unknown_tool,
        &["'ecco'", "'echo'"],
    );
    let response = app.execute("weather", "no_such_thing", &json!({}));
    is_told(
        "other_tool",
        &response,
        unknown_tool,
        &["'no_such_thing'", "GET /api/mcp/weather/tools"],
    );
}

#[test]
fn paths_and_methods() {
    let upstream = Upstream::start(servers::ts_v1_stateless);
    let app = TestApp::over(&upstream);
    let no_route = (404, "not_found", "gateway", "no", false);
    let send = |method: &str, path: &str| Request::new(method, path).send(app.address);
    for (mistake, method, path, words) in [
        (
            "typo_in_path",
            "GET",
            "/api/mcp/s/tool",
            &[
                "GET /api/mcp/{server}/tools?",
                "/openapi.json",
                "/swagger-ui/",
            ][..],
        ),
        (
            "path_without_tools",
            "POST",
            "/api/mcp/s/echo/execute",
            &["POST /api/mcp/{server}/tools/{tool}/execute"],
        ),
        (
            "path_without_api",
            "POST",
            "/mcp/s/tools/echo/execute",
            &["POST /api/mcp/{server}/tools/{tool}/execute"],
        ),
        (
            "call_for_execute",
            "POST",
            "/api/mcp/s/tools/echo/call",
            &["POST /api/mcp/{server}/tools/{tool}/execute"],
        ),
        (
            "path_of_nothing",
            "GET",
            "/wp-login.php?key=SECRET",
            &["/openapi.json", "/swagger-ui/"],
        ),
    ] {
        is_told(mistake, &send(method, path), no_route, words);
    }
    let no_method = (405, "method_not_allowed", "gateway", "no", false);
    let response = send("GET", "/api/mcp/s/call");
    is_told("get_for_post", &response, no_method, &["Use POST"]);
    assert_eq!(response.header("allow"), Some("POST"));
    let response = send("PUT", "/api/mcp/s/tools");
    is_told("put", &response, no_method, &["Use GET or HEAD"]);
    let response = app.get(&path(SERVER, "tools/add/execute?a=1&b=2"));
    is_told(
        "get_of_a_tool_that_may_change_something",
        &response,
        no_method,
        &["readOnlyHint", "'add'", "POST", "JSON body"],
    );
    assert_eq!(response.header("allow"), Some("POST"));
    assert_eq!(upstream.count("tools/call"), 0);
}

#[test]
fn bodies_and_parameters() {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let app = TestApp::over(&upstream);
    let invalid = (400, "invalid_request", "gateway", "no", false);
    let call = || execute(SERVER, "echo", "");
    for (mistake, request, facts, words) in [
        (
            "form_body",
            call()
                .header("content-type", "application/x-www-form-urlencoded")
                .body("message=SECRET"),
            (415, "unsupported_media_type", "gateway", "no", false),
            &["Content-Type: application/json"][..],
        ),
        (
            "broken_json",
            call().json("{\"message\": \"SECRET\""),
            invalid,
            &["JSON"],
        ),
        (
            "single_quotes",
            call().json("{'message': 'SECRET'}"),
            invalid,
            &["JSON"],
        ),
        (
            "arguments_in_a_list",
            call().json("[\"SECRET\"]"),
            invalid,
            &["object"],
        ),
        (
            "timeout_in_words",
            execute(SERVER, "echo", "?timeoutMs=5s").json("{}"),
            invalid,
            &["timeoutMs"],
        ),
        (
            "two_sessions",
            execute(SERVER, "echo", "?sessionId=SECRET&sessionId=SECRET").json("{}"),
            invalid,
            &["sessionId"],
        ),
        (
            "no_session",
            execute(SERVER, "echo", "?init=false").json("{}"),
            (400, "session_required", "upstream", "no", false),
            &["init=true", "POST /api/mcp/s/initialize"],
        ),
        (
            "dead_session",
            call().json("{}").header("mcp-session-id", "SECRET"),
            (410, "session_expired", "upstream", "no", false),
            &["session", "POST /api/mcp/s/initialize"],
        ),
        (
            "impossible_accept",
            call().json("{}").header("accept", "application/xml"),
            (406, "not_acceptable", "gateway", "no", false),
            &["'Accept'", "'available'"],
        ),
    ] {
        let response = app.request(&request);
        is_told(mistake, &response, facts, words);
        assert!(!response.text().contains("SECRET"), "{}", response.text());
    }
}

#[test]
fn keys() {
    let upstream = Upstream::start(servers::toolbox);
    let keys = [("MCP_REST_AUTH_API_KEYS", "${KEY}"), ("KEY", "right")];
    let app = TestApp::spawn_with(&config(&upstream, json!({})), &[], &keys);
    let refused = (401, "unauthorized", "gateway", "no", false);
    let words = ["API key", "'X-API-Key'", "'Authorization: Bearer'"];
    is_told("no_api_key", &app.list_servers(), refused, &words);
    let wrong = Request::get("/api/list-servers").header("x-api-key", "SECRET");
    let response = app.request(&wrong);
    is_told("wrong_api_key", &response, refused, &words);
    assert!(!response.text().contains("SECRET"));
}

// === The configuration ===

#[test]
fn configurations() {
    let entry = |entry: Value| json!({"mcpServers": {SERVER: entry}});
    let url = "http://127.0.0.1/mcp";
    for (mistake, config, words) in [
        (
            "typo_in_url_key",
            entry(json!({"ur1": url})),
            &["mcpServers.s.ur1", "`url`"][..],
        ),
        (
            "typo_in_setting",
            json!({"mcpServers": {}, "gateway": {"prot": 1}}),
            &["gateway.prot", "`port`"],
        ),
        (
            "unset_variable",
            entry(json!({"url": url, "headers": {"Authorization": "Bearer ${NOT_SET}"}})),
            &["mcpServers.s.headers.Authorization", "NOT_SET", "set it"],
        ),
        (
            "unknown_type",
            entry(json!({"url": url, "type": "htp"})),
            &["'htp'", "`http`"],
        ),
        (
            "url_without_scheme",
            entry(json!({"url": "localhost:3000/mcp"})),
            &["mcpServers.s.url", "https://host/mcp"],
        ),
        (
            "port_in_quotes",
            json!({"mcpServers": {}, "gateway": {"port": "8080"}}),
            &["gateway.port", "without quotes"],
        ),
    ] {
        let ended = run(&config, &["--check"], &[]);
        assert_eq!(ended.status.code(), Some(2), "{mistake}: {}", ended.stderr);
        let told = ended.stderr.lines().find(|line| line.contains(words[0]));
        let told = told.unwrap_or_else(|| panic!("{mistake}: {}", ended.stderr));
        for word in words {
            assert!(told.contains(word), "{mistake}: no {word} in: {told}");
        }
        // The file has another name in every run.
        let told = match told.split_once(".json: ") {
            Some((_, told)) => told,
            None => told,
        };
        says(&format!("mistake_{mistake}"), told);
    }
}

// === What no mistake may show ===

#[test]
fn no_mistake_shows_a_secret() {
    let refusing = always(|| Reply::typed(401, "text/html", "BODY-SECRET"));
    let lost = always(|| Reply::typed(404, "text/html; x=SECRET", "BODY-SECRET"));
    let page = always(|| Reply::typed(200, "text/html; x=SECRET", "BODY-SECRET"));
    let odd = always(|| Reply::typed(200, "SECRET", "BODY-SECRET"));
    let elsewhere = always(|| Reply::empty(302).header("location", "http://x/?k=SECRET"));
    let closing = always(Reply::hang_up);
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let held = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut entries = serde_json::Map::new();
    let addresses = [&refusing, &lost, &page, &odd, &elsewhere, &closing];
    let addresses = addresses.map(|upstream| upstream.address().to_string());
    let addresses = addresses.into_iter().chain([
        held.local_addr().unwrap().to_string(),
        format!("{}.invalid", "x".repeat(64)),
    ]);
    let of_plain = addresses.map(|address| ("http", address));
    let of_tls =
        [tls_server(&self_signed(|_| ()))].map(|port| ("https", format!("localhost:{port}")));
    for (number, (scheme, address)) in of_plain.chain(of_tls).enumerate() {
        let url = format!("{scheme}://user:SECRET@{address}/${{IN_PATH}}/mcp?key=SECRET&SECRET");
        let entry = json!({"url": url, "headers": {"X-Token": "SECRET", "Cookie": "${TOKEN}"}});
        entries.insert(format!("{scheme}{number}"), entry);
    }
    let app = TestApp::spawn_with(
        &json!({"mcpServers": entries}),
        &["--log-level", "trace"],
        &[
            ("TOKEN", "SECRET"),
            ("IN_PATH", "SECRET"),
            ("MCP_REST_RETRIES", "1"),
        ],
    );
    for server in entries.keys() {
        for request in [
            execute(server, "echo", "?apiKey=SECRET").json("{}"),
            Request::get(&path(server, "tools")),
            Request::post(&path(server, "initialize")),
            execute(server, "echo", "")
                .json("{}")
                .header("mcp-session-id", "SECRET"),
        ] {
            let request = request.header("authorization", "Bearer SECRET");
            let response = app.request(&request);
            response.problem();
            assert!(!response.text().contains("SECRET"), "{}", response.text());
        }
    }
    let log = app.stop().stderr;
    assert!(!log.contains("SECRET"), "{log}");
}
