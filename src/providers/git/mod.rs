//! Repositories, by way of the `git` command: fetched into a cache, changed in a work tree of their own, pushed as a branch.
//!
//! [`GitCache`] keeps one bare mirror for each remote and makes a [`Worktree`] for each run. `command` is the one place that
//! starts git, `remote` the one that knows addresses and tokens, `ssh` what goes wrong below git, `objects` the one that reads a
//! commit's files, `beneath` the one that touches files on disk, `commit` the one that makes a commit of a plan. The user's own
//! checkout is only ever read from, and given a new branch.

mod allowed;
mod beneath;
mod cache;
mod command;
mod commit;
mod leftover;
mod objects;
mod remote;
mod removal;
mod snapshot;
mod ssh;
mod worktree;

use crate::domain::change::RepoPath;
use secrecy::SecretString;
use std::path::PathBuf;

pub use cache::{GitCache, Tip, tip};
pub(super) use remote::TOKEN_VARIABLE;
pub use worktree::{Changed, OnTop, Worktree};

/// Where a repository comes from and where the finished branch goes.
#[derive(Debug, Clone)]
pub enum Remote {
    /// `https://…` or `ssh://…`; the token is used for https only.
    Url { url: String, token: Option<SecretString> },
    /// What the user wrote as `remote`: reached with the user's own ssh keys and credential helpers, never with a token of ours.
    Own(String),
    /// The root of a local repository. It is read, and given a new branch; its work tree and index are never touched.
    Path(PathBuf),
}

/// A file of a run's base commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedFile {
    pub path: RepoPath,
    /// git's mode: `0o100644`, `0o100755`, `0o120000` for a link, `0o160000` for a submodule.
    pub mode: u32,
    /// In bytes; 0 for a submodule.
    pub size: u64,
    /// The object that holds it.
    pub id: String,
}
