//! Starting a draft over HTTP: the refusals of the original. The story of a run is told in `http::draft`'s own tests.

use super::Door;
use axum::http::Method;
use serde_json::json;

#[tokio::test]
async fn not_configured_is_400_with_what_is_missing() {
    let door = Door::open().await;
    let id = door.report(json!({})).await;
    let answer = door.call(Method::POST, &format!("/api/feedback/{id}/draft-pr"), &json!({})).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(!answer.detail().is_empty());
}

#[tokio::test]
async fn force_is_true_or_false() {
    let door = Door::open().await;
    let id = door.report(json!({})).await;
    let answer = door.call(Method::POST, &format!("/api/feedback/{id}/draft-pr?force=maybe"), &json!({})).await;
    assert_eq!(answer.places(), ["query.force"]);
}
