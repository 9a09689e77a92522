//! The Messages API: bytes cut anywhere, silence, redirects, the list of models.

use super::{KEY, PATIENT, Stranger, http};
use crate::support::fake::anthropic::{Anthropic as Fake, DEPRECATED, MODELS, RETIRED, Reply};
use crate::support::fake::anthropic_stream::Piece;
use patchwork::config::AnthropicConfig;
use patchwork::domain::draft::Usage;
use patchwork::providers::http::Http;
use patchwork::providers::{Anthropic, Block, Completion, Message, Prompt, ProviderError, Role};
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;

fn client(http: Http, url: &str, key: &str) -> Anthropic {
    let config =
        AnthropicConfig { base_url: url.to_owned(), model: MODELS[0].to_owned(), ..AnthropicConfig::default() };
    Anthropic::new(http, &config, key.to_owned().into())
}

fn question() -> Prompt {
    Prompt {
        system: vec![Block { text: "Be brief.".into(), cache: true }],
        messages: vec![Message { role: Role::User, blocks: vec![Block { text: "Hello?".into(), cache: false }] }],
        schema: json!({"type": "object", "additionalProperties": false, "required": [], "properties": {}}),
        max_output_tokens: 100,
    }
}

/// Asks once; what came in piece by piece is given with the end.
async fn ask(client: &Anthropic) -> (Result<Completion, ProviderError>, String) {
    let mut heard = String::new();
    let result = client.complete(&question(), &mut |piece| heard.push_str(piece), &|_, _| {}).await;
    (result, heard)
}

#[tokio::test]
async fn an_answer_cut_at_every_byte_is_the_same_answer() {
    let fake = Fake::start(KEY).await;
    let client = client(http(PATIENT).0, fake.url(), KEY);
    let text = "{\"grüße\": \"€ und 😀\"}";
    let Reply::Stream(pieces) = Reply::says(text) else { panic!("a stream") };
    let bytes: Vec<u8> =
        pieces.iter().flat_map(|p| if let Piece::Bytes(b) = p { b.to_vec() } else { Vec::new() }).collect();
    let crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n").into_bytes();
    for stream in [bytes, crlf] {
        // Each byte on its own, with a look at the connection in between.
        fake.reply(Reply::Stream(stream.chunks(1).map(Piece::raw).collect()));
        let (result, heard) = ask(&client).await;
        let usage = Usage { input_tokens: 123, output_tokens: 42, cached_tokens: 3, cache_written_tokens: 20 };
        let expected =
            Completion { text: text.into(), usage, model: "claude-test-1".into(), request_id: "req_fake_1".into() };
        assert_eq!((result, heard.as_str()), (Ok(expected), text));
    }
}

#[tokio::test]
async fn an_address_with_v1_or_a_slash_is_the_same_address() {
    let fake = Fake::start(KEY).await;
    for url in [format!("{}/", fake.url()), format!("{}/v1", fake.url()), format!("{}/v1/", fake.url())] {
        fake.reply(Reply::says("{}"));
        ask(&client(http(PATIENT).0, &url, KEY)).await.0.unwrap();
    }
}

#[tokio::test]
async fn silence_ends_in_a_sentence_and_a_started_answer_is_not_asked_for_again() {
    let fake = Fake::start(KEY).await;
    let client = client(http(Duration::from_secs(1)).0, fake.url(), KEY);
    fake.reply(Reply::begins("{\"a\"", Piece::Stall));
    let (result, heard) = ask(&client).await;
    let error = result.unwrap_err();
    assert!(matches!(error, ProviderError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains("Anthropic did not answer for 1 s"), "{error}");
    assert_eq!((heard.as_str(), fake.asked()), ("{\"a\"", 1));
    fake.until_abandoned(1).await;
}

#[tokio::test]
async fn dropping_the_question_hangs_up() {
    let fake = Fake::start(KEY).await;
    let client = client(http(PATIENT).0, fake.url(), KEY);
    fake.reply(Reply::begins("{\"a\"", Piece::Stall));
    tokio::select! {
        _ = ask(&client) => panic!("it stalls"),
        () = fake.until_stalled(1) => {}
    }
    fake.until_abandoned(1).await;
}

#[tokio::test]
async fn a_key_does_not_follow_a_redirect_to_a_stranger() {
    let (fake, stranger) = (Fake::start(KEY).await, Stranger::start().await);
    let client = client(http(PATIENT).0, fake.url(), KEY);
    for code in [301, 302, 307, 308] {
        let to = format!("{}/v1/messages", stranger.url());
        fake.reply(Reply::Status { code, headers: vec![("location", to)], body: String::new() });
        let error = ask(&client).await.0.unwrap_err().to_string();
        assert!(error.contains("base_url"), "{error}");
    }
    assert_eq!(stranger.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_refused_before_anything_is_sent() {
    let fake = Fake::start(KEY).await;
    for key in ["two\nlines", "schlüssel\u{0}"] {
        let error = ask(&client(http(PATIENT).0, fake.url(), key)).await.0.unwrap_err().to_string();
        assert!(error.contains("ANTHROPIC_API_KEY") && !error.contains(key), "{error}");
    }
    assert_eq!(fake.asked(), 0);
}

#[tokio::test]
async fn the_models_on_offer_are_listed() {
    let fake = Fake::start(KEY).await;
    let models = client(http(PATIENT).0, fake.url(), KEY).models().await.unwrap();
    let ids: Vec<&str> = models.iter().map(|m| m.id.as_str()).collect();
    assert_eq!(ids, [&MODELS[..], &[DEPRECATED, RETIRED]].concat());
    assert_eq!((models[0].max_output_tokens, models[0].warning()), (Some(128_000), None));
    let error = client(http(PATIENT).0, fake.url(), "another").models().await.unwrap_err();
    assert!(matches!(error, ProviderError::Auth { .. }), "{error}");
}

#[tokio::test]
async fn a_model_that_is_about_to_go_is_told_from_one_that_is_gone() {
    let fake = Fake::start(KEY).await;
    let named = |model: &str| {
        let config = AnthropicConfig { base_url: fake.url().into(), model: model.into(), ..AnthropicConfig::default() };
        Anthropic::new(http(PATIENT).0, &config, KEY.to_owned().into())
    };
    let warning = named(DEPRECATED).check().await.unwrap().warning().unwrap();
    assert_eq!(warning, "it is deprecated since 2026-10-01 and stops to answer on 2027-03-01");
    let gone = named(RETIRED).check().await.unwrap_err().to_string();
    assert!(gone.contains(RETIRED) && gone.contains(MODELS[0]) && gone.matches(RETIRED).count() == 1, "{gone}");
}

#[tokio::test]
async fn nobody_at_the_address_is_said_in_words_after_two_repeats() {
    let (http, waits) = http(PATIENT);
    // A port that was free a moment ago, and that nobody listens on.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = ask(&client(http, &format!("http://{free}"), KEY)).await.0.unwrap_err().to_string();
    assert!(error.contains("connection to Anthropic failed") && error.contains("refused"), "{error}");
    let all = waits.all();
    assert!(all.len() == 2 && all[0] < all[1], "{all:?}");
    let error = ask(&client(self::http(PATIENT).0, "htp:/nowhere", KEY)).await.0.unwrap_err().to_string();
    assert!(error.contains("config.toml"), "{error}");
}

#[tokio::test]
async fn whoever_waits_is_told_why_and_for_how_long() {
    let fake = Fake::start(KEY).await;
    let client = client(http(PATIENT).0, fake.url(), KEY);
    fake.reply(Reply::error(429, "rate_limit_error", "Slow down").header("retry-after", "7")).reply(Reply::says("{}"));
    let told = Mutex::new(Vec::new());
    let on_wait = |why: &ProviderError, wait: Duration| told.lock().unwrap().push((why.to_string(), wait));
    client.complete(&question(), &mut |_| {}, &on_wait).await.unwrap();
    let told = told.into_inner().unwrap();
    assert!(matches!(told.as_slice(), [(why, wait)] if why.contains("Slow down") && wait.as_secs() == 7), "{told:?}");
}
