//! The screen as its user has it: the real binary in a real terminal, keys in, what is on the screen out.

use crate::support::program::Home;
use crate::support::running::until;
use crate::support::tty::{Manner, Tty};
use rustix::process::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const ESC: &str = "\x1b";
const CTRL_S: &str = "\x13";
const CTRL_Z: &str = "\x1a";

fn home_with(needs: &[&str]) -> (Home, Vec<String>) {
    let home = Home::new();
    let reports: Vec<_> = needs
        .iter()
        .map(|need| json!({"what_i_needed": need, "what_i_tried": "t", "server_name": "billing"}))
        .collect();
    let ids = home.record(&reports);
    (home, ids)
}

/// Sends a report as a drop-in does.
fn post(address: &str, need: &str) {
    let body = json!({"what_i_needed": need, "what_i_tried": "everything"}).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/feedback HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn a_report_arrives_is_annotated_and_the_terminal_is_given_back() {
    let home = Home::new();
    let mut tty = Tty::open(&home, 120, 40);
    tty.shows("No reports yet");
    post(&tty.address(), "Export invoices as PDF");
    tty.shows("Export invoices as PDF");
    tty.shows("1 unreviewed of 1");
    tty.types("n");
    tty.shows("─ Note");
    tty.types("use the existing renderer");
    tty.shows("use the existing renderer");
    tty.types(CTRL_S);
    tty.shows("Note saved");
    tty.types("r");
    tty.shows("Nothing left to review");
    tty.types("z");
    tty.shows("1 unreviewed of 1");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    tty.assert_restored();
    let reports = home.json(&["list", "--json"]);
    assert_eq!(reports[0]["notes"][0]["content"], "use the existing renderer");
    assert_eq!(reports[0]["notes"][0]["author"], "ada");
}

#[test]
fn the_filter_follows_every_key_and_esc_takes_it_back() {
    let (home, _) = home_with(&["alpha things", "beta things"]);
    let mut tty = Tty::open(&home, 80, 24);
    tty.shows("alpha things");
    tty.types("/bet");
    tty.no_longer_shows("alpha things");
    tty.shows("beta things");
    tty.types(ESC);
    tty.shows("alpha things");
    tty.types("/gap:missin_tool");
    tty.shows("did you mean `missing_tool`?");
    tty.shows("beta things");
    tty.types("\t\r");
    tty.shows("No report fits the filter");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
}

#[test]
fn asked_to_stop_it_gives_the_terminal_back() {
    for signal in [Signal::TERM, Signal::HUP, Signal::INT] {
        let (home, _) = home_with(&["a need"]);
        let mut tty = Tty::open(&home, 80, 24);
        tty.shows("a need");
        tty.signal(signal);
        assert_eq!(tty.ended(), 0, "{signal:?}");
        tty.assert_restored();
    }
}

#[test]
fn half_a_note_survives_a_kill() {
    let (home, ids) = home_with(&["a need"]);
    let tty = Tty::open(&home, 80, 24);
    tty.shows("a need");
    tty.types("n");
    tty.shows("─ Note");
    tty.types("half a thou");
    let kept = home.path().join("state/unsaved").join(format!("{}.md", ids[0]));
    until("the text is on the disk", || std::fs::read_to_string(&kept).is_ok_and(|text| text == "half a thou"));
    tty.signal(Signal::KILL);
    drop(tty);

    let mut tty = Tty::open(&home, 80, 24);
    tty.shows("✎…");
    tty.types("n");
    tty.shows("half a thou");
    tty.types("ght");
    tty.types(CTRL_S);
    tty.shows("Note saved");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    assert!(!kept.exists());
    assert_eq!(home.json(&["show", &ids[0], "--json"])["notes"][0]["content"], "half a thought");
}

#[test]
fn any_size_at_any_moment() {
    let (home, _) = home_with(&["a need of some length that is shown"]);
    let mut tty = Tty::open(&home, 120, 40);
    tty.shows("reports at");
    tty.resize(40, 10);
    tty.wait("one pane", |screen| !screen.contents().contains("reports at") && screen.contents().contains("a need of"));
    tty.types("\r");
    tty.shows("Needed");
    for (columns, rows) in [(1, 1), (3, 2), (200, 60), (10, 3), (120, 40)] {
        tty.resize(columns, rows);
    }
    tty.shows("reports at");
    tty.shows("Needed");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    tty.assert_restored();
}

#[test]
fn pasted_text_presses_no_keys() {
    let (home, _) = home_with(&["a need"]);
    let mut tty = Tty::open(&home, 80, 24);
    tty.shows("a need");
    tty.types("\x1b[200~rrr dq\x1b[201~");
    tty.shows("Pasted text has no place here");
    tty.shows("1 unreviewed of 1");
    tty.types("n");
    tty.shows("─ Note");
    tty.types("\x1b[200~two\nlines \x1b[31mred\x1b[201~");
    tty.shows("lines");
    tty.types(CTRL_S);
    tty.shows("Note saved");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    let note = home.json(&["list", "--json"])[0]["notes"][0]["content"].as_str().unwrap().to_owned();
    assert!(note.starts_with("two\nlines ") && !note.contains('\x1b'), "{note:?}");
}

#[test]
fn it_can_be_suspended_by_key_and_by_signal() {
    let (home, _) = home_with(&["a need"]);
    let mut tty = Tty::open(&home, 80, 24);
    tty.shows("a need");
    for by_key in [true, false] {
        if by_key {
            tty.types(CTRL_Z);
        } else {
            tty.signal(Signal::TSTP);
        }
        until("the program is stopped", || tty.is_stopped());
        tty.assert_restored();
        tty.signal(Signal::CONT);
        tty.wait("the screen", |screen| screen.alternate_screen() && screen.contents().contains("a need"));
    }
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    tty.assert_restored();
}

/// Sequences that set a colour: 30 to 49, 90 to 107, 38;… and 48;…
fn colours(raw: &str) -> bool {
    let parameters = raw.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        rest[end..].starts_with('m').then(|| &rest[..end])
    });
    parameters
        .flat_map(|p| p.split(';'))
        .filter_map(|p| p.parse::<u8>().ok())
        .any(|p| matches!(p, 30..=38 | 40..=48 | 90..=107))
}

#[test]
fn colours_are_left_out_when_nobody_wants_them() {
    let (home, _) = home_with(&["a need"]);
    for (variables, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut tty = Tty::start(&home, 80, 24, Manner::Dark, variables);
        tty.shows("a need");
        tty.types("q");
        assert_eq!(tty.ended(), 0);
        assert_eq!(colours(&tty.raw()), coloured);
    }
}

#[test]
fn the_theme_comes_from_the_terminal_and_silence_is_no_obstacle() {
    let (home, _) = home_with(&["a need"]);
    let mut screens = Vec::new();
    for manner in [Manner::Dark, Manner::Light, Manner::Silent] {
        let mut tty = Tty::start(&home, 80, 24, manner, &[]);
        tty.shows("a need");
        if manner == Manner::Silent {
            // The answer comes when nobody waits for it any more: it must not be taken for keys.
            tty.types("\x1b]11;rgb:rrrr/1111/qqqq\x1b\\j");
            tty.types("?");
            tty.shows("Moving");
            tty.types("?");
            tty.shows("1 unreviewed of 1");
        }
        tty.types("q");
        assert_eq!(tty.ended(), 0);
        tty.assert_restored();
        // The title's colour: cyan on dark, blue on light.
        screens.push((manner, tty.raw().contains("38;5;6"), tty.raw().contains("38;5;4")));
    }
    assert_eq!(screens, [(Manner::Dark, true, false), (Manner::Light, false, true), (Manner::Silent, true, false)]);
}

#[test]
fn an_idle_screen_sends_nothing() {
    let (home, _) = home_with(&["a need", "another"]);
    let mut tty = Tty::open(&home, 120, 40);
    tty.shows("another");
    assert_eq!(tty.written_when_idle(Duration::from_secs(2)), 0);
    tty.types("q");
    assert_eq!(tty.ended(), 0);
}

#[test]
fn a_note_can_be_written_in_an_editor() {
    let (home, _) = home_with(&["a need"]);
    let script = home.path().join("editor.sh");
    std::fs::write(&script, "echo ready\nread key\nprintf 'pressed %s\\n' \"$key\" > \"$1\"\n").unwrap();
    let editor = format!("sh {}", script.display());
    let mut tty = Tty::start(&home, 80, 24, Manner::Dark, &[("EDITOR", &editor)]);
    tty.shows("a need");
    tty.types("N");
    tty.shows("ready");
    // All of it goes to the editor, none of it to the screen behind.
    tty.types("rqd\r");
    tty.shows("Note saved");
    tty.types("q");
    assert_eq!(tty.ended(), 0);
    tty.assert_restored();
    let report = &home.json(&["list", "--json"])[0];
    assert_eq!((&report["notes"][0]["content"], &report["reviewed"]), (&json!("pressed rqd"), &json!(false)));
}

#[test]
fn a_second_screen_says_who_has_the_database() {
    let (home, _) = home_with(&["a need"]);
    let mut first = Tty::open(&home, 80, 24);
    first.shows("a need");
    let mut second = Tty::start(&home, 80, 24, Manner::Dark, &[]);
    assert_eq!(second.ended(), 4);
    second.shows("is in use by `patchwork tui`");
    second.assert_restored();
    first.types("q");
    assert_eq!(first.ended(), 0);
}
