//! What an unsuccessful answer means: the API's error body, its status, and its error events inside a stream.

use super::Messages;
use crate::providers::error::sentence;
use crate::providers::http::Failure;
use crate::providers::model::api::Api;
use crate::providers::model::unsaid;
use crate::providers::{ProviderError, redact};
use serde::Deserialize;

const WHO: &str = Messages::WHO;

/// `{"type":"error","error":{…},"request_id":…}`, from a body or an `error` event.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub(super) error: ErrorInfo,
    request_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorInfo {
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    #[serde(default)]
    message: String,
    details: Option<Details>,
}

#[derive(Debug, Deserialize)]
struct Details {
    error_code: Option<String>,
}

/// Stable codes for "no more money", whatever the status is.
const SPEND_CODES: [&str; 3] = ["enforced_spend_limit_reached", "contract_spend_limit_reached", "organization_on_hold"];

pub(super) fn judge(failure: &Failure) -> ProviderError {
    let status = failure.status.as_u16();
    let Ok(body) = serde_json::from_str::<ErrorBody>(&failure.body) else {
        return unsaid::<Messages>(failure);
    };
    let mut message = redact::message(&body.error.message);
    if let Some(id) = body.request_id.as_deref().or(failure.header("request-id")) {
        message = format!("{} (request {})", message.trim_end_matches('.'), redact::message(id));
    }
    // The spending cap of a tier is a 429 that names no time to come back at.
    let no_way_back = failure.retry_after.is_none() && failure.header("x-should-retry") != Some("true");
    // So worded for years, with status 400 and no code.
    let no_credit = message.contains("credit balance is too low");
    if status == 402 || no_credit || spend_code(&body.error) || (status == 429 && no_way_back) {
        return ProviderError::SpendLimit { who: WHO, message };
    }
    let said = sentence(&message);
    match status {
        401 => auth(format!("{said} Check ANTHROPIC_API_KEY (environment or secrets.env).")),
        403 => auth(format!("{said} The key is valid but not allowed to do this.")),
        404 => ProviderError::NotFound {
            what: "The model".into(),
            advice: format!("Check `model` under [anthropic] in config.toml. Anthropic says: {said}"),
            known: Vec::new(),
        },
        400 if message.contains("max_tokens") => {
            api(status, format!("{said} Lower `max_output_tokens` under [anthropic]."))
        }
        400 if message.contains("prompt is too long") => {
            api(status, format!("{said} Lower `context_tokens` under [draft]."))
        }
        413 => api(status, format!("{said} Lower `context_tokens` under [draft].")),
        429 => ProviderError::RateLimited { who: WHO, retry_after: failure.retry_after, message },
        529 => ProviderError::Overloaded { who: WHO, message },
        _ => api(status, message),
    }
}

fn api(status: u16, message: String) -> ProviderError {
    ProviderError::Api { who: WHO, status, message }
}

/// An `error` event, which comes after status 200.
pub(super) fn judge_event(error: &ErrorInfo) -> ProviderError {
    let message = redact::message(&error.message);
    if spend_code(error) {
        return ProviderError::SpendLimit { who: WHO, message };
    }
    let status = match error.kind.as_str() {
        "overloaded_error" => return ProviderError::Overloaded { who: WHO, message },
        "rate_limit_error" => return ProviderError::RateLimited { who: WHO, retry_after: None, message },
        "authentication_error" | "permission_error" => return auth(message),
        "billing_error" => return ProviderError::SpendLimit { who: WHO, message },
        "invalid_request_error" => 400,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "timeout_error" => 504,
        _ => 500,
    };
    ProviderError::Api { who: WHO, status, message }
}

fn spend_code(error: &ErrorInfo) -> bool {
    let code = error.details.as_ref().and_then(|d| d.error_code.as_deref());
    code.is_some_and(|c| SPEND_CODES.contains(&c))
}

fn auth(message: String) -> ProviderError {
    ProviderError::Auth { who: WHO, message }
}
