//! The event stream: from where the client was, in order, nothing twice.

use super::{Door, TIME, request};
use axum::body::Body;
use axum::http::{HeaderValue, Method};
use futures::StreamExt;
use patchwork::config::Secrets;
use patchwork::http::Limits;
use serde_json::{Value, json};
use std::pin::Pin;
use tower::ServiceExt;

type Bytes = Result<axum::body::Bytes, axum::Error>;

/// What a browser's `EventSource` would make of the answer.
struct Watcher {
    chunks: Pin<Box<dyn futures::Stream<Item = Bytes> + Send>>,
    text: String,
}

#[derive(Debug)]
struct Message {
    event: String,
    id: String,
    data: Value,
}

impl Watcher {
    async fn open(door: &Door, path: &str, last: Option<&str>) -> Self {
        let mut request = request(Method::GET, path, Body::empty());
        if let Some(last) = last {
            request.headers_mut().insert("last-event-id", HeaderValue::from_str(last).unwrap());
        }
        let response = door.router().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { chunks: Box::pin(response.into_body().into_data_stream()), text: String::new() }
    }

    async fn next(&mut self) -> Message {
        while !self.text.contains("\n\n") {
            let chunk = tokio::time::timeout(TIME, self.chunks.next()).await.expect("no event came");
            self.text.push_str(std::str::from_utf8(&chunk.expect("the stream ended").unwrap()).unwrap());
        }
        let (message, rest) = self.text.split_once("\n\n").unwrap();
        let field = |name: &str| {
            let prefix = format!("{name}: ");
            message.lines().find_map(|l| l.strip_prefix(&prefix)).unwrap_or_default().to_owned()
        };
        let parsed =
            Message { event: field("event"), id: field("id"), data: serde_json::from_str(&field("data")).unwrap() };
        self.text = rest.to_string();
        parsed
    }
}

#[tokio::test]
async fn everything_that_changes_is_told_as_it_happens() {
    let door = Door::open().await;
    door.report(json!({"server_name": "before"})).await;
    let mut watcher = Watcher::open(&door, "/api/events", None).await;
    let id = door.report(json!({"server_name": "after"})).await;
    let path = format!("/api/feedback/{id}");
    door.call(Method::PATCH, &path, &json!({})).await;
    door.call(Method::POST, &format!("{path}/notes"), &json!({"content": "n"})).await;
    let mut before = 0;
    for name in ["feedback_recorded", "feedback_reviewed", "note_added"] {
        let message = watcher.next().await;
        assert_eq!((message.event.as_str(), &message.data["kind"]), (name, &json!(name)));
        assert_eq!(message.data["feedback"]["id"], json!(id), "it starts now, not at the beginning");
        let seq: i64 = message.id.parse().unwrap();
        assert_eq!(message.data["seq"], json!(seq));
        assert!(seq > before);
        before = seq;
    }
}

#[tokio::test]
async fn a_dropped_stream_goes_on_where_it_was() {
    let door = Door::open().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(door.report(json!({})).await);
    }
    let mut first = Watcher::open(&door, "/api/events?after=0", None).await;
    let seen = [first.next().await, first.next().await];
    drop(first);
    ids.push(door.report(json!({})).await);
    let last = seen[1].id.as_str();
    for (path, header) in [
        ("/api/events".to_owned(), Some(last)),
        (format!("/api/events?after={last}"), None),
        ("/api/events?after=0".to_owned(), Some(last)),
    ] {
        let mut again = Watcher::open(&door, &path, header).await;
        for id in &ids[2..] {
            assert_eq!(again.next().await.data["feedback"]["id"], json!(id), "{path}");
        }
    }
}

/// As after an older copy of the database was put back: without a word the client would wait for the number it has.
#[tokio::test]
async fn a_place_that_the_log_never_came_to_begins_anew() {
    let door = Door::open().await;
    door.report(json!({})).await;
    let mut watcher = Watcher::open(&door, "/api/events", Some("999")).await;
    assert_eq!(watcher.next().await.event, "reset");
    let id = door.report(json!({})).await;
    assert_eq!(watcher.next().await.data["feedback"]["id"], json!(id), "and goes on from now");
}

#[tokio::test]
async fn a_place_that_is_no_number_is_422() {
    let door = Door::open().await;
    for bad in ["x", "-1", "1.5", "99999999999999999999"] {
        assert_eq!(door.get(&format!("/api/events?after={bad}")).await.places(), ["query.after"]);
        let mut request = request(Method::GET, "/api/events", Body::empty());
        request.headers_mut().insert("last-event-id", HeaderValue::from_str(bad).unwrap());
        assert_eq!(door.send(request).await.places(), ["header.Last-Event-ID"]);
    }
}

#[tokio::test]
async fn watchers_have_places_of_their_own() {
    let limits = Limits { watchers: 2, ..Limits::default() };
    let door = Door::with(Secrets::default(), limits).await;
    let held = [Watcher::open(&door, "/api/events", None).await, Watcher::open(&door, "/api/events", None).await];
    let full = door.get("/api/events").await;
    assert_eq!((full.status, full.header("retry-after")), (503, "1"));
    assert!(full.detail().contains("event streams"));
    door.report(json!({})).await;
    drop(held);
    Watcher::open(&door, "/api/events", None).await;
}
