//! A work tree of its own for one run: read, changed, compared, committed, pushed, removed.
//!
//! Its state is kept in memory where it matters: an agent may rewrite anything on disk, the `.git` file included, so git is told
//! where its repository is and comparisons are made with the commit that was checked out, not with `HEAD`.

mod push;

pub use push::OnTop;

use super::TrackedFile;
use super::beneath;
use super::command::{Git, pieces};
use super::remote::Address;
use crate::domain::change::{Existing, Plan, RepoPath};
use crate::domain::time::Millis;
use crate::providers::{ProviderError, redact};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio_util::task::task_tracker::TaskTrackerToken;

const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// A checkout that belongs to one run. Removed when dropped, as far as that goes; [`Self::remove`] says whether it went.
#[derive(Debug)]
pub struct Worktree {
    root: PathBuf,
    git_dir: PathBuf,
    address: Address,
    branch: String,
    commit: String,
    files: Vec<TrackedFile>,
    /// Modes of links and submodules: what must not be read or written as text.
    special: BTreeMap<RepoPath, u32>,
    left_out: usize,
    made: Mutex<Made>,
    /// Tells the cache that this work tree is still there.
    token: TaskTrackerToken,
}

/// What this run has made.
#[derive(Debug, Default)]
struct Made {
    /// Written by [`Worktree::apply`]: part of the change even where the repository ignores them.
    written: BTreeSet<RepoPath>,
    /// The commit to push.
    commit: Option<String>,
}

impl Worktree {
    /// Of a directory that is about to be made.
    pub(super) fn new(
        root: PathBuf,
        address: Address,
        branch: String,
        commit: String,
        token: TaskTrackerToken,
    ) -> Self {
        let (files, special, left_out, made) = (Vec::new(), BTreeMap::new(), 0, Mutex::default());
        let git_dir = PathBuf::new();
        Self { root, git_dir, address, branch, commit, files, special, left_out, made, token }
    }

    /// Where git keeps this work tree's state.
    pub(super) fn set_git_dir(&mut self, git_dir: PathBuf) {
        self.git_dir = git_dir;
    }

    pub(super) fn set_files(&mut self, files: Vec<TrackedFile>, left_out: usize) {
        let is_special = |f: &&TrackedFile| matches!(f.mode, LINK | SUBMODULE);
        self.special = files.iter().filter(is_special).map(|f| (f.path.clone(), f.mode)).collect();
        self.files = files;
        self.left_out = left_out;
    }

    pub(super) fn git(&self, subcommand: &'static str) -> Git {
        Git::tree(&self.git_dir, &self.root, subcommand)
    }

    /// The directory; a coding agent runs here.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that was checked out.
    pub fn base_commit(&self) -> &str {
        &self.commit
    }

    /// The branch it is from: the base of a pull request. `HEAD` when a local repository is on no branch.
    pub fn base_branch(&self) -> &str {
        &self.branch
    }

    /// The files of the commit that was checked out.
    #[expect(clippy::unused_async, reason = "the list is read at checkout today; callers need not know")]
    pub async fn files(&self) -> Result<Vec<TrackedFile>, ProviderError> {
        Ok(self.files.clone())
    }

    /// How many tracked names are no valid [`RepoPath`] and so not in [`Self::files`].
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The file as it is in the work tree now.
    pub fn read(&self, path: &RepoPath) -> Existing {
        match self.special.get(path) {
            Some(&LINK) => Existing::Opaque("it is a symbolic link"),
            Some(_) => Existing::Opaque("it is a submodule"),
            None if path.above().any(|above| self.special.contains_key(&above)) => {
                Existing::Opaque("it is inside a submodule or behind a symbolic link")
            }
            None => match beneath::read(&self.root, path) {
                Existing::Missing if self.has_twin(path) => Existing::Opaque(
                    "there is a file or directory whose name differs only in case, and some systems can't hold both",
                ),
                existing => existing,
            },
        }
    }

    /// Whether a file of the commit, or a directory it is in, has this path or one above it in another spelling. Asked only for
    /// paths that are not there, so a large repository is seldom looked through.
    fn has_twin(&self, path: &RepoPath) -> bool {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        let is_twin = |file: &TrackedFile| {
            let pairs = file.path.as_str().split('/').zip(&parts);
            let spelled_otherwise = |(a, b): (&str, &&str)| (a != *b).then(|| a.to_lowercase() == b.to_lowercase());
            // The first part that is not the same decides: beyond it the paths have nothing to do with each other.
            pairs.into_iter().find_map(spelled_otherwise) == Some(true)
        };
        self.files.iter().any(is_twin)
    }

    /// Writes a plan. Deletions go first, so that a directory can become a file.
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        let (root, todo) = (self.root.clone(), plan.clone());
        let work = move || -> Result<(), (RepoPath, std::io::Error)> {
            for (path, _) in todo.iter().filter(|(_, content)| content.is_none()) {
                beneath::delete(&root, path).map_err(|e| (path.clone(), e))?;
            }
            for (path, content) in &todo {
                if let Some(content) = content {
                    beneath::write(&root, path, content).map_err(|e| (path.clone(), e))?;
                }
            }
            Ok(())
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| ProviderError::Cancelled)?;
        done.map_err(|(path, e)| ProviderError::io("apply", format_args!("{path} can't be written"), &e))?;
        let written = plan.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path.clone());
        self.made.lock().unwrap_or_else(PoisonError::into_inner).written.extend(written);
        Ok(())
    }

    /// The change so far as a unified diff against the commit that was checked out, new files included. The user's own settings
    /// for diffs don't count: [`crate::domain::diff`] reads this back.
    pub async fn diff(&self) -> Result<String, ProviderError> {
        self.stage().await?;
        let git = self.git("diff").setting("diff.suppressBlankEmpty=false").args(["--cached", "--no-ext-diff"]);
        let git =
            git.args(["--no-textconv", "--no-color", "--find-renames=50%", "-l1000", "--no-relative", "-O/dev/null"]);
        let git = git.args(["--src-prefix=a/", "--dst-prefix=b/", "--unified=3", "--inter-hunk-context=0"]);
        let git = git.args(["--diff-algorithm=myers", "--indent-heuristic", "--submodule=short"]);
        let diff = git.args([self.commit.as_str(), "--"]).run().await?;
        Ok(String::from_utf8_lossy(&diff).into_owned())
    }

    /// The paths that differ from the commit that was checked out, whoever changed them; ignored files don't count.
    ///
    /// # Errors
    /// When there is something that can't be part of a change: another repository, or a name that can't be shown.
    pub async fn changed(&self) -> Result<Vec<RepoPath>, ProviderError> {
        self.stage().await?;
        let git = self.git("diff").args(["--cached", "--raw", "-z", "--no-renames", "--no-ext-diff", "--no-abbrev"]);
        let raw = git.args([self.commit.as_str(), "--"]).run().await?;
        let mut pieces = pieces(&raw);
        let mut paths = Vec::new();
        while let (Some(facts), Some(name)) = (pieces.next(), pieces.next()) {
            let shown = String::from_utf8_lossy(name);
            let path = std::str::from_utf8(name).ok().and_then(|n| RepoPath::parse(n).ok());
            let path = path.ok_or_else(|| {
                let shown = redact::message(&crate::domain::text::line(&shown));
                ProviderError::git("diff", format!("`{shown}` was changed, and is no name that a change may have"))
            })?;
            // `:<old mode> <new mode> …`
            let facts = String::from_utf8_lossy(facts);
            let mut modes = facts.trim_start_matches(':').split(' ');
            let (old, new) = (modes.next(), modes.next());
            if new == Some("160000") && old != new {
                return Err(ProviderError::git("diff", format!("`{path}` is another git repository: remove it")));
            }
            paths.push(path);
        }
        Ok(paths)
    }

    /// Puts everything that changed into the work tree's own index.
    async fn stage(&self) -> Result<(), ProviderError> {
        self.git("add").args(["--all", "--", "."]).run().await?;
        let mut names = Vec::new();
        for path in &self.made.lock().unwrap_or_else(PoisonError::into_inner).written {
            if self.root.join(path.as_str()).symlink_metadata().is_ok() {
                names.extend_from_slice(path.as_str().as_bytes());
                names.push(0);
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        let git = self.git("add").args(["--force", "--pathspec-from-file=-", "--pathspec-file-nul"]);
        git.stdin(names).run().await.map(drop)
    }

    /// Commits everything that changed, on top of the commit that was checked out; returns the new commit's id. `branch` is what
    /// the commit is for: its name is checked here, before anything is pushed.
    pub async fn commit(&self, branch: &str, message: &str, author: (&str, &str)) -> Result<String, ProviderError> {
        self.commit_at(branch, message, author, None).await
    }

    /// The same with a date of its own: the same change, message and date make the same commit again, so that a push that got
    /// through before a crash is recognised.
    pub async fn commit_at(
        &self,
        branch: &str,
        message: &str,
        author: (&str, &str),
        at: Option<Millis>,
    ) -> Result<String, ProviderError> {
        check_branch(branch).await?;
        let (name, email) = (person(author.0, "name")?, person(author.1, "email")?);
        self.stage().await?;
        let tree = self.git("write-tree").line().await?;
        let before = self.git("rev-parse").args(["--verify", &format!("{}^{{tree}}", self.commit)]).line().await?;
        if tree == before {
            return Err(ProviderError::git("commit", "nothing was changed"));
        }
        let git = self.git("commit-tree").args(["-p", &self.commit, "-F", "-", &tree]).stdin(message);
        let git = git.env("GIT_AUTHOR_NAME", &name).env("GIT_AUTHOR_EMAIL", &email);
        let git = git.env("GIT_COMMITTER_NAME", &name).env("GIT_COMMITTER_EMAIL", &email);
        let git = match at.map(|at| format!("@{} +0000", at.0.div_euclid(1_000))) {
            Some(date) => git.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date),
            None => git,
        };
        let commit = git.line().await?;
        // Keeps it from being collected as long as the work tree is there.
        self.git("update-ref").args(["--no-deref", "HEAD", &commit]).run().await?;
        self.made.lock().unwrap_or_else(PoisonError::into_inner).commit = Some(commit.clone());
        Ok(commit)
    }

    /// Removes the directory. What git remembers of it goes with the next checkout.
    pub async fn remove(mut self) -> Result<(), ProviderError> {
        let root = std::mem::take(&mut self.root);
        let removed = tokio::task::spawn_blocking(move || (std::fs::remove_dir_all(&root), root)).await;
        match removed {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(e), root)) => Err(ProviderError::io("worktree", root.display(), &e)),
            Err(_) => Err(ProviderError::Cancelled),
        }
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let root = std::mem::take(&mut self.root);
        if root.as_os_str().is_empty() {
            return;
        }
        let token = self.token.clone();
        let remove = move || {
            let _removing = token;
            if let Err(error) = std::fs::remove_dir_all(&root)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(path = %root.display(), %error, "a work tree is left behind");
            }
        };
        // A large tree takes a while; the runtime's threads have other things to do.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(remove)),
            Err(_) => remove(),
        }
    }
}

async fn check_branch(branch: &str) -> Result<(), ProviderError> {
    let wrong = || ProviderError::git("branch", format!("`{branch}` can't be the name of a branch"));
    if branch.starts_with('-') || branch == "HEAD" {
        return Err(wrong());
    }
    let checked = Git::nowhere("check-ref-format").args([format!("refs/heads/{branch}")]).output().await?;
    if checked.success { Ok(()) } else { Err(wrong()) }
}

/// A name or address as a commit may have it.
fn person(text: &str, which: &str) -> Result<String, ProviderError> {
    let clean: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    let clean = clean.trim();
    if clean.is_empty() {
        return Err(ProviderError::config(format!("Set `commit_author_{which}` under [draft] in config.toml.")));
    }
    Ok(clean.to_owned())
}
