//! What helps after an error: waiting, or the first thing to look at. The sentences for people are in `api::error`.

use crate::mcp::protocol::error::{Error, Lost};
use crate::mcp::protocol::unreachable::{Tls, Unreachable};

/// The first thing to do about an error, for programs and dashboards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing in particular: the error itself says what is wrong.
    None,
    /// Check the credential in the configured headers.
    CheckCredential,
    /// Check the configured URL.
    CheckUrl,
    /// Start the server, or look why it cannot be reached.
    StartServer,
    /// Wait, and try again.
    Wait,
}

impl Action {
    /// As it is written; empty for [`Action::None`].
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::CheckCredential => "check_credential",
            Self::CheckUrl => "check_url",
            Self::StartServer => "start_server",
            Self::Wait => "wait",
        }
    }
}

impl Error {
    /// The first thing to do.
    pub fn action(&self) -> Action {
        match self {
            Self::Unreachable(
                Unreachable::UnknownHost
                | Unreachable::Tls(Tls::NotSpoken | Tls::Spoken | Tls::WrongHost),
            )
            | Self::Lost(Lost::Unanswered)
            | Self::Redirect { .. }
            | Self::ContentType(_) => Action::CheckUrl,
            Self::Status(status) if matches!(status.as_u16(), 404 | 405 | 421 | 501) => {
                Action::CheckUrl
            }
            Self::Unreachable(cause) if cause.may_pass() => Action::StartServer,
            Self::Unauthorized { .. } | Self::Forbidden { .. } => Action::CheckCredential,
            Self::Busy { .. }
            | Self::Deadline
            | Self::Overloaded
            | Self::NoRoom { .. }
            | Self::NoDescriptors => Action::Wait,
            Self::Status(status) if matches!(status.as_u16(), 502..=504) => Action::Wait,
            _ => Action::None,
        }
    }
}
