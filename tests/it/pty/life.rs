//! How it ends, stops and comes back: whatever happens, the terminal is as it was and nothing is lost.

use super::{CTRL_S, home_with};
use crate::support::program::Home;
use crate::support::terminal::{PATIENCE, Setup, Terminal};
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::Instant;

const CTRL_Z: &str = "\x1a";
const ESC: &str = "\x1b";

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

/// A terminal that a killed program has left in the alternate screen keeps what stands there, and a first frame writes no blanks.
#[test]
fn it_begins_on_an_empty_screen_whatever_was_there() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    let entered = String::from_utf8_lossy(&t.seen().bytes).split_once("\x1b[?1049h").unwrap().1.to_owned();
    assert!(entered.starts_with("\x1b[2J"), "{entered:?}");
    t.send("q");
    t.assert_ended_well();
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
    let deadline = Instant::now() + PATIENCE;
    let on_disk =
        || unsaved(&home).iter().any(|f| std::fs::read_to_string(f).is_ok_and(|text| text.contains("\"half a thou\"")));
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

#[test]
fn a_terminal_that_vanishes_takes_the_program_with_it() {
    let home = home_with(&["a need"]);
    let t = Terminal::open(&home);
    t.wait_for("a need");
    let ended = t.vanish();
    let status = ended.recv_timeout(PATIENCE).expect("it goes on without a terminal");
    assert_eq!((status.exit_code(), status.signal()), (0, None));
    // The database is free again.
    let t = Terminal::open(&home);
    t.wait_for("a need");
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
