//! What comes back: the events of one streamed answer, folded into a [`Completion`].
//!
//! Events, blocks and deltas of kinds that we don't know are passed over, as the API asks of its clients. The JSON is in the
//! first text block; thinking blocks may come before it.

use super::Messages;
use super::failure::{ErrorInfo, judge_event};
use crate::domain::draft::Usage;
use crate::providers::model::Completion;
use crate::providers::model::api::{self, Api, Next};
use crate::providers::{ProviderError, redact};
use serde::Deserialize;

const WHO: &str = Messages::WHO;

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        index: u64,
        content_block: BlockStart,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta,
    },
    MessageDelta {
        delta: End,
        #[serde(default)]
        usage: Counts,
    },
    MessageStop,
    Error {
        error: ErrorInfo,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct Start {
    model: String,
    #[serde(default)]
    usage: Counts,
}

#[derive(Debug, Deserialize)]
struct BlockStart {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Delta {
    TextDelta {
        text: String,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct End {
    stop_reason: Option<String>,
    stop_details: Option<StopDetails>,
}

#[derive(Debug, Deserialize)]
struct StopDetails {
    category: Option<String>,
    explanation: Option<String>,
}

/// Counts are cumulative, and an absent one means "as before".
#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Counts {
    #[serde(rename = "input_tokens")]
    input: Option<i64>,
    #[serde(rename = "output_tokens")]
    output: Option<i64>,
    #[serde(rename = "cache_creation_input_tokens")]
    cache_written: Option<i64>,
    #[serde(rename = "cache_read_input_tokens")]
    cache_read: Option<i64>,
}

impl Counts {
    fn updated_by(self, newer: Self) -> Self {
        Self {
            input: newer.input.or(self.input),
            output: newer.output.or(self.output),
            cache_written: newer.cache_written.or(self.cache_written),
            cache_read: newer.cache_read.or(self.cache_read),
        }
    }

    /// The provider's `input_tokens` leaves out what was written to or read from its cache; ours is the sum.
    fn usage(self) -> Usage {
        let n = |count: Option<i64>| count.unwrap_or_default().max(0);
        let cached = n(self.cache_read);
        Usage {
            input_tokens: n(self.input) + n(self.cache_written) + cached,
            output_tokens: n(self.output),
            cached_tokens: cached,
            cache_written_tokens: n(self.cache_written),
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub struct Answer {
    max_output_tokens: u32,
    model: String,
    counts: Counts,
    /// The first text block's number.
    block: Option<u64>,
    text: String,
    end: Option<End>,
}

impl Answer {
    pub(super) fn new(max_output_tokens: u32) -> Self {
        Self {
            max_output_tokens,
            model: String::new(),
            counts: Counts::default(),
            block: None,
            text: String::new(),
            end: None,
        }
    }

    fn push(&mut self, text: &str, on_text: &mut (dyn FnMut(&str) + Send)) {
        if !text.is_empty() {
            self.text.push_str(text);
            on_text(text);
        }
    }
}

impl api::Answer for Answer {
    fn take(&mut self, name: &str, data: &str, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Next, ProviderError> {
        if !is_known(name) {
            return Ok(Next::More);
        }
        let event: Event = serde_json::from_str(data)
            .map_err(|e| ProviderError::garbage(WHO, format!("a `{name}` event is not as documented ({e})")))?;
        match event {
            Event::MessageStart { message } => {
                self.model = message.model;
                self.counts = self.counts.updated_by(message.usage);
            }
            Event::ContentBlockStart { index, content_block } if content_block.kind == "text" => {
                if *self.block.get_or_insert(index) == index {
                    self.push(&content_block.text, on_text);
                }
            }
            Event::ContentBlockDelta { index, delta: Delta::TextDelta { text } } if self.block == Some(index) => {
                self.push(&text, on_text);
            }
            Event::MessageDelta { delta, usage } => {
                self.counts = self.counts.updated_by(usage);
                self.end = Some(delta);
            }
            Event::MessageStop => return Ok(Next::Done),
            Event::Error { error } => return Err(judge_event(&error)),
            Event::ContentBlockStart { .. } | Event::ContentBlockDelta { .. } | Event::Other => {}
        }
        Ok(Next::More)
    }

    fn finish(self, request_id: String) -> Result<Completion, ProviderError> {
        let usage = self.counts.usage();
        let (reason, details) = self.end.map(|e| (e.stop_reason, e.stop_details)).unwrap_or_default();
        match reason.as_deref() {
            Some("end_turn" | "stop_sequence") if self.text.trim().is_empty() => {
                Err(ProviderError::garbage(WHO, "the answer has no text"))
            }
            Some("end_turn" | "stop_sequence") => {
                Ok(Completion { text: self.text, usage, model: redact::message(&self.model), request_id })
            }
            Some("max_tokens") => {
                let limit = self.max_output_tokens;
                let message = format!(
                    "it needs more than {limit} tokens. Raise `max_output_tokens` under [anthropic] in config.toml, or ask \
                     for less in a note."
                );
                Err(ProviderError::Truncated { message, usage })
            }
            Some("model_context_window_exceeded") => {
                let message =
                    "the model's context is full. Lower `context_tokens` under [draft] in config.toml.".into();
                Err(ProviderError::Truncated { message, usage })
            }
            Some("refusal") => {
                let clean = |text: Option<String>| text.map(|t| redact::message(&t).trim_end_matches('.').to_owned());
                let (category, explanation) = details.map(|d| (d.category, d.explanation)).unwrap_or_default();
                Err(ProviderError::Refused { category: clean(category), explanation: clean(explanation), usage })
            }
            Some(other) => Err(ProviderError::garbage(WHO, format!("the answer stopped with `{other}`"))),
            None => Err(ProviderError::garbage(WHO, "the answer does not say why it stopped")),
        }
    }
}

/// Data of events with other names is not even looked at: it may be anything.
fn is_known(name: &str) -> bool {
    matches!(
        name,
        "message_start" | "content_block_start" | "content_block_delta" | "message_delta" | "message_stop" | "error"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::model::api::Answer as _;

    fn fold(events: &[(&str, &str)]) -> Result<Completion, ProviderError> {
        let mut answer = Answer::new(9);
        for (name, data) in events {
            if answer.take(name, data, &mut |_| {})? == Next::Done {
                return answer.finish("req_1".into());
            }
        }
        panic!("no message_stop");
    }

    const START: (&str, &str) = (
        "message_start",
        r#"{"type":"message_start","message":{"id":"m","model":"claude-x","content":[],"usage":{"input_tokens":5,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":1}}}"#,
    );
    const STOP: (&str, &str) = ("message_stop", r#"{"type":"message_stop"}"#);

    #[test]
    fn thinking_and_later_text_blocks_are_not_the_answer() {
        let done = fold(&[
            START,
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"{\"a\":"}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"from_the_future","x":1}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"1}"}}"#,
            ),
            (
                "content_block_start",
                r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
            ),
            (
                "content_block_delta",
                r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"bye"}}"#,
            ),
            ("sparkle", "not even json"),
            (
                "message_delta",
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":42}}"#,
            ),
            STOP,
        ]);
        let usage = Usage { input_tokens: 325, output_tokens: 42, cached_tokens: 300, cache_written_tokens: 20 };
        let expected =
            Completion { text: r#"{"a":1}"#.into(), usage, model: "claude-x".into(), request_id: "req_1".into() };
        assert_eq!(done, Ok(expected));
    }

    #[test]
    fn an_answer_without_text_or_reason_is_not_an_answer() {
        for delta in [
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"pause_turn"},"usage":{}}"#,
        ] {
            assert!(
                matches!(fold(&[START, ("message_delta", delta), STOP]), Err(ProviderError::Garbage { .. })),
                "{delta}"
            );
        }
    }
}
