//! A change to a repository: paths that can't escape it and edits that apply exactly, or not at all.
//!
//! A model's answer is untrusted. [`RepoPath::parse`] is where a path is judged, [`ChangeSet::plan`] is where every edit is tried
//! against the files as they are; both are pure, so that what is refused is decided by tests and not by a file system.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most files one change may touch.
pub const MAX_FILES: usize = 100;
/// Largest file a change may create or edit, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Most bytes of all files of one change together: a change is stored with its run, and shown to a person.
pub const MAX_CHANGE_BYTES: usize = 16 * 1024 * 1024;

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
        if super::text::line(&raw) != raw {
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

/// A piece of a file and what replaces it. `search` must occur exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    pub search: String,
    pub replace: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum FileChange {
    Create { path: RepoPath, content: String },
    Edit { path: RepoPath, edits: Vec<Edit> },
    Delete { path: RepoPath },
}

impl FileChange {
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::Create { path, .. } | Self::Edit { path, .. } | Self::Delete { path } => path,
        }
    }
}

/// What a drafter answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// One line: commit subject and pull request title.
    pub title: String,
    /// What changed and why, in Markdown.
    pub summary: String,
    pub files: Vec<FileChange>,
    /// What was done about comments on an earlier draft.
    #[serde(default)]
    pub addressed: Vec<Addressed>,
}

/// A comment that a change answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    /// As the brief names it. What names no comment is passed over.
    pub comment: String,
    /// What was done, in a sentence.
    pub how: String,
}

/// What will be written where; `None` deletes.
pub type Plan = BTreeMap<RepoPath, Option<String>>;

/// What the repository holds at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existing {
    Missing,
    Text(String),
    /// Not UTF-8 text, a link, a submodule, or too large: never edited.
    Opaque(&'static str),
}

/// One reason why a change can't be applied, in words that a model can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Problem {
    pub path: String,
    pub reason: String,
}

impl ChangeSet {
    /// Tries every change against the repository as `read` shows it. `protected` names paths that must not change.
    ///
    /// # Errors
    /// All problems at once; then nothing of the change may be written.
    pub fn plan(
        &self,
        read: impl Fn(&RepoPath) -> Existing,
        protected: impl Fn(&RepoPath) -> Option<&'static str>,
    ) -> Result<Plan, Vec<Problem>> {
        let mut plan = Plan::new();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        if self.files.is_empty() {
            problems.push(problem("(change)", "it changes no file"));
        }
        if self.files.len() > MAX_FILES {
            problems.push(problem(
                "(change)",
                format!("it touches {} files, at most {MAX_FILES} are allowed", self.files.len()),
            ));
            return Err(problems);
        }
        for change in &self.files {
            let path = change.path();
            if !seen.insert(path.as_str().to_lowercase()) {
                problems.push(problem(path.as_str(), "it appears more than once (paths that differ only in case count as one); put all its edits in one entry"));
                continue;
            }
            if let Some(why) = protected(path) {
                problems.push(problem(path.as_str(), format!("it is protected ({why}) and must not change")));
                continue;
            }
            match apply(change, read(path)) {
                Ok(content) => {
                    plan.insert(path.clone(), content);
                }
                Err(reason) => problems.push(problem(path.as_str(), reason)),
            }
        }
        problems.extend(plan.keys().filter_map(|path| below_a_file(path, &plan)));
        problems.extend(too_large(&plan));
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

/// Each file may be as large as a file may be, but not all of them.
pub fn too_large(plan: &Plan) -> Option<Problem> {
    let bytes: usize = plan.values().flatten().map(String::len).sum();
    let reason = format!("its files have {bytes} bytes together, at most {MAX_CHANGE_BYTES} are allowed");
    (bytes > MAX_CHANGE_BYTES).then(|| problem("(change)", reason))
}

/// A change can't have `a` and `a/b` as files.
fn below_a_file(path: &RepoPath, plan: &Plan) -> Option<Problem> {
    let written = plan.get(path).is_some_and(Option::is_some);
    let above = path.above().find(|above| plan.get(above).is_some_and(Option::is_some))?;
    written.then(|| problem(path.as_str(), format!("`{above}` is a file in the same change and can't be a directory")))
}

fn problem(path: &str, reason: impl Into<String>) -> Problem {
    Problem { path: path.to_owned(), reason: reason.into() }
}

/// The file's new content, `None` when it goes away.
fn apply(change: &FileChange, existing: Existing) -> Result<Option<String>, String> {
    match (change, existing) {
        (FileChange::Create { .. }, Existing::Text(_)) => {
            Err("it exists already: use edits, or choose another name".into())
        }
        (FileChange::Create { content, .. }, Existing::Missing) => {
            check_content(content)?;
            Ok(Some(content.clone()))
        }
        (FileChange::Edit { .. } | FileChange::Delete { .. }, Existing::Missing) => Err("there is no such file".into()),
        (FileChange::Delete { .. }, Existing::Text(_)) => Ok(None),
        (FileChange::Edit { edits, .. }, Existing::Text(text)) => edit(&text, edits).map(Some),
        (_, Existing::Opaque(why)) => Err(format!("it can't be changed: {why}")),
    }
}

fn edit(text: &str, edits: &[Edit]) -> Result<String, String> {
    if edits.is_empty() {
        return Err("it has no edits".into());
    }
    let mut now = text.to_owned();
    for (i, e) in edits.iter().enumerate() {
        let n = i + 1;
        if e.search.is_empty() {
            return Err(format!("edit {n}: `search` is empty"));
        }
        match now.matches(e.search.as_str()).count() {
            1 => now = now.replacen(&e.search, &e.replace, 1),
            0 => {
                return Err(format!(
                    "edit {n}: `search` does not occur in the file; copy the lines exactly, with their indentation"
                ));
            }
            many => {
                return Err(format!(
                    "edit {n}: `search` occurs {many} times; take in more lines around it so that it occurs once"
                ));
            }
        }
        if has_elision(&e.replace) && !has_elision(&e.search) {
            return Err(format!("edit {n}: `replace` leaves code out with a placeholder comment; write it in full"));
        }
    }
    if now == text {
        return Err("its edits change nothing".into());
    }
    if now.len() > MAX_FILE_BYTES {
        return Err(format!("it would have {} bytes, at most {MAX_FILE_BYTES} are allowed", now.len()));
    }
    Ok(now)
}

fn check_content(content: &str) -> Result<(), String> {
    if content.len() > MAX_FILE_BYTES {
        return Err(format!("it has {} bytes, at most {MAX_FILE_BYTES} are allowed", content.len()));
    }
    if content.contains('\0') {
        return Err("it has NUL characters; only text files can be written".into());
    }
    if has_elision(content) {
        return Err("it leaves code out with a placeholder comment; write the file in full".into());
    }
    Ok(())
}

/// Finds comments that stand for code a model did not write, such as `// ... rest of the file unchanged ...`.
fn has_elision(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        let comment = ["//", "#", "--", "/*", "<!--", ";"].iter().any(|c| line.starts_with(c));
        let lower = line.to_lowercase();
        let dots = lower.contains("...") || lower.contains('…');
        let words = ["rest of", "existing code", "unchanged", "remains the same", "same as before", "omitted"];
        comment && dots && words.iter().any(|w| lower.contains(w))
    })
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

    fn path(p: &str) -> RepoPath {
        RepoPath::parse(p).unwrap()
    }

    fn plan(files: Vec<FileChange>) -> Result<Plan, Vec<Problem>> {
        let set = ChangeSet { title: "t".into(), summary: "s".into(), files, addressed: Vec::new() };
        set.plan(
            |p| match p.as_str() {
                "a.txt" => Existing::Text("one\ntwo\ntwo\n".into()),
                "bin" => Existing::Opaque("it is not text"),
                _ => Existing::Missing,
            },
            |p| p.as_str().starts_with(".github/").then_some("CI"),
        )
    }

    fn edit_of(search: &str, replace: &str) -> FileChange {
        FileChange::Edit { path: path("a.txt"), edits: vec![Edit { search: search.into(), replace: replace.into() }] }
    }

    #[test]
    fn edits_apply_exactly_once_or_not_at_all() {
        let done =
            plan(vec![edit_of("one", "1"), FileChange::Create { path: path("b"), content: "x".into() }]).unwrap();
        assert_eq!(done[&path("a.txt")].as_deref(), Some("1\ntwo\ntwo\n"));
        for (search, word) in [("two", "2 times"), ("three", "does not occur"), ("", "empty")] {
            let problems = plan(vec![edit_of(search, "x")]).unwrap_err();
            assert!(problems[0].reason.contains(word), "{problems:?}");
        }
        assert!(plan(vec![edit_of("one", "one")]).is_err(), "nothing changes");
    }

    #[test]
    fn what_must_not_be_touched_is_not() {
        let create = |p: &str| FileChange::Create { path: path(p), content: "x".into() };
        for files in [
            vec![create(".github/workflows/x.yml")],
            vec![create("a.txt")],
            vec![create("x"), create("X")],
            vec![FileChange::Delete { path: path("none") }],
            vec![FileChange::Delete { path: path("bin") }],
            vec![],
            vec![create("x/y"), create("x")],
            (0..=MAX_FILES).map(|i| create(&format!("f{i}"))).collect(),
        ] {
            assert!(plan(files.clone()).is_err(), "{:?}", files.first());
        }
    }

    #[test]
    fn many_large_files_are_too_much_together() {
        let file = |n| FileChange::Create { path: path(&format!("f{n}")), content: "x".repeat(MAX_FILE_BYTES) };
        assert!(plan((0..16).map(file).collect()).is_ok());
        let problems = plan((0..17).map(file).collect()).unwrap_err();
        assert!(problems[0].reason.contains("17825792 bytes together"), "{problems:?}");
    }

    #[test]
    fn elisions_are_refused() {
        let content = "fn a() {}\n// ... rest of the file unchanged ...\n".to_owned();
        assert!(plan(vec![FileChange::Create { path: path("c.rs"), content }]).is_err());
        let honest = "// The rest of the items are unchanged by this\nlet x = 1; // see ...\n".to_owned();
        assert!(plan(vec![FileChange::Create { path: path("c.rs"), content: honest }]).is_ok());
    }
}
