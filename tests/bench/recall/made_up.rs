//! A small repository with a history, for when none is given: each commit mends one of its modules and says so in prose.

use super::Fallible;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// A module, what its function is called, and how somebody speaks of what is wrong with it.
const MODULES: [(&str, &str, &str); 6] = [
    ("ledger", "book_refund", "Refunds of a partly paid invoice are booked twice when the customer pays the rest"),
    ("export", "write_spreadsheet", "A spreadsheet with an umlaut in a heading can not be opened by other programs"),
    ("auth", "renew_token", "An expired token is renewed only after the first request was refused"),
    ("calendar", "list_events", "Listing the events of a day misses those that begin before midnight"),
    ("weather", "forecast", "The forecast for a place near the date line is that of its antipode"),
    ("search", "find_documents", "Documents with a hyphen in their title are never found by their title"),
];

pub fn repository() -> Fallible<TempDir> {
    let dir = tempfile::tempdir()?;
    git(dir.path(), &["init", "--quiet"])?;
    for (module, function, prose) in MODULES {
        let test =
            format!("from src.{module} import {function}\n\n\ndef test_it():\n    assert {function}(1) is None\n");
        put(dir.path(), &format!("src/{module}.py"), &source(function, prose, ""))?;
        put(dir.path(), &format!("tests/test_{module}.py"), &test)?;
    }
    for filler in 0..40 {
        put(dir.path(), &format!("src/plugins/plugin_{filler}.py"), "def run(value):\n    return value\n")?;
    }
    commit(dir.path(), "Begin")?;
    for (module, function, prose) in MODULES {
        put(dir.path(), &format!("src/{module}.py"), &source(function, prose, "    value += 1\n"))?;
        commit(dir.path(), &format!("fix({module}): {prose}\n\nChanged in src/{module}.py."))?;
    }
    Ok(dir)
}

/// Speaks of its subject in a comment, as people do.
fn source(function: &str, prose: &str, mended: &str) -> String {
    let words: Vec<&str> = prose.split(' ').filter(|word| word.len() > 4).collect();
    format!("def {function}(value):\n    # {}\n{mended}    return None\n", words.join(", "))
}

fn put(dir: &Path, path: &str, text: &str) -> Fallible<()> {
    let path = dir.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::write(path, text)?)
}

fn commit(dir: &Path, message: &str) -> Fallible<()> {
    git(dir, &["add", "--all"])?;
    git(dir, &["commit", "--quiet", "-m", message])
}

fn git(dir: &Path, arguments: &[&str]) -> Fallible<()> {
    let author = ["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").current_dir(dir).args(author).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(format!("git {arguments:?} failed").into()) }
}
