//! The OpenAPI document of this service's own routes.

use bytes::Bytes;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi()]
struct Document;

/// The document as it is served and committed.
pub fn document() -> Result<Bytes, serde_json::Error> {
    Document::openapi().to_pretty_json().map(Bytes::from)
}
