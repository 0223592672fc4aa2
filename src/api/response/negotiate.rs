//! The representation of a tool's result, negotiated by `Accept`, chosen by `result` in the query, or configured.
//!
//! Without any of these, it is the whole result. Errors are problems, whatever is accepted. How streams are written is `stream`'s, what a
//! result holds is `content`'s.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HeaderValue, Quality};
use bytes::Bytes;

use crate::api::error::kinds::Error;
use crate::api::request::accept::Accept;
use crate::api::request::context::Context;
use crate::api::request::options;
use crate::api::response::content::{self, Media, Parts};
use crate::api::response::json;
use crate::api::response::stream::Frame;
use crate::api::state::State;
use crate::config::servers::{ResultForm, Server};
use crate::mcp::client::operation::ToolResult;
use crate::mcp::http::pieces::Pieces;
use crate::mcp::limits::{Budget, NoRoom};
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SessionId;
use crate::offload;

const EVENTS: &str = Frame::Events.media_type();
const LINES: &str = Frame::Lines.media_type();
const WHOLE: &str = "application/json";
const STRUCTURED: &str = "application/vnd.mcp.structured+json";
const VALUE: &str = "application/vnd.mcp.value+json";
const TEXT: &str = "text/plain";
const IMAGE: &str = "image/*";
const AUDIO: &str = "audio/*";

/// The representation of a result.
#[derive(Debug, Clone)]
pub(crate) enum Representation {
    /// This form, whatever is accepted; of this media type where it is JSON.
    Form(ResultForm, &'static str),
    /// The best match of `Accept`, which is known once the result is. The form is the configured one.
    Negotiated(Accept, ResultForm),
    /// A stream: notifications, then the result in this form, as JSON.
    Stream(Frame, ResultForm),
}

/// Why a result cannot be represented as requested.
enum Missing {
    /// It does not have the form. The media types it can be represented in.
    Form(Vec<String>),
    NoRoom,
}

impl Representation {
    /// As the query and the headers say, else as configured; an error if no result can match `Accept`.
    ///
    /// `result` decides the form, and `Accept` then only whether it is streamed. `application/json` stands for the configured form, if that
    /// is JSON; a form that is asked for has its own media type.
    pub(crate) fn of(context: &Context<'_>, server: &Server) -> Result<Self, Error> {
        let asked = options::result_form(context)?;
        let headers = context.request.headers();
        let form = match (asked, headers.get(ACCEPT).map(HeaderValue::as_bytes)) {
            (Some(form), _) => form,
            (None, None | Some(b"*/*")) => return Ok(Self::configured(server.result)),
            (None, Some(b"application/json")) if is_json(server.result) => {
                return Ok(Self::configured(server.result));
            }
            (None, Some(_)) => return Self::by_accept(Accept::of(headers), server.result),
        };
        let media_type = match form {
            ResultForm::Structured => STRUCTURED,
            ResultForm::Value => VALUE,
            _ => WHOLE,
        };
        match Self::by_accept(Accept::of(headers), form) {
            Ok(streamed @ Self::Stream(..)) => Ok(streamed),
            _ => Ok(Self::Form(form, media_type)),
        }
    }

    const fn configured(form: ResultForm) -> Self {
        Self::Form(form, WHOLE)
    }

    fn by_accept(accept: Accept, form: ResultForm) -> Result<Self, Error> {
        let offers = [
            (WHOLE, accept.quality(WHOLE)),
            (VALUE, accept.quality(VALUE)),
            (STRUCTURED, accept.quality(STRUCTURED)),
            (TEXT, accept.quality(TEXT)),
            (IMAGE, accept.quality_of_kind("image")),
            (AUDIO, accept.quality_of_kind("audio")),
            (EVENTS, accept.quality(EVENTS)),
            (LINES, accept.quality(LINES)),
        ];
        // Of equals, the configured form; `max_by_key` takes the last of those that are still equal.
        let rank = |&&(offer, quality): &&(&str, Quality)| (quality, offer == offered_as(form));
        match offers.iter().rev().max_by_key(rank) {
            Some((_, Quality::ZERO)) | None => Err(unacceptable(&offers.map(|(offer, _)| offer))),
            Some((offer, _)) => Ok(match *offer {
                WHOLE => Self::configured(as_json(form)),
                EVENTS => Self::Stream(Frame::Events, form),
                LINES => Self::Stream(Frame::Lines, form),
                _ => Self::Negotiated(accept, form),
            }),
        }
    }

    /// How to frame a stream, or `None` for the whole result, where there is nothing else to negotiate; an error if neither matches
    /// `Accept`.
    pub(crate) fn frame(context: &Context<'_>) -> Result<Option<Frame>, Error> {
        let offers = [WHOLE, EVENTS, LINES];
        match Accept::of(context.request.headers()).best(offers.into_iter()) {
            Some(EVENTS) => Ok(Some(Frame::Events)),
            Some(LINES) => Ok(Some(Frame::Lines)),
            Some(_) => Ok(None),
            None => Err(unacceptable(&offers)),
        }
    }

    /// The response with a result.
    pub(crate) async fn response(
        &self,
        context: &mut Context<'_>,
        result: &ToolResult,
        session: Option<&SessionId>,
    ) -> Result<HttpResponse, Error> {
        let response = match self {
            Self::Form(ResultForm::Mcp, _) | Self::Stream(..) => {
                json::verbatim(result.bytes.clone())
            }
            other => {
                let representation = other.clone();
                let state = context.state;
                let depth = state.settings.limits.depth;
                let budget = state.pool.budget().clone();
                let work = move |bytes: &Bytes| representation.body(bytes, depth, &budget);
                match content_of(result, work).await? {
                    Ok(body) => body.into_response(&result.bytes),
                    // The session is released nevertheless.
                    Err(Missing::NoRoom) => return Ok(no_room(context, session)),
                    Err(Missing::Form(available)) => {
                        return Err(missing(available, result, session).await);
                    }
                }
            }
        };
        let response = json::with_session(response, session);
        if result.is_error {
            return Ok(json::with_tool_error(response));
        }
        Ok(response)
    }

    /// The body in this representation.
    fn body(&self, bytes: &Bytes, depth: usize, budget: &Budget) -> Result<Body, Missing> {
        let in_form = |form, media_type| body(form, media_type, bytes, depth, budget);
        let (accept, configured) = match self {
            Self::Negotiated(accept, form) => (accept, *form),
            Self::Form(form, media_type) => return in_form(*form, media_type),
            Self::Stream(..) => return Ok(Body::Whole),
        };
        let parts = Parts::of(bytes);
        let mut offers = offers(&parts);
        let is_other = |offer: &String| !matches(offered_as(configured), offer);
        offers.sort_by_key(is_other);
        match accept.best(offers.iter().map(String::as_str)) {
            None => Err(Missing::Form(offers)),
            Some(WHOLE) => in_form(as_json(configured), WHOLE),
            Some(VALUE) => in_form(ResultForm::Value, VALUE),
            Some(STRUCTURED) => in_form(ResultForm::Structured, STRUCTURED),
            Some(TEXT) => in_form(ResultForm::Text, TEXT),
            Some(wanted) => {
                let mut media = parts.media().iter();
                let found = media.find(|media| media.media_type == wanted);
                found.map_or_else(
                    || Err(Missing::Form(offers.clone())),
                    |media| Ok(Body::of_media(media)),
                )
            }
        }
    }
}

/// A result in a form that is part of a JSON document: of an event, or of the response to a batch. A text is a string there, an image or
/// audio `{"mimeType","data"}`.
pub(crate) async fn embedded(
    form: ResultForm,
    state: &State,
    result: &ToolResult,
) -> Result<Pieces, Error> {
    if form == ResultForm::Mcp {
        return Ok(Pieces::of(result.bytes.clone()));
    }
    let depth = state.settings.limits.depth;
    let budget = state.pool.budget().clone();
    let written = content_of(result, move |bytes| embed(form, bytes, depth, &budget));
    match written.await? {
        Ok(written) => Ok(written),
        Err(Missing::NoRoom) => Err(Error::NoRoom(Executed::Yes)),
        Err(Missing::Form(available)) => Err(missing(available, result, None).await),
    }
}

fn embed(
    form: ResultForm,
    bytes: &Bytes,
    depth: usize,
    budget: &Budget,
) -> Result<Pieces, Missing> {
    let written = match form {
        ResultForm::Mcp => Some(Pieces::of(bytes.clone())),
        ResultForm::Value => Some(content::value(bytes, depth, budget)?),
        ResultForm::Structured => Parts::of(bytes).structured().map(Pieces::of),
        ResultForm::Text => match Parts::of(bytes).text() {
            Some(text) => Some(Pieces::json(&text, &[], budget)?),
            None => None,
        },
        ResultForm::Image => content::media_as_json(bytes, "image", budget).transpose()?,
        ResultForm::Audio => content::media_as_json(bytes, "audio", budget).transpose()?,
    };
    written.ok_or_else(|| Missing::Form(offers(&Parts::of(bytes))))
}

/// Does work on a result. It is not withheld once the tool has run, so this may take longer than the deadline.
async fn content_of<T: Send + 'static>(
    result: &ToolResult,
    work: impl FnOnce(&Bytes) -> T + Send + 'static,
) -> Result<T, Error> {
    let bytes = result.bytes.clone();
    let done = offload::run(bytes.len(), move || work(&bytes));
    done.await.ok_or(Error::Internal)
}

/// The body in one form, of this media type if it is JSON.
fn body(
    form: ResultForm,
    media_type: &'static str,
    bytes: &Bytes,
    depth: usize,
    budget: &Budget,
) -> Result<Body, Missing> {
    let json = |pieces| Body::Json(pieces, media_type);
    let parts = match form {
        ResultForm::Mcp => return Ok(Body::Whole),
        ResultForm::Value => return Ok(json(content::value(bytes, depth, budget)?)),
        _ => Parts::of(bytes),
    };
    let body = match form {
        ResultForm::Structured => parts.structured().map(Pieces::of).map(json),
        ResultForm::Image => parts.first_of_kind("image").map(Body::of_media),
        ResultForm::Audio => parts.first_of_kind("audio").map(Body::of_media),
        _ => parts.text().map(|text| {
            let media_type = "text/plain; charset=utf-8";
            Body::Decoded(text.into(), media_type.into())
        }),
    };
    body.ok_or_else(|| Missing::Form(offers(&parts)))
}

// === forms and media types ===

/// What is negotiated for a form.
const fn offered_as(form: ResultForm) -> &'static str {
    match form {
        ResultForm::Text => TEXT,
        ResultForm::Image => IMAGE,
        ResultForm::Audio => AUDIO,
        _ => WHOLE,
    }
}

const fn is_json(form: ResultForm) -> bool {
    matches!(
        form,
        ResultForm::Mcp | ResultForm::Value | ResultForm::Structured
    )
}

/// The form that `application/json` stands for where this one is configured.
const fn as_json(form: ResultForm) -> ResultForm {
    if is_json(form) { form } else { ResultForm::Mcp }
}

/// Whether a media type lies in an offer, which may be a range.
fn matches(offer: &str, media_type: &str) -> bool {
    match offer.strip_suffix('*') {
        Some(kind) => media_type.starts_with(kind),
        None => media_type == offer,
    }
}

/// The most media types of a result that are negotiated: a server may send a million blocks, each of another type.
const MOST_OFFERS: usize = 32;

/// The media types in which a result with these parts can be represented, each once, [`MOST_OFFERS`] at most.
fn offers(parts: &Parts<'_>) -> Vec<String> {
    let structured = parts.structured().map(|_| STRUCTURED);
    let text = parts.has_text().then_some(TEXT);
    let always = [WHOLE, VALUE].into_iter();
    let named = always.chain(structured).chain(text);
    let media = parts.media().iter().map(|media| media.media_type.as_str());
    let mut offers: Vec<String> = Vec::new();
    for offer in named.chain(media) {
        if offers.len() == MOST_OFFERS {
            break;
        }
        if offers.iter().all(|other| other != offer) {
            offers.push(offer.to_owned());
        }
    }
    offers
}

/// No representation can match `Accept`; nothing was sent.
fn unacceptable(available: &[&str]) -> Error {
    Error::NotAcceptable {
        available: available.iter().copied().map(Into::into).collect(),
        executed: Executed::No,
        result: None,
        session: None,
    }
}

/// The error for a result without the requested form. It holds the result.
async fn missing(
    mut available: Vec<String>,
    result: &ToolResult,
    session: Option<&SessionId>,
) -> Error {
    // A tool describes its failure in neither structured content nor images.
    if result.is_error {
        return content::tool_error(result, session).await;
    }
    available.extend([EVENTS.to_owned(), LINES.to_owned()]);
    Error::NotAcceptable {
        available: available.into(),
        executed: Executed::Yes,
        result: Some(result.bytes.clone()),
        session: session.cloned(),
    }
}

/// The response where the memory limit leaves no room for a representation.
fn no_room(context: &mut Context<'_>, session: Option<&SessionId>) -> HttpResponse {
    let error = Error::NoRoom(Executed::Yes);
    let (response, code) = json::problem(&error, context.about(), context.state.pool.budget());
    context.code = Some(code);
    json::with_session(response, session)
}

impl From<NoRoom> for Missing {
    fn from(NoRoom: NoRoom) -> Self {
        Self::NoRoom
    }
}

/// The body of a response with a result.
enum Body {
    /// The whole result.
    Whole,
    /// A part of it as JSON, and its media type.
    Json(Pieces, &'static str),
    /// Content decoded from the result, and its media type.
    Decoded(Bytes, String),
}

impl Body {
    fn of_media(media: &Media) -> Self {
        Self::Decoded(media.bytes.clone(), media.media_type.clone())
    }

    fn into_response(self, whole: &Bytes) -> HttpResponse {
        match self {
            Self::Whole => json::verbatim(whole.clone()),
            Self::Json(pieces, media_type) => {
                json::sandboxed(json::body_in_pieces(StatusCode::OK, pieces), media_type)
            }
            Self::Decoded(bytes, media_type) => json::sandboxed(json::body(bytes), &media_type),
        }
    }
}
