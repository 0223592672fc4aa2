//! Signs of life of this service itself. No server is asked.

use std::time::SystemTime;

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::call::Call;
use super::reply;
use crate::logging;

/// The service is up.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// The service's clock, RFC 3339 in UTC.
    timestamp: String,
}

/// An answer to a probe.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probe {
    /// Always `ok`.
    status: &'static str,
}

/// Say that the service is up
pub(super) fn health(_: &Call<'_>) -> HttpResponse {
    reply::of(&Health {
        status: "ok",
        timestamp: logging::timestamp(SystemTime::now()),
    })
}

/// Liveness probe
pub(super) fn live() -> HttpResponse {
    reply::of(&Probe { status: "ok" })
}

/// Readiness probe
pub(super) fn ready() -> HttpResponse {
    reply::of(&Probe { status: "ok" })
}
