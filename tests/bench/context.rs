//! How long a run takes in a repository of 5,000 files that is in the cache, besides what a model thinks: from `d` to the first
//! request, and from `d` to the branch. And how much memory choosing the files needs, whatever the size of the repository.
//!
//! `cargo bench --bench context`. The repositories are made once and kept in the target directory. Memory is the peak of a process of
//! its own that checks out and chooses, because a peak can't be reset.

use axum::Router;
use axum::routing::post;
use patchwork::config::{Config, Repository, Secrets, Source};
use patchwork::domain::change::{Existing, RepoPath};
use patchwork::domain::draft::{DraftState, TargetKind};
use patchwork::domain::feedback::{Feedback, NewFeedback};
use patchwork::domain::id::FeedbackId;
use patchwork::domain::time::Millis;
use patchwork::drafting;
use patchwork::engine::{Clock, Engine, EngineOptions, Mode, new_command_id};
use patchwork::protocol::read::Detail;
use patchwork::protocol::{Actor, Command, Door, Made};
use patchwork::providers::{GitCache, Remote};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const FILES: usize = 5_000;
const MANY: usize = 20_000;
const HUGE: usize = 300 * 1024 * 1024;
/// Changes whenever what is in the repositories changes.
const EDITION: u32 = 1;
const REPEATS: usize = 7;
const BUDGET: usize = 60_000;
/// From `d` to the first request; choosing the files alone should be well below.
const GOAL: Duration = Duration::from_secs(1);
/// From `d` to the branch.
const WHOLE_GOAL: Duration = Duration::from_secs(3);
/// Text of a repository that is mostly text, and how long choosing may take in it.
const BULK: usize = 200_000_000;
const BULK_FILES: usize = 250;
const BULK_GOAL: Duration = Duration::from_secs(5);
const NEEDLE: &str = "@mcp.tool()\ndef search_costs(query):\n    \"\"\"Search the costs.\"\"\"\n    return []\n";

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut arguments = std::env::args().skip_while(|argument| argument != "--peak").skip(1);
    if let Some(repository) = arguments.next() {
        // The child of `peak`: checks out, chooses, and says what it needed.
        runtime.block_on(choose(Path::new(&repository)))?;
        return say(&peak_of_this()?.to_string());
    }
    if std::env::args().any(|argument| argument == "--bulk") {
        return bulk();
    }
    bulk()?;
    runtime.block_on(time())?;
    memory()
}

/// Choosing among much text that is made of words which occur once: the least that can be remembered. Nothing is read from a disk.
fn bulk() -> Fallible<()> {
    for (name, ending) in [("data", "json"), ("source", "py")] {
        let mut random = Random(7);
        let mut texts: HashMap<RepoPath, String> = HashMap::new();
        for at in 0..BULK_FILES {
            let path = RepoPath::parse(format!("bulk/part_{at}.{ending}"))?;
            texts.insert(path, unique_words(&mut random, BULK / BULK_FILES));
        }
        texts.insert(RepoPath::parse("src/needle.py")?, NEEDLE.to_owned());
        let mut paths: Vec<RepoPath> = texts.keys().cloned().collect();
        paths.sort();
        let read = |path: &RepoPath| texts.get(path).cloned().map_or(Existing::Missing, Existing::Text);
        let detail = detail()?;
        let begun = Instant::now();
        let ranked = drafting::choose_files(&paths, &read, &detail, BUDGET);
        let took = begun.elapsed();
        if ranked.first().is_none_or(|file| file.path != "src/needle.py") {
            return Err(format!("the wrong file is the best: {:?}", ranked.first()).into());
        }
        let verdict = if took < BULK_GOAL { "met" } else { "missed" };
        let size = BULK / 1_000_000;
        say(&format!(
            "{size} MB of {name}, no word twice  {:>7.0} ms   goal under {} ms: {verdict}",
            ms(took),
            BULK_GOAL.as_millis()
        ))?;
    }
    Ok(())
}

fn unique_words(random: &mut Random, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 64);
    while text.len() < bytes {
        text.extend([format!("item{}Key_{:x}: \"v{}\",\n", random.next(), random.next(), random.next())]);
    }
    text
}

fn say(line: &str) -> Fallible<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// The median of some repeats after one for nothing.
async fn time() -> Fallible<()> {
    let repository = made(FILES, false)?;
    let cache = repository.with_extension("cache");
    let (mut checkouts, mut choices) = (Vec::new(), Vec::new());
    for _ in 0..=REPEATS {
        let (checkout, choice) = choose_in(&repository, &cache).await?;
        checkouts.push(checkout);
        choices.push(choice);
    }
    let runs = runs(&repository, &cache, None).await?;
    let verified = median(runs_whole(&self::runs(&repository, &cache, Some("true")).await?));
    let (checkout, choice) = (median(checkouts.split_off(1)), median(choices.split_off(1)));
    let (request, whole) = (median(runs.iter().map(|(asked, _)| *asked).collect()), median(runs_whole(&runs)));
    let verdict = |time: Duration, goal: Duration| {
        format!("goal under {} ms: {}", goal.as_millis(), if time < goal { "met" } else { "missed" })
    };
    say(&format!("{FILES} files in the cache, median of {REPEATS}"))?;
    say(&format!("fetching and listing      {:>7.0} ms", ms(checkout)))?;
    say(&format!("choosing the files        {:>7.0} ms", ms(choice)))?;
    say(&format!("`d` to the first request  {:>7.0} ms   {}", ms(request), verdict(request, GOAL)))?;
    say(&format!("`d` to the branch         {:>7.0} ms   {}", ms(whole), verdict(whole, WHOLE_GOAL)))?;
    say(&format!("the same, all files put on disk for `verify` {:>7.0} ms", ms(verified)))
}

fn runs_whole(runs: &[(Duration, Duration)]) -> Vec<Duration> {
    runs.iter().map(|(_, whole)| *whole).collect()
}

fn memory() -> Fallible<()> {
    say("\npeak memory of a process that checks out and chooses")?;
    for (files, huge) in [(FILES, false), (MANY, false), (FILES, true)] {
        let repository = made(files, huge)?;
        let output = std::process::Command::new(std::env::current_exe()?).arg("--peak").arg(&repository).output()?;
        let megabytes = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let with = if huge { ", one of 300 MB" } else { "" };
        say(&format!("{files:>6} files{with:<16} {megabytes:>5} MB"))?;
    }
    Ok(())
}

fn peak_of_this() -> Fallible<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

async fn choose(repository: &Path) -> Fallible<()> {
    choose_in(repository, &repository.with_extension("cache")).await?;
    Ok(())
}

/// How long the checkout took, and how long the choice.
async fn choose_in(repository: &Path, cache: &Path) -> Fallible<(Duration, Duration)> {
    let cache = GitCache::new(cache.to_owned());
    let begun = Instant::now();
    let worktree = cache.checkout(&Remote::Path(repository.to_owned()), None, "bench").await?;
    let checkout = begun.elapsed();
    let paths: Vec<RepoPath> = worktree.files().iter().map(|file| file.path.clone()).collect();
    let begun = Instant::now();
    let ranked = drafting::choose_files(&paths, &|path| worktree.read(path), &detail()?, BUDGET);
    let choice = begun.elapsed();
    if ranked.first().is_none_or(|file| !file.path.ends_with("needle.py")) {
        return Err(format!("the wrong file is the best: {:?}", ranked.first()).into());
    }
    worktree.remove().await?;
    Ok((checkout, choice))
}

fn report() -> Value {
    json!({
        "server_name": "bench",
        "what_i_needed": "a date range for search_costs, so that the costs of one month can be searched",
        "what_i_tried": "search_costs with a date in the query, list_invoices, and reading the invoices one by one",
        "suggestion": "search_costs(query, since, until)",
        "tools_available": ["search_costs", "list_invoices"],
    })
}

fn detail() -> Fallible<Detail> {
    let feedback = Feedback {
        id: FeedbackId::trusted("bench"),
        n: 1,
        received_at: Millis(0),
        report: NewFeedback::parse(report()).map_err(|e| format!("{e:?}"))?.report,
        reviewed: false,
        note_count: 0,
        pr_url: String::new(),
        drafted: false,
        merged: false,
    };
    Ok(Detail { feedback, notes: Vec::new() })
}

/// The end of an answer that a model gives at once.
fn answer() -> ([(&'static str, &'static str); 1], String) {
    let edit =
        json!({"search": "def search_costs(query):", "replace": "def search_costs(query, since=None, until=None):"});
    let file = json!({"path": "src/needle.py", "action": "edit", "content": null, "edits": [edit]});
    let change = json!({"title": "Add a date range", "summary": "Adds what was missing.", "files": [file]}).to_string();
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let message =
        json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "any", "content": [], "usage": usage});
    let events = [
        json!({"type": "message_start", "message": message}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": change}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}),
        json!({"type": "message_stop"}),
    ];
    let told = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    ([("content-type", "text/event-stream")], events.iter().map(told).collect())
}

/// By a whole engine: from the command to the moment in which a model is asked, and to the end of the run.
async fn runs(repository: &Path, cache: &Path, verify: Option<&str>) -> Fallible<Vec<(Duration, Duration)>> {
    let (asked, mut questions) = mpsc::unbounded_channel();
    let model = move || {
        // The bench waits for it as long as it runs.
        let _ = asked.send(Instant::now());
        std::future::ready(answer())
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/messages", post(model))).await });

    let dir = tempfile::tempdir()?;
    let mut config = Config::default();
    config.anthropic.base_url = url;
    config.draft.target = TargetKind::Local;
    let mut source = Repository::new("*", Source::Local(repository.to_owned()));
    source.verify = verify.map(str::to_owned);
    config.repositories = vec![source];
    let options = EngineOptions {
        database: dir.path().join("feedback.db"),
        config: Arc::new(config),
        secrets: Arc::new(Secrets { anthropic: Some("key".into()), ..Secrets::default() }),
        sources: None,
        secrets_file: dir.path().join("secrets.env"),
        cache_dir: cache.to_owned(),
        mode: Mode::Owner { role: "bench".into() },
        clock: Clock::System,
    };
    let engine = Engine::open(options).await?;
    let submit = |command| engine.submit(new_command_id(), Actor::new(Door::Cli, "bench"), command);
    let report = NewFeedback::parse(report()).map_err(|e| format!("{e:?}"))?;
    let made = submit(Command::RecordFeedback { report: Box::new(report) }).await.map_err(|e| e.detail)?.made;
    let Made::Feedback(feedback) = made else { return Err("no report".into()) };
    let mut times = Vec::new();
    for _ in 0..=REPEATS {
        let begun = Instant::now();
        let start = Command::StartDraft {
            feedback: feedback.clone(),
            force: true,
            drafter: None,
            target: None,
            unattended: true,
        };
        submit(start).await.map_err(|e| e.detail)?;
        let asked = questions.recv().await.ok_or("nobody was asked")?;
        engine.until_idle().await;
        times.push((asked - begun, begun.elapsed()));
    }
    let unpublished = engine
        .drafts(None)
        .await
        .map_err(|e| e.detail)?
        .into_iter()
        .find(|d| !matches!(d.state, DraftState::Published { .. }));
    if let Some(draft) = unpublished {
        return Err(format!("a run failed: {:?}", draft.state).into());
    }
    engine.close().await;
    Ok(times.split_off(1))
}

/// Makes a repository unless it is there: `files` files of a few kilobytes, one of which registers the tool.
fn made(files: usize, huge: bool) -> Fallible<PathBuf> {
    let name = format!("bench-context-{EDITION}-{files}{}", if huge { "-huge" } else { "" });
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(name);
    let complete = dir.with_extension("complete");
    if complete.exists() {
        return Ok(dir);
    }
    say(&format!("making {}", dir.display()))?;
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let mut random = Random(42);
    for at in 0..files {
        let path = dir.join(format!("src/area_{}/part_{}/module_{at}.py", at % 23, at % 171));
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        fs::write(path, module(&mut random))?;
    }
    fs::write(dir.join("src/needle.py"), NEEDLE)?;
    if huge {
        fs::write(dir.join("src/search_costs_dump.sql"), "search_costs date range\n".repeat(HUGE / 24))?;
    }
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "-m", "Begin"]] {
        let author = ["-c", "user.name=Author", "-c", "user.email=author@example.com", "-c", "commit.gpgsign=false"];
        let status = std::process::Command::new("git").current_dir(&dir).args(author).args(arguments).status()?;
        if !status.success() {
            return Err(format!("git {arguments:?} failed").into());
        }
    }
    fs::write(complete, "")?;
    Ok(dir)
}

/// About four kilobytes that look like code: few words often, most of them seldom.
fn module(random: &mut Random) -> String {
    let mut text = String::from("import os\nimport json\n\n");
    for _ in 0..12 {
        let [first, second, one, two] = random.words();
        text.extend(["\n\ndef ", &first, "_", &second, "(", &one, ", ", &two, "):\n"]);
        for _ in 0..8 {
            let [value, function, one, two] = random.words();
            text.extend(["    ", &value, " = ", &function, "(", &one, ", '", &two, "')\n"]);
        }
    }
    text
}

/// The same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn words(&mut self) -> [String; 4] {
        std::array::from_fn(|_| self.word())
    }

    fn word(&mut self) -> String {
        let common = ["cost", "search", "date", "list", "query", "month", "invoice", "value", "item", "total"];
        let rank = self.below(6_000).min(self.below(6_000)).min(self.below(6_000));
        common.get(rank).map_or_else(|| format!("word{rank}"), ToString::to_string)
    }
}
