//! How a draft differs from an earlier one of the same report, and the words for it: every door says the same.

use super::read::EarlierDraft;
use crate::domain::change::RepoPath;
use crate::domain::diff::{Difference, Differs, FileDiff, Footing, How};
use crate::domain::id::DraftId;
use crate::domain::text::clipped;
use serde::{Deserialize, Serialize};

/// Digits of a commit's name that are shown.
const COMMIT: usize = 8;

/// What has to be done to the files that one draft makes to get those of another one of the same report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftDifference {
    pub draft: DraftId,
    pub number: i64,
    /// The commit that it was made from; empty when nobody knows.
    pub base: String,
    pub against: EarlierDraft,
    pub against_base: String,
    pub footing: Footing,
    /// Files that the two leave in different states, by path.
    pub files: Vec<DifferentFile>,
    /// Files that both change in the same way.
    pub same: Vec<RepoPath>,
    /// The difference as a unified diff, the files in that order. Untrusted.
    pub diff: String,
}

/// A file that two drafts leave in different states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DifferentFile {
    pub path: RepoPath,
    /// Where the draft that is compared with has it, if not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RepoPath>,
    pub how: How,
    /// Whether the draft that is compared with leaves a file there, and whether this one does.
    pub there_before: bool,
    pub there_now: bool,
    pub added: usize,
    pub removed: usize,
}

impl DifferentFile {
    fn of(Differs { how, file }: &Differs) -> Self {
        let FileDiff { path, .. } = file;
        let (before, counts) = (file.before(), file.counts());
        Self {
            path: path.clone(),
            from: before.filter(|before| *before != path).cloned(),
            how: *how,
            there_before: before.is_some(),
            there_now: file.after().is_some(),
            added: counts.added,
            removed: counts.removed,
        }
    }
}

/// A draft that is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    pub draft: EarlierDraft,
    pub base: String,
}

impl DraftDifference {
    pub fn of(earlier: Side, later: Side, footing: Footing, Difference { files, same }: Difference) -> Self {
        Self {
            draft: later.draft.id,
            number: later.draft.number,
            base: later.base,
            against: earlier.draft,
            against_base: earlier.base,
            footing,
            diff: files.iter().map(|differs| differs.file.to_string()).collect(),
            files: files.iter().map(DifferentFile::of).collect(),
            same,
        }
    }

    /// `Draft 2 against draft 1`
    pub fn title(&self) -> String {
        format!("Draft {} against draft {}", self.number, self.against.number)
    }

    /// What the comparison rests on, where that is not the same commit for both.
    pub fn caution(&self) -> Option<String> {
        let (now, then) = (self.number, self.against.number);
        let short = |commit: &str| {
            let head: String = commit.chars().take(COMMIT).collect();
            if commit.is_empty() { "an unknown commit".to_owned() } else { clipped(&head, COMMIT) }
        };
        match self.footing {
            Footing::SameBase => None,
            Footing::OnTop => {
                Some(format!("Draft {now} goes on top of what draft {then} published: its change is the difference."))
            }
            Footing::OtherBase => Some(format!(
                "Draft {then} was made from {}, draft {now} from {}. Where a file had changed in between, only the lines that \
                 each draft adds and removes are compared.",
                short(&self.against_base),
                short(&self.base)
            )),
        }
    }

    /// How many files differ, and how many do not.
    pub fn outcome(&self) -> String {
        let files = |n: usize| if n == 1 { "1 file".to_owned() } else { format!("{n} files") };
        let (now, then) = (self.number, self.against.number);
        let same = match self.same.len() {
            0 => ".".to_owned(),
            1 => ", 1 is the same in both.".to_owned(),
            n => format!(", {n} are the same in both."),
        };
        match self.files.len() {
            0 if self.same.is_empty() => format!("Drafts {then} and {now} change nothing."),
            0 => format!("Nothing differs: drafts {then} and {now} make the same of {}.", files(self.same.len())),
            1 => format!("1 file differs{same}"),
            n => format!("{n} files differ{same}"),
        }
    }

    /// What there is to know of a file besides its lines; `None` where it is what it looks like.
    pub fn remark(&self, file: &DifferentFile) -> Option<String> {
        let (now, then) = (self.number, self.against.number);
        let only = |draft: i64, does: &str| Some(format!("only draft {draft} {does} it"));
        match (file.how, file.there_before, file.there_now) {
            (How::LaterOnly, ..) if self.footing == Footing::OnTop => None,
            (How::LaterOnly, false, _) => only(now, "makes"),
            (How::LaterOnly, _, false) => only(now, "deletes"),
            (How::LaterOnly, true, true) => only(now, "changes"),
            (How::EarlierOnly, _, false) => only(then, "makes"),
            (How::EarlierOnly, false, _) => only(then, "deletes"),
            (How::EarlierOnly, true, true) => Some(format!("only draft {then} changes it: shown is the way back")),
            (How::Both | How::Lines, false, _) => Some(format!("draft {then} deletes it")),
            (How::Both | How::Lines, _, false) => Some(format!("draft {now} deletes it")),
            (How::Both, true, true) => None,
            (How::Lines, true, true) => {
                Some("made from two versions of the file: the lines that the drafts add (+) and remove (-)".to_owned())
            }
        }
    }
}
