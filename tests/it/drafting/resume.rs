//! A run whose process died, and the world went on before the next owner came: notes, the base branch, the cache, a cancellation. Dying at
//! every point in turn is in `crash` and `cut`.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::PUSH_REFS;
use crate::support::fake::world::{World, engine, owner, published, start};
use crate::support::fake::{Fault, Gate, TIME};
use crate::support::git::git;
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::engine::Engine;
use serde_json::json;
use tokio::runtime::Runtime;

/// An owner with a runtime of its own, so that it can be killed: every task and child process stops where it is.
pub struct Doomed {
    runtime: Runtime,
    engine: Engine,
}

impl Doomed {
    /// Takes the database over from the world's engine.
    pub async fn open(world: &World) -> Self {
        world.engine.close().await;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (dir, config, secrets) = (world.dir.path().to_owned(), world.config.clone(), world.secrets.clone());
        let waits = world.waits.clone();
        let opened = runtime.spawn(async move { engine(&dir, &config, &secrets, &waits, owner()).await });
        let engine = tokio::time::timeout(TIME, opened).await.unwrap().unwrap();
        Self { runtime, engine }
    }

    /// Does the same and starts a run.
    pub async fn start(world: &World, report: &FeedbackId) -> (Self, DraftId) {
        let doomed = Self::open(world).await;
        let report = report.clone();
        let draft = doomed.act(async move |engine| start(&engine, &report, true).await.unwrap()).await;
        (doomed, draft)
    }

    /// Lets it do something: what is started by that belongs to its runtime.
    pub async fn act<T: Send + 'static, F>(&self, act: impl FnOnce(Engine) -> F) -> T
    where
        F: Future<Output = T> + Send + 'static,
    {
        let acting = self.runtime.spawn(act(self.engine.clone()));
        tokio::time::timeout(TIME, acting).await.unwrap().unwrap()
    }

    /// Without a goodbye; returns when nothing of it is left.
    pub async fn die(self) {
        tokio::task::spawn_blocking(move || drop(self)).await.unwrap();
    }
}

#[tokio::test]
async fn a_run_that_died_while_the_model_spoke_asks_again_with_the_notes_of_now() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::begins("{\"title\": \"Ha", Piece::Stall));
    let (doomed, draft) = Doomed::start(&world, &id).await;
    world.anthropic.until_stalled(1).await;
    doomed.die().await;
    world.anthropic.until_abandoned(1).await;
    world.good_reply();
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let detail = world.end_of(&draft).await;
    published(&detail);
    assert_eq!((world.anthropic.asked(), world.github.pulls().len()), (2, 1));
    world.assert_clean();
}

#[tokio::test]
async fn an_answer_that_is_being_mended_is_not_paid_for_twice() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    let wrong = json!([{"path": "../x.py", "action": "create", "content": "x\n", "edits": []}]);
    world.anthropic.reply(Reply::change("Wrong", &wrong)).reply(Reply::begins("{\"title\": \"Ha", Piece::Stall));
    let (doomed, draft) = Doomed::start(&world, &id).await;
    world.anthropic.until_stalled(1).await;
    doomed.die().await;
    world.good_reply();
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let detail = world.end_of(&draft).await;
    published(&detail);
    let requests = world.anthropic.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        requests[2]["messages"].as_array().unwrap().len(),
        3,
        "the repair is asked for again, not the whole change"
    );
    assert_eq!(detail.draft.usage.output_tokens, 84, "the first answer still counts");
    world.assert_clean();
}

#[tokio::test]
async fn a_base_that_moved_under_a_saved_change_does_not_lose_other_peoples_work() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    let files = json!([{"path": "README.md", "action": "edit", "content": null, "edits": [{"search": "# Billing", "replace": "# Costs"}]}]);
    world.anthropic.reply(Reply::change("Rename", &files));
    let gate = Gate::default();
    world.git.fail(PUSH_REFS, Fault::Hold(gate.clone()));
    let (doomed, draft) = Doomed::start(&world, &id).await;
    gate.reached().await;
    doomed.die().await;
    gate.open();
    // Somebody merges something into the very file.
    std::fs::write(world.checkout().join("README.md"), "# Billing\n\nTools: `search_costs`.\n\nNew words.\n").unwrap();
    git(&world.checkout(), &["commit", "--quiet", "-am", "More words"]);
    git(&world.checkout(), &["push", "--quiet", world.bare().to_str().unwrap(), "main"]);
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let published = published(&world.end_of(&draft).await);
    let (base, branch) = (git(&world.bare(), &["merge-base", "main", &published.branch]), &published.branch);
    let stat = git(&world.bare(), &["diff", "--numstat", &base, branch]);
    assert_eq!(stat, "1\t1\tREADME.md", "only what the change says");
    let merged = git(&world.bare(), &["merge-tree", "--write-tree", "main", branch]);
    let readme = git(&world.bare(), &["show", &format!("{merged}:README.md")]);
    assert!(readme.starts_with("# Costs") && readme.ends_with("New words."), "{readme}");
    world.assert_clean();
}

/// The copy of the repository is gone as well, so that nothing that was said about the old commit is of use.
#[tokio::test]
async fn what_was_paid_for_code_that_is_gone_still_counts() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    let wrong = json!([{"path": "../x.py", "action": "create", "content": "x\n", "edits": []}]);
    world.anthropic.reply(Reply::change("Wrong", &wrong)).reply(Reply::begins("{\"title\": \"Ha", Piece::Stall));
    let (doomed, draft) = Doomed::start(&world, &id).await;
    world.anthropic.until_stalled(1).await;
    doomed.die().await;
    std::fs::remove_dir_all(world.cache()).unwrap();
    git(&world.checkout(), &["commit", "--quiet", "--allow-empty", "-m", "Go on"]);
    git(&world.checkout(), &["push", "--quiet", world.bare().to_str().unwrap(), "main"]);
    world.good_reply();
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let detail = world.end_of(&draft).await;
    published(&detail);
    assert_eq!(world.anthropic.requests()[2]["messages"].as_array().unwrap().len(), 1, "asked from the beginning");
    assert_eq!(detail.draft.usage.output_tokens, 84, "two answers are paid for");
    world.assert_clean();
}

#[tokio::test]
async fn a_run_that_was_cancelled_while_nobody_owned_it_stays_cancelled() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::begins("{\"title\": \"Ha", Piece::Stall));
    let (doomed, draft) = Doomed::start(&world, &id).await;
    world.anthropic.until_stalled(1).await;
    doomed.die().await;
    let guest = world.engine_as(patchwork::engine::Mode::Guest).await;
    let cancel = patchwork::protocol::Command::CancelDraft { draft: draft.clone() };
    guest.submit(patchwork::engine::new_command_id(), crate::support::me(), cancel).await.unwrap();
    guest.close().await;
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let detail = world.end_of(&draft).await;
    assert_eq!(detail.draft.state, DraftState::Cancelled { stage: Some(Stage::Model) });
    assert_eq!(world.anthropic.asked(), 1);
}
