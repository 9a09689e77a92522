//! The diff that git writes of a work tree is one that `domain::diff` reads, whatever the files and the user's own settings are like.

use crate::support::git::git;
use patchwork::domain::change::{NewFile, Plan, RepoPath};
use patchwork::domain::diff::{Counts, Diff, FileDiff, What};
use patchwork::providers::{GitCache, Remote};
use std::path::Path;

/// Name, text before, text after; `None`: it is not there.
type Case = (&'static str, Option<&'static str>, Option<&'static str>);

const LONG: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n";
const LONG_EDITED: &str = "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\ntwenty";

const CASES: &[Case] = &[
    ("edited.txt", Some(LONG), Some(LONG_EDITED)),
    ("created.txt", None, Some("x\ny")),
    ("empty.txt", None, Some("")),
    ("emptied.txt", Some("x\n"), Some("")),
    ("deleted.txt", Some("gone\n"), None),
    ("crlf.txt", Some("a\r\nb\r\n"), Some("a\r\nB\r\n")),
    ("ends.txt", Some("a\nb"), Some("a\nb\n")),
    ("bom.txt", Some("\u{feff}a\n"), Some("\u{feff}b\n")),
    ("headers.txt", Some("--- a/x\n@@ -1 +1 @@\n"), Some("-- a/x\n++ b/x\ndiff --git a/x b/x\n\\ No newline\n")),
    ("a name b/with blanks.txt", Some("a\n"), Some("b\n")),
    ("say \"hi\".txt", Some("a\n"), Some("b\n")),
    ("ünïcode.txt", Some("ä\n"), Some("ö\n")),
    ("before moved", Some(LONG), None),
    ("after/moved \"too\"", None, Some(LONG_EDITED)),
    ("blank.txt", Some("a\n\n\nb\n"), Some("a\n\n\nc\n")),
];

fn write(root: &Path, name: &str, text: Option<&str>) {
    let path = root.join(name);
    match text {
        Some(text) => {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        // Not there before, or to be deleted now.
        None => drop(std::fs::remove_file(path)),
    }
}

fn text_at(name: &str, of: impl Fn(&Case) -> Option<&'static str>) -> &'static str {
    CASES.iter().find(|case| case.0 == name).and_then(of).unwrap_or("")
}

fn file<'a>(diff: &'a Diff, name: &str) -> &'a FileDiff {
    diff.file(&RepoPath::parse(name).unwrap()).unwrap_or_else(|| panic!("{name} is not in the diff"))
}

#[tokio::test]
async fn what_git_writes_can_be_read_and_applied() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join("repo");
    std::fs::create_dir(&repo).unwrap();
    git(&repo, &["init", "--quiet"]);
    for (name, before, _) in CASES {
        write(&repo, name, *before);
    }
    write(&repo, "run.sh", Some("#!/bin/sh\n"));
    git(&repo, &["add", "--all"]);
    git(&repo, &["commit", "--quiet", "-m", "Before"]);
    let tree = GitCache::new(dir.path().join("cache")).checkout(&Remote::Path(repo), None, "w").await.unwrap();
    let new = |content: &str, executable| NewFile { content: content.into(), executable, from: None };
    let mut plan: Plan = CASES
        .iter()
        .map(|(name, _, after)| (RepoPath::parse(*name).unwrap(), after.map(|text| new(text, None))))
        .collect();
    plan.insert(RepoPath::parse("run.sh").unwrap(), Some(new("#!/bin/sh\n", Some(true))));

    let text = tree.diff(&plan).await.unwrap();
    let diff = Diff::parse(&text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
    assert_eq!(
        diff.files.len(),
        CASES.len() + 1 - 1,
        "every file once, and two of them are one that was renamed:\n{text}"
    );
    for found in diff.files.iter().filter(|f| f.path.as_str() != "run.sh") {
        let place = if let What::Renamed { from } = &found.what { from } else { &found.path };
        let (before, after) = (text_at(place.as_str(), |c| c.1), text_at(found.path.as_str(), |c| c.2));
        assert_eq!(found.apply(before, |_| true).unwrap(), after, "{}", found.path);
        assert_eq!(found.apply(before, |_| false).unwrap(), before, "{}", found.path);
    }
    let moved = file(&diff, "after/moved \"too\"");
    assert_eq!(moved.what, What::Renamed { from: RepoPath::parse("before moved").unwrap() });
    assert_eq!((moved.parts(), moved.counts()), (2, Counts { added: 2, removed: 2 }));
    let first = file(&diff, "edited.txt").apply(LONG, |hunk| hunk == 0).unwrap();
    assert_eq!(first, LONG.replacen("1\n", "one\n", 1));
    assert_eq!(file(&diff, "run.sh").modes, Some((0o100_644, 0o100_755)));
    assert!(matches!(file(&diff, "empty.txt").what, What::Created { .. }) && file(&diff, "empty.txt").parts() == 1);
    tree.remove().await.unwrap();
}
