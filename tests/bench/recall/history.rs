//! Commits that mend something, as questions with known answers.
//!
//! A commit counts when it has one parent, changes 1 to 8 source files that the parent has, and its message says enough. Housekeeping
//! (`chore:`, releases, dependencies, formatting) does not. To look like a report the message loses what a report could not know: the
//! `fix(scope):` in front, links, trailers, issue numbers, and every word that is the path, the file name or the end of a
//! path of a file which the commit changes or adds. Names of functions and types stay, as in reports and issues.

use super::Fallible;
use super::blobs::git;
use std::path::Path;

/// Files that a person writes to change what a program does.
const SOURCE: &[&str] = &[
    "py", "ts", "tsx", "js", "jsx", "mjs", "cjs", "mts", "go", "rs", "java", "kt", "cs", "rb", "php", "swift", "c",
    "h", "cc", "cpp", "hpp", "scala", "ex", "exs", "vue", "svelte",
];
const HOUSEKEEPING: &[&str] = &[
    "chore", "ci", "build", "docs", "doc", "style", "test", "tests", "refactor", "release", "bump", "revert",
    "version", "merge", "lint", "format", "deps", "typo", "rename", "cleanup",
];
const CHANGED: std::ops::RangeInclusive<usize> = 1..=8;
/// Words that are left of a message, and how much of a long one is used.
const MIN_WORDS: usize = 6;
const MAX_BYTES: usize = 4_000;

pub struct Case {
    pub commit: String,
    pub parent: String,
    pub text: String,
    /// Source files that were changed or deleted.
    pub changed: Vec<String>,
}

/// The newest `most` cases of a repository.
pub fn cases(repository: &Path, most: usize, subjects: bool) -> Fallible<Vec<Case>> {
    let format = "--format=%x01%H%x02%P%x02%B%x02";
    let log = git(repository, &["log", "--no-merges", "--no-renames", "--name-status", format, "HEAD"])?;
    let cases = log.split('\u{1}').filter_map(|commit| case(commit, subjects));
    Ok(cases.take(most).collect())
}

fn case(commit: &str, subjects: bool) -> Option<Case> {
    let mut parts = commit.split('\u{2}');
    let (id, parents, message, files) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parents.is_empty() || parents.contains(' ') || is_housekeeping(message) {
        return None;
    }
    let files: Vec<(&str, &str)> = files.lines().filter_map(|line| line.split_once('\t')).collect();
    let sources = files.iter().filter(|(status, path)| *status != "A" && is_source(path));
    let changed: Vec<String> = sources.map(|(_, path)| (*path).to_owned()).collect();
    if !CHANGED.contains(&changed.len()) {
        return None;
    }
    let touched: Vec<&str> = files.iter().map(|(_, path)| *path).collect();
    let text = as_report(message, &touched, subjects);
    let enough = text.split_whitespace().filter(|w| w.chars().any(char::is_alphabetic)).count() >= MIN_WORDS;
    enough.then(|| Case { commit: id.to_owned(), parent: parents.to_owned(), text, changed })
}

fn is_housekeeping(message: &str) -> bool {
    let subject = message.lines().next().unwrap_or_default().trim_start_matches(|c: char| !c.is_alphanumeric());
    let first = subject.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_lowercase();
    HOUSEKEEPING.contains(&first.as_str()) || subject.to_lowercase().contains("(deps")
}

fn is_source(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| SOURCE.contains(&extension))
}

/// By the names that the languages' own tools look for.
pub fn is_test(path: &str) -> bool {
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    let in_tests = directories.split('/').any(|d| ["test", "tests", "__tests__", "e2e", "evals"].contains(&d));
    let stem = name.split('.').next().unwrap_or(name);
    in_tests
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || name.contains(".test.")
        || name.contains(".spec.")
}

fn as_report(message: &str, touched: &[&str], subjects: bool) -> String {
    let mut lines = message.trim().lines();
    let subject = without_prefix(lines.next().unwrap_or_default());
    let body = lines.filter(|line| !is_trailer(line)).take_while(|_| !subjects);
    let mut out = String::new();
    for line in std::iter::once(subject).chain(body) {
        let words: Vec<&str> = line.split_whitespace().filter(|word| may_stay(word, touched)).collect();
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out.truncate(out.floor_char_boundary(MAX_BYTES));
    out.trim().to_owned()
}

/// `fix(scope)!: subject` without what stands before the subject.
fn without_prefix(subject: &str) -> &str {
    match subject.split_once(':') {
        Some((kind, rest)) if kind.len() <= 40 && !kind.trim().contains(' ') => rest.trim_start(),
        Some(_) | None => subject,
    }
}

fn is_trailer(line: &str) -> bool {
    let ends = ["co-authored-by:", "signed-off-by:", "reviewed-by:", "github-issue:", "reported-by:", "change-id:"];
    let lower = line.trim().to_lowercase();
    ends.iter().any(|end| lower.starts_with(end)) || lower.starts_with("🤖")
}

/// False for links, issue numbers, and words that give a touched file away.
fn may_stay(word: &str, touched: &[&str]) -> bool {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric() && !"_/".contains(c));
    let bare = bare.split(':').next().unwrap_or(bare);
    if word.contains("://") || (word.contains('#') && word.chars().any(|c| c.is_ascii_digit())) {
        return false;
    }
    let dotted = bare.contains('.') || bare.contains('/');
    // `a/b.py`, `b.py`, `a/b`, and the module `a.b`.
    let gives_away = |path: &str| {
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let ends = |whole: &str, end: &str| whole == end || whole.ends_with(&format!("/{end}"));
        ends(path, bare) || ends(stem, bare) || ends(stem, &bare.replace('.', "/")) || bare.ends_with(path)
    };
    !(dotted && touched.iter().any(|path| gives_away(path)))
}
