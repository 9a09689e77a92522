//! Why a run ended without a draft, in a sentence for the author.

use super::job::{Denied, Stop};
use crate::domain::change::Problem;
use crate::domain::text;
use crate::providers::ProviderError;

/// Most problems spelled out in one message.
const SHOWN_PROBLEMS: usize = 5;

/// The end of a run that did not publish.
#[derive(Debug, thiserror::Error)]
pub enum DraftError {
    /// The engine ended it; nothing went wrong.
    #[error("The run was stopped.")]
    Stopped(#[from] Stop),
    /// A setting or key is missing or can't be used.
    #[error("{0}")]
    Configuration(String),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// There is nothing to show to a drafter.
    #[error("{0} has no text files that a drafter could read: check that it is the right repository and branch.")]
    EmptyRepository(String),
    /// The drafter considered the report and left the code alone.
    #[error("The drafter changed nothing{} Add a note that says what you want, and draft again.", says(.0))]
    NoChange(String),
    /// A limit of the settings, before the call that would have gone beyond it.
    #[error("{0}")]
    Limit(String),
    /// A limit of the settings made the answer shorter than the model needed.
    #[error(
        "The answer was cut after {0} tokens, which is all that the limits under [draft] in config.toml left for it. Raise `max_tokens_per_draft`, `max_tokens_per_day`, `max_cost_per_draft` or `max_cost_per_day`, or lower `context_tokens`, and draft again."
    )]
    CutByLimits(u32),
    /// The model never got to an answer.
    #[error(
        "The model asked {0} times to see more of the repository and never answered. Add a note that names the files to change, or raise `lookups` under [draft] in config.toml, and draft again."
    )]
    OnlyAsked(usize),
    /// The answer was wrong, and was still wrong after the drafter was told why.
    #[error("The change can't be applied, and asking again did not help: {}. Add a note that says which files to change and how, and draft again.", list(.0))]
    BadChange(Vec<Problem>),
    /// The change is there, and the repository's own check fails with it.
    #[error(
        "The change is made, but `{command}` fails with it ({ended}), and nobody was to look at it. Its last words: {tail} The log has the rest. The change waits: publish it all the same, or add a note and draft again."
    )]
    NotVerified { command: String, ended: String, tail: String },
    /// The command left something behind that may not be published.
    #[error("What the command changed can't be used, and starting it again did not help: {}. Add a note that tells it so, and draft again.", list(.0))]
    BadWork(Vec<Problem>),
    #[error(
        "The command ended with {status}. Its last words: {tail}. The log has the rest; try the command by hand in the repository."
    )]
    CommandFailed { status: String, tail: String },
    /// What was decided about the change can't be done.
    #[error("The review can't be followed: {0}.")]
    Review(String),
    /// The branch is there, the pull request is not.
    #[error(
        "The branch `{branch}` is pushed, but the pull request could not be opened: {source} Publish again when that is mended: the branch stays the same. Or open it by hand."
    )]
    PushedWithoutPullRequest { branch: String, source: ProviderError },
    /// The reviewer chose a base that is not there.
    #[error("{repository} has no branch `{base}` to be the base, so nothing was pushed. Choose another one with `--base {usual}`, or `b` on the screen.{}", there_are(.known))]
    NoSuchBase { base: String, repository: String, known: Vec<String>, usual: String },
    /// The machine this runs on: disk, permissions, a worker that died.
    #[error("{0}")]
    Local(String),
}

impl DraftError {
    /// Whether the drafter answered, and its answer is of no use.
    pub(super) fn is_about_an_answer(&self) -> bool {
        match self {
            Self::NoChange(_) | Self::OnlyAsked(_) | Self::BadChange(_) | Self::BadWork(_) => true,
            Self::Stopped(_)
            | Self::Configuration(_)
            | Self::Provider(_)
            | Self::EmptyRepository(_)
            | Self::NotVerified { .. }
            | Self::CommandFailed { .. }
            | Self::Review(_)
            | Self::PushedWithoutPullRequest { .. }
            | Self::NoSuchBase { .. }
            | Self::Limit(_)
            | Self::CutByLimits(_)
            | Self::Local(_) => false,
        }
    }
}

impl From<Denied> for DraftError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Stopped(stop) => Self::Stopped(stop),
            Denied::Limit(why) => Self::Limit(why),
        }
    }
}

fn there_are(known: &[String]) -> String {
    let shown: Vec<String> = known.iter().map(|name| format!("`{}`", text::clipped(name, 100))).collect();
    if shown.is_empty() { String::new() } else { format!(" There are {}.", shown.join(", ")) }
}

fn says(words: &str) -> String {
    let words = text::clipped(words, 400);
    match words.trim_end_matches('.') {
        "" => ".".into(),
        words => format!(" and says: {words}."),
    }
}

fn list(problems: &[Problem]) -> String {
    let mut shown: Vec<String> =
        problems.iter().take(SHOWN_PROBLEMS).map(|p| text::clipped(&p.to_string(), 300)).collect();
    if problems.len() > SHOWN_PROBLEMS {
        shown.push(format!("and {} more", problems.len() - SHOWN_PROBLEMS));
    }
    shown.join("; ").trim_end_matches('.').to_owned()
}
