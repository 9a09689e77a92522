//! The Messages API with scripted answers.

use super::anthropic_stream::whole;
use super::outcome::{FakeModel, Outcome, Trouble};
pub use super::script::Reply;
use super::script::{Piece, Script};
use super::{Complaints, Faults, Served, answer, anthropic_strict, body, header};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::Arc;

/// What the fake calls the models it knows.
pub const MODELS: [&str; 3] = ["claude-test-1", "claude-test-mini", "claude-other-9"];

/// Models on its list that nobody should begin with any more.
pub const DEPRECATED: &str = "claude-ageing-2";
pub const RETIRED: &str = "claude-bygone-1";

/// Answers as the Messages API words them.
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
}

#[derive(Debug)]
struct Inner {
    key: String,
    script: Arc<Script>,
}

/// The fake.
pub struct Anthropic {
    served: Served,
    script: Arc<Script>,
}

impl Deref for Anthropic {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.script
    }
}

impl Anthropic {
    pub async fn start(key: &str) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let script = Arc::new(Script::new(complaints.clone()));
        let inner = Arc::new(Inner { key: key.to_owned(), script: Arc::clone(&script) });
        let router = Router::new().fallback(handle).with_state(inner);
        Self { served: Served::start("Anthropic", router, complaints, faults).await, script }
    }

    pub fn url(&self) -> &str {
        &self.served.url
    }

    /// The text of a request's last turn.
    pub fn last_turn(&self) -> String {
        let requests = self.requests();
        let last = requests.last().expect("a request");
        text_of(last["messages"].as_array().unwrap().last().unwrap())
    }
}

/// All text blocks of one turn.
pub fn text_of(turn: &Value) -> String {
    turn["content"].as_array().unwrap().iter().map(|b| b["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let route = format!("{method} {}", uri.path());
    if let Err(complaint) = anthropic_strict::headers(&method, &headers) {
        fake.script.complaints.add(format!("{route}: {complaint}"));
        return error(400, "invalid_request_error", &complaint);
    }
    if header(&headers, "x-api-key") != fake.key {
        return error(401, "authentication_error", "invalid x-api-key");
    }
    match (&method, uri.path()) {
        (&Method::GET, "/v1/models") => models(uri.query().unwrap_or_default(), &fake),
        (&Method::POST, "/v1/messages") => messages(&fake, &body(request).await),
        _ => {
            fake.script.complaints.add(format!("there is no {route}"));
            error(404, "not_found_error", "Not found")
        }
    }
}

fn models(query: &str, fake: &Inner) -> Response {
    fake.script.complaints.unless(query == "limit=1000", || format!("the models are asked for with `{query}`"));
    let model = |id: &str, lifecycle: &str, retires_at: Option<&str>| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z", "lifecycle": lifecycle, "deprecated_at": retires_at.map(|_| "2026-10-01T00:00:00Z"), "retires_at": retires_at, "max_tokens": 128_000});
    let mut data: Vec<Value> = MODELS.iter().map(|id| model(id, "active", None)).collect();
    data.push(model(DEPRECATED, "deprecated", Some("2027-03-01T00:00:00Z")));
    data.push(model(RETIRED, "retired", Some("2026-11-01T00:00:00Z")));
    let body = json!({"data": data, "has_more": false, "first_id": MODELS[0], "last_id": MODELS[2]});
    answer(200, &[("content-type", "application/json".into())], body.to_string())
}

fn messages(fake: &Arc<Inner>, bytes: &Bytes) -> Response {
    let judged = serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string());
    let body = match judged.and_then(|body| anthropic_strict::request(&body).map(|()| body)) {
        Ok(body) => body,
        Err(complaint) => {
            fake.script.complaints.add(complaint.clone());
            return error(400, "invalid_request_error", &complaint);
        }
    };
    let model = body["model"].as_str().unwrap().to_owned();
    fake.script.heard(body);
    if !MODELS.contains(&model.as_str()) {
        return error(404, "not_found_error", &format!("model: {model}"));
    }
    fake.script.next(&[("request-id", "req_fake_1")])
}

fn error(code: u16, kind: &str, message: &str) -> Response {
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake_0"});
    let headers = [("content-type", "application/json".into()), ("request-id", "req_fake_0".into())];
    answer(code, &headers, body.to_string())
}

/// Status and type.
fn trouble(trouble: Trouble) -> (u16, &'static str) {
    match trouble {
        Trouble::BadKey => (401, "authentication_error"),
        Trouble::Forbidden => (403, "permission_error"),
        Trouble::Rate => (429, "rate_limit_error"),
        Trouble::Spent => (402, "billing_error"),
        Trouble::Overloaded => (529, "overloaded_error"),
        Trouble::Server => (500, "api_error"),
        Trouble::TooLong | Trouble::BadRequest => (400, "invalid_request_error"),
    }
}

impl FakeModel for Anthropic {
    fn script(&self) -> &Script {
        &self.script
    }

    fn wording(&self, outcome: &Outcome) -> Reply {
        let refusal = |category: Option<&str>, words: &str| {
            let details = json!({"type": "refusal", "category": category, "explanation": words});
            Reply::ends("", &json!({"stop_reason": "refusal", "stop_details": details}))
        };
        // What the others have a code for is only said in words here.
        let worded = |about: Trouble, message: &str| match about {
            Trouble::TooLong => format!("prompt is too long: {message}"),
            _ => message.to_owned(),
        };
        match outcome {
            Outcome::Says(text) => Reply::says(text),
            Outcome::Refuses(words) => refusal(None, words),
            Outcome::Filtered => refusal(Some("general_harms"), ""),
            Outcome::Truncated(text) => Reply::ends(text, &json!({"stop_reason": "max_tokens"})),
            Outcome::OddStop(text) => Reply::ends(text, &json!({"stop_reason": "of_tomorrow"})),
            Outcome::Ends(text) => Reply::begins(text, Piece::nothing()),
            Outcome::Breaks(text) => Reply::begins(text, Piece::Break),
            Outcome::Stalls(text) => Reply::begins(text, Piece::Stall),
            Outcome::Malformed(text) => Reply::begins(text, Piece::raw("event: message_delta\ndata: {\"oh\n\n")),
            Outcome::NotText(text) => Reply::begins(text, Piece::raw(vec![0xff, 0xfe, b'\n', 0x80, b'\n', b'\n'])),
            Outcome::ErrorInside(text, about, message) => {
                Reply::begins(text, Piece::error(trouble(*about).1, &worded(*about, message)))
            }
            Outcome::Error(about, message) => {
                let (status, kind) = trouble(*about);
                let reply = Reply::error(status, kind, &worded(*about, message));
                // Without a time to come back at it would be a spending limit.
                if *about == Trouble::Rate { reply.header("x-should-retry", "true") } else { reply }
            }
            Outcome::Later(about, seconds, message) => {
                let (status, kind) = trouble(*about);
                Reply::error(status, kind, &worded(*about, message)).header("retry-after", seconds.to_string())
            }
            Outcome::Page(code) => Reply::page(*code),
            Outcome::HangsUp => Reply::HangUp,
        }
    }

    fn turns(&self, request: &Value) -> Vec<String> {
        let system =
            request["system"].as_array().unwrap().iter().map(|block| block["text"].as_str().unwrap().to_owned());
        system.chain(request["messages"].as_array().unwrap().iter().map(text_of)).collect()
    }
}
