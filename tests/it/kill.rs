//! Kill under load: what was acknowledged is there afterwards, once; what is asked to end ends well.

use crate::support::program::{Home, PATIENCE, Server};
use reqwest::{Client, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

const SENDERS: usize = 8;
/// Acknowledged reports after which the server dies, in each round.
const ENOUGH: usize = 150;

/// What the senders saw.
#[derive(Default)]
struct Seen {
    /// Idempotency key to the id that the server answered.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// Sent and never answered: stored or not, nobody knows.
    unknown: Mutex<BTreeSet<String>>,
    count: AtomicUsize,
    enough: Notify,
}

/// Sends one report; `None` when there was no answer.
async fn send(client: &Client, url: &str, key: &str) -> Option<(StatusCode, Value)> {
    let report = json!({"what_i_needed": key, "what_i_tried": "sending", "server_name": "load"});
    let answer = client.post(url).header("Idempotency-Key", key).json(&report).send().await.ok()?;
    let status = answer.status();
    Some((status, answer.json().await.ok()?))
}

/// Sends until the server does not answer any more.
async fn keep_sending(url: String, sender: String, seen: Arc<Seen>) {
    let client = Client::new();
    for n in 0.. {
        let key = format!("{sender}-{n}");
        let Some((status, answer)) = send(&client, &url, &key).await else {
            seen.unknown.lock().unwrap().insert(key);
            return;
        };
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let id = answer["id"].as_str().unwrap().to_owned();
        seen.acknowledged.lock().unwrap().insert(key, id);
        if seen.count.fetch_add(1, Ordering::SeqCst) + 1 == ENOUGH {
            seen.enough.notify_one();
        }
    }
}

/// Reports of the senders in the database: key to ids.
fn stored(home: &Home) -> BTreeMap<String, Vec<String>> {
    let mut stored = BTreeMap::<_, Vec<_>>::new();
    let text = |report: &Value, field: &str| report[field].as_str().unwrap().to_owned();
    for report in home.json(&["list", "--all", "--json"]).as_array().unwrap() {
        stored.entry(text(report, "what_i_needed")).or_default().push(text(report, "id"));
    }
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_under_load_nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let home = Home::new();
    let mut acknowledged = BTreeMap::new();
    let mut unknown = BTreeSet::new();
    for round in 0..3 {
        let server = home.serve();
        let seen = Arc::new(Seen::default());
        let senders: Vec<_> = (0..SENDERS)
            .map(|n| tokio::spawn(keep_sending(server.url("/api/feedback"), format!("{round}-{n}"), Arc::clone(&seen))))
            .collect();
        tokio::time::timeout(PATIENCE, seen.enough.notified()).await.expect("the server takes reports");
        server.kill();
        for sender in senders {
            sender.await.unwrap();
        }
        acknowledged.append(&mut seen.acknowledged.lock().unwrap());
        unknown.append(&mut seen.unknown.lock().unwrap());
    }
    assert!(acknowledged.len() >= 3 * ENOUGH);
    assert_eq!(unknown.len(), 3 * SENDERS, "each was killed in the middle of something");

    let before = stored(&home);
    for (key, id) in &acknowledged {
        assert_eq!(before.get(key), Some(&vec![id.clone()]), "{key} was acknowledged");
    }
    for (key, ids) in &before {
        assert!(ids.len() == 1 && (acknowledged.contains_key(key) || unknown.contains(key)), "{key}: {ids:?}");
    }

    // The senders never heard of the rest, so they send them again, as a drop-in does; and some that were answered.
    let server = home.serve();
    let client = Client::new();
    for key in unknown.iter().chain(acknowledged.keys().step_by(10)) {
        let (status, answer) = send(&client, &server.url("/api/feedback"), key).await.unwrap();
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        let known = acknowledged.get(key).or_else(|| before.get(key).map(|ids| &ids[0]));
        assert!(known.is_none_or(|id| answer["id"] == *id), "{key}: the first answer again, not {answer}");
    }
    let after = stored(&home);
    assert_eq!(after.len(), acknowledged.len() + unknown.len());
    assert!(after.values().all(|ids| ids.len() == 1));
    assert_eq!(home.json(&["list", "--all", "--json", "server:load"]).as_array().unwrap().len(), after.len());
}

/// Waits until nobody listens any more.
async fn until_refused(server: &Server) {
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address).await.is_ok() {
        assert!(Instant::now() < deadline, "the server goes on listening");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_end_it_finishes_what_it_began_and_ends_with_0() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let home = Home::new();
        let mut server = home.serve();
        let body = json!({"what_i_needed": "the last report", "what_i_tried": "x"}).to_string();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "POST /api/feedback HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            server.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server asks for the body: the request has begun.
        let mut asked = [0; 25];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
        server.signal(signal);
        until_refused(&server).await;
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        assert_eq!(server.ended().code(), Some(0), "{signal:?}");
        server.log_line("stopped");
        assert_eq!(home.json(&["list", "--json"])[0]["what_i_needed"], "the last report");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_event_stream_does_not_hold_up_the_end() {
    let home = Home::new();
    let mut server = home.serve();
    let client = Client::new();
    let mut events = client.get(server.url("/api/events?after=0")).send().await.unwrap();
    assert_eq!(events.status(), StatusCode::OK);
    send(&client, &server.url("/api/feedback"), "seen").await.unwrap();
    let mut heard = String::new();
    while !heard.contains("seen") {
        let chunk = tokio::time::timeout(PATIENCE, events.chunk()).await.unwrap().unwrap();
        heard.push_str(&String::from_utf8_lossy(&chunk.expect("the stream goes on")));
    }
    server.signal(Signal::TERM);
    assert_eq!(server.ended().code(), Some(0));
    let log = server.rest_of_log();
    assert!(log.iter().any(|line| line.contains("stopped")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("cutting")), "it did not wait for the end of its patience: {log:#?}");
}
