//! The service's own document, and Swagger UI over it. The assets are part of the binary.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use bytes::Bytes;

use super::call::Call;
use super::error::Error;
use super::openapi::{Asset, AssetProblems, ServiceProblems};
use super::reply;

/// The OpenAPI document of this service
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "service",
    responses(
        (status = 200, description = "This document", body = Object),
        ServiceProblems,
    ),
)]
pub(super) fn openapi(call: &Call<'_>) -> HttpResponse {
    reply::json(Bytes::clone(&call.gateway.openapi))
}

/// Swagger UI over the service's own document
///
/// `/swagger-ui/` is the page. Its assets are part of this service: it loads nothing from elsewhere.
#[utoipa::path(
    get,
    path = "/swagger-ui/{file}",
    operation_id = "swaggerUi",
    tag = "service",
    params(Asset),
    responses(
        (status = 200, description = "The page or the asset", content(
            (String = "text/html"),
            (String = "text/css"),
            (String = "text/javascript"),
            (Vec<u8> = "image/png"),
        )),
        (status = 308, description = "`/swagger-ui` is at `/swagger-ui/`", headers(("Location"))),
        AssetProblems,
    ),
)]
pub(super) fn swagger_ui(call: &Call<'_>) -> Result<HttpResponse, Error> {
    // The page names its assets relative to itself: without the slash they would be looked for at the root.
    if call.request.uri().path() == "/swagger-ui" {
        return Ok(HttpResponse::PermanentRedirect()
            .insert_header((LOCATION, "/swagger-ui/"))
            .finish());
    }
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json").validator_url("none"));
    match utoipa_swagger_ui::serve(call.file, config) {
        Ok(Some(file)) => Ok(HttpResponse::Ok()
            .content_type(file.content_type)
            .body(file.bytes.into_owned())),
        Ok(None) => Err(Error::RouteNotFound),
        Err(error) => {
            log::error!("an asset of Swagger UI could not be made: {error}");
            Err(Error::Internal)
        }
    }
}
