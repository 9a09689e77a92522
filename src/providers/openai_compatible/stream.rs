//! What comes back: the chunks of one streamed completion, folded into a [`Completion`].
//!
//! Chunks have no names. Usage comes in a last chunk without choices, in the last one with them, or never; the end is `[DONE]`, or only the
//! stream's. An error may come in any chunk, under status 200. What matters is that `finish_reason` has come.

use super::ChatCompletions;
use super::failure::judge_event;
use crate::domain::draft::Usage;
use crate::providers::model::api::{self, Api, Next};
use crate::providers::model::{Completion, Said};
use crate::providers::{ProviderError, redact};
use serde::Deserialize;
use serde_json::Value;

const WHO: &str = ChatCompletions::WHO;

/// The last line of a stream.
const DONE: &str = "[DONE]";

#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counts>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct Counts {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
struct PromptDetails {
    cached_tokens: Option<i64>,
    /// OpenRouter's, for models that ask money for it.
    cache_write_tokens: Option<i64>,
}

impl Counts {
    fn usage(self) -> Usage {
        let n = |count: Option<i64>| count.unwrap_or_default().max(0);
        Usage {
            input_tokens: n(self.prompt_tokens),
            output_tokens: n(self.completion_tokens),
            cached_tokens: n(self.prompt_tokens_details.and_then(|d| d.cached_tokens)),
            cache_written_tokens: n(self.prompt_tokens_details.and_then(|d| d.cache_write_tokens)),
        }
    }
}

/// An answer in the making.
#[derive(Debug)]
pub struct Answer {
    max_output_tokens: u32,
    model: String,
    text: String,
    refusal: String,
    finish_reason: Option<String>,
    counts: Counts,
}

impl Answer {
    pub(super) fn new(max_output_tokens: u32) -> Self {
        Self {
            max_output_tokens,
            model: String::new(),
            text: String::new(),
            refusal: String::new(),
            finish_reason: None,
            counts: Counts::default(),
        }
    }

    fn cut_off(&self, usage: Usage) -> ProviderError {
        let limit = self.max_output_tokens;
        // Servers say the same when the answer has reached its limit and when the context is full.
        let message = if usage.output_tokens > 0 && usage.output_tokens < i64::from(limit) {
            format!(
                "the model's context is full after {} tokens read and {} written. Give the model a larger context in the server's \
                 settings, or lower `context_tokens` under [draft] in config.toml.",
                usage.input_tokens, usage.output_tokens
            )
        } else {
            format!(
                "it needs more than {limit} tokens. Raise `max_output_tokens` under [openai-compatible] in config.toml, or ask for \
                 less in a note."
            )
        };
        ProviderError::Truncated { message, usage }
    }
}

impl api::Answer for Answer {
    fn take(&mut self, _name: &str, data: &str, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Next, ProviderError> {
        if data.trim() == DONE {
            return Ok(Next::Done);
        }
        let odd = |e| ProviderError::garbage(WHO, format!("a chunk of its answer is not as documented ({e})"));
        let value: Value = serde_json::from_str(data).map_err(odd)?;
        if value.get("error").is_some_and(|e| !e.is_null()) || value.get("object").is_some_and(|o| o == "error") {
            return Err(judge_event(Said::of(&value).unwrap_or_default()).having_used(self.counts.usage()));
        }
        let chunk: Chunk = serde_json::from_value(value).map_err(odd)?;
        if let Some(model) = chunk.model {
            self.model = model;
        }
        self.counts = chunk.usage.unwrap_or(self.counts);
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(Next::More) };
        let delta = choice.delta.unwrap_or_default();
        if let Some(text) = delta.content.filter(|text| !text.is_empty()) {
            self.text.push_str(&text);
            on_text(&text);
        }
        self.refusal.push_str(&delta.refusal.unwrap_or_default());
        self.finish_reason = choice.finish_reason.filter(|reason| !reason.is_empty()).or(self.finish_reason.take());
        Ok(Next::More)
    }

    fn is_whole(&self) -> bool {
        self.finish_reason.is_some()
    }

    fn finish(self, request_id: String) -> Result<Completion, ProviderError> {
        let usage = self.counts.usage();
        let refused = |category: Option<&str>, explanation: &str| {
            let explanation = redact::message(explanation).trim_end_matches('.').to_owned();
            let explanation = (!explanation.is_empty()).then_some(explanation);
            ProviderError::Refused { category: category.map(str::to_owned), explanation, usage }
        };
        match self.finish_reason.as_deref() {
            Some("content_filter") => Err(refused(Some("content_filter"), &self.refusal)),
            Some(_) if !self.refusal.is_empty() => Err(refused(None, &self.refusal)),
            Some("length") => Err(self.cut_off(usage)),
            Some("stop" | "eos" | "end_turn" | "stop_sequence") if self.text.trim().is_empty() => {
                Err(ProviderError::garbage(WHO, "the answer has no text"))
            }
            Some("stop" | "eos" | "end_turn" | "stop_sequence") => {
                Ok(Completion { text: self.text, usage, model: redact::message(&self.model), request_id })
            }
            Some(other) => Err(ProviderError::garbage(WHO, format!("the answer stopped with `{other}`"))),
            None => Err(ProviderError::garbage(WHO, "the answer does not say why it stopped")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::model::api::Answer as _;
    use serde_json::json;

    /// Folds chunks up to the end of the stream.
    fn fold(chunks: &[Value]) -> Result<Completion, ProviderError> {
        let mut answer = Answer::new(1_000);
        for chunk in chunks {
            let data = chunk.as_str().map_or_else(|| chunk.to_string(), str::to_owned);
            if answer.take("message", &data, &mut |_| {})? == Next::Done {
                return answer.finish(String::new());
            }
        }
        assert!(answer.is_whole(), "it would have been an early end");
        answer.finish(String::new())
    }

    fn chunk(content: &str, finish_reason: Option<&str>) -> Value {
        json!({"id": "c", "object": "chat.completion.chunk", "model": "m", "usage": null,
            "choices": [{"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish_reason}]})
    }

    fn usage(written: i64) -> Value {
        json!({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": written, "total_tokens": 30 + written,
            "prompt_tokens_details": {"cached_tokens": 20}}})
    }

    #[test]
    fn usage_and_the_end_come_in_every_fashion() {
        let expected = |usage| Completion { text: "{}".into(), usage, model: "m".into(), request_id: String::new() };
        let counted = Usage { input_tokens: 30, output_tokens: 5, cached_tokens: 20, ..Usage::default() };
        let done = json!("[DONE]");
        let openai = [chunk("", None), chunk("{}", None), chunk("", Some("stop")), usage(5), done.clone()];
        let mut with_choices = chunk("{}", Some("stop"));
        with_choices["usage"] = usage(5)["usage"].clone();
        assert_eq!(fold(&openai), Ok(expected(counted)));
        assert_eq!(fold(&openai[..4]), Ok(expected(counted)), "without [DONE]");
        assert_eq!(fold(&[with_choices, done.clone()]), Ok(expected(counted)));
        assert_eq!(fold(&[chunk("{}", Some("stop")), done]), Ok(expected(Usage::default())));
        let thinking =
            json!({"model": "m", "choices": [{"index": 0, "delta": {"content": null, "reasoning_content": "hm"}}]});
        assert_eq!(fold(&[thinking, chunk("{}", None), chunk("", Some("stop"))]), Ok(expected(Usage::default())));
    }

    #[test]
    fn errors_are_read_in_every_spelling() {
        for error in [
            json!({"error": {"code": 429, "message": "Slow down"}}),
            json!({"error": {"code": "rate_limit_exceeded", "message": "Slow down"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]}),
            json!({"error": {"type": "rate_limit_error", "message": "Slow down"}}),
            json!({"object": "error", "message": "Slow down", "code": 429}),
        ] {
            let error = fold(&[chunk("{", None), error]).unwrap_err();
            assert!(matches!(&error, ProviderError::RateLimited { message, .. } if message == "Slow down"), "{error}");
        }
        let bare = fold(&[json!({"error": "out of memory"})]).unwrap_err();
        assert!(
            matches!(&bare, ProviderError::Api { status: 500, message, .. } if message == "out of memory"),
            "{bare}"
        );
        let wrapped =
            json!({"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "CUDA error"}}});
        assert!(fold(&[wrapped]).unwrap_err().to_string().contains("Provider returned error (CUDA error)"));
    }

    #[test]
    fn a_full_context_is_not_a_low_limit() {
        let full = fold(&[chunk("{", Some("length")), usage(12)]).unwrap_err().to_string();
        assert!(full.contains("larger context") && full.contains("30 tokens read and 12 written"), "{full}");
        let limit = fold(&[chunk("{", Some("length")), usage(1_000)]).unwrap_err().to_string();
        assert!(limit.contains("more than 1000 tokens") && limit.contains("max_output_tokens"), "{limit}");
    }

    #[test]
    fn refusals_have_two_ways() {
        let filtered = fold(&[chunk("{", Some("content_filter")), usage(3)]).unwrap_err();
        assert!(matches!(&filtered, ProviderError::Refused { category: Some(c), .. } if c == "content_filter"));
        let refusal = json!({"choices": [{"delta": {"refusal": "I can't."}, "finish_reason": "stop"}]});
        let refused = fold(&[refusal, usage(3)]).unwrap_err();
        assert!(matches!(&refused, ProviderError::Refused { explanation: Some(e), .. } if e == "I can't"), "{refused}");
        assert_eq!(refused.usage().unwrap().output_tokens, 3);
    }
}
