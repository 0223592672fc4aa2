//! Why a request has no response: the errors of the HTTP client, of TLS and of the resolver as this client's own.
//!
//! Decided from their types and numbers, never from their texts.

use std::error::Error as StdError;
use std::io;

use awc::error::{ConnectError, SendRequestError};
use rustls::{AlertDescription, CertificateError, Error as TlsError};

use crate::descriptors;
use crate::mcp::protocol::error::{Error, Lost};
use crate::mcp::protocol::unreachable::{Tls, Unreachable};

/// What happened to a request without a response.
pub(super) fn unanswered(error: SendRequestError) -> Error {
    match error {
        // By its name this comes before the request; awc reports so a server that hangs up instead of responding.
        SendRequestError::Connect(ConnectError::Disconnected) => Error::Lost(Lost::Unanswered),
        SendRequestError::Connect(error) => not_connected(&error),
        SendRequestError::Url(error) => Error::Internal(error.to_string()),
        // Behind a head that cannot be parsed may be a connection that broke in it.
        SendRequestError::Response(error)
            if error.source().is_some_and(<dyn StdError>::is::<io::Error>) =>
        {
            Error::Lost(Lost::Incomplete(error.to_string()))
        }
        SendRequestError::Response(error) => Error::Malformed(error.to_string()),
        error => Error::Lost(Lost::Incomplete(error.to_string())),
    }
}

fn not_connected(error: &ConnectError) -> Error {
    Error::Unreachable(match error {
        ConnectError::Io(error) if descriptors::are_exhausted(error) => {
            return Error::NoDescriptors;
        }
        ConnectError::Io(error) => of_io(error),
        // A resolver that cannot open a socket fails as one that finds no name.
        ConnectError::Resolver(error)
            if error.downcast_ref().is_some_and(descriptors::are_exhausted) =>
        {
            return Error::NoDescriptors;
        }
        ConnectError::Resolver(_) | ConnectError::NoRecords | ConnectError::Unresolved => {
            Unreachable::UnknownHost
        }
        ConnectError::Timeout => Unreachable::TimedOut,
        error => return Error::Internal(error.to_string()),
    })
}

/// An error of TCP, or of the TLS handshake on it.
fn of_io(error: &io::Error) -> Unreachable {
    let inner = error.get_ref();
    if let Some(cause) = inner.and_then(|inner| inner.downcast_ref::<Unreachable>()) {
        return *cause;
    }
    if let Some(error) = inner.and_then(|inner| inner.downcast_ref()) {
        return Unreachable::Tls(of_tls(error));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Unreachable::Refused,
        io::ErrorKind::TimedOut => Unreachable::TimedOut,
        // TCP's own handshake does not end so.
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => Unreachable::Tls(Tls::Closed),
        kind => Unreachable::Network(kind),
    }
}

fn of_tls(error: &TlsError) -> Tls {
    match error {
        // The bytes are no TLS record.
        TlsError::InvalidMessage(_) | TlsError::PeerSentOversizedRecord => Tls::NotSpoken,
        TlsError::InvalidCertificate(error) => of_certificate(error),
        TlsError::NoCertificatesPresented => Tls::Certificate,
        TlsError::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate,
        ) => Tls::ClientCertificate,
        _ => Tls::Refused,
    }
}

fn of_certificate(error: &CertificateError) -> Tls {
    match error {
        // The latter where a CA of the same name is known, one that was made anew for example.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => Tls::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Tls::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Tls::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Tls::WrongHost
        }
        CertificateError::Other(error)
            if error.0.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity) =>
        {
            Tls::CaAsServer
        }
        _ => Tls::Certificate,
    }
}
