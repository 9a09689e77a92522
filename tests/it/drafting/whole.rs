//! The whole loop: report and notes in, a request to the model, its answer checked, a branch pushed, a draft pull request opened.

use crate::support::fake::anthropic::{Reply, text_of};
use crate::support::fake::world::{World, branches};
use crate::support::git::git;
use crate::support::usual_stages;
use patchwork::domain::draft::{Stage, Usage};
use serde_json::{Value, json};

/// Creates, edits and deletes.
fn change() -> Value {
    json!([
        {"path": "src/ranges.py", "action": "create", "content": "def parse(since):\n    return since\n", "edits": []},
        {"path": "src/server.py", "action": "edit", "content": null, "edits": [
            {"search": "def search_costs(query: str) -> list:", "replace": "def search_costs(query: str, since: str = \"\") -> list:"},
            {"search": "    return [query]\n", "replace": "    return [query, since]\n"},
        ]},
        {"path": "src/old_costs.py", "action": "delete", "content": null, "edits": []},
    ])
}

#[tokio::test]
async fn a_report_becomes_one_commit_and_a_draft_pull_request() {
    let world = World::open().await;
    let id = world.report(json!({"agent_model": "claude-x", "client_type": "cursor"})).await;
    world.note(&id, "Use ISO dates.").await;
    world.anthropic.reply(Reply::change("Add a date range to search_costs", &change()));
    let (detail, published) = world.publish(&id).await;

    let bare = world.bare();
    assert_eq!(branches(&bare), [published.branch.as_str()]);
    assert_eq!(git(&bare, &["rev-parse", &published.branch]), published.commit);
    assert_eq!(git(&bare, &["rev-list", "--count", &format!("main..{}", published.branch)]), "1");
    let stat = git(&bare, &["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "D\tsrc/old_costs.py\nA\tsrc/ranges.py\nM\tsrc/server.py");
    let server = git(&bare, &["show", &format!("{}:src/server.py", published.branch)]);
    assert!(server.contains("since: str = \"\") -> list:") && server.contains("return [query, since]"), "{server}");
    let message = git(&bare, &["log", "-1", "--format=%an <%ae>%n%B", &published.branch]);
    assert!(message.starts_with("PatchworkMCP <patchwork@localhost>\nAdd a date range to search_costs\n"), "{message}");
    assert!(message.contains(&format!("Patchwork-Report: {id}")), "{message}");

    let pulls = world.github.pulls();
    let [pull] = pulls.as_slice() else { panic!("{pulls:?}") };
    assert_eq!((&pull["draft"], &pull["title"]), (&json!(true), &json!("Add a date range to search_costs")));
    assert_eq!((&pull["head"]["ref"], &pull["base"]["ref"]), (&json!(published.branch), &json!("main")));
    assert_eq!(pull["html_url"], published.pr_url);
    let body = pull["body"].as_str().unwrap();
    for part in [
        "a date range for search_costs",
        "claude-test-1",
        "Use ISO dates.",
        "`src/ranges.py`",
        "(deleted)",
        "no file is touched that drafts may not change",
        &git(&bare, &["rev-parse", "main"])[..10],
        id.as_str(),
    ] {
        assert!(body.contains(part), "{part} is not in:\n{body}");
    }
    assert!(body.contains("123 tokens in (3 of them cached), 42 out"), "{body}");

    let report = world.engine.feedback(&id).await.unwrap().feedback;
    assert_eq!((report.drafted, report.pr_url.as_str()), (true, published.pr_url.as_str()));
    let stages: Vec<Stage> = detail.stages.iter().map(|s| s.stage).collect();
    assert_eq!(stages, usual_stages());
    assert!(detail.stages.iter().all(|s| s.ended_at.is_some() && !s.details.is_empty()), "{:?}", detail.stages);
    assert_eq!(
        detail.draft.usage,
        Usage { input_tokens: 123, output_tokens: 42, cached_tokens: 3, cache_written_tokens: 20 }
    );
    assert!(detail.diff.contains("+def parse(since):") && detail.diff.contains("-def old_costs():"), "{}", detail.diff);
    assert_eq!(detail.files.first().map(|f| f.path.as_str()), Some("src/server.py"));
    world.assert_clean();
}

#[tokio::test]
async fn the_notes_come_first_and_everything_else_is_data_between_seals() {
    let world = World::open().await;
    let id = world.report(json!({"suggestion": "search_costs(query, since, until)"})).await;
    world.note(&id, "First note: ISO dates.").await;
    world.note(&id, "Second note: keep the old name.").await;
    world.good_reply();
    world.publish(&id).await;
    let request = &world.anthropic.requests()[0];
    assert_eq!(request["model"], "claude-test-1");
    let turn = text_of(&request["messages"][0]);
    let places: Vec<usize> = [
        "def search_costs(",
        "# The developer's notes",
        "First note",
        "Second note",
        "a date range for",
        "search_costs(query, since, until)",
    ]
    .iter()
    .map(|text| turn.find(text).unwrap_or_else(|| panic!("{text} is not in:\n{turn}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}\n{turn}");
    // Where the files stand says nothing about what counts, and that is said.
    assert!(turn.contains("they outrank everything else you are shown"), "{turn}");
    let system = request["system"][0]["text"].as_str().unwrap();
    assert!(system.contains("Where they contradict the report, they win."), "{system}");
    assert!(
        turn.contains("<note n=\"1\"")
            && turn.contains("<report seal=")
            && turn.contains("<file path=\"src/server.py\""),
        "{turn}"
    );
}

#[tokio::test]
async fn the_model_can_draft_for_a_local_repository_without_github() {
    let world = World::with(|_, secrets| secrets.github = None).await;
    let id = world.report_here().await;
    world.anthropic.reply(Reply::change("Add a date range", &change()));
    let (_, published) = world.publish(&id).await;
    let checkout = world.checkout();
    assert_eq!(branches(&checkout), [published.branch.as_str()]);
    assert_eq!(
        git(&checkout, &["rev-parse", &format!("{}^", published.branch)]),
        git(&checkout, &["rev-parse", "main"])
    );
    let stat = git(&checkout, &["diff", "--name-status", "main", &published.branch]);
    assert_eq!(stat, "D\tsrc/old_costs.py\nA\tsrc/ranges.py\nM\tsrc/server.py");
    assert_eq!((published.pr_url.as_str(), world.github.calls().len()), ("", 0));
    assert!(world.engine.feedback(&id).await.unwrap().feedback.drafted);
    world.assert_clean();
}
