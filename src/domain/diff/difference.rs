//! The difference between two drafts: what has to be done to the files that the earlier one makes to get those of the later one.
//!
//! Where both drafts began with the same content of a file this is exact, and a diff like any other: applied to what the earlier draft makes, it
//! gives what the later one makes. Where they did not, only the lines that each adds and removes can be compared, and it is said so.

use super::{Diff, FileDiff, What, stretch};
use crate::domain::change::RepoPath;
use crate::domain::feedback::word_enum;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// The mode of a file of which nobody says that it is executable.
const PLAIN: u32 = 0o100_644;
/// Digits of a short name of git's from which on it tells two contents of a file apart.
const BLOB_DIGITS: usize = 7;

word_enum! {
    /// What two drafts were made from.
    Footing {
        /// The same commit.
        SameBase = "same-base",
        /// Two commits.
        OtherBase = "other-base",
        /// The later one from what the earlier one had published.
        OnTop = "on-top",
    }
}

word_enum! {
    /// What is known of a file that differs.
    How {
        /// Both change it, from the same content.
        Both = "both",
        /// Only the earlier one changes it: what that did is shown undone.
        EarlierOnly = "earlier-only",
        LaterOnly = "later-only",
        /// Both change it, from different contents: shown are the lines of the two diffs, with the sign they have there.
        Lines = "lines",
    }
}

/// A file that two drafts leave in different states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    pub how: How,
    /// From what the earlier one makes to what the later one makes.
    pub file: FileDiff,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// By path.
    pub files: Vec<Differs>,
    /// Files that both change in the same way.
    pub same: Vec<RepoPath>,
}

impl Difference {
    pub fn between(earlier: &Diff, later: &Diff, footing: Footing) -> Self {
        let mut found = Self::default();
        if footing == Footing::OnTop {
            found.files = later.files.iter().map(|file| Differs { how: How::LaterOnly, file: file.clone() }).collect();
            found.same = earlier.files.iter().filter_map(FileDiff::after).cloned().collect();
            found.same.retain(|path| later.files.iter().all(|file| file.before() != Some(path)));
        } else {
            for (ours, theirs) in pairs(&earlier.files, &later.files) {
                found.add(ours, theirs, footing == Footing::SameBase);
            }
        }
        found.files.sort_by(|a, b| a.file.path.cmp(&b.file.path));
        found.same.sort();
        found
    }

    fn add(&mut self, earlier: Option<&FileDiff>, later: Option<&FileDiff>, same_base: bool) {
        let (how, file) = match (earlier, later) {
            (Some(earlier), Some(later)) => {
                let exact = same_base && earlier.before() == later.before() || began_alike(earlier, later);
                match compared(earlier, later, exact) {
                    Some(found) => found,
                    None => return self.same.push(later.path.clone()),
                }
            }
            (Some(earlier), None) => match compared(earlier, &untouched(earlier), true) {
                Some((_, file)) => (How::EarlierOnly, file),
                // A change that changes nothing.
                None => return,
            },
            (None, Some(later)) => (How::LaterOnly, later.clone()),
            (None, None) => return,
        };
        self.files.push(Differs { how, file });
    }
}

/// A path of a file, and whether it is one before the change.
type Key = for<'f> fn(&'f FileDiff) -> Option<(bool, &'f RepoPath)>;

/// The files of two changes, those about the same file together: first by where it was, then by where it is.
fn pairs<'a>(earlier: &'a [FileDiff], later: &'a [FileDiff]) -> Vec<(Option<&'a FileDiff>, Option<&'a FileDiff>)> {
    let mut partner: Vec<Option<&FileDiff>> = vec![None; earlier.len()];
    let mut taken = vec![false; later.len()];
    let by_origin: Key = |file| Some((file.before().is_some(), file.before().unwrap_or(&file.path)));
    let by_place: Key = |file| Some((true, file.after()?));
    for key in [by_origin, by_place] {
        let mut free: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (n, file) in later.iter().enumerate().filter(|(n, _)| !taken[*n]) {
            if let Some(key) = key(file) {
                free.entry(key).or_default().push_back(n);
            }
        }
        for (file, partner) in earlier.iter().zip(&mut partner).filter(|(_, partner)| partner.is_none()) {
            let found = key(file).and_then(|key| free.get_mut(&key)?.pop_front());
            if let Some(n) = found {
                (*partner, taken[n]) = (later.get(n), true);
            }
        }
    }
    let alone = later.iter().zip(taken).filter(|(_, taken)| !taken).map(|(file, _)| (None, Some(file)));
    earlier.iter().map(Some).zip(partner).chain(alone).collect()
}

/// Whether both began with the same content, as far as the diffs say it.
fn began_alike(earlier: &FileDiff, later: &FileDiff) -> bool {
    match (earlier.before(), later.before()) {
        (None, None) => true,
        (Some(_), Some(_)) => same_blob(earlier.blobs.as_ref().map(|b| &b.0), later.blobs.as_ref().map(|b| &b.0)),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// git shortens names to as many digits as the repository needs at the time.
fn same_blob(one: Option<&String>, other: Option<&String>) -> bool {
    let Some((one, other)) = one.zip(other) else { return false };
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    short.len() >= BLOB_DIGITS && long.starts_with(short.as_str())
}

/// The file as it was before a change.
fn untouched(file: &FileDiff) -> FileDiff {
    let what = if file.before().is_some() { What::Edited } else { What::Deleted };
    let path = file.before().unwrap_or(&file.path).clone();
    let blobs = file.blobs.as_ref().map(|(before, _)| (before.clone(), before.clone()));
    FileDiff { path, what, modes: None, blobs, binary: file.binary, hunks: Vec::new() }
}

/// From the one to the other; `None` when they are the same.
fn compared(earlier: &FileDiff, later: &FileDiff, exact: bool) -> Option<(How, FileDiff)> {
    let (path, what) = match (earlier.after(), later.after()) {
        (None, None) => return None,
        (Some(before), None) => (before, What::Deleted),
        (None, Some(now)) => (now, What::Created { mode: mode(later).unwrap_or(PLAIN) }),
        (Some(before), Some(now)) if before == now => (now, What::Edited),
        (Some(before), Some(now)) => (now, What::Renamed { from: before.clone() }),
    };
    let there = earlier.after().is_some() && later.after().is_some();
    let same_content = there && same_blob(earlier.blobs.as_ref().map(|b| &b.1), later.blobs.as_ref().map(|b| &b.1));
    let binary = earlier.binary || later.binary;
    let exactly = || if exact { stretch::between(&earlier.hunks, &later.hunks) } else { None };
    let (how, hunks) = if same_content || binary {
        (How::Both, Vec::new())
    } else if let Some(hunks) = exactly() {
        (How::Both, hunks)
    } else {
        (How::Lines, stretch::changed_lines(&earlier.hunks, &later.hunks))
    };
    let binary = binary && !same_content && earlier != later;
    let modes = if there { modes(earlier, later) } else { None };
    if hunks.is_empty() && !binary && modes.is_none() && what == What::Edited {
        return None;
    }
    Some((how, FileDiff { path: path.clone(), what, modes, blobs: None, binary, hunks }))
}

/// Its mode after the change, where the diff says it.
fn mode(file: &FileDiff) -> Option<u32> {
    match file.what {
        What::Created { mode } => Some(mode),
        What::Deleted | What::Edited | What::Renamed { .. } => file.modes.map(|(_, after)| after),
    }
}

/// The modes that two changes leave, where they differ. A change that says nothing of it leaves the mode that the other one found.
fn modes(earlier: &FileDiff, later: &FileDiff) -> Option<(u32, u32)> {
    let before = mode(earlier).or(later.modes.map(|(before, _)| before))?;
    let now = mode(later).or(earlier.modes.map(|(before, _)| before))?;
    (before != now).then_some((before, now))
}

#[cfg(test)]
mod tests;
