//! The last line of the screen: every hint does what it says, every sentence is there for one key, and the help ends where it ends.

use super::screens::{drafts, inbox};
use super::settings::settings;
use super::{compare, review};
use crate::support::desk::{Desk, Sitting};
use patchwork::tui::keymap::Keymap;
use patchwork::tui::message::Msg;
use ratatui::style::Style;
use std::collections::{BTreeMap, BTreeSet};

/// The situations in which the footer has something to say.
fn situations() -> Vec<(&'static str, Sitting)> {
    let (w, h) = (200, 40);
    let at = |s: Sitting, keys: &str| {
        let mut s = s;
        s.keys(keys);
        s
    };
    let typed = |keys: &str, text: &str| {
        let mut s = inbox(w, h);
        s.keys(keys).type_text(text);
        s
    };
    vec![
        ("list, nothing in it", Sitting::begin(w, h, Desk::default())),
        ("list", inbox(w, h)),
        ("list, drafting", at(drafts(w, h), "1")),
        ("list, failed draft", at(drafts(w, h), "1 j")),
        ("list, published", at(drafts(w, h), "1 u j j")),
        ("detail", at(inbox(w, h), "enter")),
        ("detail, published", at(drafts(w, h), "1 u j j enter")),
        ("note", typed("n", "text")),
        ("filter", typed("/", "server:")),
        ("filter, a word", typed("/", "is")),
        ("drafts, none", at(inbox(w, h), "3")),
        ("drafts, running", drafts(w, h)),
        ("drafts, failed", at(drafts(w, h), "j")),
        ("drafts, published", at(drafts(w, h), "G")),
        ("run, running", at(drafts(w, h), "enter")),
        ("run, failed", at(drafts(w, h), "j enter")),
        ("run, published", at(drafts(w, h), "G enter")),
        ("settings, none", at(settings(w, h), "5 G")),
        ("settings, a repository", at(settings(w, h), "5")),
        ("settings, a value", at(settings(w, h), "5 j j")),
        ("settings, beside the list", at(settings(w, h), "5 l")),
        ("settings, typing", at(settings(w, h), "5 j j enter")),
        ("review", at(review::bench(w, h), "n")),
        ("review, dropped", at(review::bench(w, h), "r n space")),
        ("review, compared", at(compare::redraft(w, h), "c ]")),
        ("run, to be compared", at(compare::redraft(w, h), "v")),
        ("drafts, to be compared", at(compare::redraft(w, h), "esc")),
        ("review, verify failed", review::failed(w, h)),
        ("review, its base branch", at(review::bench(w, h), "b")),
        ("help", at(inbox(w, h), "?")),
        ("question", at(drafts(w, h), "q")),
    ]
}

/// Pressed on the screen it stands on, every key in the footer does something: it asks for something, or the panes look different. A
/// sentence about why it does nothing is not enough.
#[test]
fn every_hint_of_the_footer_does_something() {
    let names: Vec<&str> = situations().iter().map(|(name, _)| *name).collect();
    let mut pressed = BTreeSet::new();
    for (i, name) in names.iter().enumerate() {
        let hints = hints(&situations().remove(i).1);
        assert!(!hints.is_empty(), "{name} has no hint");
        for (key, word) in hints {
            let mut s = situations().remove(i).1;
            let before = panes(&s);
            let effects = s.scene.key(&key);
            let done = !effects.is_empty() || panes(&s) != before;
            assert!(done, "{name}: `{key} {word}` does nothing\n{}", s.scene.text());
            pressed.insert(word);
        }
    }
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    let words = keymap.bindings().iter().flat_map(|b| b.hint.iter().chain(&b.opposite));
    let all: BTreeSet<String> = words.cloned().collect();
    assert_eq!(pressed, all, "every hint stood there once");
}

/// Key and word of what the footer offers: `n note  d draft  …`.
fn hints(s: &Sitting) -> Vec<(String, String)> {
    let pairs =
        s.scene.footer().split("  ").map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    pairs.iter().map(|p| p.split_once(' ').map(|(k, w)| (k.to_owned(), w.to_owned())).unwrap()).collect()
}

/// Everything but the last line, with its colours.
fn panes(s: &Sitting) -> Vec<Vec<(String, Style)>> {
    let mut lines = s.scene.cells();
    lines.pop();
    lines
}

#[test]
fn a_sentence_is_gone_with_the_next_key_and_hints_are_back() {
    let mut s = inbox(80, 24);
    s.keys("z");
    assert!(s.scene.footer().contains("Nothing to undo"));
    s.keys("j");
    assert!(s.scene.footer().contains("? keys"));
    s.keys("z");
    s.send(Msg::Tick);
    assert!(s.scene.footer().contains("Nothing to undo"), "not with the clock");
}

/// What is scrolled past the end by a key is not to be scrolled back.
#[test]
fn the_help_ends_where_it_ends() {
    let mut s = inbox(80, 24);
    s.keys("? G");
    let end = panes(&s);
    s.keys("j j G ctrl-d");
    assert_eq!(panes(&s), end);
    s.keys("k");
    assert_ne!(panes(&s), end, "one line up is one line up");
}
