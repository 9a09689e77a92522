//! What a person decides about a change before it is published: which parts of it stay, what it is called, where it goes.
//!
//! Kept with the run, so that a review survives a lost connection and can be gone on with from another screen.

use super::change::RepoPath;
use serde::{Deserialize, Serialize};

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

/// One hunk of one file, as the run's diff counts them: from 0.
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
