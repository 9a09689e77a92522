//! A run that is looked at while it works: what streams in is seen on every screen, and a change is offered when there is one.

use super::screens::drafts;
use super::settings::settings;
use crate::support::desk::{Desk, Sitting, ranked};
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::tui::message::Msg;
use serde_json::json;

/// A run with everything on its page: files to choose from, and a log from its earlier stages.
fn running(w: u16, h: u16) -> Sitting {
    let mut desk = Desk::default();
    let report = desk.report(5, json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "billing"}));
    let id = desk.run(&report, 1, DraftState::Running { stage: Stage::Model });
    let run = desk.run_mut(&id);
    run.files = (0..12).map(|n| ranked(&format!("src/file_{n}.py"), 3.0, &["invoice", "pdf"], 900)).collect();
    run.log = "a line of the log\n".repeat(30);
    let mut s = Sitting::begin(w, h, desk);
    s.keys("3 enter");
    let tail: Vec<String> = (0..10).map(|n| format!("streamed {n}")).collect();
    s.progress(&id, 4_096, &tail.join("\n"));
    s
}

#[test]
fn what_streams_in_is_seen_at_every_size() {
    for (w, h) in [(40, 12), (80, 24), (120, 40)] {
        let mut s = running(w, h);
        for n in 4..10 {
            assert!(s.scene.shows(&format!("streamed {n}")), "{w}×{h}:\n{}", s.scene.text());
        }
        s.keys("g");
        assert!(s.scene.shows("✓ Check out the repository"), "{w}×{h}:\n{}", s.scene.text());
    }
}

#[test]
fn a_change_is_offered_when_there_is_one() {
    for (keys, said) in [("enter", "There is no change yet"), ("j enter", "left no change")] {
        let mut s = drafts(120, 40);
        s.keys(keys);
        assert!(!s.scene.footer().contains("v change"), "{}", s.scene.footer());
        let before = s.scene.lines();
        s.keys("v");
        assert!(s.scene.footer().contains(said), "{}", s.scene.text());
        assert_eq!(s.scene.lines()[..39], before[..39], "the page stays");
    }
    let mut s = drafts(120, 40);
    s.keys("G enter");
    assert!(s.scene.footer().contains("v change"), "{}", s.scene.footer());
}

#[test]
fn what_is_left_below_is_told() {
    let mut s = running(40, 12);
    assert!(!s.scene.shows("more ↓"), "it follows the end:\n{}", s.scene.text());
    s.keys("g");
    assert!(s.scene.shows("more ↓"), "{}", s.scene.text());
    for (keys, h) in [("5 l", 7), ("3 G enter", 12)] {
        let mut s = if keys.starts_with('5') { settings(40, h) } else { drafts(40, h) };
        s.keys(keys);
        assert!(s.scene.shows("more ↓"), "{keys}:\n{}", s.scene.text());
        s.keys("G");
        assert!(!s.scene.shows("more ↓"), "{keys}:\n{}", s.scene.text());
    }
}

#[test]
fn pasted_text_is_refused_with_keys_that_are_there() {
    for (keys, told) in [("", true), ("3", false), ("3 G enter v", false), ("4", false), ("5", false), ("?", false)] {
        let mut s = drafts(120, 40);
        s.keys("1").keys(keys);
        s.send(Msg::Paste("text".into()));
        assert!(s.scene.shows("Pasted text has no place here"), "{keys}: {}", s.scene.text());
        assert_eq!(s.scene.shows("writes a note"), told, "{keys}: {}", s.scene.text());
    }
}
