//! What CI says about a commit: check runs and the older statuses, together.
//!
//! A token may be allowed to see one kind and not the other (fine-grained tokens never see check runs). What can't be seen makes
//! the verdict unknown; it never makes it failed.

use super::call::{Fresh, PAGE, Parse};
use super::{Github, repo_path, wire};
use crate::domain::draft::Checks;
use crate::providers::ProviderError;
use serde::{Deserialize, Serialize};

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Pending,
    Passed,
    Failed,
}

/// One check of a commit. All texts are untrusted: whoever may write to the repository, or runs its CI, wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: String,
    pub outcome: Outcome,
    /// One line, often empty.
    pub title: String,
    /// Markdown, often empty; its beginning only.
    pub summary: String,
}

/// All checks of a commit that the token may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitChecks {
    pub all: Vec<Check>,
    /// Whether that is all there are.
    pub complete: bool,
}

impl CommitChecks {
    /// All of them taken together.
    pub fn verdict(&self) -> Checks {
        let any = |outcome| self.all.iter().any(|c| c.outcome == outcome);
        if any(Outcome::Failed) {
            Checks::Failed
        } else if any(Outcome::Pending) {
            Checks::Pending
        } else if !self.complete {
            Checks::Unknown
        } else if any(Outcome::Passed) {
            Checks::Passed
        } else {
            Checks::None
        }
    }
}

/// What was heard of the two kinds when they were last asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct SeenChecks {
    runs: Option<Mark>,
    statuses: Option<Mark>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mark {
    Tag(String),
    /// The token may not see them.
    Hidden,
}

/// How one kind is asked for.
struct Question<'a> {
    path: String,
    query: &'a [(&'a str, &'a str)],
    parse: Parse<Vec<Check>>,
}

/// One kind of checks; `None` when the token may not see them.
type Kind = Option<Vec<Check>>;

impl Github {
    /// The checks of a commit that is known to be there and visible; up to a hundred of each kind.
    pub async fn checks(&self, slug: &str, commit: &str) -> Result<CommitChecks, ProviderError> {
        let checks = self.checks_if_new(slug, commit, &mut SeenChecks::default()).await?;
        // Nothing was seen before, so whatever there is is new.
        Ok(checks.unwrap_or(CommitChecks { all: Vec::new(), complete: true }))
    }

    pub(super) async fn checks_if_new(
        &self,
        slug: &str,
        commit: &str,
        seen: &mut SeenChecks,
    ) -> Result<Option<CommitChecks>, ProviderError> {
        let is_id = matches!(commit.len(), 40 | 64) && commit.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(ProviderError::garbage(super::WHO, "a commit id that is none"));
        }
        let base = format!("{}/commits/{commit}", repo_path(slug)?);
        let what = format!("The commit {commit} of {slug}");
        let runs = Question {
            path: format!("{base}/check-runs"),
            query: &[("filter", "latest"), PAGE],
            parse: wire::check_runs,
        };
        let statuses = Question { path: format!("{base}/status"), query: &[PAGE], parse: wire::statuses };
        let new_runs = self.kind(&runs, &what, &mut seen.runs).await?;
        let new_statuses = self.kind(&statuses, &what, &mut seen.statuses).await?;
        // The verdict is about both kinds: when one has news, the other is asked for once more.
        let (runs, statuses) = match (new_runs, new_statuses) {
            (Fresh::Same, Fresh::Same) => return Ok(None),
            (Fresh::New(runs, _), Fresh::New(statuses, _)) => (runs, statuses),
            (Fresh::New(new, _), Fresh::Same) => (new, whole(self.kind(&statuses, &what, &mut None).await?)),
            (Fresh::Same, Fresh::New(new, _)) => (whole(self.kind(&runs, &what, &mut None).await?), new),
        };
        let complete = runs.is_some() && statuses.is_some();
        let all = runs.into_iter().chain(statuses).flatten().collect();
        Ok(Some(CommitChecks { all, complete }))
    }

    async fn kind(
        &self,
        Question { path, query, parse }: &Question<'_>,
        what: &str,
        mark: &mut Option<Mark>,
    ) -> Result<Fresh<Kind>, ProviderError> {
        let tag = match mark {
            Some(Mark::Tag(tag)) => Some(tag.as_str()),
            Some(Mark::Hidden) | None => None,
        };
        match self.get_if_new(path, query, what, tag, *parse).await {
            Ok(Fresh::Same) => Ok(Fresh::Same),
            Ok(Fresh::New(checks, tag)) => {
                *mark = tag.clone().map(Mark::Tag);
                Ok(Fresh::New(Some(checks), tag))
            }
            // The commit was seen with the same token a moment ago, so a refusal is about the permission to see its checks.
            Err(ProviderError::Auth { .. } | ProviderError::NotFound { .. }) => {
                let known = mark.replace(Mark::Hidden) == Some(Mark::Hidden);
                Ok(if known { Fresh::Same } else { Fresh::New(None, None) })
            }
            Err(error) => Err(error),
        }
    }
}

/// An answer that was asked for without a tag has the whole.
fn whole(answer: Fresh<Kind>) -> Kind {
    match answer {
        Fresh::New(kind, _) => kind,
        Fresh::Same => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Passed, Pending};
    use super::*;

    #[test]
    fn one_failure_decides_and_what_is_hidden_is_not_failed() {
        let check = |outcome| Check { name: "ci".into(), outcome, title: String::new(), summary: String::new() };
        let verdict = |outcomes: &[Outcome], complete| {
            CommitChecks { all: outcomes.iter().map(|o| check(*o)).collect(), complete }.verdict()
        };
        assert_eq!(verdict(&[Passed, Pending, Failed], false), Checks::Failed);
        assert_eq!(verdict(&[Passed, Pending], false), Checks::Pending);
        assert_eq!(verdict(&[Passed], false), Checks::Unknown);
        assert_eq!(verdict(&[], false), Checks::Unknown);
        assert_eq!(verdict(&[Passed, Passed], true), Checks::Passed);
        assert_eq!(verdict(&[], true), Checks::None);
    }
}
