//! The events of a streamed response as the Responses API sends them, with everything in it that a client must pass over.

use super::script::{Piece, cut};
use serde_json::{Value, json};

/// A stream up to and with the last piece of the text: reasoning first, a comment, a message about what is going to be done, kinds of
/// events that nobody knows yet.
pub fn begun(text: &str) -> Vec<Piece> {
    let mut pieces = vec![
        Piece::event(
            "response.created",
            json!({"sequence_number": 0, "response": response("in_progress", &json!({}))}),
        ),
        Piece::event("response.in_progress", json!({"response": response("in_progress", &json!({}))})),
        Piece::raw(": a comment\n\n"),
        item(0, &json!({"type": "reasoning", "id": "rs_1", "summary": []})),
        delta("reasoning_summary_text", 0, "Hm."),
        item(1, &json!({"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "content": []})),
        delta("output_text", 1, "I am going to look at it."),
        Piece::event("response.of_tomorrow", json!({"anything": [1]})),
        item(
            2,
            &json!({"type": "message", "id": "msg_2", "role": "assistant", "phase": "final_answer", "content": []}),
        ),
    ];
    pieces.extend(cut(text).into_iter().map(|piece| delta("output_text", 2, piece)));
    pieces
}

/// The last event, with the status that its name says and what else there is to say.
pub fn end(status: &str, more: &Value) -> Piece {
    let mut response = response(status, more);
    response["usage"] = json!({"input_tokens": 123, "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 20},
        "output_tokens": 42, "output_tokens_details": {"reasoning_tokens": 7}, "total_tokens": 165});
    Piece::event(&format!("response.{status}"), json!({"response": response}))
}

/// A part of a refusal.
pub fn refusal(text: &str) -> Piece {
    delta("refusal", 2, text)
}

fn delta(kind: &str, index: u64, delta: &str) -> Piece {
    let data = json!({"item_id": "i", "output_index": index, "content_index": 0, "delta": delta, "obfuscation": "xx"});
    Piece::event(&format!("response.{kind}.delta"), data)
}

fn item(index: u64, item: &Value) -> Piece {
    Piece::event("response.output_item.added", json!({"output_index": index, "item": item}))
}

fn response(status: &str, more: &Value) -> Value {
    let mut response = json!({"id": "resp_fake", "object": "response", "status": status, "model": "gpt-test-1-2026-01-01",
        "output": [], "error": null, "incomplete_details": null, "usage": null});
    response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    response
}
