//! Reading and writing files of a work tree without ever leaving it.
//!
//! Paths are opened part by part, each relative to the directory before it, and no part may be a link: so a link that a
//! repository or an agent put there can't lead out, not even when it appears in the middle of the work.

use crate::domain::change::{Existing, MAX_FILE_BYTES, RepoPath};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, fchmod, fstat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

pub(super) const TOO_LARGE: &str = "it is larger than 1 MiB";
pub(super) const A_DIRECTORY: &str = "it is a directory";
pub(super) const BEHIND_A_FILE: &str = "a part of its path is a file or a symbolic link";
pub(super) const UNREADABLE: &str = "it can't be read";
/// How every Git LFS pointer begins.
const LFS_POINTER: &str = "version https://git-lfs.github.com/spec/";

/// The file's text, or why it can't be edited.
pub(super) fn read(root: &Path, path: &RepoPath) -> Existing {
    match try_read(root, path) {
        Ok(existing) => existing,
        Err(Errno::NOENT) => Existing::Missing,
        Err(Errno::LOOP) => Existing::Opaque("it is a symbolic link"),
        Err(Errno::NOTDIR) => Existing::Opaque(BEHIND_A_FILE),
        Err(_) => Existing::Opaque(UNREADABLE),
    }
}

fn try_read(root: &Path, path: &RepoPath) -> Result<Existing, Errno> {
    let (dir, name) = parent(root, path, false)?;
    // NONBLOCK: opening a named pipe must not wait for somebody to write.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(&dir, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Ok(Existing::Opaque(A_DIRECTORY)),
        FileType::Symlink
        | FileType::Fifo
        | FileType::Socket
        | FileType::CharacterDevice
        | FileType::BlockDevice
        | FileType::Unknown => return Ok(Existing::Opaque("it is not a regular file")),
    }
    // Not a byte of it is read then; one that grows meanwhile is caught below.
    if u64::try_from(stat.st_size).is_ok_and(|size| size > MAX_FILE_BYTES as u64) {
        return Ok(Existing::Opaque(TOO_LARGE));
    }
    let mut bytes = Vec::new();
    let read = File::from(file).take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes);
    if read.is_err() {
        return Ok(Existing::Opaque(UNREADABLE));
    }
    Ok(judged(bytes))
}

/// What a regular file with these bytes is.
pub(super) fn judged(bytes: Vec<u8>) -> Existing {
    if bytes.len() > MAX_FILE_BYTES {
        return Existing::Opaque(TOO_LARGE);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => Existing::Opaque("it is not text"),
        Ok(text) if text.starts_with(LFS_POINTER) => Existing::Opaque("it is a Git LFS pointer"),
        Ok(text) => Existing::Text(text),
        Err(_) => Existing::Opaque("it is not UTF-8 text"),
    }
}

/// Puts a file there, in one step; directories on the way are made.
pub(super) fn write(root: &Path, path: &RepoPath, content: &str, executable: bool) -> std::io::Result<()> {
    let (dir, name) = parent(root, path, true)?;
    match statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile => {}
        Ok(_) => return Err(std::io::Error::other("what is there is not a regular file")),
        Err(Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    let mode = if executable { 0o755 } else { 0o644 };
    let temporary = format!(".patchwork-{}.tmp", uuid::Uuid::now_v7());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(openat(&dir, &temporary, flags, Mode::RUSR | Mode::WUSR)?);
    let written = file
        .write_all(content.as_bytes())
        .and_then(|()| Ok(fchmod(&file, Mode::from_raw_mode(mode))?))
        .and_then(|()| Ok(renameat(&dir, &temporary, &dir, name)?));
    if written.is_err() {
        // The first error is the one to tell; the rest of the file would only be litter in a tree that is thrown away.
        let _litter = unlinkat(&dir, &temporary, AtFlags::empty());
    }
    written
}

/// Takes a file away, and the directories that are empty then, as git would.
pub(super) fn delete(root: &Path, path: &RepoPath) -> std::io::Result<()> {
    let (dir, name) = parent(root, path, false)?;
    unlinkat(&dir, name, AtFlags::empty())?;
    let mut rest = path.as_str();
    while let Some((above, _)) = rest.rsplit_once('/') {
        let Ok(above_path) = RepoPath::parse(above) else { break };
        let (dir, name) = parent(root, &above_path, false)?;
        if unlinkat(&dir, name, AtFlags::REMOVEDIR).is_err() {
            // Not empty: that is where it ends.
            break;
        }
        rest = above;
    }
    Ok(())
}

/// Opens the directory that holds `path`, and names the file in it.
fn parent<'p>(root: &Path, path: &'p RepoPath, create: bool) -> Result<(OwnedFd, &'p str), Errno> {
    let mut dir = openat(CWD, root, DIRECTORY, Mode::empty())?;
    let mut parts = path.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return Ok((dir, part));
        }
        let next = openat(&dir, part, DIRECTORY, Mode::empty());
        dir = match next {
            Err(Errno::NOENT) if create => {
                match mkdirat(&dir, part, Mode::from_raw_mode(0o755)) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(e) => return Err(e),
                }
                openat(&dir, part, DIRECTORY, Mode::empty())?
            }
            // Linux says NOTDIR for a link here and other systems say LOOP; the file itself is told apart by the caller.
            Err(Errno::LOOP) => return Err(Errno::NOTDIR),
            other => other?,
        };
    }
    Err(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn path(p: &str) -> RepoPath {
        RepoPath::parse(p).unwrap()
    }

    #[test]
    fn links_are_not_followed_in_any_part() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let tree = tempfile::tempdir().unwrap();
        symlink(outside.path(), tree.path().join("dir")).unwrap();
        symlink(outside.path().join("secret"), tree.path().join("file")).unwrap();
        for p in ["dir/secret", "file"] {
            assert!(matches!(read(tree.path(), &path(p)), Existing::Opaque(_)), "{p}");
            assert!(write(tree.path(), &path(p), "x", false).is_err(), "{p}");
        }
        assert!(write(tree.path(), &path("dir/new/x"), "x", false).is_err());
        assert!(delete(tree.path(), &path("dir/secret")).is_err());
        assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "s");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_not_small_text_is_opaque() {
        let tree = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| std::fs::write(tree.path().join(name), bytes).unwrap();
        put("latin", b"caf\xe9");
        put("nul", b"a\0b");
        put("big", &vec![b'x'; MAX_FILE_BYTES + 1]);
        put("lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n");
        put("full", &vec![b'x'; MAX_FILE_BYTES]);
        std::fs::create_dir(tree.path().join("dir")).unwrap();
        for name in ["latin", "nul", "big", "lfs", "dir", "full/x"] {
            assert!(matches!(read(tree.path(), &path(name)), Existing::Opaque(_)), "{name}");
        }
        assert!(matches!(read(tree.path(), &path("full")), Existing::Text(_)));
        assert_eq!(read(tree.path(), &path("none/none")), Existing::Missing);
    }

    #[test]
    fn modes_are_as_wanted_and_empty_directories_go() {
        let tree = tempfile::tempdir().unwrap();
        let file = tree.path().join("a/b/run.sh");
        for (text, executable, mode) in [("1", false, 0o644), ("2", true, 0o755), ("3", false, 0o644)] {
            write(tree.path(), &path("a/b/run.sh"), text, executable).unwrap();
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        write(tree.path(), &path("a/keep"), "k", false).unwrap();
        delete(tree.path(), &path("a/b/run.sh")).unwrap();
        assert!(!tree.path().join("a/b").exists() && tree.path().join("a/keep").exists());
    }
}
