//! The change feed: the log read on from where a watcher is, and the newest progress of running drafts.
//!
//! The bell says only that there is something. A watcher that was slow, asleep or away reads the same events in the same order as one that
//! was quick; one that was away for longer than the log reaches is told to begin again ([`Signal::Reset`]).

use super::Inner;
use crate::domain::id::DraftId;
use crate::protocol::{Progress, Seq, Signal};
use crate::store::Tail;
use futures::stream::{self, BoxStream, StreamExt};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Pause after a read of the log failed.
const RETRY: Duration = Duration::from_secs(1);

/// The newest progress of every running draft: a slot each, overwritten.
#[derive(Debug)]
pub(super) struct ProgressBoard {
    slots: Mutex<HashMap<DraftId, (u64, Progress)>>,
    version: watch::Sender<u64>,
}

impl ProgressBoard {
    pub(super) fn new() -> Self {
        Self { slots: Mutex::default(), version: watch::channel(0).0 }
    }

    pub(super) fn put(&self, progress: Progress) {
        let mut slots = self.slots();
        // Under the lock: two runs that report at once must not get the same number, or a watcher that saw one misses the other.
        let version = *self.version.borrow() + 1;
        slots.insert(progress.draft.clone(), (version, progress));
        self.version.send_replace(version);
    }

    pub(super) fn clear(&self, draft: &DraftId) {
        self.slots().remove(draft);
    }

    fn newer_than(&self, version: u64) -> Vec<Progress> {
        self.slots().values().filter(|(v, _)| *v > version).map(|(_, p)| p.clone()).collect()
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, HashMap<DraftId, (u64, Progress)>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Watcher {
    engine: Arc<Inner>,
    after: Seq,
    /// The log was read once: it knows the position.
    begun: bool,
    bell: watch::Receiver<Seq>,
    progress: watch::Receiver<u64>,
    seen_progress: u64,
    /// Read but not handed out; at most one tail.
    ready: VecDeque<Signal>,
}

pub(super) fn watch_from(engine: Arc<Inner>, after: Seq) -> BoxStream<'static, Signal> {
    let watcher = Watcher {
        bell: engine.store.bell(),
        progress: engine.progress.version.subscribe(),
        engine,
        after,
        begun: false,
        seen_progress: 0,
        ready: VecDeque::new(),
    };
    stream::unfold(watcher, |mut w| async move { w.next().await.map(|signal| (signal, w)) }).boxed()
}

impl Watcher {
    /// The next signal; `None` when the engine closes.
    async fn next(&mut self) -> Option<Signal> {
        loop {
            if let Some(signal) = self.ready.pop_front() {
                return Some(signal);
            }
            let rung = *self.bell.borrow_and_update() > self.after;
            if rung || !self.begun {
                self.read_log().await;
                continue;
            }
            let version = *self.progress.borrow_and_update();
            if version > self.seen_progress {
                let news = self.engine.progress.newer_than(self.seen_progress);
                self.ready.extend(news.into_iter().map(Signal::Progress));
                self.seen_progress = version;
                continue;
            }
            let closing = self.engine.closing.clone();
            tokio::select! {
                rung = self.bell.changed() => rung.ok()?,
                moved = self.progress.changed() => moved.ok()?,
                () = closing.cancelled() => return None,
            }
        }
    }

    async fn read_log(&mut self) {
        match self.engine.store.tail(self.after).await {
            Ok(Tail::Events(events)) => {
                self.begun = true;
                if let Some(last) = events.last() {
                    self.after = last.seq;
                }
                self.ready.extend(events.into_iter().map(|e| Signal::Event(Box::new(e))));
            }
            Ok(Tail::Gone) => {
                self.begun = true;
                self.after = *self.bell.borrow();
                self.ready.push_back(Signal::Reset);
            }
            Err(e) => {
                tracing::warn!(error = %e, "the log could not be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
