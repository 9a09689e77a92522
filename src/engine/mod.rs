//! L4: the engine decides. Every operation of the program is a method of [`Engine`]; the doors above translate and add nothing.
//!
//! `submit` is the one write door, `watch` the one change feed, the rest are reads. An engine opened as [`Mode::Owner`] holds the
//! lock beside the database, resumes interrupted draft runs and notices what other processes write; a [`Mode::Guest`] is a
//! short-lived process (the CLI) that writes the file directly beside an owner.

pub mod answers;
mod check;
mod clock;
mod configuration;
mod difference;
mod feed;
mod history;
mod jobs;
mod ledger;
mod leftovers;
mod lock;
mod places;
mod pulls;
mod review;
mod settings;
mod sheet;

pub use clock::Clock;
pub use lock::{LockError, OwnerInfo, owner};
pub use pulls::Looked;

use crate::config::{Config, Secrets, Sources};
use crate::domain::draft::Draft;
use crate::domain::feedback::CANARY_SERVER;
use crate::domain::id::{CommandId, DraftId, FeedbackId, NoteId};
use crate::domain::server::Server;
use crate::domain::time::{DAY, Millis};
use crate::protocol::read::{Detail, DraftDetail, Facets, Hello, Page, PageRequest, Row, Snapshot, Stats};
use crate::protocol::{Actor, Command, Door, PROTOCOL_VERSION, Receipt, Refusal, RefusalKind, Seq, Signal};
use crate::providers::http::Http;
use crate::store::{self, Change, Options, Store, StoreError, Write, Written};
use feed::ProgressBoard;
use futures::stream::BoxStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often an owner looks whether another process has committed; a look costs microseconds.
const FOREIGN_LOOK: Duration = Duration::from_millis(100);
/// The log keeps this many entries and this much time, whichever is more.
const LOG_KEEP: i64 = 200_000;
const LOG_KEEP_MS: i64 = 90 * DAY;

/// Who this process is to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// The one long-lived process; `role` is what others are told: `tui`, `serve`.
    Owner { role: String },
    /// A short-lived process beside an owner, or alone.
    Guest,
}

/// What an engine is made of.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    pub database: PathBuf,
    pub config: Arc<Config>,
    pub secrets: Arc<Secrets>,
    /// Where `config` and `secrets` came from, to be read again when they are needed; `None`: they stay as they are.
    pub sources: Option<Sources>,
    /// Where [`Engine::save_secrets`] writes.
    pub secrets_file: PathBuf,
    /// Clones, work trees and the locks of runs.
    pub cache_dir: PathBuf,
    pub mode: Mode,
    pub clock: Clock,
}

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A cheap handle to the one engine of a process.
#[derive(Debug, Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: EngineOptions,
    store: Store,
    progress: ProgressBoard,
    ledger: ledger::Ledger,
    /// The settings and keys in use; replaced as a whole when they are read again.
    in_force: RwLock<Arc<configuration::InForce>>,
    /// The last counts and the log position they are true for.
    stats: Mutex<Option<(Seq, Stats)>>,
    known: answers::Known,
    http: Http,
    /// Draft runs at the same time.
    places: places::Places,
    /// Draft runs of this process, waiting ones included.
    jobs: watch::Sender<usize>,
    /// When pull requests may be looked at again.
    patience: pulls::Patience,
    closing: CancellationToken,
    lock: Mutex<Option<lock::Lock>>,
}

/// A fresh id for a command.
pub fn new_command_id() -> CommandId {
    CommandId::trusted(uuid::Uuid::now_v7().to_string())
}

impl Engine {
    /// Opens the database and, as its owner, goes on with what was interrupted. Call inside a tokio runtime.
    ///
    /// # Errors
    /// When another process owns the database, or the file can't be used; the sentence says what to do.
    pub async fn open(options: EngineOptions) -> Result<Self, OpenError> {
        Self::open_with(options, Http::new()).await
    }

    /// The same with an HTTP client of the caller's: other time-outs, another way to wait before a request is repeated.
    pub async fn open_with(options: EngineOptions, http: Http) -> Result<Self, OpenError> {
        let now = options.clock.now();
        let store_options = Options { path: options.database.clone(), now };
        // The lock file needs the directory; a migration needs the lock. Hence the order.
        store::make_directory(&options.database)?;
        let lock = match &options.mode {
            Mode::Owner { role } => {
                let me = OwnerInfo { pid: std::process::id(), since: now.to_iso(), role: role.clone() };
                Some(lock::take(&options.database, &me)?)
            }
            Mode::Guest => None,
        };
        let opened = tokio::task::spawn_blocking(move || Store::open(&store_options)).await;
        let store = opened.map_err(|e| StoreError::Stored(format!("opening died: {e}")))??;
        let engine = Self {
            inner: Arc::new(Inner {
                in_force: RwLock::new(Arc::new(configuration::InForce::at_first(&options))),
                http,
                places: places::Places::new(options.config.draft.parallel),
                jobs: watch::channel(0).0,
                patience: pulls::Patience::default(),
                options,
                store,
                progress: ProgressBoard::new(),
                ledger: ledger::Ledger::default(),
                stats: Mutex::new(None),
                known: answers::Known::new(),
                closing: CancellationToken::new(),
                lock: Mutex::new(lock),
            }),
        };
        engine.start().await?;
        Ok(engine)
    }

    async fn start(&self) -> Result<(), StoreError> {
        tokio::spawn(look_for_foreign_commits(Arc::clone(&self.inner)));
        if matches!(self.inner.options.mode, Mode::Owner { .. }) {
            let before = self.now().minus(LOG_KEEP_MS);
            self.write(None, Actor::new(Door::Engine, ""), Change::PruneLog { before, keep: LOG_KEEP }).await?;
            self.resume_runs().await?;
            tokio::spawn(leftovers::clear(Arc::clone(&self.inner)));
            tokio::spawn(self.clone().adopt_orphans());
            tokio::spawn(pulls::look_every(self.clone()));
        }
        Ok(())
    }

    /// What time it is by the engine's clock: everything it stores and judges goes by this one.
    pub fn now(&self) -> Millis {
        self.inner.options.clock.now()
    }

    async fn write(&self, command: Option<CommandId>, actor: Actor, change: Change) -> Result<Written, StoreError> {
        self.inner.store.write(Write { command, actor, at: self.now(), change }).await
    }

    /// Carries a command out, or refuses it. Returns after the change is durable. A command id that was seen before gets its
    /// first answer again.
    pub async fn submit(&self, id: CommandId, actor: Actor, command: Command) -> Result<Receipt, Refusal> {
        let new_id = || uuid::Uuid::now_v7().to_string();
        let change = match command {
            Command::RecordFeedback { report } => {
                let report = *report;
                let id = report.id.unwrap_or_else(|| FeedbackId::trusted(new_id()));
                // A canary has done its work when it is here: nobody has to look at it.
                let reviewed = report.report.server_name == CANARY_SERVER;
                Change::InsertFeedback { id, report: Box::new(report.report), reviewed }
            }
            Command::AddNote { feedback, content, public } => {
                Change::InsertNote { id: NoteId::trusted(new_id()), feedback, content: content.into(), public }
            }
            Command::SetReviewed { feedback, reviewed } => Change::SetReviewed { feedback, reviewed },
            Command::StartDraft { feedback, force, drafter, target, unattended } => {
                return self
                    .start_draft(id, actor, jobs::Wanted { feedback, force, drafter, target, unattended })
                    .await;
            }
            Command::EditReview { draft, choices } => {
                Change::EditReview { draft, choices: Box::new(review::checked(*choices)?) }
            }
            Command::PublishDraft { draft, despite_failure } => {
                return self.release_draft(id, actor, draft, despite_failure).await;
            }
            Command::CancelDraft { draft } => Change::CancelDraft { draft },
            Command::RecordHeartbeat { heartbeat } => Change::RecordHeartbeat(heartbeat),
            Command::ChangeSetting { setting, value } => {
                return self.change_setting(id, actor, &setting, value.as_deref()).await;
            }
            Command::SaveSettings { settings } => Change::PutSettings(settings::pairs(settings)?),
        };
        let adds_answer = matches!(change, Change::InsertNote { public: true, .. });
        let cancels = matches!(change, Change::CancelDraft { .. });
        let written = self.write(Some(id), actor, change).await.map_err(refusal)?;
        if adds_answer {
            self.inner.known.outdated();
        }
        if cancels {
            // A run whose process is gone has nobody else to clear up after it.
            leftovers::clear(Arc::clone(&self.inner)).await;
        }
        Ok(receipt(written))
    }

    /// Everything that happens after `after`, in order, and the progress of running drafts. Ends when the engine closes.
    pub fn watch(&self, after: Seq) -> BoxStream<'static, Signal> {
        feed::watch_from(Arc::clone(&self.inner), after)
    }

    pub fn hello(&self) -> Hello {
        Hello {
            program: "patchwork".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: PROTOCOL_VERSION,
            database: self.inner.store.database_id().into(),
            seq: *self.inner.store.bell().borrow(),
        }
    }

    pub async fn snapshot(&self, request: PageRequest) -> Result<Snapshot, Refusal> {
        self.inner.store.snapshot(request, self.now()).await.map_err(refusal)
    }

    pub async fn page(&self, request: PageRequest) -> Result<Page<Row>, Refusal> {
        self.inner.store.page(request, self.now()).await.map_err(refusal)
    }

    /// Like [`Self::page`], with everything of each report: for the API and the CLI.
    pub async fn list(&self, request: PageRequest) -> Result<Page<Detail>, Refusal> {
        self.inner.store.list(request, self.now()).await.map_err(refusal)
    }

    pub async fn feedback(&self, id: &FeedbackId) -> Result<Detail, Refusal> {
        self.inner.store.feedback(id).await.map_err(refusal)
    }

    /// The report that a person means by an id, its beginning or its end.
    pub async fn find_feedback(&self, part: &str) -> Result<FeedbackId, Refusal> {
        let found = self.inner.store.feedback_ids_like(part, 2).await.map_err(refusal)?;
        only_one("report", part, found, FeedbackId::as_str)
    }

    /// The run that a person means by an id, its beginning or its end.
    pub async fn find_draft(&self, part: &str) -> Result<DraftId, Refusal> {
        let found = self.inner.store.draft_ids_like(part, 2).await.map_err(refusal)?;
        only_one("draft", part, found, DraftId::as_str)
    }

    /// Runs, newest first: of one report or of all; at most `MAX_PAGE`.
    pub async fn drafts(&self, of: Option<&FeedbackId>) -> Result<Vec<Draft>, Refusal> {
        self.inner.store.drafts(of).await.map_err(refusal)
    }

    pub async fn draft(&self, id: &DraftId) -> Result<DraftDetail, Refusal> {
        self.inner.store.draft(id).await.map_err(refusal)
    }

    pub async fn stats(&self) -> Result<Stats, Refusal> {
        let seq = *self.inner.store.bell().borrow();
        if let Some((at, stats)) = &*self.stats_cache()
            && *at == seq
        {
            return Ok(stats.clone());
        }
        let stats = self.inner.store.stats().await.map_err(refusal)?;
        *self.stats_cache() = Some((seq, stats.clone()));
        Ok(stats)
    }

    fn stats_cache(&self) -> std::sync::MutexGuard<'_, Option<(Seq, Stats)>> {
        self.inner.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn facets(&self) -> Result<Facets, Refusal> {
        self.inner.store.facets().await.map_err(refusal)
    }

    /// Every server that was heard of, the latest first, at most 2,000.
    pub async fn servers(&self) -> Result<Vec<Server>, Refusal> {
        self.inner.store.servers().await.map_err(refusal)
    }

    /// What SQLite finds wrong with the file; empty when it is sound.
    pub async fn check_database(&self) -> Result<Vec<String>, Refusal> {
        self.inner.store.check().await.map_err(refusal)
    }

    /// Waits until everything committed by now is found by a search.
    pub async fn until_indexed(&self) {
        self.inner.store.until_indexed().await;
    }

    /// Stops jobs, finishes writes, closes the file and gives the lock back. Runs that are stopped by this go on when the next
    /// owner opens the database.
    pub async fn close(&self) {
        self.inner.closing.cancel();
        self.until_idle().await;
        self.inner.store.close().await;
        self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Rings the bell for what other processes commit.
async fn look_for_foreign_commits(inner: Arc<Inner>) {
    let mut ticks = tokio::time::interval(FOREIGN_LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = inner.closing.cancelled() => return,
        }
        match inner.store.look_for_foreign_commits() {
            Ok(true) => inner.known.outdated(),
            Ok(false) => {}
            Err(e) => tracing::debug!(error = %e, "looking for other processes' commits"),
        }
    }
}

fn receipt(written: Written) -> Receipt {
    Receipt { seq: written.seq, made: written.made, replayed: written.replayed }
}

/// The store's errors in the words of the protocol.
#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(refusal)`")]
fn refusal(e: StoreError) -> Refusal {
    let kind = match &e {
        StoreError::NotFound { .. } => RefusalKind::NotFound,
        StoreError::Conflict(_) => RefusalKind::Conflict,
        StoreError::QueueFull | StoreError::Closed => RefusalKind::Busy,
        StoreError::Open { .. } | StoreError::Fault(_) | StoreError::Stored(_) => RefusalKind::Storage,
    };
    if kind == RefusalKind::Storage {
        tracing::error!(error = %e, "storage");
    }
    Refusal::new(kind, e.to_string())
}

fn only_one<T>(what: &str, part: &str, mut found: Vec<T>, id: fn(&T) -> &str) -> Result<T, Refusal> {
    if let Some(exact) = found.iter().position(|f| id(f) == part) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(Refusal::not_found(what, part)),
        _ => Err(Refusal::new(
            RefusalKind::Conflict,
            format!("more than one {what} has an id like {part}: give more of it"),
        )),
    }
}
