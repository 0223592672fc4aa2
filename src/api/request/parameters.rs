//! Request parameters: each is declared once, as a struct field with its name and its parser; its OpenAPI description and its parsing are
//! derived from that. A new parameter is a new field. Path parameters are captured by the routes; they are only described here.

#[cfg(test)]
mod tests;

use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName};
use serde::de::{Deserialize as _, Deserializer, Error as _};
use serde_json::value::RawValue;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{AdditionalProperties, Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

use crate::api::error::kinds::Error;
use crate::api::request::headers::single_header;
use crate::api::request::numbers::{Milliseconds, whole};
use crate::api::request::query::Query;
use crate::mcp::protocol::header::{SESSION_ID, SessionId};

const PREFER: HeaderName = HeaderName::from_static("prefer");
/// What `limit` of a search may be at most.
const MOST_FOUND: u16 = 1000;

/// Makes groups of parameters. A row: what it means, its field, its name, its type, and what reads it.
macro_rules! parameters {
    ($(
        $(#[$about:meta])*
        $group:ident $(<$life:lifetime>)? in $place:ident ($source:ty) {
            $($(#[$meta:meta])* $field:ident $name:literal: $type:ty = $read:path,)+
        }
    )+) => {$(
        $(#[$about])*
        #[derive(IntoParams)]
        #[into_params(parameter_in = $place)]
        pub(crate) struct $group $(<$life>)? {
            $($(#[$meta])* #[param(rename = $name)] pub(crate) $field: $type,)+
        }

        impl $(<$life>)? $group $(<$life>)? {
            /// The names of these parameters.
            #[allow(dead_code, reason = "only some groups go along with parameters of any name")]
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),+];

            /// Reads these parameters; an error if one of them is not what it must be.
            pub(crate) fn of(source: &$($life)? $source) -> Result<Self, Error> {
                Ok(Self { $($field: $read(source, $name)?,)+ })
            }
        }
    )+};
}

/// Makes parameters whose values are words.
macro_rules! choices {
    ($(
        $(#[$meta:meta])*
        $choice:ident { $($variant:ident = $word:literal),+ }
    )+) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
        $(#[$meta])*
        pub(crate) enum $choice {
            $(#[schema(rename = $word)] $variant),+
        }

        impl $choice {
            /// All of them.
            #[allow(dead_code, reason = "for tests over all of them")]
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn of(query: &Query, name: &str) -> Result<Option<Self>, Error> {
                match query.get(name)? {
                    None => Ok(None),
                    $(Some($word) => Ok(Some(Self::$variant)),)+
                    Some(_) => Err(Self::missing(name)),
                }
            }

            /// The error of a value that is none of these, or of none.
            pub(crate) fn missing(name: &str) -> Error {
                not_one_of(name, &[$($word),+])
            }
        }
    )+};
}

/// Makes one name for groups that belong together.
macro_rules! together {
    ($($(#[$meta:meta])* $name:ident: $($group:ident),+;)+) => {$(
        $(#[$meta])*
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                [$($group::into_params(&place)),+].concat()
            }
        }
    )+};
}

parameters! {
    /// The template to expand.
    ExpandTemplate<'a> in Query(Query) {
        /// The template (RFC 6570). Every other parameter is a variable; several of one name are a list. `arg.NAME` is the variable
        /// NAME, also where NAME is a parameter of this service.
        #[param(required = true, format = "uri-template", min_length = 1)]
        template "template": Option<&'a str> = Query::get,
    }

    /// The resource to read, and its representation.
    ReadResource<'a> in Query(Query) {
        /// The resource.
        uri "uri": Option<&'a str> = Query::get,
        /// Instead of `uri`: a template (RFC 6570), with every other parameter as a variable. See `templates/expand`.
        template "template": Option<&'a str> = Query::get,
        /// `mcp` answers with the server's `result`, `content` with its content. By `Accept` if absent.
        #[param(nullable = false)]
        form "result": Option<ResourceForm> = ResourceForm::of,
    }

    /// The representation of a tool's result.
    ResultForm in Query(Query) {
        /// `mcp` answers with the server's `result`; `value` with its value: `structuredContent` if there is, else the JSON or the text
        /// of the content (see `application/vnd.mcp.value+json`); `structured` with `structuredContent` only, `text` with the texts
        /// only, `image` or `audio` with the first one. If absent: by `Accept`, else as configured, else `mcp`.
        #[param(nullable = false)]
        form "result": Option<ToolForm> = ToolForm::of,
    }

    /// A search for tools.
    Search<'a> in Query(Query) {
        /// Words, or parts of words, that must all occur in a tool's name, title, description or server.
        words "q": Option<&'a str> = Query::get,
        /// The maximum number of tools; 50 if absent.
        #[param(minimum = 1, maximum = 1000)]
        limit "limit": Option<u16> = limit,
        /// Restricts the search to this server.
        server "server": Option<&'a str> = Query::get,
    }

    /// The version of OpenAPI that a document is written in.
    DocumentVersion in Query(Query) {
        /// `3.0` answers with OpenAPI 3.0.3, for consumers that read nothing newer; `x-mcp-lossy` lists what it cannot say. Otherwise
        /// it is OpenAPI 3.1.
        #[param(nullable = false)]
        version "openapi": Option<Version> = Version::of,
    }

    /// The API of a model that the tools are for.
    ForModel in Query(Query) {
        /// Definitions for the `tools` parameter of this API instead: `{"tools", "count", "total", "lossy", "failedServers"}`.
        #[param(nullable = false)]
        format "format": Option<ModelApi> = ModelApi::of,
    }

    /// The API of the model that made the calls.
    OfModel in Query(Query) {
        /// The API whose tool calls these are, and whose messages the response has.
        #[param(required = true, nullable = false)]
        format "format": Option<ModelApi> = ModelApi::of,
    }

    /// The page of a list.
    Page<'a> in Query(Query) {
        /// The `nextCursor` of the page before; an empty one is a cursor too. Not together with `all=true`.
        cursor "cursor": Option<&'a str> = Query::get,
        /// All pages as one list.
        #[param(nullable = false)]
        all "all": Option<bool> = Query::flag,
    }

    /// How much a document of tools holds.
    InDocument in Query(Query) {
        /// `lean` has what a caller of the tools needs, and no parameter of this service's. `full` has every parameter, header, media
        /// type and error of a call, and the schemas with all that the server has written. The default is `lean`.
        #[param(nullable = false)]
        view "view": Option<View> = View::of,
    }

    /// Whether to open and to end a session around the operation. Ignored for a server without sessions.
    Handshake in Query(Query) {
        /// `true` opens a session first; the caller owns it, and `Mcp-Session-Id` names it. `false` never opens one. `auto`
        /// opens one only if the server requires it, and ends it again.
        #[param(nullable = false)]
        init "init": Option<Init> = Init::of,
        /// End the session in use after the response.
        #[param(nullable = false)]
        close "close": Option<bool> = Query::flag,
    }

    /// How a tool error is reported.
    OnToolError in Query(Query) {
        /// `result` answers 200 with the result, `status` 422 `tool_error` with the result inside. The default is
        /// the server's configuration, else `result`.
        #[param(nullable = false)]
        tool_errors "toolErrors": Option<Appearance> = Appearance::of,
    }

    /// The session, in the query.
    SessionInQuery in Query(Query) {
        /// The caller's session. Overrides the header. Empty and `null` mean none.
        #[param(value_type = Option<String>, max_length = 1024, pattern = "^[!-~]*$")]
        session "sessionId": Option<SessionId> = session_in_query,
    }

    /// The session, in a header.
    SessionInHeader in Header(HeaderMap) {
        /// The caller's session, as named by an earlier response. Empty and `null` mean none.
        #[param(value_type = Option<String>, max_length = 1024, pattern = "^[!-~]*$", nullable = false)]
        session "Mcp-Session-Id": Option<SessionId> = session_in_header,
    }

    /// How long to wait, in the query.
    DeadlineInQuery in Query(Query) {
        /// A deadline for the whole request in milliseconds, if lower than the server's.
        #[param(inline, value_type = Milliseconds, required = false)]
        timeout_ms "timeoutMs": Option<u64> = timeout_ms,
    }

    /// How long to wait, in a header.
    DeadlineInHeader in Header(HeaderMap) {
        /// `wait=N` (RFC 7240): the same in seconds. Other preferences are ignored.
        #[param(value_type = Option<String>, nullable = false)]
        wait "Prefer": Option<Duration> = preferred_wait,
    }
}

choices! {
    /// The representation of a resource.
    ResourceForm { Mcp = "mcp", Content = "content" }

    /// The representation of a result.
    #[schema(as = ResultForm)]
    ToolForm { Mcp = "mcp", Value = "value", Structured = "structured", Text = "text", Image = "image", Audio = "audio" }

    /// How much a document of tools holds.
    View { Lean = "lean", Full = "full" }

    /// A version of OpenAPI.
    #[schema(as = OpenApiVersion)]
    Version { V31 = "3.1", V30 = "3.0" }

    /// The API of a model: Chat Completions, Responses, Messages, `generateContent`, `/api/chat`.
    ModelApi {
        OpenAi = "openai", OpenAiResponses = "openai-responses", Anthropic = "anthropic", Gemini = "gemini", Ollama = "ollama"
    }

    /// Whether a session is opened first; `auto` if absent.
    Init { True = "true", False = "false", Auto = "auto" }

    /// How a tool error is reported.
    #[schema(as = ToolErrors)]
    Appearance { Result = "result", Status = "status" }
}

together! {
    /// Which session, in the query or in a header.
    Session: SessionInQuery, SessionInHeader;
    /// How long to wait, in the query or in a header.
    Deadline: DeadlineInQuery, DeadlineInHeader;
}

// === reading ===

fn not_one_of(name: &str, words: &[&str]) -> Error {
    let (last, others) = words.split_last().unwrap_or((&"", &[]));
    let others = others.join(", ");
    Error::invalid(format!("The parameter '{name}' must be {others} or {last}"))
}

fn limit(query: &Query, name: &str) -> Result<Option<u16>, Error> {
    let Some(written) = query.get(name)? else {
        return Ok(None);
    };
    let number = written.parse().ok();
    let limit = number.filter(|limit| (1..=MOST_FOUND).contains(limit));
    limit.map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "The parameter '{name}' must be a number from 1 to {MOST_FOUND}"
        ))
    })
}

fn session_in_query(query: &Query, name: &str) -> Result<Option<SessionId>, Error> {
    let id = query.get(name)?;
    id.map_or(Ok(None), |id| session_id(id.as_bytes()))
}

fn session_in_header(headers: &HeaderMap, _: &str) -> Result<Option<SessionId>, Error> {
    let id = single_header(headers, &SESSION_ID)?;
    id.map_or(Ok(None), |id| session_id(id.as_bytes()))
}

/// A session id as a caller gives it; empty and `null` mean none.
pub(crate) fn session_id(bytes: &[u8]) -> Result<Option<SessionId>, Error> {
    if matches!(bytes, b"" | b"null") {
        return Ok(None);
    }
    SessionId::parse(bytes).map(Some).ok_or_else(|| {
        Error::invalid(format!(
            "A session id is 1 to {} characters of visible ASCII",
            SessionId::MAX_LEN
        ))
    })
}

fn timeout_ms(query: &Query, name: &str) -> Result<Option<u64>, Error> {
    let written = query.get(name)?;
    let number = written.map(|written| whole(written).ok_or_else(bad_timeout));
    number.transpose()
}

/// The error of an invalid deadline.
pub(crate) fn bad_timeout() -> Error {
    Error::invalid("'timeoutMs' must be a whole number of milliseconds above 0")
}

/// `timeoutMs` of a body.
pub(crate) fn milliseconds_in_body<'de, D: Deserializer<'de>>(
    body: D,
) -> Result<Option<u64>, D::Error> {
    let Some(written) = <Option<&RawValue>>::deserialize(body)? else {
        return Ok(None);
    };
    let number = whole(written.get());
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom("'timeoutMs' must be a whole number"))
}

/// `Prefer: wait=N` (RFC 7240), in seconds. A preference that is not understood is ignored.
#[expect(clippy::unnecessary_wraps, reason = "others may be refused")]
fn preferred_wait(headers: &HeaderMap, _: &str) -> Result<Option<Duration>, Error> {
    let values = headers.get_all(PREFER);
    let mut preferences = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    Ok(preferences.find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        (name.trim().eq_ignore_ascii_case("wait") && seconds > 0)
            .then(|| Duration::from_secs(seconds))
    }))
}

// === schemas ===

/// The same or `null` in a body.
pub(crate) fn milliseconds() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Integer, Type::Null]))
        .description(Some("A deadline lower than the server's, in milliseconds."))
        .minimum(Some(1))
        .build()
}

/// All other parameters, as the arguments of a tool.
pub(crate) struct ArgumentsInQuery;

impl IntoParams for ArgumentsInQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![all_others(
            "arguments",
            "The arguments, each as a parameter with its own name",
        )]
    }
}

/// All other parameters, as the variables of a template.
pub(crate) struct VariablesInQuery;

impl IntoParams for VariablesInQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![all_others(
            "variables",
            "The variables of the template, each as a parameter with its own name",
        )]
    }
}

/// Parameters with any names: a member of this object each (OpenAPI 3.1, "Style Values", `form`).
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

// === path and request id ===

/// Makes parameters that are only described here: routes capture path segments, the context has the request id.
macro_rules! described {
    ($($(#[$about:meta])* $group:ident in $place:ident { $(#[$meta:meta])* $field:ident: $type:ty })+) => {$(
        $(#[$about])*
        #[derive(IntoParams)]
        #[into_params(parameter_in = $place)]
        #[expect(dead_code, reason = "read elsewhere")]
        pub(crate) struct $group {
            $(#[$meta])*
            $field: $type,
        }
    )+};
}

described! {
    /// Which server.
    InServer in Path {
        /// The server's name in the configuration.
        #[param(example = "demo")]
        server: String
    }

    /// Which tool.
    OfTool in Path {
        /// The tool's name.
        #[param(example = "add")]
        tool: String
    }

    /// Which prompt.
    OfPrompt in Path {
        /// The prompt's name.
        #[param(example = "greet")]
        prompt: String
    }

    /// Which asset of Swagger UI.
    OfAsset in Path {
        /// The asset; the page itself without one.
        #[param(example = "index.html")]
        file: String
    }

    /// The id of the request, on every route.
    RequestId in Header {
        /// An id for this request, in the response and the log. 1 to 256 of `A-Z a-z 0-9 _ -`; any other is replaced.
        #[param(rename = "X-Request-Id", nullable = false)]
        request_id: Option<String>
    }
}
