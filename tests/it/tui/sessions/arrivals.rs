//! New reports: they appear where nobody is looking, and never move what somebody looks at.

use super::{record_named, session};
use crate::support::desk::{Desk, Sitting};
use patchwork::domain::id::FeedbackId;
use patchwork::protocol::{EventKind, Signal};
use patchwork::tui::message::{Answer, Effect, Msg};
use proptest::prelude::*;
use serde_json::json;

#[tokio::test]
async fn at_the_top_a_new_report_appears_and_the_selected_one_stays_selected() {
    let mut s = session(&["a", "b"]).await;
    record_named(&s.test.engine, &["c"]).await;
    s.settle().await;
    assert_eq!(s.rows().join(""), "cba");
    assert_eq!(s.selected(), "b");
    assert!(s.line_of("c") < s.line_of("b"));
    assert!(!s.scene.shows("new ↑"));
    assert!(s.scene.shows("3 unreviewed of 3"));
}

#[tokio::test]
async fn elsewhere_it_is_counted_and_nothing_moves() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("j").await;
    let before = s.line_of("c");
    record_named(&s.test.engine, &["e", "f"]).await;
    s.settle().await;
    assert!(s.scene.shows("2 new ↑"), "{}", s.scene.text());
    assert_eq!((s.selected().as_str(), s.line_of("c")), ("c", before));
    assert!(!s.scene.shows("need f"));
    s.keys("g").await;
    assert_eq!(s.selected(), "f");
    assert!(!s.scene.shows("new ↑"));
    assert!(s.line_of("f") < s.line_of("e") && s.line_of("e") < s.line_of("d"));
}

#[tokio::test]
async fn moving_up_to_them_shows_them_too() {
    let mut s = session(&["a", "b", "c"]).await;
    s.keys("j").await;
    record_named(&s.test.engine, &["d", "e"]).await;
    s.settle().await;
    s.keys("k").await;
    assert_eq!(s.selected(), "c");
    assert!(s.scene.shows("2 new ↑"), "the next line up is still the old top");
    s.keys("k").await;
    assert_eq!(s.selected(), "d");
    assert!(!s.scene.shows("new ↑"));
    assert!(s.scene.shows("need e"));
}

#[tokio::test]
async fn a_hundred_arrivals_leave_the_eye_alone() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("j j").await;
    let before = (s.selected(), s.line_of("b"));
    let ids: Vec<String> = (0..100).map(|i| format!("n{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    record_named(&s.test.engine, &ids).await;
    s.settle().await;
    assert!(s.scene.shows("100 new ↑"), "{}", s.scene.text());
    assert_eq!((s.selected(), s.line_of("b")), before);
    s.keys("g").await;
    assert_eq!(s.selected(), "n99");
    s.keys("G").await;
    assert_eq!(s.selected(), "a");
}

/// More arrive at the top than the list has lines: the selected report is not pushed out of sight.
#[tokio::test]
async fn at_the_top_too_the_selected_report_stays_in_sight() {
    let mut s = session(&["a", "b"]).await;
    let ids: Vec<String> = (0..60).map(|i| format!("n{i}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    record_named(&s.test.engine, &ids).await;
    s.settle().await;
    assert_eq!(s.selected(), "b");
    s.line_of("b");
    assert!(s.scene.shows("new ↑"), "those that have no room are counted\n{}", s.scene.text());
}

#[tokio::test]
async fn a_filter_lets_only_its_own_arrive() {
    let mut s = session(&["a", "b"]).await;
    s.keys("/").await;
    s.type_text("\"need b\"").await;
    s.keys("enter").await;
    record_named(&s.test.engine, &["c"]).await;
    s.settle().await;
    assert_eq!(s.rows(), ["b"]);
    assert!(!s.scene.shows("new ↑"));
    assert!(s.scene.shows("3 unreviewed of 3"), "counted they are");
}

#[tokio::test]
async fn oldest_first_they_come_at_the_end() {
    let mut s = session(&["a", "b"]).await;
    s.keys("/").await;
    s.type_text("sort:oldest").await;
    s.keys("enter j").await;
    record_named(&s.test.engine, &["c"]).await;
    s.settle().await;
    assert_eq!(s.rows(), ["a", "b", "c"]);
    assert_eq!(s.selected(), "b");
    assert!(!s.scene.shows("new ↑"));
}

/// A desk with ten reports, the newest `r10`.
fn desk() -> Desk {
    let mut desk = Desk::default();
    for minutes in (1..=10).rev() {
        desk.report(minutes, json!({"what_i_needed": "n", "what_i_tried": "t"}));
    }
    desk
}

#[test]
fn a_log_that_was_pruned_is_begun_anew() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("j j space");
    s.desk.arrive(json!({"what_i_needed": "unheard", "what_i_tried": "t"}));
    s.send(Msg::Signal(Signal::Reset));
    assert!(s.scene.shows("unheard"), "{}", s.scene.text());
    assert!(s.scene.shows("11 unreviewed of 11"));
    s.arrive(json!({"what_i_needed": "heard as ever", "what_i_tried": "t"}));
    assert!(s.scene.shows("heard as ever"), "the same feed goes on");
}

/// The snapshot is older than an event that is heard before it arrives.
#[test]
fn what_happens_while_the_new_snapshot_is_on_its_way_is_not_forgotten() {
    let mut s = Sitting::begin(80, 24, desk());
    let effects = s.scene.send(Msg::Signal(Signal::Reset));
    let answers: Vec<Msg> = effects.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect();
    assert!(matches!(answers[0], Msg::Answer(Answer::Snapshot { .. })));
    s.arrive(json!({"what_i_needed": "in between", "what_i_tried": "t"}));
    for answer in answers {
        s.send(answer);
    }
    assert!(s.scene.shows("in between"), "{}", s.scene.text());
    assert!(s.scene.shows("11 unreviewed of 11"));
}

/// The report is read, a note comes and is heard of, then the answer without the note arrives.
#[test]
fn an_answer_older_than_what_was_heard_does_not_win() {
    let mut desk = desk();
    let r10 = FeedbackId::trusted("r10");
    let mut scene = crate::support::scene::Scene::new(120, 40);
    let begun = std::mem::take(&mut scene.begun);
    let mut waiting: Vec<Effect> = Vec::new();
    for message in begun.into_iter().flat_map(|effect| desk.carry_out(effect)).collect::<Vec<_>>() {
        waiting.extend(scene.send(message));
    }
    let read = waiting.into_iter().find(|e| *e == Effect::ReadFeedback(r10.clone())).unwrap();
    let old = desk.carry_out(read);
    desk.note(&r10, 0, "look at the pager");
    let news = desk.about_report(EventKind::NoteAdded, &r10);
    let mut s = Sitting { scene, desk };
    s.send(news);
    for answer in old {
        s.send(answer);
    }
    assert!(s.scene.shows("look at the pager"), "{}", s.scene.text());
}

#[test]
fn a_run_that_moves_while_it_is_read_is_read_again() {
    use patchwork::domain::draft::{DraftState, Stage};
    let mut desk = desk();
    let run = desk.run(&FeedbackId::trusted("r10"), 1, DraftState::Running { stage: Stage::Model });
    let mut s = Sitting::begin(120, 40, desk);
    let effects = s.scene.key("3");
    let old: Vec<Msg> = effects.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect();
    s.desk.run_mut(&run).stages[2].details.push("asked again".into());
    let news = s.desk.about_run(EventKind::DraftDetailAdded, "asked again", &run);
    s.send(news);
    for answer in old {
        s.send(answer);
    }
    assert!(s.scene.shows("asked again"), "{}", s.scene.text());
}

#[test]
fn after_a_pruned_log_the_run_in_view_is_read_again() {
    use patchwork::domain::draft::{DraftState, Stage};
    let mut desk = desk();
    let run = desk.run(&FeedbackId::trusted("r10"), 1, DraftState::Running { stage: Stage::Model });
    let mut s = Sitting::begin(120, 40, desk);
    s.keys("3");
    s.desk.run_mut(&run).draft.state = DraftState::Failed { stage: Stage::Model, reason: "no credit left".into() };
    // Its event was pruned: nobody hears of it.
    s.desk.about_run(EventKind::DraftFailed, "", &run);
    s.send(Msg::Signal(Signal::Reset));
    assert!(s.scene.shows("no credit left"), "{}", s.scene.text());
}

#[derive(Debug, Clone)]
enum News {
    Arrives,
    Reviewed(usize, bool),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    /// Whatever others do: the selected report stays selected as long as it is in the list, and below the top it stays on its line unless
    /// a line above it on the screen goes away or comes back.
    #[test]
    fn news_never_moves_what_the_eye_is_on(
        down in 1..9_usize,
        news in prop::collection::vec(prop_oneof![
            Just(News::Arrives),
            (0..40_usize, any::<bool>()).prop_map(|(n, reviewed)| News::Reviewed(n, reviewed)),
        ], 1..30),
    ) {
        let mut s = Sitting::begin(80, 12, desk());
        for _ in 0..down {
            s.keys("j");
        }
        for what in news {
            let (id, inbox) = (s.scene.selected(), &s.scene.model.inbox);
            let line = inbox.cursor - inbox.offset;
            match what {
                News::Arrives => {
                    s.arrive(json!({"what_i_needed": "n", "what_i_tried": "t"}));
                    let inbox = &s.scene.model.inbox;
                    prop_assert_eq!(s.scene.selected(), id.clone());
                    if id.is_some() {
                        prop_assert_eq!(inbox.cursor - inbox.offset, line);
                    }
                }
                News::Reviewed(n, reviewed) => {
                    let n = n % s.desk.reports.len();
                    let about = s.desk.reports[n].feedback.id.clone();
                    s.desk.detail_mut(&about).unwrap().feedback.reviewed = reviewed;
                    let message = s.desk.about_report(EventKind::FeedbackReviewed, &about);
                    s.send(message);
                    if id.as_deref() != Some(about.as_str()) && id.is_some() {
                        prop_assert_eq!(s.scene.selected(), id);
                    }
                }
            }
            let inbox = &s.scene.model.inbox;
            prop_assert!(inbox.held <= inbox.offset, "held ones are not shown");
        }
    }
}
