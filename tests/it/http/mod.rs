//! The HTTP door over a real engine in a temporary directory; without sockets, but for `sockets`.

mod answers;
mod bodies;
mod draft;
mod events;
mod ingest;
mod routes;
mod security;
mod settings;
mod sockets;
mod v1;

use crate::support::TestEngine;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, header};
use patchwork::config::{Secrets, ServerConfig};
use patchwork::engine::Engine;
use patchwork::http::{App, Limits};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

/// How long anything may take before a test fails.
const TIME: Duration = Duration::from_mins(2);

/// An engine of its own and the router over it.
struct Door {
    app: App,
    test: TestEngine,
}

impl Door {
    async fn open() -> Self {
        Self::with(Secrets::default(), Limits::default()).await
    }

    async fn with(secrets: Secrets, limits: Limits) -> Self {
        Self::over(TestEngine::open().await, &secrets, limits)
    }

    fn over(test: TestEngine, secrets: &Secrets, limits: Limits) -> Self {
        let app = App::with_limits(test.engine.clone(), &ServerConfig::default(), secrets, limits);
        Self { app, test }
    }

    fn app(&self) -> App {
        self.app.clone()
    }

    fn engine(&self) -> &Engine {
        &self.test.engine
    }

    fn router(&self) -> Router {
        patchwork::http::router(self.app())
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        send(self.router(), request).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, Body::empty())).await
    }

    /// With a JSON body.
    async fn call(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(json_request(method, path, body)).await
    }

    /// Stores a report and gives its id.
    async fn report(&self, more: Value) -> String {
        let answer = self.call(Method::POST, "/api/feedback", &report(more)).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    async fn total(&self) -> i64 {
        self.engine().stats().await.unwrap().total
    }
}

async fn send(router: Router, request: Request<Body>) -> Answer {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let reading = to_bytes(body, 64 << 20);
    let body = tokio::time::timeout(TIME, reading).await.expect("the answer never ended").unwrap();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: String::from_utf8(body.into()).unwrap() }
}

/// A minimal report and more fields, which win.
fn report(more: Value) -> Value {
    let mut report = json!({"what_i_needed": "search by cost", "what_i_tried": "listed everything"});
    let Value::Object(more) = more else { panic!("fields, please") };
    report.as_object_mut().unwrap().extend(more);
    report
}

fn request(method: Method, path: &str, body: Body) -> Request<Body> {
    Request::builder().method(method).uri(path).header(header::HOST, "localhost:8099").body(body).unwrap()
}

fn json_request(method: Method, path: &str, body: &Value) -> Request<Body> {
    raw_request(method, path, body.to_string())
}

/// JSON by its content type, whatever the bytes are.
fn raw_request(method: Method, path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = request(method, path, body.into());
    request.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
    request
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Empty when there is none.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }

    /// The refusal's sentence, or the first fault's.
    fn detail(&self) -> String {
        let json = self.json();
        let detail = &json["detail"];
        let sentence = if detail.is_array() { &detail[0]["msg"] } else { detail };
        sentence.as_str().expect("every refusal has a sentence").to_owned()
    }

    /// Where the faults of a 422 are: `body.what_i_needed`.
    fn places(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{self:?}");
        let place = |fault: &Value| {
            assert!(fault["type"].is_string() && fault["msg"].is_string(), "{fault}");
            let parts = fault["loc"].as_array().unwrap();
            parts.iter().map(|p| p.as_str().unwrap()).collect::<Vec<_>>().join(".")
        };
        self.json()["detail"].as_array().unwrap().iter().map(place).collect()
    }
}
