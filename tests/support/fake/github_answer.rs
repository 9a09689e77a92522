//! How the fake GitHub is asked and how it answers, whatever it is about.

use super::answer;
use axum::http::Method;
use axum::response::Response;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// A request, taken apart.
pub struct Asked<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    pub query: &'a str,
    pub host: &'a str,
    pub tag: &'a str,
    /// Of the path, behind the repository.
    pub parts: Vec<&'a str>,
}

/// The answer, or that it is the one with the tag that was sent.
pub fn fresh(body: &Value, asked: &Asked<'_>, calls: &Mutex<Vec<String>>) -> Response {
    let mut hasher = DefaultHasher::new();
    body.to_string().hash(&mut hasher);
    let tag = format!("W/\"{:016x}\"", hasher.finish());
    let mut response = if asked.tag == tag {
        calls.lock().unwrap().push(format!("304 {} {}", asked.method, asked.path));
        answer(304, &[], String::new())
    } else {
        json_answer(200, body)
    };
    response.headers_mut().insert("etag", tag.parse().unwrap());
    response
}

/// A single pull request has what one in a list has not.
pub fn whole(mut pull: Value) -> Value {
    pull["merged"] = (!pull["merged_at"].is_null()).into();
    pull["mergeable"] = Value::Null;
    pull
}

pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

pub fn unprocessable(error: &Value) -> Response {
    let body = json!({"message": "Validation Failed", "errors": [error],
        "documentation_url": "https://docs.github.com/rest", "status": "422"});
    json_answer(422, &body)
}

pub fn forbidden(permission: &str) -> Response {
    let body = json!({"message": "Resource not accessible by personal access token"});
    let mut response = json_answer(403, &body);
    response.headers_mut().insert("x-accepted-github-permissions", permission.parse().unwrap());
    response
}

pub fn not_found() -> Response {
    json_answer(404, &json!({"message": "Not Found"}))
}

pub fn json_answer(status: u16, body: &Value) -> Response {
    let headers = [
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("x-ratelimit-remaining", "4999".to_owned()),
        ("x-github-request-id", "FAKE:1".to_owned()),
    ];
    answer(status, &headers, body.to_string())
}
