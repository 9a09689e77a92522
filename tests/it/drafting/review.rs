//! A change that stops for somebody to look at it: published as decided, discarded, replaced, and never lost.

use crate::support::fake::Fault;
use crate::support::fake::anthropic::Reply;
use crate::support::fake::github::CREATE;
use crate::support::fake::world::{World, branches, engine, owner, published};
use crate::support::git::git;
use crate::support::me;
use patchwork::domain::change::RepoPath;
use patchwork::domain::draft::{DraftState, Stage};
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::review::{Choices, Dropped};
use patchwork::engine::new_command_id;
use patchwork::protocol::read::DraftDetail;
use patchwork::protocol::{Command, Made, RefusalKind};
use serde_json::json;

async fn submit(world: &World, command: Command) -> Result<Made, RefusalKind> {
    let receipt = world.engine.submit(new_command_id(), me(), command).await;
    receipt.map(|receipt| receipt.made).map_err(|refusal| refusal.kind)
}

/// Starts a draft with somebody there to look at it.
async fn start(world: &World, report: &FeedbackId, force: bool) -> Result<DraftId, RefusalKind> {
    let command =
        Command::StartDraft { feedback: report.clone(), force, drafter: None, target: None, unattended: false };
    match submit(world, command).await? {
        Made::Draft(id) => Ok(id),
        other => panic!("{other:?}"),
    }
}

/// Until nothing works on it any more.
async fn settled(world: &World, draft: &DraftId) -> DraftDetail {
    world.engine.until_idle().await;
    world.engine.draft(draft).await.unwrap()
}

async fn waiting(world: &World, report: &FeedbackId) -> DraftId {
    world.good_reply();
    let draft = start(world, report, true).await.unwrap();
    let state = settled(world, &draft).await.draft.state;
    assert_eq!(state, DraftState::Waiting { trouble: String::new() });
    draft
}

fn publish(draft: &DraftId) -> Command {
    Command::PublishDraft { draft: draft.clone(), despite_failure: false }
}

#[tokio::test]
async fn nothing_leaves_the_machine_before_somebody_says_so() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    assert!(branches(&world.bare()).is_empty() && world.github.pulls().is_empty());
    let detail = world.engine.draft(&draft).await.unwrap();
    let proposal = detail.proposal.unwrap();
    assert_eq!(proposal.base, "main");
    assert!(!proposal.title.is_empty() && detail.diff.contains("+++ b/"));
    world.assert_clean();

    let choices = Choices {
        title: Some("  Say it\nmy way ".into()),
        summary: Some("Because.".into()),
        draft: Some(false),
        ..Choices::default()
    };
    let edit = Command::EditReview { draft: draft.clone(), choices: Box::new(choices) };
    submit(&world, edit).await.unwrap();
    submit(&world, publish(&draft)).await.unwrap();
    let detail = settled(&world, &draft).await;
    let published = published(&detail);
    let pull = world.github.pulls().remove(0);
    assert_eq!((pull["html_url"].as_str(), &pull["draft"]), (Some(published.pr_url.as_str()), &json!(false)));
    assert_eq!(git(&world.bare(), &["log", "-1", "--format=%s", &published.branch]), "Say it my way");
    assert!(pull["body"].as_str().unwrap().contains("\n\nBecause.\n"));
    assert_eq!(world.anthropic.asked(), 1);
    world.assert_clean();
}

#[tokio::test]
async fn a_discarded_change_goes_nowhere_and_the_next_draft_works() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    submit(&world, Command::CancelDraft { draft: draft.clone() }).await.unwrap();
    let state = settled(&world, &draft).await.draft.state;
    assert_eq!(state, DraftState::Cancelled { stage: Some(Stage::Review) });
    assert_eq!(submit(&world, publish(&draft)).await, Err(RefusalKind::Conflict));
    let edit = Command::EditReview { draft, choices: Box::default() };
    assert_eq!(submit(&world, edit).await, Err(RefusalKind::Conflict));
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn a_redraft_takes_the_place_of_what_waits_and_nothing_else_does() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let first = waiting(&world, &id).await;
    assert_eq!(start(&world, &id, false).await, Err(RefusalKind::Conflict));
    let second = waiting(&world, &id).await;
    let state = world.engine.draft(&first).await.unwrap().draft.state;
    assert_eq!(state, DraftState::Cancelled { stage: Some(Stage::Review) });
    submit(&world, publish(&second)).await.unwrap();
    published(&settled(&world, &second).await);
    assert_eq!(world.github.pulls().len(), 1);
}

#[tokio::test]
async fn a_review_outlives_the_program_and_a_failed_publish() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    world.engine.close().await;
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    world
        .github
        .fail(CREATE, Fault::status(403, json!({"message": "Resource not accessible by integration"}).to_string()));
    submit(&world, publish(&draft)).await.unwrap();
    let DraftState::Waiting { trouble } = settled(&world, &draft).await.draft.state else { panic!("it is lost") };
    assert!(trouble.contains("pull request could not be opened"), "{trouble}");
    submit(&world, publish(&draft)).await.unwrap();
    published(&settled(&world, &draft).await);
    assert_eq!(world.anthropic.asked(), 1, "nothing is asked for again");
    world.assert_clean();
}

async fn decide(world: &World, draft: &DraftId, choices: Choices) {
    submit(world, Command::EditReview { draft: draft.clone(), choices: Box::new(choices) }).await.unwrap();
}

/// Publishes, which fails; why.
async fn trouble(world: &World, draft: &DraftId) -> String {
    submit(world, publish(draft)).await.unwrap();
    match settled(world, draft).await.draft.state {
        DraftState::Waiting { trouble } => trouble,
        other => panic!("{other:?}"),
    }
}

fn base(name: &str) -> Choices {
    Choices { base: Some(name.into()), ..Choices::default() }
}

#[tokio::test]
async fn a_base_that_is_not_there_is_told_before_anything_is_pushed() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    git(&world.bare(), &["branch", "develop", "main"]);
    let develop = branches(&world.bare());
    decide(&world, &draft, base("nowhere")).await;
    let trouble = trouble(&world, &draft).await;
    for words in ["`nowhere`", "nothing was pushed", "`--base main`", "There are `develop`, `main`."] {
        assert!(trouble.contains(words), "{words}: {trouble}");
    }
    assert_eq!((branches(&world.bare()), world.github.pulls().len()), (develop, 0));

    decide(&world, &draft, base("refs/heads/develop")).await;
    submit(&world, publish(&draft)).await.unwrap();
    published(&settled(&world, &draft).await);
    assert_eq!(world.github.pulls()[0]["base"]["ref"], "develop");
    world.assert_clean();
}

fn no_pull_request(world: &World) {
    world
        .github
        .fail(CREATE, Fault::status(403, json!({"message": "Resource not accessible by integration"}).to_string()));
}

#[tokio::test]
async fn a_draft_keeps_its_branch_whatever_it_is_called_the_next_time() {
    let mut world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    no_pull_request(&world);
    let why = trouble(&world, &draft).await;
    assert!(why.contains("Publish again") && why.contains("stays the same"), "{why}");
    let [branch] = branches(&world.bare()).try_into().unwrap();
    for title in ["Another title", "And another"] {
        world.engine.close().await;
        world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
        decide(&world, &draft, Choices { title: Some(title.into()), ..Choices::default() }).await;
        no_pull_request(&world);
        trouble(&world, &draft).await;
        assert_eq!(git(&world.bare(), &["log", "-1", "--format=%s", &branch]), title);
    }
    submit(&world, publish(&draft)).await.unwrap();
    assert_eq!(published(&settled(&world, &draft).await).branch, branch);
    assert_eq!(branches(&world.bare()), [branch.as_str()], "and no other");
    assert_eq!(git(&world.bare(), &["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert_eq!(world.github.pulls().remove(0)["title"], "And another");
    world.assert_clean();
}

#[tokio::test]
async fn what_nobody_was_to_look_at_waits_when_it_can_not_be_published() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    no_pull_request(&world);
    let detail = world.draft(&id).await;
    assert!(matches!(&detail.draft.state, DraftState::Waiting { trouble } if trouble.contains("Publish again")));
    let draft = detail.draft.id;
    decide(&world, &draft, Choices { title: Some("Say it my way".into()), ..Choices::default() }).await;
    submit(&world, publish(&draft)).await.unwrap();
    let published = published(&settled(&world, &draft).await);
    assert_eq!(branches(&world.bare()), [published.branch.as_str()]);
    let pull = world.github.pulls().remove(0);
    assert_eq!(pull["title"], "Say it my way");
    assert!(pull["body"].as_str().unwrap().contains("A person has looked at the change"), "{pull}");
    assert_eq!(world.anthropic.asked(), 1, "nothing is asked for again");
    world.assert_clean();
}

#[tokio::test]
async fn what_somebody_put_on_the_branch_of_a_draft_stays() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    no_pull_request(&world);
    trouble(&world, &draft).await;
    let [branch] = branches(&world.bare()).try_into().unwrap();
    let tree = git(&world.bare(), &["rev-parse", &format!("{branch}^{{tree}}")]);
    let theirs = git(&world.bare(), &["commit-tree", "-p", &branch, "-m", "By hand", &tree]);
    git(&world.bare(), &["update-ref", &format!("refs/heads/{branch}"), &theirs]);
    decide(&world, &draft, Choices { title: Some("Another title".into()), ..Choices::default() }).await;
    let why = trouble(&world, &draft).await;
    assert!(why.contains("exists already") && why.contains("left as it is"), "{why}");
    assert_eq!(git(&world.bare(), &["rev-parse", &branch]), theirs);
}

#[tokio::test]
async fn what_can_not_be_published_is_refused_at_the_door() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    for choices in [
        Choices { title: Some("x".repeat(500)), ..Choices::default() },
        Choices { base: Some("--upload-pack=x".into()), ..Choices::default() },
        Choices { base: Some("a b".into()), ..Choices::default() },
    ] {
        let edit = Command::EditReview { draft: draft.clone(), choices: Box::new(choices) };
        assert_eq!(submit(&world, edit).await, Err(RefusalKind::Invalid));
    }
}

#[tokio::test]
async fn without_confirm_nothing_waits() {
    let world = World::with(|config, _| config.draft.confirm = false).await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::change(
        "Plain",
        &json!([{"path": "x.py", "action": "create", "content": "x = 1\n", "edits": []}]),
    ));
    let draft = start(&world, &id, false).await.unwrap();
    published(&settled(&world, &draft).await);
}

/// Two hunks of one file, a file that is new, and one that moves.
fn in_parts() -> Reply {
    Reply::change(
        "In parts",
        &json!([
            {"path": "src/server.py", "action": "edit", "new_path": null, "content": null, "edits": [
                {"search": "from mcp.server import MCPServer", "replace": "from mcp.server import MCPServer, Context"},
                {"search": "    return []\n", "replace": "    return [0]\n"},
            ]},
            {"path": "src/new.py", "action": "create", "new_path": null, "content": "x = 1\n", "edits": []},
            {"path": "src/old_costs.py", "action": "rename", "new_path": "src/costs.py", "content": null, "edits": []},
        ]),
    )
}

#[tokio::test]
async fn what_was_dropped_is_not_published_and_the_pull_request_says_so() {
    let world = World::open().await;
    for (dropped, changed) in [
        (&[("src/server.py", 0)][..], "R100\tsrc/old_costs.py\tsrc/costs.py\nA\tsrc/new.py\nM\tsrc/server.py"),
        (&[("src/server.py", 0), ("src/server.py", 1), ("src/new.py", 0)], "R100\tsrc/old_costs.py\tsrc/costs.py"),
        (&[("src/costs.py", 0), ("src/new.py", 0)], "M\tsrc/server.py"),
    ] {
        let id = world.report(json!({})).await;
        world.anthropic.reply(in_parts());
        let draft = start(&world, &id, true).await.unwrap();
        settled(&world, &draft).await;
        let parts = dropped.iter().map(|(path, hunk)| Dropped { path: RepoPath::parse(*path).unwrap(), hunk: *hunk });
        let choices = Choices { dropped: parts.collect(), ..Choices::default() };
        submit(&world, Command::EditReview { draft: draft.clone(), choices: Box::new(choices) }).await.unwrap();
        submit(&world, publish(&draft)).await.unwrap();
        let published = published(&settled(&world, &draft).await);
        let stat = git(&world.bare(), &["diff", "--name-status", "--find-renames", "main", &published.branch]);
        assert_eq!(stat, changed);
        let server = git(&world.bare(), &["diff", "main", &published.branch, "--", "src/server.py"]);
        assert!(!dropped.contains(&("src/server.py", 0)) || !server.contains("Context"), "{server}");
        assert_eq!(changed.contains("server.py"), server.contains("+    return [0]"), "{server}");
        let pull = world.github.pulls().pop().unwrap();
        let body = pull["body"].as_str().unwrap().to_owned();
        let words = format!("{} part", dropped.len());
        assert!(body.contains(&words) && body.contains("taken out in the review"), "{body}");
    }
    world.assert_clean();
}

#[tokio::test]
async fn a_review_that_can_not_be_followed_goes_back_to_waiting_with_the_reason() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let draft = waiting(&world, &id).await;
    for (path, hunk, words) in [("src/none.py", 0, "no part 1 of src/none.py"), ("src/ranges.py", 0, "every part")] {
        let dropped = vec![Dropped { path: RepoPath::parse(path).unwrap(), hunk }];
        let choices = Choices { dropped, ..Choices::default() };
        submit(&world, Command::EditReview { draft: draft.clone(), choices: Box::new(choices) }).await.unwrap();
        submit(&world, publish(&draft)).await.unwrap();
        let DraftState::Waiting { trouble } = settled(&world, &draft).await.draft.state else { panic!("it is lost") };
        assert!(trouble.contains(words), "{trouble}");
    }
    submit(&world, Command::EditReview { draft: draft.clone(), choices: Box::default() }).await.unwrap();
    submit(&world, publish(&draft)).await.unwrap();
    published(&settled(&world, &draft).await);
    world.assert_clean();
}
