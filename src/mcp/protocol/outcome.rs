//! From an HTTP response to a result or an error: status, headers and JSON-RPC reply, put together.
//!
//! Pure. What an error says of eras, sessions and names is decided in `refusal`.

use awc::http::StatusCode;
use awc::http::header::HeaderValue;
use bytes::Bytes;

use crate::mcp::protocol::error::Error;
use crate::mcp::protocol::header::SessionId;
use crate::mcp::protocol::message::Reply;

/// The head of a response, as far as a client must look at it.
#[derive(Debug)]
pub struct Head {
    /// The HTTP status, redirects followed.
    pub status: StatusCode,
    /// `Mcp-Session-Id`; to be believed only on a successful `initialize`.
    pub session: Option<SessionId>,
    /// `WWW-Authenticate`, in order.
    pub challenges: Vec<HeaderValue>,
    /// `Retry-After`.
    pub retry_after: Option<HeaderValue>,
}

impl Head {
    /// A head with nothing but its status.
    pub fn of(status: StatusCode) -> Self {
        Self {
            status,
            session: None,
            challenges: Vec::new(),
            retry_after: None,
        }
    }

    /// The result, or the error that the response stands for. 401, 403, 429 and 503 decide alone; otherwise the body counts before
    /// the status.
    pub fn outcome(self, reply: Option<Reply>) -> Result<Bytes, Error> {
        match (self.status.as_u16(), reply) {
            (401 | 403 | 429 | 503, _) => Err(self.refusal()),
            (_, Some(Reply::Error(error))) => Err(Error::Rpc {
                status: self.status,
                error,
            }),
            (200..=299, Some(Reply::Result(result))) if result.starts_with(b"{") => Ok(result),
            (200..=299, Some(Reply::Result(_))) => {
                Err(Error::Malformed("a result that is no object".into()))
            }
            (200..=299, None) => Err(Error::NoReply),
            _ => Err(Error::Status(self.status)),
        }
    }

    /// Whether a message without a reply was accepted: any 2xx (202 by the specification, 200 and 204 seen).
    pub fn accepted(self) -> Result<(), Error> {
        if self.status.is_success() {
            return Ok(());
        }
        Err(self.refusal())
    }

    fn refusal(self) -> Error {
        match self.status.as_u16() {
            401 => Error::Unauthorized {
                challenges: self.challenges,
            },
            403 => Error::Forbidden {
                challenges: self.challenges,
            },
            429 | 503 => Error::Busy {
                status: self.status,
                retry_after: self.retry_after,
            },
            _ => Error::Status(self.status),
        }
    }
}
