//! What an unsuccessful answer of OpenAI means.

use super::Responses;
use crate::providers::ProviderError;
use crate::providers::http::Failure;
use crate::providers::model::{Said, unsaid};

pub(super) fn judge(failure: &Failure) -> ProviderError {
    match Said::read(&failure.body) {
        Some(said) => said.judge_failure::<Responses>(failure, &advice),
        None => unsaid::<Responses>(failure),
    }
}

/// An error inside a stream, which comes after status 200.
pub(super) fn judge_event(said: Said) -> ProviderError {
    said.judge_event::<Responses>(&advice)
}

fn advice(message: &str) -> Option<String> {
    message.contains("max_output_tokens").then(|| "Lower `max_output_tokens` under [openai].".into())
}
