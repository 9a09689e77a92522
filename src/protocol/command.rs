//! The write side: commands, who sends them, and the two answers.

use super::event::Seq;
use crate::domain::draft::{DrafterKind, TargetKind};
use crate::domain::feedback::{FieldError, NewFeedback};
use crate::domain::id::{DraftId, FeedbackId, NoteId};
use crate::domain::note::NoteText;
use crate::domain::review::Choices;
use crate::domain::server::Heartbeat;
use serde::{Deserialize, Serialize};

/// Everything that can be asked of the engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    RecordFeedback {
        report: Box<NewFeedback>,
    },
    AddNote {
        feedback: FeedbackId,
        content: NoteText,
        /// Hand it to agents that meet the same gap.
        #[serde(default)]
        public: bool,
    },
    /// Acts on all of `feedback` or, when one of them does not exist, on none.
    SetReviewed {
        feedback: Vec<FeedbackId>,
        reviewed: bool,
    },
    /// When a run of the report is under way and its process is gone, that run is gone on with instead of a new one.
    StartDraft {
        feedback: FeedbackId,
        /// Draft again although a draft was published already.
        force: bool,
        /// Instead of what the configuration says.
        drafter: Option<DrafterKind>,
        target: Option<TargetKind>,
        /// Nobody is there to look at the change: it is published without a review, whatever the configuration says.
        #[serde(default)]
        unattended: bool,
    },
    /// Replaces what was decided about a change that waits for a review.
    EditReview {
        draft: DraftId,
        choices: Box<Choices>,
    },
    /// Publishes a change that waits for a review. To discard it, cancel the draft.
    PublishDraft {
        draft: DraftId,
        /// Although its `verify` command failed.
        despite_failure: bool,
    },
    CancelDraft {
        draft: DraftId,
    },
    RecordHeartbeat {
        heartbeat: Box<Heartbeat>,
    },
    /// Changes one line of `config.toml`, and nothing else in it. Secrets never travel here.
    ChangeSetting {
        /// Its name as `patchwork config set` takes it: `draft.drafter`, `repository.billing.branch`.
        setting: String,
        /// As a person types it; `None` takes it out, or a whole repository.
        value: Option<String>,
    },
    SaveSettings {
        settings: SettingsPatch,
    },
}

/// The settings that the original's dashboard edits; `None` leaves a value as it is. Secrets never travel here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SettingsPatch {
    pub github_repo: Option<String>,
    pub default_branch: Option<String>,
    pub llm_provider: Option<String>,
    pub llm_model: Option<String>,
}

/// The way a command came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    Tui,
    Http,
    Cli,
    /// The engine itself: a draft run's own steps.
    Engine,
}

/// Who did it, as the audit trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub door: Door,
    /// A person's name, or empty.
    pub name: String,
}

impl Actor {
    pub fn new(door: Door, name: impl Into<String>) -> Self {
        Self { door, name: name.into() }
    }
}

/// The command is durable, and everything it changed has a number up to `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub seq: Seq,
    pub made: Made,
    /// The command id was known: this is the first answer again, and nothing was done now.
    pub replayed: bool,
}

/// What a command made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Made {
    Feedback(FeedbackId),
    Note(NoteId),
    Draft(DraftId),
    Nothing,
}

/// The command was not carried out, and nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    pub kind: RefusalKind,
    /// A sentence that says what is wrong and what to do.
    pub detail: String,
    /// For `Invalid`: the fields at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldError>,
}

/// The kind of a refusal; `http` maps it to a status, the CLI to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Something named in the command does not exist.
    NotFound,
    /// It does not fit what is there, such as a draft that exists already.
    Conflict,
    Invalid,
    /// A setting or key is missing.
    Unconfigured,
    /// Too much at once: try again in a moment.
    Busy,
    /// The disk, the file or another process: the detail says which.
    Storage,
}

impl Refusal {
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), fields: Vec::new() }
    }

    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(RefusalKind::NotFound, format!("there is no {what} with the id {id}"))
    }
}
