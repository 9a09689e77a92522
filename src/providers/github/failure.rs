//! What GitHub's refusals mean: limits and permissions behind one status, and the kinds of 422 for a pull request.

use super::{NewPullRequest, WHO};
use crate::providers::error::sentence;
use crate::providers::http::Failure;
use crate::providers::{ProviderError, redact};
use secrecy::SecretString;
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<Detail>,
}

/// One of `errors`: an object, or, on some routes, a bare text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Detail {
    Text(String),
    Object { field: Option<String>, code: Option<String>, message: Option<String> },
}

impl Detail {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object { message: Some(message), .. } => message.clone(),
            Self::Object { field, code, message: None } => {
                let parts = [field.as_deref(), code.as_deref()];
                parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// Why a pull request was not created.
pub(super) enum Rejection {
    Exists(ProviderError),
    NoDrafts,
    NoCommits,
    /// `head` or `base` is not there.
    BadBranch(&'static str),
    Other(ProviderError),
}

impl From<ProviderError> for Rejection {
    fn from(error: ProviderError) -> Self {
        Self::Other(error)
    }
}

impl Rejection {
    pub(super) fn into_error(self, slug: &str, new: &NewPullRequest) -> ProviderError {
        let api = |message: String| ProviderError::Api { who: WHO, status: 422, message: redact::message(&message) };
        match self {
            Self::Exists(error) | Self::Other(error) => error,
            Self::NoDrafts => api(format!("{slug} takes no draft pull requests, and no ordinary one either.")),
            Self::NoCommits => api(format!(
                "`{}` has no commits that `{}` does not have: there is nothing to propose.",
                new.head, new.base
            )),
            Self::BadBranch("base") => ProviderError::NotFound {
                what: redact::message(&format!("The branch `{}` of {slug}", new.base)),
                advice: "Set `branch` under [[repository]] in config.toml to a branch that exists.".into(),
                known: Vec::new(),
            },
            Self::BadBranch(_) => ProviderError::NotFound {
                what: redact::message(&format!("The pushed branch `{}` of {slug}", new.head)),
                advice: "It may have been deleted meanwhile: draft again.".into(),
                known: Vec::new(),
            },
        }
    }
}

/// Sorts the 422 answers of `POST …/pulls`. GitHub marks most of them `custom`, so that only their text tells them apart.
pub(super) fn rejection(error: ProviderError) -> Rejection {
    let ProviderError::Api { status: 422, message, .. } = &error else {
        return Rejection::Other(error);
    };
    let text = message.to_lowercase();
    if text.contains("a pull request already exists") {
        Rejection::Exists(error)
    } else if text.contains("draft pull requests are not supported") {
        Rejection::NoDrafts
    } else if text.contains("no commits between") {
        Rejection::NoCommits
    } else if text.contains("base invalid") {
        Rejection::BadBranch("base")
    } else if text.contains("head invalid") {
        Rejection::BadBranch("head")
    } else {
        Rejection::Other(error)
    }
}

/// Whether something was not made because it is there.
pub(super) fn exists_already(error: &ProviderError) -> bool {
    matches!(error, ProviderError::Api { status: 422, message, .. } if message.contains("already_exists") || message.contains("already exists"))
}

/// `what` names the thing asked for, to begin a sentence with.
pub(super) fn judge(failure: &Failure, what: &str, token: &SecretString) -> ProviderError {
    let body: Option<ErrorBody> =
        serde_json::from_str(&failure.body).ok().filter(|b: &ErrorBody| !b.message.is_empty());
    let Some(body) = body else {
        let shown = crate::domain::text::clipped(&redact::message_without(&failure.body, token), 300);
        return by_status(failure, what, if shown.is_empty() { "no explanation".into() } else { shown });
    };
    let mut parts = vec![body.message];
    parts.extend(body.errors.iter().map(Detail::text).filter(|t| !t.is_empty()));
    let message = redact::message_without(&parts.join(": "), token);
    by_status(failure, what, message)
}

fn by_status(failure: &Failure, what: &str, message: String) -> ProviderError {
    let status = failure.status.as_u16();
    if matches!(status, 403 | 429)
        && let Some(limited) = rate_limit(failure, &message)
    {
        return limited;
    }
    let said = sentence(&message);
    match status {
        401 => auth(format!("{said} GITHUB_TOKEN is wrong, expired or revoked.")),
        403 if failure.header("x-github-sso").is_some() => auth(format!(
            "{said} The organisation asks for single sign-on: authorise the token for it under GitHub's token settings."
        )),
        403 => auth(format!("{said} {}", needed_permission(failure))),
        404 => ProviderError::NotFound {
            what: redact::message(what),
            advice: "It does not exist, or GITHUB_TOKEN may not see it: check the name and the token's repositories."
                .into(),
            known: Vec::new(),
        },
        301 | 302 | 307 | 308 => ProviderError::config(format!(
            "{what} has moved to another server. Check `api_url` under [github] in config.toml."
        )),
        _ => ProviderError::Api { who: WHO, status, message },
    }
}

/// The primary limit says `remaining: 0` and when it ends; the secondary one says `retry-after`, or only says its name.
fn rate_limit(failure: &Failure, message: &str) -> Option<ProviderError> {
    let primary = failure.header("x-ratelimit-remaining") == Some("0");
    let named = message.to_lowercase().contains("rate limit");
    if !(primary || named || failure.retry_after.is_some() || failure.status.as_u16() == 429) {
        return None;
    }
    let until_reset = failure
        .header("x-ratelimit-reset")
        .filter(|_| primary)
        .and_then(|at| at.parse::<i64>().ok())
        .map(|at| Duration::from_secs(at.saturating_sub(jiff::Timestamp::now().as_second()).max(0).unsigned_abs()));
    let retry_after = failure.retry_after.or(until_reset).or(Some(Duration::from_mins(1)));
    Some(ProviderError::RateLimited { who: WHO, retry_after, message: message.to_owned() })
}

fn needed_permission(failure: &Failure) -> String {
    let needed = failure.header("x-accepted-github-permissions").filter(|p| !p.is_empty());
    match needed {
        Some(permissions) => format!("The token needs: {}.", redact::message(permissions)),
        None => "The token lacks a permission: it needs Contents and Pull requests, both read and write.".into(),
    }
}

fn auth(message: String) -> ProviderError {
    ProviderError::Auth { who: WHO, message }
}
