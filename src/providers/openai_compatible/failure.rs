//! What an unsuccessful answer of such a server means, and which setting may help.

use super::ChatCompletions;
use crate::config::{JsonMode, TokenLimit};
use crate::providers::ProviderError;
use crate::providers::http::Failure;
use crate::providers::model::{Said, unsaid};

pub(super) fn judge(api: ChatCompletions, failure: &Failure) -> ProviderError {
    match Said::read(&failure.body) {
        Some(said) => said.judge_failure::<ChatCompletions>(failure, &|message| advice(api, message)),
        None => unsaid::<ChatCompletions>(failure),
    }
}

/// An error inside a stream, which comes after status 200.
pub(super) fn judge_event(said: Said) -> ProviderError {
    said.judge_event::<ChatCompletions>(&|_| None)
}

/// The setting that makes this server's dialect out of what it did not understand.
fn advice(api: ChatCompletions, message: &str) -> Option<String> {
    let mentions = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let (other, set) = match api.token_limit {
        TokenLimit::MaxTokens => (TokenLimit::MaxCompletionTokens, TokenLimit::MaxTokens),
        TokenLimit::MaxCompletionTokens => (TokenLimit::MaxTokens, TokenLimit::MaxCompletionTokens),
    };
    if mentions(&["response_format", "json_schema", "json_object", "grammar"]) && api.json != JsonMode::None {
        let next = if api.json == JsonMode::Schema { JsonMode::Object } else { JsonMode::None };
        Some(format!("Set `json = \"{next}\"` under [openai-compatible]."))
    } else if mentions(&["max_completion_tokens"]) && set == TokenLimit::MaxTokens
        || mentions(&["unsupported", "nrecognized", "xtra inputs"]) && mentions(&[set.as_str()])
    {
        Some(format!("Set `token_limit = \"{other}\"` under [openai-compatible]."))
    } else if mentions(&["max_tokens", "max_completion_tokens"]) {
        Some("Lower `max_output_tokens` under [openai-compatible].".into())
    } else {
        None
    }
}
