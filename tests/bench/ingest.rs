//! How fast reports become durable over HTTP, against the same server when it parses a report and drops it.
//!
//! `cargo bench --bench ingest`. 64 keep-alive connections over loopback, clients in the same process, so the ratio counts and not the
//! absolute number. Rounds alternate, so that a busy machine is busy for both; the median round is reported.

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use patchwork::config::{Config, Secrets, ServerConfig};
use patchwork::domain::feedback::NewFeedback;
use patchwork::engine::{Clock, Engine, EngineOptions, Mode};
use patchwork::http::{App, JsonBody, Limits, guarded, router, serve};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const CONNECTIONS: usize = 64;
/// Per connection and round.
const REQUESTS: usize = 300;
const ROUNDS: usize = 5;
/// Open event streams in the last measurement.
const WATCHERS: usize = 32;

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let engine = Engine::open(options(dir.path())).await?;
    let app = App::new(engine.clone(), &ServerConfig::default(), &Secrets::default());
    let dropping = start(guarded(app.clone(), Router::new().route("/api/feedback", post(parse_and_drop)))).await?;
    let durable = start(router(app)).await?;
    // Once for nothing: file growth, allocator, branch predictors.
    round(dropping).await?;
    round(durable).await?;

    let (mut drops, mut stores) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        drops.push(round(dropping).await?);
        stores.push(round(durable).await?);
    }
    let watchers = watch(durable).await?;
    let mut watched = Vec::new();
    for _ in 0..ROUNDS {
        watched.push(round(durable).await?);
    }
    drop(watchers);
    let rounds = (2 * ROUNDS + 1) * CONNECTIONS * REQUESTS;
    let total = engine.stats().await.map_err(|e| e.to_string())?.total;
    engine.close().await;

    let (drops, stores, watched) = (median(drops), median(stores), median(watched));
    let mut out = std::io::stdout();
    writeln!(out, "{CONNECTIONS} connections, {REQUESTS} requests each, median of {ROUNDS} rounds")?;
    for (name, r) in [("parse and drop", &drops), ("durable", &stores), ("durable, watched", &watched)] {
        writeln!(out, "{name:<18} {:>8.0} req/s   p50 {:>6.2} ms   p99 {:>6.2} ms", r.rate, ms(r.p50), ms(r.p99))?;
    }
    let ratio = stores.rate / drops.rate;
    let met = ratio >= 0.20 && stores.p99 < Duration::from_millis(30);
    writeln!(out, "durable / dropped  {:>7.0} %   goal 20 % and p99 under 30 ms: {}", ratio * 100.0, verdict(met))?;
    writeln!(out, "with {WATCHERS} event streams {:>4.0} % of durable", watched.rate / stores.rate * 100.0)?;
    writeln!(out, "stored {total} of {rounds} acknowledged")?;
    if total != i64::try_from(rounds)? {
        return Err("not every acknowledged report was stored".into());
    }
    Ok(())
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}

fn options(dir: &Path) -> EngineOptions {
    EngineOptions {
        database: dir.join("feedback.db"),
        config: Arc::new(Config::default()),
        secrets: Arc::new(Secrets::default()),
        sources: None,
        secrets_file: dir.join("secrets.env"),
        cache_dir: dir.join("cache"),
        mode: Mode::Owner { role: "bench".into() },
        clock: Clock::System,
    }
}

/// Everything that the real route does before it hands the report on.
async fn parse_and_drop(body: JsonBody) -> (StatusCode, Json<Value>) {
    match NewFeedback::parse(body.0) {
        Ok(_report) => {
            (StatusCode::CREATED, Json(json!({"id": "0192f0c1-7b1e-7000-8000-000000000000", "status": "recorded"})))
        }
        Err(_faults) => (StatusCode::UNPROCESSABLE_ENTITY, Json(Value::Null)),
    }
}

async fn start(router: Router) -> Fallible<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, router, Limits::default(), std::future::pending()));
    Ok(address)
}

struct Round {
    /// Requests a second.
    rate: f64,
    p50: Duration,
    p99: Duration,
}

async fn round(address: SocketAddr) -> Fallible<Round> {
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        clients.spawn(client(address));
    }
    let mut times = Vec::with_capacity(CONNECTIONS * REQUESTS);
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    times.sort_unstable();
    Ok(Round { rate, p50: times[times.len() / 2], p99: times[times.len() * 99 / 100] })
}

fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rounds.swap_remove(rounds.len() / 2)
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A report of the usual size.
fn request() -> Vec<u8> {
    let body = json!({
        "server_name": "billing", "gap_type": "missing_tool", "resolution": "blocked", "session_id": "5f0c2a",
        "what_i_needed": "a tool that searches invoices by amount, so that I can find the ones above a threshold",
        "what_i_tried": "list_invoices with every page, then filtering here; it stops after 1000 and amounts are text",
        "suggestion": "search_invoices(min_amount: number, max_amount: number, currency: string) -> Invoice[]",
        "user_goal": "find out why last month's bill doubled", "agent_model": "some-model-4", "client_type": "cursor",
        "tools_available": ["list_invoices", "get_invoice", "list_customers", "get_customer", "create_refund"],
    })
    .to_string();
    let head = format!(
        "POST /api/feedback HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

async fn client(address: SocketAddr) -> Fallible<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = request();
    let mut answer = Vec::with_capacity(1024);
    let mut times = Vec::with_capacity(REQUESTS);
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        stream.write_all(&request).await?;
        answer.clear();
        while !is_whole(&answer)? {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server closed the connection".into());
            }
        }
        times.push(begun.elapsed());
        if !answer.starts_with(b"HTTP/1.1 201") {
            return Err(String::from_utf8_lossy(&answer).into());
        }
    }
    Ok(times)
}

/// Whether head and body are there.
fn is_whole(answer: &[u8]) -> Fallible<bool> {
    let Some(head) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(false) };
    let text = std::str::from_utf8(&answer[..head])?;
    let length = text.lines().find_map(|l| l.strip_prefix("content-length: ")).ok_or("no content-length")?;
    Ok(answer.len() >= head + 4 + length.parse::<usize>()?)
}

/// Event streams that are read as fast as they come.
async fn watch(address: SocketAddr) -> Fallible<JoinSet<std::io::Result<u64>>> {
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
        let mut first = [0; 15];
        stream.read_exact(&mut first).await?;
        watchers.spawn(async move { tokio::io::copy(&mut stream, &mut tokio::io::sink()).await });
    }
    Ok(watchers)
}
