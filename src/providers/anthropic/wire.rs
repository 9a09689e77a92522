//! What is sent: the request's JSON, and the list of models that comes back.

use super::Messages;
use crate::providers::ProviderError;
use crate::providers::model::{Block, Lifecycle, Message, ModelInfo, Prompt, day, listed, shown};
use serde::Deserialize;
use serde_json::{Value, json};

/// The API's limit for cache marks in one request.
const MAX_CACHE_MARKS: usize = 4;

/// The body of `POST /v1/messages`.
pub(super) fn request(model: &str, prompt: &Prompt) -> Value {
    let marks = prompt.system.iter().chain(prompt.messages.iter().flat_map(|m| &m.blocks)).filter(|b| b.cache).count();
    let mut surplus = marks.saturating_sub(MAX_CACHE_MARKS);
    let system = blocks(&prompt.system, &mut surplus);
    let messages: Vec<Value> = prompt.messages.iter().map(|m| message(m, &mut surplus)).collect();
    let mut body = json!({
        "model": model,
        "max_tokens": prompt.max_output_tokens,
        "stream": true,
        "messages": messages,
        "output_config": {"format": {"type": "json_schema", "schema": prompt.schema}},
    });
    if !system.is_empty() {
        body["system"] = Value::Array(system);
    }
    body
}

fn message(message: &Message, surplus: &mut usize) -> Value {
    json!({"role": message.role.as_str(), "content": blocks(&message.blocks, surplus)})
}

/// Text blocks; empty ones, which the API refuses, are left out. The first `surplus` cache marks are dropped: a later mark
/// covers what came before it.
fn blocks(blocks: &[Block], surplus: &mut usize) -> Vec<Value> {
    let mut out = Vec::with_capacity(blocks.len());
    for block in blocks {
        let mark = block.cache && *surplus == 0;
        if block.cache && *surplus > 0 {
            *surplus -= 1;
        }
        if block.text.trim().is_empty() {
            continue;
        }
        let mut value = json!({"type": "text", "text": block.text});
        if mark {
            value["cache_control"] = json!({"type": "ephemeral"});
        }
        out.push(value);
    }
    out
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    lifecycle: String,
    deprecated_at: Option<String>,
    retires_at: Option<String>,
    max_tokens: Option<u64>,
}

/// Reads the answer of `GET /v1/models`.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError> {
    let list: ModelList = listed::<Messages, _>(body)?;
    Ok(list.data.into_iter().map(Model::info).collect())
}

impl Model {
    fn info(self) -> ModelInfo {
        ModelInfo {
            id: shown(&self.id),
            display_name: shown(&self.display_name),
            max_output_tokens: self.max_tokens,
            lifecycle: match self.lifecycle.as_str() {
                "deprecated" => Lifecycle::Deprecated,
                "retired" => Lifecycle::Retired,
                // A word of tomorrow is no reason to warn.
                _ => Lifecycle::Active,
            },
            deprecated_at: self.deprecated_at.as_deref().map(day),
            retires_at: self.retires_at.as_deref().map(day),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::model::Role;

    fn block(text: &str, cache: bool) -> Block {
        Block { text: text.into(), cache }
    }

    fn prompt(system: Vec<Block>, user: Vec<Block>) -> Prompt {
        let messages = vec![Message { role: Role::User, blocks: user }];
        Prompt { system, messages, schema: json!({"type": "object"}), max_output_tokens: 7 }
    }

    #[test]
    fn the_request_has_nothing_that_a_current_model_refuses() {
        let body = request("m", &prompt(vec![block("be brief", true)], vec![block("hello", false), block(" ", true)]));
        let expected = json!({
            "model": "m", "max_tokens": 7, "stream": true,
            "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hello"}]}],
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn only_the_last_four_cache_marks_are_sent() {
        let body =
            request("m", &prompt(vec![block("a", true), block("b", true)], (0..4).map(|_| block("c", true)).collect()));
        let marked =
            |list: &Value| list.as_array().unwrap().iter().filter(|b| b.get("cache_control").is_some()).count();
        assert_eq!((marked(&body["system"]), marked(&body["messages"][0]["content"])), (0, 4));
    }

    #[test]
    fn the_life_of_a_model_is_read() {
        let body = br#"{"data":[{"id":"old","lifecycle":"retired","retires_at":"2026-01-05T00:00:00Z"},
            {"id":"ageing","lifecycle":"deprecated","deprecated_at":"2026-10-01T00:00:00Z","retires_at":null},
            {"id":"new","display_name":"New","lifecycle":"active","max_tokens":9,"line":"x"}],"has_more":false}"#;
        let day = |d: &str| Some(d.to_owned());
        let old = ModelInfo {
            id: "old".into(),
            lifecycle: Lifecycle::Retired,
            retires_at: day("2026-01-05"),
            ..ModelInfo::default()
        };
        let ageing = ModelInfo {
            id: "ageing".into(),
            lifecycle: Lifecycle::Deprecated,
            deprecated_at: day("2026-10-01"),
            ..ModelInfo::default()
        };
        let new = ModelInfo {
            id: "new".into(),
            display_name: "New".into(),
            max_output_tokens: Some(9),
            ..ModelInfo::default()
        };
        assert_eq!(models(body).unwrap(), [old, ageing, new]);
    }
}
