//! The real program killed in the middle of a draft, with its `git` left behind: the next `serve` finishes the run, once.

use crate::support::fake::git_server::{PUSH, PUSH_REFS};
use crate::support::fake::world::{ANTHROPIC_KEY, GITHUB_TOKEN, SLUG, World, branches};
use crate::support::fake::{Fault, Gate, TIME};
use crate::support::git::git;
use crate::support::options;
use crate::support::program::{Home, Server};
use futures::StreamExt;
use patchwork::engine::{Engine, Mode};
use patchwork::protocol::{EventKind, Seq, Signal};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Arc;

/// A home whose model, GitHub and git server are the world's.
fn home_in(world: &World) -> Home {
    let home = Home::new();
    let (anthropic, github) = (&world.config.anthropic, &world.config.github);
    home.configure(&format!(
        "[anthropic]\nmodel = {:?}\nbase_url = {:?}\n[github]\napi_url = {:?}\nserver_url = {:?}\n[[repository]]\nserver = \"*\"\ngithub = {SLUG:?}\n",
        anthropic.model, anthropic.base_url, github.api_url, github.server_url
    ));
    home
}

fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(arguments);
    command.env("ANTHROPIC_API_KEY", ANTHROPIC_KEY).env("GITHUB_TOKEN", GITHUB_TOKEN);
    command
}

/// What blocks goes where it blocks nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::time::timeout(TIME, tokio::task::spawn_blocking(work)).await.expect("it takes too long").unwrap()
}

/// Waits for an event of this kind in the home's database, seen by a process of our own.
async fn until(home: &Home, kind: EventKind) {
    let mut options = options(home.path());
    options.database = home.database();
    options.mode = Mode::Guest;
    let engine = Engine::open(options).await.unwrap();
    let mut feed = engine.watch(Seq(0));
    let wait = async { while !matches!(feed.next().await, Some(Signal::Event(event)) if event.kind == kind) {} };
    tokio::time::timeout(TIME, wait).await.expect("it never happened");
    engine.close().await;
}

async fn killed_at(route: &'static str, fault: impl Fn(Gate) -> Fault) {
    let world = World::open().await;
    let home = Arc::new(home_in(&world));
    let recording = Arc::clone(&home);
    let report = json!({"what_i_needed": "a date range", "what_i_tried": "search_costs", "server_name": "billing"});
    let id = blocking(move || recording.record(&[report])).await.remove(0);
    let gate = Gate::default();
    world.git.fail(route, fault(gate.clone()));
    world.good_reply();
    let mut draft =
        command(&home, &["draft", "--yes", &id]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    gate.reached().await;
    draft.kill().unwrap();
    draft.wait().unwrap();
    let worktrees = home.path().join("cache/worktrees");
    assert_eq!(std::fs::read_dir(&worktrees).unwrap().count(), 1, "it had no time to clean up");

    let serve = command(&home, &["serve", "--port", "0"]);
    let server = blocking(move || Server::start(serve)).await;
    until(&home, EventKind::DraftPublished).await;
    // The `git push` of the killed process is still there, and gets its answer now.
    gate.open();
    let listing = Arc::clone(&home);
    let runs: Value = blocking(move || listing.json(&["drafts", "--json"])).await;
    let [run] = runs.as_array().unwrap().as_slice() else { panic!("{runs}") };
    let pulls = world.github.pulls();
    assert_eq!((world.anthropic.asked(), pulls.len()), (1, 1), "{run}");
    let [branch] = branches(&world.bare()).try_into().unwrap();
    assert_eq!(pulls[0]["head"]["ref"], branch.as_str());
    assert_eq!(git(&world.bare(), &["rev-list", "--count", &format!("main..{branch}")]), "1");
    assert!(run.to_string().contains(pulls[0]["html_url"].as_str().unwrap()), "{run}");
    assert_eq!(std::fs::read_dir(&worktrees).unwrap().count(), 0);
    blocking(move || drop(server)).await;
}

#[tokio::test]
async fn killed_before_its_push() {
    killed_at(PUSH_REFS, Fault::Hold).await;
}

#[tokio::test]
async fn killed_when_its_push_got_through() {
    killed_at(PUSH, Fault::HoldAnswer).await;
}
