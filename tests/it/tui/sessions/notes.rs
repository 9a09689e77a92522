//! Writing notes: nothing typed is ever lost, and a note stands under the report it is about.

use super::session;
use crate::support::desk::{Desk, Sitting};
use crate::support::scene::Scene;
use patchwork::domain::id::FeedbackId;
use patchwork::protocol::{EventKind, Refusal, RefusalKind};
use patchwork::tui::message::{Answer, Effect, Msg, Subject};
use patchwork::tui::model::Ingest;
use serde_json::json;

#[tokio::test]
async fn what_was_typed_comes_back_and_is_saved_with_ctrl_s() {
    let mut s = session(&["a", "b"]).await;
    s.keys("n").await;
    s.type_text("first line").await;
    s.keys("enter").await;
    s.type_text("and q, j and ? are letters").await;
    let text = "first line\nand q, j and ? are letters";
    let b = FeedbackId::trusted("b");
    assert_eq!(s.kept[&b], text, "on disk before anything is saved");
    s.keys("esc").await;
    assert!(s.scene.footer().contains("kept"), "{}", s.scene.footer());
    assert!(s.scene.shows("✎…"), "the list shows that there is something");
    s.keys("j n").await;
    assert!(!s.scene.shows("first line"), "another report's note is empty");
    s.keys("esc k n").await;
    assert!(s.scene.shows("first line"));
    s.type_text("!").await;
    s.keys("ctrl-s").await;
    let notes = s.test.engine.feedback(&b).await.unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert_eq!((notes[0].content.as_str(), notes[0].author.as_str()), (format!("{text}!").as_str(), "ada"));
    assert!(s.kept.is_empty(), "saved is saved");
    assert!(s.scene.footer().contains("Note saved"));
    assert!(s.scene.shows("✎1"), "{}", s.scene.text());
    s.keys("n").await;
    assert!(s.scene.shows("What should a developer know?"), "the next note begins empty");
    s.keys("ctrl-s").await;
    assert!(s.scene.footer().contains("a note needs some text"), "{}", s.scene.footer());
}

#[tokio::test]
async fn pasted_text_goes_into_a_note_and_nowhere_else() {
    let mut s = session(&["a", "b", "c"]).await;
    let rubbish = "rrr\u{1b}[201~dq\nr zz d D x\t/\u{7}";
    for place in ["", "enter", "3", "3 enter", "?"] {
        s.keys(place).await;
        let before = (s.rows(), s.selected(), s.outside.len());
        s.send(Msg::Paste(rubbish.into())).await;
        assert_eq!((s.rows(), s.selected(), s.outside.len()), before, "after `{place}`");
        assert_eq!(s.test.engine.stats().await.unwrap().unreviewed, 3);
        s.keys("esc esc 1").await;
    }
    s.keys("n").await;
    s.send(Msg::Paste("two\nlines\u{1b}[31m".into())).await;
    s.keys("ctrl-s").await;
    let notes = s.test.engine.feedback(&FeedbackId::trusted("c")).await.unwrap().notes;
    assert_eq!(notes[0].content, "two\nlines\u{fffd}[31m");
}

#[tokio::test]
async fn what_can_not_be_kept_on_disk_is_said_while_it_is_typed() {
    let mut s = session(&["a"]).await;
    s.keys("n").await;
    s.type_text("half").await;
    s.send(Msg::Answer(Answer::NotKept("no space left on device".into()))).await;
    assert!(s.scene.footer().contains("can't be kept on disk"), "{}", s.scene.footer());
    assert!(s.scene.shows("half"), "and goes on");
}

#[tokio::test]
async fn a_note_from_the_users_editor_is_saved_at_once() {
    let mut s = session(&["a"]).await;
    s.keys("n").await;
    s.type_text("begun here").await;
    s.keys("esc N").await;
    let a = FeedbackId::trusted("a");
    let [Effect::Edit { subject: Subject::Note(feedback), text, .. }] = &s.outside[..] else {
        panic!("{:?}", s.outside)
    };
    assert_eq!((&feedback[..], text.as_str()), (std::slice::from_ref(&a), "begun here"));
    s.send(Msg::Answer(Answer::Edited {
        subject: Subject::Note(vec![a.clone()]),
        result: Ok("begun here, ended there".into()),
    }))
    .await;
    let notes = s.test.engine.feedback(&a).await.unwrap().notes;
    assert_eq!(notes[0].content, "begun here, ended there");
    assert!(s.kept.is_empty());
    s.send(Msg::Answer(Answer::Edited { subject: Subject::Note(vec![a.clone()]), result: Ok("  \n".into()) })).await;
    s.send(Msg::Answer(Answer::Edited {
        subject: Subject::Note(vec![a.clone()]),
        result: Err("no editor is set".into()),
    }))
    .await;
    assert!(s.scene.footer().contains("no editor is set"));
    assert_eq!(s.test.engine.feedback(&a).await.unwrap().notes.len(), 1);
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    for name in ["alpha", "beta", "gamma"] {
        desk.report(1, json!({"what_i_needed": format!("need {name}"), "what_i_tried": format!("tried {name}")}));
    }
    desk
}

#[test]
fn a_refused_note_stays_in_the_editor() {
    let mut s = Sitting::begin(80, 24, desk());
    s.desk.refuses = Some(Refusal::new(RefusalKind::Storage, "the disk is full: make room"));
    s.keys("n").type_text("precious").keys("ctrl-s");
    assert!(s.scene.shows("precious"), "{}", s.scene.text());
    assert!(s.scene.footer().contains("not saved"), "{}", s.scene.footer());
    s.desk.refuses = None;
    s.type_text("!").keys("ctrl-s");
    assert_eq!(s.desk.detail(&FeedbackId::trusted("r3")).unwrap().notes[0].content, "precious!");
    assert_eq!(
        s.desk.outside.last(),
        Some(&Effect::KeepUnsaved { feedback: "r3".to_owned().try_into().unwrap(), text: String::new() })
    );
}

#[test]
fn a_note_that_is_being_saved_is_not_saved_twice_and_can_be_left() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("n").type_text("once");
    let sent = s.scene.key("ctrl-s");
    assert_eq!(s.scene.key("ctrl-s"), [], "pressed again");
    assert_eq!(s.scene.type_text("x"), [], "what is on its way does not change");
    assert!(s.scene.shows("saving"), "{}", s.scene.text());
    s.keys("esc j");
    for message in sent.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect::<Vec<_>>() {
        s.send(message);
    }
    assert!(s.scene.footer().contains("Note saved"));
    assert_eq!(s.scene.selected().unwrap(), "r2", "it goes nowhere");
}

#[test]
fn a_crash_while_typing_loses_nothing() {
    let unsaved = [(FeedbackId::trusted("r3"), "half a thought".to_owned())].into();
    let scene = Scene::with(80, 24, Ingest::At("127.0.0.1:8099".into()), unsaved);
    let mut s = Sitting::with(scene, desk());
    assert!(s.scene.shows("✎…"));
    s.keys("n");
    assert!(s.scene.shows("half a thought"), "{}", s.scene.text());
    s.type_text(" more");
    let last = s.desk.outside.last().unwrap();
    assert!(
        matches!(last, Effect::KeepUnsaved { text, .. } if text == "half a thought more"),
        "at the end of it: {last:?}"
    );
}

/// Somebody else reviews the report, so it leaves the list; the list goes on, the note does not.
#[test]
fn the_note_stays_under_the_report_it_is_about() {
    for (width, height) in [(120, 40), (80, 24), (40, 12)] {
        let mut s = Sitting::begin(width, height, desk());
        s.keys("n").type_text("about gamma");
        let r3 = FeedbackId::trusted("r3");
        s.desk.detail_mut(&r3).unwrap().feedback.reviewed = true;
        let news = s.desk.about_report(EventKind::FeedbackReviewed, &r3);
        s.send(news);
        assert_eq!(s.scene.selected().unwrap(), "r2");
        assert!(s.scene.shows("about gamma") && s.scene.shows("need gamma"), "{}", s.scene.text());
        assert!(!s.scene.shows("tried beta"), "{}", s.scene.text());
        s.keys("ctrl-s");
        assert_eq!(s.desk.detail(&r3).unwrap().notes.len(), 1);
        assert_eq!(s.desk.detail(&FeedbackId::trusted("r2")).unwrap().notes.len(), 0);
    }
}

#[test]
fn clicks_and_the_wheel_leave_the_note_alone() {
    let mut s = Sitting::begin(120, 40, desk());
    s.keys("n").type_text("about gamma");
    for (column, row) in [(5, 4), (80, 5), (80, 30), (0, 0), (119, 39)] {
        let effects = s.scene.click(column, row);
        assert_eq!(effects, []);
    }
    s.type_text("!").keys("ctrl-s");
    assert_eq!(s.desk.detail(&FeedbackId::trusted("r3")).unwrap().notes[0].content, "about gamma!");
}

#[tokio::test]
async fn ctrl_p_makes_the_note_an_answer_for_agents_and_back() {
    let mut s = session(&["a"]).await;
    s.keys("n").await;
    s.type_text("use list").await;
    assert!(s.scene.shows("─ Note ─"), "{}", s.scene.text());
    s.keys("ctrl-p").await;
    assert!(s.scene.shows("─ Public answer ─"), "{}", s.scene.text());
    s.keys("ctrl-p ctrl-s").await;
    s.keys("n").await;
    assert!(s.scene.shows("─ Note ─"), "every note begins private");
    s.type_text("for agents").await;
    s.keys("ctrl-p esc").await;
    assert!(s.scene.shows("ctrl-p makes it public again"), "{}", s.scene.text());
    s.keys("n").await;
    assert!(s.scene.shows("─ Note ─"), "and is private again when it is gone on with");
    s.keys("ctrl-p ctrl-s").await;
    let notes = s.test.engine.feedback(&FeedbackId::trusted("a")).await.unwrap().notes;
    let kept: Vec<_> = notes.iter().map(|n| (n.content.as_str(), n.public)).collect();
    assert_eq!(kept, [("use list", false), ("for agents", true)]);
    assert!(s.scene.shows("Public answer by ada"), "{}", s.scene.text());
}

fn notes(s: &Sitting, id: &str) -> Vec<String> {
    let detail = s.desk.detail(&FeedbackId::trusted(id)).unwrap();
    detail.notes.iter().map(|note| note.content.clone()).collect()
}

#[test]
fn one_note_goes_under_every_selected_report() {
    let mut s = Sitting::begin(100, 24, desk());
    s.keys("space space n");
    assert!(s.scene.shows("Note under 2 reports") && s.scene.shows("need gamma"), "{}", s.scene.text());
    s.type_text("the same gap").keys("ctrl-s");
    assert!(s.scene.footer().contains("Note saved under 2 reports, which stay selected"), "{}", s.scene.footer());
    assert_eq!([notes(&s, "r3"), notes(&s, "r2")], [["the same gap"], ["the same gap"]]);
    assert!(notes(&s, "r1").is_empty() && s.scene.shows("2 selected"));
    s.keys("r");
    assert_eq!(s.desk.stats().unreviewed, 1, "both are marked with the next key");
    assert!(!s.scene.shows("need gamma") && s.scene.shows("need alpha"), "{}", s.scene.text());
}

#[test]
fn a_note_from_the_users_editor_goes_under_every_selected_report_too() {
    let mut s = Sitting::begin(100, 24, desk());
    s.keys("space j space N");
    let Some(Effect::Edit { subject, title, .. }) = s.desk.outside.last().cloned() else { panic!() };
    assert_eq!(title, "2 reports");
    s.send(Msg::Answer(Answer::Edited { subject, result: Ok("why".into()) }));
    assert_eq!([notes(&s, "r3"), notes(&s, "r1")], [["why"], ["why"]]);
    assert!(s.scene.model.unsaved.is_empty());
}

/// What was refused is sent again, and nothing twice.
#[test]
fn a_note_that_only_some_reports_have_taken_stays_for_the_others() {
    let mut s = Sitting::begin(100, 24, desk());
    s.keys("space space space n").type_text("why");
    // The second of three is refused.
    let effects = s.scene.key("ctrl-s");
    let mut submitted = 0;
    for effect in effects {
        submitted += usize::from(matches!(effect, Effect::Submit { .. }));
        s.desk.refuses = (submitted == 2).then(|| Refusal::new(RefusalKind::Storage, "the disk is full: make room"));
        for message in s.desk.carry_out(effect) {
            s.send(message);
        }
    }
    assert_eq!(submitted, 3);
    s.desk.refuses = None;
    assert!(s.scene.shows("why") && !s.scene.shows("under 3 reports"), "{}", s.scene.text());
    assert!(s.scene.footer().contains("not saved under each of the reports, its text is kept"), "{}", s.scene.footer());
    assert!(!s.scene.model.unsaved.is_empty());
    s.keys("ctrl-s");
    assert!(s.scene.footer().contains("Note saved"), "{}", s.scene.footer());
    assert_eq!([notes(&s, "r1"), notes(&s, "r2"), notes(&s, "r3")], [["why"], ["why"], ["why"]]);
    assert!(s.scene.model.unsaved.is_empty(), "{:?}", s.scene.model.unsaved);
}
