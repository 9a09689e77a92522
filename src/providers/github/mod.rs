//! GitHub's REST API, as far as publishing a draft needs it.
use super::{Http, ProviderError};
use crate::config::GithubConfig;
use secrecy::SecretString;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoInfo {
    pub default_branch: String,
    pub archived: bool,
    pub private: bool,
    /// Whether the token may push; `None` when GitHub does not say.
    pub can_push: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPullRequest {
    pub title: String,
    pub body: String,
    /// The branch with the change, in the same repository.
    pub head: String,
    pub base: String,
    pub draft: bool,
}

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

#[derive(Debug, Clone)]
pub struct Github {}

impl Github {
    pub fn new(_http: Http, _config: &GithubConfig, _token: SecretString) -> Self {
        Self {}
    }
    pub async fn repository(&self, _slug: &str) -> Result<RepoInfo, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
    pub async fn open_pull_request(&self, _slug: &str, _new: &NewPullRequest) -> Result<PullRequest, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
    pub async fn find_open(&self, _slug: &str, _head: &str, _base: &str) -> Result<Option<PullRequest>, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
    pub async fn pull_request(&self, _slug: &str, _number: u64) -> Result<PullRequest, ProviderError> {
        Err(ProviderError::config("in the making"))
    }
}
