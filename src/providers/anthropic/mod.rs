//! The Anthropic Messages API.
use super::{Http, ProviderError};
use crate::config::AnthropicConfig;
use crate::domain::draft::Usage;
use secrecy::SecretString;

/// A piece of text in a prompt. `cache` marks the end of a prefix worth keeping for the next request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub text: String,
    pub cache: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
}

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
    pub request_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    pub id: String,
    pub display_name: String,
    /// Most tokens it can answer with, where the provider says so.
    pub max_output_tokens: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct Anthropic {}

impl Anthropic {
    pub fn new(_http: Http, _config: &AnthropicConfig, _key: SecretString) -> Self {
        Self {}
    }
    pub async fn complete(
        &self,
        _prompt: &Prompt,
        _on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Completion, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
    pub async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
}
