//! GitHub's REST API, as far as publishing a draft needs it: a repository's facts, and pull requests.
//!
//! Works against GitHub Enterprise by its base URL. Only reads are repeated blindly: when it is unknown whether a pull request
//! was created, it is looked up before another is asked for. `failure` tells GitHub's many refusals apart.

mod failure;
mod wire;

use super::ProviderError;
use super::http::{Call, Failure, Http, Repeat, UNHEARD};
use crate::config::GithubConfig;
use failure::Rejection;
use reqwest::header::HeaderValue;
use reqwest::{Client, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// Its name in messages.
const WHO: &str = "GitHub";

/// The version whose answers [`wire`] reads; supported until at least March 2028.
const VERSION: &str = "2022-11-28";

/// Time for one whole answer.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A repository, as far as a draft cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    pub default_branch: String,
    pub archived: bool,
    pub private: bool,
    /// Whether the token may push; `None` when GitHub does not say.
    pub can_push: Option<bool>,
}

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
    /// `open` or `closed`.
    pub state: String,
    pub merged: bool,
}

/// The API with one token.
#[derive(Debug, Clone)]
pub struct Github {
    http: Http,
    api_url: String,
    token: SecretString,
}

impl Github {
    pub fn new(http: Http, config: &GithubConfig, token: SecretString) -> Self {
        Self { http, api_url: config.api_url.trim_end_matches('/').to_owned(), token }
    }

    /// # Errors
    /// `NotFound` when there is no such repository or the token can't see it: GitHub does not tell the two apart.
    pub async fn repository(&self, slug: &str) -> Result<RepoInfo, ProviderError> {
        let path = repo_path(slug)?;
        let response = self.get(&path, &[], &format!("The repository {slug}")).await?;
        self.read(response, wire::repository).await
    }

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
        let auth = self.auth_header()?;
        let body = wire::new_pull_request(new, draft);
        let what = format!("The repository {slug}");
        let build = |client: &Client| Self::request(client.post(self.url(path)), &auth).json(&body);
        let judge = |f: &Failure| failure::judge(f, &what, &self.token);
        let sent = self
            .http
            .send(&Call { who: WHO, repeat: Repeat::WhenRefused, build: &build, judge: &judge, on_wait: UNHEARD })
            .await;
        let response = sent.map_err(failure::rejection)?;
        Ok(self.read(response, wire::pull_request).await?)
    }

    /// The open pull request for these two branches of one repository.
    pub async fn find_open(&self, slug: &str, head: &str, base: &str) -> Result<Option<PullRequest>, ProviderError> {
        let path = format!("{}/pulls", repo_path(slug)?);
        let owner = slug.split('/').next().unwrap_or_default();
        let qualified = format!("{owner}:{head}");
        let query = [("state", "open"), ("head", qualified.as_str()), ("base", base), ("per_page", "100")];
        let response = self.get(&path, &query, &format!("The repository {slug}")).await?;
        // GitHub passes over a `head` that it doesn't like and lists everything, so each one is looked at.
        let all = self.read(response, wire::pull_requests).await?;
        Ok(all.into_iter().find(|pr| pr.head_ref == head && pr.base_ref == base).map(wire::ListedPull::into_inner))
    }

    pub async fn pull_request(&self, slug: &str, number: u64) -> Result<PullRequest, ProviderError> {
        let path = format!("{}/pulls/{number}", repo_path(slug)?);
        let response = self.get(&path, &[], &format!("The pull request {slug}#{number}")).await?;
        self.read(response, wire::pull_request).await
    }

    async fn get(&self, path: &str, query: &[(&str, &str)], what: &str) -> Result<Response, ProviderError> {
        let auth = self.auth_header()?;
        let build = |client: &Client| Self::request(client.get(self.url(path)).query(query), &auth);
        let judge = |f: &Failure| failure::judge(f, what, &self.token);
        self.http.send(&Call { who: WHO, repeat: Repeat::Always, build: &build, judge: &judge, on_wait: UNHEARD }).await
    }

    fn request(builder: RequestBuilder, auth: &HeaderValue) -> RequestBuilder {
        builder
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", VERSION)
            .header("authorization", auth.clone())
            .timeout(TIMEOUT)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api_url)
    }

    /// Reads an answer. What is wrong with one may be quoted from it, so the token is hidden there, too.
    async fn read<T>(
        &self,
        response: Response,
        parse: fn(&[u8]) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let body = response.bytes().await.map_err(|e| self.http.transport_error(WHO, e))?;
        parse(&body).map_err(|e| e.hiding(&self.token))
    }

    fn auth_header(&self) -> Result<HeaderValue, ProviderError> {
        let value = format!("Bearer {}", self.token.expose_secret().trim());
        let mut value = HeaderValue::from_str(&value).map_err(|_| ProviderError::Auth {
            who: WHO,
            message: "it has characters that no token has. Set GITHUB_TOKEN again.".into(),
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Whether the request may have acted although it failed. A rate limit refuses before it acts.
fn is_ambiguous(error: &ProviderError) -> bool {
    error.is_transient() && !matches!(error, ProviderError::RateLimited { .. })
}

/// `/repos/owner/name`, for a slug that can be nothing else.
fn repo_path(slug: &str) -> Result<String, ProviderError> {
    let is_name = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && !matches!(part, "." | "..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    match slug.split_once('/') {
        Some((owner, name)) if is_name(owner) && is_name(name) => Ok(format!("/repos/{owner}/{name}")),
        _ => Err(ProviderError::config(format!(
            "`{slug}` is not a GitHub repository: write `owner/name` under [[repository]] in config.toml."
        ))),
    }
}
