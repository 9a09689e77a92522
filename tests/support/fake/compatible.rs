//! A server that speaks Chat Completions, with scripted answers.

use super::compatible_stream::{begun, end};
use super::outcome::{FakeModel, Outcome, Trouble};
use super::script::{Piece, Reply, Script};
use super::{Complaints, Faults, Served, answer, body, compatible_strict};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::Arc;

/// What the fake calls the models it knows.
pub const MODELS: [&str; 2] = ["qwen-test:7b", "llama-other:latest"];

/// One more on its list, which is about to leave.
pub const LEAVING: &str = "vendor/leaving";

/// What differs between such servers.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The name of the field for the longest answer; the other one is refused.
    pub token_limit: &'static str,
    /// How it is asked for JSON; other ways are refused.
    pub json: &'static str,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { token_limit: "max_tokens", json: "json_schema" }
    }
}

#[derive(Debug)]
struct Inner {
    /// `None`: it wants no key, and gets none.
    key: Option<String>,
    dialect: Dialect,
    script: Arc<Script>,
}

/// The fake.
pub struct Compatible {
    served: Served,
    script: Arc<Script>,
}

impl Deref for Compatible {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.script
    }
}

impl Compatible {
    pub async fn start(key: Option<&str>, dialect: Dialect) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let script = Arc::new(Script::new(complaints.clone()));
        let inner = Arc::new(Inner { key: key.map(str::to_owned), dialect, script: Arc::clone(&script) });
        let router = Router::new().fallback(handle).with_state(inner);
        Self { served: Served::start("model server", router, complaints, faults).await, script }
    }

    /// The base address as its clients write it.
    pub fn url(&self) -> String {
        format!("{}/v1", self.served.url)
    }
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let route = format!("{method} {uri}");
    if let Err(complaint) = compatible_strict::headers(&method, &headers) {
        fake.script.complaints.add(format!("{route}: {complaint}"));
        return error(400, &complaint);
    }
    let given = headers.get("authorization").and_then(|v| v.to_str().ok());
    if fake.key.is_none() {
        fake.script.complaints.unless(given.is_none(), || "a key for a server that wants none".into());
    } else if given.map(str::to_owned) != fake.key.as_ref().map(|key| format!("Bearer {key}")) {
        return error(401, "User not found.");
    }
    match (&method, uri.to_string().as_str()) {
        (&Method::GET, "/v1/models") => {
            let model =
                |id: &&str| json!({"id": id, "object": "model", "created": 1_767_225_600, "owned_by": "library"});
            let mut data: Vec<Value> = MODELS.iter().map(model).collect();
            data.push(
                json!({"id": LEAVING, "name": "Leaving", "created": 1_767_225_600, "expiration_date": "2027-01-15"}),
            );
            let headers = [("content-type", "application/json".into())];
            answer(200, &headers, json!({"object": "list", "data": data}).to_string())
        }
        (&Method::POST, "/v1/chat/completions") => completions(&fake, &body(request).await),
        _ => {
            fake.script.complaints.add(format!("there is no {route}"));
            answer(404, &[("content-type", "text/plain".into())], "404 page not found".into())
        }
    }
}

fn completions(fake: &Arc<Inner>, bytes: &Bytes) -> Response {
    let judged = serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string());
    let body = match judged.and_then(|body| compatible_strict::request(&body, fake.dialect).map(|()| body)) {
        Ok(body) => body,
        Err(complaint) => {
            fake.script.complaints.add(complaint.clone());
            return error(400, &complaint);
        }
    };
    let model = body["model"].as_str().unwrap().to_owned();
    fake.script.heard(body);
    if !MODELS.iter().any(|known| *known == model || *known == format!("{model}:latest")) {
        return error(404, &format!("model '{model}' not found"));
    }
    fake.script.next(&[("x-request-id", "req_fake_1")])
}

/// With a number as its code, as llama.cpp and OpenRouter word it.
fn error(status: u16, message: &str) -> Response {
    let body = json!({"error": {"code": status, "message": message, "type": "error"}});
    answer(status, &[("content-type", "application/json".into())], body.to_string())
}

fn status(trouble: Trouble) -> u16 {
    match trouble {
        Trouble::BadKey => 401,
        Trouble::Forbidden => 403,
        Trouble::Rate => 429,
        Trouble::Spent => 402,
        Trouble::Overloaded => 503,
        Trouble::Server => 502,
        Trouble::TooLong | Trouble::BadRequest => 400,
    }
}

impl FakeModel for Compatible {
    fn script(&self) -> &Script {
        &self.script
    }

    fn wording(&self, outcome: &Outcome) -> Reply {
        let stream = |text: &str, last: Vec<Piece>| Reply::Stream(begun(text).into_iter().chain(last).collect());
        let ends = |text: &str, reason: &str| stream(text, end(&json!({}), reason, 42));
        let error = |about: Trouble, message: &str| {
            // What the others have a code for is only said in words here.
            let message = match about {
                Trouble::TooLong => format!("This model's maximum context length is 4096 tokens. {message}"),
                _ => message.to_owned(),
            };
            json!({"error": {"code": status(about), "message": message, "metadata": {"provider_name": "x"}}})
        };
        match outcome {
            Outcome::Says(text) => ends(text, "stop"),
            Outcome::Refuses(words) => stream("", end(&json!({"refusal": words}), "stop", 42)),
            Outcome::Filtered => ends("{", "content_filter"),
            // All that the settings allow.
            Outcome::Truncated(text) => stream(text, end(&json!({}), "length", 1_000_000)),
            Outcome::OddStop(text) => ends(text, "of_tomorrow"),
            Outcome::Ends(text) => stream(text, vec![Piece::nothing()]),
            Outcome::Breaks(text) => stream(text, vec![Piece::Break]),
            Outcome::Stalls(text) => stream(text, vec![Piece::Stall]),
            Outcome::Malformed(text) => stream(text, vec![Piece::raw("data: {\"choices\": [{\"oh\n\n")]),
            Outcome::NotText(text) => stream(text, vec![Piece::raw(vec![0xff, 0xfe, b'\n', 0x80, b'\n', b'\n'])]),
            Outcome::ErrorInside(text, about, message) => {
                let mut chunk = error(*about, message);
                chunk["choices"] = json!([{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]);
                stream(text, vec![Piece::data(&chunk), Piece::raw("data: [DONE]\n\n")])
            }
            Outcome::Error(about, message) => Reply::json(status(*about), &error(*about, message)),
            Outcome::Later(about, seconds, message) => {
                self.wording(&Outcome::Error(*about, message.clone())).header("retry-after", seconds.to_string())
            }
            Outcome::Page(code) => Reply::page(*code),
            Outcome::HangsUp => Reply::HangUp,
        }
    }

    fn turns(&self, request: &Value) -> Vec<String> {
        let messages = request["messages"].as_array().unwrap();
        messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
    }
}
