//! The chunks of a streamed completion as the compatible servers send them, with the oddities of all of them.

use super::script::{Piece, cut};
use serde_json::{Value, json};

/// A stream up to and with the last piece of the text: comments, a first chunk without text, thoughts, `data:` with a space and without.
pub fn begun(text: &str) -> Vec<Piece> {
    let mut pieces = vec![
        Piece::raw(": OPENROUTER PROCESSING\n\n"),
        chunk(&json!({"role": "assistant", "content": ""}), &Value::Null),
        Piece::raw(": OPENROUTER PROCESSING\n\n"),
        chunk(&json!({"content": null, "reasoning_content": "Hm.", "reasoning": "Hm."}), &Value::Null),
    ];
    for (at, piece) in cut(text).into_iter().enumerate() {
        let data = json_of(&json!({"content": piece}), &Value::Null);
        let space = if at % 2 == 0 { " " } else { "" };
        pieces.push(Piece::raw(format!("data:{space}{data}\n\n")));
    }
    pieces
}

/// How it ended, what it used, and the last line.
pub fn end(delta: &Value, finish_reason: &str, written: i64) -> Vec<Piece> {
    let usage = json!({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "model": "qwen-test:7b", "choices": [],
        "usage": {"prompt_tokens": 123, "completion_tokens": written, "total_tokens": 123 + written,
            "prompt_tokens_details": {"cached_tokens": 3}}});
    vec![chunk(delta, &finish_reason.into()), Piece::data(&usage), Piece::raw("data: [DONE]\n\n")]
}

fn chunk(delta: &Value, finish_reason: &Value) -> Piece {
    Piece::data(&json_of(delta, finish_reason))
}

fn json_of(delta: &Value, finish_reason: &Value) -> Value {
    json!({"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1_767_225_600, "model": "qwen-test:7b",
        "system_fingerprint": "fp", "usage": null,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]})
}
