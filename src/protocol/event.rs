//! The change feed: what happened, numbered, with the rows as they are now.

use super::command::Actor;
use super::read::Detail;
use crate::domain::draft::{Draft, Stage};
use crate::domain::feedback::word_enum;
use crate::domain::id::{CommandId, DraftId};
use crate::domain::time::Millis;
use serde::{Deserialize, Serialize};

/// The number of an event. Given inside the transaction that made the event true; grows by one, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub i64);

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

word_enum! {
    /// What happened.
    EventKind {
        FeedbackRecorded = "feedback_recorded",
        FeedbackReviewed = "feedback_reviewed",
        NoteAdded = "note_added",
        DraftQueued = "draft_queued",
        DraftStageStarted = "draft_stage_started",
        DraftDetailAdded = "draft_detail_added",
        DraftStageDone = "draft_stage_done",
        DraftWaiting = "draft_waiting",
        /// Somebody decided something about a change that waits.
        DraftReviewEdited = "draft_review_edited",
        DraftPublished = "draft_published",
        DraftFailed = "draft_failed",
        DraftCancelled = "draft_cancelled",
        /// A pull request was merged or closed, or its checks ended.
        DraftPullRequestChanged = "draft_pull_request_changed",
        SettingsSaved = "settings_saved",
        /// A server not heard of before, or one with other tools than before. Heartbeats that say nothing new make no event.
        ServerChanged = "server_changed",
    }
}

/// One entry of the log.
///
/// The rows it carries are read together with the entry, so they are at least as new as `seq` and a client's fold is an upsert:
/// applying an event twice, or one whose row has moved on since, ends in the same place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub seq: Seq,
    pub at: Millis,
    pub kind: EventKind,
    pub actor: Actor,
    /// The command that made it, so that the sender can tell its own.
    pub command: Option<CommandId>,
    /// The stage's word, a detail's line or a failure's reason, for the draft kinds; a server's name; the name of a setting or key; else empty. Untrusted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Box<Detail>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<Box<Draft>>,
}

/// How a running stage is getting on. Lossy: the newest replaces the one before, and none of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub draft: DraftId,
    pub stage: Stage,
    /// Bytes received or printed in this stage so far.
    pub bytes: i64,
    /// The last few lines of what streams in: model text or a command's output. Untrusted.
    pub tail: String,
}

/// What a watcher receives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "signal", rename_all = "snake_case")]
pub enum Signal {
    Event(Box<Event>),
    Progress(Progress),
    /// The log no longer reaches back to where the watcher was: take a new snapshot.
    Reset,
}
