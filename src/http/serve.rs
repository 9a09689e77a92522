//! Accepting connections: time-outs for those who never finish, a cap for those who are many, an end that lets work finish. When all places
//! are taken, those who hold one and ask for nothing make room: a report must not wait for them.
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
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
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
        crowded: watch::channel(false).0,
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
    /// All places are taken.
    crowded: watch::Sender<bool>,
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
            let place = self.place().await?;
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

    /// A place for the next connection, sooner or later.
    async fn place(&self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(free) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(free);
        }
        self.crowded.send_replace(true);
        let given_up = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other);
        self.crowded.send_replace(false);
        given_up
    }

    fn start(&self, stream: TcpStream, place: OwnedSemaphorePermit) {
        if let Err(e) = stream.set_nodelay(true) {
            tracing::debug!(error = %e, "could not turn off Nagle's algorithm");
        }
        let connection = Connection {
            router: self.router.clone(),
            limits: self.limits,
            crowded: self.crowded.subscribe(),
            closing: self.closing.clone(),
            cut: self.cut.clone(),
        };
        self.connections.spawn(async move {
            connection.serve(stream).await;
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

/// What one connection needs.
struct Connection {
    router: Router,
    limits: Limits,
    crowded: watch::Receiver<bool>,
    closing: CancellationToken,
    cut: CancellationToken,
}

impl Connection {
    async fn serve(self, stream: TcpStream) {
        let Self { router, limits, crowded, closing, cut } = self;
        let stop = closing.clone();
        let has_asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&has_asked);
        let service = service_fn(move |request: hyper::Request<Incoming>| {
            asks.store(true, Ordering::Relaxed);
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
        let in_the_way = in_the_way(crowded, limits.courtesy);
        tokio::pin!(serving, in_the_way);
        let mut finishing = false;
        loop {
            tokio::select! {
                // First what has been asked, then whether it is in the way: a request that is there counts.
                biased;
                ended = serving.as_mut() => {
                    if let Err(e) = ended {
                        tracing::debug!(error = %e, "a connection ended early");
                    }
                    return;
                }
                () = stop.cancelled(), if !finishing => {}
                () = in_the_way.as_mut(), if !finishing => {
                    if !has_asked.load(Ordering::Relaxed) {
                        return;
                    }
                }
                () = cut.cancelled() => return,
            }
            // One that waits for a request ends here; one that is being answered, or watches, goes on to its end.
            finishing = true;
            serving.as_mut().graceful_shutdown();
        }
    }
}

/// Resolves when all places are taken and this one was held for a moment: time enough to ask for something.
async fn in_the_way(mut crowded: watch::Receiver<bool>, courtesy: Duration) {
    tokio::time::sleep(courtesy).await;
    if crowded.wait_for(|crowded| *crowded).await.is_err() {
        // The server is gone, and has said so by another way.
        std::future::pending::<()>().await;
    }
}
