//! GitHub's REST API: redirects, lists that ignore the question, names that are none.

use super::{KEY, PATIENT, Stranger, http};
use crate::support::fake::Fault;
use crate::support::fake::github::{CREATE, Github as Fake, LIST, REPOSITORY};
use crate::support::git::{commit_tree, git};
use patchwork::config::GithubConfig;
use patchwork::providers::{Github, NewPullRequest, ProviderError};
use serde_json::json;
use std::time::Duration;
use tempfile::TempDir;

/// The fake over a repository with the branches `main` and `work`.
async fn fake() -> (Fake, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--bare"]);
    for branch in ["main", "work"] {
        let entry = crate::support::git::Entry { mode: "100644", path: b"a", content: branch.as_bytes() };
        commit_tree(dir.path(), branch, &[entry]);
    }
    (Fake::start("o/r", KEY, dir.path()).await, dir)
}

fn client(fake: &Fake) -> Github {
    let config = GithubConfig { api_url: format!("{}/", fake.url()), ..GithubConfig::default() };
    Github::new(http(PATIENT).0, &config, KEY.to_owned().into())
}

fn new_pull() -> NewPullRequest {
    let (title, body) = ("A change".into(), "Because.".into());
    NewPullRequest { title, body, head: "work".into(), base: "main".into(), draft: true }
}

#[tokio::test]
async fn a_repository_and_its_pull_requests_are_read() {
    let (fake, _dir) = fake().await;
    let client = client(&fake);
    let info = client.repository("o/r").await.unwrap();
    assert_eq!(
        (info.default_branch.as_str(), info.archived, info.private, info.can_push),
        ("main", false, true, Some(true))
    );
    assert_eq!(client.find_open("o/r", "work", "main").await.unwrap(), None);
    let made = client.open_pull_request("o/r", &new_pull()).await.unwrap();
    assert_eq!((made.number, made.draft, made.state.as_str(), made.merged), (1, true, "open", false));
    assert_eq!(client.find_open("o/r", "work", "main").await.unwrap().map(|p| p.number), Some(1));
    let again = client.open_pull_request("o/r", &new_pull()).await.unwrap();
    assert_eq!((again.number, fake.pulls().len()), (1, 1), "the one that is there");
}

#[tokio::test]
async fn a_list_that_ignores_the_question_is_not_believed() {
    let (fake, _dir) = fake().await;
    let other = json!([{"number": 9, "html_url": "https://github.example/o/r/pull/9", "draft": false, "state": "open",
        "head": {"ref": "other"}, "base": {"ref": "main"}}]);
    fake.fail(LIST, Fault::status(200, other.to_string()));
    assert_eq!(client(&fake).find_open("o/r", "work", "main").await.unwrap(), None);
}

#[tokio::test]
async fn a_renamed_repository_is_followed_and_a_stranger_is_not() {
    let (fake, _dir) = fake().await;
    let stranger = Stranger::start().await;
    let client = client(&fake);
    fake.fail(REPOSITORY, Fault::status(301, "").header("location", format!("{}/repos/o/r", fake.url())));
    client.repository("o/r").await.unwrap();
    for status in [301, 307] {
        fake.fail(REPOSITORY, Fault::status(status, "").header("location", format!("{}/repos/o/r", stranger.url())));
        let error = client.repository("o/r").await.unwrap_err().to_string();
        assert!(error.contains("another server") && error.contains("api_url"), "{error}");
    }
    assert_eq!(stranger.seen(), Vec::<String>::new(), "the token stays at home");
}

#[tokio::test]
async fn what_is_no_repository_name_never_becomes_a_path() {
    let (fake, _dir) = fake().await;
    for slug in ["", "o", "o/", "/r", "o/r/pulls", "o/..", "../r", "o/r?x", "o/r#x", "o/ r", "ö/r"] {
        let error = client(&fake).repository(slug).await.unwrap_err();
        assert!(matches!(error, ProviderError::Config { .. }), "{slug}: {error}");
    }
    assert_eq!(fake.calls(), Vec::<String>::new());
}

#[tokio::test]
async fn refusals_of_a_pull_request_are_told_apart() {
    let (fake, dir) = fake().await;
    let client = client(&fake);
    git(dir.path(), &["branch", "same", "main"]);
    let with = |head: &str, base: &str| NewPullRequest { head: head.into(), base: base.into(), ..new_pull() };
    for (new, words) in [
        (with("same", "main"), "nothing to propose"),
        (with("gone", "main"), "pushed branch `gone`"),
        (with("work", "gone"), "branch `gone` of o/r was not found. Set `branch`"),
    ] {
        let error = client.open_pull_request("o/r", &new).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.ends_with('.'), "{error}");
    }
    assert_eq!(fake.pulls().len(), 0);
}

#[tokio::test]
async fn a_rate_limit_that_ends_soon_is_waited_out_for_writes_too() {
    let (fake, _dir) = fake().await;
    let (http, waits) = http(PATIENT);
    let config = GithubConfig { api_url: fake.url().to_owned(), ..GithubConfig::default() };
    let client = Github::new(http, &config, KEY.to_owned().into());
    let slow = json!({"message": "You have exceeded a secondary rate limit."}).to_string();
    fake.fail(CREATE, Fault::status(429, slow).header("retry-after", "5"));
    client.open_pull_request("o/r", &new_pull()).await.unwrap();
    assert_eq!((waits.all(), fake.pulls().len()), (vec![Duration::from_secs(5)], 1));
}
