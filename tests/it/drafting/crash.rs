//! The program dies, or the run is cancelled, at every point where a run waits for the outside world: git, GitHub, the model, `verify`, the
//! reviewer. A run that died ends as one that did not; a cancelled one leaves nothing behind.
//!
//! What happens between two such points is in `cut`.

use super::resume::Doomed;
use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::{FETCH, PUSH, PUSH_REFS, REFS};
use crate::support::fake::github::{COMMENT, CREATE, EDIT, LABEL, NEW_LABEL, OPEN, REPOSITORY, REVIEWERS};
use crate::support::fake::world::{World, branches, engine, owner, published, until_idle};
use crate::support::fake::{Fault, Gate};
use crate::support::git::git;
use crate::support::{me, running};
use patchwork::domain::draft::{DraftState, RedraftKind, Stage, Verdict};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::engine::{Engine, new_command_id};
use patchwork::protocol::read::DraftDetail;
use patchwork::protocol::{Command, EventKind, Made};
use serde_json::json;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

type Held = fn(Gate) -> Fault;

/// Where a run is stopped.
#[derive(Clone, Copy)]
enum Point {
    Git(&'static str, Held),
    Github(&'static str, Held),
    /// This question is read, and nothing is said.
    Asked(usize),
    /// The answer to this question has begun.
    Streaming(usize),
    /// The `verify` command runs for this time.
    Verify(usize),
}

/// What the model says in a run that nothing happens to: it looks something up, gives an answer that is of no use, a change that
/// `verify` does not like, and a good one.
fn answers() -> [Reply; 4] {
    let outside = json!([{"path": "../x.py", "action": "create", "content": "x\n", "edits": []}]);
    let ranges = |value: u8| {
        let content = format!("RANGE = {value}\n");
        let file = json!({"path": "src/ranges.py", "action": "create", "content": content, "edits": []});
        Reply::change("Add ranges", &json!([file]))
    };
    [Reply::looks_up(&[("read", "README.md")]), Reply::change("Wrong", &outside), ranges(1), ranges(2)]
}

/// A world whose `verify` counts itself, and stands still when it is told to.
struct Scene {
    world: World,
    dir: TempDir,
    report: FeedbackId,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let verify = format!(
            "echo x >> {at}/runs; if test \"$(cat {at}/still 2>&1)\" = $(($(wc -l < {at}/runs))); then rm {at}/still; \
             sleep 1000 & echo $! > {at}/new; mv {at}/new {at}/pid; wait; fi; grep -q 'RANGE = 2' src/ranges.py"
        );
        let world = World::with(|config, _| {
            config.draft.labels = vec!["from agents".into()];
            config.draft.reviewers = vec!["ada".into()];
            config.repositories[1].verify = Some(verify);
        })
        .await;
        let report = world.report(json!({})).await;
        Self { world, dir, report }
    }

    /// Scripts the run until it comes to the point.
    fn plan(&self, point: Point, gate: &Gate) {
        let (world, answers) = (&self.world, answers());
        let before = match point {
            Point::Git(step, held) => {
                world.git.fail(step, held(gate.clone()));
                answers.len()
            }
            Point::Github(route, held) => {
                world.github.fail(route, held(gate.clone()));
                answers.len()
            }
            Point::Verify(time) => {
                std::fs::write(self.dir.path().join("still"), time.to_string()).unwrap();
                answers.len()
            }
            Point::Asked(question) | Point::Streaming(question) => question - 1,
        };
        for answer in answers.into_iter().take(before) {
            world.anthropic.reply(answer);
        }
        match point {
            Point::Asked(_) => drop(world.anthropic.reply(Reply::Stream(vec![Piece::Stall]))),
            Point::Streaming(_) => drop(world.anthropic.reply(Reply::begins("{\"title\": \"Add", Piece::Stall))),
            Point::Git(..) | Point::Github(..) | Point::Verify(_) => {}
        }
    }

    async fn reached(&self, point: Point, gate: &Gate) {
        match point {
            Point::Git(..) | Point::Github(..) => gate.reached().await,
            Point::Asked(_) | Point::Streaming(_) => self.world.anthropic.until_stalled(1).await,
            Point::Verify(_) => until_there(self.pid()).await,
        }
    }

    /// What waited at the point is gone: the connection is closed, or the processes are dead.
    async fn left(&self, point: Point, gate: &Gate) {
        match point {
            Point::Git(..) | Point::Github(..) => gate.abandoned().await,
            Point::Asked(_) | Point::Streaming(_) => self.world.anthropic.until_abandoned(1).await,
            Point::Verify(_) => until_dead(std::fs::read_to_string(self.pid()).unwrap()).await,
        }
    }

    fn pid(&self) -> PathBuf {
        self.dir.path().join("pid")
    }

    /// Scripts what is still to be said after the point.
    fn plan_the_rest(&self, point: Point) {
        if let Point::Asked(question) | Point::Streaming(question) = point {
            for answer in answers().into_iter().skip(question - 1) {
                self.world.anthropic.reply(answer);
            }
        }
    }

    /// A new owner of the same database and cache goes on with what is there.
    async fn restart(&mut self) {
        let world = &mut self.world;
        world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    }

    /// Everything that can be seen of a run, in the database and outside, is as if nothing had happened; the model was asked once more for
    /// each answer that never came, and `verify` ran once more when it was stopped.
    async fn assert_as_usual(&self, detail: &DraftDetail, point: Option<Point>, at: &str) {
        let (world, published) = (&self.world, published(detail));
        let bare = world.bare();
        assert_eq!(branches(&bare), [published.branch.as_str()], "{at}");
        assert_eq!(git(&bare, &["rev-parse", &published.branch]), published.commit, "{at}");
        assert_eq!(git(&bare, &["rev-list", "--count", &format!("main..{}", published.branch)]), "1", "{at}");
        assert_eq!(git(&bare, &["show", &format!("{}:src/ranges.py", published.branch)]), "RANGE = 2", "{at}");
        let pulls = world.github.pulls();
        assert_eq!((pulls.len(), &pulls[0]["html_url"]), (1, &json!(published.pr_url)), "{at}");
        assert_eq!(pulls[0]["labels"], json!([{"name": "from agents"}]), "{at}");
        assert_eq!(pulls[0]["requested_reviewers"], json!([{"login": "ada"}]), "{at}");
        assert_eq!(world.github.labels(), ["bug", "from agents"], "{at}");

        let unheard = usize::from(matches!(point, Some(Point::Asked(_) | Point::Streaming(_))));
        assert_eq!((world.anthropic.asked(), world.anthropic.unasked()), (4 + unheard, 0), "{at}");
        assert_eq!(detail.draft.usage.output_tokens, 4 * 42, "{at}: each answer is counted once");
        assert_eq!(detail.draft.verdict, Some(Verdict::Passed), "{at}");
        let runs = std::fs::read_to_string(self.dir.path().join("runs")).unwrap().lines().count();
        let stopped = usize::from(matches!(point, Some(Point::Verify(_))));
        assert_eq!(runs, 2 + stopped, "{at}");

        let stages: Vec<Stage> = detail.stages.iter().map(|s| s.stage).filter(|s| *s != Stage::Review).collect();
        assert_eq!(stages, Stage::ALL.iter().copied().filter(|s| *s != Stage::Review).collect::<Vec<_>>(), "{at}");
        assert!(
            detail.stages.iter().all(|s| s.ended_at.is_some() && (s.stage == Stage::Review || !s.details.is_empty())),
            "{at}: {detail:?}"
        );
        assert!(detail.diff.contains("+RANGE = 2") && detail.log.contains("The answer that could not be used"), "{at}");
        let went_on =
            detail.stages.iter().flat_map(|s| &s.details).filter(|line| line.starts_with("Interrupted here")).count();
        assert_eq!(went_on, usize::from(point.is_some()), "{at}: {detail:?}");
        let events = world.events().await;
        for (kind, times) in [(EventKind::DraftPublished, 1), (EventKind::DraftStageStarted, detail.stages.len())] {
            assert_eq!(events.iter().filter(|e| e.kind == kind).count(), times, "{at}: {kind:?}");
        }
        world.assert_clean();
    }
}

async fn until_there(file: PathBuf) {
    let look = move || running::until("the command runs", || file.exists());
    tokio::task::spawn_blocking(look).await.unwrap();
}

async fn until_dead(pid: String) {
    let stat = PathBuf::from(format!("/proc/{}/stat", pid.trim()));
    // A dead process may wait for its parent to look.
    let dead = move |stat: &Path| std::fs::read_to_string(stat).map_or(true, |text| text.contains(") Z "));
    let look = move || running::until("the process is gone", || dead(&stat));
    tokio::task::spawn_blocking(look).await.unwrap();
}

/// Starts a run with somebody there to look at its change.
async fn start_attended(engine: Engine, report: FeedbackId) -> DraftId {
    let command = Command::StartDraft { feedback: report, force: true, drafter: None, target: None, unattended: false };
    match engine.submit(new_command_id(), me(), command).await.unwrap().made {
        Made::Draft(draft) => draft,
        other => panic!("{other:?}"),
    }
}

async fn publish(engine: &Engine, draft: &DraftId) {
    let publish = Command::PublishDraft { draft: draft.clone(), despite_failure: false };
    engine.submit(new_command_id(), me(), publish).await.unwrap();
}

async fn dies_at(at: &str, point: Point) {
    let mut scene = Scene::new().await;
    let gate = Gate::default();
    scene.plan(point, &gate);
    let (doomed, draft) = Doomed::start(&scene.world, &scene.report).await;
    scene.reached(point, &gate).await;
    doomed.die().await;
    scene.left(point, &gate).await;
    gate.open();
    scene.plan_the_rest(point);
    scene.restart().await;
    let detail = scene.world.end_of(&draft).await;
    scene.assert_as_usual(&detail, Some(point), at).await;
}

#[tokio::test]
async fn a_run_that_nothing_happens_to() {
    let scene = Scene::new().await;
    for answer in answers() {
        scene.world.anthropic.reply(answer);
    }
    let (detail, _) = scene.world.publish(&scene.report).await;
    scene.assert_as_usual(&detail, None, "nothing").await;
}

#[tokio::test]
async fn dies_while_it_checks_out() {
    for (at, point) in [
        ("before the token is tried", Point::Github(REPOSITORY, Fault::Hold)),
        ("while it looks for open pull requests", Point::Github(OPEN, Fault::Hold)),
        ("before the branch is found", Point::Git(REFS, Fault::Hold)),
        ("before the code comes", Point::Git(FETCH, Fault::Hold)),
        ("while the code comes", Point::Git(FETCH, Fault::HoldAnswer)),
    ] {
        dies_at(at, point).await;
    }
}

#[tokio::test]
async fn dies_while_it_asks() {
    for (at, point) in [
        ("before the first word", Point::Asked(1)),
        ("in the middle of the wish to look something up", Point::Streaming(1)),
        ("after it was shown that", Point::Asked(2)),
        ("while the answer is mended", Point::Streaming(3)),
    ] {
        dies_at(at, point).await;
    }
}

#[tokio::test]
async fn dies_while_it_verifies() {
    for (at, point) in [
        ("while the command runs", Point::Verify(1)),
        ("after the failure was told", Point::Asked(4)),
        ("while the model answers to that", Point::Streaming(4)),
        ("while the command runs again", Point::Verify(2)),
    ] {
        dies_at(at, point).await;
    }
}

#[tokio::test]
async fn dies_while_it_publishes() {
    for (at, point) in [
        ("before the push", Point::Git(PUSH_REFS, Fault::Hold)),
        ("while the push is on its way", Point::Git(PUSH, Fault::Hold)),
        ("when nobody heard of the push", Point::Git(PUSH, Fault::HoldAnswer)),
        ("before the pull request", Point::Github(CREATE, Fault::Hold)),
        ("when nobody heard of the pull request", Point::Github(CREATE, Fault::HoldAnswer)),
        ("before the label is made", Point::Github(NEW_LABEL, Fault::Hold)),
        ("when nobody heard of the label", Point::Github(NEW_LABEL, Fault::HoldAnswer)),
        ("before it gets the label", Point::Github(LABEL, Fault::Hold)),
        ("when nobody heard that it got it", Point::Github(LABEL, Fault::HoldAnswer)),
        ("before a review is asked for", Point::Github(REVIEWERS, Fault::Hold)),
        ("when nobody heard of the reviewers", Point::Github(REVIEWERS, Fault::HoldAnswer)),
    ] {
        dies_at(at, point).await;
    }
}

/// While it waits for its reviewer, and after the reviewer has said yes.
#[tokio::test]
async fn dies_while_somebody_looks_at_it() {
    for (at, point) in [
        ("while it waits", None),
        ("when it is to be pushed", Some(Point::Git(PUSH_REFS, Fault::Hold))),
        ("when nobody heard of the pull request", Some(Point::Github(CREATE, Fault::HoldAnswer))),
    ] {
        let mut scene = Scene::new().await;
        for answer in answers() {
            scene.world.anthropic.reply(answer);
        }
        let doomed = Doomed::open(&scene.world).await;
        let report = scene.report.clone();
        let draft = doomed.act(|engine| start_attended(engine, report)).await;
        doomed.act(async move |engine| until_idle(&engine).await).await;
        let gate = Gate::default();
        match point {
            Some(Point::Git(step, held)) => drop(scene.world.git.fail(step, held(gate.clone()))),
            Some(Point::Github(route, held)) => drop(scene.world.github.fail(route, held(gate.clone()))),
            Some(Point::Asked(_) | Point::Streaming(_) | Point::Verify(_)) | None => {}
        }
        if let Some(point) = point {
            let released = draft.clone();
            doomed.act(async move |engine| publish(&engine, &released).await).await;
            scene.reached(point, &gate).await;
        }
        doomed.die().await;
        gate.open();
        scene.restart().await;
        until_idle(&scene.world.engine).await;
        if point.is_none() {
            let state = scene.world.engine.draft(&draft).await.unwrap().draft.state;
            assert_eq!(state, DraftState::Waiting { trouble: String::new() }, "{at}");
            publish(&scene.world.engine, &draft).await;
        }
        let detail = scene.world.end_of(&draft).await;
        scene.assert_as_usual(&detail, point, at).await;
    }
}

/// The two ways to draft again, each with what it does after its push.
#[tokio::test]
async fn dies_while_it_follows_an_earlier_draft() {
    for (kind, at, point) in [
        (RedraftKind::NewPr, "before the old one is told", Point::Github(COMMENT, Fault::Hold)),
        (RedraftKind::NewPr, "when nobody heard that it was told", Point::Github(COMMENT, Fault::HoldAnswer)),
        (RedraftKind::SamePr, "before the push", Point::Git(PUSH, Fault::Hold)),
        (RedraftKind::SamePr, "when nobody heard of the push", Point::Git(PUSH, Fault::HoldAnswer)),
        (RedraftKind::SamePr, "before its text is changed", Point::Github(EDIT, Fault::Hold)),
        (RedraftKind::SamePr, "when nobody heard of its text", Point::Github(EDIT, Fault::HoldAnswer)),
    ] {
        let mut world = World::with(|config, _| config.draft.redraft = kind).await;
        let report = world.report(json!({})).await;
        world.good_reply();
        let (_, first) = world.publish(&report).await;
        let gate = Gate::default();
        match point {
            Point::Git(step, held) => drop(world.git.fail(step, held(gate.clone()))),
            Point::Github(route, held) => drop(world.github.fail(route, held(gate.clone()))),
            Point::Asked(_) | Point::Streaming(_) | Point::Verify(_) => panic!("that is not behind the push"),
        }
        let file = json!({"path": "src/iso.py", "action": "create", "content": "ISO = 1\n", "edits": []});
        world.anthropic.reply(Reply::change("Go on", &json!([file])));
        let (doomed, draft) = Doomed::start(&world, &report).await;
        gate.reached().await;
        doomed.die().await;
        gate.open();
        world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
        let second = published(&world.end_of(&draft).await);
        assert_eq!((world.anthropic.asked(), world.anthropic.unasked()), (2, 0), "{at}");
        let (bare, pulls, said) = (world.bare(), world.github.pulls(), world.github.talk().bodies(1));
        assert_eq!(git(&bare, &["rev-parse", &second.branch]), second.commit, "{at}");
        let commits = git(&bare, &["log", "--format=%s", &format!("main..{}", second.branch)]);
        match kind {
            RedraftKind::NewPr => {
                assert_eq!((branches(&bare).len(), pulls.len(), commits.as_str()), (2, 2, "Go on"), "{at}");
                assert_eq!(said, ["Replaced by #2: draft 2 of the same report, by PatchworkMCP."], "{at}");
            }
            RedraftKind::SamePr => {
                assert_eq!((&second.branch, &second.pr_url), (&first.branch, &first.pr_url), "{at}");
                let all = (branches(&bare).len(), pulls.len(), commits.as_str());
                assert_eq!(all, (1, 1, "Go on\nAdd a date range"), "{at}");
                let body = pulls[0]["body"].as_str().unwrap();
                assert!(body.contains("draft 2.") && said.is_empty(), "{at}: {body}");
            }
        }
        world.assert_clean();
    }
}

#[tokio::test]
async fn cancelled_anywhere_it_hangs_up_and_leaves_nothing() {
    for (stage, point) in [
        (Stage::Checkout, Point::Github(REPOSITORY, Fault::Hold)),
        (Stage::Checkout, Point::Git(REFS, Fault::Hold)),
        (Stage::Checkout, Point::Git(FETCH, Fault::Hold)),
        (Stage::Model, Point::Asked(1)),
        (Stage::Model, Point::Streaming(2)),
        (Stage::Check, Point::Streaming(3)),
        (Stage::Verify, Point::Verify(1)),
        (Stage::Verify, Point::Asked(4)),
        (Stage::Publish, Point::Git(PUSH, Fault::Hold)),
        (Stage::Publish, Point::Github(CREATE, Fault::Hold)),
        (Stage::Publish, Point::Github(LABEL, Fault::Hold)),
    ] {
        let scene = Scene::new().await;
        let gate = Gate::default();
        scene.plan(point, &gate);
        let draft = scene.world.start(&scene.report, true).await.unwrap();
        scene.reached(point, &gate).await;
        scene.world.cancel(&draft).await;
        scene.left(point, &gate).await;
        let detail = scene.world.end_of(&draft).await;
        assert_eq!(detail.draft.state, DraftState::Cancelled { stage: Some(stage) });
        assert!(detail.stages.iter().all(|s| s.ended_at.is_some()), "{stage}: {detail:?}");
        assert!(!scene.world.engine.feedback(&scene.report).await.unwrap().feedback.drafted, "{stage}");
        scene.world.assert_clean();
    }
}
