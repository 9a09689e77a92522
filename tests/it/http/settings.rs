//! The settings: shown masked, saved as one line each, never a key in the database.

use super::Door;
use axum::http::Method;
use serde_json::{Value, json};

async fn put(door: &Door, body: Value) -> super::Answer {
    door.call(Method::PUT, "/api/settings", &body).await
}

#[tokio::test]
async fn what_is_saved_is_shown_and_keys_are_masked() {
    let door = Door::open().await;
    let empty = door.get("/api/settings").await.json();
    for key in ["github_pat", "anthropic_api_key", "openai_api_key", "openai_compatible_api_key"] {
        assert_eq!(empty[key], "", "{key}");
    }
    assert!(empty["configured"].is_boolean());

    let saved =
        put(&door, json!({"github_repo": "o/r", "default_branch": "dev", "anthropic_api_key": "sk-ant-1234abcd"}))
            .await;
    assert_eq!((saved.status, &saved.json()["status"]), (200, &json!("updated")), "{saved:?}");
    let shown = door.get("/api/settings").await;
    let json = shown.json();
    assert_eq!((&json["github_repo"], &json["default_branch"]), (&json!("o/r"), &json!("dev")));
    for (provider, model) in
        [("openai", "gpt-x"), ("openai-compatible", "qwen"), ("anthropic", "claude-x"), ("command", "")]
    {
        let drafter = put(&door, json!({"llm_provider": provider, "llm_model": model})).await.json();
        assert_eq!((&drafter["llm_provider"], &drafter["llm_model"]), (&json!(provider), &json!(model)));
    }
    assert_eq!(json["anthropic_api_key"], "****abcd");
    for body in [&saved.body, &shown.body] {
        assert!(!body.contains("1234"), "{body}");
    }
}

#[tokio::test]
async fn a_mask_sent_back_and_null_change_nothing() {
    let door = Door::open().await;
    put(&door, json!({"github_pat": "ghp_0000wxyz", "github_repo": "o/r"})).await;
    let before = door.get("/api/settings").await.json();
    for body in [before.clone(), json!({}), json!({"github_pat": null, "github_repo": null}), json!({"unknown": "x"})] {
        assert_eq!(put(&door, body).await.status, 200);
        assert_eq!(door.get("/api/settings").await.json(), before);
    }
    assert_eq!(put(&door, json!({"github_pat": ""})).await.status, 200);
    assert_eq!(door.get("/api/settings").await.json()["github_pat"], "", "an empty text removes a key");
}

#[tokio::test]
async fn a_bad_value_saves_nothing_at_all() {
    let door = Door::open().await;
    let cases = [
        (json!({"github_repo": "o/r", "openai_api_key": "sk-1\nGITHUB_TOKEN=evil"}), "body.openai_api_key"),
        (json!({"github_pat": "a\rb"}), "body.github_pat"),
        (json!({"github_pat": "a\u{0}b"}), "body.github_pat"),
        (json!({"llm_model": "m\n"}), "body.llm_model"),
        (json!({"default_branch": 7}), "body.default_branch"),
        (json!({"anthropic_api_key": "x".repeat(2000)}), "body.anthropic_api_key"),
        (json!({"github_pat": "good", "github_repo": "no slash"}), "body.github_repo"),
    ];
    let before = door.get("/api/settings").await.json();
    for (body, place) in cases {
        let answer = put(&door, body).await;
        assert_eq!(answer.places(), [place]);
        assert!(!answer.body.contains("evil"));
        assert_eq!(door.get("/api/settings").await.json(), before, "{place}");
    }
    assert!(!door.test.dir.path().join("secrets.env").exists());
}

#[tokio::test]
async fn no_key_reaches_the_database_or_the_feed() {
    let door = Door::open().await;
    let before = door.engine().hello().seq;
    put(&door, json!({"github_pat": "ghp_NEVERSEEN", "llm_model": "m-1"})).await;
    door.engine().close().await;
    for entry in std::fs::read_dir(door.test.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.file_name().unwrap() != "secrets.env" {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(9).any(|w| w == b"NEVERSEEN"), "{}", path.display());
        }
    }
    assert!(door.engine().hello().seq > before, "the model was saved as an event");
}
