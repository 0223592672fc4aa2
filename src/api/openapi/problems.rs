//! The problems that routes answer with, as components; and sets of them, for handlers to name in their attribute.
//!
//! What decides about a problem is `verdict`'s; that each status is documented where it occurs, and each body fits, is
//! checked by the tests on every answer they see.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::Header;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// A response with a problem in it.
struct Problem {
    /// The component.
    name: &'static str,
    status: u16,
    description: &'static str,
    headers: &'static [&'static str],
    /// What `examples.json` calls its examples; the codes, mostly.
    examples: &'static [&'static str],
}

const PROBLEMS: [Problem; 28] = [
    Problem {
        name: "InvalidRequest",
        status: 400,
        description: "`invalid_request`: the request is malformed; nothing was sent to a server",
        headers: &[],
        examples: &["invalid_request"],
    },
    Problem {
        name: "InvalidOrWithoutSession",
        status: 400,
        description: "`invalid_request`: the request is malformed. `session_required`: the server wants a session and \
                      `init=false` forbids one",
        headers: &[],
        examples: &["invalid_request", "session_required"],
    },
    Problem {
        name: "Unauthorized",
        status: 401,
        description: "`unauthorized`: no API key, or a wrong one",
        headers: &["WWW-Authenticate"],
        examples: &["unauthorized"],
    },
    Problem {
        name: "UnauthorizedHereOrThere",
        status: 401,
        description: "`unauthorized`: no API key, or a wrong one (`origin: gateway`), or the server refuses the \
                      credential that is configured for it (`origin: upstream`)",
        headers: &["WWW-Authenticate"],
        examples: &["unauthorized", "unauthorized_upstream"],
    },
    Problem {
        name: "Forbidden",
        status: 403,
        description: "`forbidden`: the server forbids the request",
        headers: &["WWW-Authenticate"],
        examples: &["forbidden"],
    },
    Problem {
        name: "ForbiddenHereOrThere",
        status: 403,
        description: "`forbidden`: a page of another site has a browser send this (`origin: gateway`), or the server \
                      forbids it (`origin: upstream`)",
        headers: &["WWW-Authenticate"],
        examples: &["forbidden_here", "forbidden"],
    },
    Problem {
        name: "RouteNotFound",
        status: 404,
        description: "`not_found`: there is no such path. So too for every path that is not in this document",
        headers: &[],
        examples: &["not_found"],
    },
    Problem {
        name: "ServerNotFound",
        status: 404,
        description: "`server_not_found`: no such server is configured",
        headers: &[],
        examples: &["server_not_found"],
    },
    Problem {
        name: "ToolNotFound",
        status: 404,
        description: "`tool_not_found`: the server's own list has no such tool. `server_not_found`: no such server is \
                      configured",
        headers: &[],
        examples: &["tool_not_found", "server_not_found"],
    },
    Problem {
        name: "MethodNotAllowed",
        status: 405,
        description: "`method_not_allowed`: what this path answers to a method that it does not have",
        headers: &["Allow"],
        examples: &["method_not_allowed"],
    },
    Problem {
        name: "PromptNotFound",
        status: 404,
        description: "`prompt_not_found`: the server's own list has no such prompt. `server_not_found`: no such server \
                      is configured",
        headers: &[],
        examples: &["prompt_not_found", "server_not_found"],
    },
    Problem {
        name: "ResourceNotFound",
        status: 404,
        description: "`resource_not_found`: the server has no resource of this URI. `server_not_found`: no such server \
                      is configured",
        headers: &[],
        examples: &["resource_not_found", "server_not_found"],
    },
    Problem {
        name: "NotAcceptable",
        status: 406,
        description: "`not_acceptable`: nothing of what there is fits `Accept`; `available` names what there is. If that is \
                      known only after a call, `executed` is `yes` and `result` holds what the tool returned",
        headers: &["Mcp-Session-Id"],
        examples: &["not_acceptable"],
    },
    Problem {
        name: "RequestTimeout",
        status: 408,
        description: "`request_timeout`: the body had not come when the deadline passed. The connection is closed",
        headers: &[],
        examples: &["request_timeout"],
    },
    Problem {
        name: "InputRequired",
        status: 409,
        description: "`input_required`: the server wants input first. Repeat the call through `/call`, with \
                      `inputResponses` and the same `requestState`",
        headers: &[],
        examples: &["input_required"],
    },
    Problem {
        name: "SessionExpired",
        status: 410,
        description: "`session_expired`: the server does not know the caller's session any more",
        headers: &[],
        examples: &["session_expired"],
    },
    Problem {
        name: "PayloadTooLarge",
        status: 413,
        description: "`payload_too_large`: the body is longer than the configured limit",
        headers: &[],
        examples: &["payload_too_large"],
    },
    Problem {
        name: "UnsupportedMediaType",
        status: 415,
        description: "`unsupported_media_type`: the type that `Content-Type` says, with a body or without, is neither \
                      `application/json` nor a `+json` type (none at all is fine), or the body is compressed, and not \
                      with gzip",
        headers: &["Accept-Encoding"],
        examples: &["unsupported_media_type", "unsupported_encoding"],
    },
    Problem {
        name: "InvalidArguments",
        status: 422,
        description: "`invalid_arguments`: the server refuses the parameters, a cursor for one",
        headers: &[],
        examples: &["invalid_arguments"],
    },
    Problem {
        name: "ToolError",
        status: 422,
        description: "`invalid_arguments`: the server refuses the arguments. `tool_error`: the tool reported an error, \
                      and `toolErrors=status` asks for a status; `result` is what it returned",
        headers: &["Mcp-Session-Id"],
        examples: &["invalid_arguments", "tool_error"],
    },
    Problem {
        name: "RateLimited",
        status: 429,
        description: "`rate_limited`: the server is asked too often",
        headers: &["Retry-After"],
        examples: &["rate_limited"],
    },
    Problem {
        name: "InternalError",
        status: 500,
        description: "`internal_error`: a fault of this service; the request id finds it in the log",
        headers: &[],
        examples: &["internal_error"],
    },
    Problem {
        name: "NotSupported",
        status: 501,
        description: "`not_supported`: the server does not have the method",
        headers: &[],
        examples: &["not_supported"],
    },
    Problem {
        name: "BadGateway",
        status: 502,
        description: "`upstream_unreachable`: the server cannot be reached; nothing was sent. \
                      `upstream_invalid_response`: it answered with something else than MCP, with too much, or not to \
                      the end. `upstream_error`: it answered with any other error",
        headers: &[],
        examples: &[
            "upstream_unreachable",
            "upstream_invalid_response",
            "upstream_error",
        ],
    },
    Problem {
        name: "Overloaded",
        status: 503,
        description: "`overloaded`: the server is not ready to answer (`origin: upstream`), or too many calls to it are \
                      in flight here, or too many connections open (`origin: gateway`)",
        headers: &["Retry-After"],
        examples: &["overloaded", "overloaded_here"],
    },
    Problem {
        name: "Draining",
        status: 503,
        description: "`overloaded`: this service is about to stop, or has too many connections; send requests elsewhere",
        headers: &["Retry-After"],
        examples: &["draining", "scarce"],
    },
    Problem {
        name: "Scarce",
        status: 503,
        description: "`overloaded`: this service has too many connections",
        headers: &["Retry-After"],
        examples: &["scarce"],
    },
    Problem {
        name: "UpstreamTimeout",
        status: 504,
        description: "`upstream_timeout`: the deadline passed before the server had answered, or before anything was sent",
        headers: &[],
        examples: &["upstream_timeout"],
    },
];

/// Every problem as a component, by its name.
pub(crate) fn components(
    examples: &BTreeMap<String, Value>,
) -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS
        .iter()
        .map(|problem| (problem.name.to_owned(), problem.response(examples).into()))
}

impl Problem {
    fn response(&self, examples: &BTreeMap<String, Value>) -> Response {
        let examples = self.examples.iter().filter_map(|name| {
            let example = ExampleBuilder::new().value(Some(examples.get(*name)?.clone()));
            Some((*name, example.build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .examples_from_iter(examples);
        let response = ResponseBuilder::new()
            .description(self.description)
            .content("application/problem+json", content.build());
        self.headers
            .iter()
            .fold(response, |response, name| {
                response.header(*name, Header::default())
            })
            .build()
    }
}

// === sets ===

/// Sets of problems: each has those of the set it extends, and its own.
macro_rules! problem_sets {
    ($($(#[$doc:meta])* $set:ident $(extends $base:ident)? : $($name:literal),+;)+) => {$(
        $(#[$doc])*
        pub(crate) struct $set;

        impl IntoResponses for $set {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                #[allow(unused_mut, reason = "not every set extends another")]
                let mut responses = BTreeMap::new();
                $(responses.extend($base::responses());)?
                responses.extend(references(&[$($name),+]));
                responses
            }
        }
    )+};
}

problem_sets! {
    /// Of the liveness probe.
    LivenessProblems: "InvalidRequest", "MethodNotAllowed", "InternalError";
    /// Of every other route.
    ServiceProblems extends LivenessProblems: "Scarce";
    /// Of the readiness probe.
    ReadinessProblems extends ServiceProblems: "Draining";
    /// Of the pages of Swagger UI.
    AssetProblems extends ServiceProblems: "RouteNotFound";
    /// Of the page of a server.
    PageProblems extends ServiceProblems: "ServerNotFound";
    /// Of every route under `/api/`.
    GatewayProblems extends ServiceProblems: "Unauthorized";
    /// Of a document of all servers.
    SurveyProblems extends GatewayProblems: "UpstreamTimeout";
    /// Of every route that reaches a server.
    ServerProblems extends GatewayProblems:
        "ServerNotFound", "Forbidden", "RateLimited", "NotSupported", "BadGateway", "Overloaded", "UpstreamTimeout";
    /// Of every MCP request.
    RequestProblems extends ServerProblems: "UnauthorizedHereOrThere", "InvalidArguments";
    /// Of every MCP request that may be part of a session.
    SessionProblems extends RequestProblems: "InvalidOrWithoutSession", "SessionExpired";
    /// Of a list.
    ListProblems extends SessionProblems: "InputRequired";
    /// Of what is asked of one tool.
    ToolProblems extends SessionProblems: "ToolNotFound";
    /// Of a call.
    CallProblems extends ToolProblems: "NotAcceptable", "InputRequired", "ToolError";
    /// Of a prompt that is filled in.
    PromptProblems extends SessionProblems: "PromptNotFound", "InputRequired";
    /// Of a resource that is read.
    ReadProblems extends SessionProblems: "ResourceNotFound", "NotAcceptable", "InputRequired";
    /// Of a template that is expanded.
    NamedServerProblems extends GatewayProblems: "ServerNotFound";
    /// Of a search, which takes time too.
    SearchProblems extends NamedServerProblems: "UpstreamTimeout";
    /// Of every route that may run something: none of them is for pages of other sites.
    SiteProblems: "ForbiddenHereOrThere", "UnsupportedMediaType";
    /// Of every route that takes a body.
    BodyProblems extends SiteProblems: "RequestTimeout", "PayloadTooLarge";
}

/// Of JSON-RPC: the same statuses, but the body is a JSON-RPC response wherever the request got as far as that.
pub(crate) struct RpcProblems;

impl IntoResponses for RpcProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut responses = CallProblems::responses();
        responses.extend(BodyProblems::responses());
        let statuses = responses
            .into_keys()
            .filter(|status| status != "500" && status != "405");
        let answers = statuses.map(|status| {
            let schema = |name: &str| {
                let reference = Ref::from_schema_name(name);
                ContentBuilder::new().schema(Some(reference))
            };
            let example = ExampleBuilder::new().value(Some(serde_json::json!({
                "jsonrpc": "2.0", "id": 1, "error": {"code": -32602, "message": "Unknown tool: ad"},
            })));
            let response = ResponseBuilder::new()
                .description("As other routes answer; the body is a JSON-RPC error response")
                .content(
                    "application/json",
                    schema("RpcErrorResponse")
                        .examples_from_iter([("refused", example.build())])
                        .build(),
                );
            // What is refused before the route is known to be this one.
            let before = match status.as_str() {
                "400" | "401" | "403" | "415" => Some("unauthorized"),
                "503" => Some("scarce"),
                _ => None,
            };
            let response = match before {
                Some(name) => response.content(
                    "application/problem+json",
                    schema("Problem")
                        .examples_from_iter([(name, recorded(name))])
                        .build(),
                ),
                None => response,
            };
            (status, response.build().into())
        });
        let mut all: BTreeMap<String, RefOr<Response>> = answers.collect();
        all.extend(references(&["MethodNotAllowed", "InternalError"]));
        all
    }
}

/// A problem as it was recorded.
fn recorded(name: &str) -> Example {
    let recorded: Value = serde_json::from_str(include_str!("examples.json")).unwrap_or_default();
    let problem = recorded.pointer(&format!("/problems/{name}")).cloned();
    ExampleBuilder::new().value(problem).build()
}

fn references(names: &[&str]) -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS
        .iter()
        .filter(|problem| names.contains(&problem.name))
        .map(|problem| {
            let component = Ref::from_response_name(problem.name);
            (problem.status.to_string(), component.into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that is no problem would be left out of its set without a word.
    #[test]
    fn sets_hold_all_they_name() {
        let statuses = |responses: BTreeMap<String, RefOr<Response>>| {
            responses.into_keys().collect::<Vec<_>>().join(" ")
        };
        let server = "400 401 403 404 405 429 500 501 502 503 504";
        let input = "400 401 403 404 405 409 410 422 429 500 501 502 503 504";
        let call = "400 401 403 404 405 406 409 410 422 429 500 501 502 503 504";
        for (set, expected) in [
            (LivenessProblems::responses(), "400 405 500"),
            (ServiceProblems::responses(), "400 405 500 503"),
            (ReadinessProblems::responses(), "400 405 500 503"),
            (AssetProblems::responses(), "400 404 405 500 503"),
            (GatewayProblems::responses(), "400 401 405 500 503"),
            (ServerProblems::responses(), server),
            (BodyProblems::responses(), "403 408 413 415"),
            (ListProblems::responses(), input),
            (CallProblems::responses(), call),
        ] {
            assert_eq!(statuses(set), expected);
        }
    }
}
