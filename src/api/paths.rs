//! Paths of this service's routes, names percent-encoded in them. Which routes there are is not known here.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The path that runs a tool.
pub(crate) fn execute_path(server: &str, tool: &str) -> String {
    format!("{}{}", server_path(server), tool_path(tool))
}

/// The path below which everything of a server is.
pub(crate) fn server_path(server: &str) -> String {
    format!("/api/mcp/{}", path_segment(server))
}

/// The path that calls a tool, below that of its server.
pub(crate) fn tool_path(tool: &str) -> String {
    format!("/tools/{}/execute", path_segment(tool))
}

/// A name as one path segment.
fn path_segment(name: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(name, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded() {
        assert_eq!(
            execute_path("My Server", "a/b.c"),
            "/api/mcp/My%20Server/tools/a%2Fb.c/execute"
        );
    }
}
