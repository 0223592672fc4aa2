//! The assets of the pages: their bytes, plain and compressed, and what caches may do with them.
//!
//! Those of Swagger UI are taken out of its archive by `build.rs`, compressed as they are there.

use std::io::{Read as _, Write as _};
use std::sync::{LazyLock, OnceLock};

use actix_web::HttpResponse;
use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, Encoding, EntityTag,
    Header as _, HeaderValue, TryIntoHeaderValue as _, VARY,
};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use ring::digest::{self, SHA256};

use crate::api::error::kinds::Error;
use crate::api::request::context::Context;
use crate::api::response::conditional::not_modified;
use crate::api::response::json;
use crate::offload;

/// A file that pages use.
#[derive(Debug)]
pub(crate) struct Asset {
    name: &'static str,
    media_type: &'static str,
    /// Its bytes as they are in the binary.
    embedded: Embedded,
    /// The other form of them, made when it is first asked for and kept: the requests of anyone cannot make more work of it.
    converted: OnceLock<Bytes>,
}

#[derive(Debug, Clone, Copy)]
enum Embedded {
    Plain(&'static [u8]),
    Gzip(&'static [u8]),
}

/// A file beside this one.
macro_rules! ours {
    ($name:literal) => {
        Embedded::Plain(include_bytes!($name))
    };
}

/// A file of Swagger UI.
macro_rules! vendored {
    ($name:literal) => {
        Embedded::Gzip(include_bytes!(concat!(env!("OUT_DIR"), "/", $name, ".gz")))
    };
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Every asset.
static ASSETS: [Asset; 8] = [
    Asset::new("docs.css", CSS, ours!("docs.css")),
    Asset::new("docs.js", SCRIPT, ours!("docs.js")),
    Asset::new("favicon.svg", "image/svg+xml", ours!("favicon.svg")),
    Asset::new("home.css", CSS, ours!("home.css")),
    Asset::new("home.js", SCRIPT, ours!("home.js")),
    Asset::new("pages.css", CSS, ours!("pages.css")),
    Asset::new(
        "swagger-ui-bundle.js",
        SCRIPT,
        vendored!("swagger-ui-bundle.js"),
    ),
    Asset::new("swagger-ui.css", CSS, vendored!("swagger-ui.css")),
];

/// What changes with any asset: a part of their addresses, so that caches may keep them for ever.
pub(crate) static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut digest = digest::Context::new(&SHA256);
    for asset in &ASSETS {
        digest.update(asset.embedded.bytes());
    }
    let digest = digest.finish();
    BASE64_URL_SAFE_NO_PAD.encode(digest.as_ref().get(..9).unwrap_or_default())
});

impl Embedded {
    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Plain(bytes) | Self::Gzip(bytes) => bytes,
        }
    }
}

impl Asset {
    const fn new(name: &'static str, media_type: &'static str, embedded: Embedded) -> Self {
        Self {
            name,
            media_type,
            embedded,
            converted: OnceLock::new(),
        }
    }

    /// The asset of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        ASSETS.iter().find(|asset| asset.name == name)
    }

    /// The asset, compressed if the client takes that; `lasting` under an address that names the version of the assets.
    pub(crate) async fn response(
        &'static self,
        context: &Context<'_>,
        lasting: bool,
    ) -> Result<HttpResponse, Error> {
        let compressed = accepts_gzip(context);
        let body = self.body(compressed).await?;
        // Both codings are the same asset: the tag is a weak one.
        let tag = EntityTag::new_weak(VERSION.clone());
        let mut response = json::verbatim(body);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if compressed {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static(if lasting {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            }),
        );
        if let Ok(tag) = tag.clone().try_into_value() {
            headers.insert(ETAG, tag);
        }
        Ok(not_modified(context.request, &tag, response))
    }

    async fn body(&'static self, compressed: bool) -> Result<Bytes, Error> {
        match (self.embedded, compressed) {
            (Embedded::Plain(bytes), false) | (Embedded::Gzip(bytes), true) => {
                return Ok(Bytes::from_static(bytes));
            }
            (Embedded::Plain(_), true) | (Embedded::Gzip(_), false) => {}
        }
        if let Some(converted) = self.converted.get() {
            return Ok(converted.clone());
        }
        let work = || {
            self.converted
                .get_or_init(|| convert(self.embedded))
                .clone()
        };
        let converted = offload::run(self.embedded.bytes().len(), work).await;
        converted.ok_or(Error::Internal)
    }
}

/// The plain bytes of compressed ones, and the other way round. Neither can fail: they are our own, and written to memory.
fn convert(embedded: Embedded) -> Bytes {
    let mut converted = Vec::new();
    let outcome = match embedded {
        Embedded::Gzip(bytes) => GzDecoder::new(bytes).read_to_end(&mut converted).map(drop),
        Embedded::Plain(bytes) => {
            let mut encoder = GzEncoder::new(&mut converted, Compression::best());
            encoder.write_all(bytes).and_then(|()| encoder.try_finish())
        }
    };
    if let Err(error) = outcome {
        log::error!("an asset could not be converted: {error}");
    }
    converted.into()
}

fn accepts_gzip(context: &Context<'_>) -> bool {
    let codings = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(context.request);
    accepted.is_ok_and(|accepted| accepted.negotiate(codings.iter()) == Some(Encoding::gzip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_gzip_files_with_the_right_checksum() {
        for asset in &ASSETS {
            let Embedded::Gzip(bytes) = asset.embedded else {
                continue;
            };
            let mut plain = Vec::new();
            GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
            assert!(plain.len() > 100_000, "{}", asset.name);
        }
    }
}
