//! What all fake models have in common: answers scripted one by one, the questions they got, streams that stall.
//!
//! A question beyond the script is a complaint: what is not asked twice is proved by that.

use super::{Complaints, TIME, answer, hang_up};
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// A part of a stream.
#[derive(Debug, Clone)]
pub enum Piece {
    Bytes(Bytes),
    /// The connection dies.
    Break,
    /// Says nothing more until the client goes away.
    Stall,
}

impl Piece {
    pub fn raw(text: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(Bytes::from(text.into()))
    }

    /// Nothing: the stream ends where it is.
    pub fn nothing() -> Self {
        Self::raw("")
    }

    /// An event with a name that stands in its data, too.
    pub fn event(name: &str, mut data: Value) -> Self {
        data["type"] = name.into();
        Self::raw(format!("event: {name}\ndata: {data}\n\n"))
    }

    /// A chunk without a name.
    pub fn data(data: &Value) -> Self {
        Self::raw(format!("data: {data}\n\n"))
    }
}

/// One scripted answer.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Status 200 and a stream.
    Stream(Vec<Piece>),
    Status {
        code: u16,
        headers: Vec<(&'static str, String)>,
        body: String,
    },
    /// The connection closes before a word is said.
    HangUp,
}

impl Reply {
    /// An answer in JSON.
    pub fn json(code: u16, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json".into())];
        Self::Status { code, headers, body: body.to_string() }
    }

    /// A page that is no API's.
    pub fn page(code: u16) -> Self {
        let body = "<html><body>Welcome to the hotel's network</body></html>".into();
        Self::Status { code, headers: vec![("content-type", "text/html".into())], body }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

/// The script of one fake model.
#[derive(Debug)]
pub struct Script {
    pub complaints: Complaints,
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Value>>,
    /// Streams that have come to a [`Piece::Stall`].
    stalled: watch::Sender<usize>,
    /// Of those, the ones whose client has gone.
    abandoned: watch::Sender<usize>,
}

impl Script {
    pub fn new(complaints: Complaints) -> Self {
        Self {
            complaints,
            replies: Mutex::default(),
            requests: Mutex::default(),
            stalled: watch::channel(0).0,
            abandoned: watch::channel(0).0,
        }
    }

    /// Answers one more request with this.
    pub fn reply(&self, reply: Reply) -> &Self {
        self.replies.lock().unwrap().push_back(reply);
        self
    }

    /// Answers that nobody has asked for yet.
    pub fn unasked(&self) -> usize {
        self.replies.lock().unwrap().len()
    }

    /// The bodies of all questions so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    pub fn asked(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Waits until `n` answers in all have stalled.
    pub async fn until_stalled(&self, n: usize) {
        until(&self.stalled, n, "no answer stalled").await;
    }

    /// Waits until the clients of `n` stalled answers have closed their connections.
    pub async fn until_abandoned(&self, n: usize) {
        until(&self.abandoned, n, "nobody hung up").await;
    }

    /// Keeps a question whose answer is not in the script.
    pub fn heard(&self, request: Value) {
        self.requests.lock().unwrap().push(request);
    }

    /// The next answer of the script; `headers` are those of a stream.
    pub fn next(self: &Arc<Self>, headers: &[(&'static str, &'static str)]) -> Response {
        let reply = self.replies.lock().unwrap().pop_front();
        match reply {
            Some(Reply::Stream(pieces)) => streamed(Arc::clone(self), pieces, headers),
            Some(Reply::Status { code, headers, body }) => answer(code, &headers, body),
            Some(Reply::HangUp) => hang_up(),
            None => {
                self.complaints.add("a question that nobody scripted an answer for");
                answer(500, &[], json!({"error": {"message": "nothing is scripted"}}).to_string())
            }
        }
    }
}

async fn until(count: &watch::Sender<usize>, n: usize, otherwise: &str) {
    let mut count = count.subscribe();
    tokio::time::timeout(TIME, count.wait_for(|count| *count >= n)).await.expect(otherwise).unwrap();
}

/// Cuts a text into small pieces, and yet not beyond counting when somebody answers with megabytes.
pub fn cut(text: &str) -> Vec<&str> {
    let size = 97.max(text.len() / 500);
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(size.min(rest.len())));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

fn streamed(script: Arc<Script>, pieces: Vec<Piece>, headers: &[(&'static str, &'static str)]) -> Response {
    let body = stream::iter(pieces).flat_map(move |piece| send(Arc::clone(&script), piece));
    let mut response = Response::new(Body::from_stream(body));
    for (name, value) in [("content-type", "text/event-stream; charset=utf-8")].iter().chain(headers) {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn send(script: Arc<Script>, piece: Piece) -> BoxStream<'static, std::io::Result<Bytes>> {
    match piece {
        Piece::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Piece::Break => stream::once(break_off()).boxed(),
        Piece::Stall => stall(script).boxed(),
    }
}

async fn break_off() -> std::io::Result<Bytes> {
    // In between, what was said before goes out.
    tokio::task::yield_now().await;
    Err(std::io::Error::other("the fake breaks off"))
}

/// Never says anything more, and notices when the client has gone: its stream is dropped then.
fn stall(script: Arc<Script>) -> impl Stream<Item = std::io::Result<Bytes>> {
    struct Abandoned(Arc<Script>);
    impl Drop for Abandoned {
        fn drop(&mut self) {
            self.0.abandoned.send_modify(|n| *n += 1);
        }
    }
    stream::once(async move {
        script.stalled.send_modify(|n| *n += 1);
        let _guard = Abandoned(script);
        futures::future::pending().await
    })
}
