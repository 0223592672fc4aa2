//! The form that a caller asks for: YAML by the path (`openapi.yaml`), the version by the query (`openapi=3.0`).

use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use bytes::Bytes;

use crate::api::doc_formats::openapi_3_0;
use crate::api::error::kinds::Error;
use crate::api::offloaded;
use crate::api::request::context::Context;
use crate::api::request::parameters::{DocumentVersion, Version};
use crate::api::response::json;
use crate::yaml;

/// RFC 9512.
const YAML: HeaderValue = HeaderValue::from_static("application/yaml");

/// A form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    version: Version,
    is_yaml: bool,
}

impl Format {
    /// As the route and the query say.
    pub(crate) fn of(context: &Context<'_>) -> Result<Self, Error> {
        let version = DocumentVersion::of(&context.query)?.version;
        Ok(Self {
            version: version.unwrap_or(Version::V31),
            is_yaml: context
                .route
                .rsplit_once('.')
                .is_some_and(|(_, ending)| ending == "yaml"),
        })
    }

    /// Whether documents are made in this form.
    pub(crate) fn is_as_made(self) -> bool {
        self.version == Version::V31 && !self.is_yaml
    }

    /// A document, which `make` makes as JSON of OpenAPI 3.1, in this form. All of it is done off the worker: with thousands of tools it
    /// takes longer than other callers should wait.
    pub(crate) async fn respond(
        self,
        deadline: Instant,
        make: impl FnOnce() -> Result<Bytes, serde_json::Error> + Send + 'static,
    ) -> Result<HttpResponse, Error> {
        let written = offloaded::run(deadline, || move || make().map(|made| self.write(made)));
        let written = written.await?.map_err(|error| {
            log::error!("a document could not be written: {error}");
            Error::Internal
        })?;
        let Some(written) = written else {
            log::error!("a document could not be written as {self:?}");
            return Err(Error::Internal);
        };
        let mut response = json::body(written);
        if self.is_yaml {
            response.headers_mut().insert(CONTENT_TYPE, YAML);
        }
        Ok(response)
    }

    /// `None` if the document is not JSON.
    fn write(self, mut document: Bytes) -> Option<Bytes> {
        if self.version == Version::V30 {
            let text = std::str::from_utf8(&document).ok()?;
            document = openapi_3_0::convert(text).ok()?.into();
        }
        if self.is_yaml {
            let text = std::str::from_utf8(&document).ok()?;
            document = yaml::from_json(text)?.into();
        }
        Some(document)
    }
}
