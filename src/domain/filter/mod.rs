//! The filter language: one line, the same in the TUI, the HTTP API, the CLI and (later) MCP.
//!
//! Free words search the text; `key:value` narrows; `-` negates; quotes group; comma-separated values are alternatives.
//! [`Filter::parse`] answers a mistake with its place and the nearest valid word. A parsed filter is evaluated twice with one
//! meaning: as SQL by `store::search`, and in memory by [`Filter::matches`], which a property test holds together.

mod matches;
mod parse;

use super::feedback::{GapType, Resolution, word_enum};
use super::time::Millis;
use serde::{Deserialize, Serialize};

pub use matches::Facts;

word_enum! {
    /// What `is:` asks.
    IsFlag {
        Unreviewed = "unreviewed",
        Reviewed = "reviewed",
        /// A pull request or branch was made for it.
        Drafted = "drafted",
        /// Its pull request was merged.
        Merged = "merged",
    }
}

word_enum! {
    /// What `has:` asks.
    HasFlag {
        Notes = "notes",
        Pr = "pr",
        Suggestion = "suggestion",
    }
}

word_enum! {
    /// The order of a list.
    Sort {
        Newest = "newest",
        Oldest = "oldest",
    }
}

word_enum! {
    /// Every key of the language.
    Key {
        Server = "server",
        Gap = "gap",
        Resolution = "resolution",
        Session = "session",
        Model = "model",
        Client = "client",
        Tool = "tool",
        Is = "is",
        Has = "has",
        Since = "since",
        Until = "until",
        Sort = "sort",
    }
}

/// One condition; all of a filter's terms must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    pub negated: bool,
    pub test: Test,
}

/// What a term asks. Lists are alternatives; texts are compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Test {
    /// Consecutive words, the last of which may be the beginning of a word.
    Text(Vec<String>),
    Server(Vec<String>),
    Gap(Vec<GapType>),
    Resolution(Vec<Resolution>),
    Session(Vec<String>),
    Model(Vec<String>),
    Client(Vec<String>),
    Tool(Vec<String>),
    Is(Vec<IsFlag>),
    Has(Vec<HasFlag>),
    Since(When),
    Until(When),
}

/// A point in time as typed: relative ones move with the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// Milliseconds before now.
    Ago(i64),
    /// An instant; for a date typed after `until:`, the end of that day (UTC).
    At(Millis),
}

impl When {
    pub fn resolve(self, now: Millis) -> Millis {
        match self {
            Self::Ago(ms) => now.minus(ms),
            Self::At(at) => at,
        }
    }
}

/// A parsed filter; the default shows everything, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Filter {
    pub terms: Vec<Term>,
    pub sort: Option<Sort>,
    /// As typed, so that it can be shown, sent and parsed again.
    pub source: String,
}

impl Filter {
    /// # Errors
    /// The place of the mistake and what could have been meant.
    pub fn parse(source: &str) -> Result<Self, FilterError> {
        parse::filter(source)
    }

    pub fn order(&self) -> Sort {
        self.sort.unwrap_or(Sort::Newest)
    }

    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.sort.is_none()
    }

    /// This filter and one more test; used by toggles and pickers.
    #[must_use]
    pub fn and(&self, test: Test) -> Self {
        let mut wider = self.clone();
        wider.terms.push(Term { negated: false, test });
        wider
    }
}

impl TryFrom<String> for Filter {
    type Error = FilterError;
    fn try_from(source: String) -> Result<Self, FilterError> {
        Self::parse(&source)
    }
}

impl From<Filter> for String {
    fn from(filter: Filter) -> String {
        filter.source
    }
}

/// A mistake in a filter. `start` and `end` count characters from the beginning of the line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} (at character {})", start + 1)]
pub struct FilterError {
    pub message: String,
    pub start: usize,
    pub end: usize,
    /// The nearest valid word, to complete or correct with.
    pub nearest: Option<String>,
}
