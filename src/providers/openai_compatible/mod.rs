//! Chat Completions, as any server speaks it that imitates OpenAI: Ollama, vLLM, llama.cpp, OpenRouter and many more.
//! [`crate::providers::model`] does the asking.
//!
//! They agree on the outline and on little else, so the settings say what a server calls its token limit and how it is asked for JSON, and
//! everything read here may be missing, wrong or spelt differently. OpenAI's own key is never sent to such a server; many want none.

mod failure;
mod stream;
mod wire;

use super::ProviderError;
use super::http::{Failure, Http};
use super::model::api::Api;
use super::model::{Endpoint, ModelInfo, Place, Prompt, versioned};
use crate::config::{CompatibleConfig, JsonMode, TokenLimit};
use secrecy::SecretString;
use serde_json::Value;

/// Chat Completions in the dialect that the settings describe.
#[derive(Debug, Clone, Copy)]
pub struct ChatCompletions {
    token_limit: TokenLimit,
    json: JsonMode,
}

/// A server with one model, and a key if it wants one.
pub type Compatible = Endpoint<ChatCompletions>;

impl Compatible {
    pub fn new(http: Http, config: &CompatibleConfig, key: Option<SecretString>) -> Self {
        let api = ChatCompletions { token_limit: config.token_limit, json: config.json };
        let base_url = versioned(&config.base_url);
        let place = Place { base_url, model: &config.model, max_output_tokens: config.max_output_tokens };
        Self::at(place, http, key, api)
    }
}

impl Api for ChatCompletions {
    type Answer = stream::Answer;

    const WHO: &'static str = "the model server";
    const API: &'static str = "Chat Completions API";
    const ADDRESS: &'static str = "it usually ends in `/v1`";
    const TABLE: &'static str = "openai-compatible";
    const KEY: &'static str = "OPENAI_COMPATIBLE_API_KEY";
    const KEY_HEADER: (&'static str, &'static str) = ("authorization", "Bearer ");
    const QUESTIONS: &'static str = "/chat/completions";
    const MODELS: &'static str = "/models";
    const REQUEST_ID: &'static str = "x-request-id";
    const OTHERWISE: &'static str = " Or load that model into the server (Ollama: `ollama pull`).";

    fn request(&self, model: &str, prompt: &Prompt) -> Value {
        wire::request(*self, model, prompt)
    }

    fn answer(&self, max_output_tokens: u32) -> stream::Answer {
        stream::Answer::new(max_output_tokens)
    }

    fn judge(&self, failure: &Failure) -> ProviderError {
        failure::judge(*self, failure)
    }

    fn models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, ProviderError> {
        wire::models(body)
    }
}
