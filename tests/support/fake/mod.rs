//! Fakes of the outside world over real HTTP on this machine: strict about what they are sent, scripted in what they answer.
//!
//! What a fake is sent and would not be accepted by the real thing is refused and kept as a complaint; so is a fault that was
//! planned and never happened. A complaint fails the test when the fake is dropped, with the words of the complaint.

pub mod anthropic;
pub mod anthropic_stream;
pub mod anthropic_strict;
pub mod compatible;
pub mod compatible_stream;
pub mod compatible_strict;
pub mod git_server;
pub mod github;
pub mod github_answer;
pub mod github_strict;
pub mod github_talk;
pub mod openai;
pub mod openai_stream;
pub mod openai_strict;
pub mod outcome;
pub mod script;
pub mod ssh;
pub mod strict;
pub mod world;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// How long anything may take before a test fails.
pub const TIME: Duration = Duration::from_mins(2);

/// What a fake was sent and the real thing would not take.
#[derive(Debug, Clone, Default)]
pub struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    pub fn add(&self, complaint: impl Into<String>) {
        self.0.lock().unwrap().push(complaint.into());
    }

    /// Complains unless `fine`, and says whether it was.
    pub fn unless(&self, fine: bool, complaint: impl FnOnce() -> String) -> bool {
        if !fine {
            self.add(complaint());
        }
        fine
    }
}

/// A running server. It stops when dropped.
pub struct Served {
    name: &'static str,
    pub url: String,
    complaints: Complaints,
    faults: Faults,
    stop: CancellationToken,
}

impl Served {
    pub async fn start(name: &'static str, router: Router, complaints: Complaints, faults: Faults) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, router, stop.clone()));
        Self { name, url, complaints, faults, stop }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            return;
        }
        let complaints = self.complaints.0.lock().unwrap();
        assert!(complaints.is_empty(), "the fake {} complains: {complaints:#?}", self.name);
        let unused = self.faults.unused();
        assert!(unused.is_empty(), "faults of the fake {} that never happened: {unused:?}", self.name);
    }
}

async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        tokio::spawn(serve(accepted.unwrap().0, router.clone(), stop.clone()));
    }
}

async fn serve(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let answered = router.oneshot(request.map(Body::new)).await;
            let response = answered.unwrap_or_else(|never| match never {});
            // An error makes hyper close the connection without a word.
            if response.extensions().get::<HangUp>().is_some() { Err(HangUp) } else { Ok(response) }
        }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // A client that goes away in the middle is none of the fake's business.
        _ended = connection => {}
        () = stop.cancelled() => {}
    }
}

/// In a response's extensions: close the connection instead of sending it.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the fake hangs up")]
struct HangUp;

pub fn hang_up() -> Response {
    let mut response = StatusCode::OK.into_response();
    response.extensions_mut().insert(HangUp);
    response
}

/// Something that goes wrong once.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers this and does nothing.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: String },
    /// Closes the connection and does nothing.
    HangUp,
    /// Does what it was asked for, and closes the connection before it says so.
    LoseAnswer,
    /// Waits at the gate, then goes on as if nothing had been.
    Hold(Gate),
    /// Does what it was asked for, and waits at the gate before it says so.
    HoldAnswer(Gate),
}

impl Fault {
    pub fn status(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, headers: Vec::new(), body: body.into() }
    }

    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name, value.into()));
        }
        self
    }
}

pub fn answer(status: u16, headers: &[(&'static str, String)], body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

/// What goes wrong next, by the route's name; first planned, first done.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<HashMap<&'static str, VecDeque<Fault>>>>);

impl Faults {
    pub fn plan(&self, route: &'static str, fault: Fault) {
        self.0.lock().unwrap().entry(route).or_default().push_back(fault);
    }

    /// Answers a request, with the next fault if one is planned.
    pub async fn apply(&self, route: &'static str, act: impl Future<Output = Response>) -> Response {
        let fault = self.0.lock().unwrap().get_mut(route).and_then(VecDeque::pop_front);
        match fault {
            None => act.await,
            Some(Fault::Answer { status, headers, body }) => answer(status, &headers, body),
            Some(Fault::HangUp) => hang_up(),
            Some(Fault::LoseAnswer) => {
                act.await;
                hang_up()
            }
            Some(Fault::Hold(gate)) => {
                gate.pass().await;
                act.await
            }
            Some(Fault::HoldAnswer(gate)) => {
                let response = act.await;
                gate.pass().await;
                response
            }
        }
    }

    fn unused(&self) -> Vec<&'static str> {
        self.0.lock().unwrap().iter().filter(|(_, planned)| !planned.is_empty()).map(|(route, _)| *route).collect()
    }
}

/// A place where the outside world stops until the test says go.
#[derive(Debug, Clone)]
pub struct Gate {
    reached: watch::Sender<bool>,
    open: watch::Sender<bool>,
    /// Whoever stood before it has gone away.
    left: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { reached: watch::channel(false).0, open: watch::channel(false).0, left: watch::channel(false).0 }
    }
}

impl Gate {
    /// Waits until something stands before the gate.
    pub async fn reached(&self) {
        let mut reached = self.reached.subscribe();
        let waited = tokio::time::timeout(TIME, reached.wait_for(|reached| *reached)).await;
        waited.expect("nothing came to the gate").unwrap();
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until the client of the request that stands before the gate has closed its connection.
    pub async fn abandoned(&self) {
        let mut left = self.left.subscribe();
        let waited = tokio::time::timeout(TIME, left.wait_for(|left| *left)).await;
        waited.expect("nobody hung up").unwrap();
    }

    pub async fn pass(&self) {
        struct Leaves<'a>(&'a Gate);
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                self.0.left.send_replace(!*self.0.open.borrow());
            }
        }
        self.reached.send_replace(true);
        let _leaves = Leaves(self);
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}

/// The whole body of a request.
pub async fn body(request: Request) -> bytes::Bytes {
    axum::body::to_bytes(request.into_body(), 256 << 20).await.unwrap_or_default()
}

/// A header's text; empty when it is not there.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}
