//! From a key to the frame that shows its effect, against the 16 milliseconds of a frame: `update`, the reads it asks for answered by a real
//! engine, and drawing, without the terminal. `cargo bench --bench screen`.
//!
//! The library is smaller than in `library.rs`, because the screen holds a window of at most 1000 rows whatever there is behind it.

#[path = "review.rs"]
mod review;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use patchwork::config::{Config, Secrets};
use patchwork::domain::feedback::NewFeedback;
use patchwork::domain::time::Millis;
use patchwork::engine::{Clock, Engine, EngineOptions, Mode, new_command_id};
use patchwork::protocol::{Actor, Command, Door};
use patchwork::tui::keymap::Keymap;
use patchwork::tui::message::{Answer, Effect, Msg};
use patchwork::tui::model::{Ingest, Model, Start};
use patchwork::tui::theme::{Shade, Theme};
use patchwork::tui::{screen, update};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const REPORTS: usize = 3_000;
const REPEATS: usize = 400;
const FRAME: Duration = Duration::from_millis(16);
const NOW: i64 = 1_795_176_000_000;

type Fallible<T> = Result<T, Box<dyn Error>>;

fn main() -> Fallible<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let dir = tempfile::tempdir()?;
    let engine = runtime.block_on(library(dir.path()))?;
    let mut met = true;
    for (width, height) in [(80, 24), (120, 40), (200, 50)] {
        let mut desk = Desk::new(&runtime, engine.clone(), width, height)?;
        met &= measure(&mut desk, "down", &["j"])?;
        met &= measure(&mut desk, "half a page", &["ctrl-d", "ctrl-u"])?;
        met &= measure(&mut desk, "to the end and back", &["G", "g"])?;
        met &= measure(&mut desk, "a filter, a letter", &["/", "w", "a", "l", "esc"])?;
    }
    met &= review::measure()?;
    runtime.block_on(engine.close());
    let mut out = std::io::stdout();
    Ok(writeln!(out, "every key within a frame: {}", if met { "met" } else { "missed" })?)
}

async fn library(dir: &std::path::Path) -> Fallible<Engine> {
    let engine = Engine::open(EngineOptions {
        database: dir.join("feedback.db"),
        config: Arc::new(Config::default()),
        secrets: Arc::new(Secrets::default()),
        sources: None,
        secrets_file: dir.join("secrets.env"),
        cache_dir: dir.join("cache"),
        mode: Mode::Owner { role: "bench".into() },
        clock: Clock::Manual(Arc::new(AtomicI64::new(NOW))),
    })
    .await?;
    let text = "the quick brown walrus could not find an invoice by its date ".repeat(8);
    let reports = (0..REPORTS).map(|n| {
        let json = json!({"what_i_needed": format!("{n} {text}"), "what_i_tried": text, "server_name": format!("server-{}", n % 7)});
        let engine = engine.clone();
        async move {
            let report = Box::new(NewFeedback::parse(json).map_err(|errors| format!("{errors:?}"))?);
            let command = Command::RecordFeedback { report };
            engine.submit(new_command_id(), Actor::new(Door::Cli, ""), command).await.map_err(|e| e.to_string())
        }
    });
    let stored = futures::future::join_all(reports).await;
    stored.into_iter().collect::<Result<Vec<_>, String>>()?;
    engine.until_indexed().await;
    Ok(engine)
}

/// A screen whose effects are answered at once.
struct Desk<'r> {
    runtime: &'r Runtime,
    engine: Engine,
    model: Model,
    terminal: Terminal<TestBackend>,
}

impl<'r> Desk<'r> {
    fn new(runtime: &'r Runtime, engine: Engine, width: u16, height: u16) -> Fallible<Self> {
        let mut model = Model::new(Start {
            now: Millis(NOW),
            size: (width, height),
            keymap: Arc::new(Keymap::new(&BTreeMap::new())?),
            theme: Theme::new(Shade::Dark, true),
            ingest: Ingest::At("127.0.0.1:8099".into()),
            unsaved: BTreeMap::new(),
            id_prefix: "bench".into(),
        });
        let first = update::begin(&mut model);
        let mut desk = Self { runtime, engine, model, terminal: Terminal::new(TestBackend::new(width, height))? };
        desk.settle(first);
        Ok(desk)
    }

    fn settle(&mut self, effects: Vec<Effect>) {
        let mut waiting = VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            if let Some(answer) = self.runtime.block_on(answer(&self.engine, effect)) {
                waiting.extend(update::update(&mut self.model, Msg::Answer(answer)));
            }
        }
    }

    /// Until the frame with everything that the key asked for.
    fn press(&mut self, key: KeyEvent) -> Fallible<Duration> {
        let begun = Instant::now();
        let effects = update::update(&mut self.model, Msg::Key(key));
        self.settle(effects);
        self.terminal.draw(|frame| screen::render(frame, &self.model))?;
        Ok(begun.elapsed())
    }
}

/// The engine's answers to what looking around asks for.
async fn answer(engine: &Engine, effect: Effect) -> Option<Answer> {
    match effect {
        Effect::Begin { generation, request } => {
            let filter = request.filter.clone();
            Some(Answer::Snapshot { generation, filter, result: engine.snapshot(request).await })
        }
        Effect::ReadPage { generation, filter, side, request } => {
            Some(Answer::Page { generation, filter, side, result: engine.page(request).await })
        }
        Effect::ReadFeedback(id) => Some(Answer::Feedback { result: engine.feedback(&id).await, id }),
        Effect::ReadStats => Some(Answer::Stats(engine.stats().await)),
        Effect::ReadFacets => Some(Answer::Facets(engine.facets().await)),
        _ => None,
    }
}

fn key(name: &str) -> KeyEvent {
    let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
    match name.strip_prefix("ctrl-").and_then(|rest| rest.chars().next()) {
        Some(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
        None if name == "esc" => plain(KeyCode::Esc),
        None if name == "enter" => plain(KeyCode::Enter),
        None => plain(KeyCode::Char(name.chars().next().unwrap_or(' '))),
    }
}

fn measure(desk: &mut Desk<'_>, what: &str, keys: &[&str]) -> Fallible<bool> {
    let mut times = Vec::with_capacity(REPEATS);
    for name in keys.iter().cycle().take(REPEATS - REPEATS % keys.len()) {
        times.push(desk.press(key(name))?);
    }
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() - 1) * share / 100).copied().unwrap_or_default();
    let area = desk.terminal.size()?;
    let ratio = at(99).as_secs_f64() / FRAME.as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{}x{} {what:<20} p50 {:>9.3?}  p99 {:>9.3?}  p99 is {ratio:.2} of a frame",
        area.width,
        area.height,
        at(50),
        at(99)
    )?;
    Ok(at(99) < FRAME)
}
