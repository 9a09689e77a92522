//! Why a run ended without a draft, in a sentence for the author.

use super::job::Stop;
use crate::domain::change::Problem;
use crate::domain::text;
use crate::providers::ProviderError;

/// Most problems spelled out in one message.
const SHOWN_PROBLEMS: usize = 5;

/// The end of a run that did not publish.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The engine ended it; nothing went wrong.
    #[error("the run was stopped")]
    Stopped(#[from] Stop),
    /// A setting or key is missing or can't be used.
    #[error("{0}")]
    Configuration(String),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// There is nothing to show to a drafter.
    #[error("{0} has no text files that a drafter could read")]
    EmptyRepository(String),
    /// The drafter considered the report and left the code alone.
    #[error("the drafter changed nothing{}; add a note that says what you want and draft again", says(.0))]
    NoChange(String),
    /// The answer was wrong, and wrong again after it was told why.
    #[error("the change can't be applied, and asking once more did not help: {}", list(.0))]
    BadChange(Vec<Problem>),
    /// The command left something behind that may not be published.
    #[error("what the command changed can't be used: {}", list(.0))]
    BadWork(Vec<Problem>),
    #[error("the command ended with {status}; its last words: {tail}")]
    CommandFailed { status: String, tail: String },
    /// The branch is there, the pull request is not.
    #[error("the branch `{branch}` is pushed, but the pull request could not be opened: {source}")]
    PushedWithoutPullRequest { branch: String, source: ProviderError },
    /// The base branch moved while the run was interrupted, under the files it changes.
    #[error("{0}")]
    Stale(String),
    /// The machine this runs on: disk, permissions, a worker that died.
    #[error("{0}")]
    Local(String),
}

fn says(words: &str) -> String {
    if words.trim().is_empty() { String::new() } else { format!(" and says: {}", text::clipped(words, 400)) }
}

fn list(problems: &[Problem]) -> String {
    let mut shown: Vec<String> =
        problems.iter().take(SHOWN_PROBLEMS).map(|p| text::clipped(&p.to_string(), 300)).collect();
    if problems.len() > SHOWN_PROBLEMS {
        shown.push(format!("and {} more", problems.len() - SHOWN_PROBLEMS));
    }
    shown.join("; ")
}
