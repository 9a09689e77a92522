//! The hosted product's paths: its client libraries' reports, heartbeats, and what is said of servers.

use super::{Answer, Door, json_request, report, request};
use crate::support::{NOON, TestEngine, options};
use axum::body::Body;
use axum::http::{HeaderValue, Method};
use patchwork::config::Secrets;
use patchwork::domain::time::{DAY, MINUTE};
use patchwork::engine::{Clock, Engine};
use patchwork::http::Limits;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Byte for byte what the published Python library sends, in its field order.
fn library_report() -> Value {
    json!({
        "server_slug": "billing", "what_i_needed": "search by cost", "what_i_tried": "listed everything",
        "gap_type": "missing_tool", "suggestion": "", "user_goal": "", "resolution": "", "tools_available": ["list"],
        "agent_model": "", "session_id": "", "client_type": "",
    })
}

async fn beat(door: &Door, more: Value) -> Answer {
    let mut body = json!({"server_slug": "billing", "tool_count": 2, "tool_names": ["feedback", "search"],
        "drop_in": "python/1.0.0", "sdk": "mcp 2.3.0"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut request = json_request(Method::POST, "/api/v1/heartbeat/", &body);
    request.headers_mut().insert("user-agent", HeaderValue::from_static("patchwork-drop-in-python/1.0.0"));
    door.send(request).await
}

async fn servers(door: &Door) -> Vec<Value> {
    door.get("/api/servers").await.json().as_array().unwrap().clone()
}

/// A door whose clock stands still until told.
async fn timed() -> (Door, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(NOON));
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.clock = Clock::Manual(Arc::clone(&clock));
    let engine = Engine::open(options).await.unwrap();
    (Door::over(TestEngine { engine, dir }, &Secrets::default(), Limits::default()), clock)
}

#[tokio::test]
async fn the_published_libraries_deliver_with_and_without_the_slash() {
    let door = Door::open().await;
    for path in ["/api/v1/feedback/", "/api/v1/feedback"] {
        let answer = door.call(Method::POST, path, &library_report()).await;
        assert_eq!((answer.status, &answer.json()["status"]), (201, &json!("recorded")), "{answer:?}");
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        let stored = door.get(&format!("/api/feedback/{id}")).await.json();
        assert_eq!((&stored["server_name"], &stored["gap_type"]), (&json!("billing"), &json!("missing_tool")));
        assert_eq!(stored["tools_available"], json!(["list"]));
        assert!(stored.get("extra").is_none(), "the slug is the name, not one more field: {stored}");
    }
    let both =
        door.call(Method::POST, "/api/v1/feedback/", &report(json!({"server_name": "a", "server_slug": "b"}))).await;
    let stored = door.get(&format!("/api/feedback/{}", both.json()["id"].as_str().unwrap())).await.json();
    assert_eq!((&stored["server_name"], &stored["extra"]["server_slug"]), (&json!("a"), &json!("b")));
    let plain = door.call(Method::POST, "/api/v1/feedback/", &json!({"server_slug": "x"})).await;
    assert_eq!(plain.places(), ["body.what_i_needed", "body.what_i_tried"]);
}

#[tokio::test]
async fn the_key_is_asked_for_here_too() {
    let secrets = Secrets { api_key: Some(SecretString::from("sesame")), ..Secrets::default() };
    let door = Door::with(secrets, Limits::default()).await;
    for path in ["/api/v1/feedback/", "/api/v1/heartbeat/", "/api/v1/heartbeat"] {
        let body = library_report();
        assert_eq!(door.call(Method::POST, path, &body).await.status, 401, "{path}");
        let mut request = json_request(Method::POST, path, &body);
        request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer sesame"));
        assert!(door.send(request).await.status < 300, "{path}");
    }
    assert_eq!(door.get("/api/servers").await.status, 401);
}

#[tokio::test]
async fn a_heartbeat_makes_a_server_known() {
    let door = Door::open().await;
    let answer = beat(&door, json!({})).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "ok"})));
    door.report(json!({"server_name": "Billing"})).await;
    door.report(json!({"server_name": "quiet"})).await;
    let all = servers(&door).await;
    assert_eq!(all.len(), 2, "names differ in more than case: {all:?}");
    let billing = all.iter().find(|s| s["server_name"] == "billing").unwrap();
    assert_eq!(
        (&billing["reports"], &billing["unreviewed"], &billing["tool_count"]),
        (&json!(1), &json!(1), &json!(2))
    );
    assert_eq!((&billing["has_feedback_tool"], &billing["drop_in"]), (&json!(true), &json!("python/1.0.0")));
    assert_eq!((&billing["sdk"], &billing["client"]), (&json!("mcp 2.3.0"), &json!("patchwork-drop-in-python/1.0.0")));
    let quiet = all.iter().find(|s| s["server_name"] == "quiet").unwrap();
    assert_eq!((&quiet["has_feedback_tool"], &quiet["last_heartbeat"]), (&Value::Null, &Value::Null));
    assert_eq!(quiet["warnings"], json!([]), "reports without heartbeats are fine");
}

#[tokio::test]
async fn only_news_makes_an_event_however_many_heartbeats_come() {
    let (door, clock) = timed().await;
    let before = door.engine().hello().seq.0;
    for minute in 0..50 {
        clock.store(NOON + minute * MINUTE, Ordering::Relaxed);
        assert_eq!(beat(&door, json!({})).await.status, 200);
    }
    assert_eq!(door.engine().hello().seq.0, before + 1, "one event for a server that is new");
    assert!(servers(&door).await[0]["last_heard"].as_str().unwrap().contains("12:49:00"));
    beat(&door, json!({"tool_names": ["search", "feedback", "more"], "tool_count": 3})).await;
    assert_eq!(door.engine().hello().seq.0, before + 2, "and one for other tools");
    beat(&door, json!({"tool_names": ["more", "feedback", "search"], "tool_count": 3})).await;
    assert_eq!(door.engine().hello().seq.0, before + 2, "their order is no news");
}

#[tokio::test]
async fn servers_that_are_made_up_are_bounded() {
    let (door, clock) = timed().await;
    for n in 0..1_005 {
        clock.store(NOON + n, Ordering::Relaxed);
        beat(&door, json!({"server_slug": format!("s{n}")})).await;
    }
    let all = servers(&door).await;
    assert_eq!((all.len(), &all[0]["server_name"]), (1_000, &json!("s1004")));
    assert!(!all.iter().any(|s| s["server_name"] == "s4"), "the most silent ones go");
}

#[tokio::test]
async fn a_server_that_never_reports_is_told_and_one_that_does_is_not() {
    let (door, clock) = timed().await;
    beat(&door, json!({})).await;
    assert_eq!(servers(&door).await[0]["warnings"], json!([]));
    clock.store(NOON + 8 * DAY, Ordering::Relaxed);
    let warnings = servers(&door).await[0]["warnings"].clone();
    assert_eq!(warnings[0]["warning"], "never_reported");
    assert!(warnings[0]["detail"].as_str().unwrap().contains("instructions"), "{warnings}");
    door.report(json!({"server_name": "billing"})).await;
    assert_eq!(servers(&door).await[0]["warnings"], json!([]));
}

#[tokio::test]
async fn a_heartbeat_that_is_wrong_says_where() {
    let door = Door::open().await;
    for (body, place) in [
        (json!({}), "body.server_slug"),
        (json!({"server_slug": 5}), "body.server_slug"),
        (json!({"server_slug": "x", "tool_count": "many"}), "body.tool_count"),
        (json!({"server_slug": "x", "tool_names": [1]}), "body.tool_names"),
        (json!([]), "body"),
    ] {
        let answer = door.call(Method::POST, "/api/v1/heartbeat/", &body).await;
        assert_eq!(answer.places(), [place], "{body}");
    }
    assert_eq!(door.send(request(Method::GET, "/api/v1/heartbeat/", Body::empty())).await.status, 405);
    assert!(servers(&door).await.is_empty());
}

#[tokio::test]
async fn what_is_left_to_review_is_counted_for_each_server() {
    let door = Door::open().await;
    let mut ids = Vec::new();
    for name in ["a", "a", "A", "b"] {
        ids.push(door.report(json!({"server_name": name})).await);
    }
    let counts = async || {
        let all = servers(&door).await;
        let of = |name: &str| {
            let server = all.iter().find(|s| s["server_name"] == name).unwrap();
            (server["unreviewed"].as_i64().unwrap(), server["reports"].as_i64().unwrap())
        };
        (of("a"), of("b"))
    };
    assert_eq!(counts().await, ((3, 3), (1, 1)));
    for (id, reviewed, wanted) in [(0, true, 2), (0, true, 2), (2, true, 1), (0, false, 2)] {
        let path = format!("/api/feedback/{}", ids[id]);
        door.call(Method::PATCH, &path, &json!({"reviewed": reviewed})).await;
        assert_eq!(counts().await, ((wanted, 3), (1, 1)), "{id} {reviewed}");
    }
    door.report(json!({"server_name": "patchwork-ping"})).await;
    assert_eq!(door.engine().stats().await.unwrap().unreviewed, 3, "a canary waits for nobody");
    assert_eq!(servers(&door).await.len(), 2);
}
