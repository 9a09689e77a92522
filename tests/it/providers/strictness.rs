//! The fakes themselves: what the real servers refuse, they refuse. A fake that takes everything would prove nothing.

use super::{KEY, PATIENT, http};
use crate::support::fake::anthropic::{Anthropic as Fake, Reply};
use crate::support::fake::{anthropic_strict, github_strict};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use patchwork::config::AnthropicConfig;
use patchwork::providers::{Anthropic, Block, Message, Prompt, Role};
use serde_json::{Value, json};

/// A request that the real client makes.
async fn real_request() -> Value {
    let fake = Fake::start(KEY).await;
    fake.reply(Reply::says("{}"));
    let config =
        AnthropicConfig { base_url: fake.url().into(), model: "claude-test-1".into(), ..AnthropicConfig::default() };
    let block = |text: &str, cache| Block { text: text.into(), cache };
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"type": "array", "items": {"type": "string", "enum": ["x"]}}}});
    let prompt = Prompt {
        system: vec![block("s", true)],
        messages: vec![
            Message { role: Role::User, blocks: vec![block("u", true)] },
            Message { role: Role::Assistant, blocks: vec![block("a", false)] },
            Message { role: Role::User, blocks: vec![block("u", false)] },
        ],
        schema,
        max_output_tokens: 10,
    };
    Anthropic::new(http(PATIENT).0, &config, KEY.to_owned().into())
        .complete(&prompt, &mut |_| {}, &|_, _| {})
        .await
        .unwrap();
    fake.requests().remove(0)
}

#[tokio::test]
async fn the_fake_model_takes_the_real_request_and_no_worse_one() {
    let good = real_request().await;
    assert_eq!(anthropic_strict::request(&good), Ok(()));
    let schema = "/output_config/format/schema";
    for (pointer, key, value) in [
        ("", "temperature", json!(1.0)),
        ("", "thinking", json!({"type": "enabled"})),
        ("", "tool_choice", json!({"type": "any"})),
        ("", "stream", json!(false)),
        ("", "max_tokens", json!(0)),
        ("", "model", json!("")),
        ("", "messages", json!([])),
        ("/messages/0", "role", json!("assistant")),
        ("/messages/0", "name", json!("x")),
        ("/messages/0", "content", json!("plain")),
        ("/messages/0/content/0", "text", json!(" ")),
        ("/messages/0/content/0", "type", json!("document")),
        ("/messages/0/content/0", "cache_control", json!({"type": "for ever"})),
        ("/output_config/format", "name", json!("draft")),
        ("/output_config/format", "strict", json!(true)),
        (schema, "additionalProperties", json!(true)),
        (schema, "required", json!(["b"])),
        ("/output_config/format/schema/properties/a", "maxItems", json!(3)),
        ("/output_config/format/schema/properties/a/items", "pattern", json!(".")),
    ] {
        let mut bad = good.clone();
        bad.pointer_mut(pointer).unwrap()[key] = value;
        assert!(anthropic_strict::request(&bad).is_err(), "{pointer}/{key}: {bad}");
    }
    let mut prefilled = good.clone();
    prefilled["messages"].as_array_mut().unwrap().pop();
    assert!(anthropic_strict::request(&prefilled).is_err());
    for field in ["model", "max_tokens", "stream", "messages", "output_config"] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().remove(field);
        assert!(anthropic_strict::request(&bad).is_err(), "without {field}");
    }
}

fn without(headers: &HeaderMap, name: &str) -> HeaderMap {
    let mut fewer = headers.clone();
    fewer.remove(name).unwrap();
    fewer
}

type Check = fn(&Method, &HeaderMap) -> Result<(), String>;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v))).collect()
}

#[test]
fn each_header_is_asked_for() {
    let anthropic = headers(&[
        ("x-api-key", "k"),
        ("anthropic-version", "2023-06-01"),
        ("user-agent", "patchwork/1"),
        ("content-type", "application/json"),
    ]);
    let github = headers(&[
        ("authorization", "Bearer t"),
        ("accept", "application/vnd.github+json"),
        ("x-github-api-version", "2022-11-28"),
        ("user-agent", "patchwork/1"),
        ("content-type", "application/json"),
    ]);
    let both: [(&HeaderMap, Check); 2] = [(&anthropic, anthropic_strict::headers), (&github, github_strict::headers)];
    for (all, check) in both {
        assert_eq!(check(&Method::POST, all), Ok(()));
        for name in all.keys() {
            assert!(check(&Method::POST, &without(all, name.as_str())).is_err(), "{name}");
        }
    }
}

#[test]
fn a_pull_request_and_a_list_are_asked_for_as_documented() {
    let good = json!({"title": "t", "body": "b", "head": "h", "base": "main", "draft": true});
    assert!(github_strict::new_pull(good.clone()).is_ok());
    for (key, value) in [
        ("title", json!("")),
        ("title", json!("x".repeat(257))),
        ("body", json!("x".repeat(65_537))),
        ("head", json!("main")),
        ("draft", json!("yes")),
        ("labels", json!([])),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(github_strict::new_pull(bad).is_err(), "{key}");
    }
    assert!(github_strict::list_query("state=open&head=o:b&base=main&per_page=100", "o").is_ok());
    for bad in ["head=b", "head=other:b", "state=all", "per_page=101", "branch=b"] {
        assert!(github_strict::list_query(bad, "o").is_err(), "{bad}");
    }
    for bad in ["page=0", "page=x", "per_page=101", "filter=all", "since=1"] {
        assert!(github_strict::page(bad).is_err(), "{bad}");
    }
}

#[test]
fn comments_labels_and_reviewers_are_asked_for_as_documented() {
    assert!(github_strict::comment(&json!({"body": "b"})).is_ok());
    for bad in [json!({}), json!({"body": ""}), json!({"body": "b", "event": "x"}), json!({"body": "x".repeat(65_537)})]
    {
        assert!(github_strict::comment(&bad).is_err(), "{bad}");
    }
    let label = json!({"name": "n", "color": "ededed", "description": "d"});
    assert!(github_strict::new_label(&label).is_ok());
    for (key, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(51))),
        ("color", json!("#eee")),
        ("description", json!("x".repeat(101))),
        ("default", json!(true)),
    ] {
        let mut bad = label.clone();
        bad[key] = value;
        assert!(github_strict::new_label(&bad).is_err(), "{bad}");
    }
    let keys = &["reviewers", "team_reviewers"];
    assert!(github_strict::names(&json!({"reviewers": ["a"], "team_reviewers": []}), keys).is_ok());
    for bad in [json!({}), json!({"reviewers": [1]}), json!({"reviewers": []}), json!({"assignees": ["a"]})] {
        assert!(github_strict::names(&bad, keys).is_err(), "{bad}");
    }
    for bad in [json!({}), json!({"draft": false}), json!({"title": ""}), json!({"body": "x".repeat(65_537)})] {
        assert!(github_strict::edited_pull(bad.clone()).is_err(), "{bad}");
    }
}

#[tokio::test]
#[should_panic(expected = "a question that nobody scripted an answer for")]
async fn a_question_too_many_fails_the_test() {
    let fake = Fake::start(KEY).await;
    let config =
        AnthropicConfig { base_url: fake.url().into(), model: "claude-test-1".into(), ..AnthropicConfig::default() };
    let prompt = Prompt {
        system: Vec::new(),
        messages: vec![Message { role: Role::User, blocks: vec![Block { text: "Hello?".into(), cache: false }] }],
        schema: json!({"type": "string"}),
        max_output_tokens: 10,
    };
    drop(
        Anthropic::new(http(PATIENT).0, &config, KEY.to_owned().into())
            .complete(&prompt, &mut |_| {}, &|_, _| {})
            .await,
    );
}
