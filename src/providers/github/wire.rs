//! The JSON that GitHub is sent and sends, reduced to what is used.

use super::{NewPullRequest, PullRequest, RepoInfo, WHO};
use crate::providers::ProviderError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Longest title and body that GitHub takes, in characters.
const MAX_TITLE: usize = 256;
const MAX_BODY: usize = 65_536;

#[derive(Deserialize)]
struct Repo {
    default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    private: bool,
    permissions: Option<Permissions>,
}

#[derive(Deserialize)]
struct Permissions {
    push: Option<bool>,
}

#[derive(Deserialize)]
struct Pull {
    number: u64,
    html_url: String,
    #[serde(default)]
    draft: bool,
    head: Branch,
    base: Branch,
    state: String,
    /// Absent in lists.
    merged: Option<bool>,
    merged_at: Option<String>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
}

/// A pull request with the branch it asks to be merged into.
pub(super) struct ListedPull {
    pub(super) head_ref: String,
    pub(super) base_ref: String,
    inner: PullRequest,
}

impl ListedPull {
    pub(super) fn into_inner(self) -> PullRequest {
        self.inner
    }
}

impl From<Pull> for ListedPull {
    fn from(pull: Pull) -> Self {
        let inner = PullRequest {
            number: pull.number,
            html_url: pull.html_url,
            draft: pull.draft,
            head_ref: pull.head.name.clone(),
            state: pull.state,
            merged: pull.merged.unwrap_or(pull.merged_at.is_some()),
        };
        Self { head_ref: pull.head.name, base_ref: pull.base.name, inner }
    }
}

pub(super) fn new_pull_request(new: &NewPullRequest, draft: bool) -> Value {
    json!({
        "title": clip(&new.title, MAX_TITLE),
        "body": clip(&new.body, MAX_BODY),
        "head": new.head,
        "base": new.base,
        "draft": draft,
    })
}

/// A text that is too long for GitHub is better cut than refused: the whole of it stands in the run's history.
fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max { text.to_owned() } else { text.chars().take(max - 1).chain(['…']).collect() }
}

pub(super) fn repository(body: &[u8]) -> Result<RepoInfo, ProviderError> {
    let repo: Repo = parse(body)?;
    Ok(RepoInfo {
        default_branch: repo.default_branch,
        archived: repo.archived,
        private: repo.private,
        can_push: repo.permissions.and_then(|p| p.push),
    })
}

pub(super) fn pull_request(body: &[u8]) -> Result<PullRequest, ProviderError> {
    parse::<Pull>(body).map(|pull| ListedPull::from(pull).into_inner())
}

pub(super) fn pull_requests(body: &[u8]) -> Result<Vec<ListedPull>, ProviderError> {
    Ok(parse::<Vec<Pull>>(body)?.into_iter().map(ListedPull::from).collect())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ProviderError> {
    serde_json::from_slice(body).map_err(|e| {
        ProviderError::garbage(WHO, format!("not the documented answer ({e}). Check `api_url` under [github]."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_and_not_refused() {
        let new = NewPullRequest {
            title: "ü".repeat(300),
            body: "b".repeat(70_000),
            head: "h".into(),
            base: "main".into(),
            draft: true,
        };
        let sent = new_pull_request(&new, new.draft);
        assert_eq!(sent["title"].as_str().unwrap().chars().count(), MAX_TITLE);
        assert_eq!(sent["body"].as_str().unwrap().chars().count(), MAX_BODY);
    }

    #[test]
    fn merged_is_known_in_lists_too() {
        let body = br#"[{"number":7,"html_url":"u","draft":false,"state":"closed","merged_at":"2026-01-01T00:00:00Z","head":{"ref":"h","sha":"1"},"base":{"ref":"main"}}]"#;
        assert!(pull_requests(body).unwrap().remove(0).into_inner().merged);
    }
}
