//! The handle, the writer thread and the readers.

use super::counts::Tally;
use super::error::{Fault, StoreError};
use super::write::{self, Change, Write, Written};
use super::{index, log, migrate, open};
use crate::domain::time::Millis;
use crate::protocol::Seq;
use rusqlite::{Connection, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot, watch};

/// Writes that may wait for the writer. When it is full the sender is told to come back ([`StoreError::QueueFull`]).
const QUEUE: usize = 4096;
/// Writes in one transaction at most.
const BATCH: usize = 512;
/// Read-only connections; further reads wait for one.
const READERS: usize = 4;
/// The index waits this long for another process's lock, then looks whether there is something better to do.
const INDEX_PATIENCE: Duration = Duration::from_millis(50);
/// Under load the index gets one small slice at most this often.
const BUSY_INDEX_EVERY: Duration = Duration::from_millis(20);
/// Nobody has written for this long: there may be time for the index. Clients that wait for their answers send again sooner.
const IDLE_AFTER: Duration = Duration::from_millis(3);
/// A commit is worth waiting for those who were answered just now, for this part of the time that it takes, and never longer.
const LINGER_PART: u32 = 4;
const LINGER_MOST: Duration = Duration::from_millis(2);

/// Where and when a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    pub path: PathBuf,
    pub now: Millis,
}

struct Job {
    write: Write,
    done: oneshot::Sender<Result<Written, StoreError>>,
}

/// The database. Cheap to clone; the file closes when [`Store::close`] was called or the last handle is gone.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    database_id: String,
    queue: Mutex<Option<mpsc::SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    bell: watch::Sender<Seq>,
    indexed: watch::Receiver<Seq>,
    readers: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
    /// A connection of its own: `data_version` speaks of commits since *this* connection looked. None once closed.
    foreign: Mutex<Option<(Connection, i64)>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("write", &self.write).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens, migrates when needed, and starts the writer thread.
    ///
    /// # Errors
    /// [`StoreError::Open`], whatever it is.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        Self::open_file(options).map_err(|e| e.at_open(&options.path))
    }

    fn open_file(options: &Options) -> Result<Self, StoreError> {
        let mut conn = open::writer(&options.path)?;
        migrate::run(&mut conn, &options.path, options.now)?;
        let database_id = conn.query_row("SELECT value FROM meta WHERE key = 'database_id'", [], |r| r.get(0))?;
        let newest = log::newest(&conn)?;
        let foreign = open::reader(&options.path)?;
        let version = open::data_version(&foreign)?;
        let (bell, _) = watch::channel(newest);
        let (indexed_tx, indexed) = watch::channel(Seq(index::position(&conn)?));
        let (queue, jobs) = mpsc::sync_channel(QUEUE);
        let writer = Writer { conn, jobs, bell: bell.clone(), indexed: indexed_tx, last_slice: Instant::now() };
        let thread = std::thread::Builder::new()
            .name("patchwork-writer".into())
            .spawn(move || writer.run())
            .map_err(|e| StoreError::Open { path: options.path.clone(), reason: format!("no thread: {e}") })?;
        Ok(Self {
            inner: Arc::new(Inner {
                path: options.path.clone(),
                database_id,
                queue: Mutex::new(Some(queue)),
                thread: Mutex::new(Some(thread)),
                bell,
                indexed,
                readers: Mutex::new(Vec::new()),
                free: Arc::new(Semaphore::new(READERS)),
                foreign: Mutex::new(Some((foreign, version))),
            }),
        })
    }

    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Identifies the file, wherever it is moved.
    pub fn database_id(&self) -> &str {
        &self.inner.database_id
    }

    /// Rings with the newest event's number after each commit; carries nothing else.
    pub fn bell(&self) -> watch::Receiver<Seq> {
        self.inner.bell.subscribe()
    }

    /// Makes one change durable. Many that wait together share one commit; each is answered for itself.
    pub async fn write(&self, write: Write) -> Result<Written, StoreError> {
        let (done, answer) = oneshot::channel();
        let queue = lock(&self.inner.queue).clone().ok_or(StoreError::Closed)?;
        queue.try_send(Job { write, done }).map_err(|e| match e {
            TrySendError::Full(_) => StoreError::QueueFull,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        drop(queue);
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `f` in a read transaction on a blocking thread.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The place is the work's own: who asked may be gone before it is done.
        let place = Arc::clone(&self.inner.free).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let inner = Arc::clone(&self.inner);
        let work = move || {
            let _place = place;
            let pooled = lock(&inner.readers).pop();
            let conn = match pooled {
                Some(conn) => conn,
                None => open::reader(&inner.path)?,
            };
            let tx = conn.unchecked_transaction()?;
            let result = f(&tx);
            drop(tx);
            lock(&inner.readers).push(conn);
            result
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| StoreError::Stored(format!("a read died: {e}")))?
    }

    /// Rings the bell when another connection has committed, of this process or another one, and says so; called now and then by the
    /// owner.
    pub fn look_for_foreign_commits(&self) -> Result<bool, StoreError> {
        let mut foreign = lock(&self.inner.foreign);
        let Some((conn, seen)) = foreign.as_mut() else { return Ok(false) };
        let version = open::data_version(conn)?;
        if version != *seen {
            *seen = version;
            ring(&self.inner.bell, log::newest(conn)?);
            return Ok(true);
        }
        Ok(false)
    }

    /// Waits until the search index has everything that is committed by now.
    pub async fn until_indexed(&self) {
        let wanted = *self.inner.bell.borrow();
        let mut indexed = self.inner.indexed.clone();
        // An error means that the writer has stopped; it indexes what it can before it does.
        let _stopped = indexed.wait_for(|at| *at >= wanted).await;
    }

    /// Finishes what is queued and closes the writer. Later writes answer [`StoreError::Closed`].
    pub async fn close(&self) {
        // Before the writer's: SQLite folds the `-wal` file into the database when the last connection closes, and one that only
        // reads can't do that. A database that nobody uses should be one file, for whoever copies it.
        lock(&self.inner.foreign).take();
        // A read under way has its connection out of the pool: wait for it, and let none begin after it.
        let _all = self.inner.free.acquire_many(READERS as u32).await;
        self.inner.free.close();
        lock(&self.inner.readers).clear();
        // The writer ends with its queue.
        lock(&self.inner.queue).take();
        let thread = lock(&self.inner.thread).take();
        if let Some(thread) = thread {
            // The thread ends when its queue does; a panic in it was reported by the hook.
            let _joined = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

/// Locks; a thread that panicked while holding one of these leaves nothing half-done behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ring(bell: &watch::Sender<Seq>, newest: Seq) {
    bell.send_if_modified(|seq| {
        let news = *seq < newest;
        *seq = newest.max(*seq);
        news
    });
}

/// How an attempt to index went.
enum Indexed {
    /// Nothing is left, or nothing can be done before the next write.
    All,
    /// There may be more.
    Some,
    /// Another process has the lock.
    Locked,
}

/// The thread that owns the only writing connection.
struct Writer {
    conn: Connection,
    jobs: mpsc::Receiver<Job>,
    bell: watch::Sender<Seq>,
    indexed: watch::Sender<Seq>,
    last_slice: Instant,
}

impl Writer {
    fn run(mut self) {
        // How much to index when nothing is waiting: a little first, because somebody may come, and more with time. None when
        // nothing is left. A crash may have left something.
        let mut to_index = Some(index::BUSY_SLICE);
        let mut pause = Duration::ZERO;
        loop {
            let next = match to_index {
                Some(_) => self.jobs.recv_timeout(pause),
                None => self.jobs.recv().map_err(RecvTimeoutError::from),
            };
            match (next, to_index) {
                (Ok(job), _) => {
                    self.commit_all(job, to_index.is_some());
                    (to_index, pause) = (Some(index::BUSY_SLICE), IDLE_AFTER);
                }
                (Err(RecvTimeoutError::Timeout), Some(size)) => {
                    to_index = match self.index_idle(size) {
                        Indexed::All => None,
                        Indexed::Some => Some((size * 2).min(index::IDLE_SLICE)),
                        Indexed::Locked => Some(size),
                    };
                    pause = Duration::ZERO;
                }
                (Err(RecvTimeoutError::Timeout), None) => {}
                (Err(RecvTimeoutError::Disconnected), _) => break,
            }
        }
        // What a lock or a fault keeps from being indexed now, the next start indexes.
        while let Indexed::Some = self.index_idle(index::IDLE_SLICE) {}
        // SQLite does this by itself when the last connection closes, but only when it gets the file alone, and then says nothing.
        // Who came to read does not wait for somebody else's lock at its end.
        let patience = self.conn.busy_timeout(INDEX_PATIENCE);
        let fold = || self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let folded = patience.and_then(|()| fold());
        if folded != Ok(0) {
            tracing::info!(?folded, "the -wal file stays; it belongs to the database, and the next start reads it");
        }
    }

    /// Commits for as long as writes come one upon the other. `behind`: the index has something to do.
    ///
    /// Clients that send, wait for the answer and send again come in two halves, one writing while the other is answered. So a
    /// commit waits a moment for those whom the last one has answered: one for all takes hardly longer than one for a half.
    fn commit_all(&mut self, first: Job, mut behind: bool) {
        let mut batch = Vec::with_capacity(BATCH);
        batch.push(first);
        batch.extend(self.jobs.try_iter().take(BATCH - 1));
        while !batch.is_empty() {
            let (begun, answered) = (Instant::now(), batch.len());
            self.commit(&mut batch, behind);
            behind = true;
            let linger = (begun.elapsed() / LINGER_PART).min(LINGER_MOST);
            self.gather(&mut batch, answered, Instant::now() + linger);
        }
    }

    /// Takes what has come meanwhile, and waits until `deadline` for as many more as were answered.
    fn gather(&mut self, batch: &mut Vec<Job>, answered: usize, deadline: Instant) {
        batch.extend(self.jobs.try_iter().take(BATCH));
        let expected = (batch.len() + answered).min(BATCH);
        while batch.len() < expected {
            // At an end of the queue the caller commits what there is, and then sees it too.
            let Ok(job) = self.jobs.recv_timeout(deadline.saturating_duration_since(Instant::now())) else { return };
            batch.push(job);
        }
    }

    /// One transaction for everything that was waiting; answers after the commit, or each with the error.
    fn commit(&mut self, batch: &mut Vec<Job>, behind: bool) {
        let slice = behind && self.last_slice.elapsed() >= BUSY_INDEX_EVERY;
        let result = match self.try_commit(batch, slice) {
            Err(e) if slice && e != StoreError::Fault(Fault::Locked) => {
                tracing::debug!(error = %e, "a commit failed; perhaps it is the index that can't be written");
                self.try_commit(batch, false)
            }
            result => result,
        };
        match result {
            Ok((answers, newest)) => {
                ring(&self.bell, newest);
                for (job, answer) in batch.drain(..).zip(answers) {
                    // A sender that has gone away has nothing to be told.
                    let _gone = job.done.send(answer);
                }
            }
            Err(e) => {
                tracing::error!(error = %e, writes = batch.len(), "commit failed");
                for job in batch.drain(..) {
                    let _gone = job.done.send(Err(e.clone()));
                }
            }
        }
    }

    fn try_commit(
        &mut self,
        batch: &[Job],
        slice: bool,
    ) -> Result<(Vec<Result<Written, StoreError>>, Seq), StoreError> {
        let mut tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut answers = Vec::with_capacity(batch.len());
        let mut tally = Tally::default();
        for job in batch {
            let point = tx.savepoint()?;
            match write::apply(&point, &job.write) {
                Ok(written) => {
                    point.commit()?;
                    if let (Change::InsertFeedback { report, reviewed, .. }, false) =
                        (&job.write.change, written.replayed)
                    {
                        tally.add(report, *reviewed);
                    }
                    answers.push(Ok(written));
                }
                // Where SQLite has undone the whole transaction by itself, what follows would stand outside of it.
                Err(e) if e.is_of_the_file() || point.is_autocommit() => return Err(e),
                Err(e) => answers.push(Err(e)),
            }
        }
        tally.store(&tx)?;
        if slice {
            index::slice(&tx, index::BUSY_SLICE)?;
            self.last_slice = Instant::now();
        }
        let newest = log::newest(&tx)?;
        tx.commit()?;
        Ok((answers, newest))
    }

    fn index_idle(&mut self, most: i64) -> Indexed {
        self.last_slice = Instant::now();
        match self.try_index(most) {
            Ok(slice) => {
                self.indexed.send_replace(slice.reached);
                if slice.more { Indexed::Some } else { Indexed::All }
            }
            Err(StoreError::Fault(Fault::Locked)) => Indexed::Locked,
            Err(e) => {
                tracing::warn!(error = %e, "the search index could not follow; the next write tries again");
                Indexed::All
            }
        }
    }

    /// Waits for a lock only briefly: neither a write nor the end of a process that came to read has to wait for the index.
    fn try_index(&mut self, most: i64) -> Result<index::Slice, StoreError> {
        self.conn.busy_timeout(INDEX_PATIENCE)?;
        let slice = self.index_slice(most);
        self.conn.busy_timeout(open::BUSY_TIMEOUT)?;
        slice
    }

    fn index_slice(&mut self, most: i64) -> Result<index::Slice, StoreError> {
        // Usually there is nothing to do, and a look needs no lock.
        if let Some(reached) = index::all_done(&self.conn)? {
            return Ok(index::Slice { more: false, reached, wrote: false });
        }
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let slice = index::slice(&tx, most)?;
        if slice.wrote {
            tx.commit()?;
        }
        Ok(slice)
    }
}
