//! Helpers of the integration tests: an engine in a directory of its own, and builders; the real binary, and servers in other languages.

pub mod python;
pub mod running;
pub mod servers;
pub mod toolchain;

pub mod program;

pub mod fake;
pub mod git;
pub mod markdown;

pub mod desk;
pub mod scene;
pub mod session;
pub mod terminal;

use patchwork::config::{Config, Secrets};
use patchwork::domain::draft::Stage;
use patchwork::domain::feedback::NewFeedback;
use patchwork::domain::id::{CommandId, FeedbackId};
use patchwork::engine::{Clock, Engine, EngineOptions, Mode, new_command_id};
use patchwork::protocol::{Actor, Command, Door, Made};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tempfile::TempDir;

/// Says that a test could not be run, past the harness, which hides what a test prints when it passes.
pub fn skipped(test: &str, why: &str) {
    std::io::stderr().write_all(format!("skipped: {test}: {why}\n").as_bytes()).unwrap();
}

/// The stages that every run goes through.
pub fn usual_stages() -> Vec<Stage> {
    Stage::ALL.iter().copied().filter(|stage| !stage.is_optional()).collect()
}

/// The usual stage behind this one.
pub fn stage_after(stage: Stage) -> Option<Stage> {
    usual_stages().into_iter().find(|next| *next > stage)
}

/// 2026-11-20T12:00:00Z
pub const NOON: i64 = 1_795_176_000_000;

pub fn options(dir: &Path) -> EngineOptions {
    EngineOptions {
        database: dir.join("feedback.db"),
        config: Arc::new(Config::default()),
        secrets: Arc::new(Secrets::default()),
        sources: None,
        secrets_file: dir.join("secrets.env"),
        cache_dir: dir.join("cache"),
        mode: Mode::Owner { role: "test".into() },
        clock: Clock::Manual(Arc::new(AtomicI64::new(NOON))),
    }
}

/// An engine in a temporary directory, which goes away with it.
pub struct TestEngine {
    pub engine: Engine,
    pub dir: TempDir,
}

impl TestEngine {
    pub async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(options(dir.path())).await.unwrap();
        Self { engine, dir }
    }
}

pub fn me() -> Actor {
    Actor::new(Door::Cli, "tester")
}

pub fn report(json: serde_json::Value) -> Command {
    Command::RecordFeedback { report: Box::new(NewFeedback::parse(json).unwrap()) }
}

/// Records a report and gives its id.
pub async fn record(engine: &Engine, json: serde_json::Value) -> FeedbackId {
    let receipt = engine.submit(new_command_id(), me(), report(json)).await.unwrap();
    match receipt.made {
        Made::Feedback(id) => id,
        other => panic!("a report makes a report, not {other:?}"),
    }
}

pub fn command_id(text: &str) -> CommandId {
    CommandId::parse(text).unwrap()
}
