//! The Messages API with scripted answers. A request beyond the script is a complaint: what is not asked twice is proved by that.

use super::anthropic_stream::{Piece, whole};
use super::{Complaints, Faults, Served, TIME, answer, anthropic_strict, body, hang_up, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// What the fake calls the models it knows.
pub const MODELS: [&str; 3] = ["claude-test-1", "claude-test-mini", "claude-other-9"];

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
    /// A complete answer.
    pub fn says(text: impl AsRef<str>) -> Self {
        Self::Stream(whole(text.as_ref(), &json!({"stop_reason": "end_turn"})))
    }

    /// A complete change in the schema that the request asks for.
    pub fn change(title: &str, files: &Value) -> Self {
        let answer = json!({"look_up": [], "title": title, "summary": "Adds what was missing.", "files": files});
        Self::says(answer.to_string())
    }

    /// The wish to see something first: `(kind, what)`.
    pub fn looks_up(requests: &[(&str, &str)]) -> Self {
        let wish = |(kind, what): &(&str, &str)| json!({"kind": kind, "what": what, "from": null, "to": null});
        let wishes: Vec<Value> = requests.iter().map(wish).collect();
        Self::says(json!({"look_up": wishes, "title": "", "summary": "", "files": []}).to_string())
    }

    /// The text, and another end than usual.
    pub fn ends(text: &str, delta: &Value) -> Self {
        Self::Stream(whole(text, delta))
    }

    /// The beginning of an answer, and then something else.
    pub fn begins(text: &str, then: Piece) -> Self {
        let mut pieces = whole(text, &Value::Null);
        // Without the end of the block, of the message and of the stream.
        pieces.truncate(pieces.len() - 3);
        pieces.push(then);
        Self::Stream(pieces)
    }

    /// An error as the API words it.
    pub fn error(code: u16, kind: &str, message: &str) -> Self {
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake_9"});
        Self::Status { code, headers: Vec::new(), body: body.to_string() }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Status { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

#[derive(Debug)]
struct Inner {
    key: String,
    complaints: Complaints,
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Value>>,
    /// Streams that have come to a [`Piece::Stall`].
    stalled: watch::Sender<usize>,
    /// Of those, the ones whose client has gone.
    abandoned: watch::Sender<usize>,
}

/// The fake.
pub struct Anthropic {
    served: Served,
    inner: Arc<Inner>,
}

impl Anthropic {
    pub async fn start(key: &str) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let inner = Arc::new(Inner {
            key: key.to_owned(),
            complaints: complaints.clone(),
            replies: Mutex::default(),
            requests: Mutex::default(),
            stalled: watch::channel(0).0,
            abandoned: watch::channel(0).0,
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        Self { served: Served::start("Anthropic", router, complaints, faults).await, inner }
    }

    pub fn url(&self) -> &str {
        &self.served.url
    }

    /// Answers one more request with this.
    pub fn reply(&self, reply: Reply) -> &Self {
        self.inner.replies.lock().unwrap().push_back(reply);
        self
    }

    /// Answers that nobody has asked for yet.
    pub fn unasked(&self) -> usize {
        self.inner.replies.lock().unwrap().len()
    }

    /// The bodies of all questions so far.
    pub fn requests(&self) -> Vec<Value> {
        self.inner.requests.lock().unwrap().clone()
    }

    pub fn asked(&self) -> usize {
        self.inner.requests.lock().unwrap().len()
    }

    /// The text of a request's last turn.
    pub fn last_turn(&self) -> String {
        let requests = self.requests();
        let last = requests.last().expect("a request");
        text_of(last["messages"].as_array().unwrap().last().unwrap())
    }

    /// Waits until `n` answers in all have stalled.
    pub async fn until_stalled(&self, n: usize) {
        until(&self.inner.stalled, n, "no answer stalled").await;
    }

    /// Waits until the clients of `n` stalled answers have closed their connections.
    pub async fn until_abandoned(&self, n: usize) {
        until(&self.inner.abandoned, n, "nobody hung up").await;
    }
}

async fn until(count: &watch::Sender<usize>, n: usize, otherwise: &str) {
    let mut count = count.subscribe();
    tokio::time::timeout(TIME, count.wait_for(|count| *count >= n)).await.expect(otherwise).unwrap();
}

/// All text blocks of one turn.
pub fn text_of(turn: &Value) -> String {
    turn["content"].as_array().unwrap().iter().map(|b| b["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let route = format!("{method} {}", uri.path());
    if let Err(complaint) = anthropic_strict::headers(&method, &headers) {
        fake.complaints.add(format!("{route}: {complaint}"));
        return error(400, "invalid_request_error", &complaint);
    }
    if header(&headers, "x-api-key") != fake.key {
        return error(401, "authentication_error", "invalid x-api-key");
    }
    match (&method, uri.path()) {
        (&Method::GET, "/v1/models") => models(uri.query().unwrap_or_default(), &fake),
        (&Method::POST, "/v1/messages") => messages(&fake, &body(request).await),
        _ => {
            fake.complaints.add(format!("there is no {route}"));
            error(404, "not_found_error", "Not found")
        }
    }
}

fn models(query: &str, fake: &Inner) -> Response {
    fake.complaints.unless(query == "limit=1000", || format!("the models are asked for with `{query}`"));
    let model = |id: &&str| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z", "lifecycle": "active", "max_tokens": 128_000});
    let data: Vec<Value> = MODELS.iter().map(model).collect();
    let body = json!({"data": data, "has_more": false, "first_id": MODELS[0], "last_id": MODELS[2]});
    answer(200, &[("content-type", "application/json".into())], body.to_string())
}

fn messages(fake: &Arc<Inner>, bytes: &Bytes) -> Response {
    let judged = serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string());
    let body = match judged.and_then(|body| anthropic_strict::request(&body).map(|()| body)) {
        Ok(body) => body,
        Err(complaint) => {
            fake.complaints.add(complaint.clone());
            return error(400, "invalid_request_error", &complaint);
        }
    };
    let model = body["model"].as_str().unwrap().to_owned();
    fake.requests.lock().unwrap().push(body);
    if !MODELS.contains(&model.as_str()) {
        return error(404, "not_found_error", &format!("model: {model}"));
    }
    let reply = fake.replies.lock().unwrap().pop_front();
    match reply {
        Some(Reply::Stream(pieces)) => streamed(Arc::clone(fake), pieces),
        Some(Reply::Status { code, headers, body }) => answer(code, &headers, body),
        Some(Reply::HangUp) => hang_up(),
        None => {
            fake.complaints.add("a question that nobody scripted an answer for");
            error(500, "api_error", "nothing is scripted")
        }
    }
}

fn error(code: u16, kind: &str, message: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake_0"});
    let headers = [("content-type", "application/json".into()), ("request-id", "req_fake_0".into())];
    answer(code, &headers, body.to_string())
}

fn streamed(fake: Arc<Inner>, pieces: Vec<Piece>) -> Response {
    let body = stream::iter(pieces).flat_map(move |piece| send(Arc::clone(&fake), piece));
    let mut response = Response::new(Body::from_stream(body));
    let headers = [("content-type", "text/event-stream; charset=utf-8"), ("request-id", "req_fake_1")];
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

fn send(fake: Arc<Inner>, piece: Piece) -> BoxStream<'static, std::io::Result<Bytes>> {
    match piece {
        Piece::Bytes(bytes) => stream::iter([Ok(bytes)]).boxed(),
        Piece::Break => stream::once(break_off()).boxed(),
        Piece::Stall => stall(fake).boxed(),
    }
}

async fn break_off() -> std::io::Result<Bytes> {
    // In between, what was said before goes out.
    tokio::task::yield_now().await;
    Err(std::io::Error::other("the fake breaks off"))
}

/// Never says anything more, and notices when the client has gone: its stream is dropped then.
fn stall(fake: Arc<Inner>) -> impl Stream<Item = std::io::Result<Bytes>> {
    struct Abandoned(Arc<Inner>);
    impl Drop for Abandoned {
        fn drop(&mut self) {
            self.0.abandoned.send_modify(|n| *n += 1);
        }
    }
    stream::once(async move {
        fake.stalled.send_modify(|n| *n += 1);
        let _guard = Abandoned(fake);
        futures::future::pending().await
    })
}
