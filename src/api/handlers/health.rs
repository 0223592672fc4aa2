//! Health, liveness and readiness of this service. No request to a server is made.

use std::time::SystemTime;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::error::kinds::Error;
use crate::api::openapi::problems::{LivenessProblems, ReadinessProblems, ServiceProblems};
use crate::api::request::context::Context;
use crate::api::response::json;
use crate::logging;

/// The service is up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    #[schema(pattern = "^ok$")]
    status: &'static str,
    /// The service's clock, RFC 3339 in UTC.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// An answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Probe {
    /// Always `ok`.
    #[schema(pattern = "^ok$")]
    status: &'static str,
}

/// Health check
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "health",
    tag = "service",
    responses(
        (status = 200, description = "The service is up", body = Health),
        ServiceProblems,
    ),
)]
pub(crate) async fn health(_: &mut Context<'_>) -> Result<HttpResponse, Error> {
    Ok(json::value(&Health {
        status: "ok",
        timestamp: logging::timestamp(SystemTime::now()),
    }))
}

/// Liveness probe
#[utoipa::path(
    get,
    path = "/livez",
    operation_id = "livez",
    tag = "service",
    responses(
        (status = 200, description = "The process is alive", body = Probe),
        LivenessProblems,
    ),
)]
pub(crate) async fn live(_: &mut Context<'_>) -> Result<HttpResponse, Error> {
    Ok(json::value(&Probe { status: "ok" }))
}

/// Readiness probe
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readyz",
    tag = "service",
    responses(
        (status = 200, description = "The service takes requests", body = Probe),
        ReadinessProblems,
    ),
)]
pub(crate) async fn ready(context: &mut Context<'_>) -> Result<HttpResponse, Error> {
    if !context.state.shutdown.is_ready() {
        return Err(Error::ShuttingDown);
    }
    Ok(json::value(&Probe { status: "ok" }))
}
