//! Puts a new text in the place of a file: whole or not at all, at the end of its links, with the mode it had.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Its owner, whoever could before.
    Owner,
    /// Those who could before; for a new file, those whom the user's umask lets.
    AsBefore,
}

/// Writes a new file beside the old one and renames it: a crash leaves the old text or the new one, never half. `unless` is asked in the
/// last moment, with the file's real place, and can still stop it.
pub(super) fn replace(
    path: &Path,
    text: &str,
    readers: Readers,
    unless: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let path = real(path);
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let mode = match (readers, fs::metadata(&path)) {
        (Readers::Owner, _) => Some(0o600),
        (Readers::AsBefore, Ok(meta)) => Some(meta.permissions().mode() & 0o7777),
        (Readers::AsBefore, Err(_)) => None,
    };
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let mut builder = tempfile::Builder::new();
    // The umask takes from this what it takes from every new file.
    builder.prefix(&prefix).permissions(Permissions::from_mode(mode.map_or(0o666, |mode| mode & 0o700)));
    // Removed when it is dropped, so nothing stays behind when a step fails.
    let mut temporary = builder.tempfile_in(dir)?;
    if let Some(mode) = mode {
        temporary.as_file().set_permissions(Permissions::from_mode(mode))?;
    }
    temporary.write_all(text.as_bytes())?;
    temporary.as_file().sync_all()?;
    unless(&path)?;
    temporary.persist(&path).map_err(|e| e.error)?;
    // The new name is durable when the directory is.
    File::open(dir)?.sync_all()
}

/// Where the links of a path lead, also when nothing is there yet.
fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // As many links as the kernel follows.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new(".")).join(target);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn write(path: &Path, text: &str, readers: Readers) -> io::Result<()> {
        replace(path, text, readers, |_| Ok(()))
    }

    #[test]
    fn mode_and_links_stay_and_nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("real/config.toml"), dir.path().join("config.toml"));
        std::os::unix::fs::symlink("real/config.toml", &link).unwrap();
        write(&link, "one", Readers::AsBefore).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one", "a link to what is not there yet");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        write(&link, "two", Readers::AsBefore).unwrap();
        assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode(&file)), ("two", 0o640));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write(&link, "three", Readers::Owner).unwrap();
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_stopped_in_the_last_moment_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a");
        write(&file, "before", Readers::AsBefore).unwrap();
        let stopped = replace(&file, "after", Readers::AsBefore, |_| Err(io::Error::other("no")));
        assert_eq!(stopped.unwrap_err().to_string(), "no");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
