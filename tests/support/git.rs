//! git as an author uses it, for building repositories and for looking at results.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Without the settings of whoever runs the tests, and as an author of its own.
pub fn command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    command.args(["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"]);
    command.args(["-c", "init.defaultBranch=main"]);
    command
}

/// Its output without the last line break; a failure fails the test.
pub fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = command(dir).args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// `None` when it fails.
pub fn try_git(dir: &Path, arguments: &[&str]) -> Option<String> {
    let output = command(dir).args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// With something on its standard input; its output without the last line break.
pub fn git_fed(dir: &Path, arguments: &[&str], input: &[u8]) -> String {
    let pipes = || Stdio::piped();
    let mut child = command(dir).args(arguments).stdin(pipes()).stdout(pipes()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A tree entry for [`commit_tree`].
pub struct Entry<'a> {
    pub mode: &'a str,
    pub path: &'a [u8],
    /// Of a blob; for a submodule the commit's id.
    pub content: &'a [u8],
}

/// Commits a tree made of raw entries to a branch, without a work tree: names and modes that no author could check out.
pub fn commit_tree(bare: &Path, branch: &str, entries: &[Entry<'_>]) -> String {
    let mut index = Vec::new();
    for entry in entries {
        let id = if entry.mode == "160000" {
            String::from_utf8_lossy(entry.content).into_owned()
        } else {
            git_fed(bare, &["hash-object", "-w", "--stdin"], entry.content)
        };
        index.extend_from_slice(format!("{} {id}\t", entry.mode).as_bytes());
        index.extend_from_slice(entry.path);
        index.push(0);
    }
    let own_index = bare.join("tests-index");
    drop(std::fs::remove_file(&own_index));
    let mut child = command(bare);
    child.env("GIT_INDEX_FILE", &own_index).args(["-c", "core.protectNTFS=false", "-c", "core.protectHFS=false"]);
    let mut child = child.args(["update-index", "-z", "--index-info"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&index).unwrap();
    assert!(child.wait().unwrap().success());
    let tree = command(bare).env("GIT_INDEX_FILE", &own_index).arg("write-tree").output().unwrap();
    let tree = String::from_utf8_lossy(&tree.stdout).trim().to_owned();
    let commit = git(bare, &["commit-tree", "-m", "Raw", &tree]);
    git(bare, &["update-ref", &format!("refs/heads/{branch}"), &commit]);
    commit
}

/// Everything below a directory: names, modes, times, and what is in each file. Of a repository all but its objects, which may grow.
#[derive(Debug, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<PathBuf, String>);

impl Fingerprint {
    pub fn of(dir: &Path) -> Self {
        let mut found = BTreeMap::new();
        look(dir, &mut found);
        Self(found)
    }

    /// Fails unless everything is as it was, but for branches below `patchwork/`.
    pub fn assert_kept(&self, dir: &Path) {
        let now = Self::of(dir);
        let ours = |path: &&PathBuf| path.to_string_lossy().contains("refs/heads/patchwork");
        for path in self.0.keys().chain(now.0.keys()).filter(|path| !ours(path)) {
            assert_eq!(now.0.get(path), self.0.get(path), "{} is not as it was", path.display());
        }
    }
}

fn look(dir: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let (path, meta) = (entry.path(), entry.path().symlink_metadata().unwrap());
        if path.file_name().is_some_and(|name| name == "objects") && path.with_file_name("HEAD").exists() {
            continue;
        }
        if meta.is_dir() {
            look(&path, found);
            continue;
        }
        let content = match std::fs::read_link(&path) {
            Ok(target) => target.display().to_string(),
            Err(_) => String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned(),
        };
        found.insert(path, format!("{:o} {:?} {content}", meta.permissions().mode(), meta.modified().unwrap()));
    }
}
