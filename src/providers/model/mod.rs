//! A language model behind an API, whoever sells it: what is asked, what comes back, and the three APIs that can be asked.
//!
//! [`Endpoint`] holds all that the vendors have in common: keys, addresses, repeats, the reading of a stream. What is peculiar to one
//! (the JSON it is sent, the events it answers with, the words of its refusals) is an [`api::Api`] in a folder of its own.

pub mod api;
mod endpoint;
mod listed;
mod said;

use api::Api as _;
pub use endpoint::Endpoint;
pub(super) use endpoint::Place;
pub use listed::{Lifecycle, ModelInfo};
pub(super) use listed::{day, listed, shown};
pub(super) use said::{Said, unsaid};

use super::anthropic::Messages;
use super::http::{Http, OnWait};
use super::openai::Responses;
use super::{Anthropic, Compatible, Openai, ProviderError};
use crate::config::{Config, Secrets};
use crate::domain::draft::{DrafterKind, Usage};

/// A piece of text in a prompt. `cache` marks the end of a prefix worth keeping for the next request; of more than four marks
/// the last four count.
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

impl Role {
    /// The word that all three APIs have for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
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
    /// What every vendor's constrained decoding takes: each object has `additionalProperties: false` and requires all its
    /// properties; no recursion, lengths or ranges.
    pub schema: serde_json::Value,
    pub max_output_tokens: u32,
}

impl Prompt {
    /// The text up to the first mark in the first message: what a later request about the same code begins with, too.
    pub(super) fn prefix(&self) -> impl Iterator<Item = &str> {
        let mut marked = false;
        let first = self.messages.first().into_iter().flat_map(|m| &m.blocks).take_while(move |block| {
            let before = !marked;
            marked |= block.cache;
            before
        });
        self.system.iter().chain(first).map(|block| block.text.as_str())
    }
}

/// Several blocks as one text, for an API that takes no blocks.
pub(super) fn joined(blocks: &[Block]) -> String {
    let texts: Vec<&str> = blocks.iter().map(|b| b.text.as_str()).filter(|t| !t.trim().is_empty()).collect();
    texts.join("\n\n")
}

/// A base address with the version that OpenAI's clients expect in it. An address that has a path already is complete: proxies and
/// market places have paths of their own.
pub(super) fn versioned(base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let behind_the_host = base_url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if behind_the_host { base_url.to_owned() } else { format!("{base_url}/v1") }
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

/// The model that a drafter asks.
#[derive(Debug, Clone)]
pub enum Model {
    Anthropic(Anthropic),
    Openai(Openai),
    Compatible(Compatible),
}

impl Model {
    /// The model behind a drafter, as the settings have it.
    ///
    /// # Errors
    /// When its key is not set, or the drafter is a program and has no model.
    pub fn of(drafter: DrafterKind, http: Http, config: &Config, secrets: &Secrets) -> Result<Self, ProviderError> {
        let gone = |name: &str| ProviderError::config(format!("The key is gone: set {name}."));
        match drafter {
            DrafterKind::Anthropic => {
                let key = secrets.anthropic.clone().ok_or_else(|| gone(Messages::KEY))?;
                Ok(Self::Anthropic(Anthropic::new(http, &config.anthropic, key)))
            }
            DrafterKind::Openai => {
                let key = secrets.openai.clone().ok_or_else(|| gone(Responses::KEY))?;
                Ok(Self::Openai(Openai::new(http, &config.openai, key)))
            }
            DrafterKind::OpenaiCompatible => {
                let key = secrets.openai_compatible.clone();
                Ok(Self::Compatible(Compatible::new(http, &config.openai_compatible, key)))
            }
            DrafterKind::Command => Err(ProviderError::config("The drafter `command` has no model to ask.")),
        }
    }

    /// The longest answer it may give, as the settings have it.
    pub fn max_output_tokens(&self) -> u32 {
        match self {
            Self::Anthropic(model) => model.max_output_tokens(),
            Self::Openai(model) => model.max_output_tokens(),
            Self::Compatible(model) => model.max_output_tokens(),
        }
    }

    /// Asks, passing the answer's text on as it arrives, and why it does not where a request is repeated. Dropping the future
    /// closes the connection.
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
        match self {
            Self::Anthropic(model) => model.complete(prompt, on_text, on_wait).await,
            Self::Openai(model) => model.complete(prompt, on_text, on_wait).await,
            Self::Compatible(model) => model.complete(prompt, on_text, on_wait).await,
        }
    }

    /// The models that may be asked, retired ones included. The cheapest way to check a key.
    ///
    /// # Errors
    /// When the key is refused or the list can't be had.
    pub async fn models(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        match self {
            Self::Anthropic(model) => model.models().await,
            Self::Openai(model) => model.models().await,
            Self::Compatible(model) => model.models().await,
        }
    }

    /// Whether the key is good and the configured model there: the model as its provider lists it.
    ///
    /// # Errors
    /// As for [`Self::models`]; [`ProviderError::NotFound`] when the list does not have the model, or has it as retired.
    pub async fn check(&self) -> Result<ModelInfo, ProviderError> {
        match self {
            Self::Anthropic(model) => model.check().await,
            Self::Openai(model) => model.check().await,
            Self::Compatible(model) => model.check().await,
        }
    }
}
