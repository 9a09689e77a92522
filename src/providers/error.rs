//! What can go wrong outside, as sentences: what failed, and what the user can do about it.
//!
//! Every text that came from outside passes through `super::redact` before it becomes part of an error, so an error can be
//! stored, logged and shown as it is. `drafting` puts [`ProviderError`]'s `Display` into the run's history.

use super::redact;
use crate::domain::draft::Usage;
use secrecy::SecretString;
use std::fmt;
use std::time::Duration;

/// A failure of the outside world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The settings can't work; no request was made.
    #[error("{message}")]
    Config { message: String },

    #[error("The connection to {who} failed ({message}). Check the network and the proxy settings, then try again.")]
    Network { who: &'static str, message: String },

    #[error("{} did not answer for {}. Try again; if it happens every time, check the connection.", capital(.who), duration(*.after))]
    Timeout { who: &'static str, after: Duration },

    #[error("{} refused the key: {}", capital(.who), sentence(.message))]
    Auth { who: &'static str, message: String },

    /// `known` are the names that would have been right, at most a few dozen.
    #[error("{what} was not found. {advice}{}", known_names(.known))]
    NotFound { what: String, advice: String, known: Vec<String> },

    #[error("{} limits the rate of requests{}: {}", capital(.who), retry_after.map(|t| format!(" (try again in {})", duration(t))).unwrap_or_default(), sentence(.message))]
    RateLimited { who: &'static str, retry_after: Option<Duration>, message: String },

    #[error(
        "{} stopped at a spending limit: {} Raise the limit or wait for the next period; trying again won't help.",
        capital(.who), sentence(.message)
    )]
    SpendLimit { who: &'static str, message: String },

    #[error("{} is overloaded: {} Try again in a few minutes.", capital(.who), sentence(.message))]
    Overloaded { who: &'static str, message: String },

    /// The model declined; paid for all the same.
    #[error("The model refused to answer{}{}. Reword the notes, or use another model.", category.as_ref().map(|c| format!(" ({c})")).unwrap_or_default(), explanation.as_ref().map(|e| format!(": {e}")).unwrap_or_default())]
    Refused { category: Option<String>, explanation: Option<String>, usage: Usage },

    /// The answer ended early because a limit was reached; paid for all the same.
    #[error("The model's answer was cut off: {message}")]
    Truncated { message: String, usage: Usage },

    #[error("{} sent something that can't be understood: {} Try again; if it happens every time, check the address of {who} in config.toml.", capital(.who), sentence(.message))]
    Garbage { who: &'static str, message: String },

    #[error("{} answered with status {status}: {} {}", capital(.who), sentence(.message), advice(*.status))]
    Api { who: &'static str, status: u16, message: String },

    /// `command` is git's subcommand.
    #[error("git {command} failed: {}", sentence(.message))]
    Git { command: String, message: String },

    #[error("The command `{program}` {}", sentence(.message))]
    Process { program: String, message: String },

    #[error("It was cancelled.")]
    Cancelled,
}

impl ProviderError {
    /// Whether the same request may succeed later without anyone changing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Network { .. } | Self::Timeout { .. } | Self::RateLimited { .. } | Self::Overloaded { .. } => true,
            Self::Api { status, .. } => matches!(status, 408 | 409) || *status >= 500,
            Self::Config { .. }
            | Self::Auth { .. }
            | Self::NotFound { .. }
            | Self::SpendLimit { .. }
            | Self::Refused { .. }
            | Self::Truncated { .. }
            | Self::Garbage { .. }
            | Self::Git { .. }
            | Self::Process { .. }
            | Self::Cancelled => false,
        }
    }

    pub fn is_cancelled(&self) -> bool {
        *self == Self::Cancelled
    }

    /// What a failed request has cost, where the provider said so.
    pub fn usage(&self) -> Option<Usage> {
        match self {
            Self::Refused { usage, .. } | Self::Truncated { usage, .. } => Some(*usage),
            Self::Config { .. }
            | Self::Network { .. }
            | Self::Timeout { .. }
            | Self::Auth { .. }
            | Self::NotFound { .. }
            | Self::RateLimited { .. }
            | Self::SpendLimit { .. }
            | Self::Overloaded { .. }
            | Self::Garbage { .. }
            | Self::Api { .. }
            | Self::Git { .. }
            | Self::Process { .. }
            | Self::Cancelled => None,
        }
    }

    /// The same without a secret that the other side may have sent back. The provider that holds the secret calls it on every error that
    /// leaves it; nobody else can recognise a key of unknown shape.
    #[must_use]
    pub(super) fn hiding(mut self, secret: &SecretString) -> Self {
        match &mut self {
            Self::Config { message }
            | Self::Network { message, .. }
            | Self::Auth { message, .. }
            | Self::RateLimited { message, .. }
            | Self::SpendLimit { message, .. }
            | Self::Overloaded { message, .. }
            | Self::Truncated { message, .. }
            | Self::Garbage { message, .. }
            | Self::Api { message, .. }
            | Self::Git { message, .. }
            | Self::Process { message, .. } => redact::hide(message, secret),
            Self::NotFound { what, advice, known } => {
                known.iter_mut().chain([what, advice]).for_each(|text| redact::hide(text, secret));
            }
            Self::Refused { category, explanation, .. } => {
                [category, explanation].into_iter().flatten().for_each(|text| redact::hide(text, secret));
            }
            Self::Timeout { .. } | Self::Cancelled => {}
        }
        self
    }

    /// The same with what the answer has cost, where an error can say so.
    #[must_use]
    pub(super) fn having_used(mut self, used: Usage) -> Self {
        if let Self::Refused { usage, .. } | Self::Truncated { usage, .. } = &mut self {
            *usage = used;
        }
        self
    }

    pub(super) fn config(message: impl AsRef<str>) -> Self {
        Self::Config { message: redact::message(message.as_ref()) }
    }

    pub(super) fn garbage(who: &'static str, message: impl AsRef<str>) -> Self {
        Self::Garbage { who, message: redact::message(message.as_ref()) }
    }

    pub(super) fn git(command: &str, message: impl AsRef<str>) -> Self {
        Self::Git { command: command.to_owned(), message: redact::message(message.as_ref()) }
    }

    pub(super) fn process(program: &str, message: impl AsRef<str>) -> Self {
        Self::Process { program: redact::message(program), message: redact::message(message.as_ref()) }
    }

    /// An I/O failure on our own side of a git operation: the cache directory, a work tree.
    pub(super) fn io(command: &str, what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::git(command, format!("{what}: {error}"))
    }
}

/// `90 s`, `5 min`: for sentences.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", time.as_millis())
    } else if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// For the beginning of a sentence.
fn capital(who: &str) -> String {
    let mut chars = who.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Ends with a full stop, so that another sentence can follow.
pub(super) fn sentence(message: &str) -> String {
    let message = message.trim_end();
    if message.ends_with(['.', '!', '?', '…']) { message.to_owned() } else { format!("{message}.") }
}

/// What to do about a status that has no variant of its own.
fn advice(status: u16) -> &'static str {
    if matches!(status, 408 | 409) || status >= 500 {
        "Try again in a few minutes."
    } else {
        "Check the settings in config.toml; if they are right, this is a bug worth reporting."
    }
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() { String::new() } else { format!(" There are: {}.", known.join(", ")) }
}
