//! Accepting connections: time-outs for those who never finish, a cap for those who are many, an end that lets work finish.
//!
//! `axum::serve` has none of the three, so this is its small replacement over hyper's HTTP/1 connection.

use super::limits::Limits;
use super::patient::Patient;
use super::sse::Closing;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Largest request head, and the size of a connection's read buffer, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Wait after the system refused a connection for want of something (file descriptors, memory).
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Serves until `shutdown`, then lets running requests finish for at most [`Limits::drain`].
///
/// # Errors
/// When the listener itself is broken; a connection that fails is only logged.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let server = Server {
        router,
        limits,
        // A permit per connection. When none is left nothing is accepted: clients wait in the kernel's queue, and none is turned away.
        places: Arc::new(Semaphore::new(limits.connections)),
        closing: CancellationToken::new(),
        cut: CancellationToken::new(),
        connections: TaskTracker::new(),
    };
    let ended = tokio::select! {
        never = server.accept_all(&listener) => never,
        () = shutdown => Ok(()),
    };
    drop(listener);
    server.drain().await;
    ended
}

struct Server {
    router: Router,
    limits: Limits,
    places: Arc<Semaphore>,
    /// Finish what you are doing.
    closing: CancellationToken,
    /// Stop where you are.
    cut: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// Returns only when the listener is broken.
    async fn accept_all(&self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other)?;
            match listener.accept().await {
                Ok((stream, _peer)) => self.start(stream, place),
                Err(e) if e.kind() == io::ErrorKind::InvalidInput => return Err(e),
                Err(e) => {
                    tracing::warn!(error = %e, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn start(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(error = %e, "could not turn off Nagle's algorithm");
        }
        let router = self.router.clone();
        let (limits, closing, cut) = (self.limits, self.closing.clone(), self.cut.clone());
        self.connections.spawn(async move {
            connection(stream, router, limits, closing, cut).await;
            drop(place);
        });
    }

    async fn drain(self) {
        self.closing.cancel();
        self.connections.close();
        if tokio::time::timeout(self.limits.drain, self.connections.wait()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "cutting connections that did not finish in time");
            self.cut.cancel();
            self.connections.wait().await;
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    closing: CancellationToken,
    cut: CancellationToken,
) {
    let stop = closing.clone();
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(Body::new);
        request.extensions_mut().insert(Closing(closing.clone()));
        router.clone().oneshot(request)
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_header_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Patient::new(stream, limits.stalled)), service);
    tokio::pin!(serving);
    let mut finishing = false;
    loop {
        tokio::select! {
            ended = serving.as_mut() => {
                if let Err(e) = ended {
                    tracing::debug!(error = %e, "a connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !finishing => {
                finishing = true;
                serving.as_mut().graceful_shutdown();
            }
            () = cut.cancelled() => return,
        }
    }
}
