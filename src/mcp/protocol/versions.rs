//! The protocol versions that this client speaks.

/// The modern revision this client speaks.
pub(crate) const MODERN: &str = "2026-07-28";
/// The newest legacy revision this client speaks: what `initialize` offers.
pub(crate) const LEGACY: &str = "2025-11-25";
/// The versions that `initialize` may negotiate. Python SDK 1.8 negotiates 2024-11-05 over Streamable HTTP.
const LEGACY_SPOKEN: [&str; 4] = [LEGACY, "2025-06-18", "2025-03-26", "2024-11-05"];

/// The spoken revision equal to `version`, if there is one. rmcp 0.8 echoes whatever it is offered, so that an
/// unknown version is an error.
pub(crate) fn legacy_version(version: &str) -> Option<&'static str> {
    LEGACY_SPOKEN.into_iter().find(|known| *known == version)
}
