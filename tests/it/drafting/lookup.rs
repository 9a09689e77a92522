//! A model that wants to see more of the repository before it answers: it is shown what it may see, as often as the settings say.

use crate::support::fake::anthropic::{Reply, text_of};
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::world::{FILES, World, branches, engine, owner, published};
use crate::support::git::{Entry, commit_tree, git};
use patchwork::domain::draft::{Stage, Usage};
use serde_json::{Value, json};

/// Puts more files on the hosted `main`: one that no word of the report leads to, and some that must stay closed.
fn fill(world: &World) {
    let file = |path, content| Entry { mode: "100644", path, content };
    let mut entries: Vec<Entry<'_>> = FILES.iter().map(|(path, text)| file(path.as_bytes(), text.as_bytes())).collect();
    entries.extend([
        file(b"lib/calendar.py", b"import sys\n\n\ndef parse_day(text):\n    return tuple(text)\n"),
        file(b"lib/clock.py", b"from lib.calendar import parse_day\n\nTODAY = parse_day('2026-01-01')\n"),
        file(b".env", b"CANARY_SECRET=parse_day\n"),
        file(b"blob.bin", b"\xff\xfe\0parse_day"),
        Entry { mode: "120000", path: b"passwd.py", content: b"/etc/passwd" },
    ]);
    commit_tree(&world.bare(), "main", &entries);
}

fn details(detail: &patchwork::protocol::read::DraftDetail) -> Vec<&str> {
    detail.stages.iter().flat_map(|stage| &stage.details).map(String::as_str).collect()
}

fn turns(request: &Value) -> &Vec<Value> {
    request["messages"].as_array().unwrap()
}

#[tokio::test]
async fn what_a_model_asks_for_it_is_shown_and_then_it_answers() {
    let world = World::open().await;
    fill(&world);
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::looks_up(&[("search", "parse_day"), ("read", "lib")]));
    world.anthropic.reply(Reply::looks_up(&[("read", "lib/calendar.py")]));
    world.good_reply();
    let (detail, published) = world.publish(&id).await;

    let requests = world.anthropic.requests();
    assert_eq!(requests.len(), 3);
    let first = text_of(&turns(&requests[0])[0]);
    assert!(first.contains("up to 4 times") && !first.contains("tuple(text)"), "{first}");
    let found = text_of(&turns(&requests[1])[2]);
    for line in [
        "lib/calendar.py:4: def parse_day(text):",
        "lib/clock.py:1: from lib.calendar import parse_day",
        "lib/clock.py:3: TODAY = parse_day('2026-01-01')",
        "calendar.py\nclock.py",
        "You may ask 3 more times",
    ] {
        assert!(found.contains(line), "{line} is not in:\n{found}");
    }
    assert!(!found.contains("CANARY_SECRET") && !found.contains("blob.bin"), "{found}");
    let read = text_of(&turns(&requests[2])[4]);
    assert!(read.contains("    5|     return tuple(text)\n</looked_up"), "{read}");
    for (before, after) in [(0, 1), (1, 2)] {
        let same = turns(&requests[before]).iter().zip(turns(&requests[after]));
        let texts = |turn: &Value| text_of(turn);
        assert!(
            same.into_iter().all(|(a, b)| texts(a) == texts(b)),
            "what was said stays, so that it comes from the cache"
        );
    }
    assert_eq!(turns(&requests[2])[4]["content"][0]["cache_control"]["type"], "ephemeral");

    let told = details(&detail);
    assert!(told.contains(&"The model asked for: where `parse_day` occurs, lib"), "{told:?}");
    assert!(told.contains(&"The model asked for: lib/calendar.py"), "{told:?}");
    assert_eq!(detail.draft.usage.output_tokens, 3 * 42, "all three are paid for");
    assert_eq!(git(&world.bare(), &["diff", "--name-only", "main", &published.branch]), "src/ranges.py");
    world.assert_clean();
}

#[tokio::test]
async fn a_model_that_only_asks_is_told_to_answer_and_then_given_up() {
    for (lookups, turns_in_all) in [(4, 6), (1, 3), (0, 2)] {
        let world = World::with(|config, _| config.draft.lookups = lookups).await;
        let id = world.report(json!({})).await;
        for _ in 0..turns_in_all {
            world.anthropic.reply(Reply::looks_up(&[("read", "README.md")]));
        }
        world.good_reply();
        let (stage, reason) = world.failure(&id).await;
        assert_eq!((stage, world.anthropic.asked()), (Stage::Model, turns_in_all), "{lookups}");
        assert!(reason.contains("never answered") && reason.contains("`lookups`"), "{reason}");
        let requests = world.anthropic.requests();
        let answers: Vec<String> = requests.iter().skip(1).map(|r| text_of(turns(r).last().unwrap())).collect();
        let shown = answers.iter().filter(|a| a.contains("# Billing")).count();
        assert_eq!(shown, lookups, "shown as often as the setting says");
        assert!(answers.last().unwrap().contains("Answer now with what you have"), "{answers:?}");
        assert!(branches(&world.bare()).is_empty());
        world.assert_clean();
        assert_eq!(world.anthropic.unasked(), 1);
        world.publish(&id).await;
    }
}

#[tokio::test]
async fn a_model_that_answers_when_it_is_told_to_is_heard() {
    let world = World::with(|config, _| config.draft.lookups = 0).await;
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::looks_up(&[("search", "costs")]));
    world.good_reply();
    world.publish(&id).await;
    let requests = world.anthropic.requests();
    assert!(text_of(&turns(&requests[0])[0]).contains("Nothing more can be looked up"));
    let told = world.anthropic.last_turn();
    assert!(told.contains("Answer now") && !told.contains("old_costs"), "{told}");
}

#[tokio::test]
async fn what_must_stay_closed_is_refused_with_the_reason() {
    let world = World::open().await;
    fill(&world);
    let id = world.report(json!({})).await;
    let wishes = [
        ("../etc/passwd", "`..` part"),
        ("/etc/passwd", "relative to the repository's root"),
        (".git/config", "git's own files"),
        (".env", "may hold secrets"),
        ("passwd.py", "symbolic link"),
        ("passwd.py/x", "behind a symbolic link"),
        ("blob.bin", "not UTF-8 text"),
        ("lib/missing.py", "no such file"),
        ("README.MD", "differs only in case"),
    ];
    let asked: Vec<(&str, &str)> = wishes.iter().map(|(path, _)| ("read", *path)).collect();
    world
        .anthropic
        .reply(Reply::looks_up(&asked))
        .reply(Reply::looks_up(&[("search", "CANARY_SECRET"), ("search", "root:")]));
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    let requests = world.anthropic.requests();
    let told = text_of(&turns(&requests[1])[2]);
    for (path, why) in wishes {
        let block = told.split(&format!("<looked_up path=\"{path}\"")).nth(1).expect(path);
        let block = block.split("</looked_up").next().unwrap();
        assert!(block.contains("[not shown: ") && block.contains(why), "{path}: {block}");
    }
    let found = text_of(&turns(&requests[2])[4]);
    assert_eq!(found.matches("no line of a text file has it").count(), 2, "{found}");
    let all = serde_json::to_string(&requests).unwrap();
    assert!(!all.contains("CANARY_SECRET=") && !all.contains("/bin/"), "something closed was shown");
    assert!(details(&detail).iter().any(|line| line.starts_with("The model asked for: ../etc/passwd, /etc/passwd")));
    world.assert_clean();
}

#[tokio::test]
async fn a_wish_that_makes_no_sense_is_mended_like_any_answer() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let wish = json!([{"kind": "execute", "what": "ls", "from": null, "to": null}]);
    world.anthropic.reply(Reply::says(json!({"look_up": wish, "title": "", "summary": "", "files": []}).to_string()));
    world.good_reply();
    world.publish(&id).await;
    let told = world.anthropic.last_turn();
    assert!(told.contains("`kind` is `read` or `search`, not `execute`"), "{told}");
}

#[tokio::test]
async fn a_model_may_look_something_up_to_mend_its_answer() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let nowhere = json!([{"path": "src/server.py", "action": "edit", "content": null, "edits": [{"search": "def nothing", "replace": "x"}]}]);
    world.anthropic.reply(Reply::change("Nowhere", &nowhere)).reply(Reply::looks_up(&[("read", "src/server.py")]));
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    assert!(world.anthropic.last_turn().contains("    6| @mcp.tool()"), "{}", world.anthropic.last_turn());
    assert_eq!(
        detail.draft.usage,
        Usage { input_tokens: 369, output_tokens: 126, cached_tokens: 9, ..detail.draft.usage }
    );
}

#[tokio::test]
async fn what_was_looked_up_before_a_crash_is_not_paid_for_again() {
    let mut world = World::open().await;
    fill(&world);
    let id = world.report(json!({})).await;
    world.anthropic.reply(Reply::looks_up(&[("read", "lib/calendar.py")])).reply(Reply::begins("{\"loo", Piece::Stall));
    let (doomed, draft) = super::resume::Doomed::start(&world, &id).await;
    world.anthropic.until_stalled(1).await;
    doomed.die().await;
    world.good_reply();
    world.engine = engine(world.dir.path(), &world.config, &world.secrets, &world.waits, owner()).await;
    let detail = world.end_of(&draft).await;
    published(&detail);
    let requests = world.anthropic.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2]["messages"], requests[1]["messages"], "the same conversation goes on");
    world.assert_clean();
}
