//! How long reads take in a library of 100,000 reports, against the 16 milliseconds that a frame has.
//!
//! `cargo bench --bench library`. The library is made once, through the engine's own door, and kept in the target directory. Each read is
//! the engine's public one, as the screen and the API call it. The last lines are what `patchwork serve` holds in memory on it.

use patchwork::config::{Config, Secrets};
use patchwork::domain::feedback::NewFeedback;
use patchwork::domain::filter::Filter;
use patchwork::domain::id::FeedbackId;
use patchwork::domain::note::NoteText;
use patchwork::engine::{Clock, Engine, EngineOptions, Mode, new_command_id};
use patchwork::protocol::read::{PageRequest, Position};
use patchwork::protocol::{Actor, Command, Door, Made, Refusal};
use serde_json::{Value, json};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

const REPORTS: usize = 100_000;
/// Changes whenever what is in the library changes.
const EDITION: u32 = 3;
/// Reports that are sent at the same time while it is made.
const BATCH: usize = 500;
/// Of each read.
const REPEATS: usize = 100;
/// A frame at 60 a second.
const FRAME: Duration = Duration::from_millis(16);
const MEMORY_MB: u64 = 80;
/// 2026-11-20T12:00:00Z, when the last report arrives; one every 90 seconds before that.
const NOW: i64 = 1_795_176_000_000;
const APART_MS: i64 = 90_000;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(format!("bench-library-{EDITION}"));
    let met = runtime.block_on(async {
        make(&dir).await?;
        let engine = Engine::open(options(&dir, NOW)).await?;
        let met = measure(&engine).await;
        engine.close().await;
        met
    })?;
    let small = memory(&dir)?;
    say(&format!("every read within a frame: {}; memory: {}", verdict(met), verdict(small)))
}

fn say(line: &str) -> Fallible<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn options(dir: &Path, now: i64) -> EngineOptions {
    EngineOptions {
        database: database(dir),
        config: Arc::new(Config::default()),
        secrets: Arc::new(Secrets::default()),
        sources: None,
        secrets_file: dir.join("config/secrets.env"),
        cache_dir: dir.join("cache"),
        mode: Mode::Owner { role: "bench".into() },
        clock: Clock::Manual(Arc::new(AtomicI64::new(now))),
    }
}

/// Where `PATCHWORK_HOME` puts it.
fn database(dir: &Path) -> PathBuf {
    dir.join("data/feedback.db")
}

/// Makes the library unless it is there.
async fn make(dir: &Path) -> Fallible<()> {
    let complete = dir.join("complete");
    if complete.exists() {
        return Ok(());
    }
    say(&format!("making {REPORTS} reports in {}", dir.display()))?;
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    let time = Arc::new(AtomicI64::new(NOW - APART_MS * REPORTS as i64));
    let engine = Engine::open(EngineOptions { clock: Clock::Manual(Arc::clone(&time)), ..options(dir, 0) }).await?;
    let mut random = Random(42);
    let begun = Instant::now();
    for _ in 0..REPORTS / BATCH {
        time.fetch_add(APART_MS * BATCH as i64, Ordering::Relaxed);
        fill(&engine, &mut random).await.map_err(|refusal| refusal.to_string())?;
    }
    engine.until_indexed().await;
    engine.close().await;
    File::create(complete)?;
    say(&format!("made in {:.1} s", begun.elapsed().as_secs_f64()))
}

async fn fill(engine: &Engine, random: &mut Random) -> Result<(), Refusal> {
    let submit = |command| engine.submit(new_command_id(), Actor::new(Door::Cli, "bench"), command);
    let mut sends = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let report =
            NewFeedback::parse(report(random)).map_err(|mut e| Refusal::not_found("valid", &e.remove(0).message))?;
        sends.push(submit(Command::RecordFeedback { report: Box::new(report) }));
    }
    let mut ids: Vec<FeedbackId> = Vec::with_capacity(BATCH);
    for receipt in futures::future::join_all(sends).await {
        if let Made::Feedback(id) = receipt?.made {
            ids.push(id);
        }
    }
    for id in ids.iter().step_by(100) {
        let Ok(content) = NoteText::parse("use the ledger instead, see the export tool") else { continue };
        submit(Command::AddNote { feedback: id.clone(), content, public: false }).await?;
    }
    ids.truncate(BATCH * 7 / 10);
    submit(Command::SetReviewed { feedback: ids, reviewed: true }).await?;
    Ok(())
}

/// The same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[self.below(words.len())]
    }

    /// Words as in prose: few of them often, most of them seldom.
    fn sentence(&mut self, length: usize) -> String {
        let mut words = Vec::with_capacity(length);
        for _ in 0..length {
            let rank = self.below(4_000).min(self.below(4_000)).min(self.below(4_000));
            words.push(if rank < COMMON.len() { COMMON[rank].to_owned() } else { format!("word{rank}") });
        }
        words.join(" ")
    }
}

const COMMON: [&str; 16] = [
    "search", "invoice", "export", "filter", "amount", "customer", "list", "date", "currency", "total", "csv", "page",
    "limit", "status", "refund", "report",
];
const SERVERS: [&str; 12] =
    ["billing", "docs", "crm", "search", "calendar", "mail", "files", "tickets", "metrics", "deploys", "wiki", "chat"];
const GAPS: [&str; 5] = ["missing_tool", "incomplete_results", "missing_parameter", "wrong_format", "other"];
const MODELS: [&str; 6] = ["model-a-1", "model-a-2", "model-b-1", "model-b-2", "model-c-1", "model-d-9"];
const CLIENTS: [&str; 5] = ["claude-code", "cursor", "claude-desktop", "zed", "some-agent"];

fn report(random: &mut Random) -> Value {
    // One in ten thousand has the word that hardly anybody has; every one has `gap`.
    let rare = if random.below(10_000) == 0 { " walrus" } else { "" };
    json!({
        "what_i_needed": format!("gap {}{rare}", random.sentence(18)), "what_i_tried": random.sentence(24),
        "suggestion": if random.below(3) == 0 { String::new() } else { random.sentence(12) },
        "user_goal": random.sentence(10), "gap_type": random.pick(&GAPS),
        "resolution": random.pick(&["blocked", "worked_around", "partial", ""]),
        "server_name": random.pick(&SERVERS), "agent_model": random.pick(&MODELS), "client_type": random.pick(&CLIENTS),
        "session_id": format!("session-{}", random.below(REPORTS / 5)),
        "tools_available": ["list_invoices", "get_invoice", random.pick(&["create_refund", "export_csv", "search_all"])],
    })
}

/// What a person may type, the awkward ones included: those that hit everything, nothing, or must look at each row.
const FILTERS: [&str; 22] = [
    "server:billing",
    "server:billing gap:missing_tool is:unreviewed since:7d -has:pr",
    "is:reviewed",
    "has:notes",
    "session:session-77",
    "since:1d",
    "until:2026-09-01 sort:oldest",
    "-gap:other -resolution:blocked",
    "model:model-d-9 client:zed resolution:partial server:wiki,chat gap:other",
    "server:nobody",
    "is:drafted,merged",
    "is:unreviewed has:pr",
    "-has:suggestion has:notes",
    "gap",
    "search",
    "walrus",
    "\"invoice search\"",
    "w",
    "wal",
    "-gap",
    "search walrus server:billing",
    "gap is:drafted",
];

async fn measure(engine: &Engine) -> Fallible<bool> {
    say(&format!("{REPORTS} reports, {REPEATS} times each; shares are of a frame of {} ms", FRAME.as_millis()))?;
    let mut met = true;
    let newest = PageRequest::first(Filter::default(), 50);
    let middle = PageRequest { after: Some(Position(REPORTS as i64 / 2)), ..newest.clone() };
    met &= timed("page, newest 50", || engine.page(newest.clone())).await?;
    met &= timed("page, from the middle", || engine.page(middle.clone())).await?;
    met &= timed("list with whole reports", || engine.list(newest.clone())).await?;
    met &= timed("snapshot (page, counts)", || engine.snapshot(newest.clone())).await?;
    met &= timed("facets", || engine.facets()).await?;
    for filter in FILTERS {
        let request = PageRequest::first(Filter::parse(filter)?, 50);
        met &= timed(filter, || engine.page(request.clone())).await?;
    }
    Ok(met)
}

/// Prints a line; whether 99 of 100 were within a frame.
async fn timed<T, F: Future<Output = Result<T, Refusal>>>(name: &str, read: impl Fn() -> F) -> Fallible<bool> {
    let mut times = Vec::with_capacity(REPEATS);
    // Once for nothing, as a screen that is open has done.
    for at in 0..=REPEATS {
        let begun = Instant::now();
        read().await.map_err(|refusal| format!("{name}: {refusal}"))?;
        if at > 0 {
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    let (p50, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let share = |time: Duration| time.as_secs_f64() / FRAME.as_secs_f64() * 100.0;
    let mark = if p99 < FRAME { "" } else { "  OVER" };
    say(&format!("{name:<74} p50 {:>7.2} ms  p99 {:>7.2} ms  {:>5.0} %{mark}", ms(p50), ms(p99), share(p99)))?;
    Ok(p99 < FRAME)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Starts the real server on the library, reads through it, and prints what it holds.
fn memory(dir: &Path) -> Fallible<bool> {
    let mut child = Running(
        std::process::Command::new(env!("CARGO_BIN_EXE_patchwork"))
            .args(["serve", "--port", "0"])
            .env_clear()
            .env("PATCHWORK_HOME", dir)
            .stderr(Stdio::piped())
            .spawn()?,
    );
    let stderr = BufReader::new(child.0.stderr.take().ok_or("no standard error")?);
    let mut lines = stderr.lines();
    let address = loop {
        let line = lines.next().ok_or("the server ended early")??;
        if let Some((_, rest)) = line.split_once("taking reports address=") {
            break rest.split_whitespace().next().ok_or("no address")?.to_owned();
        }
    };
    let idle = resident(child.0.id())?;
    for _ in 0..5 {
        for path in
            ["/api/feedback?limit=200", "/api/stats", "/api/feedback?limit=200&q=search", "/api/feedback?q=-gap"]
        {
            let mut stream = TcpStream::connect(&address)?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            if !answer.starts_with(b"HTTP/1.1 200") {
                return Err(String::from_utf8_lossy(&answer).into());
            }
        }
    }
    let after = resident(child.0.id())?;
    say(&format!("patchwork serve: {idle} MB idle, {after} MB after reading; limit {MEMORY_MB} MB"))?;
    Ok(after < MEMORY_MB)
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It only reads: there is nothing to finish.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Megabytes.
fn resident(pid: u32) -> Fallible<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
