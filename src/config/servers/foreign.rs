//! Keys that other products have in the same file and that mean nothing here: they are ignored with a warning, so that one file can
//! serve several products. Near misses of our own keys are no such keys.
//!
//! From the documentation of the products that the tables name.

use serde_json::Value;

/// Why a key is ignored: the end of a warning that begins with its name.
type Why = &'static str;

const APPROVAL: Why = "no call waits for an approval here";
const TOOLS: Why = "all tools of the server are served";
const SIGN_IN: Why = "there is no sign-in here; put a token into headers";
const STARTED: Why = "nothing is started as a command";
const TIMEOUT: Why = "products disagree on its unit; write timeoutMs";
const NOTHING: Why = "it means nothing here";

/// The keys of a server, each with the products it is known from.
const OF_SERVERS: &[(&str, &str, Why)] = &[
    ("alwaysAllow", "Cline, Roo Code", APPROVAL),
    ("autoApprove", "Cline, Kiro", APPROVAL),
    ("trust", "Gemini CLI", APPROVAL),
    ("disabledTools", "Windsurf, Roo Code, Kiro, mcpo", TOOLS),
    ("includeTools", "Gemini CLI", TOOLS),
    ("excludeTools", "Gemini CLI", TOOLS),
    ("tools", "GitHub Copilot", TOOLS),
    (
        "timeout",
        "Cline, Gemini CLI, LibreChat and others",
        TIMEOUT,
    ),
    ("auth", "Cursor, FastMCP", SIGN_IN),
    ("oauth", "Claude Code, Gemini CLI, LibreChat, mcpo", SIGN_IN),
    ("requiresOAuth", "LibreChat", SIGN_IN),
    ("customUserVars", "LibreChat", SIGN_IN),
    ("authProviderType", "Gemini CLI", SIGN_IN),
    ("targetAudience", "Gemini CLI", SIGN_IN),
    ("targetServiceAccount", "Gemini CLI", SIGN_IN),
    ("headersHelper", "Claude Code", SIGN_IN),
    ("args", "every product with stdio servers", STARTED),
    ("env", "every product with stdio servers", STARTED),
    ("cwd", "every product with stdio servers", STARTED),
    ("envFile", "VS Code, Cursor", STARTED),
    ("stderr", "LibreChat", STARTED),
    ("sandbox", "VS Code", STARTED),
    ("sandboxEnabled", "VS Code", STARTED),
    ("watchPaths", "Roo Code", STARTED),
    ("dev", "VS Code", NOTHING),
    ("gallery", "VS Code", NOTHING),
    ("version", "VS Code", NOTHING),
    ("alwaysLoad", "Claude Code", NOTHING),
    ("registry", "Windsurf", NOTHING),
    ("tcp", "Gemini CLI", NOTHING),
    ("description", "Gemini CLI, LibreChat, FastMCP", NOTHING),
    ("title", "LibreChat", NOTHING),
    ("icon", "FastMCP", NOTHING),
    ("iconPath", "LibreChat", NOTHING),
    ("chatMenu", "LibreChat", NOTHING),
    ("startup", "LibreChat", NOTHING),
    ("serverInstructions", "LibreChat", NOTHING),
    ("initTimeout", "LibreChat", NOTHING),
    ("sseReadTimeout", "LibreChat", NOTHING),
    ("sse_read_timeout", "FastMCP", NOTHING),
    ("proxy", "LibreChat", NOTHING),
    ("client_header_forwarding", "mcpo", NOTHING),
];

const NOT_ASKED: Why = "nobody can be asked here; write ${NAME} and set that variable";

/// The keys beside the servers, in the same way. `$schema` is no reason for a warning.
const OF_FILES: &[(&str, &str, Why)] = &[
    ("inputs", "VS Code", NOT_ASKED),
    ("sandbox", "VS Code", STARTED),
    ("globalShortcut", "Claude Desktop", NOTHING),
    ("preferences", "Claude Desktop", NOTHING),
    ("mcp", "Gemini CLI", NOTHING),
    ("general", "Gemini CLI", NOTHING),
    ("ui", "Gemini CLI", NOTHING),
    ("ide", "Gemini CLI", NOTHING),
    ("privacy", "Gemini CLI", NOTHING),
    ("model", "Gemini CLI", NOTHING),
    ("context", "Gemini CLI", NOTHING),
    ("tools", "Gemini CLI", NOTHING),
    ("security", "Gemini CLI", NOTHING),
    ("advanced", "Gemini CLI", NOTHING),
    ("experimental", "Gemini CLI", NOTHING),
    ("hooks", "Gemini CLI", NOTHING),
    ("extensions", "Gemini CLI", NOTHING),
    ("telemetry", "Gemini CLI", NOTHING),
    ("theme", "Gemini CLI", NOTHING),
    ("version", "LibreChat", NOTHING),
    ("selectedAuthType", "Gemini CLI", NOTHING),
    ("$schema", "", NOTHING),
];

/// A key of another product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) key: &'static str,
    products: &'static str,
    why: Why,
}

impl Foreign {
    /// The key of a server entry, if other products have it.
    pub(crate) fn of_server(key: &str, value: &Value) -> Option<Self> {
        // Theirs is a list of names. An object reads like a rule on who may call what, which must not be ignored.
        let is_rule = key == "tools" && value.is_object();
        Self::find(OF_SERVERS, key).filter(|_| !is_rule)
    }

    /// The key of the file's outermost object, if other products have it.
    pub(crate) fn of_file(key: &str) -> Option<Self> {
        Self::find(OF_FILES, key)
    }

    fn find(table: &[(&'static str, &'static str, Why)], key: &str) -> Option<Self> {
        let row = table.iter().find(|(known, ..)| *known == key);
        row.map(|&(key, products, why)| Self { key, products, why })
    }

    /// Whether ignoring `value` changes anything for anybody.
    pub(crate) fn matters(self, value: &Value) -> bool {
        let is_empty = match value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(elements) => elements.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        !is_empty && !self.products.is_empty()
    }

    /// The warning; `at` says where the key is.
    pub(crate) fn warning(self, at: &str) -> String {
        let Self { key, products, why } = self;
        format!("{at}: `{key}` ({products}) is ignored: {why}")
    }
}
