//! A draft run: one attempt to turn a report into a change, and the legal moves between its states.

use super::feedback::word_enum;
use super::id::{DraftId, FeedbackId};
use super::time::Millis;
use serde::{Deserialize, Serialize};

word_enum! {
    /// The steps of a run, in order. Each is stored when it starts and when it ends.
    Stage {
        Checkout = "checkout",
        Context = "context",
        Model = "model",
        Check = "check",
        Publish = "publish",
    }
}

impl Stage {
    pub fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|s| *s == self)?;
        Self::ALL.get(at + 1).copied()
    }

    /// What the program does in this stage, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checkout => "Check out the repository",
            Self::Context => "Choose the files that matter",
            Self::Model => "Ask for the change",
            Self::Check => "Check the change",
            Self::Publish => "Publish the draft",
        }
    }
}

word_enum! {
    /// Who writes the change.
    DrafterKind {
        /// The Anthropic Messages API.
        Anthropic = "anthropic",
        /// The OpenAI Responses API.
        Openai = "openai",
        /// Any server that speaks Chat Completions.
        OpenaiCompatible = "openai-compatible",
        /// A coding agent with a command line.
        Command = "command",
    }
}

impl DrafterKind {
    /// Whether a model is asked over HTTP; the other way is a program on this machine.
    pub fn asks_a_model(self) -> bool {
        match self {
            Self::Anthropic | Self::Openai | Self::OpenaiCompatible => true,
            Self::Command => false,
        }
    }
}

word_enum! {
    /// Where the change goes.
    TargetKind {
        /// A pushed branch and a draft pull request.
        Github = "github",
        /// A branch and a commit in a local repository; nothing leaves the machine.
        Local = "local",
    }
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DraftState {
    /// Waiting for a free place.
    Queued,
    Running {
        stage: Stage,
    },
    Published {
        published: Published,
    },
    Failed {
        stage: Stage,
        /// A sentence that says why and what to do.
        reason: String,
    },
    Cancelled {
        /// Where it was; `None` when it had not begun.
        stage: Option<Stage>,
    },
}

/// What a successful run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub branch: String,
    pub commit: String,
    /// Empty for a local branch.
    pub pr_url: String,
    /// Where the branch can be found: `owner/name`, or the local repository's path.
    pub repository: String,
}

impl DraftState {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running { .. } => "running",
            Self::Published { .. } => "published",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    pub fn is_over(&self) -> bool {
        match self {
            Self::Queued | Self::Running { .. } => false,
            Self::Published { .. } | Self::Failed { .. } | Self::Cancelled { .. } => true,
        }
    }

    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Queued | Self::Published { .. } => None,
            Self::Running { stage } | Self::Failed { stage, .. } => Some(*stage),
            Self::Cancelled { stage } => *stage,
        }
    }

    /// Whether a run may go from here to `to`: forward stage by stage, once, and never back from an end.
    pub fn may_become(&self, to: &Self) -> bool {
        match (self, to) {
            (Self::Queued, Self::Running { stage } | Self::Failed { stage, .. }) => *stage == Stage::Checkout,
            (Self::Queued, Self::Cancelled { stage: None }) => true,
            (Self::Running { stage }, Self::Running { stage: next }) => stage.next() == Some(*next),
            (Self::Running { stage }, Self::Published { .. }) => *stage == Stage::Publish,
            (Self::Running { stage }, Self::Failed { stage: at, .. }) => stage == at,
            (Self::Running { stage }, Self::Cancelled { stage: at }) => Some(*stage) == *at,
            (Self::Queued | Self::Published { .. } | Self::Failed { .. } | Self::Cancelled { .. }, _)
            | (Self::Running { .. }, Self::Queued) => false,
        }
    }
}

/// What the model's provider says a run used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens read, cached ones included.
    pub input_tokens: i64,
    pub output_tokens: i64,
    /// The part of `input_tokens` that came from the provider's cache.
    pub cached_tokens: i64,
}

impl Usage {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
        }
    }
}

/// A run, as lists and events carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    pub id: DraftId,
    pub feedback_id: FeedbackId,
    /// First line of the report, clipped, so that a list of runs can be read.
    pub headline: String,
    pub server_name: String,
    /// 1 for the first run of a report, 2 for the re-draft, …
    pub number: i64,
    #[serde(flatten)]
    pub state: DraftState,
    pub drafter: DrafterKind,
    /// The model's name, or the command's first word.
    pub model: String,
    pub target: TargetKind,
    pub created_at: Millis,
    pub updated_at: Millis,
    pub usage: Usage,
}

/// One stage of a run, as history keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageRecord {
    pub stage: Stage,
    pub started_at: Millis,
    /// `None` while it runs.
    pub ended_at: Option<Millis>,
    /// What it did, a line each; plain text that may hold hostile characters.
    pub details: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_states() -> Vec<DraftState> {
        let published =
            Published { branch: "b".into(), commit: "c".into(), pr_url: String::new(), repository: "r".into() };
        let mut states =
            vec![DraftState::Queued, DraftState::Published { published }, DraftState::Cancelled { stage: None }];
        for stage in Stage::ALL.iter().copied() {
            states.push(DraftState::Running { stage });
            states.push(DraftState::Failed { stage, reason: "r".into() });
            states.push(DraftState::Cancelled { stage: Some(stage) });
        }
        states
    }

    #[test]
    fn a_run_that_is_over_never_moves_again() {
        let states = all_states();
        for from in states.iter().filter(|s| s.is_over()) {
            assert!(states.iter().all(|to| !from.may_become(to)), "{from:?}");
        }
    }

    #[test]
    fn stages_go_forward_one_by_one_and_end_in_publish() {
        let mut at = DraftState::Queued;
        for stage in Stage::ALL.iter().copied() {
            let next = DraftState::Running { stage };
            assert!(at.may_become(&next));
            assert!(!next.may_become(&at));
            assert!(!next.may_become(&next.clone()));
            at = next;
        }
        let ends = all_states().into_iter().filter(|to| at.may_become(to)).count();
        assert_eq!(ends, 3, "published, failed here, cancelled here");
    }
}
