//! Pull requests: opened once whatever becomes of the answers, found again, looked at politely, edited, labelled.

use super::call::{Fresh, PAGE};
use super::checks::{CommitChecks, SeenChecks};
use super::failure::{self, Rejection};
use super::{Github, is_ambiguous, repo_path, wire};
use crate::providers::ProviderError;
use crate::providers::http::Repeat;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A pull request to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    pub title: String,
    pub body: String,
    /// The branch with the change, in the same repository.
    pub head: String,
    pub base: String,
    pub draft: bool,
}

/// A pull request as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub html_url: String,
    /// False although a draft was asked for when the repository's plan has no drafts.
    pub draft: bool,
    pub head_ref: String,
    /// The newest commit of the branch.
    pub head_sha: String,
    pub base_ref: String,
    /// Whether the branch is in the repository itself. Anybody may open a pull request from a fork, with any branch name.
    pub same_repository: bool,
    /// The login of whoever opened it.
    pub author: String,
    /// Markdown; untrusted.
    pub body: String,
    /// `open` or `closed`.
    pub state: String,
    pub merged: bool,
}

impl PullRequest {
    pub fn is_open(&self) -> bool {
        self.state == "open"
    }
}

/// What was heard of a pull request when it was last looked at, so that only news are asked for. Kept by the caller, as text if it likes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Seen {
    pull: Option<String>,
    /// The newest commit of the branch.
    head: String,
    checks: SeenChecks,
}

/// The news of a look; `None` where there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub pull: Option<PullRequest>,
    /// Of the newest commit, as long as the pull request is open.
    pub checks: Option<CommitChecks>,
}

impl Github {
    /// Opens a pull request, or returns the one that is open already for the same branches.
    ///
    /// Where drafts aren't supported it is opened as an ordinary one: the caller sees it by [`PullRequest::draft`].
    pub async fn open_pull_request(&self, slug: &str, new: &NewPullRequest) -> Result<PullRequest, ProviderError> {
        match self.create_or_find(slug, new, new.draft).await {
            Err(Rejection::NoDrafts) => {
                tracing::info!(repository = slug, "drafts are not supported here: opening an ordinary pull request");
                self.create_or_find(slug, new, false).await.map_err(|r| r.into_error(slug, new))
            }
            other => other.map_err(|r| r.into_error(slug, new)),
        }
    }

    async fn create_or_find(&self, slug: &str, new: &NewPullRequest, draft: bool) -> Result<PullRequest, Rejection> {
        let path = format!("{}/pulls", repo_path(slug)?);
        for _ in 0..2 {
            let answer = self.create(&path, slug, new, draft).await;
            let error = match answer {
                Ok(made) => return Ok(made),
                Err(rejection @ (Rejection::NoDrafts | Rejection::NoCommits | Rejection::BadBranch(_))) => {
                    return Err(rejection);
                }
                // Both may mean that it is there: the second because the answer was lost on its way.
                Err(Rejection::Exists(error)) => error,
                Err(Rejection::Other(error)) if is_ambiguous(&error) => error,
                Err(Rejection::Other(error)) => return Err(Rejection::Other(error)),
            };
            match self.find_open(slug, &new.head, &new.base).await? {
                Some(found) => return Ok(found),
                None if is_ambiguous(&error) => {}
                None => return Err(Rejection::Other(error)),
            }
        }
        self.create(&path, slug, new, draft).await
    }

    async fn create(
        &self,
        path: &str,
        slug: &str,
        new: &NewPullRequest,
        draft: bool,
    ) -> Result<PullRequest, Rejection> {
        let body = wire::new_pull_request(new, draft);
        let what = format!("The repository {slug}");
        let sent = self.write((Method::POST, path), &body, Repeat::WhenRefused, &what).await;
        let response = sent.map_err(failure::rejection)?;
        Ok(self.read(response, wire::pull_request).await?)
    }

    /// The open pull request for these two branches of one repository.
    pub async fn find_open(&self, slug: &str, head: &str, base: &str) -> Result<Option<PullRequest>, ProviderError> {
        let path = format!("{}/pulls", repo_path(slug)?);
        let owner = slug.split('/').next().unwrap_or_default();
        let qualified = format!("{owner}:{head}");
        let query = [("state", "open"), ("head", qualified.as_str()), ("base", base), PAGE];
        let response = self.get(&path, &query, &format!("The repository {slug}")).await?;
        // GitHub passes over a `head` that it doesn't like and lists everything, so each one is looked at.
        let all = self.read(response, wire::pull_requests).await?;
        Ok(all.into_iter().find(|pr| pr.head_ref == head && pr.base_ref == base && pr.same_repository))
    }

    /// The open pull requests whose branches are in the repository itself and begin with `prefix`, newest first.
    pub async fn open_from(&self, slug: &str, prefix: &str) -> Result<Vec<PullRequest>, ProviderError> {
        let path = format!("{}/pulls", repo_path(slug)?);
        let query = [("state", "open"), ("sort", "created"), ("direction", "desc"), PAGE];
        let mut all = self.list(&path, &query, &format!("The repository {slug}"), wire::pull_requests).await?;
        all.retain(|pr| pr.same_repository && pr.head_ref.starts_with(prefix));
        Ok(all)
    }

    pub async fn pull_request(&self, slug: &str, number: u64) -> Result<PullRequest, ProviderError> {
        let (path, what) = place(slug, number)?;
        let response = self.get(&path, &[], &what).await?;
        self.read(response, wire::pull_request).await
    }

    /// Looks whether a pull request that was open has changed, or its checks have. What has not changed is not sent again, and
    /// does not count against the rate limit.
    pub async fn look_again(&self, slug: &str, number: u64, seen: &mut Seen) -> Result<News, ProviderError> {
        let (path, what) = place(slug, number)?;
        let pull = match self.get_if_new(&path, &[], &what, seen.pull.as_deref(), wire::pull_request).await? {
            Fresh::Same => None,
            Fresh::New(pull, tag) => {
                if pull.head_sha != seen.head {
                    *seen = Seen { head: pull.head_sha.clone(), ..Seen::default() };
                }
                seen.pull = tag;
                Some(pull)
            }
        };
        if pull.as_ref().is_some_and(|p| !p.is_open()) {
            return Ok(News { pull, checks: None });
        }
        let checks = self.checks_if_new(slug, &seen.head, &mut seen.checks).await?;
        Ok(News { pull, checks })
    }

    /// Gives a pull request another body.
    pub async fn edit_pull_request(&self, slug: &str, number: u64, body: &str) -> Result<PullRequest, ProviderError> {
        let (path, what) = place(slug, number)?;
        let body = wire::edited_pull_request(body);
        // Twice is as good as once.
        let response = self.write((Method::PATCH, &path), &body, Repeat::Always, &what).await?;
        self.read(response, wire::pull_request).await
    }

    /// Puts labels on a pull request and makes those that the repository does not have.
    pub async fn add_labels(&self, slug: &str, number: u64, labels: &[String]) -> Result<(), ProviderError> {
        let repository = repo_path(slug)?;
        let what = format!("The labels of {slug}");
        for label in labels {
            let path = format!("{repository}/labels");
            let made = self.write((Method::POST, &path), &wire::new_label(label), Repeat::Always, &what).await;
            match made {
                Ok(_) => {}
                Err(error) if failure::exists_already(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let path = format!("{repository}/issues/{number}/labels");
        self.write((Method::POST, &path), &json!({"labels": labels}), Repeat::Always, &what).await.map(drop)
    }

    /// Asks people, and teams named as `owner/team`, for a review. One wrong name, and GitHub asks nobody.
    pub async fn request_reviewers(&self, slug: &str, number: u64, reviewers: &[String]) -> Result<(), ProviderError> {
        let (path, what) = place(slug, number)?;
        let path = format!("{path}/requested_reviewers");
        self.write((Method::POST, &path), &wire::reviewers(reviewers), Repeat::Always, &what).await.map(drop)
    }
}

/// The path of a pull request, and its name to begin a sentence with.
pub(super) fn place(slug: &str, number: u64) -> Result<(String, String), ProviderError> {
    Ok((format!("{}/pulls/{number}", repo_path(slug)?), format!("The pull request {slug}#{number}")))
}
