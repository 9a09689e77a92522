//! Marking reports as reviewed, one or many, and taking it back.

use super::session;
use crate::support::desk::{Desk, Sitting};
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::domain::id::FeedbackId;
use patchwork::protocol::{Command, Refusal, RefusalKind};
use patchwork::tui::message::{Effect, Msg};
use patchwork::tui::theme::Shade;
use serde_json::json;

/// On a slow line the terminal's answer comes when the screen is there already.
#[tokio::test]
async fn a_late_word_about_the_background_counts_until_the_user_has_chosen() {
    let mut s = session(&["a"]).await;
    let first = s.scene.cells();
    s.send(Msg::Background(Shade::Light)).await;
    let light = s.scene.cells();
    assert_ne!(light, first);
    s.keys("T").await;
    assert_eq!(s.scene.cells(), first);
    s.send(Msg::Background(Shade::Light)).await;
    assert_eq!(s.scene.cells(), first);
}

#[tokio::test]
async fn a_reviewed_report_leaves_and_the_next_one_takes_its_place() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("j").await;
    assert_eq!(s.selected(), "c");
    let line = s.line_of("c");
    s.keys("r").await;
    assert_eq!(s.rows(), ["d", "b", "a"]);
    assert_eq!((s.selected().as_str(), s.line_of("b")), ("b", line), "the next report, at the same place");
    assert!(s.scene.footer().contains("Marked as reviewed"), "{}", s.scene.footer());
    assert!(s.scene.shows("3 unreviewed of 4"));
    s.keys("r r").await;
    assert_eq!(s.selected(), "d", "below the last one there is nothing: the one above");
    s.keys("r").await;
    assert!(s.scene.shows("Nothing left to review"), "{}", s.scene.text());
    s.keys("r space d n N y x o").await;
    assert!(s.scene.selected().is_none(), "on an empty list every key is harmless");
}

#[tokio::test]
async fn several_are_selected_marked_and_unmarked_at_once() {
    let mut s = session(&["a", "b", "c", "d", "e"]).await;
    s.keys("space j space space").await;
    assert!(s.scene.shows("3 selected"), "{}", s.scene.text());
    s.keys("k k space").await;
    assert!(s.scene.shows("2 selected"));
    s.keys("r").await;
    assert_eq!(s.rows(), ["d", "c", "a"], "e and b");
    assert!(!s.scene.shows("selected"), "the selection has served");
    s.keys("z").await;
    assert_eq!(s.rows(), ["e", "d", "c", "b", "a"]);
    assert!(s.scene.footer().contains("Undone"), "{}", s.scene.footer());
    s.keys("z").await;
    assert!(s.scene.footer().contains("Nothing to undo"));
    assert!(s.scene.shows("5 unreviewed of 5"));
}

#[tokio::test]
async fn undo_goes_back_step_by_step_and_keeps_the_cursor_on_its_report() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("j r r").await;
    assert_eq!((s.rows(), s.selected().as_str()), (vec!["d".to_owned(), "a".to_owned()], "a"));
    s.keys("z").await;
    assert_eq!((s.rows().join(""), s.selected().as_str()), ("dba".to_owned(), "a"));
    s.keys("z").await;
    assert_eq!((s.rows().join(""), s.selected().as_str()), ("dcba".to_owned(), "a"));
}

#[tokio::test]
async fn escape_clears_the_selection() {
    let mut s = session(&["a", "b"]).await;
    s.keys("space").await;
    assert!(s.scene.shows("1 selected"));
    s.keys("esc").await;
    assert!(!s.scene.shows("selected"));
    s.keys("r").await;
    assert_eq!(s.rows(), ["b"], "only the one under the cursor");
}

#[tokio::test]
async fn shown_again_the_cursor_stays_on_its_report_and_r_unmarks() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("r r").await;
    assert_eq!(s.selected(), "b");
    s.keys("u").await;
    assert_eq!((s.rows().join(""), s.selected().as_str()), ("dcba".to_owned(), "b"));
    s.keys("g r").await;
    assert!(s.scene.footer().contains("not reviewed"), "{}", s.scene.footer());
    s.keys("u").await;
    assert_eq!(s.rows().join(""), "dba");
}

#[tokio::test]
async fn reading_on_with_r_begins_every_report_at_its_top() {
    let mut s = session(&["a"]).await;
    for id in ["long", "longer"] {
        let text = format!("{id} {}", "and so on\n".repeat(100));
        let json = json!({"id": id, "what_i_needed": text, "what_i_tried": "t"});
        crate::support::record(&s.test.engine, json).await;
    }
    s.settle().await;
    s.keys("g enter ctrl-d ctrl-d").await;
    assert!(!s.scene.shows("longer and so on\n"), "scrolled");
    assert!(s.scene.model.inbox.scroll > 0);
    s.keys("r").await;
    assert_eq!(s.selected(), "long");
    assert_eq!(s.scene.model.inbox.scroll, 0, "the next report is read from its beginning");
}

/// Two reports, the newer one `r2`.
fn desk() -> Desk {
    let mut desk = Desk::default();
    for minutes in [5, 3] {
        desk.report(minutes, json!({"what_i_needed": "n", "what_i_tried": "t"}));
    }
    desk
}

#[test]
fn a_mark_on_its_way_is_to_be_seen_and_a_refusal_changes_nothing() {
    let mut s = Sitting::begin(80, 24, desk());
    let effects = s.scene.key("r");
    let [Effect::Submit { command, .. }] = &effects[..] else { panic!("one command, not {effects:?}") };
    let r2 = FeedbackId::trusted("r2");
    assert_eq!(*command, Command::SetReviewed { feedback: vec![r2], reviewed: true });
    assert!(s.scene.shows("… "), "{}", s.scene.text());
    s.desk.refuses = Some(Refusal::new(RefusalKind::Storage, "the disk is full: make room"));
    for effect in effects {
        for message in s.desk.carry_out(effect) {
            s.send(message);
        }
    }
    assert!(s.scene.footer().contains("the disk is full: make room"));
    assert!(!s.scene.shows("… "), "{}", s.scene.text());
    assert_eq!(s.scene.selected().unwrap(), "r2");
    s.keys("z");
    assert!(s.scene.footer().contains("Nothing to undo"), "what was refused needs no undoing");
}

#[test]
fn an_undo_may_be_pressed_right_behind_the_mark() {
    let mut s = Sitting::begin(80, 24, desk());
    let mut effects = s.scene.key("r");
    effects.extend(s.scene.key("z"));
    let r2 = || vec![FeedbackId::trusted("r2")];
    let sent: Vec<&Command> = effects
        .iter()
        .filter_map(|e| if let Effect::Submit { command, .. } = e { Some(command) } else { None })
        .collect();
    assert_eq!(
        sent,
        [
            &Command::SetReviewed { feedback: r2(), reviewed: true },
            &Command::SetReviewed { feedback: r2(), reviewed: false }
        ]
    );
}

#[test]
fn an_undo_that_is_refused_can_be_tried_again() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("r");
    s.desk.refuses = Some(Refusal::new(RefusalKind::Busy, "wait a moment"));
    s.keys("z");
    assert!(s.scene.footer().contains("wait a moment"));
    s.desk.refuses = None;
    s.keys("z");
    assert!(s.scene.footer().contains("Undone"), "{}", s.scene.footer());
    assert!(!s.desk.detail(&FeedbackId::trusted("r2")).unwrap().feedback.reviewed);
}

#[test]
fn what_is_selected_while_an_answer_is_on_its_way_stays_selected() {
    let mut s = Sitting::begin(80, 24, desk());
    let effects = s.scene.key("r");
    s.keys("j space");
    for message in effects.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect::<Vec<Msg>>() {
        s.send(message);
    }
    assert!(s.scene.shows("1 selected"), "{}", s.scene.text());
}

#[test]
fn links_and_texts_are_opened_and_copied() {
    let mut desk = desk();
    let r1 = FeedbackId::trusted("r1");
    desk.run(&r1, 2, crate::support::desk::published("https://github.com/ada/billing/pull/7"));
    let mut s = Sitting::begin(80, 24, desk);
    s.keys("o");
    assert!(s.scene.footer().contains("no pull request"), "{}", s.scene.footer());
    s.keys("y j o y");
    let link = "https://github.com/ada/billing/pull/7".to_owned();
    let text = "Needed: n\n\nTried: t".to_owned();
    assert_eq!(s.desk.outside, [Effect::Copy(text), Effect::OpenLink(link.clone()), Effect::Copy(link.clone())]);
    s.send(Msg::Answer(patchwork::tui::message::Answer::Opened {
        link: link.clone(),
        result: Err("no browser".into()),
    }));
    assert_eq!(s.desk.outside.last(), Some(&Effect::Copy(link)), "where there is no browser");
}

/// Running drafts are cancelled at once; changes that wait are asked about, once for all.
#[test]
fn the_drafts_of_selected_reports_are_cancelled_together() {
    let mut desk = Desk::default();
    let waiting = DraftState::Waiting { trouble: String::new() };
    let running = DraftState::Running { stage: Stage::Model };
    for (name, state) in [
        ("a", None),
        ("b", Some(waiting.clone())),
        ("c", Some(waiting)),
        ("d", Some(running.clone())),
        ("e", Some(running)),
    ] {
        let report = desk.report(1, json!({"what_i_needed": name, "what_i_tried": "t"}));
        state.map(|state| desk.run(&report, 1, state));
    }
    let states = |s: &Sitting| s.desk.runs.iter().map(|run| run.draft.state.word()).collect::<Vec<_>>();
    let mut s = Sitting::begin(120, 24, desk);
    s.keys("space j space space space x");
    assert_eq!(states(&s), ["waiting", "waiting", "running", "cancelled"]);
    assert!(s.scene.shows("Discard 2 changes that wait for your review?"), "{}", s.scene.text());
    assert!(!s.scene.shows("selected"), "the selection has served");
    s.keys("n");
    assert_eq!(states(&s), ["waiting", "waiting", "running", "cancelled"]);
    s.keys("g j j space space x y");
    assert_eq!(states(&s), ["cancelled", "cancelled", "running", "cancelled"]);
}
