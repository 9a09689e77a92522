//! What a draft run is given and what it tells: the contract between the pipeline and the engine.
//!
//! The pipeline stores nothing. Whatever must outlive it goes through a [`Reporter`], which the engine implements, and what an
//! interrupted run had already reported comes back to it as [`Saved`].

use super::heard::Remark;
use super::limits::Call;
use crate::config::{Config, Repository, Secrets};
use crate::domain::change::{Addressed, Plan};
use crate::domain::draft::{DrafterKind, Published, Stage, TargetKind, Usage, Verified};
use crate::domain::id::DraftId;
use crate::domain::review::{Choices, Proposal};
use crate::domain::time::Millis;
use crate::protocol::read::{Detail, RankedFile};
use crate::providers::GitCache;
use crate::providers::http::Http;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One run: a report, the repository behind it, who drafts, and where the change goes.
#[derive(Debug, Clone)]
pub struct Job {
    pub draft: DraftId,
    /// 1 for the first run of a report, 2 for the re-draft, …
    pub number: i64,
    /// The report with its notes as they are now.
    pub report: Detail,
    pub repository: Repository,
    pub drafter: DrafterKind,
    pub target: TargetKind,
    /// Stop at the finished change, for somebody to look at it.
    pub confirm: bool,
    /// The newest earlier run that made a change.
    pub previous: Option<Previous>,
    /// The newest earlier run that was published: this one is a re-draft.
    pub replaces: Option<Replaced>,
}

/// What an earlier run of the same report published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    pub number: i64,
    pub published: Published,
}

/// What an earlier run of the same report left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    /// Unified diff; untrusted, a model wrote it.
    pub diff: String,
    pub branch: String,
    /// Empty when there was no pull request.
    pub pr_url: String,
    /// The paths of the files that its drafter was shown whole.
    pub whole: Vec<String>,
}

/// What a run works with.
#[derive(Debug, Clone)]
pub struct Tools {
    pub http: Http,
    pub config: Arc<Config>,
    pub secrets: Arc<Secrets>,
    /// Clones and worktrees. Whoever drops a run can wait here until its worktree is gone.
    pub git: GitCache,
}

/// What an interrupted run already has. Nothing in it is done or paid for again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// The commit the run started from; started from again where it can still be had.
    pub commit: Option<String>,
    /// What was said with the model, when the run ended before a change came of it.
    pub conversation: Option<SavedConversation>,
    /// The change that passed the check stage.
    pub change: Option<SavedChange>,
    /// How `verify` ended the last time.
    pub verified: Option<Verified>,
    /// Commits that the run has given to its branch, or was about to.
    pub pushed: Vec<String>,
    /// Somebody has looked at the change and wants it published.
    pub released: Option<Released>,
}

/// What somebody decided about a change, and the diff that they looked at: its parts are counted in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Released {
    pub choices: Choices,
    pub diff: String,
}

/// What was said with a model so far, all of it paid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedConversation {
    /// The commit that the model was shown; about any other its answers say nothing.
    pub base: String,
    pub turns: Vec<Turn>,
    /// Of all turns, and of questions that got no answer that could be used.
    pub usage: Usage,
}

impl SavedConversation {
    /// What was said about this commit. What was said about another one means nothing any more, but it has been paid for.
    pub(super) fn about(base: &str, saved: Option<Self>) -> Self {
        match saved {
            Some(saved) if saved.base == base => saved,
            other => {
                let usage = other.map(|saved| saved.usage).unwrap_or_default();
                Self { base: base.to_owned(), turns: Vec::new(), usage }
            }
        }
    }
}

/// An answer, and what was said to it; `None` while it is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub answer: String,
    pub reply: Option<Reply>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub kind: ReplyKind,
    pub text: String,
}

/// Why a model was answered. Each kind has its own limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyKind {
    /// Its change could not be applied.
    Repair,
    /// Its change applies, and the repository's `verify` command fails with it.
    Verify,
    /// It asked to see more of the repository.
    LookUp,
}

/// How a run ended, when nothing went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Published(Published),
    /// The change is saved and waits for somebody to look at it.
    Waiting,
}

/// A checked change, ready to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedChange {
    /// The commit it was made from; its files may not be written over any other.
    pub base: String,
    /// When it was made: the date of the commit, so that publishing again after a crash makes the same commit.
    pub at: Millis,
    /// One line of at most 72 characters.
    pub title: String,
    /// Markdown; untrusted.
    pub summary: String,
    /// The new content of every file that changes.
    pub files: Plan,
    pub usage: Usage,
    /// Comments on the draft before, and what became of them.
    #[serde(default)]
    pub remarks: Vec<Remark>,
    /// How many turns it took: tells this change from one that the drafter made later.
    #[serde(default)]
    pub turns: usize,
    /// Parts that a reviewer took out; known when it is published.
    #[serde(skip)]
    pub dropped: usize,
    /// How `verify` ended for it.
    #[serde(skip)]
    pub verified: Option<Verified>,
}

/// What a drafter hands over: its change, applied to nothing but checked against the worktree.
pub(super) struct Drafted {
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) files: Plan,
    pub(super) addressed: Vec<Addressed>,
    pub(super) usage: Usage,
    pub(super) turns: usize,
}

/// Something the run wants kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// The commit that the worktree shows.
    Base { commit: String },
    /// Files shown to the drafter, best first.
    Files(Vec<RankedFile>),
    /// Replaces the one before, with all that the run used so far: give it back as [`Saved::conversation`] after a crash.
    Conversation(SavedConversation),
    /// The checked change: give it back as [`Saved::change`] after a crash.
    Change(SavedChange),
    /// What a reviewer sees beside the diff.
    Proposal(Proposal),
    /// How `verify` ended for the newest change: give it back as [`Saved::verified`] after a crash.
    Verified(Verified),
    /// All commits that were given to the run's branch: give them back as [`Saved::pushed`].
    Pushed(Vec<String>),
    /// Unified diff of the change.
    Diff(String),
    /// Lines to append to the run's log.
    Log(String),
}

/// The engine wants the run to end: it was cancelled, or its history can't be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run was stopped")]
pub struct Stop;

/// Why a call to a model may not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    Stopped(Stop),
    /// It could go beyond a limit of the settings; a sentence that says which.
    Limit(String),
}

/// Where a run tells what it does. Implemented by the engine; all but [`Self::progress`] return when it is durable.
pub trait Reporter: Send + Sync {
    /// A stage begins; the one before is done.
    fn stage(&self, stage: Stage) -> BoxFuture<'_, Result<(), Stop>>;

    /// A line of what the stage did.
    fn detail(&self, line: String) -> BoxFuture<'_, Result<(), Stop>>;

    fn save(&self, artifact: Artifact) -> BoxFuture<'_, Result<(), Stop>>;

    /// Asks whether a model may be called. The answer may be a call for a shorter answer; what it could use is reserved
    /// until the next [`Artifact::Conversation`] says what it did use.
    fn allow(&self, call: Call) -> BoxFuture<'_, Result<Call, Denied>>;

    /// How a stage is getting on; lossy and cheap. `tail` is the end of what streams in, untrusted.
    fn progress(&self, stage: Stage, bytes: i64, tail: &str);
}
