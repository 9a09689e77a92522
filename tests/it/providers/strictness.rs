//! The fakes themselves: what the real servers refuse, they refuse. A fake that takes everything would prove nothing.

use super::{KEY, PATIENT, http};
use crate::support::fake::anthropic::{Anthropic as Fake, Reply};
use crate::support::fake::compatible::{Compatible as FakeCompatible, Dialect};
use crate::support::fake::openai::Openai as FakeOpenai;
use crate::support::fake::outcome::{FakeModel, Outcome};
use crate::support::fake::{anthropic_strict, compatible_strict, github_strict, openai_strict};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use patchwork::config::{AnthropicConfig, CompatibleConfig, OpenaiConfig};
use patchwork::providers::{Anthropic, Block, Compatible, Message, Openai, Prompt, Role};
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

/// A whole request of each of the other two kinds, as the real client makes it.
async fn other_requests() -> (Value, Value) {
    let schema = json!({"type": "object", "additionalProperties": false, "required": ["a"],
        "properties": {"a": {"type": "array", "items": {"type": "string", "enum": ["x"]}}}});
    let says = |role, text: &str| Message { role, blocks: vec![Block { text: text.into(), cache: false }] };
    let prompt = Prompt {
        system: vec![Block { text: "s".into(), cache: true }],
        messages: vec![says(Role::User, "u"), says(Role::Assistant, "a"), says(Role::User, "u")],
        schema,
        max_output_tokens: 20,
    };
    let openai = FakeOpenai::start(KEY).await;
    openai.plan(&Outcome::Says("{}".into()));
    let config = OpenaiConfig { base_url: openai.url(), model: "gpt-test-1".into(), ..OpenaiConfig::default() };
    let client = Openai::new(http(PATIENT).0, &config, KEY.to_owned().into());
    client.complete(&prompt, &mut |_| {}, &|_, _| {}).await.unwrap();
    let compatible = FakeCompatible::start(None, Dialect::default()).await;
    compatible.plan(&Outcome::Says("{}".into()));
    let (base_url, model) = (compatible.url(), "qwen-test:7b".into());
    let config = CompatibleConfig { base_url, model, ..CompatibleConfig::default() };
    let client = Compatible::new(http(PATIENT).0, &config, None);
    client.complete(&prompt, &mut |_| {}, &|_, _| {}).await.unwrap();
    (openai.requests().remove(0), compatible.requests().remove(0))
}

type BodyCheck = fn(&Value) -> Result<(), String>;

#[tokio::test]
async fn the_other_fake_models_take_the_real_request_and_no_worse_one() {
    let (openai, compatible) = other_requests().await;
    let checks: [(&Value, BodyCheck); 2] =
        [(&openai, openai_strict::request), (&compatible, |body| compatible_strict::request(body, Dialect::default()))];
    let worse: [&[(&str, &str, Value)]; 2] = [
        &[
            ("", "store", json!(true)),
            ("", "stream", json!(false)),
            ("", "temperature", json!(1.0)),
            ("", "max_tokens", json!(9)),
            ("", "max_output_tokens", json!(1)),
            ("", "messages", json!([])),
            ("", "instructions", json!("")),
            ("", "prompt_cache_key", json!("x".repeat(65))),
            ("", "response_format", openai["text"]["format"].clone()),
            ("/text", "format", json!({"type": "json_schema", "json_schema": openai["text"]["format"]})),
            ("/text/format", "strict", json!(false)),
            ("/text/format", "name", json!("two words")),
            ("/text/format/schema", "additionalProperties", json!(true)),
            ("/text/format/schema", "required", json!([])),
            ("/text/format/schema", "anyOf", json!([])),
            ("/text/format/schema/properties/a", "maxItems", json!(3)),
            ("/input/0", "role", json!("system")),
            ("/input/0", "content", json!([{"type": "text", "text": "x"}])),
        ],
        &[
            ("", "stream", json!(false)),
            ("", "stream_options", json!({})),
            ("", "max_completion_tokens", json!(9)),
            ("", "store", json!(false)),
            ("", "text", json!({})),
            ("", "response_format", compatible["response_format"]["json_schema"].clone()),
            ("/response_format", "name", json!("draft")),
            ("/response_format", "type", json!("json_object")),
            ("/response_format/json_schema/schema", "required", json!([])),
            ("/messages/0", "role", json!("developer")),
            ("/messages/1", "content", json!([])),
            ("/messages/1", "cache_control", json!({})),
        ],
    ];
    for ((good, check), worse) in checks.into_iter().zip(worse) {
        assert_eq!(check(good), Ok(()));
        for (pointer, key, value) in worse {
            let mut bad = good.clone();
            bad.pointer_mut(pointer).unwrap()[key] = value.clone();
            assert!(check(&bad).is_err(), "{pointer}/{key}: {bad}");
        }
        for field in good.as_object().unwrap().keys() {
            let mut bad = good.clone();
            bad.as_object_mut().unwrap().remove(field);
            assert!(check(&bad).is_err(), "without {field}");
        }
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
    let openai =
        headers(&[("authorization", "Bearer k"), ("user-agent", "patchwork/1"), ("content-type", "application/json")]);
    let mut two_keys = openai.clone();
    two_keys.insert("x-api-key", HeaderValue::from_static("k"));
    assert!(openai_strict::headers(&Method::POST, &two_keys).is_err());
    assert!(compatible_strict::headers(&Method::POST, &two_keys).is_err());
    let compatible = headers(&[("user-agent", "patchwork/1"), ("content-type", "application/json")]);
    let checks: [(&HeaderMap, Check); 4] = [
        (&anthropic, anthropic_strict::headers),
        (&openai, openai_strict::headers),
        (&compatible, compatible_strict::headers),
        (&github, github_strict::headers),
    ];
    for (all, check) in checks {
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
