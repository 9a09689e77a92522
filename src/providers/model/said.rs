//! Errors in the shape that OpenAI gave them, as OpenAI itself and every imitator word them, and what they mean.
//!
//! `{"error": {"message", "type", "code"}}` is the rule. `code` is a text here and a number there; some send the inner object alone, some a bare
//! text, some their web framework's `{"detail": …}`. All of them are read, in the body of a failed request as in the middle of a stream.

use super::api::Api;
use crate::providers::error::sentence;
use crate::providers::http::Failure;
use crate::providers::{ProviderError, redact};
use serde_json::Value;
use std::time::Duration;

/// "No more money", whatever the status is; trying again is no use.
const SPENT: [&str; 8] = [
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "billing_not_active",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
    "insufficient_credits",
];

/// What a server says went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::providers) struct Said {
    /// Fit to be shown.
    pub(in crate::providers) message: String,
    code: String,
    kind: String,
    /// It was the question that a filter did not like.
    flagged: bool,
}

impl Said {
    /// The error in a body or an event; `None` when there is none to be found.
    pub(in crate::providers) fn read(json: &str) -> Option<Self> {
        Self::of(&serde_json::from_str(json).ok()?)
    }

    /// The same of JSON that is parsed already.
    pub(in crate::providers) fn of(value: &Value) -> Option<Self> {
        let said = match value.get("error") {
            Some(Value::Null) | None => value,
            Some(error) => error,
        };
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let message = match said {
            Value::String(message) => message.clone(),
            object => text(object.get("message").or(object.get("detail"))),
        };
        let code = said.get("code").and_then(Value::as_i64).map(|code| code.to_string());
        let code = code.unwrap_or_else(|| text(said.get("code")));
        if message.is_empty() && code.is_empty() {
            return None;
        }
        let metadata = said.get("metadata");
        // A market place says "Provider returned error" and keeps the provider's own words here.
        let raw = text(metadata.and_then(|m| m.get("raw")));
        let message = if raw.is_empty() { message } else { format!("{message} ({raw})") };
        let flagged = metadata.is_some_and(|m| m.get("flagged_input").is_some() || m.get("reasons").is_some());
        Some(Self { message: redact::message(&message), code, kind: text(said.get("type")), flagged })
    }

    /// What a failed request means. `advice` is what to do about one that the server finds wrong in itself.
    pub(in crate::providers) fn judge_failure<A: Api>(
        mut self,
        failure: &Failure,
        advice: &dyn Fn(&str) -> Option<String>,
    ) -> ProviderError {
        if let Some(id) = failure.header(A::REQUEST_ID) {
            self.message = format!("{} (request {})", self.message.trim_end_matches('.'), redact::message(id));
        }
        let status = if failure.status.is_success() { self.status() } else { failure.status.as_u16() };
        self.judge::<A>(status, failure.retry_after, advice)
    }

    /// What an error in the middle of a stream means, which has no status of its own.
    pub(in crate::providers) fn judge_event<A: Api>(self, advice: &dyn Fn(&str) -> Option<String>) -> ProviderError {
        let status = self.status();
        self.judge::<A>(status, None, advice)
    }

    fn judge<A: Api>(
        self,
        status: u16,
        retry_after: Option<Duration>,
        advice: &dyn Fn(&str) -> Option<String>,
    ) -> ProviderError {
        let who = A::WHO;
        let said = sentence(&self.message);
        if self.is_spent(status) {
            return ProviderError::SpendLimit { who, message: self.message };
        }
        if self.is_refusal() {
            let explanation = self.message.trim_end_matches('.').to_owned();
            let explanation = (!explanation.is_empty()).then_some(explanation);
            let category = (!self.code.is_empty() && self.number().is_none()).then(|| redact::message(&self.code));
            return ProviderError::Refused { category, explanation, usage: crate::domain::draft::Usage::default() };
        }
        if self.is_about_the_model(status) {
            return ProviderError::NotFound {
                what: "The model".into(),
                advice: format!(
                    "Check `model` under [{}] in config.toml.{} {who} says: {said}",
                    A::TABLE,
                    A::OTHERWISE
                ),
                known: Vec::new(),
            };
        }
        if self.is_about_the_context() || status == 413 {
            let message = format!("{said} Lower `context_tokens` under [draft].");
            return ProviderError::Api { who, status, message };
        }
        match status {
            401 => {
                ProviderError::Auth { who, message: format!("{said} Check {} (environment or secrets.env).", A::KEY) }
            }
            403 => ProviderError::Auth {
                who,
                message: format!("{said} If the key is right, it is not allowed to do this."),
            },
            404 | 405 => no_api::<A>(status),
            429 => ProviderError::RateLimited { who, retry_after, message: self.message },
            503 | 529 => ProviderError::Overloaded { who, message: self.message },
            400..=499 => {
                let message = advice(&self.message).map_or(self.message, |advice| format!("{said} {advice}"));
                ProviderError::Api { who, status, message }
            }
            _ => ProviderError::Api { who, status, message: self.message },
        }
    }

    fn is(&self, word: &str) -> bool {
        self.code == word || self.kind == word
    }

    fn mentions(&self, words: &[&str]) -> bool {
        let message = self.message.to_lowercase();
        words.iter().any(|word| message.contains(word))
    }

    /// A status in the place of a code.
    fn number(&self) -> Option<u16> {
        self.code.parse().ok().filter(|code| (400..600).contains(code))
    }

    /// The status that this error would have had, had it not come after status 200.
    fn status(&self) -> u16 {
        let known: [(&[&str], u16); 6] = [
            (&["rate_limit_exceeded", "rate_limit_error", "too_many_requests", "slow_down"], 429),
            (&["server_is_overloaded", "overloaded_error", "unavailable_error"], 503),
            (&["invalid_api_key", "authentication_error"], 401),
            (&["invalid_prompt", "invalid_request_error", "BadRequestError"], 400),
            (&["model_not_found", "not_found_error"], 404),
            (&["timeout_error", "vector_store_timeout"], 504),
        ];
        let named = known.iter().find(|(words, _)| words.iter().any(|word| self.is(word)));
        self.number().or(named.map(|(_, status)| *status)).unwrap_or(500)
    }

    fn is_spent(&self, status: u16) -> bool {
        status == 402
            || SPENT.iter().any(|word| self.is(word))
            || self.mentions(&["exceeded your current quota", "insufficient credits"])
    }

    fn is_refusal(&self) -> bool {
        let code = self.code.as_str();
        self.flagged || code == "content_filter" || code.ends_with("_policy") || code.contains("policy_violation")
    }

    fn is_about_the_model(&self, status: u16) -> bool {
        let missing = ["not found", "does not exist", "not a valid model", "no endpoints found", "is not available"];
        self.is("model_not_found")
            || (status == 404 && self.mentions(&["model", "no endpoints found"]))
            || (status == 400 && self.mentions(&["model"]) && self.mentions(&missing))
    }

    fn is_about_the_context(&self) -> bool {
        self.is("context_length_exceeded")
            || self.is("exceed_context_size_error")
            || self.mentions(&["context length", "context size", "context window"])
    }
}

/// An answer that is not the API's: a proxy's page, an empty body, another server.
pub(in crate::providers) fn unsaid<A: Api>(failure: &Failure) -> ProviderError {
    let (who, status) = (A::WHO, failure.status.as_u16());
    let text = redact::message(&failure.body);
    let message = if text.is_empty() { "no explanation".to_owned() } else { crate::domain::text::clipped(&text, 300) };
    match status {
        200..=299 => {
            let message = format!("its answer is not an event stream; check `base_url` under [{}]", A::TABLE);
            ProviderError::garbage(who, message)
        }
        401 | 403 => ProviderError::Auth {
            who,
            message: format!("{} Check {} and `base_url` under [{}].", sentence(&message), A::KEY, A::TABLE),
        },
        300..=399 | 404 | 405 => no_api::<A>(status),
        429 => ProviderError::RateLimited { who, retry_after: failure.retry_after, message },
        503 | 529 => ProviderError::Overloaded { who, message },
        _ => ProviderError::Api { who, status, message },
    }
}

fn no_api<A: Api>(status: u16) -> ProviderError {
    let (api, table, hint) = (A::API, A::TABLE, A::ADDRESS);
    ProviderError::config(format!(
        "There is no {api} at the configured address (status {status}). Check `base_url` under [{table}] in config.toml: {hint}."
    ))
}
