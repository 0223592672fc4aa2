//! The wording of errors: what happened and how to go on. What happens at a server is worded in `upstream`.

use actix_web::http::Method;

use crate::api::error::code::Code;
use crate::api::error::kinds::{ACCEPTED_ENCODING, About, Error};
use crate::api::error::upstream::{self, INTERNAL, no_room};
use crate::schema::validate::ValidationError;

/// An error in short.
pub(crate) struct Summary {
    /// The cause, for programs.
    pub(crate) code: Code,
    /// What happened and how to go on, for people.
    pub(crate) detail: String,
}

impl Error {
    /// Code and detail. What happened inside goes to the log.
    pub(crate) fn summary(&self, about: About<'_>) -> Summary {
        let code = self.code();
        if let Self::Upstream(_, failure) = self {
            let level = if code.status().is_server_error() {
                log::Level::Warn
            } else {
                log::Level::Debug
            };
            log::log!(
                level,
                request_id = about.request_id,
                server = about.server,
                code = code.name(),
                stage = failure.stage.name();
                "{failure}"
            );
        }
        let mut detail = self.detail(about);
        if let Some(hint) = about.hint {
            detail.push_str(". ");
            detail.push_str(hint);
        }
        Summary { code, detail }
    }

    /// The sentence alone, which is not logged: for start-up checks and health, whose subject has no request id (`""`).
    pub(crate) fn detail(&self, about: About<'_>) -> String {
        let server = about.server.unwrap_or_default();
        let tool = about.tool.unwrap_or_default();
        let detail = match self {
            Self::InvalidRequest(detail) => detail,
            Self::Unauthorized => {
                "API key missing or invalid: send it in 'X-API-Key' or as 'Authorization: Bearer'"
            }
            Self::RouteNotFound(near) => return no_route(near),
            Self::MethodNotAllowed(methods) => {
                let methods: Vec<_> = methods.iter().map(Method::as_str).collect();
                return format!(
                    "This path does not take that method. Use {}",
                    methods.join(" or ")
                );
            }
            Self::NotReadOnly => {
                return format!(
                    "GET runs only tools that declare 'readOnlyHint: true', and tool '{tool}' does not. \
                     POST to the same path, with the arguments as a JSON body"
                );
            }
            Self::ServerNotFound(near) => return no_server(server, near),
            Self::RequestTimeout => "The request body did not arrive before the deadline",
            Self::PayloadTooLarge(cap) => {
                return format!("The request body exceeds the limit of {cap} bytes");
            }
            Self::CrossSite => {
                "Cross-site request refused by 'Sec-Fetch-Site': only pages of this service may send it, those of origins in \
                 'gateway.cors.origins', and clients other than browsers, which send no such header"
            }
            Self::CrossOrigin => {
                "Cross-origin request refused: 'Origin' does not match 'Host', and only pages of this service and of origins in \
                 'gateway.cors.origins' may send it. A reverse proxy \
                 must forward 'Host', or send 'X-Forwarded-Host' and be listed in \
                 'gateway.trustedProxies'. Clients other than browsers send no 'Origin'"
            }
            Self::OriginNotAllowed => {
                "Pages of this 'Origin' may not use this service: list it in 'gateway.cors.origins'"
            }
            Self::UnsupportedEncoding => {
                return format!(
                    "Unsupported 'Content-Encoding': send the body with \
                     'Content-Encoding: {ACCEPTED_ENCODING}', or uncompressed"
                );
            }
            Self::UnsupportedMediaType => {
                "The request body must be JSON: send it with 'Content-Type: application/json'"
            }
            Self::Tool { said, .. } => return tool_error(said.as_deref(), server, tool),
            Self::NotAcceptable { result, .. } => not_acceptable(result.is_some()),
            Self::InvalidArguments(errors) => return invalid_arguments(errors, server, tool),
            Self::DeadlinePassed => "The deadline passed before anything was sent to the server",
            Self::ShuttingDown => {
                "This service is shutting down; send requests to another instance"
            }
            Self::NoRoom(_) => return no_room("the request or its response"),
            Self::NoDescriptors => {
                "No file descriptor is left: this service has too many open connections"
            }
            Self::Internal => INTERNAL,
            Self::Upstream(task, failure) => return upstream::detail(failure, *task, about),
        };
        detail.to_owned()
    }
}

/// A tool's own words come first: they say what is wrong.
fn tool_error(said: Option<&str>, server: &str, tool: &str) -> String {
    match said {
        Some(said) => format!("{said} (an error reported by tool '{tool}' on server '{server}')"),
        None => format!("Tool '{tool}' on server '{server}' reported an error"),
    }
}

/// The first violation comes first. Values of arguments are not in it.
fn invalid_arguments(errors: &[ValidationError], server: &str, tool: &str) -> String {
    let schema = format!("the schema of tool '{tool}' on server '{server}'");
    match errors.first() {
        None => format!("The arguments do not match {schema}"),
        Some(unknown) if unknown.is_unknown() => format!(
            "{}. The arguments could not be checked against {schema}, and nothing was sent; 'argumentChecks: off' for this server lets \
             them pass",
            unknown.message
        ),
        Some(ValidationError {
            pointer, message, ..
        }) => {
            let place = match pointer.as_str() {
                "" => String::new(),
                pointer => format!("'{pointer}': "),
            };
            format!(
                "{place}{message}. The arguments do not match {schema}; 'errors' lists the violations"
            )
        }
    }
}

fn not_acceptable(has_run: bool) -> &'static str {
    if has_run {
        "The tool has run, and its result does not have the requested form: 'result' holds all of it, 'available' lists the media \
         types it can have. 'result=value' fits every result"
    } else {
        "No representation matches 'Accept'; 'available' lists the supported media types"
    }
}

fn no_route(near: &[(Method, &str)]) -> String {
    let documents = "/openapi.json lists the routes, /swagger-ui/ shows them";
    let routes: Vec<_> = near
        .iter()
        .map(|(method, path)| format!("{method} {path}"))
        .collect();
    if routes.is_empty() {
        format!("No route matches this path. {documents}")
    } else {
        let routes = routes.join(" or ");
        format!("No route matches this path. Did you mean {routes}? {documents}")
    }
}

fn no_server(name: &str, near: &[String]) -> String {
    let said = format!("Server '{name}' is not configured");
    match near {
        [] => format!("{said}. GET /api/list-servers lists those that are"),
        near => format!("{said}. Did you mean '{}'?", near.join("', '")),
    }
}
