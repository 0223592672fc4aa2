//! What of a tool's result goes out, and in which form: by `Accept`, or by `result` in the query.
//!
//! Without either, it is the result as it is. Errors are problems whatever is accepted.

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, HeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::api::error::kinds::Error;
use crate::api::request::accept::Accept;
use crate::api::request::context::Context;
use crate::api::response::json;
use crate::api::response::stream::Frame;
use crate::json::{for_each_element, named, text_of};
use crate::mcp::client::tools::ToolResult;
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SessionId;
use crate::offload;

const EVENTS: &str = Frame::Events.media_type();
const LINES: &str = Frame::Lines.media_type();
const MCP: &str = "application/json";
const STRUCTURED: &str = "application/vnd.mcp.structured+json";
const TEXT: &str = "text/plain";

/// What a caller wants of a result.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// All of it, as it is.
    Mcp,
    /// Only `structuredContent`.
    Structured,
    /// Only the text blocks.
    Text,
    /// What fits best, once it is known what there is.
    Best(Accept),
    /// What happens on the way as well.
    Live(Frame),
}

impl Wanted {
    /// What the query and the headers say. An error if nothing there can be fits.
    pub(crate) fn of(context: &Context<'_>) -> Result<Self, Error> {
        match context.query.get("result")? {
            None => {}
            Some("mcp") => return Ok(Self::Mcp),
            Some("structured") => return Ok(Self::Structured),
            Some("text") => return Ok(Self::Text),
            Some(_) => {
                return Err(Error::invalid(
                    "The parameter 'result' must be mcp, structured or text",
                ));
            }
        }
        match context
            .request
            .headers()
            .get(ACCEPT)
            .map(HeaderValue::as_bytes)
        {
            None | Some(b"*/*" | b"application/json") => Ok(Self::Mcp),
            Some(_) => Self::by_accept(Accept::of(context.request.headers())),
        }
    }

    fn by_accept(accept: Accept) -> Result<Self, Error> {
        let offers = [
            (MCP, accept.quality(MCP)),
            (STRUCTURED, accept.quality(STRUCTURED)),
            (TEXT, accept.quality(TEXT)),
            ("image/*", accept.quality_of_kind("image")),
            ("audio/*", accept.quality_of_kind("audio")),
            (EVENTS, accept.quality(EVENTS)),
            (LINES, accept.quality(LINES)),
        ];
        // The first of equals.
        let best = offers.iter().rev().max_by_key(|(_, quality)| *quality);
        match best {
            Some((_, 0)) | None => Err(unacceptable(&offers.map(|(offer, _)| offer))),
            Some((offer, _)) => Ok(match *offer {
                MCP => Self::Mcp,
                EVENTS => Self::Live(Frame::Events),
                LINES => Self::Live(Frame::Lines),
                _ => Self::Best(accept),
            }),
        }
    }

    /// The frame of a streaming response, where only the whole result can be negotiated besides; an error if neither is acceptable.
    pub(crate) fn frame(context: &Context<'_>) -> Result<Option<Frame>, Error> {
        let offers = [MCP, EVENTS, LINES];
        match Accept::of(context.request.headers()).best(offers.into_iter()) {
            Some(EVENTS) => Ok(Some(Frame::Events)),
            Some(LINES) => Ok(Some(Frame::Lines)),
            Some(_) => Ok(None),
            None => Err(unacceptable(&offers)),
        }
    }

    /// The response to a result.
    pub(crate) async fn represent(
        &self,
        result: &ToolResult,
        session: Option<&SessionId>,
    ) -> Result<HttpResponse, Error> {
        let form = match self {
            Self::Mcp | Self::Live(_) => Ok(Form::Whole),
            other => {
                let (wanted, bytes) = (other.clone(), result.bytes.clone());
                // A result is not withheld once the tool has run, so this may take longer than the deadline.
                let form = offload::run(bytes.len(), move || wanted.form(&bytes));
                form.await.ok_or(Error::Internal)?
            }
        };
        let response = match form {
            Ok(form) => json::with_session(form.into_response(&result.bytes), session),
            // What the tool has to say of its failure is no structure and no image: the problem holds it.
            Err(_) if result.is_error => {
                return Err(Error::Tool {
                    result: result.bytes.clone(),
                    session: session.cloned(),
                });
            }
            Err(mut available) => {
                available.extend([EVENTS.to_owned(), LINES.to_owned()]);
                return Err(Error::NotAcceptable {
                    available: available.into(),
                    executed: Executed::Yes,
                    result: Some(result.bytes.clone()),
                    session: session.cloned(),
                });
            }
        };
        if result.is_error {
            return Ok(json::with_tool_error(response));
        }
        Ok(response)
    }

    /// The form that is wanted; if there is none, the media types that there are.
    fn form(&self, bytes: &Bytes) -> Result<Form, Vec<String>> {
        let parts = Parts::of(bytes);
        let offers = parts.offers();
        let form = match self {
            Self::Mcp | Self::Live(_) => Some(Form::Whole),
            Self::Structured => parts.structured_content(),
            Self::Text => parts.text(),
            Self::Best(accept) => match accept.best(offers.iter().map(String::as_str)) {
                None => None,
                Some(MCP) => Some(Form::Whole),
                Some(STRUCTURED) => parts.structured_content(),
                Some(TEXT) => parts.text(),
                Some(media_type) => parts.media(media_type),
            },
        };
        form.ok_or(offers)
    }
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

/// A form in which a result goes out.
enum Form {
    /// As it is.
    Whole,
    /// `structuredContent`, as the slice of the result that it is.
    Structured(Bytes),
    /// Something made from it, and its media type.
    Made(Bytes, String),
}

impl Form {
    fn into_response(self, whole: &Bytes) -> HttpResponse {
        match self {
            Self::Whole => json::passed_on(whole.clone()),
            Self::Structured(slice) => json::in_sandbox(json::passed_on(slice), STRUCTURED),
            Self::Made(bytes, media_type) => json::in_sandbox(json::json(bytes), &media_type),
        }
    }
}

/// A result, taken apart.
struct Parts<'a> {
    whole: &'a Bytes,
    structured: Option<&'a RawValue>,
    texts: Vec<String>,
    /// Media types and bytes.
    media: Vec<(String, Bytes)>,
}

impl<'a> Parts<'a> {
    fn of(whole: &'a Bytes) -> Self {
        let mut parts = Self {
            whole,
            structured: None,
            texts: Vec::new(),
            media: Vec::new(),
        };
        let text = std::str::from_utf8(whole).unwrap_or_default();
        let Ok([structured, content]) = named(text, ["structuredContent", "content"]) else {
            return parts;
        };
        parts.structured = structured;
        let content = content.map_or("", RawValue::get).as_bytes();
        // What is no array holds nothing.
        let _ = for_each_element(content, |block| parts.take(block));
        parts
    }

    fn take(&mut self, block: &RawValue) {
        let names = ["type", "text", "mimeType", "data"];
        let Ok([kind, text, media_type, data]) = named(block.get(), names) else {
            return;
        };
        let member = |it: Option<&RawValue>| Some(text_of(it?)?.into_owned());
        match member(kind).as_deref() {
            Some("text") => self.texts.extend(member(text)),
            Some(kind @ ("image" | "audio")) => {
                // What is no media type, or no Base64, is not there.
                let is_one = |said: &String| {
                    let rest = said.strip_prefix(kind);
                    rest.is_some_and(|rest| rest.starts_with('/')) && json::is_media_type(said)
                };
                let media_type = member(media_type).filter(is_one);
                let data = data.and_then(text_of);
                let data = data.and_then(|data| BASE64_STANDARD.decode(data.trim()).ok());
                self.media.extend(media_type.zip(data.map(Bytes::from)));
            }
            _ => {}
        }
    }

    fn offers(&self) -> Vec<String> {
        let structured = self.structured.map(|_| STRUCTURED.to_owned());
        let text = (!self.texts.is_empty()).then(|| TEXT.to_owned());
        let media = self.media.iter().map(|(media_type, _)| media_type.clone());
        let whole = std::iter::once(MCP.to_owned());
        whole.chain(structured).chain(text).chain(media).collect()
    }

    fn structured_content(&self) -> Option<Form> {
        let slice = self.whole.slice_ref(self.structured?.get().as_bytes());
        Some(Form::Structured(slice))
    }

    fn text(&self) -> Option<Form> {
        if self.texts.is_empty() {
            return None;
        }
        let text = self.texts.join("\n");
        Some(Form::Made(text.into(), "text/plain; charset=utf-8".into()))
    }

    fn media(&self, wanted: &str) -> Option<Form> {
        let (media_type, bytes) = self.media.iter().find(|(is, _)| is == wanted)?;
        Some(Form::Made(bytes.clone(), media_type.clone()))
    }
}
