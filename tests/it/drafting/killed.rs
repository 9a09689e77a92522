//! The real program killed in the middle of a draft, with its `git` left behind: the next `serve` finishes the run, once, and what the
//! killed one had started or left lying about is gone.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::{PUSH, PUSH_REFS};
use crate::support::fake::github::CREATE;
use crate::support::fake::world::{ANTHROPIC_KEY, GITHUB_TOKEN, SLUG, World, branches};
use crate::support::fake::{Fault, Gate, TIME};
use crate::support::git::git;
use crate::support::options;
use crate::support::program::{Home, Server};
use crate::support::running::until as until_it_is;
use futures::StreamExt;
use patchwork::engine::{Engine, Mode};
use patchwork::protocol::{EventKind, Seq, Signal};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A home whose model, GitHub and git server are the world's. `more` is about the repository, and what follows it.
fn home_in(world: &World, more: &str) -> Home {
    let home = Home::new();
    let (anthropic, github) = (&world.config.anthropic, &world.config.github);
    home.configure(&format!(
        "[anthropic]\nmodel = {:?}\nbase_url = {:?}\n[github]\napi_url = {:?}\nserver_url = {:?}\n[[repository]]\nserver = \"*\"\ngithub = {SLUG:?}\n{more}\n",
        anthropic.model, anthropic.base_url, github.api_url, github.server_url
    ));
    home
}

fn command(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(arguments);
    command.env("ANTHROPIC_API_KEY", ANTHROPIC_KEY).env("GITHUB_TOKEN", GITHUB_TOKEN);
    command
}

fn quiet(home: &Home, arguments: &[&str]) -> Command {
    let mut command = command(home, arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What blocks goes where it blocks nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::time::timeout(TIME, tokio::task::spawn_blocking(work)).await.expect("it takes too long").unwrap()
}

/// Somebody else at the home's database.
async fn guest(home: &Home) -> Engine {
    let mut options = options(home.path());
    options.database = home.database();
    options.mode = Mode::Guest;
    Engine::open(options).await.unwrap()
}

/// Waits for an event of this kind.
async fn until(home: &Home, kind: EventKind) {
    let engine = guest(home).await;
    let mut feed = engine.watch(Seq(0));
    let wait = async { while !matches!(feed.next().await, Some(Signal::Event(event)) if event.kind == kind) {} };
    tokio::time::timeout(TIME, wait).await.expect("it never happened");
    engine.close().await;
}

/// A `patchwork draft` that is about to be killed.
struct Draft {
    world: World,
    home: Arc<Home>,
    report: String,
    running: Child,
}

impl Draft {
    /// `plan` says what will stop it.
    async fn start(world: World, home: Home) -> Self {
        let home = Arc::new(home);
        let recording = Arc::clone(&home);
        let report = json!({"what_i_needed": "a date range", "what_i_tried": "search_costs", "server_name": "billing"});
        let id = blocking(move || recording.record(&[report])).await.remove(0);
        let running = quiet(&home, &["draft", "--yes", &id]).spawn().unwrap();
        Self { world, home, report: id, running }
    }

    /// Another `patchwork` in the same home: how it ends.
    async fn again(&self, arguments: &[&str]) -> Option<i32> {
        let mut again = quiet(&self.home, arguments);
        blocking(move || again.status().unwrap()).await.code()
    }

    /// The only run.
    async fn run(&self) -> String {
        let home = Arc::clone(&self.home);
        let runs: Value = blocking(move || home.json(&["drafts", "--json"])).await;
        assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
        runs[0]["id"].as_str().unwrap().to_owned()
    }

    /// SIGKILL, and gone when this returns.
    fn kill(&mut self) {
        self.running.kill().unwrap();
        self.running.wait().unwrap();
    }

    /// Files and directories of runs in the cache: lock files, worktrees, and what is beside those.
    fn left(&self) -> Vec<String> {
        left(&self.home.path().join("cache"))
    }

    async fn serve(&self) -> Server {
        let serve = command(&self.home, &["serve", "--port", "0"]);
        blocking(move || Server::start(serve)).await
    }

    /// The next `serve` finishes it: one branch with one commit, one pull request, no word of it twice.
    async fn goes_on(&self, gate: &Gate, asked: usize) {
        let server = self.serve().await;
        until(&self.home, EventKind::DraftPublished).await;
        // A `git push` of the killed process is still there, and gets its answer now.
        gate.open();
        let listing = Arc::clone(&self.home);
        let runs: Value = blocking(move || listing.json(&["drafts", "--json"])).await;
        let [run] = runs.as_array().unwrap().as_slice() else { panic!("{runs}") };
        let (world, pulls) = (&self.world, self.world.github.pulls());
        assert_eq!((world.anthropic.asked(), pulls.len()), (asked, 1), "{run}");
        let [branch] = branches(&world.bare()).try_into().unwrap();
        assert_eq!(pulls[0]["head"]["ref"], branch.as_str());
        assert_eq!(git(&world.bare(), &["rev-list", "--count", &format!("main..{branch}")]), "1");
        assert!(run.to_string().contains(pulls[0]["html_url"].as_str().unwrap()), "{run}");
        until_clean(&self.home).await;
        blocking(move || drop(server)).await;
    }
}

fn left(cache: &Path) -> Vec<String> {
    let names = |dir: &Path| {
        let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let worktrees = cache.join("worktrees");
    let runs = names(&worktrees);
    let beside: Vec<_> = runs.iter().flat_map(|run| names(&worktrees.join(run))).collect();
    [names(&cache.join("runs")), runs, beside].concat()
}

/// Waits until no run has anything left in the cache.
async fn until_clean(home: &Home) {
    let cache = home.path().join("cache");
    blocking(move || until_it_is("everything is gone", || left(&cache).is_empty())).await;
}

async fn killed_at(plan: impl Fn(&World, Gate)) {
    let world = World::open().await;
    let gate = Gate::default();
    plan(&world, gate.clone());
    world.good_reply();
    let home = home_in(&world, "");
    let mut draft = Draft::start(world, home).await;
    gate.reached().await;
    draft.kill();
    draft.goes_on(&gate, 1).await;
}

#[tokio::test]
async fn killed_before_its_push() {
    killed_at(|world, gate| {
        world.git.fail(PUSH_REFS, Fault::Hold(gate));
    })
    .await;
}

#[tokio::test]
async fn killed_when_its_push_got_through() {
    killed_at(|world, gate| {
        world.git.fail(PUSH, Fault::HoldAnswer(gate));
    })
    .await;
}

#[tokio::test]
async fn killed_when_its_pull_request_is_open() {
    killed_at(|world, gate| {
        world.github.fail(CREATE, Fault::HoldAnswer(gate));
    })
    .await;
}

#[tokio::test]
async fn killed_while_the_model_speaks() {
    let world = World::open().await;
    world.anthropic.reply(Reply::begins("{\"title\": \"Add", Piece::Stall));
    let home = home_in(&world, "");
    let mut draft = Draft::start(world, home).await;
    draft.world.anthropic.until_stalled(1).await;
    draft.kill();
    draft.world.anthropic.until_abandoned(1).await;
    draft.world.good_reply();
    draft.goes_on(&Gate::default(), 2).await;
}

/// Settings with which this shell script drafts.
fn by_program(script: &str) -> String {
    format!("[draft]\ndrafter = \"command\"\n[command]\nrun = [\"sh\", \"-c\", {script:?}]")
}

/// A command that starts another and stands still the first time; its own number and the other's are in the file `pids`.
fn stands_still_once(dir: &Path) -> String {
    let at = dir.display();
    format!(
        "if ! test -f {at}/pids; then sleep 1000 & echo $$ $! > {at}/new; mv {at}/new {at}/pids; trap '' TERM HUP PIPE; wait; fi"
    )
}

/// Waits until the command stands still, and gives the numbers of its processes.
async fn standing_still(dir: &Path) -> Vec<String> {
    let file = dir.join("pids");
    let there = file.clone();
    blocking(move || until_it_is("the command runs", || there.exists())).await;
    std::fs::read_to_string(file).unwrap().split_whitespace().map(str::to_owned).collect()
}

async fn until_dead(pids: Vec<String>) {
    // A dead process may wait for its parent to look.
    let is_dead = |pid: &String| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    blocking(move || until_it_is("all processes are gone", || pids.iter().all(is_dead))).await;
}

#[tokio::test]
async fn killed_while_its_check_runs_it_takes_all_processes_with_it() {
    let world = World::open().await;
    world.good_reply();
    let dir = tempfile::tempdir().unwrap();
    let home = home_in(&world, &format!("verify = {:?}", stands_still_once(dir.path())));
    let mut draft = Draft::start(world, home).await;
    let pids = standing_still(dir.path()).await;
    draft.kill();
    until_dead(pids).await;
    draft.goes_on(&Gate::default(), 1).await;
}

#[tokio::test]
async fn killed_while_a_program_drafts_it_takes_that_with_it_and_its_brief_goes_at_the_next_start() {
    let world = World::open().await;
    let dir = tempfile::tempdir().unwrap();
    let program = format!("{}; echo RANGE = 1 > src/ranges.py", stands_still_once(dir.path()));
    let home = home_in(&world, &by_program(&program));
    let mut draft = Draft::start(world, home).await;
    let pids = standing_still(dir.path()).await;
    draft.kill();
    until_dead(pids).await;
    assert!(draft.left().iter().any(|name| name.starts_with("brief-")), "it had no time to clean up");
    draft.goes_on(&Gate::default(), 0).await;
}

/// Nobody goes on with it, so nobody makes its worktree anew.
#[tokio::test]
async fn killed_and_discarded_it_leaves_nothing() {
    let world = World::open().await;
    let dir = tempfile::tempdir().unwrap();
    let program = stands_still_once(dir.path());
    let home = home_in(&world, &by_program(&program));
    let mut draft = Draft::start(world, home).await;
    let pids = standing_still(dir.path()).await;
    let run = draft.run().await;
    assert_eq!(draft.again(&["discard", &run]).await, Some(4), "it is worked on");
    draft.kill();
    until_dead(pids).await;
    assert_eq!(draft.again(&["discard", &run]).await, Some(0));
    assert_eq!(draft.left(), Vec::<String>::new());
}

/// Whoever has the database may stop it: the process that is at work hears of it.
#[tokio::test]
async fn it_is_stopped_from_another_process_and_leaves_nothing() {
    let world = World::open().await;
    let dir = tempfile::tempdir().unwrap();
    let program = stands_still_once(dir.path());
    let home = home_in(&world, &by_program(&program));
    let mut draft = Draft::start(world, home).await;
    let pids = standing_still(dir.path()).await;
    assert_eq!(draft.again(&["discard", &draft.report, "--stop"]).await, Some(0));
    until_dead(pids).await;
    let ended = blocking(move || draft.running.wait().map(|status| (status, draft))).await;
    let (status, draft) = ended.unwrap();
    assert!(!status.success(), "{status}");
    until_clean(&draft.home).await;
    let run = draft.run().await;
    assert_eq!(draft.home.json(&["drafts", "--json"])[0]["state"], "cancelled");
    assert_eq!(draft.again(&["discard", &run, "--stop"]).await, Some(4), "it is over");
    assert_eq!(draft.again(&["discard", &draft.report, "--stop"]).await, Some(4));
}

/// What was cancelled by somebody with another cache, or by an older program, is found when the next owner starts.
#[tokio::test]
async fn what_nobody_owns_is_cleared_away_at_the_next_start() {
    let home = Arc::new(Home::new());
    let run = home.path().join("cache/worktrees/01980000-0000-7000-8000-000000000001");
    std::fs::create_dir_all(run.join("tree/src")).unwrap();
    std::fs::write(run.join("brief-x.md"), "# Task").unwrap();
    std::fs::create_dir_all(home.path().join("cache/runs")).unwrap();
    std::fs::write(home.path().join("cache/runs/01980000-0000-7000-8000-000000000002.lock"), "").unwrap();
    let serve = command(&home, &["serve", "--port", "0"]);
    let server = blocking(move || Server::start(serve)).await;
    until_clean(&home).await;
    blocking(move || drop(server)).await;
}

/// Without a screen or a server there is nobody else to go on with it than who asks for it again.
#[tokio::test]
async fn killed_and_asked_for_again_it_goes_on() {
    let world = World::open().await;
    let gate = Gate::default();
    world.git.fail(PUSH_REFS, Fault::Hold(gate.clone()));
    world.good_reply();
    let home = home_in(&world, "");
    let mut draft = Draft::start(world, home).await;
    gate.reached().await;
    draft.kill();
    assert_eq!(draft.again(&["draft", "--yes", &draft.report]).await, Some(0));
    gate.open();
    assert_eq!((draft.world.anthropic.asked(), draft.world.github.pulls().len()), (1, 1));
    assert_eq!(branches(&draft.world.bare()).len(), 1);
    assert_eq!(draft.left(), Vec::<String>::new());
}

#[tokio::test]
async fn killed_while_it_publishes_what_was_reviewed_it_goes_on_when_it_is_told_again() {
    let world = World::open().await;
    world.anthropic.reply(Reply::begins("{\"title\": \"Add", Piece::Stall));
    let home = home_in(&world, "");
    let mut draft = Draft::start(world, home).await;
    draft.world.anthropic.until_stalled(1).await;
    draft.kill();
    let run = draft.run().await;
    assert_eq!(draft.again(&["discard", &run]).await, Some(0));
    draft.world.good_reply();
    assert_eq!(draft.again(&["draft", &draft.report]).await, Some(0), "it waits for its review");
    let gate = Gate::default();
    draft.world.github.fail(CREATE, Fault::HoldAnswer(gate.clone()));
    let second = draft.home.json(&["drafts", "--json"])[0]["id"].as_str().unwrap().to_owned();
    draft.running = quiet(&draft.home, &["publish", &second]).spawn().unwrap();
    gate.reached().await;
    assert_eq!(draft.again(&["publish", &second]).await, Some(4), "it is worked on");
    draft.kill();
    assert_eq!(draft.again(&["publish", &second]).await, Some(0));
    assert_eq!((draft.world.anthropic.asked(), draft.world.github.pulls().len()), (2, 1));
    assert_eq!(branches(&draft.world.bare()).len(), 1);
    assert_eq!(draft.left(), Vec::<String>::new());
}
