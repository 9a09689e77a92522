//! A change to a repository: paths that can't escape it and edits that apply exactly, or not at all.
//!
//! A model's answer is untrusted. [`RepoPath::parse`] is where a path is judged, [`ChangeSet::plan`] is where every edit is tried
//! against the files as they are; both are pure, so that what is refused is decided by tests and not by a file system.

mod edit;
mod elision;
mod path;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

pub use edit::Edit;
pub use path::{InvalidPath, RepoPath};

/// Most files one change may touch.
pub const MAX_FILES: usize = 100;
/// Largest file a change may create or edit, in bytes.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// Most bytes of all files of one change together: a change is stored with its run, and shown to a person.
pub const MAX_CHANGE_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum FileChange {
    Create {
        path: RepoPath,
        content: String,
    },
    Edit {
        path: RepoPath,
        edits: Vec<Edit>,
    },
    Delete {
        path: RepoPath,
    },
    /// Moves a file, and may edit it on the way.
    Rename {
        path: RepoPath,
        to: RepoPath,
        edits: Vec<Edit>,
    },
}

impl FileChange {
    /// The file that is changed; of a renamed one the old place.
    pub fn path(&self) -> &RepoPath {
        match self {
            Self::Create { path, .. } | Self::Edit { path, .. } | Self::Delete { path } | Self::Rename { path, .. } => {
                path
            }
        }
    }

    /// Where a file is moved to.
    fn to(&self) -> Option<&RepoPath> {
        match self {
            Self::Rename { to, .. } => Some(to),
            Self::Create { .. } | Self::Edit { .. } | Self::Delete { .. } => None,
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
pub type Plan = BTreeMap<RepoPath, Option<NewFile>>;

/// A file as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "AnyNewFile")]
pub struct NewFile {
    pub content: String,
    /// Whether it can be executed; `None`: if it can be today.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<bool>,
    /// Where it is today, when it is renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<RepoPath>,
}

/// Runs of earlier versions kept a file's text and nothing else.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyNewFile {
    Text(String),
    File {
        content: String,
        #[serde(default)]
        executable: Option<bool>,
        #[serde(default)]
        from: Option<RepoPath>,
    },
}

impl From<AnyNewFile> for NewFile {
    fn from(any: AnyNewFile) -> Self {
        match any {
            AnyNewFile::Text(content) => content.into(),
            AnyNewFile::File { content, executable, from } => Self { content, executable, from },
        }
    }
}

impl From<String> for NewFile {
    fn from(content: String) -> Self {
        Self { content, executable: None, from: None }
    }
}

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

impl Problem {
    pub fn new(path: &RepoPath, reason: impl Into<String>) -> Self {
        Self { path: path.to_string(), reason: reason.into() }
    }

    /// Of the change as a whole.
    pub fn of_all(reason: impl Into<String>) -> Self {
        Self { path: "(change)".into(), reason: reason.into() }
    }
}

impl ChangeSet {
    /// Tries every change against the repository as `read` shows it. `forbidden` says why a path must not change.
    ///
    /// # Errors
    /// All problems at once; then nothing of the change may be written.
    pub fn plan(
        &self,
        read: impl Fn(&RepoPath) -> Existing,
        forbidden: impl Fn(&RepoPath) -> Option<String>,
    ) -> Result<Plan, Vec<Problem>> {
        if self.files.is_empty() {
            return Err(vec![Problem::of_all("it changes no file")]);
        }
        if self.files.len() > MAX_FILES {
            let reason = format!("it touches {} files, at most {MAX_FILES} are allowed", self.files.len());
            return Err(vec![Problem::of_all(reason)]);
        }
        let mut plan = Plan::new();
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        for change in &self.files {
            let paths = [Some(change.path()), change.to()];
            let refused = paths.into_iter().flatten().find_map(|path| {
                let twice = (!seen.insert(path.as_str().to_lowercase())).then(|| TWICE.to_owned());
                twice.or_else(|| forbidden(path)).map(|reason| Problem::new(path, reason))
            });
            match refused.map_or_else(|| apply(change, &read), Err) {
                Ok(files) => plan.extend(files),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(plan.keys().filter_map(|path| below_a_file(path, &plan)));
        problems.extend(too_large(&plan));
        if problems.is_empty() { Ok(plan) } else { Err(problems) }
    }
}

const TWICE: &str =
    "it appears more than once (paths that differ only in case count as one); put all its edits in one entry";

/// Each file may be as large as a file may be, but not all of them.
pub fn too_large(plan: &Plan) -> Option<Problem> {
    let bytes: usize = plan.values().flatten().map(|file| file.content.len()).sum();
    let reason = format!("its files have {bytes} bytes together, at most {MAX_CHANGE_BYTES} are allowed");
    (bytes > MAX_CHANGE_BYTES).then(|| Problem::of_all(reason))
}

/// A change can't have `a` and `a/b` as files.
fn below_a_file(path: &RepoPath, plan: &Plan) -> Option<Problem> {
    let written = plan.get(path).is_some_and(Option::is_some);
    let above = path.above().find(|above| plan.get(above).is_some_and(Option::is_some))?;
    written.then(|| Problem::new(path, format!("`{above}` is a file in the same change and can't be a directory")))
}

/// What one change does to which files.
fn apply(
    change: &FileChange,
    read: impl Fn(&RepoPath) -> Existing,
) -> Result<Vec<(RepoPath, Option<NewFile>)>, Problem> {
    match change {
        FileChange::Create { path, content } => {
            vacant(path, &read)?;
            edit::check(path, content).map_err(|reason| Problem::new(path, reason))?;
            Ok(vec![(path.clone(), Some(content.clone().into()))])
        }
        FileChange::Edit { path, edits } => {
            let text = existing(path, &read)?;
            let content = edit::apply(path, &text, edits).map_err(|reason| Problem::new(path, reason))?;
            Ok(vec![(path.clone(), Some(content.into()))])
        }
        FileChange::Delete { path } => existing(path, &read).map(|_| vec![(path.clone(), None)]),
        FileChange::Rename { path, to, edits } => {
            let text = existing(path, &read)?;
            vacant(to, &read)?;
            let content = if edits.is_empty() { Ok(text) } else { edit::apply(to, &text, edits) };
            let content = content.map_err(|reason| Problem::new(path, reason))?;
            let file = NewFile { content, executable: None, from: Some(path.clone()) };
            Ok(vec![(path.clone(), None), (to.clone(), Some(file))])
        }
    }
}

/// The text that is there.
fn existing(path: &RepoPath, read: impl Fn(&RepoPath) -> Existing) -> Result<String, Problem> {
    match read(path) {
        Existing::Text(text) => Ok(text),
        Existing::Missing => Err(Problem::new(path, "there is no such file")),
        Existing::Opaque(why) => Err(Problem::new(path, format!("it can't be changed: {why}"))),
    }
}

/// Nothing may be there yet.
fn vacant(path: &RepoPath, read: impl Fn(&RepoPath) -> Existing) -> Result<(), Problem> {
    match read(path) {
        Existing::Missing => Ok(()),
        Existing::Text(_) => Err(Problem::new(path, "it exists already: use edits, or choose another name")),
        Existing::Opaque(why) => Err(Problem::new(path, format!("it can't be made: {why}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            |p| p.as_str().starts_with(".github/").then(|| "it runs in CI".into()),
        )
    }

    fn create(p: &str) -> FileChange {
        FileChange::Create { path: path(p), content: "x".into() }
    }

    fn edits(search: &str, replace: &str) -> Vec<Edit> {
        vec![Edit { search: search.into(), replace: replace.into() }]
    }

    fn rename(from: &str, to: &str, edits: Vec<Edit>) -> FileChange {
        FileChange::Rename { path: path(from), to: path(to), edits }
    }

    #[test]
    fn what_must_not_be_touched_is_not() {
        for files in [
            vec![create(".github/workflows/x.yml")],
            vec![create("a.txt")],
            vec![create("x"), create("X")],
            vec![FileChange::Delete { path: path("none") }],
            vec![FileChange::Delete { path: path("bin") }],
            vec![],
            vec![create("x/y"), create("x")],
            vec![rename("none", "b.txt", vec![])],
            vec![rename("bin", "b.txt", vec![])],
            vec![rename("a.txt", "bin", vec![])],
            vec![rename("a.txt", "A.txt", vec![])],
            vec![rename("a.txt", ".github/workflows/x.yml", vec![])],
            vec![rename(".github/workflows/x.yml", "b.txt", vec![])],
            vec![rename("a.txt", "b.txt", edits("three", "3"))],
            vec![rename("a.txt", "b.txt", vec![]), create("b.txt")],
            vec![rename("a.txt", "b.txt", vec![]), FileChange::Delete { path: path("a.txt") }],
            vec![rename("a.txt", "b.txt", vec![]), create("b.txt/c")],
            (0..=MAX_FILES).map(|i| create(&format!("f{i}"))).collect(),
        ] {
            assert!(plan(files.clone()).is_err(), "{:?}", files.first());
        }
    }

    #[test]
    fn a_file_is_moved_with_its_edits_or_without() {
        for (edits, text) in [(vec![], "one\ntwo\ntwo\n"), (edits("one", "1"), "1\ntwo\ntwo\n")] {
            let plan = plan(vec![rename("a.txt", "dir/b.txt", edits)]).unwrap();
            let file = NewFile { content: text.into(), executable: None, from: Some(path("a.txt")) };
            assert_eq!(plan, Plan::from([(path("a.txt"), None), (path("dir/b.txt"), Some(file))]));
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
    fn plans_of_earlier_versions_can_be_read() {
        let old: Plan = serde_json::from_str(r#"{"a":"text","b":null}"#).unwrap();
        assert_eq!(old, Plan::from([(path("a"), Some("text".to_owned().into())), (path("b"), None)]));
        let new = plan(vec![rename("a.txt", "b.txt", vec![])]).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&serde_json::to_string(&new).unwrap()).unwrap(), new);
    }
}
