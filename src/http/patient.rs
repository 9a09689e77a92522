//! A socket whose patience ends: a peer that takes nothing for too long is dropped, and one that still sends is heard out briefly.
//!
//! Two things that an HTTP library leaves to its transport. A client that never reads its answer would hold a place for ever. And closing a
//! socket with unread bytes in it makes the kernel send a reset, which can destroy the answer (a 413, say) on its way to a client
//! that is still sending; so closing is: say goodbye, throw away what comes for a moment, then close.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a peer may go on sending after our last byte, and how long it may be silent in that time.
const FAREWELL: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_millis(100);
/// How much of it is thrown away before the socket is closed anyway.
const FAREWELL_BYTES: usize = 8 * 1024 * 1024;

/// Wraps a stream with a limit on how long writing may stand still.
#[derive(Debug)]
pub(super) struct Patient<S> {
    stream: S,
    limit: Duration,
    /// Runs while a write stands still.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Begins when our side is closed.
    farewell: Option<Farewell>,
}

/// The time between closing our side and closing the socket.
#[derive(Debug)]
struct Farewell {
    silence: Pin<Box<Sleep>>,
    end: Instant,
    bytes: usize,
}

impl Farewell {
    fn new() -> Self {
        Self { silence: Box::pin(sleep(SILENCE)), end: Instant::now() + FAREWELL, bytes: 0 }
    }

    fn heard(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.silence.as_mut().reset(self.end.min(Instant::now() + SILENCE));
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.bytes >= FAREWELL_BYTES || self.silence.as_mut().poll(cx).is_ready()
    }
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Self { stream, limit, stalled: None, farewell: None }
    }

    /// Passes on what a write came to, unless it has stood still for too long.
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.limit;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not take its answer")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let farewell = this.farewell.get_or_insert_with(Farewell::new);
        let mut waste = [0_u8; 4096];
        while !farewell.is_over(cx) {
            let mut buf = ReadBuf::new(&mut waste);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if !buf.filled().is_empty() => farewell.heard(buf.filled().len()),
                // Closed or broken on the other side: nothing more to wait for.
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
