//! Draft runs: who runs which, how they tell, how they end.
//!
//! The database says what a run is doing; a task of this process does it. Each task holds the run's lock file, so that two
//! processes never work on one run; an owner that starts goes on with runs whose process has died, with what they had saved. Cancelling
//! is a write like any other, from whichever process: the task hears the bell, sees that its run is over and drops its future,
//! which stops the request or the command at once.

use super::lock::RunLock;
use super::{Engine, Inner, history, ledger, receipt, refusal};
use crate::config::Config;
use crate::domain::draft::{Draft, DraftState, DrafterKind, Published, Stage, TargetKind};
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::drafting::{self, Artifact, Call, Denied, DraftError, Job, Outcome, Released, Reporter, Saved, Stop, Tools};
use crate::protocol::read::DryRun;
use crate::protocol::{Actor, Door, Made, Progress, Receipt, Refusal, RefusalKind};
use crate::providers::GitCache;
use crate::store::{ArtifactName, Change, NewDraft, Store, StoreError, Write};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often an owner looks for runs that nobody works on: a process that dies tells nobody.
const ORPHAN_LOOK: Duration = Duration::from_secs(2);

/// Said in a run's history where it was cut off.
const WENT_ON: &str = "Interrupted here: the program had ended. The run goes on";

/// How a run comes to this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Somebody has just asked for it.
    New,
    /// The process that worked on it is gone.
    Interrupted,
}

/// What `StartDraft` asks for.
pub(super) struct Wanted {
    pub(super) feedback: FeedbackId,
    pub(super) force: bool,
    pub(super) drafter: Option<DrafterKind>,
    pub(super) target: Option<TargetKind>,
    pub(super) unattended: bool,
}

impl Engine {
    pub(super) async fn start_draft(&self, id: CommandId, actor: Actor, wanted: Wanted) -> Result<Receipt, Refusal> {
        let config = self.effective_config().await?;
        let report = self.feedback(&wanted.feedback).await?;
        let server = &report.feedback.report.server_name;
        let unconfigured = |missing: Vec<String>| Refusal::new(RefusalKind::Unconfigured, missing.join(" "));
        let Some(repository) = config.repository_for(server) else {
            return Err(unconfigured(drafting::missing_configuration(&config, &self.secrets(), server)));
        };
        let (drafter, target) = drafting::defaults(&config, repository);
        let (drafter, target) = (wanted.drafter.unwrap_or(drafter), wanted.target.unwrap_or(target));
        let missing = drafting::missing(&config, &self.secrets(), repository, drafter, target);
        if !missing.is_empty() {
            return Err(unconfigured(missing));
        }
        let feedback = wanted.feedback.clone();
        let change = Change::InsertDraft(NewDraft {
            id: DraftId::trusted(uuid::Uuid::now_v7().to_string()),
            feedback: wanted.feedback,
            force: wanted.force,
            drafter,
            model: config.model_of(drafter).to_owned(),
            target,
            confirm: config.draft.confirm && !wanted.unattended,
        });
        let written = match self.write(Some(id), actor, change).await.map_err(refusal) {
            Ok(written) => written,
            Err(refusal) => {
                let in_the_way = self.drafts(Some(&feedback)).await?.into_iter().find(|draft| draft.state.is_active());
                return self.go_on_with(in_the_way, refusal).await;
            }
        };
        if let (Made::Draft(draft), false) = (&written.made, written.replayed) {
            self.spawn_run(draft.clone(), Comes::New);
        }
        Ok(receipt(written))
    }

    /// What is asked for is under way already. When its process is gone, nobody would ever finish it: then this one does. Otherwise it
    /// stays refused.
    async fn go_on_with(&self, run: Option<Draft>, refusal: Refusal) -> Result<Receipt, Refusal> {
        match run {
            Some(run) if refusal.kind == RefusalKind::Conflict && self.is_abandoned(&run.id).await => {
                self.spawn_run(run.id.clone(), Comes::Interrupted);
                Ok(Receipt { seq: self.hello().seq, made: Made::Draft(run.id), replayed: false })
            }
            Some(_) | None => Err(refusal),
        }
    }

    /// Publishes a change that was reviewed.
    pub(super) async fn release_draft(
        &self,
        id: CommandId,
        actor: Actor,
        draft: DraftId,
        despite_failure: bool,
    ) -> Result<Receipt, Refusal> {
        let change = Change::Release { draft: draft.clone(), despite_failure };
        let written = match self.write(Some(id), actor, change).await.map_err(refusal) {
            Ok(written) => written,
            Err(refusal) => {
                let run = self.inner.store.draft_head(&draft).await.ok();
                return self.go_on_with(run.filter(released), refusal).await;
            }
        };
        if !written.replayed {
            self.spawn_run(draft, Comes::New);
        }
        Ok(receipt(written))
    }

    /// Goes on with the runs that a process which is gone left unfinished.
    pub(super) async fn resume_runs(&self) -> Result<(), StoreError> {
        for draft in self.inner.store.unfinished_drafts().await? {
            self.spawn_run(draft.id, Comes::Interrupted);
        }
        Ok(())
    }

    /// Goes on with the runs of processes that die beside this one, until the engine closes.
    pub(super) async fn adopt_orphans(self) {
        let closing = self.inner.closing.clone();
        let mut before = BTreeSet::new();
        while closing.run_until_cancelled(tokio::time::sleep(ORPHAN_LOOK)).await.is_some() {
            let unfinished = match self.inner.store.unfinished_drafts().await {
                Ok(drafts) => drafts.into_iter().map(|draft| draft.id).collect::<BTreeSet<_>>(),
                Err(e) => {
                    tracing::debug!(error = %e, "looking for runs that nobody works on");
                    continue;
                }
            };
            // One that was not there before belongs to whoever is about to begin it.
            for draft in unfinished.intersection(&before) {
                self.spawn_run(draft.clone(), Comes::Interrupted);
            }
            before = unfinished;
        }
    }

    fn spawn_run(&self, draft: DraftId, comes: Comes) {
        let inner = Arc::clone(&self.inner);
        inner.jobs.send_modify(|n| *n += 1);
        tokio::spawn(async move {
            let git = GitCache::new(inner.options.cache_dir.clone());
            // The closing token is the only way out that leaves the run as it is, to be resumed.
            let closing = inner.closing.clone();
            let was_ours = tokio::select! {
                was_ours = run_one(&inner, &git, &draft, comes) => was_ours,
                () = closing.cancelled() => true,
            };
            inner.ledger.settle(&draft);
            git.until_clean().await;
            if was_ours {
                inner.progress.clear(&draft);
            }
            inner.jobs.send_modify(|n| *n -= 1);
        });
    }

    /// Waits until no draft run of this process is queued or running.
    pub async fn until_idle(&self) {
        let mut jobs = self.inner.jobs.subscribe();
        // Fails only when the sender is gone, and this handle holds it.
        let _held = jobs.wait_for(|n| *n == 0).await;
    }

    /// The checkout and context stages of a draft, and nothing after them.
    pub async fn dry_run(&self, id: &FeedbackId) -> Result<DryRun, Refusal> {
        let config = Arc::new(self.effective_config().await?);
        let report = self.feedback(id).await?;
        let server = report.feedback.report.server_name.clone();
        let Some(repository) = config.repository_for(&server).cloned() else {
            let missing = drafting::missing_configuration(&config, &self.secrets(), &server);
            return Err(Refusal::new(RefusalKind::Unconfigured, missing.join(" ")));
        };
        let (drafter, target) = drafting::defaults(&config, &repository);
        let draft = DraftId::trusted(uuid::Uuid::now_v7().to_string());
        let job = Job {
            draft,
            number: 1,
            report,
            repository,
            drafter,
            target,
            confirm: false,
            previous: None,
            replaces: None,
        };
        let cache_dir = &self.inner.options.cache_dir;
        // An owner that starts takes what nobody has locked for left behind.
        let _lock = RunLock::take(cache_dir, &job.draft).map_err(|e| {
            let detail = format!("{} can't be locked: {e}; check the cache directory", cache_dir.display());
            Refusal::new(RefusalKind::Storage, detail)
        })?;
        let git = GitCache::new(cache_dir.clone());
        drafting::dry_run(&job, &self.inner.tools(config, git)).await.map_err(|e| {
            let kind = if matches!(e, DraftError::Configuration(_)) {
                RefusalKind::Unconfigured
            } else {
                RefusalKind::Invalid
            };
            Refusal::new(kind, e.to_string())
        })
    }
}

impl Inner {
    pub(super) fn tools(&self, config: Arc<Config>, git: GitCache) -> Tools {
        Tools { http: self.http.clone(), config, secrets: Arc::clone(&self.in_force().secrets), git }
    }

    pub(super) async fn write_as_engine(&self, change: Change) -> Result<(), StoreError> {
        let at = self.options.clock.now();
        self.store.write(Write { command: None, actor: Actor::new(Door::Engine, ""), at, change }).await.map(drop)
    }
}

/// Waits for a place, runs, and writes the end.
///
/// False when somebody else is at it: another process, or another task of this one.
async fn run_one(inner: &Arc<Inner>, git: &GitCache, id: &DraftId, comes: Comes) -> bool {
    let cache_dir = &inner.options.cache_dir;
    let lock = match RunLock::take(cache_dir, id) {
        Ok(Some(lock)) => lock,
        Ok(None) => return false,
        Err(e) => {
            let reason = format!("{} can't be locked: {e}; check the cache directory", cache_dir.display());
            end(inner, id, Change::FailDraft { draft: id.clone(), reason }).await;
            return true;
        }
    };
    // Who had the lock before may have come to the end.
    if inner.store.draft_head(id).await.is_ok_and(|draft| draft.state.is_active()) {
        tokio::select! {
            () = run_in_place(inner, git, id, comes) => {}
            () = until_over(inner, id) => tracing::info!(draft.id = %id, "run stopped"),
        }
    }
    drop(lock);
    true
}

async fn run_in_place(inner: &Arc<Inner>, git: &GitCache, id: &DraftId, comes: Comes) {
    let Some(_place) = inner.places.take().await else { return };
    let result = match prepare(inner, git, id).await {
        Ok((job, tools, saved, draft)) => {
            if let (Comes::Interrupted, DraftState::Running { stage }) = (comes, &draft.state) {
                let change = Change::AddDetail { draft: id.clone(), stage: *stage, line: WENT_ON.into() };
                end(inner, id, change).await;
            }
            let recorder = Recorder::new(Arc::clone(inner), Arc::clone(&tools.config), &draft);
            drafting::run(&job, &tools, saved, &recorder).await.map_err(|e| e.to_string())
        }
        Err(e) => Err(e),
    };
    let wait = |trouble| Change::MoveDraft { draft: id.clone(), to: DraftState::Waiting { trouble } };
    match result {
        Ok(Outcome::Published(published)) => publish(inner, id, published).await,
        Ok(Outcome::Waiting) => end(inner, id, wait(String::new())).await,
        // The change is finished and paid for, and perhaps decided about: that is not lost because the network is down.
        Err(reason) if is_finished(inner, id).await => end(inner, id, wait(reason)).await,
        Err(reason) => end(inner, id, Change::FailDraft { draft: id.clone(), reason }).await,
    }
}

/// Whether a run is where only a reviewer could send it.
fn released(draft: &Draft) -> bool {
    draft.confirm && draft.state == DraftState::Running { stage: Stage::Publish }
}

/// Whether a run has nothing to do any more but to have its change reviewed and published.
async fn is_finished(inner: &Inner, id: &DraftId) -> bool {
    let draft = inner.store.draft_head(id).await;
    draft.is_ok_and(|draft| matches!(draft.state, DraftState::Running { stage: Stage::Review | Stage::Publish }))
}

/// Everything a run needs, as it is now: notes added since it was queued count.
async fn prepare(inner: &Arc<Inner>, git: &GitCache, id: &DraftId) -> Result<(Job, Tools, Saved, Draft), String> {
    let text = |e: StoreError| e.to_string();
    let store = &inner.store;
    let draft = store.draft_head(id).await.map_err(text)?;
    let report = store.feedback(&draft.feedback_id).await.map_err(text)?;
    let engine = Engine { inner: Arc::clone(inner) };
    let config = Arc::new(engine.config_of_a_run().await.map_err(|e| e.detail)?);
    let server = &report.feedback.report.server_name;
    let Some(repository) = config.repository_for(server).cloned() else {
        let secrets = engine.secrets();
        return Err(drafting::missing_configuration(&config, &secrets, server).join(" "));
    };
    let commit = store.artifact(id, ArtifactName::Base).await.map_err(text)?;
    let saved = Saved {
        commit,
        conversation: read_back(store, id, ArtifactName::Conversation).await?,
        change: read_back(store, id, ArtifactName::Change).await?,
        verified: read_back(store, id, ArtifactName::Verified).await?,
        pushed: read_back(store, id, ArtifactName::Pushed).await?.unwrap_or_default(),
        released: if released(&draft) { Some(reviewed(store, id).await?) } else { None },
    };
    let (previous, replaces) = history::before(inner, &draft).await.map_err(text)?;
    let Draft { number, drafter, target, confirm, .. } = draft;
    let job = Job { draft: id.clone(), number, report, repository, drafter, target, confirm, previous, replaces };
    Ok((job, inner.tools(config, git.clone()), saved, draft))
}

/// What somebody decided about the change, and what they looked at.
async fn reviewed(store: &Store, id: &DraftId) -> Result<Released, String> {
    let choices = read_back(store, id, ArtifactName::Choices).await?.unwrap_or_default();
    let diff = store.artifact(id, ArtifactName::Diff).await.map_err(|e| e.to_string())?.unwrap_or_default();
    Ok(Released { choices, diff })
}

/// What the run had saved before it was interrupted, if it had.
async fn read_back<T: DeserializeOwned>(store: &Store, id: &DraftId, name: ArtifactName) -> Result<Option<T>, String> {
    let Some(json) = store.artifact(id, name).await.map_err(|e| e.to_string())? else { return Ok(None) };
    serde_json::from_str(&json).map_err(|e| format!("The saved {name} can't be read: {e}. Draft again."))
}

/// Returns when the run has ended in the database, whoever wrote it.
async fn until_over(inner: &Inner, id: &DraftId) {
    let mut bell = inner.store.bell();
    loop {
        bell.mark_unchanged();
        match inner.store.draft_head(id).await {
            Ok(draft) if draft.state.is_over() => return,
            Ok(_) => {}
            Err(e) => tracing::warn!(error = %e, draft.id = %id, "a run's state can't be read"),
        }
        if bell.changed().await.is_err() {
            return;
        }
    }
}

async fn publish(inner: &Inner, id: &DraftId, published: Published) {
    let line = format!("published as {} {}", published.branch, published.pr_url);
    let to = DraftState::Published { published };
    match inner.write_as_engine(Change::MoveDraft { draft: id.clone(), to }).await {
        Ok(()) => {}
        // Cancelled in the last moment: it is out all the same, and its history must say so.
        Err(StoreError::Conflict(_)) => {
            end(inner, id, Change::AddDetail { draft: id.clone(), stage: Stage::Publish, line }).await;
        }
        Err(e) => tracing::error!(error = %e, draft.id = %id, "{line}, but that can't be stored"),
    }
}

async fn end(inner: &Inner, id: &DraftId, change: Change) {
    match inner.write_as_engine(change).await {
        // It ended another way before: cancelled, most likely.
        Ok(()) | Err(StoreError::Conflict(_)) => {}
        Err(e) => tracing::error!(error = %e, draft.id = %id, "the end of a run can't be stored"),
    }
}

/// Writes what a run tells. While a resumed run does again what was done before the crash, its stages and lines are not stored twice.
struct Recorder {
    inner: Arc<Inner>,
    config: Arc<Config>,
    draft: DraftId,
    /// As the price list knows it.
    model: String,
    at: Mutex<At>,
}

#[derive(Clone, Copy)]
struct At {
    /// The stage the pipeline is in.
    now: Option<Stage>,
    /// The furthest stage that is stored.
    stored: Option<Stage>,
}

impl Recorder {
    fn new(inner: Arc<Inner>, config: Arc<Config>, draft: &Draft) -> Self {
        let at = Mutex::new(At { now: None, stored: draft.state.stage() });
        Self { inner, config, draft: draft.id.clone(), model: draft.model.clone(), at }
    }

    fn at(&self) -> std::sync::MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn store(&self, change: Change) -> Result<(), Stop> {
        self.inner.write_as_engine(change).await.map_err(|e| {
            if !matches!(e, StoreError::Conflict(_)) {
                tracing::error!(error = %e, draft.id = %self.draft, "a run's history can't be stored");
            }
            Stop
        })
    }
}

impl Reporter for Recorder {
    fn stage(&self, stage: Stage) -> BoxFuture<'_, Result<(), Stop>> {
        async move {
            let stored = {
                let mut at = self.at();
                at.now = Some(stage);
                at.stored
            };
            if stored.is_some_and(|s| stage <= s) {
                return Ok(());
            }
            self.store(Change::MoveDraft { draft: self.draft.clone(), to: DraftState::Running { stage } }).await?;
            self.at().stored = Some(stage);
            Ok(())
        }
        .boxed()
    }

    fn detail(&self, line: String) -> BoxFuture<'_, Result<(), Stop>> {
        async move {
            let at = *self.at();
            match at.now {
                Some(stage) if at.stored.is_none_or(|s| stage >= s) => {
                    self.store(Change::AddDetail { draft: self.draft.clone(), stage, line }).await
                }
                Some(_) | None => Ok(()),
            }
        }
        .boxed()
    }

    fn save(&self, artifact: Artifact) -> BoxFuture<'_, Result<(), Stop>> {
        async move {
            let draft = self.draft.clone();
            let change = match artifact {
                Artifact::Base { commit } => Change::SaveArtifact { draft, name: ArtifactName::Base, content: commit },
                Artifact::Files(files) => as_json(draft, ArtifactName::Files, &files)?,
                Artifact::Conversation(said) => {
                    let (usage, content) = (said.usage, json(&said)?);
                    let cost = drafting::price_of(&self.config, &self.model).map(|price| drafting::cost(usage, price));
                    Change::SaveConversation { draft, content, usage, cost }
                }
                Artifact::Proposal(proposal) => as_json(draft, ArtifactName::Proposal, &proposal)?,
                Artifact::Change(change) => as_json(draft, ArtifactName::Change, &change)?,
                Artifact::Verified(verified) => {
                    Change::SaveVerified { draft, content: json(&verified)?, verdict: verified.verdict }
                }
                Artifact::Pushed(commits) => as_json(draft, ArtifactName::Pushed, &commits)?,
                Artifact::Diff(diff) => Change::SaveArtifact { draft, name: ArtifactName::Diff, content: diff },
                Artifact::Log(text) => Change::AppendLog { draft, text },
            };
            let settles = matches!(change, Change::SaveConversation { .. });
            let stored = self.store(change).await;
            if settles {
                self.inner.ledger.settle(&self.draft);
            }
            stored
        }
        .boxed()
    }

    fn allow(&self, call: Call) -> BoxFuture<'_, Result<Call, Denied>> {
        ledger::allow(&self.inner, &self.config, (&self.draft, &self.model), call).boxed()
    }

    fn progress(&self, stage: Stage, bytes: i64, tail: &str) {
        self.inner.progress.put(Progress { draft: self.draft.clone(), stage, bytes, tail: tail.to_owned() });
    }
}

fn as_json(draft: DraftId, name: ArtifactName, value: &impl Serialize) -> Result<Change, Stop> {
    Ok(Change::SaveArtifact { draft, name, content: json(value)? })
}

fn json(value: &impl Serialize) -> Result<String, Stop> {
    serde_json::to_string(value).map_err(|e| {
        tracing::error!(error = %e, "an artifact has no JSON");
        Stop
    })
}
