//! New connections to servers: direct, or through the proxy that leads there, by CONNECT.
//!
//! A tunnel carries plain HTTP as well as TLS, so that a request does not change with the way it takes. The proxy's credential is sent to
//! the proxy alone; the server's headers, and with `https://` everything else, pass it inside the tunnel.

use std::io;
use std::sync::Arc;

use actix_rt::net::TcpStream;
use actix_service::Service as _;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, ConnectorService};
use awc::http::Uri;

use crate::config::proxies::{Proxies, Proxy};
use crate::descriptors;
use crate::mcp::http::socket::Socket;
use crate::mcp::protocol::unreachable::{ProxyFault, Unreachable};

/// The longest response to CONNECT.
const LONGEST_HEAD: usize = 16 * 1024;

/// Connects to the server of `info`.
pub(super) async fn dial(
    connector: ConnectorService,
    proxies: Arc<Proxies>,
    info: ConnectInfo<Uri>,
) -> Result<Connection<Uri, Socket>, ConnectError> {
    let Some(proxy) = proxies.to(info.request()) else {
        let (stream, target) = connector.call(info).await?.into_parts();
        let socket = Socket::new(prepared(stream)?);
        return Ok(Connection::new(target, socket));
    };
    let target = info.request().clone();
    let connected = connector.call(ConnectInfo::new(proxy.url.clone())).await;
    let (stream, _) = connected.map_err(proxy_unreachable)?.into_parts();
    let stream = prepared(stream)?;
    let (written, read) = open_tunnel(&stream, proxy, &target)
        .await
        .map_err(ConnectError::Io)?;
    Ok(Connection::new(
        target,
        Socket::tunnel(stream, written, read),
    ))
}

fn prepared(stream: TcpStream) -> Result<TcpStream, ConnectError> {
    let stream = descriptors::unless_reserved(stream).map_err(ConnectError::Io)?;
    // awc leaves Nagle's algorithm on: the last segment of a longer body would wait a round trip, or a delayed acknowledgement, for
    // those before it.
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("a connection keeps Nagle's algorithm: {error}");
    }
    Ok(stream)
}

fn proxy_unreachable(error: ConnectError) -> ConnectError {
    match error {
        ConnectError::Io(error) if descriptors::are_exhausted(&error) => ConnectError::Io(error),
        _ => ConnectError::Io(fault(ProxyFault::Unreachable)),
    }
}

fn fault(fault: ProxyFault) -> io::Error {
    io::Error::other(Unreachable::Proxy(fault))
}

/// Asks the proxy for a tunnel: the bytes that were written and read for that.
async fn open_tunnel(
    stream: &TcpStream,
    proxy: &Proxy,
    target: &Uri,
) -> io::Result<(usize, usize)> {
    let request = connect(proxy, target);
    let mut written = 0;
    while let Some(rest) = request.get(written..).filter(|rest| !rest.is_empty()) {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(fault(ProxyFault::Malformed)),
        }
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // One byte more could be the server's already, but no server speaks first.
        let mut piece = [0; 1024];
        stream.readable().await?;
        match stream.try_read(&mut piece) {
            Ok(0) => return Err(fault(ProxyFault::Malformed)),
            Ok(bytes) => head.extend_from_slice(piece.get(..bytes).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(fault(ProxyFault::Malformed)),
        }
        if let Some(status) = status(&head).filter(|status| !(200..300).contains(status)) {
            return Err(fault(ProxyFault::Refused(status)));
        }
        if head.len() > LONGEST_HEAD {
            return Err(fault(ProxyFault::Malformed));
        }
    }
    match status(&head) {
        Some(_) => Ok((written, head.len())),
        None => Err(fault(ProxyFault::Malformed)),
    }
}

/// The request for a tunnel.
fn connect(proxy: &Proxy, target: &Uri) -> Vec<u8> {
    let host = target.host().unwrap_or_default();
    let default = if target.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    let port = target.port_u16().unwrap_or(default);
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(credential) = &proxy.credential {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credential.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// The status of a response to CONNECT, as soon as its first line is there.
fn status(head: &[u8]) -> Option<u16> {
    let (line, _) = head.split_at_checked(head.iter().position(|byte| *byte == b'\r')?)?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words
        .next()
        .filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}
