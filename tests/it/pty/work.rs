//! A working day: from a report to a note, to a draft, to a commit.

use super::{CTRL_S, home_with, need};
use crate::support::git::git;
use crate::support::program::Home;
use crate::support::terminal::{Seen, Setup, Terminal};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_report_arrives_live_is_noted_filtered_reviewed_and_quit_leaves_no_trace() {
    let home = Home::new();
    let t = Terminal::open(&home);
    t.assert_taken();
    t.wait_for("No reports yet");
    t.report(&need("Search costs by customer"));
    t.wait_for("Search costs by customer");
    t.report(&need("Export as PDF"));
    t.wait_for("2 unreviewed of 2");
    t.send("g");
    t.send("n");
    t.wait_for("─ Note");
    t.send("There is q library for that: weasyprint");
    t.wait_for("weasyprint");
    t.send(CTRL_S);
    t.wait_for("Note saved");
    t.wait_for("✎ Note by ada, now");
    t.send("/costs");
    t.wait_for("/ costs");
    t.send("\r");
    t.wait_for("costs is:unreviewed");
    t.wait_gone("Export as PDF");
    t.send("r");
    t.wait_for("No report fits the filter");
    t.wait_for("1 unreviewed of 2");
    t.send("z");
    t.wait_for("Search costs by customer");
    t.send("q");
    t.assert_ended_well();
    let noted = home.json(&["list", "has:notes", "--json"]);
    assert_eq!(noted[0]["notes"][0]["content"], "There is q library for that: weasyprint");
}

/// A program of its own in the home.
fn script(home: &Home, name: &str, text: &str) -> String {
    let path = home.path().join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_users_own_editor_has_the_terminal_to_itself() {
    let home = home_with(&["a need"]);
    let editor = script(
        &home,
        "editor",
        "#!/bin/sh\nstty -a > \"$HOME/modes\"\necho 'the editor is here'\nread -r line\nprintf 'typed: %s\\n# left out\\n' \"$line\" > \"$1\"\n",
    );
    let t = Terminal::with(&home, &Setup { variables: &[("EDITOR", &editor)], ..Setup::default() });
    t.wait_for("a need");
    t.send("N");
    t.wait_for("the editor is here");
    assert!(!t.seen().screen().alternate_screen());
    t.send("jjqr\r");
    t.wait_for("Note saved");
    t.wait_for("typed: jjqr");
    t.assert_taken();
    let modes = std::fs::read_to_string(home.path().join("modes")).unwrap();
    assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn an_editor_that_fails_is_a_sentence() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("a need");
    t.send("N");
    t.wait_for("no editor is set");
    t.send("q");
    t.assert_ended_well();
    let t = Terminal::with(&home, &Setup { variables: &[("EDITOR", "false")], ..Setup::default() });
    t.wait_for("a need");
    t.send("N");
    t.wait_for("no note was added");
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn a_link_and_a_text_are_copied_through_the_terminal() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("everything");
    t.send("y");
    t.wait_for("Copied the report");
    let written = String::from_utf8_lossy(&t.seen().bytes).into_owned();
    // "Needed: a need\n\nTried: everything"
    assert!(written.contains("\x1b]52;c;TmVlZGVkOiBhIG5lZWQKClRyaWVkOiBldmVyeXRoaW5n"), "OSC 52");
    t.send("q");
    t.assert_ended_well();
}

/// From `d` to a commit on a branch, with the progress to be seen on the way.
#[test]
fn a_draft_is_started_watched_and_found_in_the_repository() {
    let home = Home::new();
    let repository = home.path().join("server");
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(repository.join("server.py"), "def list_costs():\n    return []\n").unwrap();
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    git(&repository, &["add", "--all"]);
    git(&repository, &["commit", "--quiet", "-m", "Begin"]);
    let agent = script(
        &home,
        "agent",
        "#!/bin/sh\ncat > /dev/null\necho 'reading the code'\necho 'def search_costs(query):' >> server.py\necho '    return []' >> server.py\n",
    );
    home.configure(&format!(
        "[draft]\ndrafter = \"command\"\nconfirm = false\ntarget = \"local\"\n[command]\nrun = [{agent:?}]\n[[repository]]\nserver = \"*\"\npath = {:?}\n",
        repository.to_str().unwrap()
    ));
    home.record(&[need("search_costs(query)")]);
    let t = Terminal::open(&home);
    t.wait_for("search_costs(query)");
    t.send("d");
    t.wait_for("✓ publish");
    t.wait_for("patchwork/close-a-reported-gap");
    t.send("3");
    t.wait_for("Draft 1 for billing: command");
    t.send("\rG");
    t.wait_for("reading the code");
    t.send("q");
    t.assert_ended_well();
    let branches = git(&repository, &["branch", "--list", "patchwork/*", "--format=%(refname:short)"]);
    assert_eq!(branches.lines().count(), 1);
    assert!(git(&repository, &["show", &format!("{branches}:server.py")]).contains("def search_costs(query):"));
}

#[test]
fn a_key_typed_on_the_screen_is_in_its_file_and_nowhere_else() {
    const KEY: &str = "sk-ant-CANARY-4711";
    let home = home_with(&["a need"]);
    let t = Terminal::with(&home, &Setup { size: (120, 60), ..Setup::default() });
    t.wait_for("a need");
    t.send("5");
    t.wait_for("Repositories");
    let selected = |seen: &Seen| seen.text().contains("│ ANTHROPIC_API_KEY");
    // Down to the key, however many settings stand above it.
    for _ in 0..60 {
        t.send("j");
        t.settle();
        if selected(&t.seen()) {
            break;
        }
    }
    t.wait_until("the cursor is on the key", selected);
    t.send("\r");
    t.wait_for("enter save");
    t.send(KEY);
    t.wait_for(&"•".repeat(KEY.len()));
    t.send("\r");
    t.wait_for("ANTHROPIC_API_KEY is saved");
    t.wait_for("****4711");
    t.send("\r");
    t.wait_for("enter save");
    t.send(format!("\x1b[200~{KEY}\x1b[201~"));
    t.wait_for(&"•".repeat(KEY.len()));
    t.send("\x03");
    t.assert_ended_well();
    assert!(!String::from_utf8_lossy(&t.seen().bytes).contains("CANARY"));
    let secrets = home.path().join("config/secrets.env");
    assert_eq!(std::fs::read_to_string(&secrets).unwrap(), format!("ANTHROPIC_API_KEY=\"{KEY}\"\n"));
    assert_eq!(std::fs::metadata(&secrets).unwrap().permissions().mode() & 0o777, 0o600);
    let mut looked_at = 0;
    let mut dirs = vec![home.path().to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path != secrets {
                let bytes = std::fs::read(&path).unwrap();
                assert!(!bytes.windows(6).any(|w| w == b"CANARY"), "{}", path.display());
                looked_at += 1;
            }
        }
    }
    assert!(looked_at >= 2, "the database and the log");
}
