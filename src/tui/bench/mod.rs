//! The review bench: a run's change on the desk, where the eye is in it, and what has been decided about it.
//!
//! Decisions are the engine's: every one is sent as it is made, and shown as on its way until the engine says it is so ([`Edit`]). The
//! change itself is read once per run, away from the screen ([`Run::of`]), because it may have sixteen megabytes.

mod paper;

pub use paper::{Kind, Paper, Part, Place, Shown};

use super::theme::Shade;
use crate::domain::diff::{Counts, Diff, FileDiff, Malformed};
use crate::domain::draft::Draft;
use crate::domain::id::{CommandId, DraftId};
use crate::domain::review::{Choices, Dropped};
use crate::protocol::difference::DraftDifference;
use crate::protocol::read::DraftDetail;
use std::sync::Arc;
use tui_textarea::TextArea;

/// A run with its change, as the screen holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    pub detail: DraftDetail,
    pub change: Arc<Change>,
}

impl Run {
    /// Takes time for a large change: not while somebody waits for a frame.
    pub fn of(detail: DraftDetail) -> Self {
        let change = Arc::new(Change::parse(&detail.diff));
        Self { detail, change }
    }
}

/// The files of a change, with what can be counted once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Change {
    pub files: Vec<FileDiff>,
    /// Lines added and removed, file by file.
    pub counts: Vec<Counts>,
    /// What happened to each besides its lines.
    pub remarks: Vec<Vec<String>>,
    /// Why it can't be shown file by file.
    pub trouble: Option<Malformed>,
}

impl Change {
    pub fn parse(diff: &str) -> Self {
        match Diff::parse(diff) {
            Ok(Diff { files }) => {
                let counts = files.iter().map(FileDiff::counts).collect();
                let remarks = files.iter().map(paper::remarks).collect();
                Self { files, counts, remarks, trouble: None }
            }
            Err(trouble) => Self { trouble: Some(trouble), ..Self::default() },
        }
    }

    pub fn total(&self) -> Counts {
        self.counts.iter().fold(Counts::default(), |sum, counts| sum.plus(*counts))
    }

    /// Parts that can be dropped, of all files.
    pub fn parts(&self) -> usize {
        self.files.iter().map(FileDiff::parts).sum()
    }
}

/// A run's change against an earlier one of the same report, with what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    pub told: DraftDifference,
    pub change: Arc<Change>,
}

impl Comparison {
    /// Takes time, as [`Run::of`] does.
    pub fn of(told: DraftDifference) -> Self {
        let mut change = Change::parse(&told.diff);
        let files = change.files.iter().zip(&told.files).zip(&mut change.remarks);
        for ((file, differs), remarks) in files {
            if let Some(remark) = told.remark(differs) {
                *remarks = paper::besides(file);
                remarks.insert(0, remark);
            }
        }
        Self { told, change: Arc::new(change) }
    }
}

/// A comparison that was asked for.
#[derive(Debug, Clone)]
pub struct Compared {
    pub draft: DraftId,
    /// The change as it was then.
    pub of: Arc<Change>,
    /// Counts the questions, so that the answer to an older one is known.
    pub asked: u64,
    /// Why there is none; `None`: it is on its way.
    pub result: Option<Result<Comparison, String>>,
}

/// Which side of a run is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Page {
    /// Its stages, files and log.
    #[default]
    Run,
    /// Its change, file by file.
    Change,
}

/// Choices on their way to the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub draft: DraftId,
    pub command: CommandId,
    pub choices: Choices,
    /// The event of it is here: a read that begins now has it.
    pub heard: bool,
}

/// All that the introduction of a change depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct IntroKey {
    pub draft: Draft,
    /// Of the run as it was read.
    pub version: u64,
    /// While it is compared: the question, and whether it is answered.
    pub compared: Option<(u64, bool)>,
    pub width: u16,
    pub theme: Shade,
}

/// What the bench remembers besides the change.
#[derive(Debug, Default)]
pub struct Bench {
    pub page: Page,
    /// The run that page and place belong to, and whether it waited.
    pub of: Option<(DraftId, bool)>,
    pub paper: Paper,
    /// What is on the paper is the difference from the draft before; else the change.
    pub comparing: bool,
    /// The other of the two, with the place where the eye was in it.
    pub aside: Paper,
    pub compared: Option<Compared>,
    /// Comparisons asked for.
    pub asked: u64,
    pub intro: Option<IntroKey>,
    /// First entry of the list of files that is seen.
    pub offset: usize,
    /// In the order they were sent, each on top of the one before of the same run.
    pub edits: Vec<Edit>,
    /// How many of the edits of its run the read that is under way will have.
    covered: usize,
    /// The base branch as it is being typed.
    pub base: Option<Box<TextArea<'static>>>,
    /// Title and text that were written and could not be taken: what the editor begins with next time.
    pub kept: Option<(DraftId, String)>,
}

impl Bench {
    /// The last of the choices of a run that are on their way.
    pub fn edit(&self, draft: &DraftId) -> Option<&Edit> {
        self.edits.iter().rfind(|edit| edit.draft == *draft)
    }

    /// The change on the paper, or its difference.
    pub fn compare(&mut self, comparing: bool) {
        if self.comparing != comparing {
            self.comparing = comparing;
            std::mem::swap(&mut self.paper, &mut self.aside);
        }
    }

    /// Another run: its change, from the beginning.
    pub fn rewind(&mut self) {
        self.comparing = false;
        self.paper.rewind();
        self.aside.rewind();
    }

    /// A read of a run begins: what was heard by now it will have.
    pub fn reading(&mut self, draft: &DraftId) {
        let of_draft = self.edits.iter().filter(|edit| edit.draft == *draft);
        self.covered = of_draft.take_while(|edit| edit.heard).count();
    }

    /// The read has brought what the engine holds.
    pub fn read(&mut self, draft: &DraftId, waits: bool) {
        let mut covered = std::mem::take(&mut self.covered);
        self.edits.retain(|edit| {
            if edit.draft != *draft {
                return true;
            }
            let stays = covered == 0 && waits;
            covered = covered.saturating_sub(1);
            stays
        });
    }
}

/// Whether a part is not to be published. `choices` come from the engine, or were made with [`dropping`]: they are in order.
pub fn is_dropped(choices: &Choices, file: &FileDiff, part: usize) -> bool {
    let key = (file.path.as_str(), part);
    choices.dropped.binary_search_by(|d| (d.path.as_str(), d.hunk).cmp(&key)).is_ok()
}

/// The choices with some parts of a file dropped, or taken back.
#[must_use]
pub fn dropping(choices: &Choices, file: &FileDiff, parts: impl Iterator<Item = usize>, drop: bool) -> Choices {
    let mut choices = choices.clone();
    let parts: Vec<usize> = parts.collect();
    choices.dropped.retain(|d| d.path != file.path || !parts.contains(&d.hunk));
    if drop {
        choices.dropped.extend(parts.into_iter().map(|hunk| Dropped { path: file.path.clone(), hunk }));
    }
    choices.dropped.sort();
    choices
}
