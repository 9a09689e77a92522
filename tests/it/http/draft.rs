//! Drafting over HTTP: a real run of a real command on a real repository, told as the original told it.

use super::{Door, TIME, json_request};
use crate::support::{TestEngine, options};
use axum::http::Method;
use futures::StreamExt;
use patchwork::config::{Config, Repository, Secrets, Source};
use patchwork::domain::id::FeedbackId;
use patchwork::http::Limits;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use tower::ServiceExt;

fn git(dir: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").current_dir(dir).args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A door whose drafts are made by `script` in a local repository of one file.
async fn door(script: &str) -> Door {
    let dir = tempfile::tempdir().unwrap();
    let repository = dir.path().join("repository");
    std::fs::create_dir(&repository).unwrap();
    std::fs::write(repository.join("server.py"), "def search(): pass\n").unwrap();
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "Start"]);
    let mut config = Config::default();
    config.command.run = ["sh", "-c", script].map(str::to_owned).to_vec();
    config.repositories = vec![Repository {
        drafter: Some(patchwork::domain::draft::DrafterKind::Command),
        target: Some(patchwork::domain::draft::TargetKind::Local),
        ..Repository::new("*", Source::Local(repository))
    }];
    let mut options = options(dir.path());
    options.config = Arc::new(config);
    let engine = patchwork::engine::Engine::open(options).await.unwrap();
    Door::over(TestEngine { engine, dir }, &Secrets::default(), Limits::default())
}

fn path(id: &str, query: &str) -> String {
    format!("/api/feedback/{id}/draft-pr{query}")
}

/// Names and data of a whole stream.
async fn story(door: &Door, path: &str, key: &str) -> Vec<(String, Value)> {
    let mut request = json_request(Method::POST, path, &json!({}));
    request.headers_mut().insert("idempotency-key", key.parse().unwrap());
    let answer = door.send(request).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/event-stream"), "{answer:?}");
    let message = |text: &str| {
        let (name, data) = text.split_once('\n').unwrap();
        let data = data.strip_prefix("data: ").unwrap();
        (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
    };
    answer.body.split("\n\n").filter(|m| m.starts_with("event: ")).map(message).collect()
}

#[tokio::test]
async fn a_run_is_told_from_its_first_step_to_its_branch() {
    let door = door("echo 'def search_costs(): pass' >> server.py").await;
    let id = door.report(json!({})).await;
    let first = story(&door, &path(&id, ""), "k1").await;
    let steps: Vec<_> =
        first.iter().filter(|(name, _)| name == "step").map(|(_, data)| data.as_str().unwrap()).collect();
    assert_eq!(steps.first(), Some(&"Check out the repository"), "{first:?}");
    assert_eq!(steps.last(), Some(&"Publish the draft"), "{first:?}");
    assert!(first.iter().any(|(name, data)| name == "detail" && data.is_string()), "{first:?}");
    let (last, done) = first.last().unwrap();
    assert_eq!((last.as_str(), &done["pr_url"]), ("done", &json!("")), "{first:?}");
    let branch = done["branch"].as_str().unwrap();
    let diff = git(&door.test.dir.path().join("repository"), &["show", "--stat", "--format=", branch]);
    assert!(diff.contains("server.py"), "{diff}");

    assert_eq!(story(&door, &path(&id, ""), "k1").await, first, "the same request, the same run, the same story");

    let again = door.call(Method::POST, &path(&id, "?force=false"), &json!({})).await;
    assert_eq!(again.status, 409, "{again:?}");
    assert!(again.detail().contains("draft"));
    let forced = story(&door, &path(&id, "?force=true"), "k2").await;
    assert_eq!(forced.last().unwrap().0, "done", "{forced:?}");
    assert_ne!(&forced.last().unwrap().1["branch"], branch);
}

#[tokio::test]
async fn a_run_that_fails_ends_in_words_and_leaves_the_report_as_it_was() {
    let door = door("exit 3").await;
    let id = door.report(json!({})).await;
    let before = door.get(&format!("/api/feedback/{id}")).await.json();
    let told = story(&door, &path(&id, ""), "k").await;
    let (last, reason) = told.last().unwrap();
    assert_eq!(last, "error", "{told:?}");
    assert!(!reason.as_str().unwrap().is_empty());
    assert_eq!(door.get(&format!("/api/feedback/{id}")).await.json(), before);
}

#[tokio::test]
async fn the_run_goes_on_when_its_watcher_leaves() {
    let door = door("echo x >> server.py").await;
    let id = door.report(json!({})).await;
    let response = door.router().oneshot(json_request(Method::POST, &path(&id, ""), &json!({}))).await.unwrap();
    let mut body = response.into_body().into_data_stream();
    let first = tokio::time::timeout(TIME, body.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"event: step"));
    drop(body);
    tokio::time::timeout(TIME, door.engine().until_idle()).await.unwrap();
    let runs = door.engine().drafts(Some(&FeedbackId::parse(id).unwrap())).await.unwrap();
    assert_eq!(runs[0].state.word(), "published", "{runs:?}");
}

#[tokio::test]
async fn no_such_report_is_404_and_nothing_is_started() {
    let door = door("true").await;
    let answer = door.call(Method::POST, &path("nope", ""), &json!({})).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert!(door.engine().drafts(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn not_configured_is_400_with_what_is_missing() {
    let door = Door::open().await;
    let id = door.report(json!({})).await;
    let answer = door.call(Method::POST, &path(&id, ""), &json!({})).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(!answer.detail().is_empty());
}

#[tokio::test]
async fn force_is_true_or_false() {
    let door = Door::open().await;
    let id = door.report(json!({})).await;
    let answer = door.call(Method::POST, &path(&id, "?force=maybe"), &json!({})).await;
    assert_eq!(answer.places(), ["query.force"]);
}
