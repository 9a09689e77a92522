//! The files of one commit, as they are for everybody who has it: named once, read when somebody asks.

use super::TrackedFile;
use super::beneath::{A_DIRECTORY, BEHIND_A_FILE, TOO_LARGE, UNREADABLE, judged};
use super::command::{Git, pieces};
use super::objects::Objects;
use crate::domain::change::{Existing, MAX_FILE_BYTES, RepoPath};
use crate::providers::ProviderError;
use std::path::Path;

const EXECUTABLE: u32 = 0o100_755;
const LINK: u32 = 0o120_000;
const SUBMODULE: u32 = 0o160_000;

/// What a commit holds.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// By path.
    files: Vec<TrackedFile>,
    /// Names that no [`RepoPath`] may have, as git has them.
    unnameable: Vec<Vec<u8>>,
    objects: Objects,
}

impl Snapshot {
    /// Lists a commit that the mirror has; no file is read.
    pub(super) async fn of(mirror: &Path, commit: &str) -> Result<Self, ProviderError> {
        let listing = Git::bare(mirror, "ls-tree").args(["-r", "-l", "-z", "--full-tree", commit]).run().await?;
        let (mut files, mut unnameable) = (Vec::new(), Vec::new());
        for entry in pieces(&listing) {
            match tracked(entry) {
                Some(file) => files.push(file),
                None => unnameable.push(entry.splitn(2, |byte| *byte == b'\t').nth(1).unwrap_or_default().to_vec()),
            }
        }
        files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files, unnameable, objects: Objects::new(mirror.to_owned()) })
    }

    pub(super) fn files(&self) -> &[TrackedFile] {
        &self.files
    }

    /// How many names are no [`RepoPath`] and so not in [`Self::files`].
    pub(super) fn left_out(&self) -> usize {
        self.unnameable.len()
    }

    pub(super) fn is_executable(&self, path: &RepoPath) -> bool {
        self.file(path).is_some_and(|file| file.mode == EXECUTABLE)
    }

    /// The file's text, or why it can't be edited. Blocks while git reads its disk.
    pub(super) fn read(&self, path: &RepoPath) -> Existing {
        if let Some(why) = self.closed(path) {
            return Existing::Opaque(why);
        }
        let Some(file) = self.file(path) else { return self.absent(path) };
        // Not a byte of it is read then.
        if file.size > MAX_FILE_BYTES as u64 {
            return Existing::Opaque(TOO_LARGE);
        }
        match self.objects.read(&file.id) {
            Ok(bytes) => judged(bytes),
            Err(error) => {
                tracing::warn!(%path, %error, "a file of the base commit can't be read");
                Existing::Opaque(UNREADABLE)
            }
        }
    }

    /// Why nothing at this path is read or written as text, whatever is there on a disk by now.
    pub(super) fn closed(&self, path: &RepoPath) -> Option<&'static str> {
        match self.file(path).map(|file| file.mode) {
            Some(LINK) => return Some("it is a symbolic link"),
            Some(SUBMODULE) => return Some("it is a submodule"),
            Some(_) | None => {}
        }
        let is_special = |above| self.file(&above).is_some_and(|file| matches!(file.mode, LINK | SUBMODULE));
        path.above().any(is_special).then_some("it is inside a submodule or behind a symbolic link")
    }

    /// What a path is that no file has.
    fn absent(&self, path: &RepoPath) -> Existing {
        if self.is_directory(path) {
            Existing::Opaque(A_DIRECTORY)
        } else if path.above().any(|above| self.file(&above).is_some()) {
            Existing::Opaque(BEHIND_A_FILE)
        } else {
            self.twin(path).unwrap_or(Existing::Missing)
        }
    }

    fn is_directory(&self, path: &RepoPath) -> bool {
        let below = format!("{path}/");
        let first = self.files.partition_point(|file| file.path.as_str() < below.as_str());
        self.files.get(first).is_some_and(|file| file.path.as_str().starts_with(&below))
            || self.unnameable.iter().any(|name| name.starts_with(below.as_bytes()))
    }

    /// Why a path may not be made, if a file, or a directory that one is in, has it or one above it in another spelling. Asked only
    /// for paths that are not there, so a large repository is seldom looked through.
    fn twin(&self, path: &RepoPath) -> Option<Existing> {
        let parts: Vec<&str> = path.as_str().split('/').collect();
        let is_twin = |file: &TrackedFile| {
            let pairs = file.path.as_str().split('/').zip(&parts);
            let spelled_otherwise = |(a, b): (&str, &&str)| (a != *b).then(|| a.to_lowercase() == b.to_lowercase());
            // The first part that is not the same decides: beyond it the paths have nothing to do with each other.
            pairs.into_iter().find_map(spelled_otherwise) == Some(true)
        };
        let why = "there is a file or directory whose name differs only in case, and some systems can't hold both";
        self.files.iter().any(is_twin).then_some(Existing::Opaque(why))
    }

    fn file(&self, path: &RepoPath) -> Option<&TrackedFile> {
        self.files.binary_search_by(|file| file.path.cmp(path)).ok().and_then(|at| self.files.get(at))
    }
}

/// `<mode> <type> <id> <size>\t<path>`
fn tracked(entry: &[u8]) -> Option<TrackedFile> {
    let (facts, path) = std::str::from_utf8(entry).ok()?.split_once('\t')?;
    let path = RepoPath::parse(path).ok()?;
    let mut facts = facts.split_ascii_whitespace();
    let mode = u32::from_str_radix(facts.next()?, 8).ok()?;
    let id = facts.nth(1)?.to_owned();
    // A submodule's size is `-`.
    let size = facts.next()?.parse().unwrap_or(0);
    Some(TrackedFile { path, mode, size, id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_entries_are_read_and_odd_names_left_out() {
        let file = tracked(b"100755 blob 0123 42\tsrc/a b.rs").unwrap();
        assert_eq!((file.path.as_str(), file.mode, file.size, file.id.as_str()), ("src/a b.rs", 0o100_755, 42, "0123"));
        assert_eq!(tracked(b"160000 commit 0123 -\tsub").unwrap().size, 0);
        assert_eq!(tracked(b"100644 blob 0123 1\tcaf\xe9"), None);
        assert_eq!(tracked(b"100644 blob 0123 1\ta\nb"), None);
    }
}
