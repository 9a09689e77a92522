//! A change whose `verify` failed: nowhere does it look like one that is fine, and everywhere stands the key that publishes it.

use super::review::bench;
use crate::support::desk::{Sitting, published};
use patchwork::domain::draft::{DraftState, Stage, StageRecord, Verdict};
use patchwork::domain::id::DraftId;
use patchwork::protocol::{Command, EventKind};
use patchwork::tui::message::Effect;
use ratatui::style::Style;

fn line(s: &Sitting, with: &str) -> String {
    s.scene
        .lines()
        .into_iter()
        .find(|line| line.contains(with))
        .unwrap_or_else(|| panic!("{with}:\n{}", s.scene.text()))
}

/// The colours of a line that holds `with`, from there on.
fn style(s: &Sitting, with: &str) -> Style {
    for line in s.scene.cells() {
        let text: String = line.iter().map(|(symbol, _)| symbol.as_str()).collect();
        if let Some(at) = text.find(with) {
            return line[text[..at].chars().count()].1;
        }
    }
    panic!("{with}:\n{}", s.scene.text())
}

fn d1() -> DraftId {
    DraftId::trusted("d1")
}

fn news(s: &mut Sitting, kind: EventKind) {
    let news = s.desk.about_run(kind, "", &d1());
    s.send(news);
}

/// A change that waits, and how its `verify` ended.
fn verified(w: u16, h: u16, verdict: Verdict) -> Sitting {
    let mut s = bench(w, h);
    let run = s.desk.run_mut(&d1());
    run.draft.verdict = Some(verdict);
    let check = run.stages.iter().position(|record| record.stage == Stage::Check).unwrap();
    let verify = StageRecord { stage: Stage::Verify, ..run.stages[check].clone() };
    run.stages.insert(check + 1, verify);
    news(&mut s, EventKind::DraftReviewEdited);
    s
}

fn red(w: u16, h: u16) -> Sitting {
    verified(w, h, Verdict::Failed)
}

#[test]
fn what_is_said_of_a_key_beside_the_list_is_true_there() {
    let mut s = red(120, 40);
    s.keys("esc");
    assert!(s.scene.shows("v shows the change, P there publishes it"), "{}", s.scene.text());
    s.keys("v");
    assert!(s.scene.shows("only P publishes this"), "{}", s.scene.text());
}

#[test]
fn the_run_marks_the_stage_that_failed() {
    let mut s = red(120, 40);
    s.keys("v");
    assert!(line(&s, "Verify the change").contains("✗ Verify the change: failed"), "{}", s.scene.text());
    assert_eq!(style(&s, "✗ Verify the change"), style(&s, "`verify` failed"), "in the colour of what is wrong");
    assert!(line(&s, "Check the change").contains("✓ Check the change"), "{}", s.scene.text());
    let mut s = verified(120, 40, Verdict::Passed);
    s.keys("v");
    assert!(s.scene.shows("✓ Verify the change  "), "{}", s.scene.text());
}

#[test]
fn the_panel_beside_the_report_marks_it_too_and_keeps_to_its_width() {
    for (w, h) in [(40, 12), (60, 24), (80, 24), (120, 40), (160, 40)] {
        let mut s = red(w, h);
        s.keys("1 enter");
        let steps = line(&s, "Draft 1 ");
        assert!(steps.contains(if w == 40 { "✗ verify  " } else { "✗ verify failed  " }), "{w}×{h}: {steps}");
        assert!(steps.contains("? review") && steps.trim_end().ends_with(['·', 'h']), "{w}×{h}, to its end: {steps}");
    }
}

/// However narrow, the stage that matters and the end of the row are there.
#[test]
fn the_steps_of_a_run_are_never_cut() {
    for w in 40..=140 {
        let mut s = verified(w, 40, Verdict::Passed);
        s.keys("1 enter");
        let steps = line(&s, "Draft 1 ");
        let last = steps.trim_end().rsplit("  ").next().unwrap();
        assert!(steps.contains("? review"), "{w}: {steps}");
        assert!(last.ends_with('·') || last == "· publish", "{w}: {steps}");
    }
}

#[test]
fn the_list_of_drafts_tells_it_at_every_width() {
    for (w, h) in [(40, 12), (80, 24), (120, 40)] {
        let mut s = red(w, h);
        s.keys("esc");
        let row = &s.scene.lines()[1];
        assert!(row.contains("verify ✗"), "{w}×{h}: {row}");
    }
}

#[test]
fn a_published_one_stays_red() {
    let mut s = red(120, 40);
    s.desk.run_mut(&d1()).draft.state = published("https://github.com/ada/billing/pull/1");
    news(&mut s, EventKind::DraftPublished);
    s.keys("1 enter");
    assert!(line(&s, "Draft 1 ").contains("✗ verify failed"), "{}", s.scene.text());
}

#[test]
fn what_waits_says_which_key_publishes_it() {
    let mut s = red(120, 40);
    s.keys("v");
    let on_run = "`verify` failed: v shows the change, P there publishes it";
    assert!(s.scene.shows(on_run), "{}", s.scene.text());
    s.keys("v");
    let sent = s.scene.key("P");
    assert!(
        matches!(&sent[..], [Effect::Submit { command: Command::PublishDraft { despite_failure: true, .. }, .. }]),
        "{sent:?}"
    );
    let mut s = red(120, 40);
    s.keys("1 enter");
    assert!(s.scene.shows("`verify` failed: 3 opens it, P there publishes it"), "{}", s.scene.text());
    let mut s = bench(120, 40);
    s.keys("v");
    assert!(!s.scene.shows(on_run) && s.scene.shows("waits for your review"), "{}", s.scene.text());
}

#[test]
fn the_announcement_does_not_make_it_look_fine() {
    let mut s = red(120, 40);
    s.keys("1");
    s.desk.run_mut(&d1()).draft.state = DraftState::Running { stage: Stage::Verify };
    news(&mut s, EventKind::DraftStageStarted);
    s.desk.run_mut(&d1()).draft.state = DraftState::Waiting { trouble: String::new() };
    news(&mut s, EventKind::DraftWaiting);
    let said = s.scene.footer();
    assert!(said.contains("`verify` failed") && said.contains("3 opens it"), "{said}");
}
