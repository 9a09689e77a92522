//! Keys typed before the list is there: on a slow line people type ahead.

use crate::support::desk::{Desk, Sitting};
use crate::support::scene::Scene;
use patchwork::tui::message::{Effect, Msg};
use serde_json::json;

fn desk() -> Desk {
    let mut desk = Desk::default();
    for server in ["billing", "docs", "quirks"] {
        desk.report(1, json!({"what_i_needed": "need it", "what_i_tried": "t", "server_name": server}));
    }
    desk
}

/// The first snapshot arrives after these keys.
fn late(keys: &str) -> Sitting {
    let mut scene = Scene::new(80, 24);
    for key in keys.split_whitespace() {
        assert_eq!(scene.key(key), [], "{key} waits");
    }
    Sitting::with(scene, desk())
}

#[test]
fn they_are_about_the_list_that_comes() {
    let s = late("j r");
    assert!(s.scene.footer().contains("Marked as reviewed"), "{}", s.scene.footer());
    assert_eq!(s.scene.model.mirror.rows().iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["r3", "r1"]);
}

#[test]
fn a_filter_and_a_note_are_typed_whole() {
    let mut s = late("/ q u i r k s");
    assert!(s.scene.shows("/ quirks"), "its first letter is no key: {}", s.scene.text());
    assert_eq!(s.scene.selected().unwrap(), "r3");
    s.keys("esc");
    assert!(late("n q ? x").scene.shows("q?x"));
}

#[test]
fn what_needs_no_list_does_not_wait() {
    let mut scene = Scene::new(80, 24);
    assert_eq!(scene.key("q"), [Effect::Quit]);
    assert_eq!(scene.key("ctrl-z"), [Effect::Suspend]);
    scene.key("?");
    assert!(scene.shows("Half a page down"));
    scene.key("esc");
    scene.key("j");
    assert_eq!(scene.key("q"), [], "behind a key that waits");
    assert_eq!(scene.key("ctrl-c"), [Effect::Quit], "but this one never does");
    scene.send(Msg::Tick);
    assert!(scene.shows("Reading"));
}
