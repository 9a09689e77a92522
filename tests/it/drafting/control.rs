//! Who may start and stop what: re-drafts, a second start, cancelling from here and from another process.

use crate::support::fake::anthropic::{Reply, text_of};
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::PUSH_REFS;
use crate::support::fake::world::{World, branches, start};
use crate::support::fake::{Fault, Gate, TIME};
use crate::support::me;
use futures::StreamExt;
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::domain::id::DraftId;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::{Command, EventKind, RefusalKind, Signal};
use serde_json::json;

const HALF: &str = "{\"title\": \"Add a date range\", \"summ";

fn stalls() -> Reply {
    Reply::begins(HALF, Piece::Stall)
}

async fn cancel(engine: &Engine, draft: &DraftId) {
    engine.submit(new_command_id(), me(), Command::CancelDraft { draft: draft.clone() }).await.unwrap();
}

#[tokio::test]
async fn a_re_draft_is_a_run_of_its_own_that_sees_new_notes_and_the_last_change() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    let (first, first_out) = world.publish(&id).await;
    let refused = world.start(&id, false).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Conflict, "{refused:?}");

    world.note(&id, "Name it `between`, please.").await;
    let files = json!([{"path": "src/between.py", "action": "create", "content": "BETWEEN = 2\n", "edits": []}]);
    world.anthropic.reply(Reply::change("Add between", &files));
    let (second, second_out) = world.publish(&id).await;
    assert_eq!((first.draft.number, second.draft.number), (1, 2));
    let turn = text_of(&world.anthropic.requests()[1]["messages"][0]);
    let place = |text: &str| turn.find(text).unwrap_or_else(|| panic!("{text} is not in:\n{turn}"));
    assert!(place("Name it `between`") < place("a date range for search_costs"));
    assert!(place("a date range for search_costs") < place("+RANGE = 1") && turn.contains(&first_out.pr_url));
    assert!(!text_of(&world.anthropic.requests()[0]["messages"][0]).contains("previous_draft"));

    let pulls = world.github.pulls();
    assert_eq!(pulls.iter().map(|p| &p["state"]).collect::<Vec<_>>(), ["open", "open"], "the old one stays");
    assert!(pulls[1]["body"].as_str().unwrap().contains(&format!("Draft 2 replaces {}.", first_out.pr_url)));
    assert_eq!(branches(&world.bare()).len(), 2);
    assert_eq!(world.engine.feedback(&id).await.unwrap().feedback.pr_url, second_out.pr_url, "the newest");
    assert_eq!(world.engine.draft(&first.draft.id).await.unwrap(), first, "history keeps all");
}

#[tokio::test]
async fn one_report_has_one_running_draft() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(stalls());
    let draft = world.start(&id, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    for force in [false, true] {
        let refused = world.start(&id, force).await.unwrap_err();
        assert_eq!(refused.kind, RefusalKind::Conflict);
        assert!(refused.detail.contains("running") && refused.detail.contains("--stop"), "{refused:?}");
    }
    cancel(&world.engine, &draft).await;
    world.end_of(&draft).await;
    assert_eq!(world.engine.drafts(Some(&id)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn cancelling_while_the_model_speaks_ends_the_request_at_once() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(stalls());
    let before = world.engine.feedback(&id).await.unwrap();
    let draft = world.start(&id, false).await.unwrap();
    let mut signals = world.engine.watch(world.engine.hello().seq);
    let streamed = async {
        loop {
            if let Some(Signal::Progress(progress)) = signals.next().await
                && progress.bytes >= HALF.len() as i64
            {
                return progress.tail;
            }
        }
    };
    let tail = tokio::time::timeout(TIME, streamed).await.unwrap();
    assert!(tail.contains("Add a date range"), "{tail}");
    cancel(&world.engine, &draft).await;
    world.anthropic.until_abandoned(1).await;
    let detail = world.end_of(&draft).await;
    assert_eq!(detail.draft.state, DraftState::Cancelled { stage: Some(Stage::Model) });
    assert_eq!(world.engine.feedback(&id).await.unwrap(), before);
    world.assert_clean();
    let again = world.engine.submit(new_command_id(), me(), Command::CancelDraft { draft }).await.unwrap_err();
    assert_eq!(again.kind, RefusalKind::Conflict);
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn another_process_can_cancel_too() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(stalls());
    let draft = world.start(&id, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    let guest = world.engine_as(Mode::Guest).await;
    cancel(&guest, &draft).await;
    world.anthropic.until_abandoned(1).await;
    let detail = world.end_of(&draft).await;
    assert_eq!(detail.draft.state.word(), "cancelled");
    guest.close().await;
    world.assert_clean();
}

#[tokio::test]
async fn the_owner_can_cancel_what_another_process_runs() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(stalls());
    let guest = world.engine_as(Mode::Guest).await;
    let draft = start(&guest, &id, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    let refused = world.start(&id, true).await.unwrap_err();
    assert_eq!(refused.kind, RefusalKind::Conflict);
    cancel(&world.engine, &draft).await;
    world.anthropic.until_abandoned(1).await;
    tokio::time::timeout(TIME, guest.until_idle()).await.unwrap();
    assert_eq!(world.engine.draft(&draft).await.unwrap().draft.state.word(), "cancelled");
    guest.close().await;
    world.assert_clean();
}

/// The command line's run when that process dies beside an open screen: nobody tells the owner, and the report must not stand there as
/// "being drafted" until the owner is started anew.
#[tokio::test]
async fn the_owner_goes_on_with_the_run_of_a_process_that_is_gone() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(stalls());
    let guest = world.engine_as(Mode::Guest).await;
    let draft = start(&guest, &id, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    // Closing leaves the run as it is, as dying does.
    guest.close().await;
    world.good_reply();
    let mut feed = world.engine.watch(world.engine.hello().seq);
    let is_out = |s: &Signal| matches!(s, Signal::Event(event) if event.kind == EventKind::DraftPublished);
    let published = async { while !feed.next().await.is_some_and(|signal| is_out(&signal)) {} };
    tokio::time::timeout(TIME, published).await.expect("nobody went on with it");
    let detail = world.end_of(&draft).await;
    assert_eq!(detail.draft.state.word(), "published");
    assert_eq!((world.anthropic.asked(), branches(&world.bare()).len()), (2, 1));
    world.assert_clean();
}

#[tokio::test]
async fn cancelling_before_the_push_leaves_nothing_outside() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    let gate = Gate::default();
    world.git.fail(PUSH_REFS, Fault::Hold(gate.clone()));
    let draft = world.start(&id, false).await.unwrap();
    gate.reached().await;
    cancel(&world.engine, &draft).await;
    let detail = world.end_of(&draft).await;
    assert_eq!(detail.draft.state, DraftState::Cancelled { stage: Some(Stage::Publish) });
    gate.open();
    assert!(branches(&world.bare()).is_empty() && world.github.pulls().is_empty());
    assert!(!world.engine.feedback(&id).await.unwrap().feedback.drafted);
    world.assert_clean();
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn runs_beyond_the_limit_wait_and_can_be_cancelled_while_they_do() {
    let world = World::with(|config, _| config.draft.parallel = 1).await;
    let (first, second, third) =
        (world.report(json!({})).await, world.report(json!({})).await, world.report(json!({})).await);
    world.anthropic.reply(stalls());
    let running = world.start(&first, false).await.unwrap();
    world.anthropic.until_stalled(1).await;
    let waiting = world.start(&second, false).await.unwrap();
    let cancelled = world.start(&third, false).await.unwrap();
    cancel(&world.engine, &cancelled).await;
    let words = [&running, &waiting, &cancelled].map(|id| world.engine.draft(id));
    let words: Vec<_> = futures::future::join_all(words).await.into_iter().map(|d| d.unwrap().draft.state).collect();
    assert_eq!(words.iter().map(DraftState::word).collect::<Vec<_>>(), ["running", "queued", "cancelled"]);
    world.good_reply();
    cancel(&world.engine, &running).await;
    world.end_of(&waiting).await;
    assert_eq!(world.engine.draft(&waiting).await.unwrap().draft.state.word(), "published");
    assert_eq!(world.anthropic.asked(), 2, "the third never began");
}
