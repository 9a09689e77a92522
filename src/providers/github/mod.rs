//! GitHub's REST API, as far as drafts need it: a repository's facts, pull requests, and what people and checks say about them.
//!
//! Works against GitHub Enterprise by its base URL. Only reads are repeated blindly: when it is unknown whether a pull request
//! or a comment was created, it is looked up before another is asked for. `call` is how it is asked, `wire` what the answers look
//! like, `failure` tells GitHub's many refusals apart.

mod call;
mod checks;
mod failure;
mod pulls;
mod talk;
mod wire;

use super::ProviderError;
use super::http::Http;
use crate::config::GithubConfig;
use secrecy::SecretString;

pub use checks::{Check, CommitChecks, Outcome};
pub use pulls::{NewPullRequest, News, PullRequest, Seen};
pub use talk::{Author, Comment, Place, Standing};

/// Its name in messages.
const WHO: &str = "GitHub";

/// The version whose answers [`wire`] reads; supported until at least March 2028.
const VERSION: &str = "2022-11-28";

/// A repository, as far as a draft cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    pub default_branch: String,
    pub archived: bool,
    pub private: bool,
    /// Whether the token may push; `None` when GitHub does not say.
    pub can_push: Option<bool>,
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

    /// Whether the token is good, whatever it may do: every kind of token may ask this, and asking is free. Requests that are left in
    /// this hour, where the server counts them.
    pub async fn requests_left(&self) -> Result<Option<u64>, ProviderError> {
        match self.get("/rate_limit", &[], "The rate limit").await {
            Ok(response) => self.read(response, wire::requests_left).await.map(Some),
            // GitHub Enterprise with its limits off, which it tells nobody without a good token.
            Err(ProviderError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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
