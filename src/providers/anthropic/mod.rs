//! The Anthropic Messages API: what is peculiar to it. [`crate::providers::model`] does the asking.
//!
//! The request holds nothing that some current model refuses: no thinking or sampling parameters, no forced tool, no prefilled
//! answer. `wire` knows the shapes that are sent, `stream` those that come back, `failure` what a refusal means.

mod failure;
mod stream;
mod wire;

use super::ProviderError;
use super::http::{Failure, Http};
use super::model::api::Api;
use super::model::{Endpoint, ModelInfo, Place, Prompt};
use crate::config::AnthropicConfig;
use secrecy::SecretString;
use serde_json::Value;

/// The Messages API.
#[derive(Debug, Clone, Copy)]
pub struct Messages;

/// The Messages API with one key and one model.
pub type Anthropic = Endpoint<Messages>;

impl Anthropic {
    pub fn new(http: Http, config: &AnthropicConfig, key: SecretString) -> Self {
        let base_url = config.base_url.trim_end_matches('/').trim_end_matches("/v1").to_owned();
        let place = Place { base_url, model: &config.model, max_output_tokens: config.max_output_tokens };
        Self::at(place, http, Some(key), Messages)
    }
}

impl Api for Messages {
    type Answer = stream::Answer;

    const WHO: &'static str = "Anthropic";
    const API: &'static str = "Messages API";
    const ADDRESS: &'static str = "without `/v1`";
    const TABLE: &'static str = "anthropic";
    const KEY: &'static str = "ANTHROPIC_API_KEY";
    const KEY_HEADER: (&'static str, &'static str) = ("x-api-key", "");
    /// Both published versions accept the same requests as long as no sampling parameter is sent; this one is known to every
    /// proxy in front of the API.
    const HEADERS: &'static [(&'static str, &'static str)] = &[("anthropic-version", "2023-06-01")];
    const QUESTIONS: &'static str = "/v1/messages";
    const MODELS: &'static str = "/v1/models?limit=1000";
    const REQUEST_ID: &'static str = "request-id";

    fn request(&self, model: &str, prompt: &Prompt) -> Value {
        wire::request(model, prompt)
    }

    fn answer(&self, max_output_tokens: u32) -> stream::Answer {
        stream::Answer::new(max_output_tokens)
    }

    fn judge(&self, failure: &Failure) -> ProviderError {
        failure::judge(failure)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError> {
        wire::models(body)
    }
}
