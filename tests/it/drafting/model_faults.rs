//! Everything that can go wrong with the model: the run ends as failed with the reason in words, the report stays as it was, and a
//! re-draft works.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::world::{ANTHROPIC_KEY, World};
use patchwork::domain::draft::Stage;
use serde_json::json;
use std::time::Duration;

/// What the fake answers, where the run ends, and words that its reason has.
type Case = (Vec<Reply>, Stage, &'static [&'static str]);

async fn each_fails_in_words_and_the_next_draft_works(cases: Vec<Case>) {
    let world = World::open().await;
    let mut wrong = Vec::new();
    for (replies, at, words) in cases {
        let id = world.report_here().await;
        for reply in replies {
            world.anthropic.reply(reply);
        }
        let (stage, reason) = world.failure(&id).await;
        let missing: Vec<_> = words.iter().filter(|w| !reason.contains(**w)).collect();
        let sentence = reason.ends_with('.') && !reason.contains("..") && reason.len() < 1_500;
        if stage != at || !missing.is_empty() || !sentence || reason.contains(ANTHROPIC_KEY) {
            wrong.push(format!("{missing:?} missing in {stage}: {reason}"));
        }
        assert_eq!(world.anthropic.unasked(), 0, "every answer was asked for: {reason}");
        world.good_reply();
        world.publish(&id).await;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.assert_clean();
}

fn thrice(reply: &Reply) -> Vec<Reply> {
    vec![reply.clone(), reply.clone(), reply.clone()]
}

const HALF: &str = "{\"title\": \"Half\", \"summ";

#[tokio::test]
async fn refusals_of_the_api() {
    let limited =
        Reply::error(429, "rate_limit_error", "This request would exceed your limit").header("retry-after", "7");
    let later = Reply::error(429, "rate_limit_error", "Not today").header("retry-after", "600");
    let spent = Reply::error(429, "rate_limit_error", "Your monthly cap is reached");
    let own_limit = Reply::Status {
        code: 400,
        headers: vec![],
        body: json!({"type": "error", "error": {"type": "invalid_request_error", "message": "Spend limit reached",
            "details": {"error_code": "enforced_spend_limit_reached"}}})
        .to_string(),
    };
    let echo = format!("invalid x-api-key: {ANTHROPIC_KEY}");
    each_fails_in_words_and_the_next_draft_works(vec![
        (thrice(&limited), Stage::Model, &["limits the rate", "would exceed your limit", "try again in 7 s"]),
        (vec![later], Stage::Model, &["limits the rate", "10 min"]),
        (vec![spent], Stage::Model, &["spending limit", "monthly cap"]),
        (vec![own_limit], Stage::Model, &["spending limit", "trying again won't help"]),
        (vec![Reply::error(402, "billing_error", "No credit")], Stage::Model, &["spending limit", "No credit"]),
        (thrice(&Reply::error(529, "overloaded_error", "Overloaded")), Stage::Model, &["overloaded", "Try again"]),
        (thrice(&Reply::error(500, "api_error", "Internal")), Stage::Model, &["status 500", "Internal", "ry again"]),
        (
            vec![Reply::error(401, "authentication_error", &echo)],
            Stage::Model,
            &["refused the key", "ANTHROPIC_API_KEY"],
        ),
        (vec![Reply::error(403, "permission_error", "No access")], Stage::Model, &["not allowed", "No access"]),
        (vec![Reply::error(400, "invalid_request_error", "Bad field")], Stage::Model, &["status 400", "Bad field"]),
        (
            vec![Reply::error(400, "invalid_request_error", "Your credit balance is too low to access the API.")],
            Stage::Model,
            &["spending limit", "credit balance"],
        ),
        (
            vec![Reply::error(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum")],
            Stage::Model,
            &["context_tokens", "210000"],
        ),
        (
            vec![Reply::error(400, "invalid_request_error", "max_tokens: 64001 > 64000")],
            Stage::Model,
            &["max_output_tokens", "64001"],
        ),
        (vec![Reply::error(413, "request_too_large", "Too big")], Stage::Model, &["context_tokens", "Too big"]),
    ])
    .await;
}

#[tokio::test]
async fn lines_that_break_and_strangers_that_answer() {
    let page = |code| Reply::Status {
        code,
        headers: vec![("content-type", "text/html".into())],
        body: "<html><body>Welcome to the hotel's network</body></html>".into(),
    };
    each_fails_in_words_and_the_next_draft_works(vec![
        (thrice(&Reply::HangUp), Stage::Model, &["connection to Anthropic", "try again"]),
        (thrice(&page(502)), Stage::Model, &["status 502", "hotel"]),
        (vec![page(200)], Stage::Model, &["Anthropic", "base_url"]),
        (vec![page(404)], Stage::Model, &["base_url"]),
        (vec![Reply::begins(HALF, Piece::nothing())], Stage::Model, &["broke off before its end"]),
        (vec![Reply::begins(HALF, Piece::Break)], Stage::Model, &["connection to Anthropic"]),
        (
            vec![Reply::begins(HALF, Piece::raw("event: message_delta\ndata: {\"oh\n\n"))],
            Stage::Model,
            &["can't be understood"],
        ),
        (
            vec![Reply::begins(HALF, Piece::raw(vec![0xff, 0xfe, b'\n', 0x80, b'\n', b'\n']))],
            Stage::Model,
            &["not UTF-8"],
        ),
        (vec![Reply::begins(HALF, Piece::error("overloaded_error", "Overloaded"))], Stage::Model, &["overloaded"]),
        (vec![Reply::begins(HALF, Piece::error("api_error", "Boom"))], Stage::Model, &["Boom", "ry again"]),
    ])
    .await;
}

#[tokio::test]
async fn answers_that_are_none() {
    let refusal = json!({"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "cyber", "explanation": "It looks like an attack."}});
    let empty = json!({"title": "Nothing to do", "summary": "`since` exists already.", "files": []}).to_string();
    each_fails_in_words_and_the_next_draft_works(vec![
        (
            vec![Reply::ends("", &refusal)],
            Stage::Model,
            &["refused", "cyber", "It looks like an attack", "another model"],
        ),
        (vec![Reply::ends(HALF, &json!({"stop_reason": "refusal"}))], Stage::Model, &["refused to answer"]),
        (
            vec![Reply::ends(HALF, &json!({"stop_reason": "max_tokens"}))],
            Stage::Model,
            &["cut off", "max_output_tokens"],
        ),
        (
            vec![Reply::ends(HALF, &json!({"stop_reason": "model_context_window_exceeded"}))],
            Stage::Model,
            &["cut off", "context_tokens"],
        ),
        (vec![Reply::ends(HALF, &json!({"stop_reason": "pause_turn"}))], Stage::Model, &["pause_turn"]),
        (vec![Reply::says("")], Stage::Model, &["no text"]),
        (
            vec![Reply::says("Hello!"), Reply::says("Hello again!"), Reply::says("Hi.")],
            Stage::Check,
            &["asking again", "schema"],
        ),
        (vec![Reply::says(&empty)], Stage::Check, &["changed nothing", "`since` exists already. Add a note"]),
    ])
    .await;
}

#[tokio::test]
async fn a_model_that_is_not_there_is_answered_with_those_that_are() {
    let world = World::with(|config, _| config.anthropic.model = "claude-test-I".into()).await;
    let id = world.report(json!({})).await;
    let (stage, reason) = world.failure(&id).await;
    assert_eq!(stage, Stage::Model);
    for words in [
        "`claude-test-I` was not found",
        "model = \"claude-test-1\"",
        "[anthropic]",
        "claude-test-mini, claude-other-9",
    ] {
        assert!(reason.contains(words), "`{words}` is not in: {reason}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_said_without_the_key() {
    let key = concat!("sk-", "ant-api03-SOMEBODYelses7Q2w9Xz4Lk8Vb3Nm6Pd1");
    let world = World::with(|_, secrets| secrets.anthropic = Some(key.into())).await;
    let id = world.report(json!({})).await;
    let (_, reason) = world.failure(&id).await;
    assert!(reason.contains("ANTHROPIC_API_KEY") && !reason.contains(key), "{reason}");
}

#[tokio::test]
async fn a_passing_fault_is_waited_out_as_the_server_asks() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world
        .anthropic
        .reply(Reply::error(429, "rate_limit_error", "Slow down").header("retry-after", "3"))
        .reply(Reply::error(529, "overloaded_error", "Overloaded"));
    world.good_reply();
    world.publish(&id).await;
    let waits = world.waits.all();
    assert_eq!(waits[0], Duration::from_secs(3));
    assert!(waits.len() == 2 && (Duration::from_millis(750)..=Duration::from_secs(1)).contains(&waits[1]), "{waits:?}");
}

#[tokio::test]
async fn what_an_unusable_answer_has_cost_is_recorded() {
    let world = World::open().await;
    let id = world.report_here().await;
    for reason in ["refusal", "max_tokens"] {
        world.anthropic.reply(Reply::ends(HALF, &json!({"stop_reason": reason})));
        let detail = world.draft(&id).await;
        assert_eq!((detail.draft.usage.input_tokens, detail.draft.usage.output_tokens), (123, 42), "{reason}");
    }
}
