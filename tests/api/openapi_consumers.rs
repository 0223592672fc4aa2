//! Products that make tools of OpenAPI documents, by their own code (`tests/outside/consumers`): each lists every tool of two servers from their
//! typed documents, calls it with arguments of the schema that its model sees, and gets what an official MCP client gets.

use serde_json::json;

use crate::app::TestApp;
use crate::outside::run;
use crate::real;

/// A service before server-everything and a server with the schemas of pydantic; of each, results as they are and their values.
struct Setting {
    app: TestApp,
    /// Each name, what it answers with, and where the server itself is.
    servers: Vec<(String, &'static str, String)>,
    _running: [real::Running; 2],
}

impl Setting {
    fn start() -> Self {
        let running = [real::everything().start(), real::rich().start()];
        let mut entries = serde_json::Map::new();
        let mut servers = Vec::new();
        for (server, running) in ["everything", "rich"].iter().zip(&running) {
            for form in ["mcp", "value"] {
                let name = format!("{server} {form}");
                let url = running.url();
                entries.insert(name.clone(), json!({"url": url, "result": form}));
                servers.push((name, form, url));
            }
        }
        Self {
            app: TestApp::spawn(&json!({"mcpServers": entries})),
            servers,
            _running: running,
        }
    }

    fn base(&self) -> String {
        format!("http://{}", self.app.address)
    }
}

/// All that is said of a consumer, by the module of `tests/outside/consumers` that is named like it.
#[track_caller]
fn lists_and_calls_every_tool(consumer: &str) {
    let setting = Setting::start();
    let base = setting.base();
    let servers = setting.servers.iter();
    let servers: Vec<String> = servers
        .map(|(name, form, url)| format!("{name}={form}={url}"))
        .collect();
    let mut args = vec![consumer, &base];
    args.extend(servers.iter().map(String::as_str));
    run("./consumers/check", &args);
}

/// One test for each consumer.
macro_rules! consumers {
    ($($name:ident)*) => {
        $(
            #[test]
            #[ignore = "needs the products of tests/outside/consumers: make test installs them"]
            fn $name() {
                lists_and_calls_every_tool(stringify!($name));
            }
        )*
    };
}

consumers! {
    webui
    adk
    from_openapi
    kernel
    haystack
    librechat
}

/// Products that do not run here: the rules that they publish.
#[test]
#[ignore = "needs the products of tests/outside/consumers: make test installs them"]
fn documents_keep_the_rules_of_others() {
    let setting = Setting::start();
    let documents = setting.servers.iter().map(|(name, ..)| {
        let name = name.replace(' ', "%20");
        format!("{}/api/mcp/{name}/openapi.json", setting.base())
    });
    let mut args = vec!["consumers/rules.py".to_owned()];
    args.extend(documents);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    run("consumers/.installed/venv/bin/python", &args);
}
