//! `publish` and `discard`, and what `draft` asks at a terminal: nothing is published before somebody says so.

use super::draft::{Bench, EDIT};
use crate::support::terminal::{Setup, Terminal};
use serde_json::Value;

/// A draft that waits; its id.
fn waiting(bench: &Bench) -> String {
    let ran = bench.draft(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{ran:?}");
    assert!(
        ran.stderr.contains("waits for your review") && ran.stderr.contains("patchwork publish "),
        "{}",
        ran.stderr
    );
    assert_eq!(bench.branches(), ["main"], "nothing is published");
    let drafts = bench.home.json(&["drafts", "--json"]);
    assert_eq!(drafts[0]["state"], "waiting");
    drafts[0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_change_waits_and_is_published_with_what_was_decided() {
    let bench = Bench::attended(EDIT);
    let draft = waiting(&bench);
    let listed = bench.home.ok(&["drafts"]);
    assert!(listed.contains("waiting"), "{listed}");
    let shown = bench.home.ok(&["drafts", &draft]);
    assert!(shown.contains("for your review") && shown.contains("+def search_costs(query, since=None)"), "{shown}");

    let body = bench.home.path().join("body.md");
    std::fs::write(&body, "Because dates matter.\n").unwrap();
    let arguments = [
        "publish",
        &draft,
        "--title",
        "Search by date",
        "--body",
        body.to_str().unwrap(),
        "--drop",
        "src/test_server.py",
        "--json",
    ];
    let ran = bench.home.run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let run: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&run["draft"]["state"], &run["choices"]["title"]), (&"published".into(), &"Search by date".into()));
    let branch = run["draft"]["published"]["branch"].as_str().unwrap();
    assert_eq!(bench.git(&["log", "-1", "--format=%s", branch]), "Search by date");
    let message = bench.git(&["log", "-1", "--format=%b", branch]);
    assert!(message.starts_with("Because dates matter.\n\nAn agent reported: "), "{message}");
    assert_eq!(run["choices"]["summary"], "Because dates matter.");
    assert_eq!(
        bench.git(&["diff", "--name-status", "main", branch]),
        "M\tsrc/server.py",
        "what was dropped is not there"
    );

    let again = bench.home.run(&["publish", &draft]);
    assert_eq!(again.code, Some(4), "{again:?}");
    let discard = bench.home.run(&["discard", &draft]);
    assert!(discard.code == Some(4) && discard.stderr.contains("does not wait"), "{discard:?}");
}

#[test]
fn a_report_stands_for_its_draft_that_waits() {
    let bench = Bench::attended(EDIT);
    let none = bench.home.run(&["publish", &bench.report]);
    assert!(none.code == Some(4) && none.stderr.contains("no draft of this report waits"), "{none:?}");
    waiting(&bench);
    let discarded = bench.home.run(&["discard", &bench.report[..8]]);
    assert!(discarded.code == Some(0) && discarded.stdout.starts_with("discarded "), "{discarded:?}");
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "cancelled");
    let draft = waiting(&bench);
    let ran = bench.home.run(&["discard", &draft[draft.len() - 8..], "--json"]);
    let run: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(run["draft"]["state"], "cancelled");
    assert_eq!(bench.branches(), ["main"]);
    for command in ["publish", "discard"] {
        assert_eq!(bench.home.run(&[command, "nobody"]).code, Some(3));
    }
}

#[test]
fn what_can_not_be_dropped_is_named() {
    let bench = Bench::attended(EDIT);
    let draft = waiting(&bench);
    for (drop, said) in [
        ("src/nothing.py", "it has src/server.py, src/test_server.py"),
        ("src/server.py:2", "has 1 hunk, and no `2`"),
        ("src/server.py:0", "has 1 hunk, and no `0`"),
        ("src/server.py:x", "no `x`"),
    ] {
        let ran = bench.home.run(&["publish", &draft, "--drop", drop]);
        assert!(ran.code == Some(2) && ran.stderr.contains(said), "{drop}: {ran:?}");
    }
    let all = bench.home.run(&["publish", &draft, "--drop", "src/server.py:1", "--drop", "src/test_server.py"]);
    assert!(all.code == Some(2) && all.stderr.contains("leaves nothing to publish"), "{all:?}");
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "waiting", "and nothing has happened");
}

#[test]
fn only_what_happens_now_is_printed() {
    let bench = Bench::attended(EDIT);
    let draft = waiting(&bench);
    // A branch of that name leaves no room for others below it.
    bench.git(&["branch", "patchwork", "main"]);
    let failed = bench.home.run(&["publish", &draft]);
    assert!(failed.code == Some(1) && failed.stderr.contains("the change still waits"), "{failed:?}");
    bench.git(&["branch", "-D", "patchwork"]);
    let ran = bench.home.run(&["publish", &draft, "--title", "Another title"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().map(str::trim).collect();
    let begins: Vec<&str> = lines.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(begins, ["5/5", "Committed", "Made"], "{}", ran.stderr);
}

#[test]
fn a_red_change_is_said_to_be_red_with_the_words_that_publish_it() {
    let bench = Bench::attended(EDIT);
    let file = bench.home.path().join("config/config.toml");
    let settings = std::fs::read_to_string(&file).unwrap().replace("[command]", "verify_rounds = 0\n[command]");
    std::fs::write(file, format!("{settings}verify = \"exit 3\"\n")).unwrap();
    let draft = waiting(&bench);
    let ran = bench.home.run(&["publish", &draft]);
    assert!(ran.code == Some(4) && ran.stderr.contains("--despite-failure"), "{ran:?}");
    let again = bench.draft(&["--again"]);
    let id = bench.home.json(&["drafts", "--json"])[0]["id"].as_str().unwrap().to_owned();
    let publish = format!("`patchwork publish {} --despite-failure`", &id[id.len() - 8..]);
    assert!(again.stderr.contains("`verify` failed for it") && again.stderr.contains(&publish), "{again:?}");
    assert!(bench.home.ok(&["drafts"]).contains("verify failed  "), "the list says so, too");
    assert!(bench.home.ok(&["drafts", &id]).contains("`patchwork publish --despite-failure`"));
    assert_eq!(bench.home.run(&["publish", &id, "--despite-failure"]).code, Some(0));
}

/// `patchwork draft` at a terminal, up to its question.
fn asked(bench: &Bench) -> Terminal {
    let script = format!("exec \"$PATCHWORK\" draft {}", bench.report);
    let terminal = Terminal::start(&bench.home, &Setup { script: Some(&script), ..Setup::default() });
    terminal.wait_for("Publish this? [y]es");
    terminal
}

#[test]
fn at_a_terminal_it_is_asked_for() {
    let bench = Bench::attended(EDIT);
    let t = asked(&bench);
    assert!(t.text().contains("+def search_costs(query, since=None)"), "{}", t.text());
    assert!(t.text().contains("a local branch, made from main"), "{}", t.text());
    assert!(String::from_utf8_lossy(&t.seen().bytes).contains("\u{1b}[32m+def"), "in colour");
    assert_eq!(bench.branches(), ["main"]);
    // Anything else is asked again.
    t.send("what\r");
    t.wait_until("asked again", |seen| seen.text().matches("Publish this?").count() == 2);
    t.send("l\r");
    assert_eq!(t.wait_end().exit_code(), 0, "{}", t.text());
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "waiting");
    assert!(bench.home.ok(&["discard", &bench.report]).starts_with("discarded "));

    let t = asked(&bench);
    t.send("n\r");
    assert_eq!(t.wait_end().exit_code(), 0, "{}", t.text());
    assert_eq!(bench.home.json(&["drafts", "--json"])[0]["state"], "cancelled");

    let t = asked(&bench);
    // The end of what is typed is no answer.
    t.send("\x04");
    assert_eq!(t.wait_end().exit_code(), 0, "{}", t.text());
    t.wait_for("waits for your review");
    assert!(bench.home.ok(&["discard", &bench.report]).starts_with("discarded "));

    let t = asked(&bench);
    t.send("y\r");
    assert_eq!(t.wait_end().exit_code(), 0, "{}", t.text());
    t.wait_for("commit ");
    assert_eq!(bench.branches().len(), 2);
}
