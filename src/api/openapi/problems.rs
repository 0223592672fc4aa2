//! The problems of routes as OpenAPI components, and sets of them for handlers to name in their attribute.
//!
//! Codes, statuses and wording are in `error/code.rs`. The tests on the wire check that each status is documented where it occurs, and
//! that each body matches its schema.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::IntoResponses;

use crate::api::error::code::Code;
use utoipa::openapi::example::{Example, ExampleBuilder};
use utoipa::openapi::header::Header;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

/// A response with a problem in it.
struct Problem {
    /// The component.
    name: &'static str,
    /// Of one status.
    codes: &'static [Code],
    /// When it occurs, where the only code says more than is true here.
    when: Option<&'static str>,
    /// The keys in `examples.json`; where none are named, the codes.
    examples: &'static [&'static str],
}

const PROBLEMS: &[Problem] = &[
    of("InvalidRequest", &[Code::InvalidRequest]),
    of(
        "InvalidRequestOrSessionRequired",
        &[Code::InvalidRequest, Code::SessionRequired],
    ),
    of("GatewayUnauthorized", &[Code::Unauthorized]).when("the API key is missing or invalid"),
    of("Unauthorized", &[Code::Unauthorized]).examples(&["unauthorized", "unauthorized_upstream"]),
    of("UpstreamForbidden", &[Code::Forbidden]).when("the server denies access"),
    of("Forbidden", &[Code::Forbidden]).examples(&["forbidden_cross_site", "forbidden"]),
    of("RouteNotFound", &[Code::NotFound]),
    of("ServerNotFound", &[Code::ServerNotFound]),
    of("ToolNotFound", &[Code::ToolNotFound, Code::ServerNotFound]),
    of(
        "PromptNotFound",
        &[Code::PromptNotFound, Code::ServerNotFound],
    ),
    of(
        "ResourceNotFound",
        &[Code::ResourceNotFound, Code::ServerNotFound],
    ),
    of("MethodNotAllowed", &[Code::MethodNotAllowed]),
    of("NotAcceptable", &[Code::NotAcceptable]),
    of("RequestTimeout", &[Code::RequestTimeout]),
    of("InputRequired", &[Code::InputRequired]),
    of("SessionExpired", &[Code::SessionExpired]),
    of("PayloadTooLarge", &[Code::PayloadTooLarge]),
    of("UnsupportedMediaType", &[Code::UnsupportedMediaType])
        .examples(&["unsupported_media_type", "unsupported_encoding"]),
    of("InvalidArguments", &[Code::InvalidArguments]),
    of("ToolError", &[Code::InvalidArguments, Code::ToolError]),
    of("RateLimited", &[Code::RateLimited]),
    of("InternalError", &[Code::InternalError]),
    of("NotSupported", &[Code::NotSupported]),
    of(
        "BadGateway",
        &[
            Code::UpstreamUnreachable,
            Code::UpstreamInvalidResponse,
            Code::UpstreamError,
        ],
    ),
    of("Overloaded", &[Code::Overloaded]).examples(&["overloaded", "overloaded_gateway"]),
    of("ShuttingDown", &[Code::Overloaded])
        .when(
            "this service is shutting down, or has no file descriptors left; send requests to \
             another instance",
        )
        .examples(&["shutting_down", "no_descriptors"]),
    of("NoDescriptors", &[Code::Overloaded])
        .when("this service has no file descriptors left")
        .examples(&["no_descriptors"]),
    of("UpstreamTimeout", &[Code::UpstreamTimeout]),
];

const fn of(name: &'static str, codes: &'static [Code]) -> Problem {
    Problem {
        name,
        codes,
        when: None,
        examples: &[],
    }
}

/// Every problem as a component, by its name.
pub(crate) fn components(
    examples: &BTreeMap<String, Value>,
) -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS
        .iter()
        .map(|problem| (problem.name.to_owned(), problem.response(examples).into()))
}

impl Problem {
    const fn when(mut self, when: &'static str) -> Self {
        self.when = Some(when);
        self
    }

    const fn examples(mut self, examples: &'static [&'static str]) -> Self {
        self.examples = examples;
        self
    }

    fn status(&self) -> String {
        let code = self.codes.first();
        code.map_or_else(String::new, |code| code.status().as_str().to_owned())
    }

    fn description(&self) -> String {
        let codes = self.codes.iter().map(|code| {
            let when = self.when.unwrap_or(code.when());
            format!("`{}`: {when}", code.name())
        });
        codes.collect::<Vec<_>>().join(". ")
    }

    fn response(&self, recorded: &BTreeMap<String, Value>) -> Response {
        let names: Vec<&str> = match self.examples {
            [] => self.codes.iter().map(|code| code.name()).collect(),
            named => named.to_vec(),
        };
        let examples = names.into_iter().filter_map(|name| {
            let example = ExampleBuilder::new().value(Some(recorded.get(name)?.clone()));
            Some((name, example.build()))
        });
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .examples_from_iter(examples);
        let response = ResponseBuilder::new()
            .description(self.description())
            .content("application/problem+json", content.build());
        let headers = self.codes.iter().flat_map(|code| code.headers());
        headers
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
    ServiceProblems extends LivenessProblems: "NoDescriptors";
    /// Of this service's own document, which is rewritten within the deadline.
    DocumentProblems extends ServiceProblems: "UpstreamTimeout";
    /// Of the readiness probe.
    ReadinessProblems extends ServiceProblems: "ShuttingDown";
    /// Of the pages of Swagger UI.
    AssetProblems extends ServiceProblems: "RouteNotFound";
    /// Of the page of a server.
    PageProblems extends ServiceProblems: "ServerNotFound";
    /// Of every route under `/api/`.
    GatewayProblems extends ServiceProblems: "GatewayUnauthorized";
    /// Of a document of all servers.
    FanOutProblems extends GatewayProblems: "UpstreamTimeout";
    /// Of every route that reaches a server.
    ServerProblems extends GatewayProblems:
        "ServerNotFound", "UpstreamForbidden", "RateLimited", "NotSupported", "BadGateway", "Overloaded", "UpstreamTimeout";
    /// Of every MCP request.
    RequestProblems extends ServerProblems: "Unauthorized", "InvalidArguments";
    /// Of every MCP request that may be part of a session.
    SessionProblems extends RequestProblems: "InvalidRequestOrSessionRequired", "SessionExpired";
    /// Of a list.
    ListProblems extends SessionProblems: "InputRequired";
    /// Of a request about one tool.
    ToolProblems extends SessionProblems: "ToolNotFound";
    /// Of a call.
    CallProblems extends ToolProblems: "NotAcceptable", "InputRequired", "ToolError";
    /// Of a prompt that is filled in.
    PromptProblems extends SessionProblems: "PromptNotFound", "InputRequired";
    /// Of a resource that is read.
    ReadProblems extends SessionProblems: "ResourceNotFound", "NotAcceptable", "InputRequired";
    /// Of a template that is expanded.
    NamedServerProblems extends GatewayProblems: "ServerNotFound";
    /// Of a search, which has a deadline too.
    SearchProblems extends NamedServerProblems: "UpstreamTimeout";
    /// Of every route that may change something: each refuses cross-site requests.
    SiteProblems: "Forbidden", "UnsupportedMediaType";
    /// Of every route that takes a body.
    BodyProblems extends SiteProblems: "RequestTimeout", "PayloadTooLarge";
}

/// Of the JSON-RPC route: the same statuses, but the body is a JSON-RPC response, unless the request is refused before the handler.
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
                .description("The status as of other routes; the body is a JSON-RPC error response")
                .content(
                    "application/json",
                    schema("RpcErrorResponse")
                        .examples_from_iter([("refused", example.build())])
                        .build(),
                );
            // Refused before the handler runs.
            let before = match status.as_str() {
                "400" | "401" | "403" | "415" => Some("unauthorized"),
                "503" => Some("no_descriptors"),
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

/// A recorded problem.
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
            (problem.status(), component.into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unknown name would be left out of its set silently.
    #[test]
    fn sets_contain_all_they_name() {
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
