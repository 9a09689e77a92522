//! Chat Completions in the dialects of many servers: with a key and without, asked for JSON in three ways, ended in more.

use super::{KEY, PATIENT, http};
use crate::support::fake::compatible::{Compatible as Fake, Dialect, LEAVING, MODELS};
use crate::support::fake::outcome::{FakeModel, Outcome, Trouble};
use crate::support::fake::script::{Piece, Reply};
use patchwork::config::{CompatibleConfig, JsonMode, TokenLimit};
use patchwork::domain::draft::Usage;
use patchwork::providers::{Block, Compatible, Completion, Message, Prompt, ProviderError, Role};
use serde_json::json;

fn config(fake: &Fake) -> CompatibleConfig {
    CompatibleConfig { base_url: fake.url(), model: MODELS[0].to_owned(), ..CompatibleConfig::default() }
}

fn client(config: &CompatibleConfig, key: Option<&str>) -> Compatible {
    Compatible::new(http(PATIENT).0, config, key.map(|key| key.to_owned().into()))
}

fn question() -> Prompt {
    Prompt {
        system: vec![Block { text: "Be brief.".into(), cache: true }],
        messages: vec![Message { role: Role::User, blocks: vec![Block { text: "Hello?".into(), cache: false }] }],
        schema: json!({"type": "object", "additionalProperties": false, "required": ["a"],
            "properties": {"a": {"type": ["string", "null"]}}}),
        max_output_tokens: 100,
    }
}

async fn ask(client: &Compatible) -> (Result<Completion, ProviderError>, String) {
    let mut heard = String::new();
    let result = client.complete(&question(), &mut |piece| heard.push_str(piece), &|_, _| {}).await;
    (result, heard)
}

#[tokio::test]
async fn an_answer_cut_at_every_byte_is_the_same_answer() {
    let fake = Fake::start(Some(KEY), Dialect::default()).await;
    let client = client(&config(&fake), Some(KEY));
    let text = "{\"grüße\": \"€ und 😀\"}";
    let Reply::Stream(pieces) = fake.wording(&Outcome::Says(text.into())) else { panic!("a stream") };
    let bytes: Vec<u8> =
        pieces.iter().flat_map(|p| if let Piece::Bytes(b) = p { b.to_vec() } else { Vec::new() }).collect();
    let crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n").into_bytes();
    for stream in [bytes, crlf] {
        fake.reply(Reply::Stream(stream.chunks(1).map(Piece::raw).collect()));
        let (result, heard) = ask(&client).await;
        let usage = Usage { input_tokens: 123, output_tokens: 42, cached_tokens: 3, cache_written_tokens: 0 };
        let (model, request_id) = (MODELS[0].into(), "req_fake_1".into());
        let expected = Completion { text: text.into(), usage, model, request_id };
        assert_eq!((result, heard.as_str()), (Ok(expected), text));
    }
}

#[tokio::test]
async fn a_server_without_a_key_gets_none() {
    let fake = Fake::start(None, Dialect::default()).await;
    fake.plan(&Outcome::Says("{}".into()));
    ask(&client(&config(&fake), None)).await.0.unwrap();
    let keyed = Fake::start(Some(KEY), Dialect::default()).await;
    let error = ask(&client(&config(&keyed), None)).await.0.unwrap_err().to_string();
    assert!(error.contains("OPENAI_COMPATIBLE_API_KEY"), "{error}");
}

#[tokio::test]
async fn the_settings_speak_the_servers_dialect() {
    for (token_limit, word) in
        [(TokenLimit::MaxTokens, "max_tokens"), (TokenLimit::MaxCompletionTokens, "max_completion_tokens")]
    {
        for json in [JsonMode::Schema, JsonMode::Object, JsonMode::None] {
            let fake = Fake::start(None, Dialect { token_limit: word, json: json.as_str() }).await;
            fake.plan(&Outcome::Says("{}".into()));
            let config = CompatibleConfig { token_limit, json, ..config(&fake) };
            ask(&client(&config, None)).await.0.unwrap();
            let request = fake.requests().remove(0);
            assert_eq!(request[word], 100, "{request}");
        }
    }
}

#[tokio::test]
async fn a_dialect_that_is_not_understood_is_answered_with_the_setting_to_change() {
    let fake = Fake::start(None, Dialect::default()).await;
    for (message, json, words) in [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            JsonMode::Schema,
            "token_limit = \"max_completion_tokens\"",
        ),
        (
            "max_tokens is too large: 100. This model supports at most 10.",
            JsonMode::Schema,
            "Lower `max_output_tokens`",
        ),
        ("response_format.type json_schema is unavailable", JsonMode::Schema, "json = \"json_object\""),
        ("This model's maximum context length is 4096 tokens", JsonMode::Schema, "`context_tokens`"),
    ] {
        fake.plan(&Outcome::Error(Trouble::BadRequest, message.into()));
        let config = CompatibleConfig { json, ..config(&fake) };
        let error = ask(&client(&config, None)).await.0.unwrap_err().to_string();
        assert!(error.contains(words) && error.contains(message), "{words}: {error}");
    }
}

#[tokio::test]
async fn a_stream_needs_no_last_line_once_it_has_said_why_it_ended() {
    let fake = Fake::start(None, Dialect::default()).await;
    let Reply::Stream(pieces) = fake.wording(&Outcome::Says("{}".into())) else { panic!("a stream") };
    // Without `[DONE]`; without the usage; broken off behind the end.
    let all = pieces.len();
    for (kept, then) in [(all - 1, Piece::nothing()), (all - 2, Piece::nothing()), (all - 2, Piece::Break)] {
        fake.reply(Reply::Stream(pieces[..kept].iter().cloned().chain([then]).collect()));
        let completion = ask(&client(&config(&fake), None)).await.0.unwrap();
        assert_eq!(completion.text, "{}");
    }
    // Before it has said so the end is a failure, `[DONE]` or not.
    let done = pieces[all - 1].clone();
    for (then, words) in [(Piece::nothing(), "broke off"), (done, "does not say why")] {
        fake.reply(Reply::Stream(pieces[..all - 3].iter().cloned().chain([then]).collect()));
        let error = ask(&client(&config(&fake), None)).await.0.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn errors_in_plain_json_under_status_200_are_errors() {
    let fake = Fake::start(None, Dialect::default()).await;
    for (body, words) in [
        (json!({"error": {"code": 429, "message": "Provider is busy"}}), "limits the rate"),
        (json!({"error": {"code": 402, "message": "No credits left"}}), "spending limit"),
        (
            json!({"error": {"code": 403, "message": "Flagged", "metadata": {"reasons": ["x"], "flagged_input": "y"}}}),
            "refused to answer: Flagged",
        ),
        (json!({"id": "x", "object": "chat.completion", "choices": []}), "not an event stream"),
    ] {
        fake.reply(Reply::json(200, &body));
        let error = ask(&client(&config(&fake), None)).await.0.unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn errors_are_read_in_every_servers_spelling() {
    let fake = Fake::start(None, Dialect::default()).await;
    for (status, body, words) in [
        (
            400,
            json!({"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error", "n_ctx": 4096}}),
            "`context_tokens`",
        ),
        (
            400,
            json!({"object": "error", "message": "bad sampling", "type": "BadRequestError", "code": 400}),
            "bad sampling",
        ),
        (404, json!({"detail": "Not Found"}), "There is no Chat Completions API"),
        (422, json!({"detail": "field required"}), "field required"),
        (500, json!({"error": "llama runner process has terminated"}), "llama runner process has terminated"),
        (
            404,
            json!({"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404}}),
            "model = \"qwen-test:7b\"",
        ),
        (400, json!({"error": {"message": "x is not a valid model ID", "code": 400}}), "model = \"qwen-test:7b\""),
        (404, json!({"error": {"message": "No endpoints found for x.", "code": 404}}), "model = \"qwen-test:7b\""),
        (
            503,
            json!({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}),
            "overloaded: Loading model",
        ),
    ] {
        for _ in 0..if status >= 500 { 3 } else { 1 } {
            fake.reply(Reply::json(status, &body));
        }
        let error = ask(&client(&config(&fake), None)).await.0.unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
        assert_eq!(fake.unasked(), 0, "{error}");
    }
}

#[tokio::test]
async fn the_models_on_offer_are_listed_and_known_by_their_short_names() {
    let fake = Fake::start(None, Dialect::default()).await;
    let named = |model: &str| client(&CompatibleConfig { model: model.into(), ..config(&fake) }, None);
    let models = named("x").models().await.unwrap();
    let all = [&MODELS[..], &[LEAVING]].concat();
    assert_eq!(models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), all);
    assert_eq!(named("llama-other").check().await.unwrap().id, "llama-other:latest");
    let error = named("qwen-test:8b").check().await.unwrap_err();
    assert!(matches!(&error, ProviderError::NotFound { known, .. } if *known == all), "{error}");
    assert!(error.to_string().contains("ollama pull"), "{error}");
}
