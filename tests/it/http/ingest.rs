//! Repeats: a report that is sent again is answered again and stored once.

use super::{Answer, Door, json_request, report};
use axum::http::{HeaderValue, Method};
use serde_json::{Value, json};
use std::collections::BTreeSet;

async fn post(door: &Door, key: Option<&str>, body: &Value) -> Answer {
    post_to(door, "/api/feedback", key, body).await
}

async fn post_to(door: &Door, path: &str, key: Option<&str>, body: &Value) -> Answer {
    let mut request = json_request(Method::POST, path, body);
    if let Some(key) = key {
        request.headers_mut().insert("idempotency-key", HeaderValue::from_str(key).unwrap());
    }
    door.send(request).await
}

fn id_of(answer: &Answer) -> String {
    assert_eq!((answer.status, &answer.json()["status"]), (201, &json!("recorded")), "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer() {
    let door = Door::open().await;
    for (key, body) in [
        (Some("k1"), report(json!({}))),
        (None, report(json!({"id": "own-1"}))),
        (Some("k2"), report(json!({"id": "own-2"}))),
    ] {
        let first = id_of(&post(&door, key, &body).await);
        assert_eq!(id_of(&post(&door, key, &body).await), first);
        let changed = report(json!({"id": body["id"], "what_i_needed": "something else"}));
        assert_eq!(id_of(&post(&door, key, &changed).await), first, "the first answer, whatever the repeat says");
    }
    assert_eq!(id_of(&post(&door, Some("k3"), &report(json!({"id": "own-2"}))).await), "own-2", "known by its id");
    assert_eq!(door.total().await, 3);
    let kept = door.get("/api/feedback/own-1").await.json();
    assert_eq!(kept["what_i_needed"], "search by cost");
}

#[tokio::test]
async fn without_key_and_id_every_report_is_its_own() {
    let door = Door::open().await;
    let ids =
        [id_of(&post(&door, None, &report(json!({}))).await), id_of(&post(&door, None, &report(json!({}))).await)];
    assert_ne!(ids[0], ids[1]);
    assert_eq!(door.total().await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn repeats_that_race_are_stored_once() {
    let door = std::sync::Arc::new(Door::open().await);
    let senders: Vec<_> = (0..60)
        .map(|n| {
            let door = std::sync::Arc::clone(&door);
            tokio::spawn(async move { id_of(&post(&door, Some(&format!("key-{}", n % 3)), &report(json!({}))).await) })
        })
        .collect();
    let mut ids = BTreeSet::new();
    for sender in senders {
        ids.insert(sender.await.unwrap());
    }
    assert_eq!((ids.len(), door.total().await), (3, 3));
}

#[tokio::test]
async fn a_refused_report_leaves_its_key_free() {
    let door = Door::open().await;
    assert_eq!(post(&door, Some("k"), &json!({})).await.status, 422);
    id_of(&post(&door, Some("k"), &report(json!({}))).await);
}

#[tokio::test]
async fn notes_repeat_too_and_a_key_serves_one_kind_of_request() {
    let door = Door::open().await;
    let id = id_of(&post(&door, Some("report"), &report(json!({}))).await);
    let notes = format!("/api/feedback/{id}/notes");
    let note = json!({"content": "n"});
    let first = id_of(&post_to(&door, &notes, Some("note"), &note).await);
    assert_eq!(id_of(&post_to(&door, &notes, Some("note"), &note).await), first);
    assert_eq!(door.engine().stats().await.unwrap().note_count, 1);
    let crossed = post_to(&door, &notes, Some("report"), &note).await;
    assert_eq!(crossed.status, 409);
    assert!(crossed.detail().contains("new key"));
}

/// A client that has one key for everything hears of it: an answer that belongs to another report would hide that its words are lost.
#[tokio::test]
async fn a_key_serves_one_report() {
    let door = Door::open().await;
    let (a, b) = (door.report(json!({})).await, door.report(json!({})).await);
    let (of_a, of_b) = (format!("/api/feedback/{a}"), format!("/api/feedback/{b}"));
    let note = json!({"content": "n"});
    id_of(&post_to(&door, &format!("{of_a}/notes"), Some("note"), &note).await);
    let review = |path: &str| {
        let mut request = json_request(Method::PATCH, path, &json!({}));
        request.headers_mut().insert("idempotency-key", HeaderValue::from_static("review"));
        request
    };
    for _ in 0..2 {
        assert_eq!(door.send(review(&of_a)).await.status, 200);
    }
    id_of(&post(&door, Some("own"), &report(json!({"id": "own-1"}))).await);
    for crossed in [
        post_to(&door, &format!("{of_b}/notes"), Some("note"), &note).await,
        door.send(review(&of_b)).await,
        post(&door, Some("own"), &report(json!({"id": "own-2"}))).await,
    ] {
        assert_eq!(crossed.status, 409, "{crossed:?}");
        assert!(crossed.detail().contains("new key"), "{crossed:?}");
    }
    let stats = door.engine().stats().await.unwrap();
    assert_eq!((stats.total, stats.note_count, stats.unreviewed), (3, 1, 2));
}

#[tokio::test]
async fn a_key_has_a_shape() {
    let door = Door::open().await;
    let long = "x".repeat(129);
    for bad in ["", "a b", long.as_str()] {
        let answer = post(&door, Some(bad), &report(json!({}))).await;
        assert_eq!(answer.places(), ["header.Idempotency-Key"], "{bad}");
    }
    assert_eq!(door.total().await, 0);
}
