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
        /// Only where a repository has a `verify` command.
        Verify = "verify",
        /// Only where somebody is to look at the change before it leaves the machine.
        Review = "review",
        Publish = "publish",
    }
}

impl Stage {
    /// Whether runs may go by without it.
    pub fn is_optional(self) -> bool {
        match self {
            Self::Verify | Self::Review => true,
            Self::Checkout | Self::Context | Self::Model | Self::Check | Self::Publish => false,
        }
    }

    /// Whether a run may go from this stage straight to `next`.
    fn leads_to(self, next: Self) -> bool {
        let between = Self::ALL.iter().filter(|stage| self < **stage && **stage < next);
        self < next && between.copied().all(Self::is_optional)
    }

    /// What the program does in this stage, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Checkout => "Check out the repository",
            Self::Context => "Choose the files that matter",
            Self::Model => "Ask for the change",
            Self::Check => "Check the change",
            Self::Verify => "Verify the change",
            Self::Review => "Review the change",
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

word_enum! {
    /// Where a re-draft of a pull request goes.
    RedraftKind {
        /// A pull request of its own; the old one stays as it is.
        NewPr = "new-pr",
        /// A commit on top of the old one's branch.
        SamePr = "same-pr",
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
    /// The change is ready, and somebody is to look at it before it leaves the machine.
    Waiting {
        /// Why publishing it failed the last time; empty when it was not tried.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        trouble: String,
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
            Self::Waiting { .. } => "waiting",
            Self::Published { .. } => "published",
            Self::Failed { .. } => "failed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    pub fn is_over(&self) -> bool {
        match self {
            Self::Queued | Self::Running { .. } | Self::Waiting { .. } => false,
            Self::Published { .. } | Self::Failed { .. } | Self::Cancelled { .. } => true,
        }
    }

    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Queued | Self::Published { .. } => None,
            Self::Running { stage } | Self::Failed { stage, .. } => Some(*stage),
            Self::Waiting { .. } => Some(Stage::Review),
            Self::Cancelled { stage } => *stage,
        }
    }

    /// Whether something works on it, or will as soon as there is room.
    pub fn is_active(&self) -> bool {
        match self {
            Self::Queued | Self::Running { .. } => true,
            Self::Waiting { .. } | Self::Published { .. } | Self::Failed { .. } | Self::Cancelled { .. } => false,
        }
    }

    /// Whether a run may go from here to `to`: forward stage by stage, once, and never back from an end. A reviewed change
    /// that can't be published goes back to waiting, because it is paid for and somebody has looked at it.
    pub fn may_become(&self, to: &Self) -> bool {
        match (self, to) {
            (Self::Queued, Self::Running { stage } | Self::Failed { stage, .. }) => *stage == Stage::Checkout,
            (Self::Queued, Self::Cancelled { stage: None }) => true,
            (Self::Running { stage }, Self::Running { stage: next }) => stage.leads_to(*next),
            (Self::Running { stage }, Self::Waiting { .. }) => matches!(stage, Stage::Review | Stage::Publish),
            (Self::Waiting { .. }, Self::Failed { stage, .. } | Self::Cancelled { stage: Some(stage) }) => {
                *stage == Stage::Review
            }
            // At once when another run has opened a pull request for the same report.
            (Self::Running { stage }, Self::Published { .. }) => matches!(stage, Stage::Checkout | Stage::Publish),
            (Self::Waiting { .. }, Self::Running { stage }) => *stage == Stage::Publish,
            (Self::Running { stage }, Self::Failed { stage: at, .. }) => stage == at,
            (Self::Running { stage }, Self::Cancelled { stage: at }) => Some(*stage) == *at,
            (
                Self::Queued
                | Self::Waiting { .. }
                | Self::Published { .. }
                | Self::Failed { .. }
                | Self::Cancelled { .. },
                _,
            )
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
    /// The part of `input_tokens` that was written to the provider's cache, where that has a price of its own.
    #[serde(default)]
    pub cache_written_tokens: i64,
}

impl Usage {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            cache_written_tokens: self.cache_written_tokens + other.cache_written_tokens,
        }
    }
}

word_enum! {
    /// How a repository's `verify` command ended.
    Verdict {
        Passed = "passed",
        Failed = "failed",
    }
}

/// How a repository's `verify` command ended for a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    pub verdict: Verdict,
    /// The command, as the settings had it.
    pub command: String,
    /// How it ended, in words: `exit code 1`.
    pub ended: String,
    pub took_ms: i64,
    /// The end of what it printed, without terminal escapes; untrusted.
    pub output: String,
    /// Which change it was: the one that the drafter made in this turn.
    pub turns: usize,
}

impl Verified {
    /// How long it took, for people.
    pub fn took(&self) -> String {
        let seconds = self.took_ms / 1_000;
        match seconds {
            0 => "less than a second".into(),
            1..120 => format!("{seconds} s"),
            _ => format!("{} min {} s", seconds / 60, seconds % 60),
        }
    }
}

word_enum! {
    /// What became of a pull request.
    PullState {
        Open = "open",
        /// Open, and marked as a draft.
        Draft = "draft",
        Merged = "merged",
        Closed = "closed",
    }
}

word_enum! {
    /// What the checks of a pull request say, taken together.
    Checks {
        /// There are none.
        None = "none",
        Pending = "pending",
        Passed = "passed",
        Failed = "failed",
        /// The token may not read them.
        Unknown = "unknown",
    }
}

/// A pull request as it was when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PullStatus {
    pub state: PullState,
    pub checks: Checks,
    pub looked_at: Millis,
}

impl std::fmt::Display for PullStatus {
    /// `merged`, `open, checks failed`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)?;
        match (self.state, self.checks) {
            (PullState::Merged | PullState::Closed, _) | (_, Checks::None) => Ok(()),
            (PullState::Open | PullState::Draft, checks) => write!(f, ", checks {checks}"),
        }
    }
}

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cost(pub i64);

impl Cost {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::fmt::Display for Cost {
    /// `$0.42`; four digits where less than a cent would be zero.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let dollars = self.0 as f64 / 1_000_000.0;
        if self.0 != 0 && self.0.abs() < 10_000 { write!(f, "${dollars:.4}") } else { write!(f, "${dollars:.2}") }
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
    /// What that cost at the prices known then; `None` when no price is known, which is not the same as nothing.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// Whether it stops for somebody to look at the change before it is published.
    #[serde(default)]
    pub confirm: bool,
    /// How `verify` ended; `None` when there is no such command or it has not ended yet.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// `None` before the first look, and for local branches.
    #[serde(default)]
    pub pull: Option<PullStatus>,
}

impl Draft {
    /// What it cost, in words. Tokens without a known price cost something all the same.
    pub fn spent(&self) -> Option<String> {
        let used = self.usage.input_tokens + self.usage.output_tokens > 0;
        match self.cost {
            Some(cost) if used || cost.0 > 0 => Some(cost.to_string()),
            Some(_) => None,
            None => used.then(|| "cost unknown".to_owned()),
        }
    }
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
        states.push(DraftState::Waiting { trouble: String::new() });
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
        assert_eq!(ends, 4, "published, failed here, cancelled here, or back to whoever reviewed it");
    }

    #[test]
    fn only_what_is_optional_may_be_left_out() {
        let runs = |from, to| DraftState::Running { stage: from }.may_become(&DraftState::Running { stage: to });
        assert!(runs(Stage::Check, Stage::Publish) && runs(Stage::Check, Stage::Review));
        assert!(runs(Stage::Verify, Stage::Publish));
        assert!(!runs(Stage::Checkout, Stage::Model) && !runs(Stage::Context, Stage::Publish));
    }

    #[test]
    fn a_change_that_waits_is_published_or_discarded() {
        let waiting = DraftState::Waiting { trouble: String::new() };
        assert!(DraftState::Running { stage: Stage::Review }.may_become(&waiting));
        assert!(!DraftState::Running { stage: Stage::Check }.may_become(&waiting));
        let next: Vec<_> = all_states().into_iter().filter(|to| waiting.may_become(to)).collect();
        assert_eq!(
            next.iter().map(|s| (s.word(), s.stage())).collect::<Vec<_>>(),
            [("failed", Some(Stage::Review)), ("cancelled", Some(Stage::Review)), ("running", Some(Stage::Publish)),]
        );
    }

    #[test]
    fn money_is_shown_as_people_write_it() {
        for (cost, shown) in [(0, "$0.00"), (420_000, "$0.42"), (12_345_678, "$12.35"), (1_234, "$0.0012")] {
            assert_eq!(Cost(cost).to_string(), shown);
        }
    }
}
