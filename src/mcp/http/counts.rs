//! Per TCP connection, from the kernel: bytes acknowledged by the peer and bytes received from it.
//!
//! Only the numbers; what they prove of a request is decided in `socket`. Linux alone has them (`TCP_INFO`, since 4.1).

use actix_rt::net::TcpStream;

/// Bytes over the life of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Sent and acknowledged, with one for the beginning of the connection, and one for its end.
    pub(crate) acknowledged: u64,
    /// Received, read or not, with one for the end.
    pub(crate) received: u64,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::LazyLock;

    use nix::sys::socket::GetSockOpt as _;
    use nix::{getsockopt_impl, libc, sockopt_impl};
    use socket2::{Domain, Socket, Type};

    use super::{Counts, TcpStream};

    sockopt_impl!(
        /// `struct tcp_info` up to the two counters, in words: the last two are `tcpi_bytes_acked` and
        /// `tcpi_bytes_received`.
        TcpInfo,
        GetOnly,
        libc::IPPROTO_TCP,
        libc::TCP_INFO,
        [u64; 17]
    );

    /// Whether the kernel has these counters: nix panics where it returns a shorter structure.
    static KNOWN: LazyLock<bool> = LazyLock::new(|| {
        let asked = std::panic::catch_unwind(|| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
            TcpInfo.get(&socket).ok()
        });
        matches!(asked, Ok(Some(_)))
    });

    pub(crate) fn counts(stream: &TcpStream) -> Option<Counts> {
        if !*KNOWN {
            return None;
        }
        let [.., acknowledged, received] = TcpInfo.get(stream).ok()?;
        // The beginning of the connection counts: a sandbox that returns 0 here does not count.
        (acknowledged > 0).then_some(Counts {
            acknowledged,
            received,
        })
    }
}

/// What is counted on this connection, if that can be known.
#[cfg(target_os = "linux")]
pub(crate) fn counts(stream: &TcpStream) -> Option<Counts> {
    linux::counts(stream)
}

/// What is counted on this connection: not known here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn counts(_: &TcpStream) -> Option<Counts> {
    None
}
