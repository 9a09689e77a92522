//! What the Responses API refuses, as far as its documentation and its SDK's types say so, and what we never want to send it.

use super::header;
use super::strict::{Required, must, only, schema};
use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// # Errors
/// What is missing or wrong.
pub fn headers(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let key = header(headers, "authorization").strip_prefix("Bearer ").unwrap_or_default();
    must(!key.is_empty(), "authorization is missing, or no bearer key")?;
    must(headers.get("x-api-key").is_none() && headers.get("api-key").is_none(), "two kinds of keys")?;
    must(headers.get("anthropic-version").is_none(), "a header of another vendor's")?;
    must(header(headers, "user-agent").starts_with("patchwork/"), "user-agent")?;
    must(method != Method::POST || header(headers, "content-type") == "application/json", "content-type")
}

/// # Errors
/// The first thing that the API would refuse.
pub fn request(body: &Value) -> Result<(), String> {
    let known = ["model", "input", "instructions", "text", "max_output_tokens", "store", "stream", "prompt_cache_key"];
    only(body, "the request", &known)?;
    must(body["model"].as_str().is_some_and(|m| !m.is_empty()), "`model`")?;
    must(body["max_output_tokens"].as_u64().is_some_and(|n| n >= 16), "`max_output_tokens`")?;
    must(body["stream"] == true, "`stream`: a long answer must be streamed")?;
    must(body["store"] == false, "`store`: what is asked would be kept")?;
    let text = |value: &Value| value.as_str().is_some_and(|t| !t.trim().is_empty());
    must(text(&body["instructions"]), "`instructions`")?;
    must(body["prompt_cache_key"].as_str().is_some_and(|k| (1..=64).contains(&k.len())), "`prompt_cache_key`")?;
    turns(&body["input"], "`input`")?;
    only(&body["text"], "`text`", &["format"])?;
    let format = &body["text"]["format"];
    only(format, "`text.format`", &["type", "name", "strict", "schema"])?;
    must(format["type"] == "json_schema", "`text.format.type`")?;
    must(format["strict"] == true, "`text.format.strict`")?;
    must(format["name"].as_str().is_some_and(is_name), "`text.format.name`")?;
    must(format["schema"]["type"] == "object", "the schema's root must be an object")?;
    schema(&format["schema"], 0, Required::All)
}

/// Turns that are texts, the user's first and last.
///
/// # Errors
/// What is wrong with them.
pub fn turns(turns: &Value, place: &str) -> Result<(), String> {
    let turns = turns.as_array().ok_or(place)?;
    for (at, turn) in turns.iter().enumerate() {
        only(turn, "a turn", &["role", "content"])?;
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        must(turn["role"] == role, &format!("turn {at} is not the {role}'s"))?;
        must(turn["content"].as_str().is_some_and(|t| !t.trim().is_empty()), &format!("turn {at} has no text"))?;
    }
    must(turns.len() % 2 == 1, "the last turn must be the user's")
}

/// Whether a schema may be called so.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
