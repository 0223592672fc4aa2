//! Why a server cannot be reached: the causes of DNS, TCP and TLS, for wording, for sending again and for `retryable`.
//!
//! Which error of the HTTP client is which cause is decided in `http::failed`, from types; what people are told, in `api::error`.

use std::io;

/// Why no connection was made, or none on which a request can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// Nobody listens at the address.
    #[error("connection refused")]
    Refused,
    /// The host name does not resolve.
    #[error("the host does not resolve")]
    UnknownHost,
    /// Neither a connection nor a refusal in time.
    #[error("no connection in time")]
    TimedOut,
    /// Any other error of the network: no route, for example.
    #[error("{0}")]
    Network(io::ErrorKind),
    /// The server closes each connection before a request has arrived on it.
    #[error("it closes every connection")]
    ClosesConnections,
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(Tls),
    /// The proxy on the way makes no connection.
    #[error("proxy: {0}")]
    Proxy(ProxyFault),
}

/// Why a proxy makes no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyFault {
    /// It cannot be reached itself.
    #[error("not reachable")]
    Unreachable,
    /// It answers CONNECT with this status: 407 where it wants a credential.
    #[error("status {0}")]
    Refused(u16),
    /// It does not answer CONNECT in HTTP.
    #[error("no proxy")]
    Malformed,
}

/// Why TLS with a server failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Tls {
    /// The URL is `https://`, and the port speaks something else.
    #[error("not spoken at this port")]
    NotSpoken,
    /// The URL is `http://`, and the port speaks TLS: its reply to plain HTTP was a TLS alert.
    #[error("spoken at this port, plain HTTP is not")]
    Spoken,
    /// The certificate is not signed by a known CA.
    #[error("certificate of an unknown CA")]
    UnknownIssuer,
    /// The certificate is a CA's own (`CA:TRUE`), as `openssl req -x509` makes it. No verification accepts one from a server.
    #[error("a CA's own certificate")]
    CaAsServer,
    /// The certificate has expired.
    #[error("certificate expired")]
    Expired,
    /// The certificate is not valid yet.
    #[error("certificate not valid yet")]
    NotYetValid,
    /// The certificate is for other host names.
    #[error("certificate for another host")]
    WrongHost,
    /// The certificate is invalid in any other way.
    #[error("certificate invalid")]
    Certificate,
    /// The server demands a certificate of its client.
    #[error("client certificate wanted")]
    ClientCertificate,
    /// No version or algorithm in common, or the server refused the handshake with an alert.
    #[error("handshake refused")]
    Refused,
    /// The server closed the connection within the handshake.
    #[error("closed in the handshake")]
    Closed,
}

// === impl Unreachable ===

impl Unreachable {
    /// Whether the cause may pass by itself. A configured name that does not resolve, a certificate that does not verify and the
    /// wrong kind of port need a change.
    pub fn may_pass(self) -> bool {
        match self {
            Self::Refused
            | Self::TimedOut
            | Self::Network(_)
            | Self::ClosesConnections
            | Self::Tls(Tls::Closed)
            | Self::Proxy(ProxyFault::Unreachable) => true,
            Self::Proxy(ProxyFault::Refused(status)) => status >= 500,
            Self::Proxy(ProxyFault::Malformed) | Self::UnknownHost | Self::Tls(_) => false,
        }
    }

    /// Whether it may pass within a second, as where a server restarts. A time limit of seconds was waited for already.
    pub fn is_passing_at_once(self) -> bool {
        self.may_pass() && self != Self::TimedOut
    }
}
