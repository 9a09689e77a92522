//! Moving through a list that is longer than the window, and with the mouse.

use super::session;
use crate::support::desk::{Desk, Sitting};
use crate::support::session::Session;
use crate::support::{TestEngine, record};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use patchwork::tui::message::{Answer, Effect, Msg};
use patchwork::tui::mirror::{PAGE, Side, WINDOW};
use patchwork::tui::model::Loading;
use proptest::prelude::*;
use ratatui::layout::Rect;
use serde_json::json;

/// More than the window, and no multiple of a page.
const REPORTS: i64 = 3_017;

async fn long() -> Session {
    let test = TestEngine::open().await;
    let ids = (0..REPORTS).map(|_| record(&test.engine, json!({"what_i_needed": "n", "what_i_tried": "t"})));
    futures::future::join_all(ids).await;
    Session::open(80, 44, test).await
}

fn n(s: &Session) -> i64 {
    s.scene.model.row().unwrap().n
}

/// The rows on the screen are neighbours in the list, and the cursor is among them.
fn check(s: &Session) {
    let model = &s.scene.model;
    let height = usize::from(model.layout().rows.height);
    let rows = model.mirror.rows();
    let shown: Vec<i64> = rows.iter().skip(model.inbox.offset).take(height).map(|row| row.n).collect();
    assert!(shown.windows(2).all(|pair| pair[0] == pair[1] + 1), "{shown:?}");
    assert!(shown.contains(&n(s)));
    assert!(shown.len() == height, "the screen is full");
    assert!(rows.len() <= WINDOW, "{} rows are kept", rows.len());
}

#[tokio::test]
async fn three_thousand_reports_are_walked_through_in_a_window() {
    let mut s = long().await;
    assert_eq!(n(&s), REPORTS);
    let step = i64::from(s.scene.model.layout().rows.height / 2);
    let mut at = REPORTS;
    while at > 1 {
        s.keys("ctrl-d").await;
        at = (at - step).max(1);
        assert_eq!(n(&s), at);
        check(&s);
    }
    assert!(s.scene.model.mirror.at_end() && !s.scene.model.mirror.at_start());
    while at < REPORTS {
        s.keys("ctrl-u").await;
        at = (at + step).min(REPORTS);
        assert_eq!(n(&s), at);
        check(&s);
    }
    s.keys("G").await;
    assert_eq!(n(&s), 1);
    check(&s);
    s.keys("k k k").await;
    assert_eq!(n(&s), 4);
    s.keys("g").await;
    assert_eq!(n(&s), REPORTS);
    check(&s);
}

#[tokio::test]
async fn arrivals_before_the_window_are_counted_and_g_goes_to_them() {
    let mut s = long().await;
    s.keys("G").await;
    record(&s.test.engine, json!({"what_i_needed": "brand new", "what_i_tried": "t"})).await;
    s.settle().await;
    assert!(s.scene.shows("1 new ↑"), "{}", s.scene.text());
    assert_eq!(n(&s), 1);
    s.keys("g").await;
    assert!(s.scene.shows("brand new"));
    assert_eq!(n(&s), REPORTS + 1);
    assert!(!s.scene.shows("new ↑"));
}

/// A desk with more reports than two pages.
fn desk() -> Desk {
    let mut desk = Desk::default();
    for _ in 0..2 * PAGE + 50 {
        desk.report(1, json!({"what_i_needed": "n", "what_i_tried": "t"}));
    }
    desk
}

/// Between the key and the answer the screen shows what it showed.
#[test]
fn the_way_to_the_top_does_not_lead_over_the_bottom() {
    let mut s = Sitting::begin(80, 24, desk());
    s.keys("G");
    s.keys("k k");
    let before = s.scene.selected();
    let effects = s.scene.key("g");
    assert_eq!(s.scene.selected(), before, "until the answer is here");
    for message in effects.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect::<Vec<_>>() {
        s.send(message);
    }
    assert_eq!(s.scene.selected().unwrap(), format!("r{}", 2 * PAGE + 50));
}

#[test]
fn rows_read_ahead_come_in_while_the_cursor_moves_on() {
    let mut s = Sitting::begin(80, 24, desk());
    let mut asked = Vec::new();
    for _ in 0..PAGE {
        asked.extend(s.scene.key("j").into_iter().filter(|e| matches!(e, Effect::ReadPage { .. })));
    }
    assert_eq!(asked.len(), 1, "one question at a time");
    assert!(matches!(asked[0], Effect::ReadPage { side: Side::Below, .. }));
    assert_eq!(s.scene.model.inbox.cursor, PAGE - 1, "the end of what is there");
    for message in s.desk.carry_out(asked.remove(0)) {
        s.send(message);
    }
    assert_eq!(s.scene.model.mirror.rows().len(), 2 * PAGE);
    assert_eq!(s.scene.model.inbox.loading, Loading::Nothing, "the rest is far away");
}

#[test]
fn a_page_of_another_filter_is_not_mixed_in() {
    let mut s = Sitting::begin(80, 24, desk());
    let mut asked = Vec::new();
    for _ in 0..PAGE {
        asked.extend(s.scene.key("j").into_iter().filter(|e| matches!(e, Effect::ReadPage { .. })));
    }
    s.keys("u");
    let rows = s.scene.model.mirror.rows().len();
    for message in s.desk.carry_out(asked.remove(0)) {
        assert!(matches!(message, Msg::Answer(Answer::Page { .. })));
        s.send(message);
    }
    assert_eq!(s.scene.model.mirror.rows().len(), rows);
}

#[tokio::test]
async fn a_click_selects_a_second_one_opens_the_wheel_moves() {
    let mut s = session(&["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let row = u16::try_from(s.line_of("e")).unwrap();
    s.scene.click(10, row);
    assert_eq!(s.selected(), "e");
    s.scene.mouse(MouseEventKind::ScrollDown, 10, row);
    assert_eq!(s.selected(), "b");
    s.scene.mouse(MouseEventKind::ScrollUp, 10, row);
    assert_eq!(s.selected(), "e");
    let row = u16::try_from(s.line_of("e")).unwrap();
    s.scene.click(10, row);
    s.keys("space").await;
    assert!(!s.scene.shows("selected"), "the keys are in the report now");
    s.keys("esc space").await;
    assert!(s.scene.shows("1 selected"));
    for (column, row) in [(0, 0), (79, 23), (500, 500), (10, 22)] {
        s.scene.click(column, row);
    }
}

/// Everything a person or a terminal can do.
fn anything() -> impl Strategy<Value = Msg> {
    let name = prop::sample::select(
        &[
            "j",
            "k",
            "g",
            "G",
            "ctrl-d",
            "ctrl-u",
            "enter",
            "esc",
            "tab",
            "space",
            "r",
            "u",
            "z",
            "n",
            "N",
            "d",
            "D",
            "x",
            "o",
            "y",
            "/",
            "1",
            "3",
            "T",
            "?",
            "q",
            "ctrl-s",
            "ctrl-c",
            "ctrl-z",
            "backspace",
            "left",
            "right",
            "up",
            "down",
            "home",
            "end",
            "pageup",
            "pagedown",
            "h",
            "l",
            "a",
            ":",
            "\"",
            "-",
            "日",
            "\u{301}",
            "ctrl-j",
            "ctrl-m",
            "ctrl-w",
            "alt-]",
        ][..],
    );
    let mouse = prop::sample::select(
        &[
            MouseEventKind::Down(MouseButton::Left),
            MouseEventKind::Up(MouseButton::Left),
            MouseEventKind::ScrollUp,
            MouseEventKind::ScrollDown,
            MouseEventKind::Moved,
        ][..],
    );
    let paste =
        prop::sample::select(&["gap:", "is:reviewed", "two\nlines", "\u{1b}[2J\u{202e}x", "日本語テキスト"][..]);
    prop_oneof![
        12 => name.prop_map(|name| Msg::Key(crate::support::scene::key(name))),
        1 => any::<char>().prop_map(|c| Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))),
        2 => (mouse, 0..210_u16, 0..70_u16).prop_map(|(kind, column, row)| {
            Msg::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
        }),
        1 => paste.prop_map(|text| Msg::Paste(text.to_owned())),
        1 => (1..=200_u16, 1..=60_u16).prop_map(|(width, height)| Msg::Resize(width, height)),
        1 => Just(Msg::Tick),
    ]
}

#[derive(Debug, Clone)]
enum Turn {
    Press(Box<Msg>),
    Arrive,
}

fn a_few() -> Desk {
    use patchwork::domain::draft::{DraftState, Stage};
    let mut desk = Desk::default();
    for i in 0..30 {
        let needed = if i % 5 == 0 { "日本語\u{1b}[31m\n".repeat(20) } else { format!("need {i}") };
        desk.report(i, json!({"what_i_needed": needed, "what_i_tried": "t", "server_name": if i % 2 == 0 { "billing" } else { "docs" }}));
    }
    let ids: Vec<_> = desk.reports.iter().map(|d| d.feedback.id.clone()).collect();
    desk.run(&ids[29], 3, DraftState::Running { stage: Stage::Model });
    desk.run(&ids[28], 2, crate::support::desk::published("https://example.org/1"));
    desk.run(&ids[27], 1, DraftState::Failed { stage: Stage::Check, reason: "no".into() });
    desk
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_keys_at_any_size_end_well(
        (width, height) in (1..=200_u16, 1..=60_u16),
        turns in prop::collection::vec(prop_oneof![8 => anything().prop_map(|m| Turn::Press(Box::new(m))), 1 => Just(Turn::Arrive)], 1..60),
    ) {
        let mut s = Sitting::begin(width, height, a_few());
        for turn in turns {
            match turn {
                Turn::Press(message) => s.send(*message),
                Turn::Arrive => s.arrive(json!({"what_i_needed": "new", "what_i_tried": "t"})),
            }
            let model = &s.scene.model;
            let (inbox, rows) = (&model.inbox, model.mirror.rows().len());
            prop_assert!(inbox.cursor < rows.max(1), "cursor {} of {rows}", inbox.cursor);
            prop_assert!(inbox.offset <= inbox.cursor && inbox.held <= inbox.cursor, "{} {} {}", inbox.offset, inbox.held, inbox.cursor);
            prop_assert!(inbox.cursor - inbox.offset < usize::from(model.layout().rows.height).max(1));
            let layout = model.layout();
            for part in [layout.header, layout.bar, layout.rows, layout.rule, layout.text, layout.panel, layout.footer] {
                prop_assert_eq!(part.intersection(model.size), part, "nothing sticks out");
            }
            prop_assert!(overlaps(&[layout.bar, layout.rows, layout.rule, layout.text, layout.panel]).is_none());
            let lines = s.scene.lines();
            prop_assert!(lines.iter().all(|line| !line.contains(['\u{1b}', '\u{202e}'])), "{lines:?}");
        }
    }
}

fn overlaps(parts: &[Rect]) -> Option<(Rect, Rect)> {
    let filled: Vec<&Rect> = parts.iter().filter(|part| !part.is_empty()).collect();
    filled
        .iter()
        .enumerate()
        .flat_map(|(i, a)| filled[i + 1..].iter().map(move |b| (**a, **b)))
        .find(|(a, b)| a.intersects(*b))
}

/// The end of a report that is not read yet is its end once it is.
#[test]
fn the_end_of_a_report_can_be_asked_for_before_it_is_read() {
    let mut desk = Desk::default();
    desk.report(1, json!({"what_i_needed": "line\n".repeat(100), "what_i_tried": "the end"}));
    let mut scene = crate::support::scene::Scene::new(80, 24);
    let begun = std::mem::take(&mut scene.begun);
    let answers: Vec<Msg> = begun.into_iter().flat_map(|effect| desk.carry_out(effect)).collect();
    let read: Vec<Effect> = answers.into_iter().flat_map(|answer| scene.send(answer)).collect();
    scene.key("enter");
    scene.key("G");
    assert!(!scene.shows("the end"));
    let mut s = Sitting { scene, desk };
    for message in read.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect::<Vec<_>>() {
        s.send(message);
    }
    assert!(s.scene.shows("the end"), "{}", s.scene.text());
}
