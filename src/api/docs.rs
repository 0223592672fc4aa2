//! The service's own document, and Swagger UI over it. The assets are part of the binary.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use bytes::Bytes;

use super::call::Call;
use super::error::Error;
use super::reply;

/// The OpenAPI document of this service
pub(super) fn openapi(call: &Call<'_>) -> HttpResponse {
    reply::json(Bytes::clone(&call.gateway.openapi))
}

/// Swagger UI over the service's own document
pub(super) fn swagger_ui(call: &Call<'_>) -> Result<HttpResponse, Error> {
    // The page names its assets relative to itself: without the slash they would be looked for at the root.
    if call.request.uri().path() == "/swagger-ui" {
        return Ok(HttpResponse::PermanentRedirect()
            .insert_header((LOCATION, "/swagger-ui/"))
            .finish());
    }
    let config = Arc::new(utoipa_swagger_ui::Config::from("/openapi.json"));
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
