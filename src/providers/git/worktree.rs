//! What one run works on: the files of its base commit, and a work tree of them once something needs one.
//!
//! A model is shown files and never touches them, so they are read from the repository's objects ([`Snapshot`]); a command gets a
//! directory. Its state is kept in memory where it matters: an agent may rewrite anything on disk, the `.git` file included, so git is
//! told where its repository is and comparisons are made with the base commit, not with `HEAD`.

mod push;

pub use push::OnTop;

use super::TrackedFile;
use super::beneath;
use super::cache;
use super::command::{Git, pieces};
use super::remote::Address;
use super::removal::remove_tree;
use super::snapshot::Snapshot;
use crate::domain::change::{Existing, NewFile, Plan, RepoPath};
use crate::providers::{ProviderError, redact};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tokio_util::task::task_tracker::TaskTrackerToken;

/// A commit and a directory that belong to one run. Removed when dropped, as far as that goes; [`Self::remove`] says whether it went.
#[derive(Debug)]
pub struct Worktree {
    /// Everything that the run writes to disk.
    dir: PathBuf,
    /// The work tree in it.
    root: PathBuf,
    /// The repository that it is a work tree of, and where that keeps its state.
    pub(super) mirror: PathBuf,
    address: Address,
    branch: String,
    commit: String,
    snapshot: Snapshot,
    /// Where git keeps the work tree's state; `None` while it is not on disk.
    on_disk: tokio::sync::Mutex<Option<PathBuf>>,
    /// The commit to push.
    made: Mutex<Option<String>>,
    /// Tells the cache that this work tree is still there.
    token: TaskTrackerToken,
}

/// A path that differs from the base commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub path: RepoPath,
    pub executable: bool,
}

impl Worktree {
    /// Of a directory that is there, and empty.
    pub(super) fn new(
        dir: PathBuf,
        mirror: PathBuf,
        address: Address,
        base: (String, String),
        snapshot: Snapshot,
        token: TaskTrackerToken,
    ) -> Self {
        let (branch, commit) = base;
        let (root, on_disk, made) = (dir.join("tree"), tokio::sync::Mutex::default(), Mutex::default());
        Self { dir, root, mirror, address, branch, commit, snapshot, on_disk, made, token }
    }

    /// git in the repository behind it, whatever has become of the work tree.
    pub(super) fn mirror_git(&self, subcommand: &'static str) -> Git {
        Git::bare(&self.mirror, subcommand)
    }

    /// A file for git alone, under a name that nobody else has. It goes with the rest of the run's files.
    pub(super) fn scratch(&self) -> PathBuf {
        self.dir.join(format!("index-{}", uuid::Uuid::now_v7()))
    }

    /// Where the run keeps files of its own: beside the directory that a program works in, and gone together with it.
    pub fn beside(&self) -> &Path {
        &self.dir
    }

    /// Whether a file of a plan is to be executable.
    pub(super) fn is_executable(&self, path: &RepoPath, file: &NewFile) -> bool {
        let before = file.from.as_ref().unwrap_or(path);
        file.executable.unwrap_or_else(|| self.snapshot.is_executable(before))
    }

    /// The directory; a coding agent runs here. There after [`Self::check_out`].
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that the run starts from.
    pub fn base_commit(&self) -> &str {
        &self.commit
    }

    /// The branch it is from: the base of a pull request. `HEAD` when a local repository is on no branch.
    pub fn base_branch(&self) -> &str {
        &self.branch
    }

    /// The files of the base commit, by path.
    pub fn files(&self) -> &[TrackedFile] {
        self.snapshot.files()
    }

    /// How many tracked names are no valid [`RepoPath`] and so not in [`Self::files`].
    pub fn left_out(&self) -> usize {
        self.snapshot.left_out()
    }

    /// The file as it is in the base commit, whatever has been done to the directory. Blocks while git reads its disk.
    pub fn read(&self, path: &RepoPath) -> Existing {
        self.snapshot.read(path)
    }

    /// The file as it is in the directory now.
    pub fn read_changed(&self, path: &RepoPath) -> Existing {
        self.snapshot.closed(path).map_or_else(|| beneath::read(&self.root, path), Existing::Opaque)
    }

    /// Writes the base commit's files to the directory, unless that was done and nothing has thrown them away since.
    pub async fn check_out(&self) -> Result<(), ProviderError> {
        self.git_dir().await.map(drop)
    }

    async fn git_dir(&self) -> Result<PathBuf, ProviderError> {
        let mut on_disk = self.on_disk.lock().await;
        if let Some(git_dir) = &*on_disk {
            return Ok(git_dir.clone());
        }
        let git_dir = cache::add_worktree(&self.mirror, &self.root, &self.commit).await?;
        *on_disk = Some(git_dir.clone());
        Ok(git_dir)
    }

    /// Writes a plan over the base commit's files. Deletions go first, so that a directory can become a file.
    pub async fn apply(&self, plan: &Plan) -> Result<(), ProviderError> {
        self.check_out().await?;
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

    /// The paths in the directory that differ from the base commit, whoever changed them; ignored files don't count.
    ///
    /// # Errors
    /// When there is something that can't be part of a change: another repository, or a name that can't be shown.
    pub async fn changed(&self) -> Result<Vec<Changed>, ProviderError> {
        let git_dir = self.git_dir().await?;
        let git = |subcommand| Git::tree(&git_dir, &self.root, subcommand);
        git("add").args(["--all", "--", "."]).run().await?;
        let git = git("diff").args(["--cached", "--raw", "-z", "--no-renames", "--no-ext-diff", "--no-abbrev"]);
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

    /// Throws the directory away, so that the next [`Self::check_out`] makes it anew: nothing stays of what was done to it, to its
    /// index or to its branch, whether git would see it or not.
    pub async fn reset(&self) {
        *self.on_disk.lock().await = None;
    }

    /// Removes the directory. What git remembers of it goes with the next checkout.
    pub async fn remove(mut self) -> Result<(), ProviderError> {
        let dir = std::mem::take(&mut self.dir);
        let removed = tokio::task::spawn_blocking(move || (remove_tree(&dir), dir)).await;
        match removed {
            Ok((Ok(()), _)) => Ok(()),
            Ok((Err(e), dir)) => Err(ProviderError::io("worktree", dir.display(), &e)),
            Err(_) => Err(ProviderError::Cancelled),
        }
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        let dir = std::mem::take(&mut self.dir);
        if dir.as_os_str().is_empty() {
            return;
        }
        let token = self.token.clone();
        let remove = move || {
            let _removing = token;
            if let Err(error) = remove_tree(&dir) {
                tracing::warn!(path = %dir.display(), %error, "a work tree is left behind");
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
