//! The parameters that routes share. `request` reads them; here is what a caller is told of them.

#![expect(
    dead_code,
    reason = "these types describe parameters, which are read one by one"
)]

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

/// Which server.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct InServer {
    /// The server's name in the configuration.
    #[param(example = "demo")]
    server: String,
}

/// Which tool.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfTool {
    /// The tool's name.
    #[param(example = "add")]
    tool: String,
}

/// Which prompt.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfPrompt {
    /// The prompt's name.
    #[param(example = "greet")]
    prompt: String,
}

/// Which template, with which variables.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExpandTemplate {
    /// The template (RFC 6570). Every other parameter is a variable; several of one name are a list. `arg.NAME` is the variable
    /// NAME, also where NAME is a parameter of this service.
    #[param(required = true, format = "uri-template", min_length = 1)]
    template: String,
}

/// Which resource, and in which form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReadResource {
    /// The resource.
    uri: Option<String>,
    /// Instead of `uri`: a template (RFC 6570), with every other parameter as a variable. See `templates/expand`.
    template: Option<String>,
    /// `mcp` answers with the server's `result`, `content` with what is in it. What `Accept` says, if absent.
    #[param(nullable = false)]
    result: Option<ResourceForm>,
}

/// In which form a resource is wanted.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum ResourceForm {
    Mcp,
    Content,
}

/// In which form a tool's result is wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResultForm {
    /// `mcp` answers with the server's `result`, `structured` with its `structuredContent` alone, `text` with its texts alone. What
    /// `Accept` says, if absent.
    #[param(nullable = false)]
    result: Option<ToolForm>,
}

/// In which form a result is wanted.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = ResultForm)]
pub(crate) enum ToolForm {
    Mcp,
    Structured,
    Text,
}

/// Which asset of Swagger UI.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct Asset {
    /// The asset; the page itself without one.
    #[param(example = "index.html")]
    file: String,
}

/// What to look for, and where.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// Words that all must occur in a tool's name, title, description or server, if only as parts of words.
    q: Option<String>,
    /// How many tools at most.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u16>,
    /// Only this server.
    server: Option<String>,
}

/// Everything else in the query, as the arguments of a tool.
pub(crate) struct ArgumentsInQuery;

impl IntoParams for ArgumentsInQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![all_others(
            "arguments",
            "The arguments, each as a parameter of its own name",
        )]
    }
}

/// Everything else in the query, as the variables of a template.
pub(crate) struct VariablesInQuery;

impl IntoParams for VariablesInQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![all_others(
            "variables",
            "The variables of the template, each as a parameter of its own name",
        )]
    }
}

/// Parameters whose names are not known beforehand: a member of this object each (OpenAPI 3.1, "Style Values", `form`).
fn all_others(name: &str, description: &str) -> Parameter {
    let any =
        ObjectBuilder::new().additional_properties(Some(AdditionalProperties::FreeForm(true)));
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .style(Some(ParameterStyle::Form))
        .explode(Some(true))
        .schema(Some(any.build()))
        .build()
}

/// Which part of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// The `nextCursor` of the page before; an empty one is a cursor too. Not together with `all=true`.
    cursor: Option<String>,
    /// Every page, as one list.
    #[param(default = false)]
    all: Option<bool>,
}

/// Whether to open and to end a session around the operation. Nothing where a server has no sessions.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Handshake {
    /// `true` opens a session first; it is the caller's, and `Mcp-Session-Id` names it. `false` never opens one. `auto`
    /// opens one only if the server wants it, and ends it again.
    #[param(nullable = false)]
    init: Option<Init>,
    /// End the session in use after the answer.
    #[param(default = false)]
    close: Option<bool>,
}

/// Whether a session is opened first.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", default = "auto")]
pub(crate) enum Init {
    True,
    False,
    Auto,
}

/// What becomes of an error that a tool reports.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct OnToolError {
    /// `result` answers 200 with the result, `status` 422 `tool_error` with the result inside. What the server's
    /// configuration says, `result` in general, if absent.
    #[param(nullable = false)]
    tool_errors: Option<Appearance>,
}

/// What becomes of an error that a tool reports.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase", as = ToolErrors)]
pub(crate) enum Appearance {
    Result,
    Status,
}

/// Which session, in the query or in a header.
pub(crate) struct Session;

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct SessionQuery {
    /// The caller's session. Counts before the header. Empty and `null` mean none.
    #[param(max_length = 1024, pattern = "^[!-~]*$")]
    session_id: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct SessionHeader {
    /// The caller's session, as an answer has named it. Empty and `null` mean none.
    #[param(
        rename = "Mcp-Session-Id",
        max_length = 1024,
        pattern = "^[!-~]*$",
        nullable = false
    )]
    session_id: Option<String>,
}

impl IntoParams for Session {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [
            SessionQuery::into_params(&place),
            SessionHeader::into_params(&place),
        ]
        .concat()
    }
}

/// How long to wait, in the query or in a header.
pub(crate) struct Deadline;

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
struct DeadlineHeader {
    /// `wait=N` (RFC 7240): the same in seconds. Other preferences are ignored.
    #[param(rename = "Prefer", nullable = false)]
    prefer: Option<String>,
}

impl IntoParams for Deadline {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let in_query = ParameterBuilder::new()
            .name("timeoutMs")
            .parameter_in(ParameterIn::Query)
            .description(Some(
                "A deadline for the whole request in milliseconds, if it is lower than the server's.",
            ))
            .schema(Some(just_milliseconds()))
            .build();
        let mut parameters = vec![in_query];
        parameters.extend(DeadlineHeader::into_params(place));
        parameters
    }
}

/// A whole number above 0, of any size: what is larger than the server's own deadline changes nothing.
fn just_milliseconds() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .build()
}

/// The same or `null` in a body.
pub(crate) fn milliseconds() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
        .description(Some("A deadline lower than the server's, in milliseconds."))
        .minimum(Some(1))
        .build()
}

/// By which id the request is to be known. Of every route.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct RequestId {
    /// An id for this request, for the answer and the log. 1 to 256 of `A-Z a-z 0-9 _ -`; any other is replaced.
    #[param(rename = "X-Request-Id", nullable = false)]
    request_id: Option<String>,
}
