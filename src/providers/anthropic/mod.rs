//! The Anthropic Messages API: one streamed question with a JSON schema, and the list of models.
//!
//! The request holds nothing that some current model refuses: no thinking or sampling parameters, no forced tool, no prefilled
//! answer. `wire` knows the shapes that are sent, `stream` those that come back, `failure` what a refusal means.

mod failure;
mod stream;
mod wire;

use super::http::{Call, Http, OnWait, Repeat, UNHEARD};
use super::{ProviderError, redact};
use crate::config::AnthropicConfig;
use crate::domain::draft::Usage;
use eventsource_stream::{EventStreamError, Eventsource};
use futures::StreamExt;
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Its name in messages.
const WHO: &str = "Anthropic";

/// Both published versions accept the same requests as long as no sampling parameter is sent; this one is known to every
/// proxy in front of the API.
const VERSION: &str = "2023-06-01";

/// Most bytes of one answer, its framing included. The largest answer a model can give is far smaller.
const MAX_STREAM_BYTES: usize = 64 * 1024 * 1024;

/// Time for a whole answer that is not streamed.
const SHORT_TIMEOUT: Duration = Duration::from_mins(1);

/// A piece of text in a prompt. `cache` marks the end of a prefix worth keeping for the next request; the last four
/// marks count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub text: String,
    pub cache: bool,
}

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

/// One turn of a conversation. The last must be the user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub role: Role,
    pub blocks: Vec<Block>,
}

/// A question whose answer must fit a JSON schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub system: Vec<Block>,
    pub messages: Vec<Message>,
    /// Constrained decoding: every object needs `additionalProperties: false`; no recursion, lengths or ranges.
    pub schema: serde_json::Value,
    pub max_output_tokens: u32,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// JSON text that should fit the schema; the caller parses and judges it.
    pub text: String,
    pub usage: Usage,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// For the provider's support; empty when it sent none.
    pub request_id: String,
}

/// A model on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    pub id: String,
    pub display_name: String,
    /// Most tokens it can answer with, where the provider says so.
    pub max_output_tokens: Option<u64>,
}

/// The Messages API with one key and one model.
#[derive(Debug, Clone)]
pub struct Anthropic {
    http: Http,
    base_url: String,
    model: String,
    key: SecretString,
}

impl Anthropic {
    pub fn new(http: Http, config: &AnthropicConfig, key: SecretString) -> Self {
        let base_url = config.base_url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        Self { http, base_url, model: config.model.clone(), key }
    }

    /// Asks, passing the answer's text on as it arrives, and why it does not where a request is repeated. Dropping the future closes the connection.
    ///
    /// # Errors
    /// Everything but a complete answer: refused, cut off by a limit, broken off by the network, rate-limited after two
    /// repeats. A stream that has begun is never repeated here.
    pub async fn complete(
        &self,
        prompt: &Prompt,
        on_text: &mut (dyn FnMut(&str) + Send),
        on_wait: OnWait<'_>,
    ) -> Result<Completion, ProviderError> {
        let mut completion = self.ask(prompt, on_text, on_wait).await.map_err(|e| e.hiding(&self.key))?;
        redact::hide(&mut completion.model, &self.key);
        redact::hide(&mut completion.request_id, &self.key);
        Ok(completion)
    }

    async fn ask(
        &self,
        prompt: &Prompt,
        on_text: &mut (dyn FnMut(&str) + Send),
        on_wait: OnWait<'_>,
    ) -> Result<Completion, ProviderError> {
        let key = self.key_header()?;
        let body = wire::request(&self.model, prompt);
        let build = |client: &Client| -> RequestBuilder {
            client.post(format!("{}/v1/messages", self.base_url)).headers(headers(&key)).json(&body)
        };
        let judge = |f: &super::http::Failure| failure::judge(f, &self.key);
        let sent =
            self.http.send(&Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait }).await;
        let response = match sent {
            Ok(response) => response,
            Err(error @ ProviderError::NotFound { .. }) => return Err(self.with_known_models(error).await),
            Err(error) => return Err(error),
        };
        self.read_stream(response, prompt.max_output_tokens, on_text).await
    }

    async fn read_stream(
        &self,
        response: Response,
        max_output_tokens: u32,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Completion, ProviderError> {
        let request_id = response.headers().get("request-id").and_then(|v| v.to_str().ok());
        let request_id = redact::message(request_id.unwrap_or_default());
        let mut received = 0_usize;
        let bounded = response.bytes_stream().map(|chunk| {
            let chunk = chunk.map_err(|e| self.http.transport_error(WHO, e))?;
            received = received.saturating_add(chunk.len());
            if received > MAX_STREAM_BYTES {
                Err(ProviderError::garbage(WHO, "its answer never ends"))
            } else {
                Ok(chunk)
            }
        });
        let mut events = bounded.eventsource();
        let mut answer = stream::Answer::new(max_output_tokens);
        let mut begun = false;
        while let Some(event) = events.next().await {
            let event = event.map_err(stream_error)?;
            begun = true;
            if answer.take(&event.event, &event.data, on_text)? == stream::Next::Done {
                return answer.finish(request_id);
            }
        }
        if begun {
            Err(ProviderError::Network { who: WHO, message: "the answer broke off before its end".into() })
        } else {
            // A page of a stranger: a captive portal, a web server at the wrong address.
            Err(ProviderError::garbage(WHO, "its answer is not an event stream; check `base_url` under [anthropic]"))
        }
    }

    /// The models this key may use, retired ones left out. The cheapest way to check a key.
    pub async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let key = self.key_header()?;
        let build = |client: &Client| -> RequestBuilder {
            let url = format!("{}/v1/models", self.base_url);
            client.get(url).query(&[("limit", "1000")]).headers(headers(&key)).timeout(SHORT_TIMEOUT)
        };
        let judge = |f: &super::http::Failure| failure::judge(f, &self.key);
        let sent = self
            .http
            .send(&Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait: UNHEARD })
            .await;
        let body = async { sent?.bytes().await.map_err(|e| self.http.transport_error(WHO, e)) }.await;
        body.and_then(|body| wire::models(&body)).map_err(|e| e.hiding(&self.key))
    }

    /// Adds what would have been right. When the list can't be had either, the error stands as it is.
    async fn with_known_models(&self, error: ProviderError) -> ProviderError {
        let known: Vec<String> = match self.models().await {
            Ok(models) => models.into_iter().map(|m| m.id).collect(),
            Err(why) => {
                tracing::warn!(error = %why, "the list of models can't be read");
                return error;
            }
        };
        let nearest = known.iter().max_by(|a, b| similarity(&self.model, a).total_cmp(&similarity(&self.model, b)));
        let line = nearest.map_or_else(|| "`model`".into(), |m| format!("`model = \"{m}\"`"));
        let advice = format!("Set {line} under [anthropic] in config.toml.");
        ProviderError::NotFound { what: redact::message(&format!("The model `{}`", self.model)), advice, known }
    }

    fn key_header(&self) -> Result<HeaderValue, ProviderError> {
        let mut value = HeaderValue::from_str(self.key.expose_secret().trim()).map_err(|_| ProviderError::Auth {
            who: WHO,
            message: "it has characters that no key has. Set ANTHROPIC_API_KEY again.".into(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn headers(key: &HeaderValue) -> reqwest::header::HeaderMap {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-api-key", key.clone());
    headers.insert("anthropic-version", HeaderValue::from_static(VERSION));
    headers
}

fn stream_error(error: EventStreamError<ProviderError>) -> ProviderError {
    match error {
        EventStreamError::Transport(e) => e,
        EventStreamError::Utf8(_) => ProviderError::garbage(WHO, "its answer is not UTF-8 text"),
        EventStreamError::Parser(_) => ProviderError::garbage(WHO, "its answer is not an event stream"),
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}
