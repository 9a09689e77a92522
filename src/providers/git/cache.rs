//! Mirrors: a bare copy of each remote, so that the second run fetches only what is new.
//!
//! A mirror is locked while it is fetched into, by a file lock that also holds between processes. A run that was killed while it
//! fetched leaves git's own lock files behind; whoever holds our lock may remove them.

use super::Remote;
use super::command::Git;
use super::remote::{Address, short_hash};
use super::removal::remove_tree;
use super::snapshot::Snapshot;
use super::worktree::Worktree;
use crate::providers::{ProviderError, redact};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// What attributes may not do to files: run filters, change line ends or encodings. This file wins over a repository's own.
const ATTRIBUTES: &str = "* -filter -ident -text -eol -working-tree-encoding\n";

/// Between two looks at a mirror that somebody else has locked.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// Branch names told to the user when theirs is not there.
const MAX_KNOWN: usize = 20;

/// Copies of repositories, kept between runs.
#[derive(Debug, Clone)]
pub struct GitCache {
    dir: PathBuf,
    /// The work trees that were made through this handle and its clones, and are not gone yet.
    trees: TaskTracker,
}

/// What a draft starts from.
struct Base {
    /// The branch's name; `HEAD` when the repository is on no branch.
    branch: String,
    /// What to fetch.
    source: String,
    commit: String,
}

/// A branch as a remote has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// `HEAD` when the repository is on no branch.
    pub branch: String,
    pub commit: String,
}

/// Asks a remote for a branch (`None`: the default one), and fetches nothing.
///
/// # Errors
/// As for [`GitCache::checkout`].
pub async fn tip(remote: &Remote, branch: Option<&str>) -> Result<Tip, ProviderError> {
    let base = find_base(&Address::find(remote).await?, branch).await?;
    Ok(Tip { branch: base.branch, commit: base.commit })
}

impl GitCache {
    /// Keeps everything below `cache_dir`; nothing is created yet.
    pub fn new(cache_dir: PathBuf) -> Self {
        Self { dir: cache_dir, trees: TaskTracker::new() }
    }

    /// Where each run has a directory.
    pub(super) fn worktrees(&self) -> PathBuf {
        self.dir.join("worktrees")
    }

    /// Waits until every work tree made through this handle has been removed. A dropped one is removed in the background.
    pub async fn until_clean(&self) {
        self.trees.close();
        self.trees.wait().await;
    }

    /// The mirror of a remote, made empty where there is none yet. Not locked: nothing may be fetched into it.
    pub(super) async fn mirror_of(&self, address: &Address) -> Result<PathBuf, ProviderError> {
        let mirror = self.dir.join("mirrors").join(address.key());
        if !mirror.exists() {
            mirror.parent().map_or(Ok(()), private_dir)?;
            let _lock = lock(&mirror).await?;
            prepare(&mirror, 40).await?;
        }
        Ok(mirror)
    }

    /// Fetches a branch (`None`: the default one) for a run named `work_id`; what an earlier run left under that name is removed.
    /// Its files are on disk when the run first needs them there.
    ///
    /// # Errors
    /// Says in words when the repository is empty, the branch is missing, the token is refused or the server can't be reached.
    pub async fn checkout(
        &self,
        remote: &Remote,
        branch: Option<&str>,
        work_id: &str,
    ) -> Result<Worktree, ProviderError> {
        self.checkout_at(remote, branch, None, work_id).await
    }

    /// The same at an older commit of the branch, as long as it is still here; otherwise at the newest.
    pub async fn checkout_at(
        &self,
        remote: &Remote,
        branch: Option<&str>,
        commit: Option<&str>,
        work_id: &str,
    ) -> Result<Worktree, ProviderError> {
        let safe_id = !work_id.starts_with('.')
            && (1..=128).contains(&work_id.len())
            && work_id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if !safe_id {
            return Err(ProviderError::config(format!("`{work_id}` can't be the name of a work tree.")));
        }
        let address = Address::find(remote).await?;
        let base = find_base(&address, branch).await?;
        let mirror = self.dir.join("mirrors").join(address.key());
        if let Some(dir) = mirror.parent() {
            private_dir(dir)?;
        }
        let _lock = lock(&mirror).await?;
        prepare(&mirror, base.commit.len()).await?;
        let newest = fetch(&mirror, &address, &base).await?;
        let commit = match commit {
            Some(wanted) if holds(&mirror, wanted).await? => wanted.to_owned(),
            Some(_) | None => newest,
        };
        let snapshot = Snapshot::of(&mirror, &commit).await?;
        let dir = self.worktrees().join(work_id);
        remove(&dir).await?;
        private_dir(&dir)?;
        let tree = Worktree::new(dir, mirror, address, (base.branch, commit), snapshot, self.trees.token());
        // A tree that git would refuse to write, because it has a `.git` in it, is refused before anybody works on it.
        tree.index().await?;
        Ok(tree)
    }
}

/// Asks the remote what it has, and finds where to begin.
async fn find_base(address: &Address, wanted: Option<&str>) -> Result<Base, ProviderError> {
    let git = address.allow(Git::nowhere("ls-remote")).args(["--symref", "--"]).args([address.place()]);
    let output = git.args(["HEAD", "refs/heads/*"]).output().await?;
    let listing = address.judge("ls-remote", output)?;
    let listing = String::from_utf8_lossy(&listing);
    let pairs: Vec<(&str, &str)> = listing.lines().filter_map(|l| l.split_once('\t')).collect();
    let commit_of = |name: &str| pairs.iter().find(|(c, n)| *n == name && !c.starts_with("ref:")).map(|(c, _)| *c);
    let heads: Vec<&str> = pairs.iter().filter_map(|(_, n)| n.strip_prefix("refs/heads/")).collect();
    if heads.is_empty() && commit_of("HEAD").is_none() {
        // A web page at that address looks to git like an old server with nothing to offer.
        let advice = if address.is_local() {
            "The repository is empty: commit something first."
        } else {
            "The repository is empty: commit and push something first. If it is not, something else than a git server answers \
             there: check `server_url` under [github] in config.toml."
        };
        return Err(not_found(&format!("A commit in {}", address.shown()), advice, &[]));
    }
    let default = pairs.iter().find(|(_, n)| *n == "HEAD").and_then(|(c, _)| c.strip_prefix("ref: refs/heads/"));
    let name = match (wanted, default) {
        (Some(wanted), _) => wanted.strip_prefix("refs/heads/").unwrap_or(wanted),
        (None, Some(default)) => default,
        (None, None) => return detached(address, commit_of("HEAD"), &pairs, &heads),
    };
    match commit_of(&format!("refs/heads/{name}")) {
        Some(commit) => Ok(Base { branch: name.into(), source: format!("refs/heads/{name}"), commit: commit.into() }),
        None => Err(not_found(
            &format!("The branch `{name}` of {}", address.shown()),
            "Set `branch` under [[repository]] in config.toml to one that exists.",
            &heads,
        )),
    }
}

/// `HEAD` is on no branch: its commit counts, under the name of a branch that is there too, if there is one.
fn detached(
    address: &Address,
    head: Option<&str>,
    pairs: &[(&str, &str)],
    heads: &[&str],
) -> Result<Base, ProviderError> {
    let Some(commit) = head else {
        return Err(not_found(
            &format!("The default branch of {}", address.shown()),
            "Set `branch` under [[repository]] in config.toml.",
            heads,
        ));
    };
    let same = pairs.iter().find(|(c, n)| *c == commit && n.starts_with("refs/heads/"));
    let branch = same.map_or("HEAD", |(_, n)| n.trim_start_matches("refs/heads/"));
    Ok(Base { branch: branch.into(), source: "HEAD".into(), commit: commit.into() })
}

fn not_found(what: &str, advice: &str, known: &[&str]) -> ProviderError {
    let known = known.iter().take(MAX_KNOWN).map(|n| redact::message(n)).collect();
    ProviderError::NotFound { what: redact::message(what), advice: advice.into(), known }
}

/// Makes the mirror, or makes it usable again.
async fn prepare(mirror: &Path, id_len: usize) -> Result<(), ProviderError> {
    if mirror.exists() {
        let sound = Git::bare(mirror, "rev-parse").args(["--is-bare-repository"]).output().await?;
        if sound.success {
            remove_stale_locks(mirror);
            return settings(mirror, id_len);
        }
        tracing::warn!(mirror = %mirror.display(), "a mirror is damaged and made anew");
        std::fs::remove_dir_all(mirror).map_err(|e| ProviderError::io("init", mirror.display(), &e))?;
    }
    let format = if id_len == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
    let fresh = mirror.with_extension("new");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh).map_err(|e| ProviderError::io("init", fresh.display(), &e))?;
    }
    private_dir(&fresh)?;
    Git::bare(&fresh, "init").args(["--bare", "--quiet", "--template=", format]).run().await?;
    settings(&fresh, id_len)?;
    std::fs::rename(&fresh, mirror).map_err(|e| ProviderError::io("init", mirror.display(), &e))
}

/// Written before each use: an agent may have changed them.
fn settings(mirror: &Path, id_len: usize) -> Result<(), ProviderError> {
    let extensions = if id_len == 64 { "[extensions]\n\tobjectFormat = sha256\n" } else { "" };
    let version = i32::from(id_len == 64);
    // What an agent calls in its work tree is git, too, and does not get our settings.
    let config = format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = true\n\thooksPath = /dev/null\n\
         \tsymlinks = false\n\tautocrlf = false\n{extensions}"
    );
    let info = mirror.join("info");
    std::fs::create_dir_all(&info)
        .and_then(|()| replace(&info.join("attributes"), ATTRIBUTES))
        .and_then(|()| replace(&mirror.join("config"), &config))
        .map_err(|e| ProviderError::io("init", mirror.display(), &e))
}

/// In one step: another run may be reading it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension(uuid::Uuid::now_v7().to_string());
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}

fn remove_stale_locks(mirror: &Path) {
    let refs = std::fs::read_dir(mirror.join("refs/patchwork")).into_iter().flatten().flatten().map(|e| e.path());
    let known = ["shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock", "gc.pid"].map(|n| mirror.join(n));
    for path in refs.chain(known).filter(|p| p.extension().is_some_and(|e| e == "lock" || e == "pid")) {
        if std::fs::remove_file(&path).is_ok() {
            tracing::info!(path = %path.display(), "removed a lock that an interrupted run left");
        }
    }
}

/// Brings the branch's newest commit here; when it is here already, the server is left alone.
async fn fetch(mirror: &Path, address: &Address, base: &Base) -> Result<String, ProviderError> {
    // Not under the branch's own name: `a` and `a/b` can't both be refs, and a remote may change from one to the other.
    let kept = format!("refs/patchwork/{}", short_hash(base.source.as_bytes()));
    let there =
        Git::bare(mirror, "rev-parse").args(["--verify", "--quiet", &format!("{kept}^{{commit}}")]).output().await?;
    // A ref is written when everything that it stands for has arrived.
    if there.success && String::from_utf8_lossy(&there.stdout).trim() == base.commit {
        return Ok(base.commit.clone());
    }
    let git = address.allow(Git::bare(mirror, "fetch"));
    let git = git.args(["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]);
    // History is not read, so a server need not send it. A local source costs nothing, and may be shallow itself.
    let git = git.args([if address.is_local() { "--update-shallow" } else { "--depth=1" }, "--"]);
    let output = git.args([address.place()]).args([format!("+{}:{kept}", base.source)]).output().await?;
    address.judge("fetch", output)?;
    Git::bare(mirror, "rev-parse").args(["--verify", "--quiet", &format!("{kept}^{{commit}}")]).line().await
}

/// Whether the mirror has this very commit, with all its files.
async fn holds(mirror: &Path, commit: &str) -> Result<bool, ProviderError> {
    let is_id = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_id {
        return Ok(false);
    }
    Ok(Git::bare(mirror, "rev-list").args(["--objects", "--no-walk", "--quiet", commit]).output().await?.success)
}

/// Writes a commit's files to a directory, and returns where git keeps that work tree's state. What was there before is removed:
/// nothing stays of what a program did to it.
pub(super) async fn add_worktree(mirror: &Path, root: &Path, commit: &str) -> Result<PathBuf, ProviderError> {
    let _lock = lock(mirror).await?;
    settings(mirror, commit.len())?;
    remove(root).await?;
    unlock_worktrees(mirror);
    Git::bare(mirror, "worktree").args(["prune"]).run().await?;
    let git = Git::bare(mirror, "worktree").args(["add", "--quiet", "--detach", "--force"]);
    git.args([root.as_os_str(), commit.as_ref()]).run().await?;
    let pointer = root.join(".git");
    let text = std::fs::read_to_string(&pointer).map_err(|e| ProviderError::io("worktree", pointer.display(), &e))?;
    match text.trim().strip_prefix("gitdir: ") {
        Some(git_dir) => Ok(root.join(git_dir)),
        None => Err(ProviderError::git("worktree", "the new work tree does not name its repository")),
    }
}

/// git locks a work tree while it makes it, and one that was killed at that stays locked. Only whoever holds our lock makes any.
fn unlock_worktrees(mirror: &Path) {
    for entry in std::fs::read_dir(mirror.join("worktrees")).into_iter().flatten().flatten() {
        if std::fs::remove_file(entry.path().join("locked")).is_ok() {
            tracing::info!(path = %entry.path().display(), "a work tree was not finished when its run was interrupted");
        }
    }
}

async fn remove(dir: &Path) -> Result<(), ProviderError> {
    let old = dir.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_tree(&old)).await.map_err(|_| ProviderError::Cancelled)?;
    removed.map_err(|e| ProviderError::io("worktree", dir.display(), &e))
}

/// Waits for a mirror's lock; it is given back when the file is closed. Polled, so that waiting can be cancelled.
async fn lock(mirror: &Path) -> Result<File, ProviderError> {
    let path = mirror.with_extension("lock");
    let failed = |e: &std::io::Error| ProviderError::io("fetch", path.display(), e);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| failed(&e))?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) => tokio::time::sleep(LOCK_POLL).await,
            Err(e) => return Err(failed(&e.into())),
        }
    }
}

/// A directory that only the user can look into: it holds private code.
fn private_dir(path: &Path) -> Result<(), ProviderError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| ProviderError::io("init", format_args!("the cache directory {}", path.display()), &e))
}
