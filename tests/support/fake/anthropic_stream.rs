//! The events of a streamed answer as the API sends them, with everything in it that a client must pass over.

pub use super::script::Piece;
use super::script::cut;
use serde_json::{Value, json};

impl Piece {
    /// An error as the Messages API words it in a stream.
    pub fn error(kind: &str, message: &str) -> Self {
        Self::event("error", json!({"error": {"type": kind, "message": message}}))
    }
}

/// A whole answer: thinking first, pings, kinds of events and deltas that nobody knows yet, the text in small deltas, and a second text
/// block. The last three pieces end the block, the message and the stream.
pub fn whole(text: &str, delta: &Value) -> Vec<Piece> {
    let start = json!({"message": {"id": "msg_fake", "type": "message", "role": "assistant", "model": "claude-test-1",
        "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": {"input_tokens": 100, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 3, "output_tokens": 1}}});
    let block =
        |index: u64, block: Value| Piece::event("content_block_start", json!({"index": index, "content_block": block}));
    let delta_of =
        |index: u64, delta: Value| Piece::event("content_block_delta", json!({"index": index, "delta": delta}));
    let stop = |index: u64| Piece::event("content_block_stop", json!({"index": index}));
    let mut pieces = vec![
        Piece::event("message_start", start),
        Piece::event("ping", json!({})),
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta_of(0, json!({"type": "thinking_delta", "thinking": "Hm."})),
        delta_of(0, json!({"type": "signature_delta", "signature": "c2ln"})),
        stop(0),
        Piece::event("of_tomorrow", json!({"anything": [1]})),
        block(1, json!({"type": "text", "text": ""})),
    ];
    pieces.extend(cut(text).into_iter().map(|piece| delta_of(1, json!({"type": "text_delta", "text": piece}))));
    pieces.push(delta_of(1, json!({"type": "delta_of_tomorrow", "x": 1})));
    pieces.push(stop(1));
    pieces.push(Piece::event("message_delta", json!({"delta": delta, "usage": {"output_tokens": 42}})));
    pieces.push(Piece::event("message_stop", json!({})));
    pieces
}
