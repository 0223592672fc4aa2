//! Signs of life of this service itself. No server is asked.

use std::time::SystemTime;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::call::Call;
use super::error::Error;
use super::openapi::{LivenessProblems, ReadinessProblems, ServiceProblems};
use super::reply;
use crate::logging;

/// The service is up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    #[schema(pattern = "^ok$")]
    status: &'static str,
    /// The service's clock, RFC 3339 in UTC.
    #[schema(format = DateTime)]
    timestamp: String,
}

/// An answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probe {
    /// Always `ok`.
    #[schema(pattern = "^ok$")]
    status: &'static str,
}

/// Say that the service is up
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
pub(super) fn health(_: &Call<'_>) -> HttpResponse {
    reply::of(&Health {
        status: "ok",
        timestamp: logging::timestamp(SystemTime::now()),
    })
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
pub(super) fn live() -> HttpResponse {
    reply::of(&Probe { status: "ok" })
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
pub(super) fn ready(call: &Call<'_>) -> Result<HttpResponse, Error> {
    if !call.gateway.drain.is_ready() {
        return Err(Error::Draining);
    }
    Ok(reply::of(&Probe { status: "ok" }))
}
