//! The OpenAPI document of this service's own routes, made when the service starts.
//!
//! Each handler describes its parameters and responses in `#[utoipa::path]`; the routes list the handlers. What is added here: headers,
//! security schemes, shared problems, and examples, which are recorded requests and responses (`openapi/examples.json`). The document is committed as `openapi/openapi.json`, and a test compares the two.

use std::collections::BTreeMap;

use actix_web::http::Method;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Response, Schema};
use utoipa::{IntoParams as _, OpenApi as _};

use crate::api::openapi::mcp::{CallToolResult, RpcErrorResponse};
use crate::api::openapi::problems;
use crate::api::request::parameters::{
    Appearance, Init, ModelApi, RequestId, ResourceForm, ToolForm, Version, View,
};

use crate::api::error::problem;
use crate::api::routes::{Access, Operations, ROUTES};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(description = "\
Any MCP server as plain REST. The answer to a call is the server's own `result`, byte for byte; everything else is a \
problem (RFC 9457), whose `code` names the cause.

A GET route answers HEAD as well. A path segment is percent-encoded once: the tool `a/b` is `a%2Fb`. A slash at the end \
of a path is accepted. Where API keys are configured, every route under `/api/` requires one."),
    servers((url = "http://127.0.0.1:8080", description = "This service")),
    tags(
        (name = "tools", description = "List, describe and call the tools of a server"),
        (name = "resources", description = "List and read the resources of a server"),
        (name = "prompts", description = "List and get the prompts of a server"),
        (name = "sessions", description = "Sessions belong to servers and callers: this service keeps none"),
        (name = "servers", description = "The configured servers"),
        (name = "service", description = "This service itself"),
    ),
    components(schemas(problem::Problem<'_>, CallToolResult, RpcErrorResponse, ResourceForm, ToolForm, Init, Appearance, Version, View, ModelApi)),
)]
struct Document;

/// Recorded bodies by operation id and the example's name, problems by name, values of optional parameters by the parameter's
/// name.
#[derive(Deserialize)]
struct Examples {
    parameters: Named,
    requests: BTreeMap<String, Named>,
    results: BTreeMap<String, Named>,
    problems: Named,
}

type Named = BTreeMap<String, Value>;

/// A response header: name, description, example.
type Header = (&'static str, &'static str, &'static str);

/// The headers of every response that a program may want to read.
const EVERYWHERE: [Header; 2] = [
    (
        "X-Request-Id",
        "The id of this request, in the log as well: the caller's, or a new one",
        "7f3a0c52e9d84b16a1c05e6f2b9d8e40",
    ),
    (
        "Server-Timing",
        "Milliseconds before the operation (negotiation, handshake), in the operation, and in this service",
        "handshake;dur=0.038, upstream;dur=0.895, gateway;dur=0.410",
    ),
];

/// The headers that an operation or a problem names.
const NAMED: [Header; 10] = [
    (
        "Mcp-Session-Id",
        "The session in use, to be sent with the next request; absent where there is none",
        "01JZ4T8Q6W3N5V7Y9B2D4F6H8K",
    ),
    (
        "Mcp-Tool-Error",
        "`true` if the tool reported an error (`isError`); absent otherwise",
        "true",
    ),
    (
        "WWW-Authenticate",
        "How to authenticate: to this service, or the server's own header, unchanged",
        "Bearer realm=\"mcp-rest\"",
    ),
    (
        "Accept-Encoding",
        "Supported content codings, after an unsupported one; absent if the media type was wrong",
        "gzip",
    ),
    ("Allow", "The methods of this path", "GET, HEAD"),
    (
        "Retry-After",
        "When to retry: as the server says, else 1 second",
        "30",
    ),
    (
        "ETag",
        "The entity tag of this response, for `If-None-Match`",
        "\"r3Zb1nC0Jx2Qm7yT4uVwXg\"",
    ),
    (
        "Cache-Control",
        "How long the response may be cached, as the server says",
        "private, max-age=300",
    ),
    (
        "Content-Disposition",
        "Whether a browser may display the content, and the file name to save it under",
        "inline; filename=\"notes.md\"",
    ),
    (
        "Location",
        "The page, with a slash at the end, which its relative paths need",
        "/swagger-ui/",
    ),
];

/// The document as it is served and committed.
pub fn document() -> Result<Bytes, serde_json::Error> {
    let examples: Examples = serde_json::from_str(include_str!("openapi/examples.json"))?;
    let mut document = Document::openapi();
    document.merge(Operations::openapi());
    let mut components = document.components.take().unwrap_or_default();
    components
        .responses
        .extend(problems::components(&examples.problems));
    for (access, operation) in operations(&mut document) {
        operation.security = Some(security(access));
        let parameters = operation.parameters.get_or_insert_default();
        parameters.extend(RequestId::into_params(|| None).into_iter().map(RefOr::T));
        let id = operation.operation_id.clone().unwrap_or_default();
        add_parameter_examples(operation, &id, &examples.parameters);
        add_body_examples(
            operation,
            examples.requests.get(&id),
            examples.results.get(&id),
        );
        own_responses(operation).for_each(add_headers);
    }
    components
        .responses
        .values_mut()
        .filter_map(owned)
        .for_each(add_headers);
    describe_headers(&mut components);
    describe_keys(&mut components);
    document.components = Some(components);
    let mut text = document.to_pretty_json()?;
    text.push('\n');
    Ok(text.into())
}

/// Each operation, and who may use its route.
fn operations(document: &mut OpenApi) -> impl Iterator<Item = (Access, &mut Operation)> {
    document.paths.paths.iter_mut().flat_map(|(path, item)| {
        let methods = [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::DELETE, &mut item.delete),
        ];
        methods.into_iter().filter_map(move |(method, operation)| {
            let mut routes = ROUTES.iter();
            let route = routes.find(|route| route.method == method && route.path == path)?;
            Some((route.access, operation.as_mut()?))
        })
    })
}

/// The responses of one operation that it does not share.
fn own_responses(operation: &mut Operation) -> impl Iterator<Item = &mut Response> {
    operation.responses.responses.values_mut().filter_map(owned)
}

fn owned<T>(value: &mut RefOr<T>) -> Option<&mut T> {
    match value {
        RefOr::T(value) => Some(value),
        RefOr::Ref(_) => None,
    }
}

// === examples ===

/// The values go into the schemas: Swagger UI would fill in those beside a schema. `operation.parameter` is the example of a parameter
/// that has another meaning in one operation.
fn add_parameter_examples(operation: &mut Operation, id: &str, examples: &Named) {
    let parameters = operation.parameters.iter_mut().flatten();
    for parameter in parameters.filter_map(owned) {
        let schema = parameter.schema.as_mut().and_then(owned);
        let here = examples.get(&format!("{id}.{}", parameter.name));
        let value = here.or_else(|| examples.get(&parameter.name));
        if let (Some(Schema::Object(schema)), Some(value)) = (schema, value) {
            schema.examples = vec![value.clone()];
        }
    }
}

fn add_body_examples(operation: &mut Operation, requests: Option<&Named>, results: Option<&Named>) {
    let request = operation.request_body.as_mut().and_then(owned);
    let request = request
        .into_iter()
        .flat_map(|body| body.content.values_mut());
    for content in request.filter_map(owned) {
        exclude_null(content);
        exemplify(content, requests);
    }
    let structured = results.map(structured);
    // Errors have their own examples.
    let success = operation.responses.responses.get_mut("200");
    if let Some(response) = success.and_then(owned) {
        for (media_type, content) in &mut response.content {
            let examples = match media_type.as_str() {
                "application/json" => results,
                "application/vnd.mcp.structured+json" | "application/vnd.mcp.value+json" => {
                    structured.as_ref()
                }
                _ => None,
            };
            if let Some(content) = owned(content) {
                exemplify(content, examples);
            }
        }
    }
}

/// The `structuredContent` of the same results.
fn structured(results: &Named) -> Named {
    let structured = results.iter().filter_map(|(name, result)| {
        let content = result.get("structuredContent")?;
        Some((name.clone(), content.clone()))
    });
    structured.collect()
}

fn exemplify(content: &mut Content, examples: Option<&Named>) {
    for (name, value) in examples.into_iter().flatten() {
        let example = ExampleBuilder::new().value(Some(value.clone())).build();
        content.examples.insert(name.clone(), example.into());
    }
}

/// utoipa describes an optional body as one that may be `null`, which it may not.
fn exclude_null(content: &mut Content) {
    if let Some(RefOr::T(Schema::OneOf(choice))) = &content.schema {
        content.schema = choice.items.first().cloned();
    }
}

// === headers ===

/// Replaces the headers of a response by references to their descriptions.
fn add_headers(response: &mut Response) {
    let own: Vec<String> = response.headers.keys().cloned().collect();
    let everywhere = EVERYWHERE.map(|(name, _, _)| name.to_owned());
    for name in own.into_iter().chain(everywhere) {
        let place = format!("#/components/headers/{name}");
        response.headers.insert(name, RefOr::Ref(Ref::new(place)));
    }
}

fn describe_headers(components: &mut Components) {
    for (name, description, example) in EVERYWHERE.into_iter().chain(NAMED) {
        let header = HeaderBuilder::new()
            .description(Some(description))
            .example(Some(json!(example)));
        components
            .headers
            .insert(name.to_owned(), header.build().into());
    }
}

// === keys ===

const API_KEY: &str = "apiKey";
const BEARER: &str = "bearer";

/// A key in either form, or none; nothing where keys are never checked.
fn security(access: Access) -> Vec<SecurityRequirement> {
    if matches!(access, Access::Public | Access::Liveness) {
        return vec![];
    }
    let scopes: [&str; 0] = [];
    vec![
        SecurityRequirement::default(),
        SecurityRequirement::new(API_KEY, scopes),
        SecurityRequirement::new(BEARER, scopes),
    ]
}

fn describe_keys(components: &mut Components) {
    const WHEN: &str = "Required where keys are configured. Never forwarded to a server";
    let header = ApiKey::Header(ApiKeyValue::with_description("X-API-Key", WHEN));
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(WHEN));
    components.security_schemes.extend([
        (API_KEY.to_owned(), SecurityScheme::ApiKey(header).into()),
        (
            BEARER.to_owned(),
            SecurityScheme::Http(bearer.build()).into(),
        ),
    ]);
}
