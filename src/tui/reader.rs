//! The thread that reads the terminal.
//!
//! It can be stopped for certain, which the library's own stream can't: its thread may outlive it and take the keys that are meant for the
//! user's editor, or hear the bell that ended it together with a key and forget the key. Here one `poll` waits for both,
//! says what is there rather than what is new, and whoever stops the thread waits until it is gone.

use crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, poll};
use std::io::{self, PipeReader, PipeWriter};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Events on their way to the screen. When it is full the thread waits, and the rest stays in the terminal.
const EVENTS: usize = 1024;
/// How long the rest of an escape sequence may take.
const REST: Duration = Duration::from_millis(1);
/// How long to wait for the thread. It ends at once unless a terminal has sent half of a sequence.
const END: Duration = Duration::from_millis(100);

/// Reads until it is dropped or the terminal is gone.
#[derive(Debug)]
pub(super) struct Reader {
    events: mpsc::Receiver<io::Result<Event>>,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    /// Disconnected when the thread has ended.
    ended: std_mpsc::Receiver<()>,
}

impl Reader {
    pub(super) fn start() -> io::Result<Self> {
        let (stopped, stop) = io::pipe()?;
        let (sender, events) = mpsc::channel(EVENTS);
        let (end, ended) = std_mpsc::channel();
        std::thread::Builder::new().name("terminal".into()).spawn(move || {
            read(&sender, &stopped);
            drop(end);
        })?;
        Ok(Self { events, stop: Some(stop), ended })
    }

    /// The next event; `None` when the terminal is gone.
    pub(super) async fn next(&mut self) -> Option<io::Result<Event>> {
        self.events.recv().await
    }

    /// One that is there already.
    pub(super) fn now(&mut self) -> Option<io::Result<Event>> {
        self.events.try_recv().ok()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // A thread that waits for room must not wait for ever.
        self.events.close();
        self.stop = None;
        if self.ended.recv_timeout(END) == Err(std_mpsc::RecvTimeoutError::Timeout) {
            tracing::warn!("the terminal is still being read: it has sent half of something");
        }
    }
}

fn read(events: &mpsc::Sender<io::Result<Event>>, stopped: &PipeReader) {
    while is_readable(stopped) {
        loop {
            let event = match event::poll(REST) {
                Ok(true) => event::read(),
                Ok(false) => break,
                Err(e) => Err(e),
            };
            let failed = event.is_err();
            if events.blocking_send(event).is_err() || failed {
                return;
            }
        }
    }
}

/// Waits for something to read; false when there will be nothing more, or nobody wants it.
fn is_readable(stopped: &PipeReader) -> bool {
    let stdin = rustix::stdio::stdin();
    loop {
        let mut waiting = [PollFd::new(&stdin, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut waiting, None) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return false,
            Ok(_) => {}
        }
        let (terminal, stop) = (waiting[0].revents(), waiting[1].revents());
        // A terminal that hung up can be read for ever, and has nothing to say.
        return stop.is_empty() && terminal == PollFlags::IN;
    }
}
