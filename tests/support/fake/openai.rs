//! The Responses API with scripted answers.

use super::openai_stream::{begun, end, refusal};
use super::outcome::{FakeModel, Outcome, Trouble};
use super::script::{Piece, Reply, Script};
use super::{Complaints, Faults, Served, answer, body, header, openai_strict};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::ops::Deref;
use std::sync::Arc;

/// What the fake calls the models it knows.
pub const MODELS: [&str; 3] = ["gpt-test-1", "gpt-test-mini", "gpt-other-9"];

#[derive(Debug)]
struct Inner {
    key: String,
    script: Arc<Script>,
}

/// The fake.
pub struct Openai {
    served: Served,
    script: Arc<Script>,
}

impl Deref for Openai {
    type Target = Script;
    fn deref(&self) -> &Script {
        &self.script
    }
}

impl Openai {
    pub async fn start(key: &str) -> Self {
        let (complaints, faults) = (Complaints::default(), Faults::default());
        let script = Arc::new(Script::new(complaints.clone()));
        let inner = Arc::new(Inner { key: key.to_owned(), script: Arc::clone(&script) });
        let router = Router::new().fallback(handle).with_state(inner);
        Self { served: Served::start("OpenAI", router, complaints, faults).await, script }
    }

    /// The base address as its clients write it.
    pub fn url(&self) -> String {
        format!("{}/v1", self.served.url)
    }
}

async fn handle(State(fake): State<Arc<Inner>>, request: Request) -> Response {
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let route = format!("{method} {uri}");
    if let Err(complaint) = openai_strict::headers(&method, &headers) {
        fake.script.complaints.add(format!("{route}: {complaint}"));
        return error(400, "invalid_request_error", None, &complaint);
    }
    if header(&headers, "authorization") != format!("Bearer {}", fake.key) {
        let message = "Incorrect API key provided. You can find your API key in your settings.";
        return error(401, "invalid_request_error", Some("invalid_api_key"), message);
    }
    match (&method, uri.to_string().as_str()) {
        (&Method::GET, "/v1/models") => {
            let model =
                |id: &&str| json!({"id": id, "object": "model", "created": 1_767_225_600, "owned_by": "openai"});
            let data: Vec<Value> = MODELS.iter().map(model).collect();
            let headers = [("content-type", "application/json".into())];
            answer(200, &headers, json!({"object": "list", "data": data}).to_string())
        }
        (&Method::POST, "/v1/responses") => responses(&fake, &body(request).await),
        _ => {
            fake.script.complaints.add(format!("there is no {route}"));
            error(404, "invalid_request_error", None, &format!("Invalid URL ({route})"))
        }
    }
}

fn responses(fake: &Arc<Inner>, bytes: &Bytes) -> Response {
    let judged = serde_json::from_slice::<Value>(bytes).map_err(|e| e.to_string());
    let body = match judged.and_then(|body| openai_strict::request(&body).map(|()| body)) {
        Ok(body) => body,
        Err(complaint) => {
            fake.script.complaints.add(complaint.clone());
            return error(400, "invalid_request_error", None, &complaint);
        }
    };
    let model = body["model"].as_str().unwrap().to_owned();
    fake.script.heard(body);
    if !MODELS.contains(&model.as_str()) {
        let message = format!("The requested model '{model}' does not exist.");
        return error(400, "invalid_request_error", Some("model_not_found"), &message);
    }
    fake.script.next(&[("x-request-id", "req_fake_1")])
}

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    let headers = [("content-type", "application/json".into()), ("x-request-id", "req_fake_0".into())];
    answer(status, &headers, body.to_string())
}

/// Status, type and code.
fn trouble(trouble: Trouble) -> (u16, &'static str, &'static str) {
    match trouble {
        Trouble::BadKey => (401, "invalid_request_error", "invalid_api_key"),
        Trouble::Forbidden => (403, "invalid_request_error", "unsupported_country_region_territory"),
        Trouble::Rate => (429, "requests", "rate_limit_exceeded"),
        Trouble::Spent => (429, "insufficient_quota", "insufficient_quota"),
        Trouble::Overloaded => (503, "server_error", "server_is_overloaded"),
        Trouble::Server => (500, "server_error", "server_error"),
        Trouble::TooLong => (400, "invalid_request_error", "context_length_exceeded"),
        Trouble::BadRequest => (400, "invalid_request_error", "invalid_prompt"),
    }
}

impl FakeModel for Openai {
    fn script(&self) -> &Script {
        &self.script
    }

    fn wording(&self, outcome: &Outcome) -> Reply {
        let stream = |text: &str, last: Piece| Reply::Stream(begun(text).into_iter().chain([last]).collect());
        let incomplete = |text: &str, reason: &str| {
            stream(text, end("incomplete", &json!({"incomplete_details": {"reason": reason}})))
        };
        match outcome {
            // Some proxies say this once more at the end.
            Outcome::Says(text) => {
                let last = [end("completed", &json!({})), Piece::raw("data: [DONE]\n\n")];
                Reply::Stream(begun(text).into_iter().chain(last).collect())
            }
            Outcome::Refuses(words) => {
                let last = [refusal(words), end("completed", &json!({}))];
                Reply::Stream(begun("").into_iter().chain(last).collect())
            }
            Outcome::Filtered => incomplete("{", "content_filter"),
            Outcome::Truncated(text) => incomplete(text, "max_output_tokens"),
            Outcome::OddStop(text) => incomplete(text, "of_tomorrow"),
            Outcome::Ends(text) => stream(text, Piece::nothing()),
            Outcome::Breaks(text) => stream(text, Piece::Break),
            Outcome::Stalls(text) => stream(text, Piece::Stall),
            Outcome::Malformed(text) => {
                stream(text, Piece::raw("event: response.completed\ndata: {\"type\":\"response.completed\",\"oh\n\n"))
            }
            Outcome::NotText(text) => stream(text, Piece::raw(vec![0xff, 0xfe, b'\n', 0x80, b'\n', b'\n'])),
            Outcome::ErrorInside(text, about, message) => {
                let (_, kind, code) = trouble(*about);
                // In the middle it is documented as flat and sent like this.
                let error = json!({"error": {"type": kind, "code": code, "message": message, "param": null}});
                stream(text, Piece::event("error", error))
            }
            Outcome::Error(about, message) => {
                let (status, kind, code) = trouble(*about);
                let error = json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
                Reply::json(status, &error).header("x-request-id", "req_fake_9")
            }
            Outcome::Later(about, seconds, message) => {
                self.wording(&Outcome::Error(*about, message.clone())).header("retry-after", seconds.to_string())
            }
            Outcome::Page(code) => Reply::page(*code),
            Outcome::HangsUp => Reply::HangUp,
        }
    }

    fn turns(&self, request: &Value) -> Vec<String> {
        let input = request["input"].as_array().unwrap().iter().map(|turn| &turn["content"]);
        let all = std::iter::once(&request["instructions"]).chain(input);
        all.map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}
