//! What becomes of published drafts: merged, closed, checked; asked for seldom, and told only when something is new.

use crate::support::fake::Fault;
use crate::support::fake::github::{CHECK_RUNS, PULL};
use crate::support::fake::world::World;
use patchwork::domain::draft::{Checks, Draft, PullState};
use patchwork::domain::filter::Filter;
use patchwork::domain::id::{DraftId, FeedbackId};
use patchwork::domain::time::{DAY, HOUR, MINUTE, Millis};
use patchwork::engine::Looked;
use patchwork::protocol::EventKind;
use patchwork::protocol::read::PageRequest;
use serde_json::json;
use std::time::Duration;

/// Looks every hour, when told to.
async fn world() -> World {
    World::with(|config, _| config.github.poll_interval = Duration::from_hours(1)).await
}

async fn publish(world: &World) -> (FeedbackId, DraftId) {
    let id = world.report(json!({})).await;
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    (id, detail.draft.id)
}

async fn look(world: &World, now: Millis) -> Looked {
    world.engine.look_at_pulls(now).await.unwrap()
}

async fn draft(world: &World, id: &DraftId) -> Draft {
    world.engine.draft(id).await.unwrap().draft
}

async fn told(world: &World) -> Vec<String> {
    let events = world.events().await;
    events.into_iter().filter(|e| e.kind == EventKind::DraftPullRequestChanged).map(|e| e.text).collect()
}

fn looked(asked: usize, changed: usize) -> Looked {
    Looked { asked, changed, trouble: None }
}

#[tokio::test]
async fn a_pull_request_is_followed_until_it_is_merged() {
    let world = world().await;
    let (id, draft_id) = publish(&world).await;
    assert_eq!(draft(&world, &draft_id).await.pull, None);
    let mut now = world.engine.now();
    assert_eq!(look(&world, now).await, looked(1, 1));
    let pull = draft(&world, &draft_id).await.pull.unwrap();
    assert_eq!((pull.state, pull.checks, pull.looked_at), (PullState::Draft, Checks::None, now));
    assert_eq!(look(&world, now.plus(59 * MINUTE)).await, looked(0, 0), "not yet");

    now = now.plus(HOUR);
    let before = world.github.calls().len();
    assert_eq!(look(&world, now).await, looked(1, 0));
    assert_eq!(world.github.calls()[before..].iter().filter(|c| c.starts_with("304")).count(), 3);
    assert_eq!(draft(&world, &draft_id).await.pull.unwrap().looked_at, now, "looked at, and nothing new");
    assert_eq!(told(&world).await, ["draft"]);

    world.github.checks().run("ci", None, "", "");
    world.github.change_pull(1, json!({"draft": false}));
    now = now.plus(HOUR);
    assert_eq!(look(&world, now).await, looked(1, 1));
    world.github.checks().run("ci", Some("failure"), "", "");
    now = now.plus(HOUR);
    assert_eq!(look(&world, now).await, looked(1, 1));
    let pull = draft(&world, &draft_id).await.pull.unwrap();
    assert_eq!((pull.state, pull.checks), (PullState::Open, Checks::Failed));

    assert!(merged(&world).await.is_empty());
    world.github.change_pull(1, json!({"state": "closed", "merged_at": "2026-11-20T12:00:00Z"}));
    now = now.plus(HOUR);
    assert_eq!(look(&world, now).await, looked(1, 1));
    assert_eq!(draft(&world, &draft_id).await.pull.unwrap().state, PullState::Merged);
    assert_eq!(merged(&world).await, [id]);
    assert_eq!(told(&world).await, ["draft", "open", "open", "merged"]);
    let event = world.events().await.pop().unwrap();
    assert!(event.feedback.unwrap().feedback.merged && event.draft.unwrap().pull.is_some());
    assert_eq!(look(&world, now.plus(400 * DAY)).await, looked(0, 0), "never again");
}

async fn merged(world: &World) -> Vec<FeedbackId> {
    let filter = Filter::parse("is:merged").unwrap();
    let page = world.engine.page(PageRequest::first(filter, 10)).await.unwrap();
    page.rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn a_closed_one_is_closed_and_its_report_is_not_merged() {
    let world = world().await;
    let (id, draft_id) = publish(&world).await;
    world.github.change_pull(1, json!({"state": "closed"}));
    assert_eq!(look(&world, world.engine.now()).await, looked(1, 1));
    assert_eq!(draft(&world, &draft_id).await.pull.unwrap().state, PullState::Closed);
    assert!(!world.engine.feedback(&id).await.unwrap().feedback.merged);
    assert_eq!(look(&world, world.engine.now().plus(DAY)).await, looked(0, 0));
}

#[tokio::test]
async fn a_handful_at_a_time_the_newest_first_and_old_ones_seldom() {
    let world = world().await;
    for _ in 0..7 {
        publish(&world).await;
    }
    let now = world.engine.now();
    assert_eq!(look(&world, now).await, looked(5, 5));
    let asked: Vec<String> = world.github.calls().into_iter().filter(|c| is_pull(c)).collect();
    let numbers = [7, 6, 5, 4, 3].map(|n| format!("GET /repos/octo/billing/pulls/{n}"));
    assert_eq!(asked, numbers);
    assert_eq!(look(&world, now).await, looked(2, 2), "the rest");
    assert_eq!(look(&world, now).await, looked(0, 0));
    // After two days they are asked about every six hours, after two months every twelve days.
    let later = now.plus(2 * DAY);
    while look(&world, later).await.asked > 0 {}
    assert_eq!(look(&world, later.plus(5 * HOUR)).await, looked(0, 0));
    assert_eq!(look(&world, later.plus(6 * HOUR)).await, looked(5, 0));
    let later = now.plus(60 * DAY);
    while look(&world, later).await.asked > 0 {}
    assert_eq!(look(&world, later.plus(11 * DAY)).await, looked(0, 0));
    assert_eq!(look(&world, later.plus(12 * DAY)).await, looked(5, 0));
}

fn is_pull(call: &str) -> bool {
    call.starts_with("GET ") && call.contains("/pulls/") && !call.ends_with("comments")
}

#[tokio::test]
async fn trouble_with_the_server_makes_the_next_round_later_and_later() {
    let world = world().await;
    publish(&world).await;
    publish(&world).await;
    let mut now = world.engine.now();
    let limit = json!({"message": "You have exceeded a secondary rate limit."}).to_string();
    world.github.fail(PULL, Fault::status(403, limit).header("retry-after", "10800"));
    let first = look(&world, now).await;
    assert!(first.asked == 1 && first.trouble.is_some_and(|why| why.contains("limits the rate")), "the round is over");
    assert_eq!(look(&world, now.plus(3 * HOUR - 1)).await, looked(0, 0), "as long as the server asks for");
    now = now.plus(3 * HOUR);
    for _ in 0..3 {
        world.github.fail(PULL, Fault::status(502, "Bad gateway"));
    }
    assert!(look(&world, now).await.trouble.is_some());
    assert_eq!(look(&world, now.plus(HOUR - 1)).await, looked(0, 0));
    now = now.plus(HOUR);
    assert_eq!(look(&world, now).await, looked(2, 2), "and forgotten when it is over");
    assert_eq!(look(&world, now.plus(HOUR)).await, looked(2, 0));
}

#[tokio::test]
async fn trouble_with_one_of_them_is_its_own() {
    let world = world().await;
    publish(&world).await;
    let (_, newest) = publish(&world).await;
    let now = world.engine.now();
    world.github.fail(PULL, Fault::status(404, json!({"message": "Not Found"}).to_string()));
    assert_eq!(look(&world, now).await, looked(2, 1));
    assert_eq!(draft(&world, &newest).await.pull, None, "what it is can't be said");
    assert_eq!(look(&world, now.plus(30 * MINUTE)).await, looked(0, 0));
    // What answers there is another pull request: that of another server, under the same number.
    world.github.change_pull(2, json!({"html_url": "https://elsewhere.example/octo/billing/pull/2"}));
    assert_eq!(look(&world, now.plus(HOUR)).await, looked(2, 0));
    assert_eq!(draft(&world, &newest).await.pull, None);
}

#[tokio::test]
async fn hidden_checks_are_unknown_and_no_news() {
    let world = world().await;
    let (_, id) = publish(&world).await;
    world.github.facts().hidden = vec![CHECK_RUNS];
    let now = world.engine.now();
    assert_eq!(look(&world, now).await, looked(1, 1));
    assert_eq!(draft(&world, &id).await.pull.unwrap().checks, Checks::Unknown);
    assert_eq!(look(&world, now.plus(HOUR)).await, looked(1, 0));
    assert_eq!(told(&world).await.len(), 1);
}

#[tokio::test]
async fn without_a_token_nobody_is_asked() {
    let world = World::with(|_, secrets| secrets.github = None).await;
    assert_eq!(look(&world, world.engine.now()).await, looked(0, 0));
    assert_eq!(world.github.calls(), Vec::<String>::new());
}
