//! What a person at a terminal sees: the banner, lines of text in colour, and an end at Ctrl-C. `script` makes the terminal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::app::{ConfigFile, TestApp, run};
use crate::http::Request;

/// The service at a terminal of its own.
struct Terminal {
    child: Child,
    screen: BufReader<Box<dyn Read>>,
    _config: ConfigFile,
}

impl Terminal {
    fn start(config: &Value, flags: &str, env: &[(&str, &str)]) -> Self {
        let file = ConfigFile::write(config);
        let service = env!("CARGO_BIN_EXE_mcp-rest");
        let command = format!("exec {service} --config {} {flags}", file.path().display());
        let mut child = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &command])
            .arg("/dev/null")
            .env_clear()
            .env("PORT", "0")
            .env("TERM", "xterm")
            .env("SHELL", "/bin/sh")
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let screen: Box<dyn Read> = Box::new(child.stdout.take().unwrap());
        Self {
            child,
            screen: BufReader::new(screen),
            _config: file,
        }
    }

    /// What is written up to a line with this text.
    fn read_to(&mut self, text: &str) -> String {
        let mut seen = String::new();
        while self.screen.read_line(&mut seen).unwrap() > 0 {
            if seen.contains(text) {
                return seen;
            }
        }
        panic!("it ends without {text}: {seen}");
    }

    fn address(&mut self) -> (SocketAddr, String) {
        let banner = self.read_to("listening on");
        let (_, rest) = banner.split_once("http://").unwrap();
        let (address, _) = rest.split_once('/').unwrap();
        (address.parse().unwrap(), banner)
    }

    /// Presses Ctrl-C, and gives the rest of what is written.
    fn interrupt(mut self) -> String {
        self.child.stdin.as_ref().unwrap().write_all(&[3]).unwrap();
        let mut rest = String::new();
        self.screen.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest}");
        rest
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn two_servers() -> Value {
    json!({"mcpServers": {
        "my \u{1b}[2Jserver": {"url": "http://127.0.0.1:9/mcp"},
        "other": {"url": "http://127.0.0.1:9/mcp"},
    }})
}

#[test]
fn a_terminal_shows_a_banner_and_text_in_colour() {
    let mut terminal = Terminal::start(&two_servers(), "", &[]);
    let (address, banner) = terminal.address();
    for part in [
        "\u{1b}[1mmcp-rest 0.1.0",
        &format!("Address     http://{address}/"),
        &format!("Documents   http://{address}/swagger-ui/"),
        "Servers     my \\u{1b}[2Jserver, other",
        "API keys    off: everyone on this machine may call",
        &format!("curl http://{address}/api/mcp/my%20%1B%5B2Jserver/tools"),
        "Ctrl-C",
    ] {
        assert!(banner.contains(part), "{part}: {banner}");
    }
    Request::get("/livez").send(address);
    Request::get("/nowhere").send(address);
    let rest = terminal.interrupt();
    assert!(
        rest.contains(" GET /livez \u{1b}[32m200\u{1b}[0m"),
        "{rest}"
    );
    assert!(rest.contains("\u{1b}[33m404\u{1b}[0m"), "{rest}");
    assert!(rest.trim_end().ends_with("stopped"), "{rest}");
    assert!(!rest.contains("\u{1b}[2J"), "{rest}");
}

#[test]
fn colours_can_be_declined() {
    for env in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let mut terminal = Terminal::start(&two_servers(), "", &[env]);
        let (_, banner) = terminal.address();
        let rest = terminal.interrupt();
        assert!(
            !banner.contains('\u{1b}') && !rest.contains("\u{1b}[0m"),
            "{banner}{rest}"
        );
    }
}

#[test]
fn json_can_be_had_at_a_terminal_and_text_in_a_pipe() {
    let mut terminal = Terminal::start(&two_servers(), "--log-format json", &[]);
    let first = terminal.read_to("listening on");
    for line in first.lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    terminal.interrupt();

    let app = TestApp::spawn_with(&two_servers(), &["--log-format", "text"], &[]);
    app.get("/livez").ok();
    let log = app.stop().stderr;
    assert!(log.contains(" GET /livez 200 "), "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains("Ctrl-C"), "{log}");
}

#[test]
fn an_unknown_format_is_an_error() {
    let ended = run(&two_servers(), &["--log-format", "xml"], &[]);
    assert_eq!(ended.status.code(), Some(2));
    assert!(
        ended.stderr.contains("auto, text, json"),
        "{}",
        ended.stderr
    );
}
