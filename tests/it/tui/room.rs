//! A screen that grows, and a list that gets shorter: no room stays empty while rows are hidden above.

use crate::support::desk::{Desk, Sitting, published};
use patchwork::domain::draft::DraftState;
use patchwork::domain::review::Proposal;
use patchwork::domain::server::{Reports, Server};
use patchwork::domain::time::Millis;
use patchwork::tui::message::{Answer, Msg};
use serde_json::json;
use std::fmt::Write as _;

const MANY: usize = 30;

/// From the end of a list on a small screen to a screen that has room for all of it.
fn grown(desk: Desk, keys: &str) -> Sitting {
    let mut s = Sitting::begin(80, 24, desk);
    s.keys(keys);
    assert!(!s.scene.shows("number 0 "), "the first is out of sight:\n{}", s.scene.text());
    s.send(Msg::Resize(160, 50));
    s
}

fn drafts() -> Desk {
    let mut desk = Desk::default();
    for n in (0..MANY).rev() {
        let need = format!("number {n} of the needs");
        let report = desk.report(n as i64, json!({"what_i_needed": need, "what_i_tried": "t", "server_name": "s"}));
        desk.run(&report, n as i64, published("https://github.com/ada/billing/pull/1"));
    }
    desk
}

fn servers(many: usize) -> Vec<Server> {
    let reports = Reports { total: 1, unreviewed: 0, last: Some(Millis(0)) };
    (0..many).map(|n| Server { name: format!("number {n} of"), heartbeat: None, reports }).collect()
}

fn with_servers(many: usize) -> Desk {
    let mut desk = Desk::default();
    desk.servers = servers(many);
    desk
}

/// A change of many files.
fn change() -> Desk {
    let mut desk = Desk::default();
    let report = desk.report(1, json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": "s"}));
    let id = desk.run(&report, 1, DraftState::Waiting { trouble: String::new() });
    let run = desk.run_mut(&id);
    for n in 0..MANY {
        let path = format!("number {n} .py");
        write!(run.diff, "diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n").unwrap();
    }
    let proposal = Proposal { title: "Add it".into(), summary: String::new(), base: "main".into() };
    run.proposal = Some(proposal);
    desk
}

fn all_are_shown(s: &Sitting) {
    for n in 0..MANY {
        assert!(s.scene.shows(&format!("number {n} ")), "{n}:\n{}", s.scene.text());
    }
}

#[test]
fn a_screen_that_grows_shows_more_of_every_list() {
    all_are_shown(&grown(drafts(), "G"));
    all_are_shown(&grown(drafts(), "3 G"));
    all_are_shown(&grown(with_servers(MANY), "4 G"));
}

#[test]
fn a_screen_that_grows_shows_more_of_the_files_of_a_change() {
    let mut s = Sitting::begin(100, 24, change());
    s.keys("3 G");
    assert!(!s.scene.shows("title and text") && s.scene.shows("number 29 "), "{}", s.scene.text());
    s.send(Msg::Resize(160, 50));
    all_are_shown(&s);
    assert!(s.scene.shows("title and text"), "{}", s.scene.text());
    // A narrow screen has no such list: it comes back with what is around the cursor.
    s.send(Msg::Resize(40, 12));
    s.send(Msg::Resize(160, 50));
    all_are_shown(&s);
}

#[test]
fn a_list_that_gets_shorter_is_shown_from_where_it_fits() {
    let mut s = Sitting::begin(160, 24, with_servers(MANY));
    s.keys("4 G");
    assert!(!s.scene.shows("number 0 "), "{}", s.scene.text());
    let mut fewer = servers(MANY);
    fewer.drain(10..MANY - 5);
    s.send(Msg::Answer(Answer::Servers(Ok(fewer))));
    assert!(s.scene.shows("number 0 ") && s.scene.shows("number 29 "), "{}", s.scene.text());
}
