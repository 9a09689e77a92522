//! Reads that fail: said once, and not asked again before somebody presses a key. Asking at once would be a loop at full speed.

use crate::support::desk::{Desk, Sitting};
use crate::support::scene::Scene;
use patchwork::domain::draft::DraftState;
use patchwork::protocol::{Refusal, RefusalKind};
use patchwork::tui::message::{Answer, Effect, Msg};
use patchwork::tui::mirror::PAGE;
use serde_json::json;

fn refusal() -> Refusal {
    Refusal::new(RefusalKind::Storage, "the file is gone: put it back")
}

/// The answer of an engine that can't read.
fn failed(effect: &Effect) -> Answer {
    match effect.clone() {
        Effect::Begin { generation, request } => {
            Answer::Snapshot { generation, filter: request.filter, result: Err(refusal()) }
        }
        Effect::ReadPage { generation, filter, side, .. } => {
            Answer::Page { generation, filter, side, result: Err(refusal()) }
        }
        Effect::ReadFeedback(id) => Answer::Feedback { id, result: Err(refusal()) },
        Effect::ReadDifference { asked, .. } => Answer::Difference { asked, result: Err(refusal()) },
        Effect::ReadDraft(id) => Answer::Draft { id, result: Err(refusal()) },
        other => panic!("not a read: {other:?}"),
    }
}

/// More reports than a page, and a run.
fn desk() -> Desk {
    let mut desk = Desk::default();
    for _ in 0..PAGE + 10 {
        desk.report(1, json!({"what_i_needed": "need it", "what_i_tried": "tried it"}));
    }
    let newest = desk.reports.last().unwrap().feedback.id.clone();
    desk.run(&newest, 1, DraftState::Queued);
    desk
}

fn all_fail(scene: &mut Scene, effects: &[Effect]) {
    for effect in effects {
        assert_eq!(scene.answer(failed(effect)), [], "asked again at once");
    }
    assert!(scene.footer().contains("the file is gone: put it back"), "{}", scene.footer());
}

#[test]
fn the_first_snapshot() {
    let mut scene = Scene::new(80, 24);
    let begun = std::mem::take(&mut scene.begun);
    all_fail(&mut scene, &begun);
    let again = scene.key("j");
    assert!(matches!(again[..], [Effect::Begin { .. }]), "a key tries again: {again:?}");
    scene.begun = again;
    assert!(Sitting::with(scene, desk()).scene.shows("need it"));
}

#[test]
fn reports_in_view() {
    let (mut scene, mut desk) = (Scene::new(80, 24), desk());
    let begun = std::mem::take(&mut scene.begun);
    let answers: Vec<Msg> = begun.into_iter().flat_map(|effect| desk.carry_out(effect)).collect();
    let effects: Vec<Effect> = answers.into_iter().flat_map(|answer| scene.send(answer)).collect();
    let reads: Vec<Effect> = effects.into_iter().filter(|e| matches!(e, Effect::ReadFeedback(_))).collect();
    assert_eq!(reads.len(), 2, "the report under the cursor and the next one");
    all_fail(&mut scene, &reads);
    scene.begun = scene.key("k");
    assert!(Sitting::with(scene, desk).scene.shows("tried it"), "a key tries again");
}

#[test]
fn the_next_page() {
    let mut s = Sitting::begin(80, 24, desk());
    let mut reads: Vec<Effect> = Vec::new();
    while reads.is_empty() {
        let effects = s.scene.key("j");
        let (pages, rest): (Vec<_>, Vec<_>) = effects.into_iter().partition(|e| matches!(e, Effect::ReadPage { .. }));
        reads = pages;
        for message in rest.into_iter().flat_map(|effect| s.desk.carry_out(effect)).collect::<Vec<_>>() {
            s.scene.send(message);
        }
    }
    all_fail(&mut s.scene, &reads);
    s.keys("j");
    assert_eq!(s.scene.model.mirror.rows().len(), PAGE + 10, "a key tries again");
}

#[test]
fn the_run_in_view() {
    let mut s = Sitting::begin(80, 24, desk());
    let reads = s.scene.key("3");
    assert!(matches!(reads[..], [Effect::ReadDraft(_)]), "{reads:?}");
    all_fail(&mut s.scene, &reads);
    s.keys("j");
    assert!(s.scene.shows("Draft 1 for unknown"), "a key tries again");
}
