//! Typing a filter.

use super::{record_named, session};
use crate::support::desk::{Desk, Sitting};
use crate::support::{TestEngine, record, session::Session};
use patchwork::tui::message::{Effect, Msg};
use serde_json::json;

async fn servers() -> Session {
    let test = TestEngine::open().await;
    for (id, server, gap) in [
        ("a", "billing", "missing_tool"),
        ("b", "docs", "missing_parameter"),
        ("c", "billing-eu", "wrong_format"),
        ("d", "docs", "missing_tool"),
    ] {
        let json = json!({"id": id, "what_i_needed": format!("need {id}"), "what_i_tried": "t", "server_name": server, "gap_type": gap});
        record(&test.engine, json).await;
    }
    Session::open(80, 24, test).await
}

#[tokio::test]
async fn results_follow_every_key() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("server:docs").await;
    assert_eq!(s.rows(), ["d", "b"], "before enter is pressed");
    s.type_text(" gap:missing_tool").await;
    assert_eq!(s.rows(), ["d"]);
    s.keys("enter").await;
    assert!(s.scene.shows("server:docs gap:missing_tool is:unreviewed"), "{}", s.scene.text());
    s.keys("/ ctrl-w ctrl-w ctrl-w").await;
    s.keys("enter").await;
    assert_ne!(s.rows(), ["d"], "the line is taken up where it was left");
}

/// On the way to a key or a name nothing is searched for, so the list does not go away under the eye.
#[tokio::test]
async fn the_beginning_of_a_key_or_a_name_is_not_searched_for() {
    let mut s = servers().await;
    s.keys("/").await;
    for c in "server:docs".chars() {
        s.type_text(&c.to_string()).await;
        assert!(s.rows().len() == 4 || s.rows() == ["d", "b"], "after {c}: {:?}", s.rows());
    }
    assert_eq!(s.rows(), ["d", "b"]);
    s.keys("ctrl-w ctrl-w ctrl-w").await;
    s.type_text("server:billing").await;
    assert_eq!(s.rows(), ["a"], "a whole name, although there is a longer one");
    s.type_text("-e").await;
    assert_eq!(s.rows(), ["a"], "on the way to the longer one");
    s.type_text("u").await;
    assert_eq!(s.rows(), ["c"]);
    s.keys("esc /").await;
    s.type_text("need").await;
    assert_eq!(s.rows().len(), 4);
    s.type_text(" has").await;
    assert_eq!(s.rows().len(), 4, "has: may follow");
    s.keys("enter").await;
    assert_eq!(s.rows().len(), 0, "or the word was meant");
}

#[tokio::test]
async fn escape_brings_the_list_back_as_it_was() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("server:docs").await;
    s.keys("enter").await;
    s.keys("/").await;
    s.type_text(" gap:missing_parameter").await;
    assert_eq!(s.rows(), ["b"]);
    s.keys("esc").await;
    assert_eq!(s.rows(), ["d", "b"]);
    assert!(s.scene.shows("server:docs is:unreviewed"));
    s.keys("j r").await;
    assert_eq!(s.rows(), ["d"], "the keys are keys again");
}

#[tokio::test]
async fn a_mistake_leaves_the_list_as_it_was_and_says_what_could_be_meant() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("server:docs ").await;
    assert_eq!(s.rows(), ["d", "b"]);
    // In one go: letter by letter, `g`, `ga` and `gap` are words to search for.
    s.send(Msg::Paste("gap:missing_tol ".into())).await;
    assert_eq!(s.rows(), ["d", "b"]);
    assert!(s.scene.shows("did you mean `missing_tool`"), "{}", s.scene.text());
    s.keys("enter").await;
    assert!(s.scene.shows("did you mean `missing_tool`"), "it can't be kept");
    s.keys("tab").await;
    assert_eq!(s.rows(), ["d"], "tab takes the correction");
    assert!(!s.scene.shows("did you mean"), "{}", s.scene.text());
    s.keys("enter").await;
    assert!(s.scene.shows("server:docs gap:missing_tool is:unreviewed"), "{}", s.scene.text());
}

#[tokio::test]
async fn tab_completes_keys_and_then_names_that_exist() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("se").await;
    s.keys("tab").await;
    assert!(s.scene.lines()[1].contains("/ server:"), "{}", s.scene.text());
    s.type_text("bi").await;
    s.keys("tab").await;
    assert!(s.scene.lines()[1].contains("server:billing"), "{}", s.scene.text());
    let once = s.rows();
    s.keys("tab").await;
    assert!(s.scene.lines()[1].contains("server:billing"), "{}", s.scene.text());
    let mut both = [once, s.rows()].concat();
    both.sort();
    assert_eq!(both, ["a", "c"], "again: the next one");
    s.keys("esc").await;
    assert_eq!(s.rows().len(), 4);
}

/// A key completed by tab is one to go on from: its values are next.
#[tokio::test]
async fn after_a_completed_key_tab_goes_on_with_its_values() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("ga").await;
    s.keys("tab tab").await;
    assert!(s.scene.lines()[1].contains("/ gap:missing_tool"), "{}", s.scene.text());
    assert_eq!(s.rows(), ["d", "a"]);
}

#[tokio::test]
async fn an_open_quote_is_closed_by_tab() {
    let mut s = servers().await;
    s.keys("/").await;
    s.type_text("\"need a").await;
    s.keys("tab").await;
    assert_eq!(s.rows(), ["a"]);
}

#[tokio::test]
async fn pasted_lines_are_one_line_of_a_filter() {
    let mut s = servers().await;
    s.keys("/").await;
    s.send(Msg::Paste("server:docs\ngap:missing_tool".into())).await;
    assert_eq!(s.rows(), ["d"]);
}

#[tokio::test]
async fn the_selected_report_stays_selected_when_the_filter_lets_it() {
    let mut s = session(&["a", "b", "c", "d"]).await;
    s.keys("j j").await;
    assert_eq!(s.selected(), "b");
    s.keys("/").await;
    s.type_text("need").await;
    assert_eq!(s.selected(), "b");
    s.type_text(" a").await;
    assert_eq!(s.selected(), "a", "else the first one");
    record_named(&s.test.engine, &["e"]).await;
    s.settle().await;
    s.keys("esc g").await;
    assert_eq!(s.selected(), "e");
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    for server in ["billing", "docs", "billing"] {
        desk.report(1, json!({"what_i_needed": "n", "what_i_tried": "t", "server_name": server}));
    }
    desk
}

/// What a screen asks for while keys are pressed faster than answers come.
fn asked(effects: Vec<Effect>) -> Vec<Effect> {
    effects.into_iter().filter(|e| matches!(e, Effect::ReadPage { .. })).collect()
}

#[test]
fn only_the_newest_question_is_answered() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("/");
    let mut questions = asked(s.scene.type_text("docs"));
    assert_eq!(questions.len(), 4, "one for every letter");
    let last = questions.pop().unwrap();
    let ids = |s: &Sitting| s.scene.model.mirror.rows().iter().map(|r| r.id.to_string()).collect::<Vec<_>>();
    for stale in questions {
        for message in s.desk.carry_out(stale) {
            s.send(message);
        }
        assert_eq!(ids(&s), ["r3", "r2", "r1"], "a stale answer changes nothing");
    }
    for message in s.desk.carry_out(last) {
        s.send(message);
    }
    assert_eq!(ids(&s), ["r2"]);
}
