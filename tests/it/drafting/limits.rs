//! What a run costs, and the limits that stop it before a question is asked.

use crate::support::fake::outcome::{FakeModel, Outcome};
use crate::support::fake::world::{World, branches};
use patchwork::config::{Config, Price};
use patchwork::domain::draft::{Cost, Stage};
use serde_json::json;

fn price(model: &str) -> Price {
    let (input, output) = (Cost(2_000_000), Cost(10_000_000));
    Price { model: model.to_owned(), input, output, cached: Some(Cost(200_000)), cache_write: Some(Cost(2_500_000)) }
}

/// The fake's answers all use the same: 100 fresh tokens, 3 cached, 20 written to the cache, 42 in the answer.
const ONE_ANSWER: Cost = Cost(200 + 1 + 50 + 420);

#[tokio::test]
async fn what_a_run_costs_is_kept_with_it() {
    let world = World::with(|config, _| config.prices.push(price(&config.anthropic.model.clone()))).await;
    let id = world.report(json!({})).await;
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    assert_eq!(detail.draft.cost, Some(ONE_ANSWER));
}

#[tokio::test]
async fn an_unknown_price_is_not_zero() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    assert_eq!(detail.draft.cost, None);
}

#[tokio::test]
async fn a_limit_stops_the_run_before_the_question() {
    type Limit = fn(&mut Config);
    let cases: [(&str, Limit); 3] = [
        ("max_tokens_per_draft", |config| config.draft.max_tokens_per_draft = 1_500),
        ("max_cost_per_draft", |config| config.draft.max_cost_per_draft = Cost(1_000)),
        ("[[price]]", |config| {
            config.prices.clear();
            config.draft.max_cost_per_day = Cost(1_000_000);
        }),
    ];
    for (name, limit) in cases {
        let world = World::with(|config, _| {
            config.prices.push(price(&config.anthropic.model.clone()));
            limit(config);
        })
        .await;
        let id = world.report(json!({})).await;
        let (stage, reason) = world.failure(&id).await;
        assert_eq!((stage, world.anthropic.asked()), (Stage::Model, 0), "{name}: {reason}");
        assert!(reason.contains(name), "{reason}");
        assert!(name == "[[price]]" || reason.contains("this one has about "), "{reason}");
        assert!(branches(&world.bare()).is_empty());
        world.assert_clean();
    }
}

/// The length of the answer that a run asks for, under a limit that leaves room for part of one.
async fn asked_under(limit: u32) -> i64 {
    let world = World::with(|config, _| config.draft.max_tokens_per_draft = limit).await;
    let id = world.report(json!({})).await;
    world.good_reply();
    world.publish(&id).await;
    world.anthropic.requests()[0]["max_tokens"].as_i64().unwrap()
}

#[tokio::test]
async fn an_answer_is_asked_to_be_no_longer_than_the_limit_leaves_room_for() {
    let asked = asked_under(20_000).await;
    assert!((1_000..20_000).contains(&asked), "{asked}");
    assert_eq!(asked_under(21_000).await, asked + 1_000);
}

#[tokio::test]
async fn an_answer_that_the_limits_cut_is_not_blamed_on_the_model() {
    let world = World::with(|config, _| config.draft.max_tokens_per_draft = 20_000).await;
    let id = world.report(json!({})).await;
    world.anthropic.plan(&Outcome::Truncated("{\"title\": \"Add".into()));
    let (stage, reason) = world.failure(&id).await;
    assert_eq!(stage, Stage::Model, "{reason}");
    assert!(reason.contains("max_tokens_per_draft") && !reason.contains("max_output_tokens"), "{reason}");
}

/// Room for one question and the shortest answer worth it: the first run fits, the second does not, because the first one counts.
#[tokio::test]
async fn a_day_is_counted_over_all_runs() {
    let question = 20_000 - asked_under(20_000).await;
    let limit = u32::try_from(question + 1_100).unwrap();
    let world = World::with(|config, _| config.draft.max_tokens_per_day = limit).await;
    let first = world.report(json!({})).await;
    let second = world.report(json!({})).await;
    world.good_reply();
    world.publish(&first).await;
    let (stage, reason) = world.failure(&second).await;
    assert_eq!((stage, world.anthropic.asked()), (Stage::Model, 1));
    assert!(reason.contains("max_tokens_per_day") && reason.contains(&format!("165 of {limit}")), "{reason}");
}
