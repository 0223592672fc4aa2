//! The representation of a tool's result, negotiated by `Accept` or chosen by `result` in the query.
//!
//! Without either, it is the whole result. Errors are problems, whatever is accepted. How streams are written is `stream`'s.

use actix_web::HttpResponse;
use actix_web::http::header::{ACCEPT, HeaderValue, Quality};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::value::RawValue;

use crate::api::error::kinds::Error;
use crate::api::request::accept::Accept;
use crate::api::request::context::Context;
use crate::api::request::parameters::{ResultForm, ToolForm};
use crate::api::response::json;
use crate::api::response::stream::Frame;
use crate::json::{for_each_element, named, text_of};
use crate::mcp::client::operation::ToolResult;
use crate::mcp::protocol::error::Executed;
use crate::mcp::protocol::header::SessionId;
use crate::offload;

const EVENTS: &str = Frame::Events.media_type();
const LINES: &str = Frame::Lines.media_type();
const WHOLE: &str = "application/json";
const STRUCTURED: &str = "application/vnd.mcp.structured+json";
const TEXT: &str = "text/plain";

/// The representation a caller asks for.
#[derive(Debug, Clone)]
pub(crate) enum Representation {
    /// The whole result, byte for byte.
    Whole,
    /// Only `structuredContent`.
    Structured,
    /// Only the text blocks.
    Text,
    /// The best match of `Accept`, which is known once the result is.
    Negotiated(Accept),
    /// A stream: notifications, then the whole result.
    Stream(Frame),
}

impl Representation {
    /// As the query and the headers say; an error if no result can match `Accept`.
    pub(crate) fn of(context: &Context<'_>) -> Result<Self, Error> {
        match ResultForm::of(&context.query)?.form {
            None => {}
            Some(ToolForm::Mcp) => return Ok(Self::Whole),
            Some(ToolForm::Structured) => return Ok(Self::Structured),
            Some(ToolForm::Text) => return Ok(Self::Text),
        }
        match context
            .request
            .headers()
            .get(ACCEPT)
            .map(HeaderValue::as_bytes)
        {
            None | Some(b"*/*" | b"application/json") => Ok(Self::Whole),
            Some(_) => Self::by_accept(Accept::of(context.request.headers())),
        }
    }

    fn by_accept(accept: Accept) -> Result<Self, Error> {
        let offers = [
            (WHOLE, accept.quality(WHOLE)),
            (STRUCTURED, accept.quality(STRUCTURED)),
            (TEXT, accept.quality(TEXT)),
            ("image/*", accept.quality_of_kind("image")),
            ("audio/*", accept.quality_of_kind("audio")),
            (EVENTS, accept.quality(EVENTS)),
            (LINES, accept.quality(LINES)),
        ];
        // `max_by_key` takes the last of equals.
        let best = offers.iter().rev().max_by_key(|(_, quality)| *quality);
        match best {
            Some((_, Quality::ZERO)) | None => Err(unacceptable(&offers.map(|(offer, _)| offer))),
            Some((offer, _)) => Ok(match *offer {
                WHOLE => Self::Whole,
                EVENTS => Self::Stream(Frame::Events),
                LINES => Self::Stream(Frame::Lines),
                _ => Self::Negotiated(accept),
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
        result: &ToolResult,
        session: Option<&SessionId>,
    ) -> Result<HttpResponse, Error> {
        let body = match self {
            Self::Whole | Self::Stream(_) => Ok(Body::Whole),
            other => {
                let (representation, bytes) = (other.clone(), result.bytes.clone());
                // A result is not withheld once the tool has run, so this may take longer than the deadline.
                let body = offload::run(bytes.len(), move || representation.body(&bytes));
                body.await.ok_or(Error::Internal)?
            }
        };
        let response = match body {
            Ok(body) => json::with_session(body.into_response(&result.bytes), session),
            // A tool describes its failure in neither structured content nor images: the problem holds the result.
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

    /// The body in this representation; if the result has none, the media types it can be represented in.
    fn body(&self, bytes: &Bytes) -> Result<Body, Vec<String>> {
        let parts = Parts::of(bytes);
        let offers = parts.offers();
        let body = match self {
            Self::Whole | Self::Stream(_) => Some(Body::Whole),
            Self::Structured => parts.structured_content(),
            Self::Text => parts.text(),
            Self::Negotiated(accept) => match accept.best(offers.iter().map(String::as_str)) {
                None => None,
                Some(WHOLE) => Some(Body::Whole),
                Some(STRUCTURED) => parts.structured_content(),
                Some(TEXT) => parts.text(),
                Some(media_type) => parts.media(media_type),
            },
        };
        body.ok_or(offers)
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

/// The body of a response with a result.
enum Body {
    /// The whole result.
    Whole,
    /// `structuredContent`, a slice of the result.
    Structured(Bytes),
    /// Content decoded from the result, and its media type.
    Decoded(Bytes, String),
}

impl Body {
    fn into_response(self, whole: &Bytes) -> HttpResponse {
        match self {
            Self::Whole => json::verbatim(whole.clone()),
            Self::Structured(slice) => json::sandboxed(json::verbatim(slice), STRUCTURED),
            Self::Decoded(bytes, media_type) => json::sandboxed(json::body(bytes), &media_type),
        }
    }
}

/// The parts of a result that have representations of their own.
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
        // Content that is not an array has no parts.
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
                // A block with a broken media type or broken Base64 is ignored.
                let is_one = |media_type: &String| {
                    let rest = media_type.strip_prefix(kind);
                    rest.is_some_and(|rest| rest.starts_with('/'))
                        && json::media_type(media_type).is_some()
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
        let whole = std::iter::once(WHOLE.to_owned());
        whole.chain(structured).chain(text).chain(media).collect()
    }

    fn structured_content(&self) -> Option<Body> {
        let slice = self.whole.slice_ref(self.structured?.get().as_bytes());
        Some(Body::Structured(slice))
    }

    fn text(&self) -> Option<Body> {
        if self.texts.is_empty() {
            return None;
        }
        let text = self.texts.join("\n");
        Some(Body::Decoded(
            text.into(),
            "text/plain; charset=utf-8".into(),
        ))
    }

    fn media(&self, wanted: &str) -> Option<Body> {
        let (media_type, bytes) = self.media.iter().find(|(is, _)| is == wanted)?;
        Some(Body::Decoded(bytes.clone(), media_type.clone()))
    }
}
