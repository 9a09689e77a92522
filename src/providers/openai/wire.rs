//! What is sent: the request's JSON, and the list of models that comes back.

use super::Responses;
use crate::providers::ProviderError;
use crate::providers::model::{Message, ModelInfo, Prompt, joined, listed, shown};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The body of `POST /responses`.
pub(super) fn request(model: &str, prompt: &Prompt) -> Value {
    let input: Vec<Value> = prompt.messages.iter().map(message).collect();
    let mut body = json!({
        "model": model,
        "input": input,
        "text": {"format": {"type": "json_schema", "name": "draft", "strict": true, "schema": prompt.schema}},
        "max_output_tokens": prompt.max_output_tokens,
        // Kept for a month otherwise.
        "store": false,
        "stream": true,
        "prompt_cache_key": cache_key(prompt),
    });
    let instructions = joined(&prompt.system);
    if !instructions.is_empty() {
        body["instructions"] = instructions.into();
    }
    body
}

fn message(message: &Message) -> Value {
    json!({"role": message.role.as_str(), "content": joined(&message.blocks)})
}

/// Requests with one key go to one machine, where the prefix they share is kept. So the key is made of that prefix: a
/// re-draft from the same code has the same one.
fn cache_key(prompt: &Prompt) -> String {
    let mut digest = Sha256::new();
    for text in prompt.prefix() {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    let head = digest.finalize().iter().take(16).fold(0_u128, |head, byte| head << 8 | u128::from(*byte));
    format!("patchwork-{head:032x}")
}

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
}

/// Reads the answer of `GET /models`, which says nothing of a model but its name.
pub(super) fn models(body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError> {
    let list: ModelList = listed::<Responses, _>(body)?;
    Ok(list.data.into_iter().map(|m| ModelInfo { id: shown(&m.id), ..ModelInfo::default() }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::model::{Block, Role};

    fn block(text: &str, cache: bool) -> Block {
        Block { text: text.into(), cache }
    }

    fn prompt(code: &str, notes: &str) -> Prompt {
        Prompt {
            system: vec![block("be brief", true)],
            messages: vec![
                Message { role: Role::User, blocks: vec![block(code, true), block(notes, false)] },
                Message { role: Role::Assistant, blocks: vec![block("{}", false)] },
                Message { role: Role::User, blocks: vec![block("again", false)] },
            ],
            schema: json!({"type": "object"}),
            max_output_tokens: 7,
        }
    }

    #[test]
    fn the_request_is_flat_where_responses_are_and_is_not_stored() {
        let mut body = request("m", &prompt("code", "notes"));
        let key = body.as_object_mut().unwrap().remove("prompt_cache_key").unwrap();
        assert!(key.as_str().is_some_and(|k| k.len() <= 64), "{key}");
        let expected = json!({
            "model": "m", "instructions": "be brief", "max_output_tokens": 7, "store": false, "stream": true,
            "input": [
                {"role": "user", "content": "code\n\nnotes"},
                {"role": "assistant", "content": "{}"},
                {"role": "user", "content": "again"},
            ],
            "text": {"format": {"type": "json_schema", "name": "draft", "strict": true, "schema": {"type": "object"}}},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn requests_that_begin_alike_have_one_cache_key() {
        let key = |code, notes| cache_key(&prompt(code, notes));
        assert_eq!(key("code", "notes"), key("code", "other notes"));
        assert_ne!(key("code", "notes"), key("other code", "notes"));
    }
}
