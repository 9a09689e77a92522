//! What is wrong with an answer goes back to the model in words, twice at most.

use crate::support::fake::anthropic::{Reply, text_of};
use crate::support::fake::world::{World, branches};
use crate::support::git::git;
use patchwork::domain::draft::{Stage, Usage};
use serde_json::{Value, json};

fn edit(path: &str, search: &str) -> Value {
    json!([{"path": path, "action": "edit", "content": null, "edits": [{"search": search, "replace": "changed"}]}])
}

fn create(path: &str) -> Value {
    json!([{"path": path, "action": "create", "content": "x = 1\n", "edits": []}])
}

#[tokio::test]
async fn the_reason_goes_back_and_the_second_answer_is_used() {
    let world = World::open().await;
    for (first, words) in [
        (Reply::change("Twice", &edit("src/server.py", "@mcp.tool()")), "occurs 2 times"),
        (Reply::change("Nowhere", &edit("src/server.py", "def nothing")), "does not occur"),
        (Reply::change("Outside", &create("../outside.py")), "`..` part"),
        (Reply::change("Protected", &create(".github/workflows/more.yml")), "it runs in CI"),
        (Reply::change("There already", &create("src/server.py")), "it exists already"),
        (Reply::says("Sure! Here is the change you asked for."), "does not fit the schema"),
        (Reply::says("{\"title\": \"Half"), "does not fit the schema"),
    ] {
        let id = world.report(json!({})).await;
        let before = world.anthropic.asked();
        world.anthropic.reply(first);
        world.good_reply();
        let (detail, published) = world.publish(&id).await;
        assert_eq!(world.anthropic.asked(), before + 2, "{words}");
        let requests = world.anthropic.requests();
        let turns = requests[before + 1]["messages"].as_array().unwrap();
        assert_eq!(
            turns[0], requests[before]["messages"][0],
            "the question is as it was, so that it can come from the cache"
        );
        let reason = text_of(&turns[2]);
        assert!(reason.contains(words), "{words} is not in:\n{reason}");
        let changed = git(&world.bare(), &["diff", "--name-only", "main", &published.branch]);
        assert_eq!(changed, "src/ranges.py", "nothing of the first answer is used");
        assert_eq!(
            detail.draft.usage,
            Usage { input_tokens: 246, output_tokens: 84, cached_tokens: 6, cache_written_tokens: 40 },
            "both are paid for"
        );
        let told: Vec<&String> =
            detail.stages.iter().filter(|s| s.stage == Stage::Check).flat_map(|s| &s.details).collect();
        assert!(told.iter().any(|line| line.contains(words)), "{told:?}");
    }
    world.assert_clean();
}

#[tokio::test]
async fn a_second_mistake_is_answered_too() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::change("Twice", &edit("src/server.py", "@mcp.tool()")));
    world.anthropic.reply(Reply::change("Outside", &create("../outside.py")));
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    let requests = world.anthropic.requests();
    let turns = requests[2]["messages"].as_array().unwrap();
    assert_eq!(turns.len(), 5);
    assert!(text_of(&turns[2]).contains("occurs 2 times") && text_of(&turns[4]).contains("`..` part"));
    assert_eq!(detail.draft.usage.output_tokens, 3 * 42);
}

#[tokio::test]
async fn there_is_no_fourth_question() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let bad = || Reply::change("Twice", &edit("src/server.py", "@mcp.tool()"));
    world.anthropic.reply(bad()).reply(bad()).reply(bad());
    world.good_reply();
    let (stage, reason) = world.failure(&id).await;
    assert_eq!((stage, world.anthropic.unasked()), (Stage::Check, 1));
    assert!(reason.contains("asking again did not help") && reason.contains("occurs 2 times"), "{reason}");
    assert!(branches(&world.bare()).is_empty() && world.github.pulls().is_empty());
    world.publish(&id).await;
    world.assert_clean();
}

#[tokio::test]
async fn the_answer_that_could_not_be_used_stands_in_the_log() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    for answer in ["I would rather not \u{1b}[2J", "Still not.", "No."] {
        world.anthropic.reply(Reply::says(answer));
    }
    let detail = world.draft(&id).await;
    assert!(detail.log.contains("I would rather not") && detail.log.contains("Still not."), "{}", detail.log);
}
