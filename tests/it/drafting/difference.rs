//! What a re-draft does otherwise than the draft before: exact from the same commit, from a moved one where the file is the same, on top of
//! the old branch; and a sentence where there is nothing to compare.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::world::{World, published};
use crate::support::git::git;
use crate::support::me;
use patchwork::domain::change::RepoPath;
use patchwork::domain::diff::{Diff, Footing};
use patchwork::domain::draft::RedraftKind;
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::review::{Choices, Dropped};
use patchwork::engine::new_command_id;
use patchwork::protocol::difference::{DifferentFile, DraftDifference};
use patchwork::protocol::{Command, Made, RefusalKind};
use serde_json::{Value, json};

fn create(path: &str, content: &str) -> Value {
    json!({"path": path, "action": "create", "content": content, "edits": []})
}

/// One edit of the server: what it returns for a search.
fn edit(to: &str) -> Value {
    let edits = [json!({"search": "    return [query]\n", "replace": format!("    return {to}\n")})];
    json!({"path": "src/server.py", "action": "edit", "content": "", "edits": edits})
}

async fn draft(world: &World, report: &FeedbackId, files: &[Value]) -> DraftId {
    world.anthropic.reply(Reply::change("Change it", &json!(files)));
    let (detail, _) = world.publish(report).await;
    detail.draft.id
}

async fn difference(world: &World, id: &DraftId) -> DraftDifference {
    world.engine.draft_difference(id, None).await.unwrap()
}

/// Each file with how it is known, and the lines that differ.
fn told(difference: &DraftDifference) -> Vec<String> {
    let lines = Diff::parse(&difference.diff).unwrap().files;
    assert_eq!(lines.len(), difference.files.len());
    let one = |(file, lines): (&DifferentFile, _)| {
        let patchwork::domain::diff::FileDiff { hunks, .. } = lines;
        let text: String = hunks.iter().map(ToString::to_string).collect();
        let changed: Vec<&str> = text.lines().filter(|l| l.starts_with(['+', '-'])).collect();
        format!("{} {}: {}", file.how, file.path, changed.join(" "))
    };
    difference.files.iter().zip(lines).map(one).collect()
}

fn same(difference: &DraftDifference) -> Vec<&str> {
    difference.same.iter().map(RepoPath::as_str).collect()
}

/// Somebody else's commit on the base branch.
fn push_to_base(world: &World, path: &str, text: &str) {
    let (checkout, bare) = (world.checkout(), world.bare());
    std::fs::write(checkout.join(path), text).unwrap();
    git(&checkout, &["add", "--all"]);
    git(&checkout, &["commit", "--quiet", "-m", "Go on"]);
    git(&checkout, &["push", "--quiet", bare.to_str().unwrap(), "HEAD:main"]);
}

#[tokio::test]
async fn a_redraft_is_compared_with_the_draft_before() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let first =
        draft(&world, &id, &[edit("[1]"), create("src/kept.py", "A = 1\n"), create("src/old.py", "B = 1\n")]).await;
    let second =
        draft(&world, &id, &[edit("[2]"), create("src/kept.py", "A = 1\n"), create("src/new.py", "C = 1\n")]).await;
    let found = difference(&world, &second).await;
    assert_eq!((found.number, found.against.number, &found.against.id), (2, 1, &first));
    assert_eq!((found.footing, found.caution()), (Footing::SameBase, None));
    assert_eq!(
        told(&found),
        [
            "later-only src/new.py: +C = 1",
            "earlier-only src/old.py: -B = 1",
            "both src/server.py: -    return [1] +    return [2]",
        ]
    );
    assert_eq!(same(&found), ["src/kept.py"]);
    assert_eq!(found.outcome(), "3 files differ, 1 is the same in both.");
    let detail = world.engine.draft(&second).await.unwrap();
    assert_eq!(detail.earlier, Some(found.against));
}

#[tokio::test]
async fn from_a_base_that_has_moved_it_is_exact_where_the_file_has_not() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let files = |to| {
        [
            edit(to),
            json!({"path": "README.md", "action": "edit", "content": "", "edits": [{"search": "Tools: ", "replace": format!("Tools {to}: ")}]}),
        ]
    };
    draft(&world, &id, &files("[1]")).await;
    push_to_base(&world, "README.md", "# Billing, and more\n\nTools: `search_costs`.\n");
    let second = draft(&world, &id, &files("[2]")).await;
    let found = difference(&world, &second).await;
    assert_eq!(found.footing, Footing::OtherBase);
    assert_eq!(
        told(&found),
        [
            "lines README.md: -+Tools [1]: `search_costs`. ++Tools [2]: `search_costs`.",
            "both src/server.py: -    return [1] +    return [2]",
        ]
    );
    let caution = found.caution().unwrap();
    assert!(caution.contains("Draft 1 was made from ") && caution.contains("only the lines"), "{caution}");
}

#[tokio::test]
async fn a_commit_on_the_same_pull_request_is_the_difference() {
    let world = World::with(|config, _| config.draft.redraft = RedraftKind::SamePr).await;
    let id = world.report(json!({})).await;
    draft(&world, &id, &[create("src/a.py", "A = 1\n"), create("src/b.py", "B = 1\n")]).await;
    let edits = [json!({"search": "A = 1", "replace": "A = 2"})];
    let second =
        draft(&world, &id, &[json!({"path": "src/a.py", "action": "edit", "content": "", "edits": edits})]).await;
    let found = difference(&world, &second).await;
    assert_eq!(found.footing, Footing::OnTop);
    assert_eq!(told(&found), ["later-only src/a.py: -A = 1 +A = 2"]);
    assert_eq!(same(&found), ["src/b.py"]);
}

#[tokio::test]
async fn what_a_review_dropped_is_no_part_of_what_was_published() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let files = json!([create("src/a.py", "A = 1\n"), create("src/b.py", "B = 1\n")]);
    world.anthropic.reply(Reply::change("Change it", &files));
    let start =
        Command::StartDraft { feedback: id.clone(), force: true, drafter: None, target: None, unattended: false };
    let Made::Draft(first) = world.engine.submit(new_command_id(), me(), start).await.unwrap().made else { panic!() };
    world.engine.until_idle().await;
    let dropped = vec![Dropped { path: RepoPath::parse("src/b.py").unwrap(), hunk: 0 }];
    let choices = Box::new(Choices { dropped, ..Choices::default() });
    for command in [
        Command::EditReview { draft: first.clone(), choices },
        Command::PublishDraft { draft: first.clone(), despite_failure: false },
    ] {
        world.engine.submit(new_command_id(), me(), command).await.unwrap();
    }
    world.engine.until_idle().await;
    published(&world.engine.draft(&first).await.unwrap());
    let second = draft(&world, &id, &[create("src/a.py", "A = 1\n"), create("src/b.py", "B = 1\n")]).await;
    let found = difference(&world, &second).await;
    assert_eq!(told(&found), ["later-only src/b.py: +B = 1"]);
    assert_eq!(same(&found), ["src/a.py"]);
}

#[tokio::test]
async fn where_there_is_nothing_to_compare_it_says_so_and_what_to_do() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    // A run that ends before there is a change is passed over.
    world.anthropic.reply(Reply::error(400, "invalid_request_error", "no"));
    let failed = world.draft(&id).await;
    assert_eq!((failed.diff.as_str(), failed.earlier), ("", None));
    let first = draft(&world, &id, &[create("src/a.py", "A = 1\n")]).await;
    let other = world.report(json!({})).await;
    let elsewhere = draft(&world, &other, &[create("src/z.py", "Z = 1\n")]).await;
    let refused = async |id: &DraftId, against: Option<&DraftId>| {
        let refusal = world.engine.draft_difference(id, against).await.unwrap_err();
        (refusal.kind, refusal.detail)
    };
    let unknown = DraftId::trusted("nothing");
    for (id, against, kind, part) in [
        (&first, None, RefusalKind::Conflict, "no draft of this report before draft 2 has a diff"),
        (&failed.draft.id, None, RefusalKind::Conflict, "draft 1 ended before there was a change"),
        (&first, Some(&failed.draft.id), RefusalKind::Conflict, "draft 1 ended before there was a change"),
        (
            &first,
            Some(&elsewhere),
            RefusalKind::Conflict,
            "is of another report: choose one of `patchwork drafts --report",
        ),
        (&first, Some(&first), RefusalKind::Conflict, "a draft does not differ from itself"),
        (&unknown, None, RefusalKind::NotFound, "there is no draft with the id nothing"),
        (&first, Some(&unknown), RefusalKind::NotFound, "there is no draft with the id nothing"),
    ] {
        let (refused, detail) = refused(id, against).await;
        assert_eq!(refused, kind, "{detail}");
        assert!(detail.contains(part), "{detail}");
    }
    let third = draft(&world, &id, &[create("src/a.py", "A = 1\n")]).await;
    let found = difference(&world, &third).await;
    assert_eq!(
        (found.against.number, found.outcome().as_str()),
        (2, "Nothing differs: drafts 2 and 3 make the same of 1 file.")
    );
    // The other way round, for who asks.
    let back = world.engine.draft_difference(&first, Some(&third)).await.unwrap();
    assert_eq!(back.against.number, 3);
}
