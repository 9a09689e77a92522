//! A review at a real terminal, of a change that a real program made: decided hunk by hunk, survived, published.

use crate::support::git::git;
use crate::support::program::Home;
use crate::support::terminal::{Setup, Terminal};
use rustix::process::Signal;
use serde_json::json;
use std::path::PathBuf;

/// A home with a report, a repository with a long file, and an agent that changes its first and its last line.
fn home() -> (Home, PathBuf) {
    let home = Home::new();
    let repository = home.path().join("server");
    std::fs::create_dir(&repository).unwrap();
    let middle: String = (0..40).flat_map(|n| ["line_".to_owned(), n.to_string(), " = 0\n".to_owned()]).collect();
    std::fs::write(repository.join("server.py"), format!("first = 1\n{middle}last = 1\n")).unwrap();
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    git(&repository, &["add", "--all"]);
    git(&repository, &["commit", "--quiet", "-m", "Begin"]);
    let agent = "cat > /dev/null; sed -i 's/first = 1/first = 2/; s/last = 1/last = 2/' server.py";
    home.configure(&format!(
        "[draft]\ndrafter = \"command\"\n[command]\nrun = {}\n[[repository]]\nserver = \"*\"\npath = {:?}\n",
        json!(["sh", "-c", agent]),
        repository.to_str().unwrap()
    ));
    home.record(&[super::need("a last that is 2")]);
    (home, repository)
}

fn branches(repository: &std::path::Path) -> String {
    git(repository, &["branch", "--list", "patchwork/*", "--format=%(refname:short)"])
}

#[test]
fn a_review_outlives_a_kill_and_publishes_exactly_what_was_kept() {
    let (home, repository) = home();
    let editor = home.path().join("editor");
    std::fs::write(&editor, "sed -i '1s/.*/Only the last one/' \"$1\"\n").unwrap();
    let editor = format!("sh {}", editor.display());
    let setup = Setup { variables: &[("EDITOR", &editor)], ..Setup::default() };
    let t = Terminal::with(&home, &setup);
    t.wait_for("a last that is 2");
    t.send("d");
    t.wait_for("waits for your review: 3 opens it");
    t.wait_for("1 waits for review");
    t.send("3");
    t.wait_for("+first = 2");
    t.send("n");
    t.wait_for("hunk 1 of 2");
    t.send(" ");
    t.wait_for("1 hunk dropped");
    t.signal(Signal::KILL);
    t.wait_end();
    assert_eq!(branches(&repository), "", "nothing has left");

    let t = Terminal::with(&home, &setup);
    t.wait_for("1 waits for review");
    t.wait_for("review?");
    t.send("3");
    t.wait_for("1 hunk dropped");
    t.send("e");
    t.wait_for("Only the last one");
    t.send("p");
    // Said at the end of the run; that the branch was made is told before.
    t.wait_for("Draft 1 for billing: branch");
    t.send("q");
    t.assert_ended_well();
    let branch = branches(&repository);
    assert_eq!(git(&repository, &["log", "-1", "--format=%s", &branch]), "Only the last one");
    let changed = git(&repository, &["diff", "--unified=0", "main", &branch]);
    let lines: Vec<&str> = changed
        .lines()
        .filter(|l| l.starts_with(['+', '-']) && !l.starts_with("+++") && !l.starts_with("---"))
        .collect();
    assert_eq!(lines, ["-last = 1", "+last = 2"], "{changed}");
}

#[test]
fn a_change_that_nobody_wants_is_gone() {
    let (home, repository) = home();
    let t = Terminal::open(&home);
    t.wait_for("a last that is 2");
    t.send("d");
    t.wait_for("waits for your review: 3 opens it");
    t.send("3");
    t.wait_for("+first = 2");
    t.send("x");
    t.wait_for("Discard this change?");
    t.send("y");
    t.wait_for("was discarded");
    t.send("q");
    t.assert_ended_well();
    assert_eq!(branches(&repository), "");
}
