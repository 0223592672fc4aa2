//! The headers that a server is configured with: checks of their names and values.

use awc::http::header::{HeaderName, HeaderValue};

use crate::config::errors::Fault;

/// Checks the name of a configured header.
pub(crate) fn check_name(written: &str) -> Result<HeaderName, Fault> {
    match HeaderName::from_bytes(written.as_bytes()) {
        Err(_) => Err(("not a header name", "use letters, digits and hyphens")),
        Ok(name) if is_client_header(name.as_str()) => {
            Err(("this header is set by the gateway itself", "remove it"))
        }
        Ok(name) => Ok(name),
    }
}

/// Checks a value, variables expanded. It is marked as sensitive.
pub(crate) fn check_value(expanded: &str) -> Result<HeaderValue, Fault> {
    let value = HeaderValue::from_str(expanded).ok();
    let mut value = value.filter(|value| value.to_str().is_ok()).ok_or((
        "holds a line break or another character that headers cannot carry",
        "use visible ASCII, spaces and tabs; a variable read from a file often ends in a line break",
    ))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether only the MCP client may set this header (the name in lower case).
fn is_client_header(name: &str) -> bool {
    const OWN: [&str; 20] = [
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "mcp-method",
        "mcp-name",
        "mcp-protocol-version",
        "mcp-session-id",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    OWN.contains(&name) || name.starts_with("mcp-param-")
}
