//! The read side: what lists, panes and the API show. All of it is a copy as of some [`Seq`].

use super::event::Seq;
use crate::domain::draft::{Draft, StageRecord};
use crate::domain::feedback::{Feedback, GapType, Resolution};
use crate::domain::filter::{Facts, Filter};
use crate::domain::id::{DraftId, FeedbackId};
use crate::domain::note::Note;
use crate::domain::review::{Choices, Proposal};
use crate::domain::text::clipped;
use crate::domain::time::Millis;
use serde::{Deserialize, Serialize};

/// Most rows of one page.
pub const MAX_PAGE: usize = 200;

/// Who answers at this address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Always `patchwork`.
    pub program: String,
    pub version: String,
    pub protocol: u32,
    /// Identifies the database file, wherever it is moved.
    pub database: String,
    pub seq: Seq,
}

/// A report with its notes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    #[serde(flatten)]
    pub feedback: Feedback,
    /// Oldest first.
    pub notes: Vec<Note>,
}

impl Detail {
    /// Bytes of its texts: about what it takes in memory and on the wire.
    pub fn bytes(&self) -> usize {
        let r = &self.feedback.report;
        let texts = [&r.what_i_needed, &r.what_i_tried, &r.suggestion, &r.user_goal];
        let extra: usize = r.extra.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        texts.into_iter().chain(&r.tools_available).map(String::len).sum::<usize>()
            + self.notes.iter().map(|note| note.content.len()).sum::<usize>()
            + extra
    }

    pub fn matches(&self, filter: &Filter, now: Millis) -> bool {
        let notes: Vec<String> = self.notes.iter().map(|n| n.content.clone()).collect();
        filter.matches(Facts { feedback: &self.feedback, notes: &notes }, now)
    }
}

/// What a list shows of a report: small, whatever the agent sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub id: FeedbackId,
    pub n: i64,
    pub received_at: Millis,
    /// The beginning of `what_i_needed`, one safe line.
    pub headline: String,
    pub server_name: String,
    pub gap_type: GapType,
    pub resolution: Option<Resolution>,
    pub client_type: String,
    pub reviewed: bool,
    pub note_count: i64,
    pub pr_url: String,
    pub drafted: bool,
    pub merged: bool,
}

/// Most characters of [`Row::headline`], [`Row::server_name`] and [`Row::client_type`].
pub const ROW_TEXT: usize = 240;

impl Row {
    pub fn of(f: &Feedback) -> Self {
        Self {
            id: f.id.clone(),
            n: f.n,
            received_at: f.received_at,
            headline: f.report.headline(ROW_TEXT),
            server_name: clipped(&f.report.server_name, ROW_TEXT),
            gap_type: f.report.gap_type,
            resolution: f.report.resolution,
            client_type: clipped(&f.report.client_type, ROW_TEXT),
            reviewed: f.reviewed,
            note_count: f.note_count,
            pr_url: f.pr_url.clone(),
            drafted: f.drafted,
            merged: f.merged,
        }
    }

    pub fn position(&self) -> Position {
        Position(self.n)
    }
}

/// A place in a list ordered by arrival: a report's `n`. Pages go on from a position (keyset), never from an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Position(pub i64);

impl From<Position> for String {
    fn from(p: Position) -> String {
        p.0.to_string()
    }
}

/// The text was not made by this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a cursor; take it from the answer before, unchanged")]
pub struct InvalidCursor;

impl TryFrom<String> for Position {
    type Error = InvalidCursor;
    fn try_from(text: String) -> Result<Self, InvalidCursor> {
        text.parse().map(Self).map_err(|_| InvalidCursor)
    }
}

/// Which rows of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    pub filter: Filter,
    /// Rows strictly beyond this position, in the filter's order.
    pub after: Option<Position>,
    /// 1 to [`MAX_PAGE`].
    pub limit: usize,
}

impl PageRequest {
    pub fn first(filter: Filter, limit: usize) -> Self {
        Self { filter, after: None, limit }
    }
}

/// Some rows of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    pub seq: Seq,
    pub rows: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<Position>,
}

/// Everything a front-end needs to begin, read in one transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    pub seq: Seq,
    pub page: Page<Row>,
    /// Newest first, at most [`MAX_PAGE`].
    pub drafts: Vec<Draft>,
    pub stats: Stats,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub value: String,
    pub count: i64,
}

/// Counts over the whole database, most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stats {
    pub total: i64,
    pub unreviewed: i64,
    pub note_count: i64,
    pub by_server: Vec<Count>,
    pub by_gap_type: Vec<Count>,
    /// Reports without a resolution are not counted.
    pub by_resolution: Vec<Count>,
}

/// Counts per value, for pickers and completion; at most 50 values each, most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facets {
    pub server: Vec<Count>,
    pub gap: Vec<Count>,
    pub resolution: Vec<Count>,
    pub client: Vec<Count>,
    pub model: Vec<Count>,
}

/// A run with its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftDetail {
    pub draft: Draft,
    pub stages: Vec<StageRecord>,
    /// Files shown to the drafter, best first.
    pub files: Vec<RankedFile>,
    /// Unified diff of the change, when there is one. Untrusted.
    pub diff: String,
    /// Everything the run printed, capped; readable long after.
    pub log: String,
    /// What the drafter proposes, once there is a change.
    #[serde(default)]
    pub proposal: Option<Proposal>,
    /// What was decided about it.
    #[serde(default)]
    pub choices: Choices,
    /// The newest earlier draft of the same report that has a diff: what this one is compared with.
    #[serde(default)]
    pub earlier: Option<EarlierDraft>,
}

/// Which of the drafts of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierDraft {
    pub id: DraftId,
    pub number: i64,
}

/// A file chosen for the context, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedFile {
    pub path: String,
    /// Higher is better; comparable within one ranking only.
    pub score: f64,
    /// The words and signals that made the score, strongest first.
    pub reasons: Vec<String>,
    /// Estimated tokens that its excerpt takes in the brief; 0 when it is not shown.
    pub tokens: usize,
    /// The drafter sees all of it.
    #[serde(default)]
    pub whole: bool,
    /// First and last line, from 1, of each part that the drafter sees of a file which it does not see whole.
    #[serde(default)]
    pub lines: Vec<(usize, usize)>,
    /// Why it is not shown; empty when it is.
    #[serde(default)]
    pub left_out: String,
}

// Scores are finite by construction.
impl Eq for RankedFile {}

/// What a dry run answers: the context stage and nothing after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DryRun {
    pub feedback_id: FeedbackId,
    pub repository: String,
    pub commit: String,
    pub files: Vec<RankedFile>,
    /// Files that match more weakly than all of those, and are not shown.
    pub weaker: usize,
    /// Files whose names match and that are never shown.
    pub closed: Vec<ClosedFile>,
    /// Files that were not looked at, because the repository has too much text.
    pub unread: usize,
    /// Tracked names that nothing can be done with: git's own, or with line breaks, other control characters, or not UTF-8.
    pub unnameable: usize,
    /// Tracked files.
    pub total_files: usize,
    /// Estimated tokens that the repository's part of the brief may have, and of the whole brief.
    pub context_tokens: usize,
    pub brief_tokens: usize,
}

/// A file that can't be shown or must not be, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedFile {
    pub path: String,
    pub why: String,
}

/// Settings as the API shows them: secrets masked to their last four characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsView {
    pub github_repo: String,
    pub default_branch: String,
    pub llm_provider: String,
    pub llm_model: String,
    pub github_pat: String,
    pub anthropic_api_key: String,
    pub openai_api_key: String,
    pub openai_compatible_api_key: String,
    /// A draft can be started.
    pub configured: bool,
    /// What is missing when it can't.
    pub missing: Vec<String>,
}
