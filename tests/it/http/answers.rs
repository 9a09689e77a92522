//! What an agent is told about a gap that is known: the author's public notes, and never anything else.

use super::{Door, report};
use crate::support::options;
use axum::http::Method;
use patchwork::domain::id::FeedbackId;
use patchwork::domain::note::NoteText;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::Command;
use serde_json::{Value, json};

const ANSWER: &str = "Use list_invoices(month) meanwhile.";

/// What a report is answered with: the field as the drop-ins read it.
async fn told(door: &Door, path: &str, more: Value) -> Value {
    let answer = door.call(Method::POST, path, &report(more)).await;
    let json = answer.json();
    assert_eq!((answer.status, &json["status"]), (201, &json!("recorded")), "{json}");
    json["known_answer"].clone()
}

async fn note(door: &Door, id: &str, body: Value) -> u16 {
    door.call(Method::POST, &format!("/api/feedback/{id}/notes"), &body).await.status
}

#[tokio::test]
async fn a_public_note_answers_the_next_report_of_the_gap() {
    let door = Door::open().await;
    let id = door.report(json!({"server_name": "billing"})).await;
    assert_eq!(note(&door, &id, json!({"content": ANSWER, "public": true})).await, 201);
    for path in ["/api/feedback", "/api/v1/feedback/"] {
        let same = json!({"server_name": "billing", "what_i_needed": "Search by COST."});
        assert_eq!(told(&door, path, same).await, json!(ANSWER), "{path}");
    }
    assert_eq!(told(&door, "/api/v1/feedback/", json!({"server_slug": "billing"})).await, json!(ANSWER));
    for other in [json!({"server_name": "calendar"}), json!({"server_name": "billing", "what_i_needed": "search"})] {
        assert_eq!(told(&door, "/api/feedback", other.clone()).await, Value::Null, "{other}");
    }
    let shown = door.get(&format!("/api/feedback/{id}")).await.json();
    assert_eq!(shown["notes"][0]["public"], true);
    note(&door, &id, json!({"content": "It is there since 2.0.", "public": true})).await;
    assert_eq!(told(&door, "/api/feedback", json!({"server_name": "billing"})).await, json!("It is there since 2.0."));
}

#[tokio::test]
async fn a_note_is_private_unless_it_says_otherwise() {
    let door = Door::open().await;
    let id = door.report(json!({"server_name": "billing"})).await;
    for body in [
        json!({"content": "SECRET"}),
        json!({"content": "SECRET", "public": false}),
        json!({"content": "SECRET", "public": null}),
    ] {
        assert_eq!(note(&door, &id, body).await, 201);
    }
    let wrong = json!({"content": "SECRET", "public": "yes"});
    let answer = door.call(Method::POST, &format!("/api/feedback/{id}/notes"), &wrong).await;
    assert_eq!(answer.places(), ["body.public"]);
    assert_eq!(told(&door, "/api/feedback", json!({"server_name": "billing"})).await, Value::Null);
    let shown = door.get(&format!("/api/feedback/{id}")).await.json();
    assert!(shown["notes"][0].get("public").is_none(), "the original's shape: {shown}");
}

#[tokio::test]
async fn nothing_that_an_agent_wrote_is_handed_out() {
    let door = Door::open().await;
    // A report that tries to be an answer, in every way there is.
    let hostile = json!({
        "server_name": "billing", "suggestion": "run_this(rm)", "gap_type": "missing_tool", "known_answer": "EVIL",
        "public": true, "notes": [{"content": "EVIL", "public": true}], "content": "EVIL", "status": "EVIL", "author": "EVIL",
    });
    for _ in 0..3 {
        assert_eq!(told(&door, "/api/feedback", hostile.clone()).await, Value::Null);
    }
    let id = door.report(hostile.clone()).await;
    note(&door, &id, json!({"content": ANSWER, "public": true})).await;
    for asked in [hostile, json!({"server_name": "billing"})] {
        let answer = door.call(Method::POST, "/api/feedback", &report(asked)).await;
        assert_eq!(answer.json()["known_answer"], ANSWER);
        assert!(!answer.body.contains("EVIL"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_repeat_is_answered_too_and_stored_once() {
    let door = Door::open().await;
    let id = door.report(json!({"id": "own", "server_name": "billing"})).await;
    note(&door, &id, json!({"content": ANSWER, "public": true})).await;
    assert_eq!(told(&door, "/api/feedback", json!({"id": "own", "server_name": "billing"})).await, json!(ANSWER));
    assert_eq!(door.total().await, 1);
}

#[tokio::test]
async fn an_answer_written_beside_the_owner_is_known_in_a_moment() {
    let door = Door::open().await;
    let id = door.report(json!({"server_name": "billing"})).await;
    assert_eq!(told(&door, "/api/feedback", json!({"server_name": "billing"})).await, Value::Null);
    let mut guest = options(door.test.dir.path());
    guest.mode = Mode::Guest;
    let guest = Engine::open(guest).await.unwrap();
    let content = NoteText::parse(ANSWER).unwrap();
    let command = Command::AddNote { feedback: FeedbackId::trusted(id), content, public: true };
    guest.submit(new_command_id(), crate::support::me(), command).await.unwrap();
    guest.close().await;
    // The owner looks ten times a second; ask until it has, within the test's patience.
    let asking =
        async { while told(&door, "/api/feedback", json!({"server_name": "billing"})).await != json!(ANSWER) {} };
    tokio::time::timeout(super::TIME, asking).await.expect("the answer was never noticed");
}
