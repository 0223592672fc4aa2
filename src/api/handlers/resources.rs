//! Resources: list resources and templates, expand a template, read a resource as MCP's result or as its content.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderValue, VARY};
use actix_web::mime::Mime;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::api::error::kinds::{Error, Task};
use crate::api::handlers::tools::list_of;
use crate::api::openapi::mcp::{
    ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult,
};
use crate::api::openapi::problems::{ListProblems, NamedServerProblems, ReadProblems};
use crate::api::request::accept::Accept;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::request::parameters::{
    Deadline, DeadlineInQuery, ExpandTemplate, Handshake, InServer, Page, ReadResource,
    ResourceForm, Session, SessionInQuery, VariablesInQuery,
};
use crate::api::response::conditional::conditional;
use crate::api::response::json;
use crate::json::{for_each_element, named, text_of};
use crate::mcp::protocol::error::{Error as Cause, Executed, Failure, Stage};
use crate::mcp::protocol::lists::{Freshness, Listing};
use crate::uri_template::Unexpandable;
use crate::{offload, uri_template};

const JSON: &str = "application/json";
/// Media types that one resource is offered in.
const MOST_TYPES: usize = 100;

/// An expanded URI template.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Expanded {
    /// The URI.
    uri: String,
}

/// List a server's resources
///
/// One page of the server's `resources/list`, or all of it with `all=true`.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/resources",
    operation_id = "listResources",
    tag = "resources",
    params(InServer, Page, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`", body = ListResourcesResult, headers(("Mcp-Session-Id"))),
        ListProblems,
    ),
)]
pub(crate) async fn list(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    list_of(context, Listing::Resources, Task::ListResources).await
}

/// List a server's resource templates
///
/// One page of the server's `resources/templates/list`, or all of it with `all=true`.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/resources/templates",
    operation_id = "listResourceTemplates",
    tag = "resources",
    params(InServer, Page, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`", body = ListResourceTemplatesResult,
            headers(("Mcp-Session-Id"))),
        ListProblems,
    ),
)]
pub(crate) async fn list_templates(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    list_of(context, Listing::ResourceTemplates, Task::ListResources).await
}

/// Expand a URI template
///
/// RFC 6570, with the variables in the query. No request to the server is made.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/resources/templates/expand",
    operation_id = "expandResourceTemplate",
    tag = "resources",
    params(InServer, ExpandTemplate, VariablesInQuery),
    responses(
        (status = 200, description = "The URI", body = Expanded),
        NamedServerProblems,
    ),
)]
pub(crate) async fn expand(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    context.server()?;
    let template = ExpandTemplate::of(&context.query)?.template;
    let template = template
        .filter(|template| !template.is_empty())
        .ok_or_else(|| Error::invalid("Give the template in 'template'"))?;
    let uri = expanded(context, template, &[ExpandTemplate::NAMES])?;
    Ok(json::value(&Expanded { uri }))
}

/// Read a resource
///
/// MCP's result; or, by `Accept` or `result=content`, the content in its own media type.
#[utoipa::path(
    get,
    path = "/api/mcp/{server}/resources/read",
    operation_id = "readResource",
    tag = "resources",
    params(InServer, ReadResource, VariablesInQuery, Session, Handshake, Deadline),
    responses(
        (status = 200, description = "The server's `result`, or the content in its own media type", content(
            (ReadResourceResult = "application/json"),
            (Value = "*/*"),
        ), headers(("Mcp-Session-Id"), ("ETag"), ("Cache-Control"), ("Content-Disposition"))),
        (status = 304, description = "Not modified", headers(("ETag"))),
        ReadProblems,
    ),
)]
pub(crate) async fn read(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    let server = context.server()?;
    let wanted = ReadResource::of(&context.query)?;
    let uri = wanted_uri(context, &wanted)?;
    let only_content = wanted.form.map(|form| form == ResourceForm::Content);
    let options = options::of(context, server, None)?;
    let deadline = options.deadline;
    let mut client = context.state.pool.client(server, options);
    let outcome = client.read_resource(&uri).await;
    context.note_timing(&mut client);
    let result = outcome.map_err(|failure| Error::upstream(Task::ReadResource, failure))?;
    let accept = Accept::of(context.request.headers());
    let whole = result.clone();
    let look = move || {
        let chosen = choose(&whole, &accept, only_content);
        (freshness_of(&whole), chosen)
    };
    let looked = offload::run(result.len(), look).await;
    let (freshness, chosen) = looked.ok_or(Error::Internal)?;
    let response = match chosen {
        Ok(None) => json::verbatim(result),
        Ok(Some(content)) => content.into_response(&uri),
        Err(error) => {
            client.fail();
            return Err(error);
        }
    };
    // Only now: a session opened for a request that fails is not released to the caller.
    let session = client.release_session();
    let response = conditional(context, response, freshness, deadline).await;
    Ok(json::with_session(response, session.as_ref()))
}

/// The URI to read: given as it is, or as a template.
fn wanted_uri(context: &Context<'_>, wanted: &ReadResource<'_>) -> Result<String, Error> {
    match (wanted.uri, wanted.template) {
        (Some(uri), None) if !uri.is_empty() => Ok(uri.to_owned()),
        (None, Some(template)) if !template.is_empty() => {
            expanded(context, template, READ_PARAMETERS)
        }
        _ => Err(Error::invalid(
            "Name the resource in 'uri', or by 'template' and its variables",
        )),
    }
}

/// Parameters that are not variables of a template.
const READ_PARAMETERS: &[&[&str]] = &[
    ReadResource::NAMES,
    SessionInQuery::NAMES,
    Handshake::NAMES,
    DeadlineInQuery::NAMES,
];

/// A template, expanded with the variables in the query. A variable given more than once is a list; `arg.NAME` is a variable with the
/// name of a parameter.
fn expanded(
    context: &Context<'_>,
    template: &str,
    not_variables: &[&[&str]],
) -> Result<String, Error> {
    let variables = context.query.others(not_variables);
    uri_template::expand(template, &variables).map_err(|error| {
        Error::invalid(match error {
            Unexpandable::NoTemplate => "'template' is no URI template (RFC 6570)",
            Unexpandable::TooLong => "'template' stands for a URI of more than 64 KiB",
        })
    })
}

// === content ===

/// One of a resource's contents, decoded.
struct Content {
    media_type: String,
    bytes: Bytes,
}

/// The negotiated content; `None` for MCP's result.
fn choose(
    result: &Bytes,
    accept: &Accept,
    only_content: Option<bool>,
) -> Result<Option<Content>, Error> {
    if only_content == Some(false) {
        return Ok(None);
    }
    let contents = contents(result);
    let whole = std::iter::once(JSON).filter(|_| only_content.is_none());
    let types = contents.iter().map(|(media_type, _)| media_type.as_str());
    let types = types.filter(|it| only_content.is_some() || *it != JSON);
    let offers: Vec<&str> = whole.chain(types).collect();
    let Some(best) = accept.best(offers.iter().copied()) else {
        return Err(Error::NotAcceptable {
            available: offers.into_iter().map(ToOwned::to_owned).collect(),
            executed: Executed::Yes,
            result: None,
            session: None,
        });
    };
    if only_content.is_none() && best == JSON {
        return Ok(None);
    }
    let chosen = contents
        .iter()
        .find(|(media_type, _)| media_type == best)
        .and_then(|(media_type, item)| Content::decode(media_type, item));
    chosen.map(Some).ok_or_else(|| {
        let cause = Cause::Malformed("a content that is neither text nor Base64".into());
        let failure = Failure::new(cause, Stage::Operation, Executed::Yes);
        Error::upstream(Task::ReadResource, failure)
    })
}

/// The first content of each media type in a result.
fn contents(result: &[u8]) -> Vec<(String, &RawValue)> {
    let text = std::str::from_utf8(result).unwrap_or_default();
    let [list] = named(text, ["contents"]).unwrap_or_default();
    let list = list.map_or("", RawValue::get).as_bytes();
    let mut contents: Vec<(String, &RawValue)> = Vec::new();
    // Anything but an array counts as empty.
    let _ = for_each_element(list, |item| {
        let Ok([said, blob]) = named(item.get(), ["mimeType", "blob"]) else {
            return;
        };
        let said = said.and_then(text_of);
        let media_type = match said.filter(|said| json::media_type(said).is_some()) {
            Some(said) => said,
            None if blob.is_some() => "application/octet-stream".into(),
            None => "text/plain".into(),
        };
        let is_known = contents.iter().any(|(known, _)| *known == media_type);
        if contents.len() < MOST_TYPES && !is_known {
            contents.push((media_type.into_owned(), item));
        }
    });
    contents
}

impl Content {
    fn decode(media_type: &str, item: &RawValue) -> Option<Self> {
        let [blob, text] = named(item.get(), ["blob", "text"]).ok()?;
        let bytes = match blob {
            Some(blob) => BASE64_STANDARD.decode(text_of(blob)?.trim()).ok()?,
            None => text_of(text?)?.into_owned().into_bytes(),
        };
        let is_text = blob.is_none();
        let media_type = if is_text && media_type.starts_with("text/") && !media_type.contains(';')
        {
            format!("{media_type}; charset=utf-8")
        } else {
            media_type.to_owned()
        };
        Some(Self {
            media_type,
            bytes: bytes.into(),
        })
    }

    /// The response with this content.
    fn into_response(self, uri: &str) -> HttpResponse {
        let mut response = json::sandboxed(json::body(self.bytes), &self.media_type);
        let headers = response.headers_mut();
        headers.insert(VARY, HeaderValue::from_static("Accept"));
        if let Ok(disposition) = HeaderValue::try_from(disposition(uri, &self.media_type)) {
            headers.insert(CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

/// How a client may show the content, and the name to save it by: in place where no browser runs it, and as the last segment of the
/// URI.
///
/// By hand, for actix's `ContentDisposition` leaves `=` and `@` in `filename*`, where RFC 8187 does not allow them.
fn disposition(uri: &str, media_type: &str) -> String {
    /// Left as they are (a part of `attr-char`, RFC 8187).
    const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');
    let media_type = json::media_type(media_type);
    let essence = media_type.as_ref().map_or("", Mime::essence_str);
    let is_safe = match essence.split_once('/') {
        Some(("image", subtype)) => subtype != "svg+xml",
        Some(("audio" | "video", _)) => true,
        Some(("text", subtype)) => matches!(subtype, "plain" | "markdown" | "csv"),
        Some(("application", subtype)) => matches!(subtype, "json" | "pdf"),
        _ => false,
    };
    let path = uri.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(name).decode_utf8_lossy();
    let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let plain: String = name
        .chars()
        .map(|c| if is_plain(&c) { c } else { '_' })
        .collect();
    let kind = if is_safe { "inline" } else { "attachment" };
    let encoded = utf8_percent_encode(&name, ATTR_CHAR);
    if name.is_empty() {
        kind.to_owned()
    } else if plain == name {
        format!("{kind}; filename=\"{plain}\"")
    } else {
        format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
    }
}

fn freshness_of(result: &[u8]) -> Freshness {
    let text = std::str::from_utf8(result).unwrap_or_default();
    let [ttl, scope] = named(text, ["ttlMs", "cacheScope"]).unwrap_or_default();
    Freshness::said(ttl, scope)
}

#[cfg(test)]
mod tests {
    use crate::api::handlers::resources::disposition;

    #[test]
    fn harmless_types_are_shown_in_place() {
        for (uri, media_type, written) in [
            (
                "demo://a/b.txt",
                "text/plain; charset=utf-8",
                "inline; filename=\"b.txt\"",
            ),
            (
                "demo://a/b.html",
                "text/html",
                "attachment; filename=\"b.html\"",
            ),
            (
                "demo://a/x.svg",
                "image/svg+xml",
                "attachment; filename=\"x.svg\"",
            ),
            ("demo://a/", "image/png", "inline"),
            (
                "demo://a/gr%C3%BC%22n.txt",
                "text/plain",
                "inline; filename=\"gr__n.txt\"; filename*=UTF-8''gr%C3%BC%22n.txt",
            ),
            (
                "demo://a/a%3D3@b",
                "text/plain",
                "inline; filename=\"a_3_b\"; filename*=UTF-8''a%3D3%40b",
            ),
        ] {
            assert_eq!(disposition(uri, media_type), written);
        }
    }
}
