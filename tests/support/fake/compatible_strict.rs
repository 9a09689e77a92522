//! What the servers that speak Chat Completions refuse between them: each of them something, this one all of it.

use super::compatible::Dialect;
use super::header;
use super::openai_strict::{is_name, turns};
use super::strict::{Required, must, only, schema};
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};

/// # Errors
/// What is missing or wrong.
pub fn headers(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    let foreign = ["x-api-key", "api-key", "anthropic-version", "openai-organization"];
    must(foreign.iter().all(|name| headers.get(*name).is_none()), "a header of one vendor's")?;
    must(header(headers, "user-agent").starts_with("patchwork/"), "user-agent")?;
    must(method != Method::POST || header(headers, "content-type") == "application/json", "content-type")
}

/// # Errors
/// The first thing that the server would refuse.
pub fn request(body: &Value, dialect: Dialect) -> Result<(), String> {
    let known = ["model", "messages", "stream", "stream_options", "response_format", dialect.token_limit];
    only(body, "the request", &known)?;
    must(body["model"].as_str().is_some_and(|m| !m.is_empty()), "`model`")?;
    must(body[dialect.token_limit].as_u64().is_some_and(|n| n > 0), dialect.token_limit)?;
    must(body["stream"] == true, "`stream`: a long answer must be streamed")?;
    must(body["stream_options"] == json!({"include_usage": true}), "`stream_options`")?;
    let messages = body["messages"].as_array().ok_or("`messages`")?;
    let system = messages.first().filter(|m| m["role"] == "system").ok_or("the first message is not the system's")?;
    only(system, "the system's message", &["role", "content"])?;
    turns(&json!(messages[1..]), "`messages`")?;
    let format = body.get("response_format");
    if dialect.json == "json_schema" {
        let format = format.ok_or("`response_format` is missing")?;
        only(format, "`response_format`", &["type", "json_schema"])?;
        must(format["type"] == "json_schema", "`response_format.type`")?;
        let named = &format["json_schema"];
        only(named, "`response_format.json_schema`", &["name", "strict", "schema"])?;
        must(named["strict"] == true && named["name"].as_str().is_some_and(is_name), "`json_schema`")?;
        return schema(&named["schema"], 0, Required::All);
    }
    let wanted = (dialect.json == "json_object").then(|| json!({"type": "json_object"}));
    must(format == wanted.as_ref(), "`response_format`")?;
    // A server that is told to answer in JSON refuses a prompt that does not speak of it.
    let text = system["content"].as_str().unwrap_or_default();
    must(text.contains("JSON") && text.contains("\"additionalProperties\":false"), "the prompt has no schema")
}
