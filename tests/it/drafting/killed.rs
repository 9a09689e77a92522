//! The real program killed in the middle of a draft, with its `git` left behind: the next `serve` finishes the run, once, and what the
//! killed one had started or left lying about is gone.

use crate::support::fake::anthropic::Reply;
use crate::support::fake::anthropic_stream::Piece;
use crate::support::fake::git_server::{PUSH, PUSH_REFS};
use crate::support::fake::github::CREATE;
use crate::support::fake::world::{ANTHROPIC_KEY, GITHUB_TOKEN, SLUG, World, branches};
use crate::support::fake::{Fault, Gate, TIME};
use crate::support::git::git;
use crate::support::program::{Home, Server};
use crate::support::running::until as until_it_is;
use crate::support::{me, options};
use futures::StreamExt;
use patchwork::engine::{Engine, Mode, new_command_id};
use patchwork::protocol::{Command as Ask, EventKind, Seq, Signal};
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
    running: Child,
}

impl Draft {
    /// `plan` says what will stop it.
    async fn start(world: World, home: Home) -> Self {
        let home = Arc::new(home);
        let recording = Arc::clone(&home);
        let report = json!({"what_i_needed": "a date range", "what_i_tried": "search_costs", "server_name": "billing"});
        let id = blocking(move || recording.record(&[report])).await.remove(0);
        let running =
            command(&home, &["draft", "--yes", &id]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { world, home, running }
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
async fn killed_and_cancelled_it_leaves_nothing_after_the_next_start() {
    let world = World::open().await;
    let dir = tempfile::tempdir().unwrap();
    let program = stands_still_once(dir.path());
    let home = home_in(&world, &by_program(&program));
    let mut draft = Draft::start(world, home).await;
    let pids = standing_still(dir.path()).await;
    draft.kill();
    until_dead(pids).await;
    let engine = guest(&draft.home).await;
    let run = engine.drafts(None).await.unwrap().remove(0).id;
    engine.submit(new_command_id(), me(), Ask::CancelDraft { draft: run }).await.unwrap();
    engine.close().await;
    assert_ne!(draft.left(), Vec::<String>::new());
    let server = draft.serve().await;
    until_clean(&draft.home).await;
    blocking(move || drop(server)).await;
}
