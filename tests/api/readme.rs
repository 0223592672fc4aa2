//! README.md and `docs/`: every block is run against a service, and what it prints is what the document shows.
//!
//! The word after the three backticks says what a block is: `sh` is run in a shell, `sh start` are command lines that are checked by
//! `--check`, `json config` is a configuration, `ts` is compiled and run, `python` is run; `json`, `text` and `html` after one of
//! these is what it prints, where `...` stands for anything. What is `by hand` needs what this test has not (Docker, say, or a generated
//! client: `outside` has those), and `conf` is for other software.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::app::TestApp;
use crate::upstream::{Upstream, servers};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const DOCUMENTS: [&str; 6] = [
    "README.md",
    "docs/calling.md",
    "docs/deployment.md",
    "docs/documents.md",
    "docs/models.md",
    "docs/settings.md",
];
/// Where the documents have the service listen.
const ADDRESS: &str = "http://127.0.0.1:8080";

/// A block of a document.
#[derive(Debug)]
struct Block {
    document: &'static str,
    line: usize,
    kind: String,
    text: String,
    /// The block of output that follows it.
    prints: Option<String>,
}

fn blocks() -> Vec<Block> {
    DOCUMENTS.into_iter().flat_map(blocks_of).collect()
}

fn blocks_of(document: &'static str) -> Vec<Block> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
    let mut found: Vec<Block> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((line, text)) = lines.next() {
        let Some(kind) = text.strip_prefix("```") else {
            continue;
        };
        let inside = lines.by_ref().map(|(_, text)| text);
        let inside: Vec<_> = inside.take_while(|text| *text != "```").collect();
        let text = inside.join("\n");
        match kind {
            "json" | "text" | "html" => {
                let printer = found.last_mut().filter(|block| block.prints.is_none());
                let Some(printer) = printer else {
                    panic!("{document}:{}: nothing prints this", line + 1);
                };
                printer.prints = Some(text);
            }
            _ => found.push(Block {
                document,
                line: line + 1,
                kind: kind.to_owned(),
                text,
                prints: None,
            }),
        }
    }
    found
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.document, self.line)
    }

    /// The text for a service that listens elsewhere.
    fn for_service(&self, app: &TestApp) -> String {
        self.text
            .replace(ADDRESS, &format!("http://{}", app.address))
    }

    /// Runs a program in `folder`, and compares what it prints.
    #[track_caller]
    fn run(&self, app: &TestApp, folder: &Path, program: &str, args: &[&str]) {
        let output = Command::new(program)
            .args(args)
            .current_dir(folder)
            .env("GITHUB_TOKEN", "x")
            .output()
            .unwrap();
        let (printed, complained) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        let place = self.place();
        assert!(output.status.success(), "{place}: {complained}");
        if let Some(expected) = &self.prints {
            let printed = printed.replace(&format!("http://{}", app.address), ADDRESS);
            assert!(
                is_like(&printed, expected),
                "{place} prints\n{printed}\n{complained}"
            );
        }
    }
}

/// Whether a text is the expected one, in which `...` stands for anything. White space does not count, and neither does which
/// random id it is.
fn is_like(text: &str, expected: &str) -> bool {
    let (text, expected) = (condensed(text), condensed(expected));
    let pieces: Vec<_> = expected.split("...").collect();
    let [first, between @ .., last] = pieces.as_slice() else {
        return text == expected;
    };
    let rest = text.strip_prefix(first);
    let Some(mut rest) = rest.and_then(|rest| rest.strip_suffix(last)) else {
        return false;
    };
    for piece in between {
        let Some((_, after)) = rest.split_once(piece) else {
            return false;
        };
        rest = after;
    }
    true
}

fn condensed(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    let mut out = String::new();
    let mut hex = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_digit() || ('a'..='f').contains(&character) {
            hex.push(character);
            continue;
        }
        out.push_str(if hex.len() == 32 { "ID" } else { &hex });
        hex.clear();
        out.push(character);
    }
    out.pop();
    out
}

/// A folder of its own, with the latest configuration in it, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("readme-{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn configure(&self, text: &str) {
        fs::write(self.0.join("mcp.servers.json"), text).unwrap();
    }

    /// Checks the configuration with the arguments of a command line of the document.
    #[track_caller]
    fn check(&self, block: &Block, command: &str) {
        let command = command.split(" #").next().unwrap_or_default();
        let command = command.replace(" --connect", "");
        let script = command.replacen("mcp-rest", "\"$SERVICE\" --check", 1);
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(&self.0)
            .env("SERVICE", env!("CARGO_BIN_EXE_mcp-rest"))
            .env("GITHUB_TOKEN", "x")
            .env("MCP_GATEWAY_KEY", "k")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}: {command}: {}",
            block.place(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// The service of the documents: the demo server, and one with sessions.
fn service() -> (TestApp, Upstream) {
    let upstream = Upstream::start(servers::ts_v1_stateful);
    let config = json!({"mcpServers": {"everything": {"url": upstream.url()}}});
    (TestApp::spawn_with(&config, &["--demo"], &[]), upstream)
}

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    let known = [
        "sh",
        "sh start",
        "sh by hand",
        "json config",
        "ts",
        "ts by hand",
        "python",
        "conf",
    ];
    for block in blocks() {
        assert!(
            known.contains(&block.kind.as_str()),
            "{}: {}",
            block.place(),
            block.kind
        );
    }
}

#[test]
fn shell_blocks_print_what_is_shown() {
    let (app, _upstream) = service();
    let folder = Folder::new("sh");
    for block in blocks().iter().filter(|block| block.kind == "sh") {
        let script = block.for_service(&app);
        block.run(
            &app,
            &folder.0,
            "bash",
            &["-euo", "pipefail", "-c", &script],
        );
    }
}

#[test]
fn configurations_and_command_lines_are_valid() {
    let folder = Folder::new("config");
    for block in blocks() {
        match block.kind.as_str() {
            "json config" => {
                let mut config: Value = serde_json::from_str(&block.text).unwrap();
                // Some show the part of the service alone.
                let servers = config.as_object_mut().unwrap().entry("mcpServers");
                servers.or_insert(json!({"demo": {"url": "http://127.0.0.1:3001/mcp"}}));
                folder.configure(&config.to_string());
                folder.check(&block, "mcp-rest");
            }
            "sh start" => {
                for command in block.text.replace("\\\n", " ").lines() {
                    folder.check(&block, command);
                }
            }
            _ => {}
        }
    }
}

#[test]
#[ignore = "needs Python"]
fn python_blocks_print_what_is_shown() {
    let (app, _upstream) = service();
    let folder = Folder::new("python");
    for block in blocks().iter().filter(|block| block.kind == "python") {
        block.run(
            &app,
            &folder.0,
            "python3",
            &["-c", &block.for_service(&app)],
        );
    }
}

#[test]
#[ignore = "needs the compiler of tests/outside: make test installs it"]
fn typescript_blocks_are_strict_and_print_what_is_shown() {
    let (app, _upstream) = service();
    let folder = Folder::new("ts");
    let modules = format!("{ROOT}/tests/outside/node_modules");
    fs::write(folder.0.join("package.json"), r#"{"type": "module"}"#).unwrap();
    std::os::unix::fs::symlink(&modules, folder.0.join("node_modules")).unwrap();
    for block in blocks().iter().filter(|block| block.kind == "ts") {
        fs::write(folder.0.join("block.ts"), block.for_service(&app)).unwrap();
        let script = "node_modules/.bin/tsc --strict --noUncheckedIndexedAccess --target es2022 --module nodenext --types node block.ts \
                      && node block.js";
        block.run(&app, &folder.0, "bash", &["-c", script]);
    }
}

#[test]
fn what_is_shown_is_compared() {
    let id = "0123456789abcdef0123456789abcdef";
    for (text, expected, like) in [
        ("{\"a\": 1}", "{\"a\":\n 1}", true),
        ("{\"a\": 12}", "{\"a\": 1}", false),
        ("{\"a\": 1, \"b\": 2}", "{..., \"b\": 2}", true),
        ("{\"a\": 1, \"b\": 2}", "{\"a\": 1, ...", true),
        ("{\"a\": 1, \"b\": 2}", "{\"a\": 1...}x", false),
        ("{\"a\": {}, \"b\": {}}", "{\"a\": ...}", true),
        (id, &id.replace('0', "f"), true),
        ("deed", "dead", false),
    ] {
        assert_eq!(is_like(text, expected), like, "{text} {expected}");
    }
}
