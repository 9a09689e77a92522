//! What comes back: the events of one streamed response, folded into a [`Completion`].
//!
//! The text comes in deltas; the last event carries the whole response with its status and its usage. Events of kinds that we don't know
//! are passed over. A refusal is a part of a message like its text, and the response counts as completed.

use super::Responses;
use super::failure::judge_event;
use crate::domain::draft::Usage;
use crate::providers::model::api::{self, Api, Next};
use crate::providers::model::{Completion, Said};
use crate::providers::{ProviderError, redact};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

const WHO: &str = Responses::WHO;

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum Event {
    #[serde(rename = "response.output_item.added")]
    ItemAdded { output_index: u64, item: Item },
    #[serde(rename = "response.output_text.delta")]
    Text { output_index: u64, delta: String },
    #[serde(rename = "response.refusal.delta")]
    Refusal { delta: String },
    #[serde(rename = "response.created")]
    Created { response: Response },
    #[serde(rename = "response.completed")]
    Completed { response: Response },
    #[serde(rename = "response.incomplete")]
    Incomplete { response: Response },
    #[serde(rename = "response.failed")]
    Failed { response: Response },
}

/// The events that are read; data of others is not even looked at: it may be anything.
const KNOWN: [&str; 8] = [
    "response.output_item.added",
    "response.output_text.delta",
    "response.refusal.delta",
    "response.created",
    "response.completed",
    "response.incomplete",
    "response.failed",
    "error",
];

#[derive(Debug, Deserialize)]
struct Item {
    /// A message before the answer, about what the model is going to do, is `commentary`.
    phase: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Response {
    #[serde(default)]
    model: String,
    error: Option<Value>,
    incomplete_details: Option<IncompleteDetails>,
    usage: Option<Counts>,
}

#[derive(Debug, Deserialize)]
struct IncompleteDetails {
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Default, Deserialize)]
struct Counts {
    #[serde(default)]
    input_tokens: i64,
    #[serde(default)]
    output_tokens: i64,
    input_tokens_details: Option<InputDetails>,
}

#[derive(Debug, Default, Deserialize)]
struct InputDetails {
    #[serde(default)]
    cached_tokens: i64,
    #[serde(default)]
    cache_write_tokens: i64,
}

impl Response {
    /// The provider's `input_tokens` has the cached ones in it, as ours has.
    fn usage(&self) -> Usage {
        let Some(counts) = &self.usage else { return Usage::default() };
        let details = counts.input_tokens_details.as_ref();
        Usage {
            input_tokens: counts.input_tokens.max(0),
            output_tokens: counts.output_tokens.max(0),
            cached_tokens: details.map_or(0, |d| d.cached_tokens).max(0),
            cache_written_tokens: details.map_or(0, |d| d.cache_write_tokens).max(0),
        }
    }
}

/// How a response ended that has ended by itself.
#[derive(Debug)]
enum End {
    Completed(Response),
    Incomplete(Response),
}

/// An answer in the making.
#[derive(Debug)]
pub struct Answer {
    max_output_tokens: u32,
    model: String,
    /// Messages whose text is not the answer.
    commentary: BTreeSet<u64>,
    text: String,
    refusal: String,
    end: Option<End>,
}

impl Answer {
    pub(super) fn new(max_output_tokens: u32) -> Self {
        Self {
            max_output_tokens,
            model: String::new(),
            commentary: BTreeSet::new(),
            text: String::new(),
            refusal: String::new(),
            end: None,
        }
    }

    fn completed(self, response: &Response, request_id: String) -> Result<Completion, ProviderError> {
        let usage = response.usage();
        if !self.refusal.is_empty() {
            return Err(refused(None, &self.refusal, usage));
        }
        if self.text.trim().is_empty() {
            return Err(ProviderError::garbage(WHO, "the answer has no text"));
        }
        let model = if response.model.is_empty() { &self.model } else { &response.model };
        Ok(Completion { text: self.text, usage, model: redact::message(model), request_id })
    }

    fn incomplete(self, response: &Response) -> ProviderError {
        let usage = response.usage();
        let reason = response.incomplete_details.as_ref().map_or("", |details| details.reason.as_str());
        match reason {
            "max_output_tokens" => {
                let limit = self.max_output_tokens;
                let message = format!(
                    "it needs more than {limit} tokens, with what the model thinks. Raise `max_output_tokens` under [openai] in \
                     config.toml, or ask for less in a note."
                );
                ProviderError::Truncated { message, usage }
            }
            "content_filter" => refused(Some("content_filter"), &self.refusal, usage),
            other => ProviderError::garbage(WHO, format!("the answer stopped with `{other}`")),
        }
    }
}

fn refused(category: Option<&str>, explanation: &str, usage: Usage) -> ProviderError {
    let explanation = redact::message(explanation).trim_end_matches('.').to_owned();
    let explanation = (!explanation.is_empty()).then_some(explanation);
    ProviderError::Refused { category: category.map(str::to_owned), explanation, usage }
}

impl api::Answer for Answer {
    fn take(&mut self, name: &str, data: &str, on_text: &mut (dyn FnMut(&str) + Send)) -> Result<Next, ProviderError> {
        if !KNOWN.contains(&name) {
            return Ok(Next::More);
        }
        let odd = |e| ProviderError::garbage(WHO, format!("a `{name}` event is not as documented ({e})"));
        if name == "error" {
            // Documented as flat, and sent with its fields one level deeper as well.
            return Err(judge_event(Said::read(data).unwrap_or_default()));
        }
        match serde_json::from_str(data).map_err(odd)? {
            Event::Created { response } => self.model = response.model,
            Event::ItemAdded { output_index, item } => {
                if item.phase.as_deref() == Some("commentary") {
                    self.commentary.insert(output_index);
                }
            }
            Event::Text { output_index, delta } => {
                if !self.commentary.contains(&output_index) {
                    self.text.push_str(&delta);
                    on_text(&delta);
                }
            }
            Event::Refusal { delta } => self.refusal.push_str(&delta),
            Event::Completed { response } => {
                self.end = Some(End::Completed(response));
                return Ok(Next::Done);
            }
            Event::Incomplete { response } => {
                self.end = Some(End::Incomplete(response));
                return Ok(Next::Done);
            }
            Event::Failed { response } => {
                let usage = response.usage();
                let said = response.error.as_ref().and_then(Said::of).unwrap_or_default();
                return Err(judge_event(said).having_used(usage));
            }
        }
        Ok(Next::More)
    }

    fn finish(mut self, request_id: String) -> Result<Completion, ProviderError> {
        match self.end.take() {
            Some(End::Completed(response)) => self.completed(&response, request_id),
            Some(End::Incomplete(response)) => Err(self.incomplete(&response)),
            None => Err(ProviderError::garbage(WHO, "the answer does not say why it stopped")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::model::api::Answer as _;
    use serde_json::json;

    fn fold(events: &[Value]) -> Result<Completion, ProviderError> {
        let mut answer = Answer::new(9);
        for event in events {
            let name = event["type"].as_str().unwrap();
            if answer.take(name, &event.to_string(), &mut |_| {})? == Next::Done {
                return answer.finish("req_1".into());
            }
        }
        panic!("it never ends");
    }

    fn text(index: u64, delta: &str) -> Value {
        json!({"type": "response.output_text.delta", "output_index": index, "content_index": 0, "delta": delta})
    }

    fn item(index: u64, item: &Value) -> Value {
        json!({"type": "response.output_item.added", "output_index": index, "item": item})
    }

    fn end(kind: &str, more: &Value) -> Value {
        let mut response = json!({"id": "resp_1", "model": "gpt-x-2026-01-01", "usage": {"input_tokens": 325,
            "input_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 20}, "output_tokens": 42, "total_tokens": 367}});
        response.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": format!("response.{kind}"), "response": response})
    }

    const USAGE: Usage = Usage { input_tokens: 325, output_tokens: 42, cached_tokens: 300, cache_written_tokens: 20 };

    #[test]
    fn commentary_and_reasoning_are_not_the_answer() {
        let done = fold(&[
            json!({"type": "response.created", "response": {"model": "gpt-x"}}),
            item(0, &json!({"type": "reasoning"})),
            json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "hm"}),
            item(1, &json!({"type": "message", "phase": "commentary"})),
            text(1, "I am going to …"),
            item(2, &json!({"type": "message", "phase": "final_answer"})),
            text(2, "{\"a\":"),
            json!({"type": "response.of_tomorrow", "x": 1}),
            text(2, "1}"),
            end("completed", &json!({"status": "completed"})),
        ]);
        let expected = Completion {
            text: r#"{"a":1}"#.into(),
            usage: USAGE,
            model: "gpt-x-2026-01-01".into(),
            request_id: "req_1".into(),
        };
        assert_eq!(done, Ok(expected));
    }

    #[test]
    fn a_refusal_and_a_full_answer_are_told_apart_and_both_are_paid_for() {
        let refusal = json!({"type": "response.refusal.delta", "output_index": 0, "delta": "I can't help with that."});
        let refused = fold(&[refusal, end("completed", &json!({}))]).unwrap_err();
        assert!(refused.to_string().contains("I can't help with that. Reword"), "{refused}");
        let filtered =
            fold(&[text(0, "{"), end("incomplete", &json!({"incomplete_details": {"reason": "content_filter"}}))])
                .unwrap_err();
        assert!(matches!(&filtered, ProviderError::Refused { category: Some(c), .. } if c == "content_filter"));
        let full =
            fold(&[text(0, "{"), end("incomplete", &json!({"incomplete_details": {"reason": "max_output_tokens"}}))])
                .unwrap_err();
        assert!(matches!(full, ProviderError::Truncated { .. }), "{full}");
        let policy = json!({"error": {"code": "bio_policy", "message": "This request was stopped."}});
        let policy = fold(&[end("failed", &policy)]).unwrap_err();
        assert!(matches!(&policy, ProviderError::Refused { category: Some(c), .. } if c == "bio_policy"), "{policy}");
        for error in [refused, filtered, full, policy] {
            assert_eq!(error.usage(), Some(USAGE), "{error}");
        }
    }

    #[test]
    fn errors_are_read_flat_and_nested() {
        for error in [
            json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down", "param": null}),
            json!({"type": "error", "error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "Slow down"}}),
        ] {
            let error = fold(&[error]).unwrap_err();
            assert!(matches!(&error, ProviderError::RateLimited { message, .. } if message == "Slow down"), "{error}");
        }
        let failed =
            fold(&[end("failed", &json!({"error": {"code": "server_error", "message": "Boom"}}))]).unwrap_err();
        assert!(matches!(failed, ProviderError::Api { status: 500, .. }), "{failed}");
        let spent = json!({"error": {"code": "insufficient_quota", "message": "No credit"}});
        assert!(matches!(fold(&[end("failed", &spent)]).unwrap_err(), ProviderError::SpendLimit { .. }));
    }

    #[test]
    fn an_answer_without_text_is_not_an_answer() {
        for events in [
            vec![end("completed", &json!({}))],
            vec![text(0, " "), end("completed", &json!({}))],
            vec![text(0, "{}"), end("incomplete", &json!({"incomplete_details": {"reason": "steered"}}))],
        ] {
            assert!(matches!(fold(&events), Err(ProviderError::Garbage { .. })), "{events:?}");
        }
    }
}
