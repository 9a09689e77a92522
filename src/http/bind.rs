//! Opening the port: not to the world without a key, and not without knowing who has it already.

use crate::config::{Secrets, ServerConfig};
use crate::protocol::read::Hello;
use secrecy::ExposeSecret;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How long another program on the port may take to say who it is.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// Longest answer that is read from it.
const PROBE_BYTES: u64 = 16 * 1024;

/// Why the server can't listen, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error(
        "{0} can be reached from other machines, and no API key is set: set FEEDBACK_API_KEY, or listen on 127.0.0.1"
    )]
    KeyNeeded(SocketAddr),
    #[error(
        "another Patchwork ({}, database {}) is serving on {address} already: stop it, or choose another port with --port or FEEDBACK_PORT", hello.version, hello.database
    )]
    TakenByPatchwork { address: SocketAddr, hello: Box<Hello> },
    #[error(
        "another program is using {0}: stop it, or choose another port with --port or FEEDBACK_PORT (and FEEDBACK_SIDECAR_URL for the drop-ins)"
    )]
    TakenByStranger(SocketAddr),
    #[error("{0} is not an address of this machine: use 127.0.0.1, or an address that `ip addr` lists")]
    NotOurs(SocketAddr),
    #[error("this user may not listen on {0}: choose a port from 1024 up")]
    Forbidden(SocketAddr),
    #[error("can't listen on {address}: {source}")]
    Other { address: SocketAddr, source: io::Error },
}

/// Opens the configured port.
///
/// # Errors
/// When it would be open to other machines without a key, or can't be opened: [`BindError`] says what to do.
pub async fn bind(server: &ServerConfig, secrets: &Secrets) -> Result<TcpListener, BindError> {
    let address = server.address;
    let has_key = secrets.api_key.as_ref().is_some_and(|key| !key.expose_secret().trim().is_empty());
    if !address.ip().is_loopback() && !has_key {
        return Err(BindError::KeyNeeded(address));
    }
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => Err(match probe(address).await {
            Some(hello) => BindError::TakenByPatchwork { address, hello: Box::new(hello) },
            None => BindError::TakenByStranger(address),
        }),
        Err(e) if e.kind() == io::ErrorKind::AddrNotAvailable => Err(BindError::NotOurs(address)),
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(BindError::Forbidden(address)),
        Err(source) => Err(BindError::Other { address, source }),
    }
}

/// Asks whoever listens at `address` for `/healthz`: the answer when it is a Patchwork, `None` for anybody else and for nobody.
pub async fn probe(address: SocketAddr) -> Option<Hello> {
    match tokio::time::timeout(PROBE_TIME, ask(reachable(address))).await {
        Ok(Ok(answer)) => read_hello(&answer),
        // A stranger that does not answer, or not in time: the caller learns what it needs, that this is no Patchwork.
        Ok(Err(_)) | Err(_) => None,
    }
}

/// An address one can connect to: a server that listens on all of them is asked on loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(PROBE_BYTES).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read_hello(answer: &[u8]) -> Option<Hello> {
    let body_at = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let hello: Hello = serde_json::from_slice(answer.get(body_at..)?).ok()?;
    (hello.program == "patchwork").then_some(hello)
}
