//! A run's unified diff, read back: files, hunks, lines; and the base text with only some of the hunks applied.
//!
//! [`Diff::parse`] reads what `Worktree::diff` wrote, and nothing else. It is pure, so that a screen can show hunk by hunk what
//! the engine will publish hunk by hunk. Everything in it was written by a model or a command: whoever shows it makes it safe.
//!
//! A reviewer drops *parts* ([`super::review::Dropped`]). A part is a hunk; a file without hunks (renamed, made executable, made
//! empty, or not text) is one part. A file of which every part is dropped stays as it was: it is not made, not deleted, not renamed.

mod difference;
mod parse;
mod stretch;
mod write;

use super::change::RepoPath;

pub use difference::{Difference, Differs, Footing, How};
pub use parse::Malformed;

/// The files of a diff, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    pub files: Vec<FileDiff>,
}

/// What happened to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDiff {
    /// Where it is now; for a deleted file, where it was. No two files of a diff have the same.
    pub path: RepoPath,
    pub what: What,
    /// git's modes before and after, where they differ.
    pub modes: Option<(u32, u32)>,
    /// git's short names of the content before and after, where the diff has them: what it made of nothing is zeros.
    pub blobs: Option<(String, String)>,
    /// Not text: the change is not shown, and there are no hunks.
    pub binary: bool,
    pub hunks: Vec<Hunk>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Created { mode: u32 },
    Deleted,
    Edited,
    Renamed { from: RepoPath },
}

/// One piece of a file that changes, with the lines around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// First line and number of lines, before and after; lines count from 1, and an empty span names the line before it.
    pub before: Span,
    pub after: Span,
    /// What git found above it, such as the function it is in; may be empty.
    pub section: String,
    /// The lines with their first column, as in the diff; see [`Self::lines`].
    body: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub lines: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub kind: LineKind,
    /// Without its line break; a carriage return before it stays.
    pub text: &'a str,
    /// `false` for the last line of a file that does not end in a line break.
    pub ends: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    Context,
    Removed,
    Added,
}

/// Lines added and removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub added: usize,
    pub removed: usize,
}

impl Counts {
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { added: self.added + other.added, removed: self.removed + other.removed }
    }
}

/// The text is not the one that the diff was made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} is not the file that the diff was made from (hunk {}); draft again", .hunk + 1)]
pub struct Misfit {
    pub path: RepoPath,
    /// Counted from 0.
    pub hunk: usize,
}

impl Diff {
    /// # Errors
    /// When the text is no diff of ours, with the number of the line that can't be understood.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        parse::diff(text)
    }

    pub fn counts(&self) -> Counts {
        self.files.iter().fold(Counts::default(), |sum, file| sum.plus(file.counts()))
    }

    pub fn file(&self, path: &RepoPath) -> Option<&FileDiff> {
        self.files.iter().find(|file| file.path == *path)
    }
}

impl FileDiff {
    pub fn counts(&self) -> Counts {
        self.hunks.iter().fold(Counts::default(), |sum, hunk| sum.plus(hunk.counts()))
    }

    /// Where it was; `None` for a new file.
    pub fn before(&self) -> Option<&RepoPath> {
        match &self.what {
            What::Created { .. } => None,
            What::Deleted | What::Edited => Some(&self.path),
            What::Renamed { from } => Some(from),
        }
    }

    /// Where it is now; `None` for a deleted one.
    pub fn after(&self) -> Option<&RepoPath> {
        match &self.what {
            What::Deleted => None,
            What::Created { .. } | What::Edited | What::Renamed { .. } => Some(&self.path),
        }
    }

    /// How many parts can be dropped, counted from 0: the hunks, or one for the file as a whole.
    pub fn parts(&self) -> usize {
        self.hunks.len().max(1)
    }

    /// The file's text with those hunks that `keep` wants. For a created file `base` is empty, for a renamed one the text
    /// at its old place.
    ///
    /// # Errors
    /// When a hunk that is kept does not fit `base`.
    pub fn apply(&self, base: &str, keep: impl Fn(usize) -> bool) -> Result<String, Misfit> {
        let lines: Vec<&str> = base.split_inclusive('\n').collect();
        let mut text = String::with_capacity(base.len());
        let mut at = 0;
        for (number, hunk) in self.hunks.iter().enumerate() {
            let misfit = || Misfit { path: self.path.clone(), hunk: number };
            if !keep(number) {
                continue;
            }
            let begin = hunk.before.first();
            let untouched = lines.get(at..begin).ok_or_else(misfit)?;
            text.extend(untouched.iter().copied());
            at = begin;
            for line in hunk.lines() {
                match line.kind {
                    LineKind::Added => line.write(&mut text),
                    LineKind::Context | LineKind::Removed => {
                        let there = lines.get(at).filter(|there| line.is(there)).ok_or_else(misfit)?;
                        at += 1;
                        if line.kind == LineKind::Context {
                            text.push_str(there);
                        }
                    }
                }
            }
        }
        text.extend(lines.get(at..).unwrap_or_default().iter().copied());
        Ok(text)
    }
}

impl Hunk {
    pub fn counts(&self) -> Counts {
        let count = |kind| self.lines().filter(|line| line.kind == kind).count();
        Counts { added: count(LineKind::Added), removed: count(LineKind::Removed) }
    }

    /// `@@ -1,4 +1,5 @@ def search():`, as git writes it.
    pub fn header(&self) -> String {
        let section = if self.section.is_empty() { String::new() } else { format!(" {}", self.section) };
        format!("@@ -{} +{} @@{section}", self.before, self.after)
    }

    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines_from(0).map(|(_, line)| line)
    }

    /// The lines from a place on, each with its own place: what was given out for a line finds it again, without reading what
    /// stands before it. 0 is the first line's.
    pub fn lines_from(&self, place: usize) -> impl Iterator<Item = (usize, Line<'_>)> {
        let mut at = place;
        std::iter::from_fn(move || {
            let begun = at;
            let (kind, text) = parse::line(self.raw_line(&mut at)?)?;
            let ends = self.body.as_bytes().get(at) != Some(&b'\\');
            if !ends {
                self.raw_line(&mut at)?;
            }
            Some((begun, Line { kind, text, ends }))
        })
    }

    /// The line at `at`, which goes behind it.
    fn raw_line(&self, at: &mut usize) -> Option<&str> {
        let rest = self.body.get(*at..).filter(|rest| !rest.is_empty())?;
        let line = rest.split('\n').next().unwrap_or(rest);
        *at += line.len() + 1;
        Some(line)
    }
}

impl Span {
    /// The index of its first line, counted from 0.
    fn first(self) -> usize {
        if self.lines == 0 { self.start } else { self.start.saturating_sub(1) }
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.lines == 1 { write!(f, "{}", self.start) } else { write!(f, "{},{}", self.start, self.lines) }
    }
}

impl Line<'_> {
    /// Whether a line of a file, with its line break if it has one, is this one.
    fn is(&self, there: &str) -> bool {
        match there.strip_suffix('\n') {
            Some(text) => self.ends && text == self.text,
            None => !self.ends && there == self.text,
        }
    }

    fn write(&self, to: &mut String) {
        to.push_str(self.text);
        if self.ends {
            to.push('\n');
        }
    }
}

#[cfg(test)]
mod tests;
