//! What the drop-ins' tests need of other languages, installed and built once and kept in the target directory.
//!
//! A place's name holds a hash of its lock files, so a changed pin makes a new one; what is built in it is built anew when a source
//! changed. File locks let tests and test runs that come at the same time wait for each other. Where a toolchain or its registry is
//! missing, a test says `skipped:` by name and does not pretend; with `CI=true` it fails instead. What can be installed and does not
//! compile is a fault of ours and fails everywhere.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Calls are timed, as an agent would time them. What keeps the whole machine busy goes on alone.
static MACHINE: RwLock<()> = RwLock::new(());

/// Held while calls are timed.
pub fn in_company() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held by what would make the calls of others late, or runs many of its own at a time.
pub fn alone() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// A path of this repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What there is, or why there is none, said under the test's name.
pub fn or_skip<T>(test: &str, made: Result<T, String>) -> Option<T> {
    let why = match made {
        Ok(made) => return Some(made),
        Err(why) => why,
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{test}: {why}");
    super::skipped(test, &why);
    None
}

/// Whether a tool starts at all.
pub fn present(tool: &str, version: &str) -> Result<(), String> {
    match Command::new(tool).arg(version).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(format!("`{tool} {version}` fails")),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(format!("{tool} is not installed")),
        Err(e) => Err(format!("{tool} can't be started: {e}")),
    }
}

/// A directory for what these lock files name, filled by `install` when it is new.
pub fn installed(
    name: &str,
    locks: &[PathBuf],
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("drop-ins");
    let place = all.join(format!("{name}-{}", &digest(locks)[..12]));
    let complete = place.join("complete");
    if complete.exists() {
        return Ok(place);
    }
    let _alone = alone();
    fs::create_dir_all(&all).unwrap();
    let _lock = locked(&place);
    if !complete.exists() {
        // What an interrupted run left.
        drop(fs::remove_dir_all(&place));
        fs::create_dir(&place).unwrap();
        install(&place)?;
        File::create(complete).unwrap();
    }
    Ok(place)
}

/// Has `build` run in this place when it was never run with these sources.
#[track_caller]
pub fn built(place: &Path, sources: &[PathBuf], build: impl FnOnce() -> Result<(), String>) {
    let digest = digest(sources);
    let stamp = place.join("built");
    let fresh = || fs::read_to_string(&stamp).is_ok_and(|found| found == digest);
    if fresh() {
        return;
    }
    let _alone = alone();
    let _lock = locked(place);
    if !fresh() {
        drop(fs::remove_file(&stamp));
        if let Err(why) = build() {
            panic!("{}: {why}", place.display());
        }
        fs::write(&stamp, digest).unwrap();
    }
}

fn locked(place: &Path) -> File {
    let lock = File::create(place.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

/// Of files, and of directories with all that lies in them.
fn digest(paths: &[PathBuf]) -> String {
    let mut hasher = Sha256::new();
    for path in paths {
        read_into(path, &mut hasher);
    }
    hasher.finalize().iter().fold(String::new(), |hash, byte| hash + &format!("{byte:02x}"))
}

fn read_into(path: &Path, hasher: &mut Sha256) {
    hasher.update(path.file_name().unwrap().as_encoded_bytes());
    if !path.is_dir() {
        hasher.update(fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())));
        return;
    }
    let mut inside: Vec<PathBuf> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    inside.sort();
    for path in inside {
        read_into(&path, hasher);
    }
}

/// Runs a command to its end; what it said when it fails.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    // The end is where the reason stands.
    let end = &lines[lines.len().saturating_sub(20)..];
    Err(if end.is_empty() { "no reason given".to_owned() } else { end.join("\n") })
}
