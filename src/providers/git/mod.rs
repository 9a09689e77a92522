//! Repositories, by way of the `git` command.
use super::ProviderError;
use crate::domain::change::{Existing, Plan, RepoPath};
use secrecy::SecretString;
use std::path::{Path, PathBuf};

/// Where a repository comes from and where the finished branch goes.
#[derive(Debug, Clone)]
pub enum Remote {
    /// `https://…` or `ssh://…`; the token is used for https only.
    Url { url: String, token: Option<SecretString> },
    /// The root of a local repository. It is read, and given a new branch; its work tree and index are never touched.
    Path(PathBuf),
}

/// A file of the commit that was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedFile {
    pub path: RepoPath,
    /// git's mode: `0o100644`, `0o100755`, `0o120000` for a link, `0o160000` for a submodule.
    pub mode: u32,
    /// In bytes; 0 for a submodule.
    pub size: u64,
}

/// Copies of repositories, kept between runs.
#[derive(Debug, Clone)]
pub struct GitCache {}

impl GitCache {
    pub fn new(_cache_dir: PathBuf) -> Self {
        Self {}
    }
    pub async fn checkout(
        &self,
        _remote: &Remote,
        _branch: Option<&str>,
        _work_id: &str,
    ) -> Result<Worktree, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
}

/// A work tree of its own for one run.
#[derive(Debug)]
pub struct Worktree {
    root: PathBuf,
}

impl Worktree {
    /// The directory; a coding agent runs here.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// The commit that was checked out.
    pub fn base_commit(&self) -> &str {
        ""
    }
    /// The branch it is from: the base of a pull request.
    pub fn base_branch(&self) -> &str {
        ""
    }
    pub async fn files(&self) -> Result<Vec<TrackedFile>, ProviderError> {
        Ok(Vec::new())
    }
    /// How many tracked names are no valid [`RepoPath`] and so not in [`Self::files`].
    pub fn left_out(&self) -> usize {
        0
    }
    pub fn read(&self, _path: &RepoPath) -> Existing {
        Existing::Missing
    }
    pub async fn apply(&self, _plan: &Plan) -> Result<(), ProviderError> {
        Ok(())
    }
    pub async fn diff(&self) -> Result<String, ProviderError> {
        Ok(String::new())
    }
    pub async fn changed(&self) -> Result<Vec<RepoPath>, ProviderError> {
        Ok(Vec::new())
    }
    /// Commits everything that changed; returns the commit's id.
    pub async fn commit(&self, _branch: &str, _message: &str, _author: (&str, &str)) -> Result<String, ProviderError> {
        Ok(String::new())
    }
    pub async fn push(&self, _branch: &str) -> Result<(), ProviderError> {
        Ok(())
    }
    pub async fn remove(self) -> Result<(), ProviderError> {
        Ok(())
    }
}
