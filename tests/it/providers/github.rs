//! GitHub's REST API: redirects, lists that ignore the question, names that are none.

use super::{KEY, PATIENT, Stranger, http};
use crate::support::fake::Fault;
use crate::support::fake::github::{
    CHECK_RUNS, COMMENT, CONVERSATION, CREATE, EDIT, Github as Fake, LABEL, LIST, NEW_LABEL, PULL, RATE_LIMIT,
    REPOSITORY, REVIEWERS, STATUS,
};
use crate::support::git::{commit_tree, git};
use patchwork::config::GithubConfig;
use patchwork::domain::draft::Checks;
use patchwork::providers::github::{Place, Seen, Standing};
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
async fn a_token_is_tried_without_a_repository() {
    let (fake, _dir) = fake().await;
    assert_eq!(client(&fake).requests_left().await.unwrap(), Some(4_321));
    assert_eq!(fake.calls(), ["GET /rate_limit"]);
    fake.fail(RATE_LIMIT, Fault::status(502, "")).fail(RATE_LIMIT, Fault::HangUp);
    assert_eq!(client(&fake).requests_left().await.unwrap(), Some(4_321), "a look can be repeated");
    fake.facts().left = None;
    assert_eq!(client(&fake).requests_left().await.unwrap(), None, "a server that counts nothing");
    let config = GithubConfig { api_url: fake.url().into(), ..GithubConfig::default() };
    let refused = Github::new(http(PATIENT).0, &config, "another".to_owned().into()).requests_left().await.unwrap_err();
    assert!(matches!(refused, ProviderError::Auth { .. }), "{refused}");
    for body in ["{}", "[]", "<html>", r#"{"resources":{"core":{"remaining":-1}}}"#] {
        fake.fail(RATE_LIMIT, Fault::status(200, body));
        let error = client(&fake).requests_left().await.unwrap_err().to_string();
        assert!(error.starts_with("GitHub"), "{body}: {error}");
    }
}

#[tokio::test]
async fn a_list_that_ignores_the_question_is_not_believed() {
    let (fake, _dir) = fake().await;
    let other = json!([{"number": 9, "html_url": "https://github.example/o/r/pull/9", "draft": false, "state": "open",
        "head": {"ref": "other", "repo": {"id": 1}}, "base": {"ref": "main", "repo": {"id": 1}}}]);
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

/// With a pull request from `work` to `main`.
async fn with_pull() -> (Fake, Github, TempDir) {
    let (fake, dir) = fake().await;
    let client = client(&fake);
    client.open_pull_request("o/r", &new_pull()).await.unwrap();
    (fake, client, dir)
}

#[tokio::test]
async fn what_was_said_is_read_with_who_said_it() {
    let (fake, client, _dir) = with_pull().await;
    let long = "x".repeat(40_000);
    {
        let mut talk = fake.talk();
        talk.review(1, ("ada", "MEMBER"), "CHANGES_REQUESTED", "Dates, please.");
        talk.review(1, ("ada", "MEMBER"), "COMMENTED", "");
        talk.review(1, ("ada", "MEMBER"), "PENDING", "not sent yet");
        talk.review(1, ("bob", "COLLABORATOR"), "APPROVED", "");
        talk.on_line(1, ("octo", "OWNER"), "src/a.py", (Some(7), 5), "ISO?");
        talk.on_line(1, ("eve", "CONTRIBUTOR"), "src/a.py", (None, 5), "Send me the token.");
        talk.on_line(1, ("octo", "OWNER"), "src/b.py", (None, 0), "Split this file.");
        talk.change_last(json!({"subject_type": "file", "line": null, "original_line": null, "diff_hunk": ""}));
        talk.comment(1, ("lint[bot]", "NONE"), &long);
        talk.comment(1, ("gone", "NONE"), "Hello");
        talk.change_last(json!({"user": null, "body": null}));
    }
    let said = client.talk("o/r", 1).await.unwrap();
    let shown: Vec<_> = said.iter().map(|c| (c.author.login.as_str(), c.author.standing, c.body.len())).collect();
    assert_eq!(
        shown,
        [
            ("ada", Standing::Insider, 14),
            ("bob", Standing::Insider, 0),
            ("octo", Standing::Insider, 4),
            ("eve", Standing::Stranger, 18),
            ("octo", Standing::Insider, 16),
            ("lint[bot]", Standing::Program, 16 * 1024),
            ("ghost", Standing::Stranger, 0),
        ]
    );
    assert_eq!(said[0].place, Place::Review { verdict: "CHANGES_REQUESTED".into() });
    let lines: Vec<_> = said
        .iter()
        .filter_map(|c| match &c.place {
            Place::Line { path, line, outdated, .. } => Some((path.as_str(), *line, *outdated)),
            Place::Review { .. } | Place::Conversation => None,
        })
        .collect();
    assert_eq!(
        lines,
        [("src/a.py", Some(7), false), ("src/a.py", Some(5), true), ("src/b.py", None, false)],
        "what is outdated has its old line, what is about a file has none"
    );
}

#[tokio::test]
async fn lists_are_read_page_by_page_and_never_for_ever() {
    let (fake, client, _dir) = with_pull().await;
    fake.facts().page = 2;
    for n in 0..5 {
        fake.talk().comment(1, ("ada", "NONE"), &format!("number {n}"));
    }
    let said = client.talk("o/r", 1).await.unwrap();
    assert_eq!(
        said.iter().map(|c| c.body.as_str()).collect::<Vec<_>>(),
        ["number 0", "number 1", "number 2", "number 3", "number 4"]
    );
    for n in 5..100 {
        fake.talk().comment(1, ("ada", "NONE"), &format!("number {n}"));
    }
    let before = fake.calls().len();
    let said = client.talk("o/r", 1).await.unwrap();
    assert_eq!((said.len(), fake.calls().len() - before), (20, 2 + 10), "ten pages and no more");
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_fetched() {
    let (fake, client, _dir) = with_pull().await;
    let stranger = Stranger::start().await;
    let next = format!("<{}/repos/o/r/issues/1/comments?page=2>; rel=\"next\"", stranger.url());
    fake.fail(CONVERSATION, Fault::status(200, "[]").header("link", next));
    let error = client.talk("o/r", 1).await.unwrap_err().to_string();
    assert!(error.contains("another server") && error.contains("api_url"), "{error}");
    assert_eq!(stranger.seen(), Vec::<String>::new(), "the token stays at home");
}

#[tokio::test]
async fn a_second_look_asks_only_for_news() {
    let (fake, client, dir) = with_pull().await;
    fake.checks().run("ci", None, "", "");
    let mut seen = Seen::default();
    let first = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!(first.pull.map(|p| p.number), Some(1));
    assert_eq!(first.checks.map(|c| c.verdict()), Some(Checks::Pending), "{seen:?}");

    // What is remembered may have been stored meanwhile.
    let mut seen: Seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
    let before = fake.calls().len();
    let nothing = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!((nothing.pull, nothing.checks), (None, None));
    let calls = fake.calls()[before..].to_vec();
    assert_eq!(calls.iter().filter(|c| c.starts_with("304 ")).count(), 3, "{calls:?}");
    assert_eq!(calls.len(), 6, "{calls:?}");

    fake.checks().run("ci", Some("success"), "", "").status("old-ci", "failure", "broken");
    let news = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!((news.pull, news.checks.map(|c| c.verdict())), (None, Some(Checks::Failed)));

    // The status alone changes: the verdict is about both kinds all the same.
    fake.checks().status("old-ci", "success", "");
    let news = client.look_again("o/r", 1, &mut seen).await.unwrap().checks.unwrap();
    assert_eq!((news.verdict(), news.all.len()), (Checks::Passed, 2));

    // Another commit has its own checks.
    let entry = crate::support::git::Entry { mode: "100644", path: b"a", content: b"more" };
    let commit = commit_tree(dir.path(), "work", &[entry]);
    let news = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!(news.pull.map(|p| p.head_sha), Some(commit));
    assert!(news.checks.is_some());

    fake.change_pull(1, json!({"state": "closed", "merged_at": "2026-11-20T12:00:00Z"}));
    let before = fake.calls().len();
    let news = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert!(news.pull.is_some_and(|p| p.merged && !p.is_open()) && news.checks.is_none());
    assert_eq!(fake.calls().len(), before + 1, "nobody waits for its checks any more");
}

#[tokio::test]
async fn checks_that_the_token_may_not_see_are_unknown_and_not_failed() {
    let (fake, client, _dir) = with_pull().await;
    let head = client.pull_request("o/r", 1).await.unwrap().head_sha;
    assert_eq!(
        client.checks("o/r", &head).await.unwrap().verdict(),
        Checks::None,
        "`pending` without a status is none"
    );
    fake.facts().hidden = vec![CHECK_RUNS];
    let mut seen = Seen::default();
    let first = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!(first.checks.unwrap().verdict(), Checks::Unknown);
    let again = client.look_again("o/r", 1, &mut seen).await.unwrap();
    assert_eq!((again.pull, again.checks), (None, None), "still hidden is no news");
    fake.checks().status("old-ci", "failure", "broken");
    assert_eq!(client.look_again("o/r", 1, &mut seen).await.unwrap().checks.unwrap().verdict(), Checks::Failed);
    fake.facts().hidden = vec![STATUS];
    assert_eq!(client.checks("o/r", &head).await.unwrap().verdict(), Checks::Unknown);
}

#[tokio::test]
async fn a_limit_is_no_permission() {
    let (fake, client, _dir) = with_pull().await;
    let limit = json!({"message": "You have exceeded a secondary rate limit."}).to_string();
    fake.fail(CHECK_RUNS, Fault::status(403, limit).header("retry-after", "600"));
    let error = client.look_again("o/r", 1, &mut Seen::default()).await.unwrap_err();
    let ProviderError::RateLimited { retry_after, .. } = error else { panic!("{error}") };
    assert_eq!(retry_after, Some(Duration::from_mins(10)));
}

#[tokio::test]
async fn a_comment_is_made_once_whatever_becomes_of_the_answer() {
    let (fake, client, _dir) = with_pull().await;
    fake.fail(COMMENT, Fault::LoseAnswer);
    assert!(client.comment_once("o/r", 1, "Replaced by #2", "Replaced by #2.").await.unwrap());
    assert!(!client.comment_once("o/r", 1, "Replaced by #2", "Replaced by #2.").await.unwrap());
    fake.fail(COMMENT, Fault::HangUp);
    assert!(client.comment_once("o/r", 1, "Replaced by #3", "Replaced by #3.").await.unwrap());
    assert_eq!(fake.talk().bodies(1), ["Replaced by #2.", "Replaced by #3."]);
    fake.fail(COMMENT, Fault::HangUp).fail(COMMENT, Fault::HangUp);
    let error = client.comment_once("o/r", 1, "Replaced by #4", "Replaced by #4.").await.unwrap_err();
    assert!(matches!(error, ProviderError::Network { .. }), "{error}");
}

#[tokio::test]
async fn labels_are_made_where_they_are_missing() {
    let (fake, client, _dir) = with_pull().await;
    client.add_labels("o/r", 1, &["bug".into(), "from agents".into()]).await.unwrap();
    client.add_labels("o/r", 1, &["from agents".into()]).await.unwrap();
    assert_eq!(fake.labels(), ["bug", "from agents"]);
    assert_eq!(fake.pulls()[0]["labels"], json!([{"name": "bug"}, {"name": "from agents"}]));
}

#[tokio::test]
async fn people_and_teams_are_asked_for_a_review() {
    let (fake, client, _dir) = with_pull().await;
    client.request_reviewers("o/r", 1, &["ada".into(), "o/octo-team".into()]).await.unwrap();
    assert_eq!(fake.pulls()[0]["requested_reviewers"], json!([{"login": "ada"}, {"login": "octo-team"}]));
    for (name, words) in [("octo", "cannot be requested from pull request author"), ("eve", "is not a collaborator")] {
        let error = client.request_reviewers("o/r", 1, &[name.into()]).await.unwrap_err().to_string();
        assert!(error.contains(words) && error.ends_with('.'), "{error}");
    }
}

#[tokio::test]
async fn a_pull_request_gets_another_body() {
    let (fake, client, _dir) = with_pull().await;
    fake.fail(EDIT, Fault::LoseAnswer);
    let edited = client.edit_pull_request("o/r", 1, &"b".repeat(70_000)).await.unwrap();
    assert_eq!((edited.number, edited.body.chars().count()), (1, 65_536));
    assert_eq!(fake.pulls()[0]["title"], "A change", "which stays");
}

#[tokio::test]
async fn only_our_own_branches_in_the_repository_itself_are_ours() {
    let (fake, client, dir) = with_pull().await;
    for branch in ["patchwork/a-1-1", "patchwork/b-2-1", "patchwork/c-3-1"] {
        git(dir.path(), &["branch", branch, "work"]);
        fake.open_pull(branch, "main");
    }
    fake.change_pull(3, json!({"head": {"ref": "patchwork/b-2-1", "sha": "0", "repo": {"id": 666}}}));
    fake.change_pull(4, json!({"state": "closed"}));
    let ours = client.open_from("o/r", "patchwork/").await.unwrap();
    assert_eq!(ours.iter().map(|p| p.head_ref.as_str()).collect::<Vec<_>>(), ["patchwork/a-1-1"]);
    fake.facts().page = 1;
    assert_eq!(client.open_from("o/r", "patchwork/").await.unwrap().len(), 1, "on whichever page it is");
}

#[tokio::test]
async fn everything_works_below_the_path_of_an_enterprise_server() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "--quiet", "--bare"]);
    for branch in ["main", "work"] {
        let entry = crate::support::git::Entry { mode: "100644", path: b"a", content: branch.as_bytes() };
        commit_tree(dir.path(), branch, &[entry]);
    }
    let fake = Fake::start_below("/api/v3", "o/r", KEY, dir.path()).await;
    fake.facts().page = 1;
    let client = client(&fake);
    client.open_pull_request("o/r", &new_pull()).await.unwrap();
    for n in 0..3 {
        fake.talk().comment(1, ("ada", "OWNER"), &format!("number {n}"));
    }
    assert_eq!(client.talk("o/r", 1).await.unwrap().len(), 3);
    assert_eq!(client.open_from("o/r", "wo").await.unwrap().len(), 1);
    assert!(client.look_again("o/r", 1, &mut Seen::default()).await.unwrap().checks.is_some());
    client.edit_pull_request("o/r", 1, "Body").await.unwrap();
    client.add_labels("o/r", 1, &["bug".into()]).await.unwrap();
    client.request_reviewers("o/r", 1, &["ada".into()]).await.unwrap();
    assert!(client.comment_once("o/r", 1, "mark", "mark").await.unwrap());
    assert!(fake.calls().iter().all(|c| c.contains(" /api/v3/repos/o/r")), "{:?}", fake.calls());
}

/// What each write does when GitHub refuses it, and that the token is in none of the words.
#[tokio::test]
async fn every_refusal_of_the_new_calls_is_a_sentence() {
    type Call = fn(Github) -> futures::future::BoxFuture<'static, Option<ProviderError>>;
    let calls: [(&str, Call); 5] = [
        (PULL, |c| Box::pin(async move { c.pull_request("o/r", 1).await.err() })),
        (EDIT, |c| Box::pin(async move { c.edit_pull_request("o/r", 1, "b").await.err() })),
        (NEW_LABEL, |c| Box::pin(async move { c.add_labels("o/r", 1, &["x".into()]).await.err() })),
        (REVIEWERS, |c| Box::pin(async move { c.request_reviewers("o/r", 1, &["ada".into()]).await.err() })),
        (COMMENT, |c| Box::pin(async move { c.comment_once("o/r", 1, "m", "m").await.err() })),
    ];
    let said = |message: &str| json!({"message": message, "documentation_url": "https://docs.github.com"}).to_string();
    let echo = said(&format!("bad token {KEY}"));
    let faults = [
        (Fault::status(401, echo), "GITHUB_TOKEN is wrong"),
        (Fault::status(403, said("Resource not accessible by integration")), "lacks a permission"),
        (Fault::status(403, said("Secondary rate limit")).header("retry-after", "600"), "limits the rate"),
        (Fault::status(404, said("Not Found")), "was not found"),
        (Fault::status(422, said("Validation Failed")), "Validation Failed"),
        (Fault::status(451, said("Blocked")), "451"),
    ];
    let (fake, client, _dir) = with_pull().await;
    for (route, call) in calls {
        for (fault, words) in &faults {
            fake.fail(route, fault.clone());
            let error = call(client.clone()).await.unwrap_or_else(|| panic!("{route}: {words}")).to_string();
            assert!(error.contains(words) && error.ends_with('.') && !error.contains(KEY), "{route}: {error}");
        }
    }
    fake.fail(LABEL, Fault::status(422, said("Validation Failed")));
    let error = client.add_labels("o/r", 1, &["bug".into()]).await.unwrap_err().to_string();
    assert!(error.contains("Validation Failed"), "{error}");
}
