//! What a person decides about a change before it is published: which parts of it stay, what it is called, where it goes.
//!
//! Kept with the run, so that a review survives a lost connection and can be gone on with from another screen.

use super::change::{Existing, NewFile, Plan, RepoPath};
use super::diff::{Diff, FileDiff, Misfit, What};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Longest title and longest summary that may be typed, in bytes.
pub const MAX_TITLE: usize = 400;
pub const MAX_SUMMARY: usize = 60_000;

/// Decisions so far. What is `None` or empty stays as the drafter made it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Choices {
    pub title: Option<String>,
    /// Markdown.
    pub summary: Option<String>,
    /// The branch that the pull request is to be merged into.
    pub base: Option<String>,
    /// Whether the pull request is opened as a draft.
    pub draft: Option<bool>,
    /// Parts of the change that are not published, in any order.
    pub dropped: Vec<Dropped>,
}

/// One part of one file, as the run's diff counts them: from 0 (see [`FileDiff::parts`]).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dropped {
    pub path: RepoPath,
    pub hunk: usize,
}

/// What the drafter proposes, beside the diff.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Proposal {
    pub title: String,
    /// Markdown; a model wrote it.
    pub summary: String,
    /// The branch the change was made from.
    pub base: String,
}

/// Why parts of a change can't be left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CantDrop {
    #[error("there is no part {} of {} in this change; look at the change again", .0.hunk + 1, .0.path)]
    Unknown(Dropped),
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// The stored diff and the stored files say different things.
    #[error("the diff of {0} is not that of the change; draft again")]
    OtherChange(RepoPath),
    #[error("every part of the change was dropped; keep one, or discard the draft")]
    Nothing,
}

/// The change without the parts that were dropped. `diff` is the run's own, `base` reads the files as they were before.
///
/// # Errors
/// When something was dropped that is not there, or when nothing is left.
pub fn kept(
    plan: &Plan,
    diff: &Diff,
    dropped: &[Dropped],
    base: impl Fn(&RepoPath) -> Existing,
) -> Result<Plan, CantDrop> {
    let mut plan = plan.clone();
    let paths: BTreeSet<&RepoPath> = dropped.iter().map(|d| &d.path).collect();
    for path in paths {
        let parts: BTreeSet<usize> = dropped.iter().filter(|d| d.path == *path).map(|d| d.hunk).collect();
        let file = diff.file(path).filter(|file| plan.contains_key(&file.path));
        let there = |part: &usize| file.is_some_and(|file| *part < file.parts());
        let (Some(file), None) = (file, parts.iter().find(|part| !there(part))) else {
            let hunk = parts.iter().copied().find(|part| !there(part)).unwrap_or(0);
            return Err(CantDrop::Unknown(Dropped { path: path.clone(), hunk }));
        };
        if parts.len() == file.parts() {
            plan.remove(path);
            if let What::Renamed { from } = &file.what {
                plan.remove(from);
            }
        } else if let Some(Some(new)) = plan.get_mut(path) {
            new.content = partly(file, new, &parts, &base)?;
        }
    }
    if plan.is_empty() { Err(CantDrop::Nothing) } else { Ok(plan) }
}

/// A diff without the parts that were dropped: what was published of it.
#[must_use]
pub fn left(mut diff: Diff, dropped: &[Dropped]) -> Diff {
    let dropped: BTreeSet<(&RepoPath, usize)> = dropped.iter().map(|d| (&d.path, d.hunk)).collect();
    diff.files.retain_mut(|FileDiff { path, hunks, .. }| {
        let stays = |part: usize| !dropped.contains(&(&*path, part));
        // A file without hunks is one part.
        if hunks.is_empty() {
            return stays(0);
        }
        let mut parts = 0..;
        hunks.retain(|_| parts.next().is_some_and(stays));
        !hunks.is_empty()
    });
    diff
}

/// The text of a file of which some hunks are dropped and some are not.
fn partly(
    file: &FileDiff,
    new: &NewFile,
    dropped: &BTreeSet<usize>,
    base: impl Fn(&RepoPath) -> Existing,
) -> Result<String, CantDrop> {
    let before = match &file.what {
        What::Renamed { from } => from,
        What::Edited | What::Created { .. } | What::Deleted => &file.path,
    };
    let other = || CantDrop::OtherChange(file.path.clone());
    let Existing::Text(text) = base(before) else { return Err(other()) };
    if file.apply(&text, |_| true)? != new.content {
        return Err(other());
    }
    Ok(file.apply(&text, |hunk| !dropped.contains(&hunk))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    const AFTER: &str = "one\n2\n3\n4\n5\n6\n7\n8\nnine\n";
    const DIFF: &str = "diff --git a/a b/a\nindex 1..2 100644\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n@@ -8,2 +8,2 @@\n 8\n-9\n+nine\n\
        diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n\
        diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
        diff --git a/old b/moved\nsimilarity index 90%\nrename from old\nrename to moved\n--- a/old\n+++ b/moved\n@@ -1,2 +1,2 @@\n-1\n+one\n 2\n@@ -8,2 +8,2 @@\n 8\n-9\n+nine\n\
        diff --git a/was b/is\nsimilarity index 100%\nrename from was\nrename to is\n";

    fn path(path: &str) -> RepoPath {
        RepoPath::parse(path).unwrap()
    }

    fn plan() -> Plan {
        let file = |content: &str| Some(NewFile::from(content.to_owned()));
        let files = [
            ("a", file(AFTER)),
            ("new", file("x\n")),
            ("gone", None),
            ("old", None),
            ("moved", file(AFTER)),
            ("was", None),
            ("is", file("x")),
        ];
        files.into_iter().map(|(p, file)| (path(p), file)).collect()
    }

    fn keep(dropped: &[(&str, usize)]) -> Result<Plan, CantDrop> {
        let dropped: Vec<Dropped> = dropped.iter().map(|(p, hunk)| Dropped { path: path(p), hunk: *hunk }).collect();
        let base = |p: &RepoPath| {
            if matches!(p.as_str(), "a" | "old") { Existing::Text(BEFORE.into()) } else { Existing::Missing }
        };
        kept(&plan(), &Diff::parse(DIFF).unwrap(), &dropped, base)
    }

    #[test]
    fn what_was_dropped_is_left_out_and_the_rest_stays() {
        assert_eq!(keep(&[]).unwrap(), plan());
        for (dropped, gone) in [
            (&[("a", 0), ("a", 1)][..], &["a"][..]),
            (&[("new", 0)], &["new"]),
            (&[("gone", 0)], &["gone"]),
            (&[("moved", 1), ("moved", 0)], &["moved", "old"]),
            (&[("is", 0)], &["is", "was"]),
        ] {
            let mut expected = plan();
            expected.retain(|path, _| !gone.contains(&path.as_str()));
            assert_eq!(keep(dropped).unwrap(), expected, "{dropped:?}");
        }
        for (name, hunk, text) in
            [("a", 0, "1\n2\n3\n4\n5\n6\n7\n8\nnine\n"), ("moved", 1, "one\n2\n3\n4\n5\n6\n7\n8\n9\n")]
        {
            let kept = keep(&[(name, hunk)]).unwrap();
            assert_eq!(kept[&path(name)].as_ref().unwrap().content, text);
            assert_eq!(kept.len(), plan().len());
        }
    }

    #[test]
    fn what_is_not_there_can_not_be_dropped() {
        for dropped in [&[("b", 0)][..], &[("a", 2)], &[("a", 0), ("a", 9)], &[("old", 0)], &[("is", 1)]] {
            assert!(matches!(keep(dropped), Err(CantDrop::Unknown(_))), "{dropped:?}");
        }
        let all = [("a", 0), ("a", 1), ("new", 0), ("gone", 0), ("moved", 0), ("moved", 1), ("is", 0)];
        assert_eq!(keep(&all), Err(CantDrop::Nothing));
        let other = kept(&plan(), &Diff::parse(DIFF).unwrap(), &[Dropped { path: path("a"), hunk: 0 }], |_| {
            Existing::Text(AFTER.into())
        });
        assert!(matches!(other, Err(CantDrop::Misfit(_))), "{other:?}");
    }
}
