//! Everything that can go wrong with the repository, the push and the pull request: the run ends as failed with the reason in words, the
//! report stays as it was, and a re-draft works.

use crate::support::fake::git_server::{FETCH, PUSH, PUSH_REFS, REFS};
use crate::support::fake::github::{CREATE, LIST, REPOSITORY, ROUTES};
use crate::support::fake::world::{GITHUB_TOKEN, World, branches, published};
use crate::support::fake::{Fault, Gate};
use crate::support::git::git;
use patchwork::domain::draft::{DraftState, Stage};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// What breaks, the route and how; where the run ends; words that its reason has.
type Case = (Vec<(&'static str, Fault)>, Stage, &'static [&'static str]);

fn github_error(status: u16, message: &str) -> Fault {
    Fault::status(status, json!({"message": message, "documentation_url": "https://docs.github.com/rest"}).to_string())
}

fn unprocessable(error: &serde_json::Value) -> Fault {
    Fault::status(422, json!({"message": "Validation Failed", "errors": [error]}).to_string())
}

fn thrice(route: &'static str, fault: Fault) -> Vec<(&'static str, Fault)> {
    vec![(route, fault.clone()), (route, fault.clone()), (route, fault)]
}

async fn each_fails_in_words_and_the_next_draft_works(cases: Vec<Case>) {
    let world = World::open().await;
    let mut wrong = Vec::new();
    for (faults, at, words) in cases {
        let id = world.report(json!({})).await;
        for (route, fault) in faults {
            plan(&world, route, fault);
        }
        let asks = matches!(at, Stage::Check | Stage::Publish);
        if asks {
            world.good_reply();
        }
        let pulls = world.github.pulls().len();
        let (stage, reason) = world.failure(&id).await;
        let missing: Vec<_> = words.iter().filter(|w| !reason.contains(**w)).collect();
        let sentence = reason.ends_with('.') && !reason.contains("..") && reason.len() < 1_500;
        if stage != at || !missing.is_empty() || !sentence || reason.contains(GITHUB_TOKEN) {
            wrong.push(format!("{missing:?} missing in {stage}: {reason}"));
        }
        assert_eq!(world.anthropic.unasked(), 0, "{reason}");
        assert_eq!(world.github.pulls().len(), pulls, "{reason}");
        world.good_reply();
        world.publish(&id).await;
        // The change of a run that failed to publish is nothing that a new one could replace.
        let body = world.github.pulls().last().unwrap()["body"].as_str().unwrap().to_owned();
        assert!(!body.contains("replaces") && !body.contains("(empty)"), "{body}");
        let told = world.anthropic.last_turn();
        assert_eq!(told.contains("An earlier draft could not be published"), at == Stage::Publish, "{told}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    world.assert_clean();
}

fn plan(world: &World, route: &'static str, fault: Fault) {
    if ROUTES.contains(&route) {
        world.github.fail(route, fault);
    } else {
        world.git.fail(route, fault);
    }
}

#[tokio::test]
async fn faults_before_anything_is_paid_for() {
    let limited = github_error(403, "API rate limit exceeded for user ID 1.")
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", "4102444800");
    let secondary = github_error(403, "You have exceeded a secondary rate limit.").header("retry-after", "300");
    let sso = github_error(403, "Resource protected by organization SAML enforcement.")
        .header("x-github-sso", "required; url=https://github.example/orgs/o/sso");
    let permission = github_error(403, "Resource not accessible by personal access token")
        .header("x-accepted-github-permissions", "metadata=read");
    let elsewhere = Fault::status(301, "{}").header("location", "https://elsewhere.example/repositories/1");
    each_fails_in_words_and_the_next_draft_works(vec![
        (
            vec![(REPOSITORY, github_error(401, "Bad credentials"))],
            Stage::Checkout,
            &["refused the key", "GITHUB_TOKEN"],
        ),
        (vec![(REPOSITORY, limited)], Stage::Checkout, &["limits the rate", "try again in"]),
        (vec![(REPOSITORY, secondary)], Stage::Checkout, &["limits the rate", "5 min"]),
        (vec![(REPOSITORY, sso)], Stage::Checkout, &["single sign-on", "authorise the token"]),
        (vec![(REPOSITORY, permission)], Stage::Checkout, &["The token needs: metadata=read"]),
        (
            vec![(REPOSITORY, github_error(404, "Not Found"))],
            Stage::Checkout,
            &["octo/billing was not found", "GITHUB_TOKEN"],
        ),
        (
            vec![(REPOSITORY, github_error(451, "Repository access blocked"))],
            Stage::Checkout,
            &["451", "access blocked"],
        ),
        (thrice(REPOSITORY, github_error(503, "Unicorn!")), Stage::Checkout, &["status 503", "Unicorn", "ry again"]),
        (thrice(REPOSITORY, Fault::HangUp), Stage::Checkout, &["connection to GitHub", "try again"]),
        (vec![(REPOSITORY, elsewhere)], Stage::Checkout, &["moved to another server", "api_url"]),
        (
            vec![(REPOSITORY, Fault::status(200, "<html>Welcome</html>"))],
            Stage::Checkout,
            &["can't be understood", "api_url"],
        ),
    ])
    .await;
}

#[tokio::test]
async fn faults_of_the_git_server() {
    each_fails_in_words_and_the_next_draft_works(vec![
        (vec![(REFS, Fault::HangUp)], Stage::Checkout, &["connection to the git server", "try again"]),
        (vec![(REFS, Fault::status(503, ""))], Stage::Checkout, &["503", "ry again"]),
        (vec![(REFS, Fault::status(403, "No"))], Stage::Checkout, &["403", "GITHUB_TOKEN"]),
        (vec![(REFS, Fault::status(404, ""))], Stage::Checkout, &["was not found", "GITHUB_TOKEN"]),
        (
            vec![(REFS, Fault::status(200, "<html>Welcome</html>"))],
            Stage::Checkout,
            &["something else than a git server", "server_url"],
        ),
        (vec![(FETCH, Fault::HangUp)], Stage::Checkout, &["connection to the git server", "try again"]),
        (vec![(FETCH, Fault::status(500, ""))], Stage::Checkout, &["500", "ry again"]),
        (
            vec![(PUSH_REFS, Fault::status(403, "Write access to repository not granted."))],
            Stage::Publish,
            &["403", "GITHUB_TOKEN", "write"],
        ),
        (vec![(PUSH_REFS, Fault::HangUp)], Stage::Publish, &["connection to the git server", "try again"]),
        (vec![(PUSH, Fault::status(500, ""))], Stage::Publish, &["500", "ry again"]),
        (vec![(PUSH, Fault::HangUp)], Stage::Publish, &["connection to the git server", "try again"]),
    ])
    .await;
}

#[tokio::test]
async fn faults_of_the_pull_request() {
    let secondary = github_error(403, "You have exceeded a secondary rate limit.").header("retry-after", "300");
    let odd = unprocessable(&json!({"resource": "PullRequest", "code": "custom", "message": "A rule says no."}));
    let bare = Fault::status(422, json!({"message": "Validation Failed", "errors": ["No, sir."]}).to_string());
    // The two attempts and the look-ups between them, then the last attempt.
    let down = [CREATE, LIST, LIST, LIST].map(|route| (route, Fault::HangUp)).to_vec();
    each_fails_in_words_and_the_next_draft_works(vec![
        (vec![(CREATE, odd)], Stage::Publish, &[PUSHED, "A rule says no", "Publish again"]),
        (vec![(CREATE, bare)], Stage::Publish, &[PUSHED, "No, sir"]),
        (vec![(CREATE, github_error(401, "Bad credentials"))], Stage::Publish, &[PUSHED, "GITHUB_TOKEN"]),
        (
            vec![(CREATE, github_error(403, "Resource not accessible by personal access token"))],
            Stage::Publish,
            &[PUSHED, "Pull requests"],
        ),
        (vec![(CREATE, github_error(404, "Not Found"))], Stage::Publish, &[PUSHED, "was not found"]),
        (vec![(CREATE, secondary)], Stage::Publish, &[PUSHED, "limits the rate"]),
        (down, Stage::Publish, &[PUSHED, "connection to GitHub"]),
    ])
    .await;
}

const PUSHED: &str = "is pushed, but the pull request could not be opened";

#[tokio::test]
async fn what_got_through_although_the_answer_was_lost_is_not_done_twice() {
    let world = World::open().await;
    for lost in [PUSH, CREATE] {
        let id = world.report(json!({})).await;
        plan(&world, lost, Fault::LoseAnswer);
        world.good_reply();
        let pulls = world.github.pulls().len();
        let (_, published) = world.publish(&id).await;
        let all = world.github.pulls();
        assert_eq!((all.len(), &all[pulls]["html_url"]), (pulls + 1, &json!(published.pr_url)), "{lost}");
        assert_eq!(all[pulls]["draft"], true);
    }
    assert_eq!(branches(&world.bare()).len(), 2);
    world.assert_clean();
}

#[tokio::test]
async fn the_servers_own_rules_are_passed_on() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let hook = world.bare().join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'GH013: Branches must be named after animals.' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.good_reply();
    let (stage, reason) = world.failure(&id).await;
    assert_eq!((stage, world.git.pushes()), (Stage::Publish, 1));
    assert!(reason.contains("GH013: Branches must be named after animals. "), "{reason}");
    assert!(reason.contains("pre-receive hook declined") && reason.contains("patchwork/"), "{reason}");
    assert!(branches(&world.bare()).is_empty() && world.github.pulls().is_empty());
    std::fs::remove_file(&hook).unwrap();
    world.good_reply();
    world.publish(&id).await;
    world.assert_clean();
}

#[tokio::test]
async fn a_repository_that_can_not_take_a_draft_is_told_before_the_model_is_asked() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.github.facts().archived = true;
    let (_, reason) = world.failure(&id).await;
    assert!(reason.contains("archived"), "{reason}");
    world.github.facts().archived = false;
    world.github.facts().push = false;
    let (_, reason) = world.failure(&id).await;
    assert!(reason.contains("Contents (write)"), "{reason}");
    assert_eq!((world.anthropic.asked(), world.git.pushes()), (0, 0));
    world.github.facts().push = true;
    world.good_reply();
    world.publish(&id).await;
}

#[tokio::test]
async fn where_drafts_are_not_to_be_had_an_ordinary_pull_request_is_opened_and_said_so() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.github.facts().drafts = false;
    world.good_reply();
    let (detail, _) = world.publish(&id).await;
    assert_eq!(world.github.pulls()[0]["draft"], false);
    let told = detail.stages.iter().flat_map(|s| &s.details).any(|line| line.contains("drafts are not to be had"));
    assert!(told, "{:?}", detail.stages);
}

#[tokio::test]
async fn a_wrong_token_is_said_without_the_token() {
    let token = "ghp_SOMEBODYelses9D4f1A8b3E7c0F5a2B6d";
    let world = World::with(|_, secrets| secrets.github = Some(token.into())).await;
    let id = world.report(json!({})).await;
    let (_, reason) = world.failure(&id).await;
    assert!(
        reason.contains("Bad credentials") && reason.contains("GITHUB_TOKEN") && !reason.contains(token),
        "{reason}"
    );
    // Looking needs no API, so here it is the git server that refuses.
    let refused = world.engine.dry_run(&id).await.unwrap_err().detail;
    assert!(refused.contains("GITHUB_TOKEN") && !refused.contains(token), "{refused}");
}

#[tokio::test]
async fn an_empty_repository_and_a_missing_branch_are_said_in_words() {
    let world = World::with(|config, _| config.repositories[1].branch = Some("develop".into())).await;
    let id = world.report(json!({})).await;
    let (_, reason) = world.failure(&id).await;
    assert!(reason.contains("`develop`") && reason.contains("There are: main."), "{reason}");
    git(&world.bare(), &["update-ref", "-d", "refs/heads/main"]);
    let (_, reason) = world.failure(&id).await;
    assert!(reason.contains("empty") && reason.contains("push something first"), "{reason}");
    git(&world.bare(), &["fetch", "--quiet", world.checkout().to_str().unwrap(), "main:develop"]);
    world.good_reply();
    world.publish(&id).await;
    assert_eq!(world.github.pulls()[0]["base"]["ref"], "develop");
    world.assert_clean();
}

#[tokio::test]
async fn a_pull_request_that_is_there_already_is_the_result() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    let gate = Gate::default();
    world.github.fail(CREATE, Fault::Hold(gate.clone()));
    world.good_reply();
    let draft = world.start(&id, false).await.unwrap();
    gate.reached().await;
    let [branch] = branches(&world.bare()).try_into().unwrap();
    let by_hand = world.github.open_pull(&branch, "main");
    gate.open();
    let detail = world.end_of(&draft).await;
    assert_eq!(published(&detail).pr_url, by_hand);
    assert_eq!(world.github.pulls().len(), 1);
}

#[tokio::test]
async fn a_branch_of_that_name_is_never_overwritten() {
    let world = World::open().await;
    let id = world.report(json!({})).await;
    world.good_reply();
    let (_, first) = world.publish(&id).await;
    let other = world.report(json!({})).await;
    let gate = Gate::default();
    world.git.fail(PUSH_REFS, Fault::Hold(gate.clone()));
    world.good_reply();
    let draft = world.start(&other, false).await.unwrap();
    gate.reached().await;
    let theirs = first.branch.replace(id.short(), other.short());
    git(&world.bare(), &["branch", &theirs, "main"]);
    gate.open();
    let detail = world.end_of(&draft).await;
    let DraftState::Waiting { trouble: reason } = detail.draft.state else { panic!("{:?}", detail.draft.state) };
    assert!(
        reason.contains(&format!("the branch `{theirs}` exists already")) && reason.contains("Draft again."),
        "{reason}"
    );
    assert_eq!(git(&world.bare(), &["rev-parse", &theirs]), git(&world.bare(), &["rev-parse", "main"]));
    world.good_reply();
    world.publish(&other).await;
}
