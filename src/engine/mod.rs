//! L4: the engine decides. Every operation of the program is a method of [`Engine`]; the doors above translate and add nothing.

use crate::config::{Config, SecretsPatch};
use crate::domain::id::{CommandId, DraftId, FeedbackId};
use crate::protocol::read::{
    Detail, DraftDetail, DryRun, Facets, Hello, Page, PageRequest, Row, SettingsView, Snapshot, Stats,
};
use crate::protocol::{Actor, Command, Receipt, Refusal, RefusalKind, Seq, Signal};
use futures::stream::BoxStream;

/// A cheap handle to the one engine of a process.
#[derive(Debug, Clone)]
pub struct Engine {}

/// A fresh id for a command.
pub fn new_command_id() -> CommandId {
    CommandId::trusted(uuid::Uuid::now_v7().to_string())
}

fn later<T>() -> Result<T, Refusal> {
    Err(Refusal::new(RefusalKind::Busy, "the engine is not there yet"))
}

impl Engine {
    /// Carries a command out, or refuses it. Returns after the change is durable. A command id that was seen before gets its first answer again.
    pub async fn submit(&self, _id: CommandId, _actor: Actor, _command: Command) -> Result<Receipt, Refusal> {
        later()
    }

    /// Everything that happens after `after`, in order, and the progress of running drafts. Never ends by itself.
    pub fn watch(&self, _after: Seq) -> BoxStream<'static, Signal> {
        Box::pin(futures::stream::pending())
    }

    pub fn hello(&self) -> Hello {
        Hello { program: "patchwork".into(), version: String::new(), protocol: 1, database: String::new(), seq: Seq(0) }
    }

    pub fn config(&self) -> &Config {
        static C: std::sync::LazyLock<Config> = std::sync::LazyLock::new(Config::default);
        &C
    }

    pub async fn snapshot(&self, _request: PageRequest) -> Result<Snapshot, Refusal> {
        later()
    }

    pub async fn page(&self, _request: PageRequest) -> Result<Page<Row>, Refusal> {
        later()
    }

    /// Like [`Self::page`], with everything of each report: for the API and the CLI.
    pub async fn list(&self, _request: PageRequest) -> Result<Page<Detail>, Refusal> {
        later()
    }

    pub async fn feedback(&self, _id: &FeedbackId) -> Result<Detail, Refusal> {
        later()
    }

    /// Runs, newest first: of one report or of all; at most `MAX_PAGE`.
    pub async fn drafts(&self, _of: Option<&FeedbackId>) -> Result<Vec<crate::domain::draft::Draft>, Refusal> {
        later()
    }

    pub async fn draft(&self, _id: &DraftId) -> Result<DraftDetail, Refusal> {
        later()
    }

    pub async fn stats(&self) -> Result<Stats, Refusal> {
        later()
    }

    pub async fn facets(&self) -> Result<Facets, Refusal> {
        later()
    }

    pub async fn settings(&self) -> Result<SettingsView, Refusal> {
        later()
    }

    /// Writes keys to `secrets.env`; they never pass through a command, an event or the database.
    pub async fn save_secrets(&self, _patch: SecretsPatch) -> Result<(), Refusal> {
        later()
    }

    /// The checkout and context stages of a draft, and nothing after them.
    pub async fn dry_run(&self, _id: &FeedbackId) -> Result<DryRun, Refusal> {
        later()
    }

    /// Waits until no draft run is queued or running.
    pub async fn until_idle(&self) {}

    /// Stops jobs, finishes writes, closes the file.
    pub async fn close(&self) {}
}
