//! The Responses API: bytes cut anywhere, silence, redirects, addresses, the list of models.

use super::{KEY, PATIENT, Stranger, http};
use crate::support::fake::openai::{MODELS, Openai as Fake};
use crate::support::fake::outcome::{FakeModel, Outcome, Trouble};
use crate::support::fake::script::{Piece, Reply};
use patchwork::config::OpenaiConfig;
use patchwork::domain::draft::Usage;
use patchwork::providers::http::Http;
use patchwork::providers::{Block, Completion, Message, Openai, Prompt, ProviderError, Role};
use serde_json::json;
use std::time::Duration;

fn client(http: Http, url: &str, key: &str) -> Openai {
    let config = OpenaiConfig { base_url: url.to_owned(), model: MODELS[0].to_owned(), ..OpenaiConfig::default() };
    Openai::new(http, &config, key.to_owned().into())
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
async fn ask(client: &Openai) -> (Result<Completion, ProviderError>, String) {
    let mut heard = String::new();
    let result = client.complete(&question(), &mut |piece| heard.push_str(piece), &|_, _| {}).await;
    (result, heard)
}

#[tokio::test]
async fn an_answer_cut_at_every_byte_is_the_same_answer() {
    let fake = Fake::start(KEY).await;
    let client = client(http(PATIENT).0, &fake.url(), KEY);
    let text = "{\"grüße\": \"€ und 😀\"}";
    let Reply::Stream(pieces) = fake.wording(&Outcome::Says(text.into())) else { panic!("a stream") };
    let bytes: Vec<u8> =
        pieces.iter().flat_map(|p| if let Piece::Bytes(b) = p { b.to_vec() } else { Vec::new() }).collect();
    let crlf = String::from_utf8(bytes.clone()).unwrap().replace('\n', "\r\n").into_bytes();
    for stream in [bytes, crlf] {
        fake.reply(Reply::Stream(stream.chunks(1).map(Piece::raw).collect()));
        let (result, heard) = ask(&client).await;
        let usage = Usage { input_tokens: 123, output_tokens: 42, cached_tokens: 3, cache_written_tokens: 20 };
        let (model, request_id) = ("gpt-test-1-2026-01-01".into(), "req_fake_1".into());
        let expected = Completion { text: text.into(), usage, model, request_id };
        assert_eq!(
            (result, heard.as_str()),
            (Ok(expected), text),
            "what the model says beside its answer is not heard"
        );
    }
}

#[tokio::test]
async fn an_address_with_and_without_its_version_is_the_same_address() {
    let fake = Fake::start(KEY).await;
    let bare = fake.url().trim_end_matches("/v1").to_owned();
    for url in [format!("{bare}/v1/"), format!("{bare}/"), bare] {
        fake.plan(&Outcome::Says("{}".into()));
        ask(&client(http(PATIENT).0, &url, KEY)).await.0.unwrap();
    }
}

#[tokio::test]
async fn silence_ends_in_a_sentence_and_a_started_answer_is_not_asked_for_again() {
    let fake = Fake::start(KEY).await;
    let client = client(http(Duration::from_secs(1)).0, &fake.url(), KEY);
    fake.plan(&Outcome::Stalls("{\"a\"".into()));
    let (result, heard) = ask(&client).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("OpenAI did not answer for 1 s"), "{error}");
    assert_eq!((heard.as_str(), fake.asked()), ("{\"a\"", 1));
    fake.until_abandoned(1).await;
}

#[tokio::test]
async fn a_key_does_not_follow_a_redirect_to_a_stranger() {
    let (fake, stranger) = (Fake::start(KEY).await, Stranger::start().await);
    let client = client(http(PATIENT).0, &fake.url(), KEY);
    for code in [301, 302, 307, 308] {
        let to = format!("{}/v1/responses", stranger.url());
        fake.reply(Reply::Status { code, headers: vec![("location", to)], body: String::new() });
        let error = ask(&client).await.0.unwrap_err().to_string();
        assert!(error.contains("base_url") && error.contains("[openai]"), "{error}");
    }
    assert_eq!(stranger.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_refused_before_anything_is_sent() {
    let fake = Fake::start(KEY).await;
    for key in ["two\nlines", "schlüssel\u{0}"] {
        let error = ask(&client(http(PATIENT).0, &fake.url(), key)).await.0.unwrap_err().to_string();
        assert!(error.contains("OPENAI_API_KEY") && !error.contains(key), "{error}");
    }
    assert_eq!(fake.asked(), 0);
}

#[tokio::test]
async fn the_list_of_models_checks_the_key_and_the_model() {
    let fake = Fake::start(KEY).await;
    let models = client(http(PATIENT).0, &fake.url(), KEY).models().await.unwrap();
    assert_eq!(models.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), MODELS);
    assert_eq!(client(http(PATIENT).0, &fake.url(), KEY).check().await.unwrap().id, MODELS[0]);
    let error = client(http(PATIENT).0, &fake.url(), "another").check().await.unwrap_err();
    assert!(matches!(&error, ProviderError::Auth { .. }) && error.to_string().contains("OPENAI_API_KEY"), "{error}");
}

/// As the vendor's own SDK does it.
#[tokio::test]
async fn the_servers_word_on_repeating_outranks_ours_and_money_outranks_both() {
    for (reply, repeats) in [
        (Outcome::Error(Trouble::Server, "Boom".into()), 2),
        (Outcome::Error(Trouble::BadRequest, "No".into()), 0),
        (Outcome::Error(Trouble::Spent, "No credit".into()), 0),
        (Outcome::Later(Trouble::Rate, 121, "Slow down".into()), 0),
    ] {
        for (opinion, wanted) in [(None, repeats), (Some("false"), 0), (Some("true"), 2)] {
            let fake = Fake::start(KEY).await;
            let wanted = match reply {
                Outcome::Error(Trouble::Spent, _) | Outcome::Later(..) => 0,
                _ => wanted,
            };
            for _ in 0..=wanted {
                let reply = fake.wording(&reply);
                fake.reply(opinion.map_or(reply.clone(), |opinion| reply.header("x-should-retry", opinion)));
            }
            ask(&client(http(PATIENT).0, &fake.url(), KEY)).await.0.unwrap_err();
            assert_eq!((fake.asked(), fake.unasked()), (wanted + 1, 0), "{reply:?} {opinion:?}");
        }
    }
}
