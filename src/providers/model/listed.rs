//! The models that a provider lists, and how long it means to keep them.

use super::api::Api;
use crate::domain::text;
use crate::providers::ProviderError;
use serde::de::DeserializeOwned;

/// Longest name shown, in characters.
const MAX_NAME: usize = 120;

/// Where a model is in its life, as far as its provider says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifecycle {
    #[default]
    Active,
    /// Still answers, and will stop to.
    Deprecated,
    /// Answers no more.
    Retired,
}

/// A model on offer. All text in it is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelInfo {
    pub id: String,
    /// Empty where the provider has no other name for it.
    pub display_name: String,
    /// Most tokens it can answer with, where the provider says so.
    pub max_output_tokens: Option<u64>,
    pub lifecycle: Lifecycle,
    /// The day it was deprecated, `2026-11-20`.
    pub deprecated_at: Option<String>,
    /// The day it stops to answer.
    pub retires_at: Option<String>,
}

impl ModelInfo {
    pub fn is_retired(&self) -> bool {
        self.lifecycle == Lifecycle::Retired
    }

    /// Its name, with what keeps one from beginning with it.
    pub(super) fn flagged(&self) -> String {
        match self.lifecycle {
            Lifecycle::Active => self.id.clone(),
            Lifecycle::Deprecated => format!("{} (deprecated)", self.id),
            Lifecycle::Retired => format!("{} (retired)", self.id),
        }
    }

    /// What its user should know in time, as a clause; `None` for a model that is here to stay.
    pub fn warning(&self) -> Option<String> {
        let on = |day: &Option<String>, word: &str| day.as_ref().map(|d| format!(" {word} {d}")).unwrap_or_default();
        match (self.lifecycle, &self.retires_at) {
            (Lifecycle::Retired, _) => Some(format!("it was retired{}", on(&self.retires_at, "on"))),
            (Lifecycle::Deprecated, None) => Some(format!("it is deprecated{}", on(&self.deprecated_at, "since"))),
            (Lifecycle::Deprecated, Some(day)) => {
                Some(format!("it is deprecated{} and stops to answer on {day}", on(&self.deprecated_at, "since")))
            }
            (Lifecycle::Active, Some(day)) => Some(format!("it stops to answer on {day}")),
            (Lifecycle::Active, None) => None,
        }
    }

    /// Whether a name means this model: its own, or one that providers take for it. They list `name-20260101` and answer to `name`,
    /// list `name:latest` and answer to `name`, list `name` and answer to `name:variant`.
    pub fn is_called(&self, name: &str) -> bool {
        let behind = |longer: &str, shorter: &str| longer.strip_prefix(shorter).map(str::to_owned);
        let a_date = |rest: &str| {
            let digits = rest.bytes().filter(u8::is_ascii_digit).count();
            digits == 8 && rest.starts_with('-') && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        };
        match behind(&self.id, name) {
            Some(rest) => rest.is_empty() || rest == ":latest" || a_date(&rest),
            None => behind(name, &self.id).is_some_and(|rest| rest.len() > 1 && rest.starts_with(':')),
        }
    }
}

/// Reads a provider's list, whose shape is `T`.
pub(in crate::providers) fn listed<A: Api, T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body)
        .map_err(|e| ProviderError::garbage(A::WHO, format!("its list of models is not as documented ({e})")))
}

/// A name from outside, fit to be shown.
pub(in crate::providers) fn shown(name: &str) -> String {
    text::clipped(name, MAX_NAME)
}

/// The day of a date or a time.
pub(in crate::providers) fn day(at: &str) -> String {
    shown(at.split_once('T').map_or(at, |(day, _)| day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(id: &str) -> ModelInfo {
        ModelInfo { id: id.into(), ..ModelInfo::default() }
    }

    #[test]
    fn names_that_providers_take_for_one_model_are_one_model() {
        for (listed, name) in [
            ("gpt-x", "gpt-x"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("gpt-x-2026-03-05", "gpt-x"),
            ("qwen3-coder:latest", "qwen3-coder"),
            ("vendor/model", "vendor/model:free"),
        ] {
            assert!(model(listed).is_called(name), "{listed} {name}");
        }
        for (listed, name) in [
            ("gpt-x-mini", "gpt-x"),
            ("gpt-x", "gpt-x-mini"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4"),
            ("qwen3-coder:30b", "qwen3-coder"),
            ("gpt-x", ""),
            ("gpt-x", "gpt-x:"),
        ] {
            assert!(!model(listed).is_called(name), "{listed} {name}");
        }
    }

    #[test]
    fn what_will_end_is_said_in_time() {
        let day = |d: &str| Some(d.to_owned());
        let with = |lifecycle, deprecated_at, retires_at| {
            ModelInfo { lifecycle, deprecated_at, retires_at, ..model("m") }.warning()
        };
        assert_eq!(with(Lifecycle::Active, None, None), None);
        assert_eq!(with(Lifecycle::Active, None, day("2027-01-15")).unwrap(), "it stops to answer on 2027-01-15");
        assert_eq!(with(Lifecycle::Deprecated, None, None).unwrap(), "it is deprecated");
        assert_eq!(
            with(Lifecycle::Deprecated, day("2026-10-01"), day("2027-01-15")).unwrap(),
            "it is deprecated since 2026-10-01 and stops to answer on 2027-01-15"
        );
        assert_eq!(with(Lifecycle::Retired, None, day("2026-11-01")).unwrap(), "it was retired on 2026-11-01");
        assert_eq!(super::day("2027-01-15T00:00:00Z\u{1b}"), "2027-01-15");
    }
}
