//! What the Messages API refuses, as far as its documentation says so: headers, unknown fields, turns, blocks, schemas.

use super::header;
use super::strict::{Required, must, only, schema};
use axum::http::{HeaderMap, Method};
use serde_json::Value;

/// # Errors
/// What is missing or wrong.
pub fn headers(method: &Method, headers: &HeaderMap) -> Result<(), String> {
    must(!header(headers, "x-api-key").is_empty(), "x-api-key is missing")?;
    must(headers.get("authorization").is_none(), "two kinds of keys")?;
    must(["2023-06-01", "2026-10-21"].contains(&header(headers, "anthropic-version")), "anthropic-version")?;
    must(header(headers, "user-agent").starts_with("patchwork/"), "user-agent")?;
    must(headers.get("anthropic-beta").is_none(), "nothing here is beta")?;
    must(method != Method::POST || header(headers, "content-type") == "application/json", "content-type")
}

/// # Errors
/// The first thing that the API would refuse.
pub fn request(body: &Value) -> Result<(), String> {
    only(body, "the request", &["model", "max_tokens", "stream", "messages", "system", "output_config"])?;
    must(body["model"].as_str().is_some_and(|m| !m.is_empty()), "`model`")?;
    must(body["max_tokens"].as_u64().is_some_and(|n| n > 0), "`max_tokens`")?;
    must(body["stream"] == true, "`stream`: a long answer must be streamed")?;
    let mut marks = body.get("system").map_or(Ok(0), |system| blocks(system, "system"))?;
    let turns = body["messages"].as_array().ok_or("`messages`")?;
    for (at, turn) in turns.iter().enumerate() {
        only(turn, "a turn", &["role", "content"])?;
        let role = if at % 2 == 0 { "user" } else { "assistant" };
        must(turn["role"] == role, &format!("turn {at} is not the {role}'s"))?;
        marks += blocks(&turn["content"], &format!("turn {at}"))?;
    }
    must(turns.len() % 2 == 1, "the last turn must be the user's: answers can't be begun for the model")?;
    must(marks <= 4, "more than four cache marks")?;
    only(&body["output_config"], "`output_config`", &["format"])?;
    let format = &body["output_config"]["format"];
    only(format, "`format`", &["type", "schema"])?;
    must(format["type"] == "json_schema", "`format.type`")?;
    schema(&format["schema"], 0, Required::Some)
}

/// Checks text blocks; returns the number of cache marks.
fn blocks(blocks: &Value, place: &str) -> Result<usize, String> {
    let blocks = blocks.as_array().filter(|b| !b.is_empty()).ok_or(format!("{place} has no blocks"))?;
    let mut marks = 0;
    for block in blocks {
        only(block, place, &["type", "text", "cache_control"])?;
        must(block["type"] == "text", &format!("{place}: a block's type"))?;
        must(block["text"].as_str().is_some_and(|t| !t.trim().is_empty()), &format!("{place}: a block without text"))?;
        if let Some(mark) = block.get("cache_control") {
            must(mark["type"] == "ephemeral", &format!("{place}: cache_control"))?;
            marks += 1;
        }
    }
    Ok(marks)
}
