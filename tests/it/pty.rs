//! The screen of the real binary in a real terminal: what a person sees, and what is left when it ends.

use crate::support::git::git;
use crate::support::program::Home;
use crate::support::terminal::{Background, Setup, Terminal};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn need(text: &str) -> Value {
    json!({"what_i_needed": text, "what_i_tried": "everything", "server_name": "billing", "gap_type": "missing_tool"})
}

/// A home with these reports, the last one newest.
fn home_with(needs: &[&str]) -> Home {
    let home = Home::new();
    let reports: Vec<Value> = needs.iter().map(|text| need(text)).collect();
    home.record(&reports);
    home
}

const CTRL_S: &str = "\x13";
const CTRL_Z: &str = "\x1a";
const ESC: &str = "\x1b";
const DOWN: &str = "\x1b[B";

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

#[test]
fn arrow_keys_move_and_the_mouse_selects() {
    let home = home_with(&["first", "second", "third"]);
    let t = Terminal::open(&home);
    t.wait_for("third");
    t.send(DOWN);
    // The report beside the list has its text a second time.
    let shown =
        |text: &'static str| move |seen: &crate::support::terminal::Seen| seen.text().matches(text).count() == 2;
    t.wait_until("second is selected", shown("second"));
    t.send("j");
    t.wait_until("first is selected", shown("first"));
    // A click on the third line of the screen, as SGR reports it.
    t.send("\x1b[<0;10;3M\x1b[<0;10;3m");
    t.wait_until("third is selected", shown("third"));
    t.send("\x1b[<65;10;3M");
    t.wait_until("the wheel moves", shown("first"));
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn asked_to_stop_it_ends_well_and_gives_the_terminal_back() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let home = home_with(&["a need"]);
        let t = Terminal::open(&home);
        t.wait_for("a need");
        t.assert_taken();
        t.signal(signal);
        t.assert_ended_well();
    }
}

#[test]
fn ctrl_c_ends_it_from_anywhere() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("a need");
    t.send("n");
    t.wait_for("─ Note");
    t.send("half");
    t.send("\x03");
    t.assert_ended_well();
    let t = Terminal::open(&home);
    t.wait_for("✎…");
    t.send("q");
    t.assert_ended_well();
}

/// The files of half-typed notes.
fn unsaved(home: &Home) -> Vec<PathBuf> {
    let dir = home.path().join("state/unsaved");
    std::fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn killed_while_a_note_is_half_typed_the_text_is_there_after_the_next_start() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("a need");
    t.send("n");
    t.wait_for("─ Note");
    t.send("half a thou");
    t.wait_for("half a thou");
    let deadline = Instant::now() + Duration::from_secs(30);
    let on_disk = || unsaved(&home).iter().any(|f| std::fs::read_to_string(f).is_ok_and(|text| text == "half a thou"));
    while !on_disk() {
        assert!(Instant::now() < deadline, "the text is not on disk: {:?}", unsaved(&home));
        std::thread::yield_now();
    }
    t.signal(Signal::KILL);
    assert_ne!(t.wait_end().exit_code(), 0);
    let t = Terminal::open(&home);
    t.wait_for("✎…");
    t.send("n");
    t.wait_for("half a thou");
    t.send("ght");
    t.send(CTRL_S);
    t.wait_for("Note saved");
    t.send("q");
    t.assert_ended_well();
    assert_eq!(home.json(&["list", "--json"])[0]["notes"][0]["content"], "half a thought");
    assert_eq!(unsaved(&home), Vec::<PathBuf>::new());
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("Patchwork  1 Inbox");
    t.wait_for("everything");
    t.resize(40, 10);
    t.wait_gone("Patchwork");
    t.wait_gone("everything");
    t.wait_for("a need");
    t.resize(120, 40);
    t.wait_for("Patchwork  1 Inbox");
    t.wait_for("│ everything");
    t.resize(1, 1);
    t.resize(80, 24);
    t.wait_gone("│ everything");
    t.wait_for("everything");
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn a_paste_presses_no_key() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::open(&home);
    t.wait_for("another");
    t.send("\x1b[200~rrr qqq dD\r/x 3\x03\x1b[201~");
    t.wait_for("Pasted text has no place here");
    t.settle();
    assert!(t.text().contains("2 unreviewed of 2") && t.text().contains("is:unreviewed"), "{}", t.text());
    t.send("n");
    t.wait_for("─ Note");
    t.send("\x1b[200~two\rlines \x1b[31mred\x1b[201~");
    t.wait_for("�[31mred");
    t.send(CTRL_S);
    t.wait_for("Note saved");
    t.send("q");
    t.assert_ended_well();
}

/// A shell with job control, as people start programs from.
const SHELL: &str =
    "set -m\n\"$PATCHWORK\"\necho \"stopped with $?\"\nread -r line\nfg > /dev/null\necho \"ended with $?\"\n";

#[test]
fn suspended_it_gives_the_terminal_back_and_resumed_it_paints_itself_anew() {
    let home = home_with(&["a need"]);
    let t = Terminal::with(&home, &Setup { script: Some(SHELL), ..Setup::default() });
    t.wait_for("a need");
    t.assert_taken();
    t.send(CTRL_Z);
    t.wait_for("stopped with");
    t.wait_restored();
    t.send("\r");
    t.wait_for("a need");
    t.assert_taken();
    t.send("n");
    t.wait_for("─ Note");
    t.send(ESC);
    t.wait_gone("─ Note");
    t.send("q");
    t.wait_for("ended with 0");
    t.assert_ended_well();
}

/// Parameters of every SGR sequence that was written.
fn graphics(bytes: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(bytes);
    let sequences = text.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';' && c != ':')?;
        rest[end..].starts_with('m').then(|| rest[..end].to_owned())
    });
    sequences.flat_map(|parameters| parameters.split(';').map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn is_colour(parameter: &str) -> bool {
    // Back to the terminal's own colour is none.
    matches!(parameter.parse(), Ok(30..=38 | 40..=48 | 58 | 90..=107))
}

#[test]
fn no_color_means_no_colour_and_the_cursor_is_seen_all_the_same() {
    let home = home_with(&["a need", "another"]);
    for (variables, coloured) in [(&[("NO_COLOR", "1")][..], false), (&[("NO_COLOR", "")][..], true)] {
        let t = Terminal::with(&home, &Setup { variables, ..Setup::default() });
        t.wait_for("another");
        t.wait_for("everything");
        let seen = t.seen();
        let used = graphics(&seen.bytes);
        assert_eq!(used.iter().any(|p| is_colour(p)), coloured, "{used:?}");
        let cell = seen.screen().cell(2, 10).unwrap();
        let other = seen.screen().cell(3, 10).unwrap();
        assert!(cell.inverse() && !other.inverse(), "the line under the cursor stands out");
        drop(seen);
        t.send("q");
        t.assert_ended_well();
    }
}

/// The colours of everything on the screen.
fn colours(t: &Terminal) -> Vec<(String, vt100::Color)> {
    let seen = t.seen();
    let (rows, cols) = seen.screen().size();
    let cells = (0..rows.get()).flat_map(|y| (0..cols.get()).map(move |x| (y, x)));
    let cells = cells.filter_map(|(y, x)| seen.screen().cell(y, x)).filter(|cell| cell.has_contents());
    // The port is another one every time.
    let cells = cells.filter(|cell| !cell.contents().chars().all(|c| c.is_ascii_digit()));
    cells.map(|cell| (cell.contents().to_owned(), cell.fgcolor())).collect()
}

#[test]
fn the_theme_is_for_the_background_that_the_terminal_says_it_has() {
    let home = home_with(&["a need"]);
    let look = |background, config: &str| {
        home.configure(config);
        let t = Terminal::with(&home, &Setup { background, ..Setup::default() });
        t.wait_for("everything");
        let colours = colours(&t);
        t.send("q");
        t.assert_ended_well();
        colours
    };
    let dark = look(Background::Dark, "");
    assert_ne!(dark, look(Background::Light, ""));
    assert_eq!(dark, look(Background::Unknown, ""), "a terminal that does not say is taken for dark");
    assert_eq!(dark, look(Background::Silent, ""), "so is one that says nothing at all");
    assert_eq!(dark, look(Background::Light, "[ui]\ntheme = \"dark\"\n"), "the settings know best");
}

#[test]
fn an_answer_that_comes_late_presses_no_key() {
    for (background, late) in [
        (Background::Silent, "\x1b]11;rgb:1111/rr33/zz33\x1b\\\x1b[?62;22c"),
        (Background::Silent, "\x1b]11;rgb:1111/3333/3333\x07"),
        (Background::Half, "r3/zz33\x1b\\\x1b[?62;22c"),
    ] {
        let home = home_with(&["a need", "another"]);
        let t = Terminal::with(&home, &Setup { background, ..Setup::default() });
        t.wait_for("another");
        t.send(late);
        t.settle();
        let text = t.text();
        assert!(
            text.contains("2 unreviewed of 2") && text.contains("is:unreviewed"),
            "{background:?} {late:?}\n{text}"
        );
        assert!(!text.contains("Nothing to undo"), "{text}");
        t.send("q");
        t.assert_ended_well();
    }
}

#[test]
fn what_is_typed_before_the_screen_is_there_is_not_lost() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::start(&home, &Setup { background: Background::Silent, ..Setup::default() });
    t.send("r");
    t.wait_for("1 unreviewed of 2");
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn an_idle_screen_writes_nothing() {
    let home = home_with(&["a need", "another"]);
    let t = Terminal::open(&home);
    t.wait_for("everything");
    t.send("j");
    assert_eq!(t.idle_bytes(Duration::from_millis(1_500)), 0);
    let before = t.seen().bytes.len();
    t.send("k");
    t.wait_until("the cursor moved", |seen| seen.bytes.len() > before && seen.text().matches("another").count() == 2);
    t.idle_bytes(Duration::from_millis(100));
    let moved = t.seen().bytes.len() - before;
    assert!(moved < 2_000, "a cursor move took {moved} bytes");
    t.send("q");
    t.assert_ended_well();
}

#[test]
fn a_terminal_that_vanishes_takes_the_program_with_it() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("a need");
    let ended = t.vanish();
    let status = ended.recv_timeout(Duration::from_secs(30)).expect("it goes on without a terminal");
    assert_eq!(status.exit_code(), 0);
    // The database is free again.
    let t = Terminal::open(&home);
    t.wait_for("a need");
    t.send("q");
    t.assert_ended_well();
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
fn a_port_that_is_taken_and_a_database_that_is_in_use_are_said() {
    let home = home_with(&["a need"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let t = Terminal::with(&home, &Setup { variables: &[("FEEDBACK_PORT", &port)], ..Setup::default() });
    t.wait_for("not taking reports");
    t.wait_for("a need");
    let second = Terminal::start(&home, &Setup::default());
    second.wait_for("process");
    assert_ne!(second.wait_end().exit_code(), 0);
    assert!(!second.seen().screen().alternate_screen(), "said where it can be read later");
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
        "[draft]\ndrafter = \"command\"\ntarget = \"local\"\n[command]\nrun = [{agent:?}]\n[[repository]]\nserver = \"*\"\npath = {:?}\n",
        repository.to_str().unwrap()
    ));
    home.record(&[need("search_costs(query)")]);
    let t = Terminal::open(&home);
    t.wait_for("search_costs(query)");
    t.send("d");
    t.wait_for("branch patchwork/");
    t.send("3");
    t.wait_for("Draft 1 for billing");
    t.wait_for("✓");
    t.send("\rG");
    t.wait_for("reading the code");
    t.send("q");
    t.assert_ended_well();
    let branches = git(&repository, &["branch", "--list", "patchwork/*", "--format=%(refname:short)"]);
    assert_eq!(branches.lines().count(), 1);
    assert!(git(&repository, &["show", &format!("{branches}:server.py")]).contains("def search_costs(query):"));
}
