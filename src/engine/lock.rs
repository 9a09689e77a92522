//! One owner per database: a lock file beside it, held for as long as the process lives.
//!
//! The lock is the operating system's, so a killed owner leaves nothing to clean up; the file's text only says who it is.

use crate::domain::id::DraftId;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Below the cache directory.
const RUNS: &str = "runs";
const LOCK: &str = ".lock";

/// Who owns a database, as its lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerInfo {
    pub pid: u32,
    /// ISO 8601.
    pub since: String,
    /// What it runs as: `tui`, `serve`.
    pub role: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("{} is in use by `patchwork {}` (process {}, since {}); stop that one first; list, show, note and the other commands work beside it", database.display(), owner.role, owner.pid, owner.since)]
    Owned { database: PathBuf, owner: OwnerInfo },
    #[error("{} can't be locked: {source}; check that you may write to its directory", path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// Ownership; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file alone may be too little: a child that is being started has a copy of it for a moment, and the lock
        // lives as long as any copy does.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "a lock is left to the operating system");
        }
    }
}

pub fn lock_path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// Takes the lock or says who has it.
pub fn take(database: &Path, me: &OwnerInfo) -> Result<Lock, LockError> {
    let path = lock_path(database);
    let io = |source| LockError::Io { path: path.clone(), source };
    let mut file = open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = read(&mut file).unwrap_or_else(|| OwnerInfo { pid: 0, since: "?".into(), role: "?".into() });
            return Err(LockError::Owned { database: database.to_owned(), owner });
        }
        Err(TryLockError::Error(e)) => return Err(io(e)),
    }
    let text = serde_json::to_string(me).map_err(|e| io(e.into()))?;
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes())).map_err(io)?;
    Ok(Lock { file })
}

/// Whoever works on a run holds this. Its file goes with it.
#[derive(Debug)]
pub(super) struct RunLock {
    path: PathBuf,
    /// Given back after the file is gone: see [`Drop`].
    _lock: Lock,
}

impl RunLock {
    /// `None` when somebody has it.
    pub(super) fn take(cache_dir: &Path, run: &DraftId) -> std::io::Result<Option<Self>> {
        let path = cache_dir.join(RUNS).join(format!("{run}{LOCK}"));
        loop {
            let Some(lock) = try_take(&path)? else { return Ok(None) };
            // Whoever had it before may have removed the file between its opening and its locking; then another one may be locked now.
            let still_there = std::fs::metadata(&path).map(|there| there.ino());
            if still_there.is_ok_and(|there| lock.file.metadata().is_ok_and(|ours| ours.ino() == there)) {
                return Ok(Some(Self { path, _lock: lock }));
            }
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "a run's lock file stays behind");
        }
    }
}

/// The runs that have a lock file, whether somebody holds it or was killed with it.
pub(super) fn runs(cache_dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(cache_dir.join(RUNS)).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(LOCK)?.to_owned())).collect()
}

/// Takes an anonymous lock on `path`; `None` when somebody has it.
fn try_take(path: &Path) -> std::io::Result<Option<Lock>> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock { file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Who owns the database now; `None` when nobody does.
pub fn owner(database: &Path) -> Option<OwnerInfo> {
    let mut file = File::open(lock_path(database)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(_) => read(&mut file),
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read(file: &mut File) -> Option<OwnerInfo> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_file_in_a_child_does_not_keep_the_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.lock");
        let lock = try_take(&path).unwrap().unwrap();
        let copy = lock.file.try_clone().unwrap();
        assert!(try_take(&path).unwrap().is_none());
        drop(lock);
        assert!(try_take(&path).unwrap().is_some(), "given back although {copy:?} is open");
    }
}
