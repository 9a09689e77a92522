//! Paths that can't leave a repository, nor reach into git's own files, on any file system.

use serde::{Deserialize, Serialize};

/// A relative path inside a repository, with `/` between its parts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    #[error("the path is empty or longer than 1024 bytes")]
    Length,
    #[error("the path must be relative to the repository's root and use `/`")]
    NotRelative,
    #[error("the path has an empty, `.` or `..` part")]
    Traversal,
    #[error("the path reaches into git's own files")]
    GitInternal,
    #[error("the path has control or invisible characters")]
    Unprintable,
}

impl RepoPath {
    /// # Errors
    /// When the path could mean anything but a file below the root: see [`InvalidPath`].
    pub fn parse(raw: impl Into<String>) -> Result<Self, InvalidPath> {
        let raw = raw.into();
        if raw.is_empty() || raw.len() > 1024 {
            return Err(InvalidPath::Length);
        }
        if crate::domain::text::line(&raw) != raw {
            return Err(InvalidPath::Unprintable);
        }
        if raw.starts_with('/') || raw.contains('\\') || raw.as_bytes().get(1) == Some(&b':') {
            return Err(InvalidPath::NotRelative);
        }
        for part in raw.split('/') {
            if part.is_empty() || part == "." || part == ".." {
                return Err(InvalidPath::Traversal);
            }
            if is_git_dir(part) {
                return Err(InvalidPath::GitInternal);
            }
        }
        Ok(Self(raw))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directories it is in, the outermost first.
    pub fn above(&self) -> impl Iterator<Item = Self> + '_ {
        self.0.match_indices('/').filter_map(|(at, _)| self.0.get(..at)).map(|above| Self(above.to_owned()))
    }

    /// The part after the last `/`.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

/// `.git` in every spelling that some file system takes for it: case, NTFS short name, trailing dots and spaces, streams.
fn is_git_dir(part: &str) -> bool {
    let lower = part.to_lowercase();
    let stem = lower.split(':').next().unwrap_or(&lower).trim_end_matches(['.', ' ']);
    matches!(stem, ".git" | "git~1" | ".gitmodules")
}

impl std::fmt::Display for RepoPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = InvalidPath;
    fn try_from(raw: String) -> Result<Self, InvalidPath> {
        Self::parse(raw)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_paths_are_refused() {
        let bad = [
            "",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a/.",
            ".git/config",
            "sub/.GIT/hooks/x",
            "a\\b",
            "C:/x",
            ".git./x",
            "GIT~1/x",
            ".gitmodules",
            "a\nb",
            "a\u{202e}b",
            "a\0b",
            ".git::$INDEX_ALLOCATION/x",
        ];
        for raw in bad {
            assert!(RepoPath::parse(raw).is_err(), "{raw:?}");
        }
        for raw in ["a", "src/lib.rs", ".github/workflows/ci.yml", ".gitignore", "a b/c-d_e.f", "naïve/ü.rs"] {
            assert!(RepoPath::parse(raw).is_ok(), "{raw:?}");
        }
    }
}
