//! A work tree of its own for one run: read, changed, compared, committed, pushed, removed.
//!
//! Its state is kept in memory where it matters: an agent may rewrite anything on disk, the `.git` file included, so git is told
//! where its repository is and comparisons are made with the commit that was checked out, not with `HEAD`.

mod push;

pub use push::OnTop;

use super::TrackedFile;
use super::beneath;
use super::cache;
use super::command::{Git, pieces};
use super::remote::Address;
use super::removal::remove_tree;
use crate::domain::change::{Existing, NewFile, Plan, RepoPath};
use crate::providers::{ProviderError, redact};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio_util::task::task_tracker::TaskTrackerToken;

const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// A checkout that belongs to one run. Removed when dropped, as far as that goes; [`Self::remove`] says whether it went.
#[derive(Debug)]
pub struct Worktree {
    root: PathBuf,
    /// The repository that it is a work tree of, and where that keeps its state.
    pub(super) mirror: PathBuf,
    git_dir: Mutex<PathBuf>,
    address: Address,
    branch: String,
    commit: String,
    files: Vec<TrackedFile>,
    /// Modes of links and submodules: what must not be read or written as text.
    special: BTreeMap<RepoPath, u32>,
    executable: BTreeSet<RepoPath>,
    left_out: usize,
    /// The commit to push.
    made: Mutex<Option<String>>,
    /// Tells the cache that this work tree is still there.
    token: TaskTrackerToken,
}

/// A path that differs from the commit that was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub path: RepoPath,
    pub executable: bool,
}

impl Worktree {
    /// Of a directory that is about to be made.
    pub(super) fn new(
        root: PathBuf,
        mirror: PathBuf,
        address: Address,
        branch: String,
        commit: String,
        token: TaskTrackerToken,
    ) -> Self {
        let (files, special, executable, left_out) = (Vec::new(), BTreeMap::new(), BTreeSet::new(), 0);
        let (git_dir, made) = (Mutex::default(), Mutex::default());
        Self { root, mirror, git_dir, address, branch, commit, files, special, executable, left_out, made, token }
    }

    /// Where git keeps this work tree's state.
    pub(super) fn set_git_dir(&self, git_dir: PathBuf) {
        *self.git_dir.lock().unwrap_or_else(PoisonError::into_inner) = git_dir;
    }

    pub(super) fn git_dir(&self) -> PathBuf {
        self.git_dir.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_files(&mut self, files: Vec<TrackedFile>, left_out: usize) {
        let is_special = |f: &&TrackedFile| matches!(f.mode, LINK | SUBMODULE);
        self.special = files.iter().filter(is_special).map(|f| (f.path.clone(), f.mode)).collect();
        self.executable = files.iter().filter(|f| f.mode == EXECUTABLE).map(|f| f.path.clone()).collect();
        self.files = files;
        self.left_out = left_out;
    }

    pub(super) fn git(&self, subcommand: &'static str) -> Git {
        Git::tree(&self.git_dir(), &self.root, subcommand)
    }

    /// git in the repository behind it, whatever has become of the work tree.
    pub(super) fn mirror_git(&self, subcommand: &'static str) -> Git {
        Git::bare(&self.mirror, subcommand)
    }

    /// Whether a file of a plan is to be executable.
    pub(super) fn is_executable(&self, path: &RepoPath, file: &NewFile) -> bool {
        let before = file.from.as_ref().unwrap_or(path);
        file.executable.unwrap_or_else(|| self.executable.contains(before))
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
        let gone: Vec<RepoPath> =
            plan.iter().filter(|(_, file)| file.is_none()).map(|(path, _)| path.clone()).collect();
        let written = plan.iter().filter_map(|(path, file)| {
            let file = file.as_ref()?;
            Some((path.clone(), file.content.clone(), self.is_executable(path, file)))
        });
        let (root, written) = (self.root.clone(), written.collect::<Vec<_>>());
        let work = move || -> Result<(), (RepoPath, std::io::Error)> {
            for path in gone {
                beneath::delete(&root, &path).map_err(|e| (path, e))?;
            }
            for (path, content, executable) in written {
                beneath::write(&root, &path, &content, executable).map_err(|e| (path, e))?;
            }
            Ok(())
        };
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| ProviderError::Cancelled)?;
        done.map_err(|(path, e)| ProviderError::io("apply", format_args!("{path} can't be written"), &e))
    }

    /// The paths that differ from the commit that was checked out, whoever changed them; ignored files don't count.
    ///
    /// # Errors
    /// When there is something that can't be part of a change: another repository, or a name that can't be shown.
    pub async fn changed(&self) -> Result<Vec<Changed>, ProviderError> {
        self.git("add").args(["--all", "--", "."]).run().await?;
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
            paths.push(Changed { path, executable: new == Some("100755") });
        }
        Ok(paths)
    }

    /// The commit that [`Self::push`] gives away.
    pub(super) fn will_push(&self, commit: String) {
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(commit);
    }

    /// Puts the work tree back to the commit that was checked out, exactly: nothing stays of what was done to it, to its index or to
    /// its branch, whether git would see it or not.
    pub async fn reset(&self) -> Result<(), ProviderError> {
        let git_dir = cache::add_again(&self.mirror, &self.root, &self.commit).await?;
        self.set_git_dir(git_dir);
        Ok(())
    }

    /// Removes the directory. What git remembers of it goes with the next checkout.
    pub async fn remove(mut self) -> Result<(), ProviderError> {
        let root = std::mem::take(&mut self.root);
        let removed = tokio::task::spawn_blocking(move || (remove_tree(&root), root)).await;
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
            if let Err(error) = remove_tree(&root) {
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

pub(super) async fn check_branch(branch: &str) -> Result<(), ProviderError> {
    let wrong = || ProviderError::git("branch", format!("`{branch}` can't be the name of a branch"));
    if branch.starts_with('-') || branch == "HEAD" {
        return Err(wrong());
    }
    let checked = Git::nowhere("check-ref-format").args([format!("refs/heads/{branch}")]).output().await?;
    if checked.success { Ok(()) } else { Err(wrong()) }
}
