//! The OpenAI Responses API: what is peculiar to it. [`crate::providers::model`] does the asking.
//!
//! Nothing of a question is stored there (`store: false`), and the whole conversation is sent each time, so no state of ours lives at
//! the provider. `wire` knows the shapes that are sent, `stream` those that come back, `failure` what a refusal means.

mod failure;
mod stream;
mod wire;

use super::ProviderError;
use super::http::{Failure, Http};
use super::model::api::Api;
use super::model::{Endpoint, ModelInfo, Place, Prompt, versioned};
use crate::config::OpenaiConfig;
use secrecy::SecretString;
use serde_json::Value;

/// The Responses API.
#[derive(Debug, Clone, Copy)]
pub struct Responses;

/// The Responses API with one key and one model.
pub type Openai = Endpoint<Responses>;

impl Openai {
    pub fn new(http: Http, config: &OpenaiConfig, key: SecretString) -> Self {
        let base_url = versioned(&config.base_url);
        let place = Place { base_url, model: &config.model, max_output_tokens: config.max_output_tokens };
        Self::at(place, http, Some(key), Responses)
    }
}

impl Api for Responses {
    type Answer = stream::Answer;

    const WHO: &'static str = "OpenAI";
    const API: &'static str = "Responses API";
    const ADDRESS: &'static str = "it usually ends in `/v1`";
    const TABLE: &'static str = "openai";
    const KEY: &'static str = "OPENAI_API_KEY";
    const KEY_HEADER: (&'static str, &'static str) = ("authorization", "Bearer ");
    const QUESTIONS: &'static str = "/responses";
    const MODELS: &'static str = "/models";
    const REQUEST_ID: &'static str = "x-request-id";

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
